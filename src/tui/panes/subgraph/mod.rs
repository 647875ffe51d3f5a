//! Pinned nodes as a circuit: boxes by token and layer, and the edges between them.

pub mod boxes;
mod leading;
pub mod routes;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;

use crate::tui::keymap::{Command, Context, commands};
use crate::tui::panes::graph::layout::Step;
use crate::tui::panes::subgraph::boxes::Weighing;
use crate::tui::panes::subgraph::update::step_box;
use crate::tui::panes::{Pane, PaneId, Region};
use crate::tui::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// State of the pane.
#[derive(Default)]
pub struct SubgraphState {
    /// Request for the weights of the pinned nodes that was made last.
    pub weighing: Option<Weighing>,
}

/// Pane of the drawing of the pinned nodes.
struct SubgraphPane;

/// Id of the pane.
pub const PANE: PaneId = PaneId::new(&SubgraphPane);

/// Context in which the pane's own keys work.
pub const CONTEXT: Context = Context::of_pane("subgraph");

commands! {
    /// Steps from box to box.
    pub const BINDINGS;
    "box-left", Lists, CONTEXT, ["Left", "h"], Some("move"), |s, _| step_box(s, Step::Left), "To the box on the left";
    "box-down", Lists, CONTEXT, ["Down", "j"], Some("move"), |s, _| step_box(s, Step::Down), "To the nearest box in the row below";
    "box-up", Lists, CONTEXT, ["Up", "k"], Some("move"), |s, _| step_box(s, Step::Up), "To the nearest box in the row above";
    "box-right", Lists, CONTEXT, ["Right", "l"], Some("move"), |s, _| step_box(s, Step::Right), "To the box on the right";
}

impl Pane for SubgraphPane {
    fn title(&self) -> &'static str {
        "subgraph"
    }

    fn context(&self) -> Context {
        CONTEXT
    }

    fn region(&self) -> Region {
        Region::LowerRight
    }

    fn bindings(&self) -> &'static [Command] {
        BINDINGS
    }

    fn update(&self, state: &mut State, _room: Option<Rect>) {
        update::weigh_pinned(state);
    }

    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
        view::render(state, frame, room, buf);
    }

    /// Selects the box at a cell; of a supernode that is selected, the next member.
    fn click(&self, state: &mut State, room: Rect, cell: Position, had_focus: bool) {
        let Some(circuit) = &state.workspace.circuit else { return };
        let Some(at) = view::box_at(state, circuit, room, cell) else { return };
        if had_focus && circuit.panes.box_at == at {
            update::next_member(state);
        } else {
            update::choose_box(state, at);
        }
    }

    fn scroll(&self, state: &mut State, by: isize) {
        update::step_box(state, if by < 0 { Step::Up } else { Step::Down });
    }

    fn follow(&self, state: &mut State) {
        update::next_member(state);
    }
}
