//! The question whether the hub may be asked for single features.

use super::ask;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the question for the features of `set`.
pub(in crate::tui) fn render(set: &str, screen: Rect, look: &Look, buf: &mut Buffer) {
    let lines = [
        format!("May the hub be asked for features of {set}?"),
        "Its server learns which ones you look at. A yes is kept for this set; what comes is kept on this machine."
            .to_owned(),
    ];
    ask::render("ask the hub", &lines, None, screen, look, 0, buf);
}
