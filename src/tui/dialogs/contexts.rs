//! Contexts that a feature fires on, on the whole screen, with a search.

use crate::tui::dialogs::Dialog;
use crate::tui::keymap::{Context, commands};
use crate::tui::panes::feature;
use crate::tui::panes::feature::lookup::members;
use crate::tui::panes::feature::update::scroll_contexts;
use crate::tui::screen::layout;
use crate::tui::state::State;
use crate::tui::ui::{TextEdit, frame, line};
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

    /// Returns the area for the feature's description, of a dialog on `screen`.
    pub fn room(&self, screen: Rect) -> Rect {
        let inner = layout::inner(screen);
        let line = if self.has_line() { 2.min(inner.height) } else { 0 };
        Rect { y: inner.y + line, height: inner.height - line, ..inner }
    }

    /// Draws the dialog over everything; returns the cursor's position.
    fn draw(&self, state: &State, buf: &mut Buffer) -> Option<Position> {
        let (look, screen) = (&state.screen.look, state.screen.dialog_room());
        Clear.render(screen, buf);
        let inner = frame(screen, "contexts", true, look, buf);
        let room = self.room(screen);
        let rows = feature::view::rows(state, room, self.wanted());
        feature::view::draw(state, screen, room, &rows, self.wanted(), buf);
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

const CONTEXTS: Context = Context::whole("contexts", &[feature::CONTEXT, Context::ANYWHERE]);
const CONTEXTS_LINE: Context = Context::line("contexts line");

commands! {
    /// Command that begins a search.
    pub const SEARCHING;
    "contexts-search", Contexts, CONTEXTS, ["/"], Some("search"), |s, _| search_contexts(s), "Only contexts in which a text stands";
}

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "contexts-close", Contexts, CONTEXTS, ["Esc", "q", "s"], Some("back"), |s, _| close_contexts(s), "Leave the search, then the contexts";
    "contexts-search-take", Contexts, CONTEXTS_LINE, ["Enter"], Some("take"), |s, _| take_search(s), "Go on with the contexts that were found";
    "contexts-search-down", Contexts, CONTEXTS_LINE, ["Down"], Some("scroll"), |s, _| scroll_contexts(s, 1), "A line further in what was found";
    "contexts-search-up", Contexts, CONTEXTS_LINE, ["Up"], Some("scroll"), |s, _| scroll_contexts(s, -1), "A line back in what was found";
    "contexts-search-close", Contexts, CONTEXTS_LINE, ["Esc"], Some("all"), |s, _| close_contexts(s), "Back to all contexts";
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

/// Shows the contexts on the whole screen.
pub(in crate::tui) fn open_contexts(state: &mut State) {
    match state.workspace.circuit.as_ref().map(members) {
        None => state.screen.say("There is no graph"),
        Some(members) if members.is_empty() => state.screen.say("This is no feature: only features have contexts"),
        Some(_) => {
            state.panes.feature.scroll = 0;
            state.dialogs.open(Contexts::default());
        }
    }
}

/// Starts the search for a text in the contexts that fill the screen.
pub(in crate::tui) fn search_contexts(state: &mut State) {
    if let Some(contexts) = state.dialogs.get_mut::<Contexts>() {
        contexts.write();
    }
}

pub(in crate::tui) fn take_search(state: &mut State) {
    if let Some(contexts) = state.dialogs.get_mut::<Contexts>() {
        contexts.leave_line();
    }
}

/// Ends the search, then closes the contexts.
pub(in crate::tui) fn close_contexts(state: &mut State) {
    if let Some(contexts) = state.dialogs.get_mut::<Contexts>() {
        let goes_on = contexts.clear();
        state.panes.feature.scroll = 0;
        if !goes_on {
            state.dialogs.close_all();
        }
    }
}
