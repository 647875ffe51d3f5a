//! Commands in the drawing of the pinned nodes.

use crate::tui::app::{Pane, State};
use crate::tui::graph_layout::Step;
use crate::tui::history::Reached;
use crate::tui::layout::inner;
use crate::tui::runtime::jobs::JobKey;
use crate::tui::subgraph::{Pinned, Subgraph, Weighing, place, step};
use crate::tui::view;
use std::sync::Arc;

const WEIGH: JobKey = JobKey::new("weigh").of_graph();

/// Moves to the next box in a direction.
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

/// Requests the weights of the pinned nodes where these, or the graph, changed since the last request.
pub(in crate::tui) fn weigh_pinned(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    let (graph, pinned) = (&circuit.traced.document.graph, Pinned::of(circuit.edits.now()));
    let is_same = |asked: &Weighing| {
        asked.circuit == state.graph_id && Arc::ptr_eq(&asked.graph, graph) && asked.pinned == pinned
    };
    if state.weighing.as_ref().is_some_and(is_same) {
        return;
    }
    let graph = Arc::clone(graph);
    state.weighing = Some(Weighing { circuit: state.graph_id, graph: Arc::clone(&graph), pinned: pinned.clone() });
    if pinned.pins.is_empty() {
        state.jobs.forget(WEIGH);
        circuit.take_subgraph(Arc::default());
        return;
    }
    state.jobs.submit(
        WEIGH,
        move |_, _| Ok(Arc::new(Subgraph::new(&graph, &pinned))),
        |state, subgraph| match (subgraph, &mut state.circuit) {
            (Ok(subgraph), Some(circuit)) => circuit.take_subgraph(subgraph),
            (Err(why), _) => state.warn(why),
            (Ok(_), None) => {}
        },
    );
}
