//! Graphs of traces and openings, taken by the tab that waits for them.

use crate::text::glyph::Glyphs;
use crate::tui::dialogs::compare::update::compare_arrived;
use crate::tui::dialogs::explain::Reasons;
use crate::tui::runtime::RequestId;
use crate::tui::runtime::jobs::discard;
use crate::tui::runtime::sessions::Sessions;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::workspace::edits::PRUNE;
use crate::tui::workspace::session::update::open_session;
use crate::tui::workspace::stability::STABILITY;
use crate::tui::workspace::tabs::update::leave_empty;
use crate::tui::workspace::{Busy, Circuit, Tab, TabContent, Traced, prune_anew};

/// Returns true where the result has to wait: it is for the screen, where a dialog is about the nodes of the graph
/// there.
fn waits(state: &State, id: RequestId) -> bool {
    state.shows_nodes() && state.workspace.waits_for(id)
}

/// Takes the partial graph of a trace that goes on.
pub fn take_grown(state: &mut State, id: RequestId, traced: Traced) {
    if waits(state, id) {
        state.deferred.update = Some(Box::new(move |state| take_grown(state, id, traced)));
    } else if let Some(busy) = state.workspace.busy.as_ref().filter(|busy| busy.id == id) {
        show(state, busy.graph(), traced);
    } else if let Some((_, tab)) = state.workspace.tabs.traced(id) {
        put_aside(tab, traced, &state.screen.look.glyphs, &mut state.sessions);
    }
}

/// Takes the graph of a trace or an opening that ended.
pub(in crate::tui) fn take_traced(state: &mut State, id: RequestId, result: Result<Traced, String>) {
    if waits(state, id) {
        state.deferred.update = Some(Box::new(move |state| take_traced(state, id, result)));
        return;
    }
    let Some(busy) = state.workspace.busy.take_if(|busy| busy.id == id) else {
        take_traced_aside(state, id, result);
        return;
    };
    match result {
        Ok(traced) => {
            let stopped = busy.stopping && traced.document.graph.is_partial();
            let warning = traced.document.trace.as_ref().and_then(|trace| trace.provenance.warnings.first().cloned());
            show(state, busy.graph(), traced);
            open_session(state);
            if stopped {
                let goes_on = key_of("go-on", state);
                state.screen.say(format!(
                    "The trace was stopped early: the graph holds what there was, and is marked partial; {goes_on} goes on"
                ));
            } else if let Some(warning) = warning {
                state.screen.warn(warning);
            }
        }
        Err(why) => {
            leave_empty(state);
            if busy.stopping {
                state.screen.say("The trace was stopped before there was anything new to show");
            } else {
                state.screen.warn(why);
            }
        }
    }
}

/// Takes the graph of a tab that is not on the screen.
fn take_traced_aside(state: &mut State, id: RequestId, result: Result<Traced, String>) {
    let Some((place, tab)) = state.workspace.tabs.traced(id) else { return };
    let title = state.screen.look.glyphs.visible(&tab.title());
    let failed = result.as_ref().err().cloned();
    let said = match result {
        Ok(traced) => {
            let ended = if traced.document.graph.is_partial() { "was stopped early" } else { "has ended" };
            put_aside(tab, traced, &state.screen.look.glyphs, &mut state.sessions);
            format!("The trace of graph {place} {ended}: {title}")
        }
        Err(why) => format!("The trace of graph {place} brought nothing: {why}"),
    };
    tab.busy = None;
    state.screen.say(said);
    compare_arrived(state, id, failed);
}

/// Gives a graph to the tab that its trace is for, which is not on the screen, as [`show`] does.
fn put_aside(tab: &mut Tab, traced: Traced, glyphs: &Glyphs, sessions: &mut Sessions) {
    let wanted = tab.busy.as_ref().map(Busy::graph);
    if let TabContent::Circuit { circuit, id, prunes } = &mut tab.graph
        && wanted == Some(*id)
        && circuit.goes_on_as(&traced.document.graph)
    {
        circuit.follow_readable(&traced);
        *prunes = circuit.edits.now().thresholds != traced.document.edited.thresholds;
        discard(circuit.grow(traced, glyphs));
        return;
    }
    let (Some(circuit), Some(id)) = (Circuit::new(traced), wanted) else { return };
    let aside = TabContent::Circuit { circuit: Box::new(circuit), id, prunes: false };
    if let TabContent::Circuit { circuit, .. } = std::mem::replace(&mut tab.graph, aside) {
        let_go(*circuit, sessions);
    }
}

/// Drops a circuit that is not shown again. Its session is saved first: a graph of the same prompt may read it next.
pub(in crate::tui) fn let_go(circuit: Circuit, sessions: &mut Sessions) {
    if let Some(id) = circuit.marks.session {
        sessions.part(id);
    }
    discard(circuit.traced);
}

/// Shows a graph, in place of the one on the screen or, where both are of one trace, as its continuation.
fn show(state: &mut State, id: RequestId, traced: Traced) {
    // These are of the graph before.
    [PRUNE, STABILITY].into_iter().for_each(|key| state.jobs.forget(key));
    if id == state.workspace.graph_id
        && let Some(circuit) = &mut state.workspace.circuit
        && circuit.goes_on_as(&traced.document.graph)
    {
        let pruned_at = traced.document.edited.thresholds;
        circuit.follow_readable(&traced);
        let wanted = circuit.edits.now().thresholds;
        discard(circuit.grow(traced, &state.screen.look.glyphs));
        // Densities are not known where a trace is pruned as it grows.
        if wanted != pruned_at || wanted.density < 1.0 {
            prune_anew(state);
        }
        return;
    }
    match Circuit::new(traced) {
        Some(circuit) => {
            state.jobs.forget_graph();
            if let Some(before) = state.workspace.circuit.replace(circuit) {
                let_go(before, &mut state.sessions);
            }
            state.workspace.graph_id = id;
            state.panes.detail.scroll = 0;
            // Requests were about the prompt before.
            if state.dialogs.is::<Reasons>() {
                state.dialogs.close_all();
            }
        }
        None => state.screen.warn("The trace holds no node"),
    }
}
