//! One attention head: what it looks at from a position, and which sources on either side made it look there.

mod parts;
pub(in crate::tui) mod update;
mod view;

use crate::service::attention::LookAt;
use crate::tui::dialogs::{Action, Dialog};
use crate::tui::keymap::{Context, commands};
use crate::tui::state::State;
use crate::tui::workspace::heads::request_look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// List of parts of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Sources at the position that the head looks from.
    Queries,
    /// Sources of either side together.
    Pairs,
    /// Sources at the position that the head looks at.
    Keys,
}

impl Column {
    /// All lists, from left to right.
    pub const ALL: [Self; 3] = [Self::Queries, Self::Pairs, Self::Keys];
}

/// Dialog of a head's look at a key. What the model says of it is kept by the circuit.
#[derive(Clone, Debug)]
pub struct HeadDialog {
    /// Head, query and key.
    pub at: LookAt,
    /// List in which the cursor is.
    pub column: Column,
    /// Row under the cursor.
    pub row: usize,
}

impl HeadDialog {
    /// Creates the dialog, with the cursor on the strongest source at the key.
    pub fn new(at: LookAt) -> Self {
        Self { at, column: Column::Keys, row: 0 }
    }
}

const HEAD: Context = Context::dialog("head");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "head-down", Test, HEAD, ["Down", "j"], Some("choose"), |s, _| update::move_row(s, 1), "To the next source or pair";
    "head-up", Test, HEAD, ["Up", "k"], Some("choose"), |s, _| update::move_row(s, -1), "To the source or pair before";
    "head-key-before", Test, HEAD, ["Left", "h"], Some("key"), |s, _| update::move_key(s, -1), "Why it looks at the token before";
    "head-key-next", Test, HEAD, ["Right", "l"], Some("key"), |s, _| update::move_key(s, 1), "Why it looks at the token behind";
    "head-query-before", Test, HEAD, ["<", ","], Some("from"), |s, _| update::move_query(s, -1), "Look from the token before";
    "head-query-next", Test, HEAD, [">", "."], Some("from"), |s, _| update::move_query(s, 1), "Look from the token behind";
    "head-column", Test, HEAD, ["Tab"], Some("list"), |s, _| update::turn_column(s, 1), "To the next list: queries, pairs, keys";
    "head-column-back", Test, HEAD, ["Shift-Tab"], None, |s, _| update::turn_column(s, -1), "To the list before";
    "head-go", Test, HEAD, ["Enter"], Some("go"), |s, _| update::go(s), "To this node; of a pair, to that of the key";
    "head-page-down", Test, HEAD, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| update::move_row(s, 10), "Ten sources further";
    "head-page-up", Test, HEAD, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| update::move_row(s, -10), "Ten sources back";
    "head-first", Test, HEAD, ["g", "Home"], None, |s, _| update::move_row(s, isize::MIN), "To the strongest source, or pair";
    "head-last", Test, HEAD, ["G", "End"], None, |s, _| update::move_row(s, isize::MAX), "To the weakest of them that is listed";
    "head-close", Test, HEAD, ["Esc", "q"], Some("back"), |s, _| update::close(s), "Leave the head";
}

impl Dialog for HeadDialog {
    fn context(&self) -> Context {
        HEAD
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(circuit) = &state.workspace.circuit {
            view::draw(self, state, circuit, screen, buf);
        }
        None
    }

    fn update(&self) -> Action {
        request_look
    }
}
