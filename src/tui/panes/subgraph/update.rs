//! Commands in the drawing of the pinned nodes.

use crate::tui::panes::graph::layout::Step;
use crate::tui::panes::subgraph;
use crate::tui::panes::subgraph::boxes::{Pinned, Subgraph, Weighing, place, step};
use crate::tui::runtime::JobKey;
use crate::tui::screen::inner;
use crate::tui::state::State;
use crate::tui::workspace::Reached;
use std::sync::Arc;

const WEIGH: JobKey = JobKey::new("weigh").of_graph();

/// Selects the next box in a direction.
pub(in crate::tui) fn step_box(state: &mut State, direction: Step) {
    let room = state.screen.layout().and_then(|panes| panes.of(subgraph::PANE)).map(inner);
    let (Some(circuit), Some(room)) = (&state.workspace.circuit, room) else { return };
    let drawing = subgraph::view::room(circuit, room);
    let boxes = place(circuit, &state.screen.look.glyphs, (drawing.width, drawing.height));
    if let Some(next) = step(&boxes, circuit.panes.box_at, direction) {
        choose_box(state, next);
    }
}

/// Puts the cursor on a box, and selects its first kept node; the selection stays where none is.
pub(in crate::tui) fn choose_box(state: &mut State, at: usize) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    circuit.panes.box_at = at;
    let subgraph = Arc::clone(&circuit.panes.subgraph);
    let Some(supernode) = subgraph.graph.nodes.get(at) else { return };
    match supernode.members.iter().find(|node| circuit.kept().has_node(**node)) {
        Some(_) if supernode.members.contains(&circuit.selected()) => {}
        Some(node) => circuit.go(*node, Reached::Freely),
        None => state.screen.say(DROPPED),
    }
    state.panes.detail.scroll = 0;
}

/// What is said of a box none of whose nodes is kept.
const DROPPED: &str = "None of it is kept at these thresholds";

/// Selects the next member of the supernode under the cursor.
pub(in crate::tui) fn next_member(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let Some(supernode) = circuit.panes.subgraph.graph.nodes.get(circuit.panes.box_at) else {
        state.screen.say("Nothing is pinned");
        return;
    };
    let stands: Vec<_> = supernode.members.iter().copied().filter(|node| circuit.kept().has_node(*node)).collect();
    let after = stands.iter().position(|node| *node == circuit.selected()).map_or(0, |at| at + 1);
    match stands.get(after % stands.len().max(1)) {
        Some(node) => circuit.go(*node, Reached::Freely),
        None => state.screen.say(DROPPED),
    }
    state.panes.detail.scroll = 0;
}

/// Requests the weights of the pinned nodes where these, or the graph, changed since the last request.
pub(in crate::tui) fn weigh_pinned(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let (graph, pinned) = (&circuit.traced.document.graph, Pinned::of(circuit.edits.now()));
    let is_same = |asked: &Weighing| {
        asked.circuit == state.workspace.graph_id && Arc::ptr_eq(&asked.graph, graph) && asked.pinned == pinned
    };
    if state.panes.subgraph.weighing.as_ref().is_some_and(is_same) {
        return;
    }
    let graph = Arc::clone(graph);
    state.panes.subgraph.weighing =
        Some(Weighing { circuit: state.workspace.graph_id, graph: Arc::clone(&graph), pinned: pinned.clone() });
    if pinned.pins.is_empty() {
        state.jobs.forget(WEIGH);
        circuit.take_subgraph(Arc::default());
        return;
    }
    state.jobs.submit(
        WEIGH,
        move |_, _| Ok(Arc::new(Subgraph::new(&graph, &pinned))),
        |state, subgraph| match (subgraph, &mut state.workspace.circuit) {
            (Ok(subgraph), Some(circuit)) => circuit.take_subgraph(subgraph),
            (Err(why), _) => state.screen.warn(why),
            (Ok(_), None) => {}
        },
    );
}
