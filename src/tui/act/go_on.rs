//! Continuation of a trace.

use super::trace::submit_trace;
use crate::tui::app::{Busy, State};
use std::sync::Arc;

/// Goes on with a trace that was stopped; one that is finished gets rows of twice as many features.
pub(in crate::tui) fn go_on(state: &mut State) {
    if state.busy.is_some() {
        state.say("A trace is under way");
        return;
    }
    let Some(circuit) = &state.circuit else {
        state.say("There is no trace to go on with");
        return;
    };
    let (Some(trace), Some(_)) = (&circuit.traced.document.trace, &state.jobs.services.tracer) else {
        state.warn("To go on with this graph needs its raw trace and the model that it was made with");
        return;
    };
    let more = 2 * trace.wanted_features;
    let max_feature_nodes = if trace.is_partial() {
        trace.settings.max_feature_nodes
    } else if trace.wanted_features == trace.active.len() {
        state.say("Every active feature has its row");
        return;
    } else {
        (more < trace.active.len()).then_some(more)
    };
    let (trace, prompt) = (Arc::clone(trace), trace.settings.prompt.clone());
    let thresholds = circuit.edits.now().thresholds;
    let id = state.jobs.next_request();
    submit_trace(state, id, thresholds, move |tracer, grown, monitor| {
        tracer.resume(&trace, max_feature_nodes, grown, monitor)
    });
    state.busy = Some(Busy::going_on(id, prompt, state.graph_id));
}
