//! Strongest paths between two nodes: their ends marked one after the other, listed, pinned.

use super::edits::apply;
use crate::graph::{Edit, paths};
use crate::ids::NodeId;
use crate::text;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::dialogs::paths::Paths;
use crate::tui::runtime::jobs::JobKey;

/// Most paths that are listed.
const LISTED: usize = 50;

const PATHS: JobKey = JobKey::new("paths").of_graph();

/// Marks one end of the paths the first time; finds the paths between both ends the second time.
pub(in crate::tui) fn find_paths(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    let here = circuit.selected();
    circuit.marks.path.clear();
    match circuit.marks.path_end.take() {
        Some(there) if there != here => look(state, there, here),
        _ => {
            circuit.marks.path_end = Some(here);
            let name = circuit.name(here, &state.look.glyphs);
            state.say(format!("Paths to or from {name}: the same key at the other end finds them"));
        }
    }
}

fn look(state: &mut State, one: NodeId, other: NodeId) {
    let Some(circuit) = &state.circuit else { return };
    let (from, to) = upward(circuit, one, other);
    let (graph, kept) = (circuit.traced.document.graph.clone(), circuit.traced.kept.clone());
    state.dialogs.open(Paths::new(from, to));
    state.jobs.submit(
        PATHS,
        move |_, monitor| {
            let found = paths(&graph, Some(&kept), from, to, LISTED, monitor.cancel());
            found.map_err(|stop| stop.to_string())
        },
        |state, found| {
            if let (Some(paths), Ok(found)) = (state.dialogs.get_mut::<Paths>(), found) {
                paths.take(found);
            }
        },
    );
}

/// Orders two ends: effects flow along the topological order, so paths begin at the end that is earlier in it.
fn upward(circuit: &Circuit, one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    let order = circuit.traced.document.graph.topological_order();
    match order.iter().find(|node| **node == one || **node == other) {
        Some(first) if *first == other => (other, one),
        _ => (one, other),
    }
}

pub(in crate::tui) fn move_in_paths(state: &mut State, by: isize) {
    if let Some(paths) = state.dialogs.get_mut::<Paths>() {
        paths.move_by(by);
    }
}

fn chosen(state: &State) -> Option<Vec<NodeId>> {
    state.dialogs.get::<Paths>()?.chosen().map(|path| path.nodes.clone())
}

pub(in crate::tui) fn pin_path(state: &mut State) {
    if let Some(nodes) = chosen(state) {
        let said = format!("Pinned the path: {}", text::counted(nodes.len(), "node"));
        apply(state, Edit::Pin(nodes), said);
    }
}

/// Draws the path in the link graph until another is looked for.
pub(in crate::tui) fn show_path(state: &mut State) {
    if let (Some(nodes), Some(circuit)) = (chosen(state), &mut state.circuit) {
        circuit.marks.path = nodes;
        state.dialogs.close_all();
    }
}
