//! Reasons why features fire or do not.

use super::feature::known;
use super::promoted::model_fits;
use super::tabs::set_beside;
use super::trace::submit_trace;
use crate::graph::{FeatureAt, NodeKind, Thresholds};
use crate::service::explain::ExplainRequest;
use crate::tui::app::{Busy, State};
use crate::tui::dialogs::explain::{InputMode, Reasons};
use crate::tui::features::Known;
use crate::tui::runtime::jobs::JobKey;
use std::sync::Arc;

pub(in crate::tui) const EXPLAIN: JobKey = JobKey::new("explain").of_graph();

/// Message where a graph of several prompts would have to be run.
pub(super) const SEVERAL: &str = "This graph is of several prompts: the model runs one; turn to the graph of that one";

/// Lists the features that came close to firing at the selected node's position, and asks why that node fires where it
/// is a feature.
pub(in crate::tui) fn open_why(state: &mut State) {
    let fits = model_fits(state);
    let Some(circuit) = &state.circuit else { return };
    if circuit.traced.document.occurrences.is_some() {
        state.say(SEVERAL);
        return;
    }
    if !fits {
        state.warn("Why a feature fires or does not needs the model, which is not loaded");
        return;
    }
    let node = circuit.node(circuit.selected());
    let selected = match node.kind {
        NodeKind::Feature { layer, position, feature } => Some(FeatureAt { layer, position, feature }),
        _ => None,
    };
    state.dialogs.open(Reasons::new(node.position(), selected));
    ask(state, true);
}

fn reasons(state: &mut State) -> Option<&mut Reasons> {
    state.dialogs.get_mut()
}

/// Asks why the chosen feature fires or does not, after a list where a new one is wanted.
fn ask(state: &mut State, lists: bool) {
    let Some(circuit) = &state.circuit else { return };
    let tokens = circuit.traced.document.graph.tokens().to_vec();
    let knows = known(state).and_then(Known::open).map(Arc::clone);
    let Some(open) = state.dialogs.get_mut::<Reasons>() else { return };
    let lists = open.asked(lists);
    let about = if lists { open.named() } else { open.chosen() };
    let request = ExplainRequest { tokens, search: lists.then(|| open.search.clone()), about };
    state.jobs.submit(
        EXPLAIN,
        move |services, monitor| {
            let reply = services.ask(|tracer| tracer.explain(&request, monitor))?;
            reply.named(knows.as_deref(), monitor).map_err(|stop| stop.to_string())
        },
        |state, reply| {
            if let Some(reasons) = reasons(state) {
                reasons.take(reply);
            }
        },
    );
}

pub(in crate::tui) fn move_in_why(state: &mut State, by: isize) {
    if reasons(state).is_some_and(|reasons| reasons.move_by(by)) {
        ask(state, false);
    }
}

/// Lists features at the selected node's position, or at all of them.
pub(in crate::tui) fn turn_why_position(state: &mut State) {
    if let Some(reasons) = reasons(state) {
        reasons.turn_position();
        ask(state, true);
    }
}

/// Lists the features closest to firing, whether they fire elsewhere or not.
pub(in crate::tui) fn list_closest(state: &mut State) {
    if let Some(reasons) = reasons(state) {
        reasons.search.fires_in = None;
        ask(state, true);
    }
}

pub(in crate::tui) fn write_in_why(state: &mut State, mode: InputMode) {
    if let Some(reasons) = reasons(state) {
        reasons.write(mode);
    }
}

pub(in crate::tui) fn take_why_line(state: &mut State) {
    if let Some(lists) = reasons(state).and_then(Reasons::take_line) {
        ask(state, lists);
    }
}

/// Closes the input line, then the list.
pub(in crate::tui) fn close_why(state: &mut State) {
    if reasons(state).is_some_and(Reasons::leave_line) {
        return;
    }
    state.jobs.forget(EXPLAIN);
    state.dialogs.close_all();
}

/// Traces the inputs of the chosen feature's pre-activation, as the output of a graph of its own.
pub(in crate::tui) fn trace_why(state: &mut State) {
    let Some(at) = reasons(state).and_then(|reasons| reasons.chosen()) else { return };
    let Some(circuit) = &state.circuit else { return };
    let (tokens, prompt) =
        (circuit.traced.document.graph.tokens().to_vec(), circuit.traced.document.origin.prompt.clone());
    if !set_beside(state) {
        return;
    }
    let id = state.jobs.next_request();
    state.busy = Some(Busy::new(id, prompt.clone()));
    submit_trace(state, id, Thresholds::default(), move |tracer, grown, monitor| {
        tracer.trace_feature(&prompt, &tokens, at, grown, monitor)
    });
}
