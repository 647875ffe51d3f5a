//! The link graph: one mark a kept node, and the edges of the selected one.

pub mod layout;
mod minimap;
mod progress;
mod rows;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;
mod window;

use crate::ids::NodeId;
use crate::tui::dialogs::picker::update::open_cell;
use crate::tui::keymap::{Command, Context, commands};
use crate::tui::panes::graph::layout::Step;
use crate::tui::panes::graph::update::{to_answer, to_token};
use crate::tui::panes::{Pane, PaneId, Region};
use crate::tui::state::State;
use crate::tui::workspace::preview::Pointer;
use crate::tui::workspace::{go_along, go_to};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Pane of the link graph.
struct Graph;

/// Id of the pane.
pub const PANE: PaneId = PaneId::new(&Graph);

/// Context in which the pane's own keys work.
pub const CONTEXT: Context = Context::of_pane("graph");

commands! {
    /// Steps from node to node.
    pub const BINDINGS;
    "move-left", Walk, CONTEXT, ["Left", "h"], Some("move"), |s, _| update::step(s, Step::Left), "To the node on the left";
    "move-down", Walk, CONTEXT, ["Down", "j"], Some("move"), |s, _| update::step(s, Step::Down), "To the nearest node a layer below";
    "move-up", Walk, CONTEXT, ["Up", "k"], Some("move"), |s, _| update::step(s, Step::Up), "To the nearest node a layer above";
    "move-right", Walk, CONTEXT, ["Right", "l"], Some("move"), |s, _| update::step(s, Step::Right), "To the node on the right";
}

commands! {
    /// Commands that lead to certain nodes.
    pub const PLACES;
    "cell", Find, CONTEXT, ["c"], None, |s, _| open_cell(s), "List the nodes at this layer and position";
    "to-answer", Walk, CONTEXT, ["g", "Home"], None, |s, _| to_answer(s), "To the most probable answer";
    "to-token", Walk, CONTEXT, ["G", "End"], None, |s, _| to_token(s), "Down to the token of this column";
}

impl Pane for Graph {
    fn title(&self) -> &'static str {
        "graph"
    }

    fn context(&self) -> Context {
        CONTEXT
    }

    fn region(&self) -> Region {
        Region::Main
    }

    fn bindings(&self) -> &'static [Command] {
        BINDINGS
    }

    /// Arranges the nodes anew where the room changed.
    fn update(&self, state: &mut State, room: Option<Rect>) {
        if let Some(circuit) = &mut state.workspace.circuit
            && let Some(room) = room.map(|room| (room.width, room.height))
            && (circuit.panes.layout.room != room || circuit.panes.layout.rows.is_empty())
        {
            circuit.arrange(&state.screen.look.glyphs, room);
        }
    }

    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
        view::render(state, frame, room, buf);
    }

    /// Selects the node at a cell, and lists a cluster.
    fn click(&self, state: &mut State, room: Rect, cell: Position, _had_focus: bool) {
        let Some(circuit) = &state.workspace.circuit else { return };
        let Some(node) = view::node_at(circuit, room, cell) else { return };
        let is_cluster = circuit.panes.layout.place(node).is_some_and(|place| !place.alone);
        let is_in_it = is_cluster && circuit.cell_of(node).contains(&circuit.selected());
        if !is_in_it {
            go_to(state, node);
        }
        if is_cluster {
            open_cell(state);
        }
    }

    fn node_at(&self, state: &State, room: Rect, cell: Position) -> Option<NodeId> {
        view::node_at(state.workspace.circuit.as_ref()?, room, cell)
    }

    /// Goes to the node that is looked at, else along the strongest connection.
    fn follow(&self, state: &mut State) {
        match state.workspace.circuit.as_ref().and_then(|circuit| circuit.panes.pointed) {
            Some((_, Pointer::Link(_, index))) => go_along(state, index),
            Some((node, _)) => go_to(state, node),
            None => go_along(state, 0),
        }
    }

    fn scroll(&self, state: &mut State, by: isize) {
        update::step(state, if by < 0 { Step::Up } else { Step::Down });
    }
}
