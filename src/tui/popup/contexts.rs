//! What a feature fires on, on the whole screen, with a search.

use super::line::{self, TextEdit};
use crate::tui::app::State;
use crate::tui::keymap::Context;
use crate::tui::layout;
use crate::tui::view;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Clear, Widget};
use tui_input::Input;

/// The contexts on the whole screen.
#[derive(Default)]
pub struct Contexts {
    search: Input,
    /// Whether the search is being written.
    writes: bool,
}

impl Contexts {
    /// Where keys go.
    pub fn context(&self) -> Context {
        if self.writes { Context::ContextsSearch } else { Context::Contexts }
    }

    /// What is looked for.
    pub fn wanted(&self) -> &str {
        self.search.value()
    }

    /// Begins to write what is looked for.
    pub fn write(&mut self) {
        self.writes = true;
    }

    /// Edits what is looked for; whether there was room for all of it.
    pub fn edit(&mut self, edit: &TextEdit) -> bool {
        !self.writes || line::edit(&mut self.search, edit)
    }

    /// Leaves the line, and goes on looking for what stands in it.
    pub fn leave_line(&mut self) {
        self.writes = false;
    }

    /// Empties and leaves the line; whether there was anything to leave.
    pub fn clear(&mut self) -> bool {
        let had = self.writes || !self.search.value().is_empty();
        self.search.reset();
        self.writes = false;
        had
    }

    fn has_line(&self) -> bool {
        self.writes || !self.search.value().is_empty()
    }

    /// The room for what is known of the feature.
    pub fn room(&self, size: (u16, u16)) -> Rect {
        let inner = layout::inner(view::popup_room(size));
        let line = if self.has_line() { 2.min(inner.height) } else { 0 };
        Rect { y: inner.y + line, height: inner.height - line, ..inner }
    }

    /// Draws it over everything; gives where the cursor is.
    pub fn render(&self, state: &State, buf: &mut Buffer) -> Option<Position> {
        let (look, screen) = (&state.look, view::popup_room(state.size));
        Clear.render(screen, buf);
        let inner = view::frame(screen, "contexts", true, look, buf);
        let room = self.room(state.size);
        let rows = view::feature_rows(state, room, self.wanted());
        view::draw_feature(state, screen, room, &rows, self.wanted(), buf);
        if !self.has_line() || inner.is_empty() {
            return None;
        }
        let label = "with ";
        buf.set_stringn(inner.x, inner.y, label, usize::from(inner.width), look.theme.quiet);
        let wide = (label.len() as u16).min(inner.width);
        let field = Rect { x: inner.x + wide, width: inner.width - wide, height: 1, ..inner };
        let cursor = line::render(&self.search, field, look.theme.strong, look, buf);
        self.writes.then_some(cursor)
    }
}
