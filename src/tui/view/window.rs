//! Part of the link graph that its pane shows.

use super::minimap;
use crate::text;
use crate::tui::circuit::Circuit;
use crate::tui::graph_layout::Place;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// Part of a layout that is on the screen. Outputs stay on top and tokens at the bottom, the layers scroll between
/// them; positions scroll beside the layers' names.
pub(super) struct Window {
    pub inner: Rect,
    /// Area of the columns.
    pub marks: Rect,
    pub scroll_x: i32,
    pub scroll_y: i32,
    pub gutter: u16,
    pub last_row: u16,
}

impl Window {
    pub fn new(circuit: &Circuit, inner: Rect) -> Self {
        let layout = &circuit.layout;
        let gutter = layout.gutter.min(inner.width);
        let marks = Rect { x: inner.x + gutter, width: inner.width - gutter, ..inner };
        let here = circuit.layout.place(circuit.selected());
        // In steps of half a window: a scroll changes every cell, which a move by one node should not.
        let around = |at: u16, size: u16, whole: u16| {
            let (at, size) = (i32::from(at), i32::from(size));
            let step = (size / 2).max(1);
            ((at - size / 4).div_euclid(step) * step).min(i32::from(whole) - size).max(0)
        };
        let columns = layout.width.saturating_sub(layout.gutter);
        let scroll_x = here.map_or(0, |place| around(place.x.saturating_sub(layout.gutter), marks.width, columns));
        let scroll_y = here.map_or(0, |place| around(place.y, inner.height, layout.height));
        let last_row = layout.rows.len().saturating_sub(1) as u16;
        Self { inner, marks, scroll_x, scroll_y, gutter, last_row }
    }

    /// Returns the part of the layout that is seen.
    pub fn seen(&self) -> minimap::Seen {
        let gutter = self.gutter;
        // Neither scroll is negative, nor further than the layout goes.
        let (x, y) = (self.scroll_x as u16 + gutter, self.scroll_y as u16);
        minimap::Seen { x, y, width: self.marks.width, height: self.inner.height }
    }

    pub fn x(&self, x: u16) -> i32 {
        i32::from(self.inner.x) + i32::from(x) - self.scroll_x
    }

    /// Returns the line of a row, which may lie outside of the pane.
    pub fn y(&self, row: u16, y: u16) -> i32 {
        let top = i32::from(self.inner.y);
        let y = top + i32::from(y) - self.scroll_y;
        if row == 0 {
            top
        } else if row == self.last_row {
            y.min(i32::from(self.inner.bottom()) - 1)
        } else {
            y
        }
    }

    pub fn at(&self, place: Place) -> (i32, i32) {
        (self.x(place.x), self.y(place.row, place.y))
    }

    /// Returns true where a row is on the screen; one that scrolls, between the two that do not.
    pub fn shows_row(&self, row: u16, y: i32) -> bool {
        let (top, bottom) = (i32::from(self.inner.y), i32::from(self.inner.bottom()) - 1);
        if row == 0 || row == self.last_row { y >= top && y <= bottom } else { y > top && y < bottom }
    }

    pub fn cell(&self, place: Place) -> Option<(u16, u16)> {
        let (x, y) = self.at(place);
        (self.shows_row(place.row, y) && x >= i32::from(self.marks.x) && x < i32::from(self.marks.right()))
            .then_some((x as u16, y as u16))
    }

    /// Writes text that may begin left of the window or end right of it.
    pub fn write(&self, x: i32, y: i32, text: &str, style: Style, buf: &mut Buffer) {
        let (left, right) = (i32::from(self.marks.x), i32::from(self.marks.right()));
        let mut x = x;
        for piece in Span::raw(text).styled_graphemes(style) {
            let wide = text::width(piece.symbol) as i32;
            if x >= left && x + wide <= right {
                buf.set_string(x as u16, y as u16, piece.symbol, style);
            }
            x += wide;
        }
    }
}
