//! Parts of the graph that hang on the thresholds: marked on request, found off the UI thread.

use crate::graph::{CORE, NOISE, stability, usual_grid};
use crate::tui::app::State;
use crate::tui::runtime::jobs::JobKey;
use std::sync::Arc;

pub(super) const STABILITY: JobKey = JobKey::new("stability").of_graph();

/// Marks the parts that hang on the thresholds, or no longer.
pub(in crate::tui) fn toggle_standings(state: &mut State) {
    let is_growing = is_growing(state);
    let Some(circuit) = &mut state.circuit else { return };
    circuit.standings.shown = !circuit.standings.shown;
    let says = if !circuit.standings.shown {
        "What hangs on the thresholds is no longer marked".to_owned()
    } else if is_growing {
        "What hangs on the thresholds is marked once the trace has ended".to_owned()
    } else {
        let [core, contingent, noise] = state.look.glyphs.standings;
        let at_least = state.look.glyphs.at_least;
        let (most, least, all) = (100.0 * CORE, 100.0 * NOISE, usual_grid().len());
        format!(
            "{core} core: {at_least}{most:.0} % of {all} prunings keep it, {contingent} contingent, {noise} noise: at most \
             {least:.0} %"
        )
    };
    state.say(says);
}

/// Returns true where the graph on the screen is still being traced.
fn is_growing(state: &State) -> bool {
    state.busy.as_ref().is_some_and(|busy| busy.graph() == state.graph_id)
}

/// Requests the standings where they are wanted, not known, and not asked for.
pub(in crate::tui) fn request_stability(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let is_wanted = circuit.standings.shown && circuit.standings.found.is_none();
    if !is_wanted || state.jobs.is_waiting(STABILITY) || is_growing(state) {
        return;
    }
    let graph = Arc::clone(&circuit.traced.document.graph);
    state.jobs.submit(
        STABILITY,
        move |_, monitor| stability(&graph, &usual_grid(), monitor).map_err(|stop| stop.to_string()),
        |state, found| {
            let Some(circuit) = &mut state.circuit else { return };
            match found {
                Ok(found) => circuit.standings.found = Some(Arc::new(found)),
                Err(why) => {
                    circuit.standings.shown = false;
                    state.warn(why);
                }
            }
        },
    );
}
