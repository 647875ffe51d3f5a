//! Line of text that is being edited.

use crate::text;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use std::ops::Range;
use tui_input::{Input, InputRequest};

/// Greatest number of characters in a line: more than anyone reads there, and as many as a frame has time for.
pub const LONGEST: usize = 10_000;

/// Edit of a text that is being written.
#[derive(Clone, Debug)]
pub enum TextEdit {
    /// Edit by one key.
    Request(InputRequest),
    /// Text put in at the cursor.
    Insert(String),
}

impl From<InputRequest> for TextEdit {
    fn from(request: InputRequest) -> Self {
        Self::Request(request)
    }
}

/// Edits a line. Returns true where there was room for all of a text that is put in.
pub fn edit(input: &mut Input, edit: &TextEdit) -> bool {
    let text = match edit {
        TextEdit::Request(InputRequest::InsertChar(c)) => &c.to_string(),
        TextEdit::Request(request) => {
            input.handle(*request);
            return true;
        }
        TextEdit::Insert(text) => text,
    };
    let room = LONGEST.saturating_sub(input.value().chars().count());
    let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
    if end > 0 {
        insert(input, &text[..end]);
    }
    end == text.len()
}

/// Puts a text in at the cursor, and the cursor behind it.
pub fn insert(input: &mut Input, text: &str) {
    let (before, after) = split_at(input.value(), input.cursor());
    let (cursor, value) = (input.cursor() + text.chars().count(), format!("{before}{text}{after}"));
    *input = Input::new(value).with_cursor(cursor);
}

/// Splits a text behind its first `chars` characters.
pub fn split_at(text: &str, chars: usize) -> (&str, &str) {
    text.split_at(text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at))
}

/// Draws `input` into the first line of `area`, scrolled so that its cursor is seen; returns the cursor's position.
pub fn render(input: &Input, area: Rect, style: Style, look: &Look, buf: &mut Buffer) -> Position {
    let room = usize::from(area.width.saturating_sub(1));
    let scroll = scroll(input, room, look);
    buf.set_stringn(area.x, area.y, clip(input.value(), scroll, room, look), usize::from(area.width), style);
    Position { x: area.x + (before(input, input.cursor(), look) - scroll) as u16, y: area.y }
}

/// Styles the part of a drawn line that stands at these bytes, at least one cell.
pub fn mark(input: &Input, area: Rect, bytes: Range<usize>, style: Style, look: &Look, buf: &mut Buffer) {
    let room = usize::from(area.width.saturating_sub(1));
    let scroll = scroll(input, room, look);
    let chars = |end: usize| input.value().char_indices().take_while(|(at, _)| *at < end).count();
    let cell = |end: usize| before(input, chars(end), look).saturating_sub(scroll).min(room);
    let (start, end) = (cell(bytes.start), cell(bytes.end));
    let part = Rect { x: area.x + start as u16, width: (end - start).max(1) as u16, height: 1, ..area };
    buf.set_style(part.intersection(area), style.add_modifier(Modifier::UNDERLINED));
}

/// Returns the width of the first `chars` characters in cells.
fn before(input: &Input, chars: usize, look: &Look) -> usize {
    input.value().chars().take(chars).map(|c| typed_width(c, look)).sum()
}

/// Returns the number of cells by which a line is scrolled in `room`.
fn scroll(input: &Input, room: usize, look: &Look) -> usize {
    before(input, input.cursor(), look).saturating_sub(room)
}

/// Returns a character as the line shows it. Spaces stay spaces.
fn typed(c: char, look: &Look) -> String {
    if c == ' ' { c.to_string() } else { look.glyphs.visible(&c.to_string()) }
}

fn typed_width(c: char, look: &Look) -> usize {
    if matches!(c, ' '..='~') { 1 } else { text::width(&typed(c, look)) }
}

/// Returns the cells `scroll..scroll + room` of the line.
fn clip(value: &str, scroll: usize, room: usize, look: &Look) -> String {
    let mut out = String::new();
    let mut x = 0;
    for c in value.chars() {
        if x >= scroll + room {
            break;
        }
        let wide = typed_width(c, look);
        if x >= scroll && x + wide <= scroll + room {
            out.push_str(&typed(c, look));
        }
        x += wide;
    }
    out
}
