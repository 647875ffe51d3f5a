//! Edits to the view of the graph, with undo and redo.

use crate::graph::{Edit, Thresholds};
use crate::tui::runtime::JobKey;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::workspace::at_hand;
use crate::tui::workspace::tracing::{TraceThresholds, readable_nodes};
use std::sync::Arc;

/// Job that prunes the graph on the screen anew.
pub const PRUNE: JobKey = JobKey::new("prune").of_graph();

pub(in crate::tui) fn nudge_nodes(state: &mut State, by: i32) {
    nudge(state, |thresholds| Thresholds { node: nudged(thresholds.node, 5 * by), ..thresholds });
}

pub(in crate::tui) fn nudge_edges(state: &mut State, by: i32) {
    nudge(state, |thresholds| Thresholds { edge: nudged(thresholds.edge, by), ..thresholds });
}

/// Steps of the density threshold, as shares of tokens. Densities spread over some orders of magnitude.
const DENSITIES: [f64; 13] = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

pub(in crate::tui) fn nudge_density(state: &mut State, rarer: bool) {
    let Some(circuit) = &state.workspace.circuit else { return };
    if circuit.traced.document.densities.is_empty() {
        state.screen.say("How often features fire is not known here: it takes a feature store");
        return;
    }
    let steps = || DENSITIES.into_iter();
    let before = circuit.edits.now().thresholds.density;
    nudge(state, |thresholds| {
        let now = thresholds.density;
        let next = if rarer { steps().rfind(|step| *step < now) } else { steps().find(|step| *step > now) };
        Thresholds { density: next.unwrap_or(now), ..thresholds }
    });
    say_density(state, before);
}

/// Says what a change of the density threshold leaves out, and how it is taken back: a stray key may have made it.
fn say_density(state: &mut State, before: f64) {
    let Some(now) = state.workspace.circuit.as_ref().map(|circuit| circuit.edits.now().thresholds.density) else {
        return;
    };
    let undo = key_of("undo", state);
    let percent = |share: f64| format!("{} %", (share * 1e6).round() / 1e4);
    state.screen.say(match now {
        _ if now == before => "There is no step further".to_owned(),
        1.0 => format!("Features are kept however often they fire, no longer up to {}; {undo} undoes", percent(before)),
        _ => format!("Features that fire on more than {} of tokens are left out; {undo} undoes", percent(now)),
    });
}

/// Prunes at circuit-tracer's thresholds; where they hold already, at those at which the nodes can be read.
pub(in crate::tui) fn toggle_usual(state: &mut State) {
    let most = readable_nodes(state);
    let Some(circuit) = &state.workspace.circuit else { return };
    let (now, usual) = (circuit.edits.now().thresholds, Thresholds::default());
    if now != usual {
        nudge(state, |_| usual);
        state.screen.say("Pruned at circuit-tracer's thresholds: nodes 0.8, edges 0.98");
        return;
    }
    // Influence is at hand from the last pruning.
    let readable = Thresholds::readable_by(&circuit.traced.document.graph, &circuit.pruning.kept.influence, most);
    if readable == usual {
        state.screen.say("Pruned at circuit-tracer's thresholds, at which the nodes can be read");
    } else {
        nudge(state, |_| readable);
        state.screen.say("Pruned so that the nodes can be read");
    }
}

/// Moves a threshold in whole hundredths, so that going there and back ends where it began.
fn nudged(threshold: f64, hundredths: i32) -> f64 {
    ((threshold * 100.0).round() + f64::from(hundredths)).clamp(0.0, 100.0) / 100.0
}

fn nudge(state: &mut State, change: impl Fn(Thresholds) -> Thresholds) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let after = change(circuit.edits.now().thresholds);
    if circuit.edits.apply(Edit::SetThresholds(after)) {
        prune_anew(state);
    }
}

/// Applies an edit, and says `said` where it changed anything; returns true where it did.
pub(in crate::tui) fn apply(state: &mut State, edit: Edit, said: String) -> bool {
    let changed = state.workspace.circuit.as_mut().is_some_and(|circuit| circuit.edits.apply(edit));
    if !changed {
        state.screen.say("This changes nothing");
    } else if !said.is_empty() {
        state.screen.say(said);
    }
    changed
}

pub(in crate::tui) fn toggle_pin(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit {
        let nodes = at_hand(circuit);
        let pinned = nodes.iter().all(|node| circuit.is_pinned(*node));
        circuit.edits.apply(if pinned { Edit::Unpin(nodes) } else { Edit::Pin(nodes) });
        circuit.marks.chosen.clear();
    }
}

pub(in crate::tui) fn undo(state: &mut State) {
    let edit = state.workspace.circuit.as_mut().and_then(|circuit| circuit.edits.undo().cloned());
    changed_back(state, edit, "Undone");
}

pub(in crate::tui) fn redo(state: &mut State) {
    let edit = state.workspace.circuit.as_mut().and_then(|circuit| circuit.edits.redo().cloned());
    changed_back(state, edit, "Done again");
}

fn changed_back(state: &mut State, edit: Option<Edit>, what: &str) {
    match edit {
        Some(Edit::SetThresholds(_)) => {
            state.screen.say(format!("{what}: the change of thresholds"));
            prune_anew(state);
        }
        Some(Edit::Pin(_)) => state.screen.say(format!("{what}: the pin")),
        Some(Edit::Unpin(_)) => state.screen.say(format!("{what}: the unpinning")),
        Some(Edit::Group { name, .. }) => state.screen.say(format!("{what}: the supernode {name}")),
        Some(Edit::Circuit { .. }) => state.screen.say(format!("{what}: the proposed circuit")),
        Some(Edit::AddToGroup(..)) => state.screen.say(format!("{what}: the addition to a supernode")),
        Some(Edit::Ungroup(_)) => state.screen.say(format!("{what}: the removal from a supernode")),
        Some(Edit::RenameGroup(..)) => state.screen.say(format!("{what}: the supernode's name")),
        Some(Edit::Label(..)) => state.screen.say(format!("{what}: the label")),
        Some(Edit::SetNotes(_)) => state.screen.say(format!("{what}: the notes")),
        Some(Edit::SetInterventions(_)) => state.screen.say(format!("{what}: the change of interventions")),
        None => state.screen.say("There is no edit to go to"),
    }
}

pub(in crate::tui) fn prune_anew(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let document = circuit.traced.document.clone();
    let thresholds = circuit.edits.now().thresholds;
    state.workspace.thresholds.set(TraceThresholds::At(thresholds));
    state.jobs.submit(
        PRUNE,
        move |_, _| Ok(Arc::new(document.prune(thresholds))),
        |state, kept| match (kept, &mut state.workspace.circuit) {
            (Ok(kept), Some(circuit)) => circuit.take_kept(kept, &state.screen.look.glyphs),
            (Err(why), _) => state.screen.warn(why),
            (Ok(_), None) => {}
        },
    );
}
