//! Lines that are written piece by piece.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Pen that writes a line piece by piece from left to right, cut off at its end.
pub(in crate::tui) struct Pen<'a> {
    buf: &'a mut Buffer,
    x: u16,
    y: u16,
    end: u16,
}

impl<'a> Pen<'a> {
    pub fn new(buf: &'a mut Buffer, area: Rect, line: u16) -> Self {
        Self { buf, x: area.x, y: area.y + line, end: area.right() }
    }

    pub fn room(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    pub fn put(&mut self, text: &str, style: Style) {
        if self.room() > 0 {
            (self.x, _) = self.buf.set_stringn(self.x, self.y, text, self.room(), style);
        }
    }

    pub fn skip(&mut self, cells: u16) {
        self.x = self.x.saturating_add(cells).min(self.end);
    }
}
