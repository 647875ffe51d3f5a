//! Notes on the graph: several lines of text.

use crate::tui::act;
use crate::tui::app::State;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use crate::tui::ui::line::{self, TextEdit};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::{Input, InputRequest};

/// Greatest length of the notes, in bytes.
const LONGEST: usize = 50_000;

/// Dialog in which notes are written.
pub struct Notes {
    /// Lines, at least one; each remembers its cursor.
    lines: Vec<Input>,
    /// Index of the line that is written in.
    at: usize,
}

impl Notes {
    /// Starts from `text`, with the cursor at its end.
    pub fn new(text: &str) -> Self {
        let lines: Vec<Input> = text.split('\n').map(|line| Input::new(line.to_owned())).collect();
        Self { at: lines.len() - 1, lines }
    }

    /// Returns the whole text.
    pub fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(Input::value).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Puts in as much of a text as there is room for; returns true where that is all of it.
    fn insert(&mut self, text: &str) -> bool {
        let room = LONGEST.saturating_sub(self.lines.iter().map(|line| line.value().len() + 1).sum());
        let fitting = (0..=text.len().min(room)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let mut lines = text[..fitting].split(['\n', '\r']);
        line::insert(&mut self.lines[self.at], lines.next().unwrap_or_default());
        let (before, after) = line::split_at(self.lines[self.at].value(), self.lines[self.at].cursor());
        let (before, after) = (before.to_owned(), after.to_owned());
        let mut new: Vec<Input> = lines.map(|line| Input::new(line.to_owned())).collect();
        if let Some(last) = new.last_mut() {
            *last = Input::new(format!("{}{after}", last.value())).with_cursor(last.cursor());
            self.lines[self.at] = Input::new(before);
            let first = self.at + 1;
            self.at += new.len();
            self.lines.splice(first..first, new);
        }
        fitting == text.len()
    }

    /// Moves up or down, in the same column where there is one.
    pub fn move_by(&mut self, by: isize) {
        let column = self.lines[self.at].cursor();
        self.at = self.at.saturating_add_signed(by).min(self.lines.len() - 1);
        self.lines[self.at].handle(InputRequest::SetCursor(column));
    }

    fn is_at_end(&self) -> bool {
        let line = &self.lines[self.at];
        line.cursor() >= line.value().chars().count()
    }

    /// Joins the lines `first` and `first + 1`, with the cursor between them.
    fn join(&mut self, first: usize) {
        let after = self.lines.remove(first + 1);
        let before = self.lines[first].value();
        let cursor = before.chars().count();
        self.lines[first] = Input::new(format!("{before}{}", after.value())).with_cursor(cursor);
        self.at = first;
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let height = (self.lines.len().min(30) as u16 + 3).clamp(10, 30).min(screen.height);
        let area = crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(100), height, "notes", look, buf);
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

const NOTES: Context = Context::line("notes");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "notes-line", Edit, NOTES, ["Enter"], Some("new line"), |s, _| act::edit_text(s, InputRequest::InsertChar('\n')), "Begin a new line";
    "notes-down", Edit, NOTES, ["Down"], None, |s, _| act::move_in_notes(s, 1), "To the line below";
    "notes-up", Edit, NOTES, ["Up"], None, |s, _| act::move_in_notes(s, -1), "To the line above";
    "notes-keep", Edit, NOTES, ["Esc"], Some("keep and leave"), |s, _| act::keep_notes(s), "Keep the notes and leave them";
}

impl Dialog for Notes {
    fn context(&self) -> Context {
        NOTES
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        let cursor = self.lines[self.at].cursor();
        match edit {
            TextEdit::Insert(text) => return self.insert(text),
            TextEdit::Request(InputRequest::InsertChar(c)) => return self.insert(c.encode_utf8(&mut [0; 4])),
            TextEdit::Request(InputRequest::DeletePrevChar) if cursor == 0 && self.at > 0 => self.join(self.at - 1),
            TextEdit::Request(InputRequest::DeleteNextChar) if self.is_at_end() && self.at + 1 < self.lines.len() => {
                self.join(self.at);
            }
            TextEdit::Request(InputRequest::GoToPrevChar) if cursor == 0 && self.at > 0 => {
                self.at -= 1;
                self.lines[self.at].handle(InputRequest::GoToEnd);
            }
            TextEdit::Request(InputRequest::GoToNextChar) if self.is_at_end() && self.at + 1 < self.lines.len() => {
                self.at += 1;
                self.lines[self.at].handle(InputRequest::GoToStart);
            }
            TextEdit::Request(request) => _ = self.lines[self.at].handle(*request),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edit(notes: &mut Notes, request: InputRequest) {
        notes.edit(&request.into());
    }

    fn typed(notes: &mut Notes, text: &str) {
        for c in text.chars() {
            edit(notes, InputRequest::InsertChar(c));
        }
    }

    #[test]
    fn lines_are_broken_and_joined() {
        let mut notes = Notes::new("");
        typed(&mut notes, "one\ntwö\nthree");
        assert_eq!(notes.text(), "one\ntwö\nthree");
        notes.move_by(-1);
        edit(&mut notes, InputRequest::GoToStart);
        edit(&mut notes, InputRequest::DeletePrevChar);
        assert_eq!(notes.text(), "onetwö\nthree");
        edit(&mut notes, InputRequest::InsertChar('\n'));
        edit(&mut notes, InputRequest::GoToEnd);
        edit(&mut notes, InputRequest::DeleteNextChar);
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
        fn what_is_pasted_is_what_is_typed(before in "[aé東\n]{0,20}", at in 0..20usize, text in "[aé東 \n]{0,40}") {
            let (mut one, mut other) = (Notes::new(&before), Notes::new(&before));
            for notes in [&mut one, &mut other] {
                (0..at).for_each(|_| edit(notes, InputRequest::GoToPrevChar));
            }
            typed(&mut one, &text);
            other.edit(&TextEdit::Insert(text));
            for notes in [&mut one, &mut other] {
                edit(notes, InputRequest::InsertChar('!'));
            }
            prop_assert_eq!(one.text(), other.text());
        }

        #[test]
        fn no_edit_falls_over(text in "[ab東\n]{0,20}", edits in proptest::collection::vec(0..9usize, 0..60)) {
            let mut notes = Notes::new(&text);
            for which in edits {
                match which {
                    0 => edit(&mut notes, InputRequest::DeletePrevChar),
                    1 => edit(&mut notes, InputRequest::DeleteNextChar),
                    2 => edit(&mut notes, InputRequest::GoToPrevChar),
                    3 => edit(&mut notes, InputRequest::GoToNextChar),
                    4 => edit(&mut notes, InputRequest::InsertChar('\n')),
                    5 => edit(&mut notes, InputRequest::InsertChar('é')),
                    6 => edit(&mut notes, InputRequest::DeletePrevWord),
                    7 => notes.move_by(-1),
                    _ => notes.move_by(1),
                }
                prop_assert!(notes.at < notes.lines.len());
            }
        }
    }
}
