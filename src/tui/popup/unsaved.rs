//! The question whether the program may be left though something is not saved.

use super::ask;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the question over why sessions are not saved.
pub(in crate::tui) fn render(unsaved: &[String], screen: Rect, look: &Look, buf: &mut Buffer) {
    let mut lines = vec!["What you did last is not saved, and is lost if you leave now.".to_owned(), String::new()];
    lines.extend(unsaved.iter().cloned());
    lines.push(String::new());
    lines.push("It is tried again every few seconds. Leave all the same?".to_owned());
    ask::render("not saved", &lines, None, screen, look, 0, buf);
}
