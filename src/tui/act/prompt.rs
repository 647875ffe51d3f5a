//! The prompt, and the traces that it starts.

use crate::service::tracing::Reading;
use crate::tui::app::{Busy, Message, Pane, Popup, State};
use crate::tui::effect::{Effect, Opening};
use crate::tui::popup::TextEdit;
use crate::tui::popup::prompt::Prompt;
use crate::tui::shelf::name_of;

const NO_CHAT: &str = "The model has no chat template";

/// Traces `prompt`; a trace that is under way is stopped for it.
pub fn start_trace(state: &mut State, prompt: String) {
    let generation = state.next_generation();
    let before = state.busy.replace(Busy::new(generation, prompt.clone()));
    state.effects.extend(before.map(|busy| Effect::StopTrace { generation: busy.generation }));
    state.effects.push(Effect::Trace { generation, prompt });
    state.file = None;
}

/// Traces a message in the model's chat template. Waits for the template: nobody looks at the screen yet.
pub fn start_chat(state: &mut State, typed: String) {
    match state.tracer.as_ref().and_then(|tracer| tracer.in_chat(&typed)) {
        Some(Ok(prompt)) => {
            state.message = Some(Message { typed, prompt: prompt.clone() });
            start_trace(state, prompt);
        }
        Some(Err(why)) => state.warn(why),
        None => state.warn(NO_CHAT),
    }
}

/// Opens a graph; its file's name stands for the prompt until that is read.
pub fn start_open(state: &mut State, graph: impl Into<Opening>) {
    let generation = state.next_generation();
    let graph = graph.into();
    let prompt = match &graph {
        Opening::File(path) => name_of(path),
        Opening::Trace(trace) => trace.settings.prompt.clone(),
        Opening::Merged(_) => String::new(),
    };
    if let Opening::File(path) = &graph {
        state.files.insert(generation, path.clone());
    }
    state.effects.push(Effect::Open { generation, graph });
    let mut busy = Busy::new(generation, prompt);
    busy.progress.phase = "opening";
    state.busy = Some(busy);
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
    let prompt = match &state.message {
        Some(message) if message.prompt == text => Prompt::new(message.typed.clone(), true),
        _ => Prompt::new(text, false),
    };
    state.popup = Some(Popup::Prompt(prompt));
}

pub(in crate::tui) fn toggle_chat(state: &mut State) {
    let has_chat = state.tracer.as_ref().is_some_and(|tracer| tracer.has_chat());
    match &mut state.popup {
        Some(Popup::Prompt(prompt)) if has_chat => prompt.toggle_chat(),
        _ => state.warn(NO_CHAT),
    }
}

/// Has the prompt read where it changed.
pub(in crate::tui) fn ask_prompt(state: &mut State) {
    let generation = state.generation + 1;
    if let Some(Popup::Prompt(prompt)) = &mut state.popup
        && let Some((text, is_message)) = prompt.ask(generation)
    {
        state.generation = generation;
        state.effects.push(Effect::Read { generation, text, is_message });
    }
}

pub(in crate::tui) fn take_reading(state: &mut State, generation: u64, result: Result<Reading, String>) {
    let Some(Popup::Prompt(prompt)) = &mut state.popup else { return };
    if let Some(accepts) = prompt.take(generation, result) {
        state.dirty = true;
        if accepts {
            trace_prompt(state);
        }
    }
}

/// Traces the prompt, once it is read.
pub(in crate::tui) fn trace_prompt(state: &mut State) {
    let Some(Popup::Prompt(prompt)) = &mut state.popup else { return };
    if !prompt.accept() {
        return;
    }
    if let Some((prompt, message)) = prompt.ready() {
        state.popup = None;
        state.focus = Pane::Graph;
        if let Some(typed) = message {
            state.message = Some(Message { typed, prompt: prompt.clone() });
        }
        start_trace(state, prompt);
    }
}

pub(in crate::tui) fn take_nearest(state: &mut State) {
    if let Some(Popup::Prompt(prompt)) = &mut state.popup {
        prompt.take_nearest();
    }
}

/// Puts in what was pasted, where there is a line to put it in.
pub(in crate::tui) fn paste(state: &mut State, text: &str) {
    // A line break at the end would become a token that nobody sees being typed.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    edit_text(state, TextEdit::Insert(text.trim_end_matches('\n').to_owned()));
}

pub(in crate::tui) fn edit_text(state: &mut State, edit: impl Into<TextEdit>) {
    let edit = &edit.into();
    let had_room = match &mut state.popup {
        Some(Popup::Prompt(prompt)) => prompt.edit(edit),
        Some(Popup::Help(help)) => help.edit(edit),
        Some(Popup::Picker(picker)) => picker.edit(edit),
        Some(Popup::Question(question)) => question.edit(edit),
        Some(Popup::Notes(notes)) => notes.edit(edit),
        Some(Popup::Filter(prompt)) => prompt.edit(edit),
        Some(Popup::Export(export)) => export.edit(edit),
        Some(Popup::Contexts(contexts)) => contexts.edit(edit),
        Some(Popup::Browse(browse)) => browse.edit(edit),
        Some(Popup::Why(reasons)) => reasons.edit(edit),
        Some(
            Popup::Proposals(_)
            | Popup::Paths(_)
            | Popup::Start(_)
            | Popup::Interventions
            | Popup::Compare(_)
            | Popup::Truth
            | Popup::Heads
            | Popup::Consent { .. }
            | Popup::Fetch(_)
            | Popup::Unsaved,
        )
        | None => return,
    };
    if !had_room {
        state.warn("This is longer than there is room for here: its end was left out");
    }
    state.dirty = true;
}

pub(in crate::tui) fn cancel(state: &mut State) {
    if super::truth::stop_check(state) || state.busy.is_none() && super::feature::stop_reading(state) {
        return;
    }
    if state.busy.is_none() && state.popup.is_none() && super::fetch::stop_fetching(state) {
        return;
    }
    match &mut state.busy {
        Some(busy) => {
            busy.stopping = true;
            state.effects.push(Effect::StopTrace { generation: busy.generation });
        }
        None if matches!(&state.popup, Some(Popup::Start(start)) if start.is_waiting()) => super::say_no(state),
        None if matches!(state.popup, Some(Popup::Why(_))) => super::close_why(state),
        None if matches!(state.popup, Some(Popup::Compare(_))) => super::close_compare(state),
        None if state.popup.is_some() => state.popup = None,
        None if state.shelf.is_busy() => state.say("What is under way is of another graph: turn to it to stop it"),
        None => state.say("Nothing is being traced; q leaves"),
    }
}
