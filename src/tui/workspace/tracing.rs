//! Requests for traces and for openings of graphs.

use crate::graph::{AttributionGraph, Document, Edited, Thresholds};
use crate::job::Monitor;
use crate::service::tracing::Tracer;
use crate::tui::panes::graph;
use crate::tui::runtime::jobs::{Services, Teller};
use crate::tui::runtime::{JobKey, RequestId};
use crate::tui::screen::layout::inner;
use crate::tui::state::State;
use crate::tui::workspace::arrival::{take_grown, take_traced};
use crate::tui::workspace::tabs::name_of;
use crate::tui::workspace::tabs::update::{set_beside, turn_by};
use crate::tui::workspace::{Busy, Circuit, Message, Opening, TabContent, Traced, Workspace, Written};
use std::sync::{Arc, Mutex, PoisonError};

/// Goes on with a trace that was stopped; one that is finished gets rows of twice as many features.
pub(in crate::tui) fn go_on(state: &mut State) {
    if state.workspace.busy.is_some() {
        state.screen.say("A trace is under way");
        return;
    }
    let Some(circuit) = &state.workspace.circuit else {
        state.screen.say("There is no trace to go on with");
        return;
    };
    let (Some(trace), Some(_)) = (&circuit.traced.document.trace, &state.jobs.services.tracer) else {
        state.screen.warn("To go on with this graph needs its raw trace and the model that it was made with");
        return;
    };
    let more = 2 * trace.wanted_features;
    let max_feature_nodes = if trace.is_partial() {
        trace.settings.max_feature_nodes
    } else if trace.wanted_features == trace.sources.features.len() {
        state.screen.say("Every active feature has its row");
        return;
    } else {
        (more < trace.sources.features.len()).then_some(more)
    };
    let (trace, prompt) = (Arc::clone(trace), trace.settings.prompt.clone());
    let thresholds = TraceThresholds::At(circuit.edits.now().thresholds);
    let before = Arc::clone(&circuit.traced.document.graph);
    let id = state.jobs.next_request();
    submit_trace(state, id, thresholds, Some(before), move |tracer, grown, monitor| {
        tracer.resume(&trace, max_feature_nodes, grown, monitor)
    });
    state.workspace.busy = Some(Busy::going_on(id, prompt, state.workspace.graph_id));
}

pub(in crate::tui) const NO_CHAT: &str = "The model has no chat template";

/// Traces `prompt`; a trace that is under way is stopped for it.
pub fn start_trace(state: &mut State, prompt: String) {
    note_written(state, &prompt);
    let id = state.jobs.next_request();
    if let Some(before) = state.workspace.busy.replace(Busy::new(id, prompt.clone())) {
        state.jobs.stop_request(before.id);
    }
    submit_prompt(state, id, prompt);
    state.workspace.file = None;
}

/// Remembers what was written to make this prompt, once.
fn note_written(state: &mut State, prompt: &str) {
    let message = state.workspace.message.as_ref().filter(|message| message.prompt == prompt);
    let written = match message {
        Some(message) => Written { text: message.typed.clone(), is_message: true },
        None => Written { text: prompt.to_owned(), is_message: false },
    };
    state.workspace.prompts.retain(|other| *other != written);
    state.workspace.prompts.push(written);
}

/// Traces `prompt` in a tab of its own, beside the graph on the screen. A prompt that is open already is turned to, or
/// traced anew where it is the one on the screen: two tabs of the same would save the same session.
pub(in crate::tui) fn trace_beside(state: &mut State, prompt: String) {
    let Workspace { circuit, graph_id, files, tabs, .. } = &state.workspace;
    let is_it =
        |circuit: &Circuit, id: &RequestId| circuit.traced.document.origin.prompt == prompt && !files.contains_key(id);
    let is_here = circuit.as_ref().is_none_or(|circuit| is_it(circuit, graph_id));
    let there = tabs.others().find_map(|(turns, _, other)| match &other.graph {
        TabContent::Circuit { circuit, id, .. } => is_it(circuit, id).then_some(turns),
        TabContent::File(_) | TabContent::Nothing => None,
    });
    match there {
        Some(turns) if !is_here => {
            turn_by(state, turns);
            state.screen.say("This prompt was open already");
        }
        _ if is_here || set_beside(state) => start_trace(state, prompt),
        _ => {}
    }
}

/// Traces a prompt for the tab that waits for this request.
pub(in crate::tui) fn submit_prompt(state: &mut State, id: RequestId, prompt: String) {
    let thresholds = TraceThresholds::Readable(readable_nodes(state));
    submit_trace(state, id, thresholds, None, move |tracer, grown, monitor| tracer.trace(&prompt, grown, monitor));
}

