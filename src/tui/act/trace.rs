//! Traces and openings: submitted for a tab, shown as they grow, and taken by that tab.

use super::edits::PRUNE;
use super::standing::STABILITY;
use crate::graph::{Document, Edited, Thresholds};
use crate::job::Monitor;
use crate::service::tracing::Tracer;
use crate::text::glyph::Glyphs;
use crate::tui::app::{Busy, State};
use crate::tui::circuit::Circuit;
use crate::tui::dialogs::explain::Reasons;
use crate::tui::runtime::jobs::{JobKey, RequestId, Services, Teller, discard};
use crate::tui::runtime::sessions::Sessions;
use crate::tui::tabs::{Tab, TabContent};
use crate::tui::traced::{Opening, Traced};
use crate::tui::view;
use std::sync::{Arc, Mutex, PoisonError};

/// Job of traces. Each belongs to a tab that waits for its result.
const TRACE: JobKey = JobKey::new("trace").answering_all();

/// Job of openings, each of which belongs to a tab too.
const OPEN: JobKey = JobKey::new("open").answering_all();

/// Thresholds on the screen, at which graphs still being traced or opened are pruned.
#[derive(Clone, Default)]
pub struct ThresholdsAtHand(Arc<Mutex<Thresholds>>);

impl ThresholdsAtHand {
    /// Sets the thresholds.
    pub fn set(&self, thresholds: Thresholds) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = thresholds;
    }

    fn get(&self) -> Thresholds {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prunes and scores a graph at these thresholds.
    fn prune(&self, mut document: Document) -> Traced {
        document.edited = Arc::new(Edited { thresholds: self.get(), ..document.edited.as_ref().clone() });
        Traced::new(document)
    }
}

/// Starts a trace by `run` for the tab that waits for this request. Its graphs are pruned at the thresholds on the
/// screen by then, at first at `thresholds`.
pub(super) fn submit_trace(
    state: &mut State,
    id: RequestId,
    thresholds: Thresholds,
    run: impl FnOnce(&dyn Tracer, &mut dyn FnMut(Document), &Monitor) -> anyhow::Result<Document> + Send + 'static,
) {
    state.thresholds.set(thresholds);
    let at_hand = state.thresholds.clone();
    let work = move |services: &Services, monitor: &Monitor, teller: &Teller<Traced>| {
        let mut grown = |document| teller.tell(at_hand.prune(document));
        let traced = services.ask(|tracer| run(tracer, &mut grown, monitor)).map(|document| at_hand.prune(document));
        // Partial graphs of the trace no longer matter.
        teller.take_back();
        traced
    };
    let told = move |state: &mut State, traced| take_grown(state, id, traced);
    state.jobs.submit_telling(id, TRACE, work, told, move |state, result| take_traced(state, id, result));
}

/// Opens a graph for the tab that waits for this request.
pub(super) fn submit_opening(state: &mut State, id: RequestId, graph: Opening) {
    let work = move |_: &Services, monitor: &Monitor, _: &Teller<()>| graph.open(monitor);
    state.jobs.submit_telling(id, OPEN, work, |_, ()| {}, move |state, result| take_traced(state, id, result));
}

/// Returns true where the result has to wait: it is for the screen, where a dialog is about the nodes of the graph
/// there.
fn waits(state: &State, id: RequestId) -> bool {
    state.shows_nodes() && state.busy.as_ref().is_some_and(|busy| busy.id == id)
}

/// Takes the partial graph of a trace that goes on.
pub fn take_grown(state: &mut State, id: RequestId, traced: Traced) {
    if waits(state, id) {
        state.held_back = Some(Box::new(move |state| take_grown(state, id, traced)));
    } else if let Some(busy) = state.busy.as_ref().filter(|busy| busy.id == id) {
        show(state, busy.graph(), traced);
    } else if let Some((_, tab)) = state.tabs.traced(id) {
        put_aside(tab, traced, &state.look.glyphs, &mut state.sessions);
    }
}

