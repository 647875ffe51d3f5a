//! Which parts of the graph hang on the thresholds: marked on request, found off the screen's thread.

use crate::graph::{CORE, NOISE, Stability, usual_grid};
use crate::tui::app::State;
use crate::tui::effect::Effect;
use std::sync::Arc;

/// Marks what hangs on the thresholds, or no longer.
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

/// Whether the graph on the screen is still being traced.
fn is_growing(state: &State) -> bool {
    state.busy.as_ref().is_some_and(|busy| busy.circuit() == state.circuit_generation)
}

/// Has the standings found where they are wanted, not known, and not asked for.
pub(in crate::tui) fn stand(state: &mut State) {
    let of = state.circuit_generation;
    let Some(circuit) = &state.circuit else { return };
    let is_wanted = circuit.standings.shown && circuit.standings.found.is_none();
    if !is_wanted || state.standing.is_some_and(|(_, asked)| asked == of) || is_growing(state) {
        return;
    }
    let graph = Arc::clone(&circuit.traced.document.graph);
    let generation = state.next_generation();
    state.standing = Some((generation, of));
    state.effects.push(Effect::Stand { generation, graph });
}

/// Takes the standings, where they are of the graph on the screen as it is now.
pub(in crate::tui) fn take_stability(state: &mut State, generation: u64, result: Result<Arc<Stability>, String>) {
    let Some((_, of)) = state.standing.take_if(|(asked, _)| *asked == generation) else { return };
    let Some(circuit) = state.circuit.as_mut().filter(|_| of == state.circuit_generation) else { return };
    let n_edges = circuit.traced.document.graph.n_edges();
    match result {
        Ok(found) if found.n_edges() == n_edges => circuit.standings.found = Some(found),
        // The graph grew meanwhile: it is asked anew.
        Ok(_) => {}
        Err(why) => {
            circuit.standings.shown = false;
            state.warn(why);
        }
    }
    state.dirty = true;
}
