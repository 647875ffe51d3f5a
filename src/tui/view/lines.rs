//! Edges as curves through cells: sign by colour and line style, weight by thickness.

use crate::text::glyph::{Charset, Glyphs};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Weight of a drawn line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stroke {
    Thin,
    Thick,
}

/// Curve from a source below to a target above, in cells of the screen; either end may lie outside of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    pub from: (i32, i32),
    pub to: (i32, i32),
    pub negative: bool,
    pub stroke: Stroke,
    pub style: Style,
}

/// Returns the curve's point at `t` of the way from its source: it leaves and arrives upright.
fn bend(from: (f64, f64), to: (f64, f64), t: f64) -> (f64, f64) {
    let middle = f64::midpoint(from.1, to.1);
    let u = 1.0 - t;
    let (a, b, c, d) = (u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t);
    (from.0 * (a + b) + to.0 * (c + d), from.1 * a + middle * (b + c) + to.1 * d)
}

/// Draws `curves` within `area`, later ones over earlier ones.
pub(super) fn draw(curves: &[Curve], area: Rect, glyphs: &Glyphs, buf: &mut Buffer) {
    match glyphs.charset {
        Charset::Braille => draw_dots(curves, area, buf),
        Charset::Unicode | Charset::Ascii => draw_cells(curves, area, glyphs, buf),
    }
}

fn draw_dots(curves: &[Curve], area: Rect, buf: &mut Buffer) {
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let mut cells: Vec<(u8, Style)> = vec![(0, Style::new()); area.area() as usize];
    let mut dot = |x: i32, y: i32, style: Style| {
        let (column, line) = (x.div_euclid(2) - i32::from(area.x), y.div_euclid(4) - i32::from(area.y));
        if (0..width).contains(&column) && (0..height).contains(&line) {
            let cell = &mut cells[(line * width + column) as usize];
            cell.0 |= BITS[x.rem_euclid(2) as usize][y.rem_euclid(4) as usize];
            cell.1 = style;
        }
    };
    for curve in curves {
        // From the upper edge of the source's cell to the lower edge of the target's.
        let from = (f64::from(curve.from.0 * 2), f64::from(curve.from.1 * 4) - 1.0);
        let to = (f64::from(curve.to.0 * 2), f64::from(curve.to.1 * 4) + 4.0);
        let samples = ((from.0 - to.0).abs() + (from.1 - to.1).abs()).ceil().max(1.0) * 2.0;
        let (mut length, mut last) = (0.0, from);
        for at in 0..=samples as u32 {
            let point = bend(from, to, f64::from(at) / samples);
            length += (point.0 - last.0).hypot(point.1 - last.1);
            last = point;
            if curve.negative && length % 6.0 >= 3.0 {
                continue;
            }
            let (x, y) = (point.0.round() as i32, point.1.round() as i32);
            dot(x, y, curve.style);
            if curve.stroke == Stroke::Thick {
                dot(x + 1, y, curve.style);
            }
        }
    }
    for (at, (bits, style)) in cells.into_iter().enumerate() {
        if bits != 0 {
            let (x, y) = (area.x + (at as i32 % width) as u16, area.y + (at as i32 / width) as u16);
            let sign = char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
            buf[(x, y)].set_char(sign).set_style(style);
        }
    }
}

fn draw_cells(curves: &[Curve], area: Rect, glyphs: &Glyphs, buf: &mut Buffer) {
    for curve in curves {
        let [upright, rising, level, falling] = if curve.negative { glyphs.line_negative } else { glyphs.line };
        let style = match curve.stroke {
            Stroke::Thick => curve.style.add_modifier(ratatui::style::Modifier::BOLD),
            Stroke::Thin => curve.style,
        };
        let mut put = |x: i32, y: i32, sign: &str| {
            if let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y))
                && area.contains((x, y).into())
            {
                buf[(x, y)].set_symbol(sign).set_style(style);
            }
        };
        let (from, to) = (curve.from, curve.to);
        let lines = from.1 - to.1;
        let at = |line: i32| {
            let (start, end) = ((f64::from(from.0), f64::from(from.1)), (f64::from(to.0), f64::from(to.1)));
            bend(start, end, f64::from(line) / f64::from(lines.max(1))).0.round() as i32
        };
        for line in 1..lines {
            let (before, x, y) = (at(line - 1), at(line), from.1 - line);
            match x - before {
                0 => put(x, y, upright),
                shift => {
                    let sign = if shift > 0 { rising } else { falling };
                    for between in before.min(x) + 1..before.max(x) {
                        put(between, y, level);
                    }
                    put(x, y, sign);
                }
            }
        }
    }
}
