//! What attention heads look at from the selected node's position, strongest first.

pub(in crate::tui) mod rows;
mod update;
mod view;

use crate::ids::Position as TokenPosition;
use crate::tui::keymap::{Command, Context, commands};
use crate::tui::panes::{Pane, PaneId, Region};
use crate::tui::state::State;
use crate::tui::workspace::heads::request_reads;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// State of the pane.
#[derive(Default)]
pub struct AttentionState {
    /// True where all heads are listed, by their attention, and not those alone that carry kept influence.
    pub all: bool,
    /// Row under the cursor.
    pub row: usize,
    /// Position that the rows are of.
    of: Option<TokenPosition>,
}

/// Pane of the heads that read at the selected node's position.
struct AttentionPane;

/// Id of the pane.
pub const PANE: PaneId = PaneId::new(&AttentionPane);

/// Context in which the pane's own keys work.
pub const CONTEXT: Context = Context::of_pane("attention");

commands! {
    /// Commands of the pane.
    pub const BINDINGS;
    "read-down", Lists, CONTEXT, ["Down", "j"], Some("choose"), |s, _| update::move_row(s, 1), "To the next head";
    "read-up", Lists, CONTEXT, ["Up", "k"], Some("choose"), |s, _| update::move_row(s, -1), "To the head before";
    "read-go", Lists, CONTEXT, ["Right", "l"], Some("to what it reads"), |s, _| update::go_to_source(s), "To the strongest node that the head reads";
    "read-all", Lists, CONTEXT, ["a"], Some("all/carriers"), |s, _| update::toggle_all(s), "List all heads, or those that carry kept influence";
    "read-page-down", Lists, CONTEXT, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| update::move_row(s, 10), "Ten reads further";
    "read-page-up", Lists, CONTEXT, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| update::move_row(s, -10), "Ten reads back";
    "read-first", Lists, CONTEXT, ["g", "Home"], None, |s, _| update::move_row(s, isize::MIN), "To the strongest head";
    "read-last", Lists, CONTEXT, ["G", "End"], None, |s, _| update::move_row(s, isize::MAX), "To the weakest head";
}

impl Pane for AttentionPane {
    fn title(&self) -> &'static str {
        "attention"
    }

    fn context(&self) -> Context {
        CONTEXT
    }

    fn region(&self) -> Region {
        Region::Lists
    }

    fn bindings(&self) -> &'static [Command] {
        BINDINGS
    }

    fn update(&self, state: &mut State, room: Option<Rect>) {
        if room.is_none() {
            return;
        }
        let here = state.workspace.circuit.as_ref().map(|circuit| circuit.node(circuit.selected()).position());
        if state.panes.attention.of != here {
            (state.panes.attention.of, state.panes.attention.row) = (here, 0);
        }
        request_reads(state);
    }

    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
        view::render(state, frame, room, buf);
    }

    /// Puts the cursor on the head at a cell; on the one under the cursor, opens it.
    fn click(&self, state: &mut State, room: Rect, cell: Position, had_focus: bool) {
        let Some(row) = view::row_at(state, room, cell) else { return };
        let again = had_focus && state.panes.attention.row == row;
        state.panes.attention.row = row;
        if again {
            update::open(state);
        }
    }

    fn scroll(&self, state: &mut State, by: isize) {
        update::move_row(state, by);
    }

    fn follow(&self, state: &mut State) {
        update::open(state);
    }
}
