//! Parts that views are made of.

use crate::graph::StabilityClass;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};
pub use wrap::wrap;

pub mod activation_context;
pub(in crate::tui) mod curve;
pub mod folio;
mod frame;
pub mod legend;
pub mod line;
pub(in crate::tui) mod membership;
mod pen;
pub mod theme;
pub(in crate::tui) mod tint;
mod wrap;

pub(in crate::tui) use frame::{End, frame, frame_lines, free, note};
pub use line::TextEdit;
pub(in crate::tui) use pen::Pen;
pub use theme::Look;

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

/// Returns the first of `n` rows that is shown on `lines` lines, so that row `at` is among them. In steps of half a
/// page, as a list that scrolls is written anew.
pub(in crate::tui) fn first_line(at: usize, lines: usize, n: usize) -> usize {
    let step = (lines / 2).max(1);
    (at.saturating_sub(lines / 4) / step * step).min(n.saturating_sub(lines))
}

/// Returns the style of the mark of a stability class.
pub(in crate::tui) fn stability_style(class: StabilityClass, look: &Look) -> Style {
    if class == StabilityClass::Noise { look.theme.faint } else { look.theme.text }
}
