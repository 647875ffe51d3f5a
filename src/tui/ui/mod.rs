//! Parts that views are made of.

pub mod folio;
pub mod line;
mod wrap;

pub use wrap::wrap;

use crate::tui::theme::Look;
use crate::tui::view::frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Clears a box in the middle of `screen` and frames it; returns the area within.
pub fn open(screen: Rect, width: u16, height: u16, title: &str, look: &Look, buf: &mut Buffer) -> Rect {
    let area = Rect {
        x: screen.x + screen.width.saturating_sub(width) / 2,
        y: screen.y + screen.height.saturating_sub(height) / 2,
        width: width.min(screen.width),
        height: height.min(screen.height),
    };
    free_left_edge(area, buf);
    Clear.render(area, buf);
    frame(area, title, true, look, buf)
}

/// Clears a wide character that the left edge of a box cuts through: its half must not stay.
pub fn free_left_edge(area: Rect, buf: &mut Buffer) {
    if area.x > 0 {
        for y in area.top()..area.bottom() {
            let left = &mut buf[(area.x - 1, y)];
            if crate::text::width(left.symbol()) > 1 {
                left.reset();
            }
        }
    }
}
