//! Promoted tokens of features: computed on demand, one feature at a time, the selected one first.

use super::filter::needed_by_filter;
use crate::tui::app::State;
use crate::tui::circuit::PromotedTokens;
use crate::tui::runtime::jobs::JobKey;
use std::sync::Arc;

const PROMOTED: JobKey = JobKey::new("promoted").of_graph();

/// Requests the promoted tokens of the selected feature, else of a feature that the filter needs.
pub(in crate::tui) fn request_promoted(state: &mut State) {
    let fits = model_fits(state);
    let Some(circuit) = &mut state.circuit else { return };
    let selected = circuit.selected_feature().filter(|feature| !circuit.promoted.contains_key(feature));
    if !fits {
        if let Some(feature) = selected {
            circuit.promoted.insert(feature, PromotedTokens::Failed("needs the model, which is not loaded".to_owned()));
        }
        return;
    }
    let is_busy = || circuit.promoted.values().any(|promoted| matches!(promoted, PromotedTokens::Pending));
    let needed = || needed_by_filter(circuit).filter(|_| !is_busy());
    let Some((layer, feature)) = selected.or_else(needed) else { return };
    // Only the newest request is answered: those that were dropped are made anew on return.
    circuit.promoted.retain(|_, promoted| !matches!(promoted, PromotedTokens::Pending));
    circuit.promoted.insert((layer, feature), PromotedTokens::Pending);
    state.jobs.submit(
        PROMOTED,
        move |services, monitor| services.ask(|tracer| tracer.promoted(layer, feature, monitor)),
        move |state, promoted| {
            if let Some(circuit) = &mut state.circuit {
                let known = promoted.map_or_else(PromotedTokens::Failed, |it| PromotedTokens::Known(Arc::new(it)));
                circuit.promoted.insert((layer, feature), known);
            }
        },
    );
}

/// Returns true where there is a model, and the graph on the screen is its own.
pub(super) fn model_fits(state: &State) -> bool {
    let (Some(circuit), Some(tracer)) = (&state.circuit, &state.jobs.services.tracer) else { return false };
    let origin = &circuit.traced.document.origin;
    // A user who gives a graph and a model on the command line knows why, whatever they are called.
    !state.picked.contains(&state.graph_id)
        || (tracer.model_name() == origin.model && tracer.transcoder_name() == origin.transcoder)
}
