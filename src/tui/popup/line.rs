//! A line of text that is being edited.

use crate::tui::text;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use tui_input::Input;

/// Draws a line into the first line of `area`, scrolled so that its cursor is seen; gives where that is.
pub fn render(input: &Input, area: Rect, style: Style, look: &Look, buf: &mut Buffer) -> Position {
    let room = usize::from(area.width.saturating_sub(1));
    let before: usize = input.value().chars().take(input.cursor()).map(|c| typed_width(c, look)).sum();
    let scroll = before.saturating_sub(room);
    buf.set_stringn(area.x, area.y, clip(input.value(), scroll, room, look), usize::from(area.width), style);
    Position { x: area.x + (before - scroll) as u16, y: area.y }
}

/// A character of the line. Spaces stay spaces there.
fn typed(c: char, look: &Look) -> String {
    if c == ' ' { c.to_string() } else { look.glyphs.visible(&c.to_string()) }
}

fn typed_width(c: char, look: &Look) -> usize {
    text::width(&typed(c, look))
}

/// The cells `scroll..scroll + room` of the line.
fn clip(value: &str, scroll: usize, room: usize, look: &Look) -> String {
    let mut out = String::new();
    let mut x = 0;
    for c in value.chars() {
        let wide = typed_width(c, look);
        if x >= scroll && x + wide <= scroll + room {
            out.push_str(&typed(c, look));
        }
        x += wide;
    }
    out
}