/// Traces a message in the model's chat template. Waits for the template, as it is called before the first frame.
pub fn start_chat(state: &mut State, typed: String) {
    match state.jobs.services.tracer.as_ref().and_then(|tracer| tracer.in_chat(&typed)) {
        Some(Ok(prompt)) => {
            state.workspace.message = Some(Message { typed, prompt: prompt.clone() });
            start_trace(state, prompt);
        }
        Some(Err(why)) => state.screen.warn(why),
        None => state.screen.warn(NO_CHAT),
    }
}

/// Opens a graph; its file's name stands for the prompt until that is read.
pub fn start_open(state: &mut State, graph: impl Into<Opening>) {
    let id = state.jobs.next_request();
    let graph = graph.into();
    let prompt = match &graph {
        Opening::File(path) => name_of(path),
        Opening::Trace(trace) => trace.settings.prompt.clone(),
        Opening::Merged(_) => String::new(),
    };
    if let Opening::File(path) = &graph {
        state.workspace.files.insert(id, path.clone());
    }
    submit_opening(state, id, graph);
    let mut busy = Busy::new(id, prompt);
    busy.progress.phase = "opening";
    state.workspace.busy = Some(busy);
}

/// Job of traces. Each belongs to a tab that waits for its result.
const TRACE: JobKey = JobKey::new("trace").answering_all();

/// Job of openings, each of which belongs to a tab too.
const OPEN: JobKey = JobKey::new("open").answering_all();

/// Thresholds at which a graph is pruned that is still being traced.
#[derive(Clone, Copy)]
pub enum TraceThresholds {
    /// At most as many nodes as this can be read.
    Readable(usize),
    /// These thresholds.
    At(Thresholds),
}

/// Thresholds on the screen, at which graphs still being traced are pruned.
#[derive(Clone)]
pub struct SharedThresholds(Arc<Mutex<TraceThresholds>>);

impl Default for SharedThresholds {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(TraceThresholds::At(Thresholds::default()))))
    }
}

impl SharedThresholds {
    /// Sets the thresholds.
    pub fn set(&self, thresholds: TraceThresholds) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = thresholds;
    }

    /// Prunes and scores a graph at these thresholds.
    fn prune(&self, mut document: Document) -> Traced {
        let now = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match now {
            TraceThresholds::Readable(most) => Traced::readable(document, most),
            TraceThresholds::At(thresholds) => {
                document.edited = Arc::new(Edited { thresholds, ..document.edited.as_ref().clone() });
                Traced::new(document)
            }
        }
    }
}

/// Returns the number of nodes that can be read on the screen: two in five of the cells of the link graph, and no more
/// than anybody reads.
pub(in crate::tui) fn readable_nodes(state: &State) -> usize {
    const MOST: usize = 240;
    const LEAST: usize = 20;
    let room = state.screen.layout().and_then(|layout| layout.of(graph::PANE)).map(inner);
    room.map_or(MOST, |room| (usize::from(room.width) * usize::from(room.height) * 2 / 5).clamp(LEAST, MOST))
}

/// Starts a trace by `run` for the tab that waits for this request. Its graphs are pruned at the thresholds on the
/// screen by then, at first at `thresholds`; they keep the ids of their nodes as they grow, and those in `before`, the
/// graph that the trace goes on from.
pub(in crate::tui) fn submit_trace(
    state: &mut State,
    id: RequestId,
    thresholds: TraceThresholds,
    mut before: Option<Arc<AttributionGraph>>,
    run: impl FnOnce(&dyn Tracer, &mut dyn FnMut(Document), &Monitor) -> anyhow::Result<Document> + Send + 'static,
) {
    state.workspace.thresholds.set(thresholds);
    let at_hand = state.workspace.thresholds.clone();
    let work = move |services: &Services, monitor: &Monitor, teller: &Teller<Traced>| {
        let mut ready = |document: Document| {
            let document = match &before {
                Some(before) => document.continuing(before),
                None => document,
            };
            before = Some(Arc::clone(&document.graph));
            at_hand.prune(document)
        };
        let traced = services.ask(|tracer| run(tracer, &mut |document| teller.tell(ready(document)), monitor));
        let traced = traced.map(&mut ready);
        // Partial graphs of the trace no longer matter.
        teller.take_back();
        traced
    };
    let told = move |state: &mut State, traced| take_grown(state, id, traced);
    state.jobs.submit_telling(id, TRACE, work, told, move |state, result| take_traced(state, id, result));
}

/// Opens a graph for the tab that waits for this request.
pub(in crate::tui) fn submit_opening(state: &mut State, id: RequestId, graph: Opening) {
    let most = readable_nodes(state);
    let work = move |_: &Services, monitor: &Monitor, _: &Teller<()>| graph.open(most, monitor);
    state.jobs.submit_telling(id, OPEN, work, |_, ()| {}, move |state, result| take_traced(state, id, result));
}
