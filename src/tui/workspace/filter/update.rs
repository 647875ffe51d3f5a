//! Evaluation of the filter, and the keys that change it.

use crate::graph::query::{Lacking, Query};
use crate::ids::{FeatureId, Layer};
use crate::text;
use crate::tui::runtime::JobKey;
use crate::tui::state::State;
use crate::tui::workspace::filter::FilterInputs;
use crate::tui::workspace::filter::job::{FilterJob, Filtered, Written};
use crate::tui::workspace::{Circuit, Filter};
use std::sync::Arc;

const FILTER: JobKey = JobKey::new("filter").of_graph();

pub(in crate::tui) fn filter_job(circuit: &Circuit, query: Arc<Query>) -> FilterJob {
    FilterJob {
        query,
        document: circuit.traced.document.clone(),
        kept: Arc::clone(&circuit.pruning.kept),
        edited: circuit.edits.now().clone(),
        selected: circuit.selected(),
        written: circuit.written().map(|(feature, written)| (feature, Arc::clone(written))).collect::<Written>(),
    }
}

/// Puts the filter aside, or takes it up again.
pub(in crate::tui) fn toggle_filter(state: &mut State) {
    change_filter(state, |filter| {
        filter.is_off = !filter.is_off;
        if filter.is_off { "The filter is put aside" } else { "The filter is taken up again" }
    });
}

pub(in crate::tui) fn change_filter(state: &mut State, change: impl FnOnce(&mut Filter) -> &'static str) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let Some(filter) = &mut circuit.marks.filter else {
        state.screen.say("There is no filter yet");
        return;
    };
    let said = change(filter);
    circuit.show(&state.screen.look.glyphs);
    state.screen.say(said);
}

/// Asks for the filter's result, where its inputs changed.
pub(in crate::tui) fn ask_filter(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    if circuit.marks.filter.as_ref().is_none_or(|filter| filter.is_off) {
        return;
    }
    let inputs = FilterInputs {
        kept: Arc::clone(&circuit.pruning.kept),
        labels: Arc::clone(&circuit.traced.document.labels),
        edited: circuit.edits.now().clone(),
        selected: circuit.selected(),
        written: circuit.written().count(),
    };
    let Some(filter) = circuit.marks.filter.as_mut().filter(|filter| !filter.is_off) else { return };
    if filter.ask(&inputs) {
        let query = Arc::clone(&filter.query);
        let filter_job = filter_job(circuit, query);
        state.jobs.submit(FILTER, move |_, _| Ok(Arc::new(filter_job.run())), take_filtered);
    }
}

fn take_filtered(state: &mut State, result: Result<Arc<Filtered>, String>) {
    let (Ok(filtered), Some(circuit)) = (result, &mut state.workspace.circuit) else { return };
    let Some(filter) = &mut circuit.marks.filter else { return };
    if filter.take(&filtered) {
        let is_first = !std::mem::replace(&mut filter.told, true);
        circuit.show(&state.screen.look.glyphs);
        if is_first {
            state.screen.say(found(&filtered, state.jobs.services.tracer.is_some()));
        }
    }
}

/// Returns the counts of matches, and of nodes that are undecided.
fn found(filtered: &Filtered, can_learn: bool) -> String {
    let matches = &filtered.matches;
    let (nodes, edges) = (text::counted(matches.n_nodes, "node"), text::counted(matches.n_edges, "edge"));
    let mut said = format!("{nodes} and {edges} match");
    for what in &matches.lacking {
        let undecided = text::counted(matches.undecided_nodes, "node");
        said.push_str(&match (what, can_learn) {
            (Lacking::PromotedTokens, true) => {
                format!("; {undecided} more wait for promoted tokens, which are being computed")
            }
            (Lacking::PromotedTokens, false) => format!("; {undecided} need promoted tokens, and no model is loaded"),
            (other, _) => format!("; {undecided} need {other}"),
        });
    }
    said
}

/// Returns the next feature whose promoted tokens the filter needs: the most influential one that is kept.
pub(in crate::tui) fn needed_by_filter(circuit: &Circuit) -> Option<(Layer, FeatureId)> {
    let filter = circuit.marks.filter.as_ref()?;
    if filter.is_off || !filter.lacks(Lacking::PromotedTokens) {
        return None;
    }
    let features = circuit.pruning.kept.node_ids().filter_map(|node| Some((node, circuit.feature(node)?)));
    let unknown = features.filter(|(_, feature)| !circuit.promoted.contains_key(feature));
    unknown.min_by(|(a, _), (b, _)| circuit.pruning.kept.by_influence(*a, *b)).map(|(_, feature)| feature)
}
