//! What lies over the panes.

mod ask;
pub mod help;
pub mod prompt;
pub mod start;

use crate::tui::theme::Look;
use crate::tui::view::frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Clears a box in the middle of `screen` and frames it; gives what is within.
fn open(screen: Rect, width: u16, height: u16, title: &str, look: &Look, buf: &mut Buffer) -> Rect {
    let area = Rect {
        x: screen.x + screen.width.saturating_sub(width) / 2,
        y: screen.y + screen.height.saturating_sub(height) / 2,
        width: width.min(screen.width),
        height: height.min(screen.height),
    };
    // Half of a wide character that the box cuts through must not stay.
    if area.x > 0 {
        for y in area.top()..area.bottom() {
            let left = &mut buf[(area.x - 1, y)];
            if crate::tui::text::width(left.symbol()) > 1 {
                left.reset();
            }
        }
    }
    Clear.render(area, buf);
    frame(area, title, true, look, buf)
}
