//! Stability of the graph's parts under shifted pruning thresholds: found on request, off the UI thread.

use crate::graph::{CORE, NOISE, Stability, StabilityClass, stability, usual_grid};
use crate::ids::EdgeId;
use crate::tui::runtime::JobKey;
use crate::tui::state::State;
use std::sync::Arc;

/// Stability of a graph's edges and nodes under shifted thresholds.
#[derive(Clone, Debug, Default)]
pub struct StabilityMarks {
    /// True where the stability is marked.
    pub shown: bool,
    /// Stability, once it is known.
    pub found: Option<Arc<Stability>>,
}

impl StabilityMarks {
    /// Returns the stability to be marked, where it is known.
    pub fn marked(&self) -> Option<&Stability> {
        self.found.as_deref().filter(|_| self.shown)
    }

    /// Returns an edge's stability class, where it is to be marked.
    pub fn of_edge(&self, edge: EdgeId) -> Option<StabilityClass> {
        self.marked().map(|found| StabilityClass::of(found.edge(edge)))
    }
}

pub(in crate::tui) const STABILITY: JobKey = JobKey::new("stability").of_graph();

/// Marks each part by its stability class, or no longer.
pub(in crate::tui) fn toggle_stability(state: &mut State) {
    let is_growing = state.workspace.is_growing();
    let Some(circuit) = &mut state.workspace.circuit else { return };
    circuit.pruning.stability.shown = !circuit.pruning.stability.shown;
    let says = if !circuit.pruning.stability.shown {
        "What hangs on the thresholds is no longer marked".to_owned()
    } else if is_growing {
        "What hangs on the thresholds is marked once the trace has ended".to_owned()
    } else {
        let [core, contingent, noise] = state.screen.look.glyphs.stability;
        let at_least = state.screen.look.glyphs.at_least;
        let (most, least, all) = (100.0 * CORE, 100.0 * NOISE, usual_grid().len());
        format!(
            "{core} core: {at_least}{most:.0} % of {all} prunings keep it, {contingent} contingent, {noise} noise: at most \
             {least:.0} %"
        )
    };
    state.screen.say(says);
}

/// Requests the stability where it is wanted, not known, and not asked for.
pub(in crate::tui) fn request_stability(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let is_wanted = circuit.pruning.stability.shown && circuit.pruning.stability.found.is_none();
    if !is_wanted || state.jobs.is_waiting(STABILITY) || state.workspace.is_growing() {
        return;
    }
    let graph = Arc::clone(&circuit.traced.document.graph);
    state.jobs.submit(
        STABILITY,
        move |_, monitor| stability(&graph, &usual_grid(), monitor).map_err(|stop| stop.to_string()),
        |state, found| {
            let Some(circuit) = &mut state.workspace.circuit else { return };
            match found {
                Ok(found) => circuit.pruning.stability.found = Some(Arc::new(found)),
                Err(why) => {
                    circuit.pruning.stability.shown = false;
                    state.screen.warn(why);
                }
            }
        },
    );
}
