//! Going on with a trace.

use crate::tui::app::{Busy, State};
use crate::tui::effect::Effect;
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
    let (Some(trace), Some(_)) = (&circuit.traced.document.trace, &state.tracer) else {
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
    let generation = state.next_generation();
    state.effects.push(Effect::Resume { generation, trace, max_feature_nodes, thresholds });
    state.busy = Some(Busy::going_on(generation, prompt, state.circuit_generation));
}
