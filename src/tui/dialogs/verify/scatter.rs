//! Scatter plot of points over two axes of one scale, with the line on which both are equal.

use crate::text;
use crate::text::glyph::Charset;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Dots of a Braille cell, by column and line.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Share of its span by which a scale extends at either end.
const MARGIN: f64 = 0.04;

/// Points of one kind.
pub(super) struct Set {
    /// Name of the points.
    pub name: &'static str,
    /// Mark of their cells; dots where it is `None`.
    pub sign: Option<char>,
    pub style: Style,
    /// Coordinates; points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// Content of a cell.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Dots of the line on which both axes are equal.
    equal: u8,
    /// Dots of points, and the index of their set.
    dots: u8,
    of: usize,
    /// The last set that marks the cell by its sign.
    sign: Option<usize>,
}

/// Draws the points over `axes`, across and up.
pub(super) fn draw(axes: [&str; 2], sets: &[Set], area: Rect, look: &Look, buf: &mut Buffer) {
    // A line above and two below the plot for the names of the axes and the marks, and one column for the axis.
    if area.width < 20 || area.height < 6 {
        return;
    }
    let (low, high) = scale(sets);
    let plot = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 1, height: area.height - 4 };
    let cells = cells(sets, (low, high), plot, look.glyphs.charset);
    for (at, cell) in cells.iter().enumerate() {
        let (sign, style) = shown(*cell, sets, look);
        let (x, y) = (plot.x + (at % usize::from(plot.width)) as u16, plot.y + (at / usize::from(plot.width)) as u16);
        buf[(x, y)].set_char(sign).set_style(style);
    }

    let theme = &look.theme;
    let bottom = plot.bottom();
    for y in plot.top()..bottom {
        buf[(area.x, y)].set_symbol(look.glyphs.frame[5]).set_style(theme.frame);
    }
    for x in area.left() + 1..area.right() {
        buf[(x, bottom)].set_symbol(look.glyphs.frame[4]).set_style(theme.frame);
    }
    buf[(area.x, bottom)].set_symbol(look.glyphs.frame[2]).set_style(theme.frame);
    let [low, high] = [low, high].map(|end| text::weight(end as f32));
    let room = usize::from(area.width);
    buf.set_stringn(area.x, area.y, format!("{high} {}", axes[1]), room, theme.quiet);
    let gap = room.saturating_sub(low.len() + high.len() + axes[0].len()) / 2;
    let across = format!("{low}{0:gap$}{1}", "", axes[0]);
    buf.set_stringn(area.x, bottom + 1, &across, room, theme.quiet);
    buf.set_stringn(area.right().saturating_sub(high.len() as u16), bottom + 1, &high, room, theme.quiet);
    let (mut x, y) = (area.x, bottom + 2);
    for set in sets {
        let left = usize::from(area.right().saturating_sub(x));
        (x, _) = buf.set_stringn(x, y, format!("{} ", set.sign.unwrap_or(dot(look))), left, set.style);
        let left = usize::from(area.right().saturating_sub(x));
        (x, _) = buf.set_stringn(x, y, format!("{}   ", set.name), left, theme.quiet);
    }
}

/// Returns the sign of a point that has none of its own.
fn dot(look: &Look) -> char {
    if look.glyphs.charset == Charset::Ascii { '.' } else { '·' }
}

/// Returns the ends of both axes.
fn scale(sets: &[Set]) -> (f64, f64) {
    let all = sets.iter().flat_map(|set| &set.points).flat_map(|(x, y)| [*x, *y]).filter(|value| value.is_finite());
    let (low, high) = all.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let span = if high > low { high - low } else { 1.0 };
    (low - MARGIN * span, high + MARGIN * span)
}

/// Returns the cells of the plot, line by line from the top.
fn cells(sets: &[Set], (low, high): (f64, f64), plot: Rect, charset: Charset) -> Vec<Cell> {
    let fine = if charset == Charset::Braille { (2, 4) } else { (1, 1) };
    let (width, height) = (usize::from(plot.width), usize::from(plot.height));
    let (columns, lines) = (width * fine.0, height * fine.1);
    let mut cells = vec![Cell::default(); width * height];
    let share = |value: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
    let place = |(x, y): (f64, f64)| {
        let column = ((share(x) * columns as f64) as usize).min(columns - 1);
        let line = lines - 1 - ((share(y) * lines as f64) as usize).min(lines - 1);
        (line / fine.1 * width + column / fine.0, BITS[column % fine.0][line % fine.1])
    };
    for column in 0..columns {
        let at = low + (column as f64 + 0.5) / columns as f64 * (high - low);
        let (cell, bit) = place((at, at));
        cells[cell].equal |= bit;
    }
    for (of, set) in sets.iter().enumerate() {
        for point in set.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()) {
            let (cell, bit) = place(*point);
            match set.sign {
                Some(_) => cells[cell].sign = Some(of),
                None => {
                    cells[cell].dots |= bit;
                    cells[cell].of = of;
                }
            }
        }
    }
    cells
}

fn shown(cell: Cell, sets: &[Set], look: &Look) -> (char, Style) {
    let is_braille = look.glyphs.charset == Charset::Braille;
    let braille = |bits: u8| char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
    let signed = cell.sign.and_then(|of| sets.get(of)).and_then(|set| Some((set.sign?, set.style)));
    let dotted = sets.get(cell.of).filter(|_| cell.dots > 0).map(|set| {
        let sign = if is_braille { braille(cell.dots) } else { dot(look) };
        (sign, set.style)
    });
    let equal = (cell.equal > 0).then(|| (if is_braille { braille(cell.equal) } else { '/' }, look.theme.faint));
    signed.or(dotted).or(equal).unwrap_or((' ', look.theme.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sign: Option<char>, points: &[(f64, f64)]) -> Set {
        Set { name: "", sign, style: Style::new(), points: points.to_vec() }
    }

    #[test]
    fn points_lie_where_their_numbers_say() {
        let plot = Rect::new(0, 0, 10, 10);
        let sets = [set(None, &[(0.0, 10.0), (5.0, 5.0), (f64::NAN, 1.0)]), set(Some('+'), &[(10.0, 0.0)])];
        let scale = scale(&sets);
        assert!(scale.0 < 0.0 && scale.1 > 10.0);
        let cells = cells(&sets, scale, plot, Charset::Ascii);
        let places = |is_it: fn(&Cell) -> bool| (0..cells.len()).filter(|at| is_it(&cells[*at])).collect::<Vec<_>>();
        assert_eq!(places(|cell| cell.dots > 0), [0, 45], "top left, and the middle");
        assert_eq!(places(|cell| cell.sign == Some(1)), [99], "bottom right");
        let diagonal: Vec<usize> = (0..10).map(|line| line * 10 + 9 - line).collect();
        assert_eq!(places(|cell| cell.equal > 0), diagonal);
    }

    #[test]
    fn a_scale_is_one_of_both_axes_and_never_empty() {
        assert_eq!(scale(&[set(None, &[(-1.0, 4.0)])]), (-1.0 - 5.0 * MARGIN, 4.0 + 5.0 * MARGIN));
        let (low, high) = scale(&[set(None, &[(0.0, f64::INFINITY)])]);
        assert!(low < high && high.is_finite());
    }
}
