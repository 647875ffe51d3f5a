//! In the drawing of what is pinned.

use crate::tui::app::{Pane, State};
use crate::tui::arrange::Step;
use crate::tui::layout::inner;
use crate::tui::subgraph::{place, step};
use crate::tui::trail::Reached;
use crate::tui::view;

/// To the next box in a direction.
pub(in crate::tui) fn step_box(state: &mut State, direction: Step) {
    let room = state.panes().and_then(|panes| panes.of(Pane::Subgraph)).map(inner).map(view::subgraph_room);
    let (Some(circuit), Some(room)) = (&mut state.circuit, room) else { return };
    let boxes = place(circuit, &state.look.glyphs, (room.width, room.height));
    if let Some(next) = step(&boxes, circuit.box_at, direction) {
        circuit.box_at = next;
    }
}

/// Selects the node in the box under the cursor; of a supernode the first member, then the next.
pub(in crate::tui) fn go_to_box(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    let Some(supernode) = circuit.subgraph.graph.nodes.get(circuit.box_at) else {
        state.say("Nothing is pinned");
        return;
    };
    let stands: Vec<_> = supernode.members.iter().copied().filter(|node| circuit.kept().has_node(*node)).collect();
    let after = stands.iter().position(|node| *node == circuit.selected()).map_or(0, |at| at + 1);
    match stands.get(after % stands.len().max(1)) {
        Some(node) => circuit.go(*node, Reached::Freely),
        None => state.say("None of it is kept at these thresholds"),
    }
    state.detail_scroll = 0;
}
