//! Edits to the view of the graph, and back.

use super::group::at_hand;
use crate::graph::{Edit, Thresholds};
use crate::tui::app::{Effect, State};
use std::sync::Arc;

pub(in crate::tui) fn nudge_nodes(state: &mut State, by: i32) {
    nudge(state, |thresholds| Thresholds { node: nudged(thresholds.node, 5 * by), ..thresholds });
}

pub(in crate::tui) fn nudge_edges(state: &mut State, by: i32) {
    nudge(state, |thresholds| Thresholds { edge: nudged(thresholds.edge, by), ..thresholds });
}

/// Hundredths, so that going there and back ends where it began.
fn nudged(threshold: f64, hundredths: i32) -> f64 {
    ((threshold * 100.0).round() + f64::from(hundredths)).clamp(0.0, 100.0) / 100.0
}

fn nudge(state: &mut State, change: impl Fn(Thresholds) -> Thresholds) {
    let Some(circuit) = &mut state.circuit else { return };
    let after = change(circuit.edits.now().thresholds);
    if circuit.edits.apply(Edit::SetThresholds(after)) {
        prune_anew(state);
    }
}

/// Applies an edit, and says so where it changed anything; whether it did.
pub(super) fn apply(state: &mut State, edit: Edit, said: String) -> bool {
    let changed = state.circuit.as_mut().is_some_and(|circuit| circuit.edits.apply(edit));
    if !changed {
        state.say("This changes nothing");
    } else if !said.is_empty() {
        state.say(said);
    }
    changed
}

pub(in crate::tui) fn toggle_pin(state: &mut State) {
    if let Some(circuit) = &mut state.circuit {
        let nodes = at_hand(circuit);
        let pinned = nodes.iter().all(|node| circuit.is_pinned(*node));
        circuit.edits.apply(if pinned { Edit::Unpin(nodes) } else { Edit::Pin(nodes) });
        circuit.kit.chosen.clear();
    }
}

pub(in crate::tui) fn undo(state: &mut State) {
    let edit = state.circuit.as_mut().and_then(|circuit| circuit.edits.undo().cloned());
    changed_back(state, edit, "Undone");
}

pub(in crate::tui) fn redo(state: &mut State) {
    let edit = state.circuit.as_mut().and_then(|circuit| circuit.edits.redo().cloned());
    changed_back(state, edit, "Done again");
}

fn changed_back(state: &mut State, edit: Option<Edit>, what: &str) {
    match edit {
        Some(Edit::SetThresholds(_)) => {
            state.say(format!("{what}: the change of thresholds"));
            prune_anew(state);
        }
        Some(Edit::Pin(_)) => state.say(format!("{what}: the pin")),
        Some(Edit::Unpin(_)) => state.say(format!("{what}: the unpinning")),
        Some(Edit::Group { name, .. }) => state.say(format!("{what}: the supernode {name}")),
        Some(Edit::AddToGroup(..)) => state.say(format!("{what}: the addition to a supernode")),
        Some(Edit::Ungroup(_)) => state.say(format!("{what}: the removal from a supernode")),
        Some(Edit::RenameGroup(..)) => state.say(format!("{what}: the supernode's name")),
        Some(Edit::Label(..)) => state.say(format!("{what}: the label")),
        Some(Edit::SetNotes(_)) => state.say(format!("{what}: the notes")),
        Some(Edit::SetInterventions(_)) => state.say(format!("{what}: the change of interventions")),
        None => state.say("There is no edit to go to"),
    }
}

pub(in crate::tui) fn prune_anew(state: &mut State) {
    let generation = state.next_generation();
    let Some(circuit) = &state.circuit else { return };
    let graph = Arc::clone(&circuit.traced.document.graph);
    let thresholds = circuit.edits.now().thresholds;
    state.effects.push(Effect::Prune { generation, graph, thresholds });
    state.pruning = Some(generation);
}
