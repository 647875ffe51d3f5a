//! Contexts that a feature fires on, on the whole screen, with a search.

use crate::tui::app::State;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::ui::line::{self, TextEdit};
use crate::tui::view;
use crate::tui::{act, layout};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Clear, Widget};
use tui_input::Input;

/// Dialog of a feature's contexts.
#[derive(Default)]
pub struct Contexts {
    search: Input,
    /// True while the search is being written.
    writes: bool,
}

impl Contexts {
    /// Returns the text that is searched for.
    pub fn wanted(&self) -> &str {
        self.search.value()
    }

    /// Begins to write the search.
    pub fn write(&mut self) {
        self.writes = true;
    }

    /// Leaves the line; its search stays.
    pub fn leave_line(&mut self) {
        self.writes = false;
    }

    /// Empties and leaves the line; returns true where there was anything to leave.
    pub fn clear(&mut self) -> bool {
        let had = self.writes || !self.search.value().is_empty();
        self.search.reset();
        self.writes = false;
        had
    }

    fn has_line(&self) -> bool {
        self.writes || !self.search.value().is_empty()
    }

    /// Returns the area for the feature's description.
    pub fn room(&self, size: (u16, u16)) -> Rect {
        let inner = layout::inner(view::dialog_room(size));
        let line = if self.has_line() { 2.min(inner.height) } else { 0 };
        Rect { y: inner.y + line, height: inner.height - line, ..inner }
    }

    /// Draws the dialog over everything; returns the cursor's position.
    fn draw(&self, state: &State, buf: &mut Buffer) -> Option<Position> {
        let (look, screen) = (&state.look, view::dialog_room(state.size));
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

const CONTEXTS: Context = Context::whole("contexts", &[Context::FEATURE, Context::ANYWHERE]);
const CONTEXTS_LINE: Context = Context::line("contexts line");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "contexts-search", Contexts, CONTEXTS, ["/"], Some("search"), |s, _| act::search_contexts(s), "Only contexts in which a text stands";
    "contexts-down", Contexts, Context::FEATURE, ["Down", "j"], Some("scroll"), |s, _| act::scroll_contexts(s, 1), "Contexts, a line further";
    "contexts-up", Contexts, Context::FEATURE, ["Up", "k"], Some("scroll"), |s, _| act::scroll_contexts(s, -1), "Contexts, a line back";
    "contexts-left", Contexts, Context::FEATURE, ["Left", "h"], Some("shift"), |s, _| act::shift_contexts(s, -8), "What stands before, in every context";
    "contexts-right", Contexts, Context::FEATURE, ["Right", "l"], Some("shift"), |s, _| act::shift_contexts(s, 8), "What stands after, in every context";
    "contexts-page-down", Contexts, Context::FEATURE, ["PageDown"], None, |s, _| act::scroll_contexts(s, 10), "Contexts, ten lines further";
    "contexts-page-up", Contexts, Context::FEATURE, ["PageUp"], None, |s, _| act::scroll_contexts(s, -10), "Contexts, ten lines back";
    "contexts-first", Contexts, Context::FEATURE, ["g", "Home"], None, |s, _| act::scroll_contexts(s, isize::MIN), "To the strongest contexts";
    "contexts-last", Contexts, Context::FEATURE, ["G", "End"], None, |s, _| act::scroll_contexts(s, isize::MAX), "To the last lines";
    "contexts-next-member", Contexts, Context::FEATURE, [")"], Some("member"), |s, _| act::turn_member(s, 1), "The supernode's next member, then all together";
    "contexts-previous-member", Contexts, Context::FEATURE, ["("], Some("member"), |s, _| act::turn_member(s, -1), "The supernode's member before";
    "contexts-repeated", Contexts, Context::FEATURE, ["r"], Some("repeated"), |s, _| act::toggle_repeated(s), "Unfold contexts that are repeated, or fold them";
    "contexts-close", Contexts, CONTEXTS, ["Esc", "q", "s"], Some("back"), |s, _| act::close_contexts(s), "Leave the search, then the contexts";
    "contexts-search-take", Contexts, CONTEXTS_LINE, ["Enter"], Some("take"), |s, _| act::take_search(s), "Go on with the contexts that were found";
    "contexts-search-down", Contexts, CONTEXTS_LINE, ["Down"], Some("scroll"), |s, _| act::scroll_contexts(s, 1), "A line further in what was found";
    "contexts-search-up", Contexts, CONTEXTS_LINE, ["Up"], Some("scroll"), |s, _| act::scroll_contexts(s, -1), "A line back in what was found";
    "contexts-search-close", Contexts, CONTEXTS_LINE, ["Esc"], Some("all"), |s, _| act::close_contexts(s), "Back to all contexts";
}

impl Dialog for Contexts {
    fn context(&self) -> Context {
        if self.writes { CONTEXTS_LINE } else { CONTEXTS }
    }

    fn render(&self, state: &State, _: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(state, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        !self.writes || line::edit(&mut self.search, edit)
    }

    fn shows_nodes(&self) -> bool {
        false
    }
}
