//! The prompt, and the traces that it starts.

use crate::job::Progress;
use crate::tui::app::{Busy, Effect, Opening, Pane, Popup, State};
use crate::tui::popup::prompt::Prompt;
use tui_input::InputRequest;

/// Traces `prompt`; a trace that is under way is stopped for it.
pub fn start_trace(state: &mut State, prompt: String) {
    let generation = state.next_generation();
    state.effects.push(Effect::Trace { generation, prompt: prompt.clone() });
    state.busy = Some(Busy { generation, prompt, progress: Default::default(), stopping: false });
}

/// Opens a graph; its file's name stands for the prompt until that is read.
pub fn start_open(state: &mut State, graph: impl Into<Opening>) {
    let generation = state.next_generation();
    let graph = graph.into();
    let prompt = match &graph {
        Opening::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        Opening::Trace(trace) => trace.settings.prompt.clone(),
    };
    state.effects.push(Effect::Open { generation, graph });
    let progress = Progress { phase: "opening", ..Progress::default() };
    state.busy = Some(Busy { generation, prompt, progress, stopping: false });
}

pub(in crate::tui) fn open_prompt(state: &mut State) {
    if state.tracer.is_none() {
        state.warn("There is no model to trace a prompt with: this graph was opened from a file");
        return;
    }
    let text = match (&state.busy, &state.circuit) {
        (Some(busy), _) => busy.prompt.clone(),
        (None, Some(circuit)) => circuit.traced.document.origin.prompt.clone(),
        (None, None) => String::new(),
    };
    state.popup = Some(Popup::Prompt(Prompt::new(text)));
}

pub(in crate::tui) fn trace_prompt(state: &mut State) {
    let Some(Popup::Prompt(prompt)) = &mut state.popup else { return };
    if let Some(text) = prompt.ready() {
        state.popup = None;
        state.focus = Pane::Graph;
        start_trace(state, text);
    }
}

pub(in crate::tui) fn take_nearest(state: &mut State) {
    if let Some(Popup::Prompt(prompt)) = &mut state.popup {
        prompt.take_nearest();
    }
}

pub(in crate::tui) fn edit_text(state: &mut State, request: InputRequest) {
    match &mut state.popup {
        Some(Popup::Prompt(prompt)) => prompt.edit(request),
        Some(Popup::Help(help)) => help.edit(request),
        Some(Popup::Picker(picker)) => picker.edit(request),
        Some(Popup::Question(question)) => question.edit(request),
        Some(Popup::Notes(notes)) => notes.edit(request),
        Some(Popup::Proposals(_)) | None => return,
    }
    state.dirty = true;
}

pub(in crate::tui) fn cancel(state: &mut State) {
    match &mut state.busy {
        Some(busy) => {
            busy.stopping = true;
            state.effects.push(Effect::StopTrace);
        }
        None if state.popup.is_some() => state.popup = None,
        None => state.say("Nothing is being traced; q leaves"),
    }
}
