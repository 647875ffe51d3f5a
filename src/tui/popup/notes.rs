//! Notes on the graph: several lines of text.

use super::line;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::{Input, InputRequest};

/// The notes being written.
pub struct Notes {
    /// The lines, one at least; each remembers where its cursor is.
    lines: Vec<Input>,
    /// The one that is written in.
    at: usize,
}

impl Notes {
    /// Goes on from `text`, at its end.
    pub fn new(text: &str) -> Self {
        let lines: Vec<Input> = text.split('\n').map(|line| Input::new(line.to_owned())).collect();
        Self { at: lines.len() - 1, lines }
    }

    /// All of it.
    pub fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(Input::value).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Edits the line under the cursor; at its ends, the lines around it.
    pub fn edit(&mut self, request: InputRequest) {
        let cursor = self.lines[self.at].cursor();
        match request {
            InputRequest::InsertChar('\n' | '\r') => self.break_line(),
            InputRequest::DeletePrevChar if cursor == 0 && self.at > 0 => self.join(self.at - 1),
            InputRequest::DeleteNextChar if self.is_at_end() && self.at + 1 < self.lines.len() => self.join(self.at),
            InputRequest::GoToPrevChar if cursor == 0 && self.at > 0 => {
                self.at -= 1;
                self.lines[self.at].handle(InputRequest::GoToEnd);
            }
            InputRequest::GoToNextChar if self.is_at_end() && self.at + 1 < self.lines.len() => {
                self.at += 1;
                self.lines[self.at].handle(InputRequest::GoToStart);
            }
            request => {
                self.lines[self.at].handle(request);
            }
        }
    }

    /// Up and down, in the same column where there is one.
    pub fn move_by(&mut self, by: isize) {
        let column = self.lines[self.at].cursor();
        self.at = self.at.saturating_add_signed(by).min(self.lines.len() - 1);
        self.lines[self.at].handle(InputRequest::SetCursor(column));
    }

    fn is_at_end(&self) -> bool {
        let line = &self.lines[self.at];
        line.cursor() >= line.value().chars().count()
    }

    fn break_line(&mut self) {
        let line = &self.lines[self.at];
        let (before, after) = split_at(line.value(), line.cursor());
        self.lines[self.at] = Input::new(before);
        self.at += 1;
        self.lines.insert(self.at, Input::new(after).with_cursor(0));
    }

    /// Joins the line of this index and the one after it, with the cursor between them.
    fn join(&mut self, first: usize) {
        let after = self.lines.remove(first + 1);
        let before = self.lines[first].value();
        let cursor = before.chars().count();
        self.lines[first] = Input::new(format!("{before}{}", after.value())).with_cursor(cursor);
        self.at = first;
    }

    /// Draws it; gives where the cursor is.
    pub fn render(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let height = (self.lines.len() as u16 + 3).clamp(10, 30).min(screen.height);
        let area = super::open(screen, screen.width.saturating_sub(4).min(100), height, "notes", look, buf);
        if area.is_empty() {
            return None;
        }
        let lines = usize::from(area.height);
        let from = (self.at + 1).saturating_sub(lines);
        let mut cursor = None;
        for (y, (at, input)) in (area.top()..area.bottom()).zip(self.lines.iter().enumerate().skip(from)) {
            let row = Rect { y, height: 1, ..area };
            let style = if at == self.at { look.theme.strong } else { look.theme.text };
            let here = line::render(input, row, style, look, buf);
            cursor = cursor.or((at == self.at).then_some(here));
        }
        cursor
    }
}

fn split_at(text: &str, chars: usize) -> (String, String) {
    let at = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    (text[..at].to_owned(), text[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(notes: &mut Notes, text: &str) {
        for c in text.chars() {
            notes.edit(InputRequest::InsertChar(c));
        }
    }

    #[test]
    fn lines_are_broken_and_joined() {
        let mut notes = Notes::new("");
        typed(&mut notes, "one\ntwö\nthree");
        assert_eq!(notes.text(), "one\ntwö\nthree");
        notes.move_by(-1);
        notes.edit(InputRequest::GoToStart);
        notes.edit(InputRequest::DeletePrevChar);
        assert_eq!(notes.text(), "onetwö\nthree");
        notes.edit(InputRequest::InsertChar('\n'));
        notes.edit(InputRequest::GoToEnd);
        notes.edit(InputRequest::DeleteNextChar);
        assert_eq!(notes.text(), "one\ntwöthree");
    }

    proptest! {
        #[test]
        fn what_is_typed_at_the_end_is_what_stands_there(text in "[a-zäé東 \n]{0,40}") {
            let mut notes = Notes::new("");
            typed(&mut notes, &text);
            prop_assert_eq!(notes.text(), text.trim_end());
        }

        #[test]
        fn no_edit_falls_over(text in "[ab東\n]{0,20}", edits in proptest::collection::vec(0..9usize, 0..60)) {
            let mut notes = Notes::new(&text);
            for edit in edits {
                match edit {
                    0 => notes.edit(InputRequest::DeletePrevChar),
                    1 => notes.edit(InputRequest::DeleteNextChar),
                    2 => notes.edit(InputRequest::GoToPrevChar),
                    3 => notes.edit(InputRequest::GoToNextChar),
                    4 => notes.edit(InputRequest::InsertChar('\n')),
                    5 => notes.edit(InputRequest::InsertChar('é')),
                    6 => notes.edit(InputRequest::DeletePrevWord),
                    7 => notes.move_by(-1),
                    _ => notes.move_by(1),
                }
                prop_assert!(notes.at < notes.lines.len());
            }
        }
    }
}
