//! Map of the whole link graph in a corner of its pane, where it is larger than that, with the part that is seen.

use crate::text::glyph::Charset;
use crate::tui::circuit::Circuit;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Bits of a Braille cell, by column and line of dots.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Signs for nothing, little and much, where there are no dots.
const SHADES: [char; 3] = [' ', '.', ':'];

/// Part of a layout that is seen, in the layout's cells and lines.
pub(super) struct Seen {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

/// Returns the area of the map in a graph of `inner`: the corner of least cost. `None` where all of the graph is seen,
/// or there is no room.
pub(super) fn place(circuit: &Circuit, inner: Rect, cost: impl Fn(Rect) -> usize) -> Option<Rect> {
    let layout = &circuit.layout;
    if (layout.width <= inner.width && layout.height <= inner.height) || inner.width < 48 || inner.height < 9 {
        return None;
    }
    let width = (inner.width / 5).clamp(12, 30);
    let height = (inner.height / 4).clamp(2, 7);
    let (width, height) = (width + 2, height + 2);
    // Outputs and tokens stay free, and the layers' names.
    let (left, right) = (inner.x + layout.gutter.min(inner.width / 4), inner.right() - width);
    let (top, bottom) = (inner.y + 1, inner.bottom() - 1 - height);
    let corners = [(left, top), (right, top), (left, bottom), (right, bottom)];
    corners.map(|(x, y)| Rect { x, y, width, height }).into_iter().min_by_key(|corner| cost(*corner))
}

/// Draws the map within its frame.
pub(super) fn render(circuit: &Circuit, seen: &Seen, area: Rect, look: &Look, buf: &mut Buffer) {
    let theme = &look.theme;
    let layout = &circuit.layout;
    let map = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 };
    let braille = look.glyphs.charset == Charset::Braille;
    let (fine_x, fine_y) = if braille { (2, 4) } else { (1, 1) };
    let (columns, lines) = (usize::from(map.width) * fine_x, usize::from(map.height) * fine_y);
    let columns_from = usize::from(layout.gutter);
    let wide = usize::from(layout.width).saturating_sub(columns_from).max(1);
    let high = usize::from(layout.height).max(1);
    let scale = |x: usize, y: usize| {
        let x = (x.saturating_sub(columns_from) * columns / wide).min(columns - 1);
        (x, (y * lines / high).min(lines - 1))
    };

    let mut dots = vec![0usize; columns * lines];
    for node in layout.rows.iter().flat_map(|row| &row.nodes) {
        if let Some(place) = layout.place(*node) {
            let (x, y) = scale(usize::from(place.x), usize::from(place.y));
            dots[y * columns + x] += 1;
        }
    }
    let cell_of = |x: u16, y: u16| {
        let (x, y) = scale(usize::from(x), usize::from(y));
        (x / fine_x, y / fine_y)
    };
    let first = cell_of(seen.x, seen.y);
    let last = cell_of(
        seen.x.saturating_add(seen.width.saturating_sub(1)),
        seen.y.saturating_add(seen.height.saturating_sub(1)),
    );
    let here = layout.place(circuit.selected()).map(|place| cell_of(place.x, place.y));
    super::frame_lines(area, theme.frame, look, buf);
    for y in 0..usize::from(map.height) {
        for x in 0..usize::from(map.width) {
            let sign = if braille {
                let mut bits = 0;
                for (column, of_column) in BITS.iter().enumerate() {
                    for (line, bit) in of_column.iter().enumerate() {
                        if dots[(y * fine_y + line) * columns + x * fine_x + column] > 0 {
                            bits |= bit;
                        }
                    }
                }
                if bits == 0 { ' ' } else { char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ') }
            } else {
                SHADES[dots[y * columns + x].min(SHADES.len() - 1)]
            };
            let is_seen = (first.0..=last.0).contains(&x) && (first.1..=last.1).contains(&y);
            let cell = &mut buf[(map.x + x as u16, map.y + y as u16)];
            cell.reset();
            cell.set_char(sign).set_style(if is_seen { theme.text } else { theme.faint });
            if is_seen {
                cell.set_style(theme.selection_idle);
            }
            if here == Some((x, y)) {
                cell.set_style(theme.selection);
            }
        }
    }
}
