//! The selected node's inputs, outputs and inhibitors, strongest first.

pub(in crate::tui) mod update;
pub(in crate::tui) mod view;

use crate::ids::NodeId;
use crate::tui::keymap::{Command, Context, commands};
use crate::tui::panes::connections::update::{
    move_row, switch_order, to_inhibitors, toggle_heads, toggle_listed, turn_side,
};
use crate::tui::panes::{Pane, PaneId, Region};
use crate::tui::state::State;
use crate::tui::workspace::heads::request_edge_heads;
use crate::tui::workspace::{Listed, go_along};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// State of the pane.
#[derive(Default)]
pub struct ConnectionsState {
    /// True where each edge says which attention head it passes most.
    pub heads: bool,
}

/// Pane of the lists of connections.
struct ConnectionsPane;

/// Id of the pane.
pub const PANE: PaneId = PaneId::new(&ConnectionsPane);

/// Context in which the pane's own keys work.
pub const CONTEXT: Context = Context::of_pane("connections");

commands! {
    /// Steps in the list.
    pub const BINDINGS;
    "row-down", Lists, CONTEXT, ["Down", "j"], Some("choose"), |s, _| move_row(s, 1), "To the next connection";
    "row-up", Lists, CONTEXT, ["Up", "k"], Some("choose"), |s, _| move_row(s, -1), "To the connection before";
}

commands! {
    /// Commands on the lists, and on what they list.
    pub const LISTING;
    "row-page-down", Lists, CONTEXT, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| move_row(s, 10), "Ten connections further";
    "row-page-up", Lists, CONTEXT, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| move_row(s, -10), "Ten connections back";
    "row-first", Lists, CONTEXT, ["g", "Home"], None, |s, _| move_row(s, isize::MIN), "To the strongest connection";
    "row-last", Lists, CONTEXT, ["G", "End"], None, |s, _| move_row(s, isize::MAX), "To the weakest connection";
    "list-before", Lists, CONTEXT, ["Left", "h"], None, |s, _| turn_side(s, -1), "The list before: inputs, outputs, inhibitors";
    "list-next", Lists, CONTEXT, ["Right", "l"], None, |s, _| turn_side(s, 1), "The next list: inputs, outputs, inhibitors";
    "row-heads", Lists, CONTEXT, ["a"], Some("heads"), |s, _| toggle_heads(s), "Say which attention head each edge passes most, or not";
    "inhibitors", Lists, Context::PANES, ["R"], None, |s, _| to_inhibitors(s), "To what restrains it: all negative inputs, kept or not";
    "order", Lists, CONTEXT, ["w"], Some("order"), |s, _| switch_order(s), "List by signed weight instead of share, or back";
    "list-features", Lists, Context::PANES, ["F"], None, |s, _| toggle_listed(s, Listed::Features), "List features, or leave them out";
    "list-errors", Lists, Context::PANES, ["E"], None, |s, _| toggle_listed(s, Listed::Errors), "List errors, or leave them out";
    "list-tokens", Lists, Context::PANES, ["T"], None, |s, _| toggle_listed(s, Listed::Tokens), "List tokens, or leave them out";
}

impl Pane for ConnectionsPane {
    fn title(&self) -> &'static str {
        "connections"
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
        if room.is_some() && state.panes.connections.heads {
            request_edge_heads(state);
        }
    }

    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
        view::render(state, frame, room, buf);
    }

    /// Puts the cursor on the connection at a cell; on the one under the cursor, follows it.
    fn click(&self, state: &mut State, room: Rect, cell: Position, had_focus: bool) {
        let Some(circuit) = &mut state.workspace.circuit else { return };
        let Some((side, row)) = view::link_at(circuit, room, cell) else { return };
        let connections = &mut circuit.connections;
        let again = had_focus && (connections.side, connections.row) == (side, row);
        connections.set_side(side);
        connections.row = row;
        if again {
            self.follow(state);
        }
    }

    fn node_at(&self, state: &State, room: Rect, cell: Position) -> Option<NodeId> {
        let circuit = state.workspace.circuit.as_ref()?;
        let (side, row) = view::link_at(circuit, room, cell)?;
        circuit.connections.links_of(side).kept.get(row).map(|link| link.other)
    }

    fn scroll(&self, state: &mut State, by: isize) {
        update::move_row(state, by);
    }

    fn follow(&self, state: &mut State) {
        if let Some(row) = state.workspace.circuit.as_ref().map(|circuit| circuit.connections.row) {
            go_along(state, row);
        }
    }
}
