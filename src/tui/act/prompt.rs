//! The prompt, and the traces that it starts.

use super::trace::{submit_opening, submit_trace};
use crate::graph::Thresholds;
use crate::tui::app::{Busy, Message, Pane, State};
use crate::tui::dialogs::Dialog;
use crate::tui::dialogs::prompt::Prompt;
use crate::tui::runtime::jobs::{JobKey, RequestId};
use crate::tui::tabs::name_of;
use crate::tui::traced::Opening;
use crate::tui::ui::line::TextEdit;

const READ_PROMPT: JobKey = JobKey::new("prompt");

const NO_CHAT: &str = "The model has no chat template";

/// Traces `prompt`; a trace that is under way is stopped for it.
pub fn start_trace(state: &mut State, prompt: String) {
    let id = state.jobs.next_request();
    if let Some(before) = state.busy.replace(Busy::new(id, prompt.clone())) {
        state.jobs.stop_request(before.id);
    }
    submit_prompt(state, id, prompt);
    state.file = None;
}

/// Traces a prompt for the tab that waits for this request.
pub(super) fn submit_prompt(state: &mut State, id: RequestId, prompt: String) {
    submit_trace(state, id, Thresholds::default(), move |tracer, grown, monitor| tracer.trace(&prompt, grown, monitor));
}

/// Traces a message in the model's chat template. Waits for the template: nobody looks at the screen yet.
pub fn start_chat(state: &mut State, typed: String) {
    match state.jobs.services.tracer.as_ref().and_then(|tracer| tracer.in_chat(&typed)) {
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
    let id = state.jobs.next_request();
    let graph = graph.into();
    let prompt = match &graph {
        Opening::File(path) => name_of(path),
        Opening::Trace(trace) => trace.settings.prompt.clone(),
        Opening::Merged(_) => String::new(),
    };
    if let Opening::File(path) = &graph {
        state.files.insert(id, path.clone());
    }
    submit_opening(state, id, graph);
    let mut busy = Busy::new(id, prompt);
    busy.progress.phase = "opening";
    state.busy = Some(busy);
}

pub(in crate::tui) fn open_prompt(state: &mut State) {
    if state.jobs.services.tracer.is_none() {
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
    state.dialogs.open(prompt);
}

pub(in crate::tui) fn toggle_chat(state: &mut State) {
    let has_chat = state.jobs.services.tracer.as_ref().is_some_and(|tracer| tracer.has_chat());
    match state.dialogs.get_mut::<Prompt>() {
        Some(prompt) if has_chat => prompt.toggle_chat(),
        _ => state.warn(NO_CHAT),
    }
}

/// Requests the reading of the prompt where it changed.
pub(in crate::tui) fn ask_prompt(state: &mut State) {
    let Some(prompt) = state.dialogs.get_mut::<Prompt>() else { return };
    let Some((text, is_message)) = prompt.ask() else { return };
    state.jobs.submit(
        READ_PROMPT,
        move |services, _| {
            let tracer = services.tracer.as_ref().ok_or("there is no model to read it")?;
            match is_message.then(|| tracer.in_chat(&text)).flatten() {
                Some(prompt) => prompt.and_then(|prompt| tracer.read_prompt(&prompt)),
                None => tracer.read_prompt(&text),
            }
        },
        |state, reading| {
            if let Some(prompt) = state.dialogs.get_mut::<Prompt>()
                && prompt.take(reading)
            {
                trace_prompt(state);
            }
        },
    );
}

/// Traces the prompt, once it is read.
pub(in crate::tui) fn trace_prompt(state: &mut State) {
    let Some(prompt) = state.dialogs.get_mut::<Prompt>() else { return };
    if !prompt.accept() {
        return;
    }
    if let Some((prompt, message)) = prompt.ready() {
        state.dialogs.close_all();
        state.focus = Pane::Graph;
        if let Some(typed) = message {
            state.message = Some(Message { typed, prompt: prompt.clone() });
        }
        start_trace(state, prompt);
    }
}

pub(in crate::tui) fn take_nearest(state: &mut State) {
    if let Some(prompt) = state.dialogs.get_mut::<Prompt>() {
        prompt.take_nearest();
    }
}

/// Inserts pasted text, where there is a line for it.
pub(in crate::tui) fn paste(state: &mut State, text: &str) {
    // A line break at the end would become a token that nobody sees being typed.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    edit_text(state, TextEdit::Insert(text.trim_end_matches('\n').to_owned()));
}

pub(in crate::tui) fn edit_text(state: &mut State, edit: impl Into<TextEdit>) {
    let Some(dialog) = state.dialogs.top_mut() else { return };
    let had_room = dialog.edit(&edit.into());
    if !had_room {
        state.warn("This is longer than there is room for here: its end was left out");
    }
    state.dirty = true;
}

pub(in crate::tui) fn cancel(state: &mut State) {
    if super::verification::stop_check(state) || state.busy.is_none() && super::feature::stop_reading(state) {
        return;
    }
    if state.busy.is_none() && state.dialogs.is_empty() && super::fetch::stop_fetching(state) {
        return;
    }
    match &mut state.busy {
        Some(busy) => {
            busy.stopping = true;
            state.jobs.stop_request(busy.id);
        }
        None if !state.dialogs.is_empty() => {
            if let Some(cancel) = state.dialogs.top().map(Dialog::cancel) {
                cancel(state);
            }
        }
        None if state.tabs.is_busy() => state.say("What is under way is of another graph: turn to it to stop it"),
        None => state.say("Nothing is being traced; q leaves"),
    }
}