/// Takes the graph of a trace or an opening that ended.
fn take_traced(state: &mut State, id: RequestId, result: Result<Traced, String>) {
    if waits(state, id) {
        state.held_back = Some(Box::new(move |state| take_traced(state, id, result)));
        return;
    }
    let Some(busy) = state.busy.take_if(|busy| busy.id == id) else {
        take_traced_aside(state, id, result);
        return;
    };
    match result {
        Ok(traced) => {
            let stopped = busy.stopping && traced.document.graph.is_partial();
            let warning = traced.document.trace.as_ref().and_then(|trace| trace.provenance.warnings.first().cloned());
            show(state, busy.graph(), traced);
            super::open_session(state);
            if stopped {
                let goes_on = view::key_of("go-on", state);
                state.say(format!(
                    "The trace was stopped early: the graph holds what there was, and is marked partial; {goes_on} goes on"
                ));
            } else if let Some(warning) = warning {
                state.warn(warning);
            }
        }
        Err(_) if busy.stopping => state.say("The trace was stopped before there was anything new to show"),
        Err(why) => state.warn(why),
    }
}

/// Takes the graph of a tab that is not on the screen.
fn take_traced_aside(state: &mut State, id: RequestId, result: Result<Traced, String>) {
    let Some((place, tab)) = state.tabs.traced(id) else { return };
    let title = state.look.glyphs.visible(&tab.title());
    let failed = result.as_ref().err().cloned();
    let said = match result {
        Ok(traced) => {
            let ended = if traced.document.graph.is_partial() { "was stopped early" } else { "has ended" };
            put_aside(tab, traced, &state.look.glyphs, &mut state.sessions);
            format!("The trace of graph {place} {ended}: {title}")
        }
        Err(why) => format!("The trace of graph {place} brought nothing: {why}"),
    };
    tab.busy = None;
    state.say(said);
    super::compare_arrived(state, id, failed);
}

/// Gives a graph to the tab that its trace is for, which is not on the screen, as [`show`] does.
fn put_aside(tab: &mut Tab, traced: Traced, glyphs: &Glyphs, sessions: &mut Sessions) {
    let wanted = tab.busy.as_ref().map(Busy::graph);
    if let TabContent::Circuit { circuit, id, prunes } = &mut tab.graph
        && wanted == Some(*id)
        && let Some(to) = circuit.nodes_in(&traced.document.graph)
    {
        *prunes = circuit.edits.now().thresholds != traced.document.edited.thresholds;
        discard(circuit.grow(traced, &to, glyphs));
        return;
    }
    let (Some(circuit), Some(id)) = (Circuit::new(traced), wanted) else { return };
    let aside = TabContent::Circuit { circuit: Box::new(circuit), id, prunes: false };
    if let TabContent::Circuit { circuit, .. } = std::mem::replace(&mut tab.graph, aside) {
        let_go(*circuit, sessions);
    }
}

/// Drops a circuit that is not shown again. Its session is saved first: a graph of the same prompt may read it next.
pub(super) fn let_go(circuit: Circuit, sessions: &mut Sessions) {
    if let Some(id) = circuit.marks.session {
        sessions.part(id);
    }
    discard(circuit.traced);
}

/// Shows a graph, in place of the one on the screen or, where both are of one trace, as its continuation.
fn show(state: &mut State, id: RequestId, traced: Traced) {
    // These are of the graph before.
    [PRUNE, STABILITY].into_iter().for_each(|key| state.jobs.forget(key));
    if id == state.graph_id
        && let Some(circuit) = &mut state.circuit
        && let Some(to) = circuit.nodes_in(&traced.document.graph)
    {
        let wanted = circuit.edits.now().thresholds;
        let pruned_at = traced.document.edited.thresholds;
        discard(circuit.grow(traced, &to, &state.look.glyphs));
        // Densities are not known where a trace is pruned as it grows.
        if wanted != pruned_at || wanted.density < 1.0 {
            super::prune_anew(state);
        }
        return;
    }
    match Circuit::new(traced) {
        Some(circuit) => {
            state.jobs.forget_graph();
            if let Some(before) = state.circuit.replace(circuit) {
                let_go(before, &mut state.sessions);
            }
            state.graph_id = id;
            state.detail_scroll = 0;
            // Requests were about the prompt before.
            if state.dialogs.is::<Reasons>() {
                state.dialogs.close_all();
            }
        }
        None => state.warn("The trace holds no node"),
    }
}
