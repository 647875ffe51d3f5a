//! What lies over the panes.

mod ask;
mod balance;
pub mod browse;
pub mod compare;
mod consent;
pub mod contexts;
pub mod export;
pub mod fetch;
pub mod filter;
mod folio;
mod grammar;
pub mod heads;
pub mod help;
pub mod interventions;
mod line;
pub mod notes;
pub mod paths;
pub mod picker;
pub mod prompt;
pub mod proposals;
pub mod question;
mod scatter;
mod split;
pub mod start;
pub mod truth;
mod unsaved;
pub mod why;

pub(super) use ask::wrap;
pub(super) use consent::render as render_consent;
pub(super) use line::TextEdit;
pub(super) use unsaved::render as render_unsaved;

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
    free_left_edge(area, buf);
    Clear.render(area, buf);
    frame(area, title, true, look, buf)
}

/// Half of a wide character that a box cuts through must not stay.
pub(super) fn free_left_edge(area: Rect, buf: &mut Buffer) {
    if area.x > 0 {
        for y in area.top()..area.bottom() {
            let left = &mut buf[(area.x - 1, y)];
            if crate::text::width(left.symbol()) > 1 {
                left.reset();
            }
        }
    }
}
