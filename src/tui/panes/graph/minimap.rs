//! Map of the whole link graph in a corner of its pane, where it is larger than that, with the part that is seen.

use crate::text::glyph::Charset;
use crate::tui::panes::graph::layout::GraphLayout;
use crate::tui::panes::graph::window::Window;
use crate::tui::ui::{Look, frame_lines};
use crate::tui::workspace::Circuit;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Bits of a Braille cell, by column and line of dots.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Signs for nothing, little and much, where there are no dots.
const SHADES: [char; 3] = [' ', '.', ':'];

/// Part of a layout that is seen, in the layout's cells and lines.
pub(in crate::tui) struct Seen {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

/// Least width of a terminal on which there is a map.
const LEAST_WIDTH: u16 = 100;

/// Returns the area of the map: the largest that covers no node, in a corner where it can be. `None` where there is none,
/// or the terminal is narrow.
pub(in crate::tui) fn place(layout: &GraphLayout, window: &Window, terminal_width: u16) -> Option<Rect> {
    let inner = window.inner;
    if terminal_width < LEAST_WIDTH || inner.width < 48 || inner.height < 9 {
        return None;
    }
    let taken = Taken::new(layout, window);
    let (width, height) = ((inner.width / 5).clamp(12, 30), (inner.height / 4).clamp(2, 7));
    // Outputs and tokens stay free, and the layers' names.
    let (left, top) = (inner.x + layout.gutter.min(inner.width / 4), inner.y + 1);
    [1, 2, 3].into_iter().find_map(|part| {
        let (width, height) = ((width / part).max(8) + 2, (height / part).max(2) + 2);
        let (right, bottom) = (inner.right() - width, inner.bottom() - 1 - height);
        let is_free = |(x, y)| {
            let area = Rect { x, y, width, height };
            taken.none_in(area).then_some(area)
        };
        let corners = [(left, top), (right, top), (left, bottom), (right, bottom)];
        let anywhere = (top..=bottom).flat_map(|y| (left..=right).map(move |x| (x, y)));
        corners.into_iter().chain(anywhere).find_map(is_free)
    })
}

/// Number of taken cells above and left of every corner of a cell, so that those in an area are told by its corners.
struct Taken {
    inner: Rect,
    sums: Vec<u32>,
}

impl Taken {
    fn new(layout: &GraphLayout, window: &Window) -> Self {
        let inner = window.inner;
        let wide = usize::from(inner.width) + 1;
        let mut sums = vec![0; wide * (usize::from(inner.height) + 1)];
        // A rank digit may stand to either side of a mark.
        for place in layout.rows.iter().flat_map(|row| &row.nodes).filter_map(|id| layout.place(*id)) {
            let (x, y) = window.at(place);
            let cells = if place.alone { x - 1..x + 2 } else { x - 1..x + 5 };
            for x in cells.filter(|x| window.has_column(*x) && window.has_line(y)) {
                let (x, y) = (x - i32::from(inner.x), y - i32::from(inner.y));
                sums[(y as usize + 1) * wide + x as usize + 1] = 1;
            }
        }
        for y in 1..sums.len() / wide {
            for x in 1..wide {
                let at = y * wide + x;
                sums[at] = sums[at] + sums[at - 1] + sums[at - wide] - sums[at - wide - 1];
            }
        }
        Self { inner, sums }
    }

    fn none_in(&self, area: Rect) -> bool {
        let wide = usize::from(self.inner.width) + 1;
        let at = |x: u16, y: u16| self.sums[usize::from(y - self.inner.y) * wide + usize::from(x - self.inner.x)];
        let (right, bottom) = (area.right(), area.bottom());
        at(right, bottom) + at(area.x, area.y) == at(area.x, bottom) + at(right, area.y)
    }
}

/// Draws the map within its frame.
pub(in crate::tui) fn render(circuit: &Circuit, seen: &Seen, area: Rect, look: &Look, buf: &mut Buffer) {
    let theme = &look.theme;
    let layout = &circuit.panes.layout;
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
    frame_lines(area, theme.frame, look, buf);
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
