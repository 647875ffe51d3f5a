//! Reading of the prompt as it is typed, and the trace that it starts.

use crate::demo;
use crate::tui::dialogs::prompt::Prompt;
use crate::tui::panes::graph;
use crate::tui::runtime::JobKey;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::workspace::tracing::{NO_CHAT, trace_beside};
use crate::tui::workspace::{Message, Written};

const READ_PROMPT: JobKey = JobKey::new("prompt");

pub(in crate::tui) fn open_prompt(state: &mut State) {
    if state.jobs.services.tracer.is_none() {
        state.screen.warn("There is no model to trace a prompt with: this graph was opened from a file");
        return;
    }
    let text = match (&state.workspace.busy, &state.workspace.circuit) {
        (Some(busy), _) => busy.prompt.clone(),
        (None, Some(circuit)) => circuit.traced.document.origin.prompt.clone(),
        (None, None) => String::new(),
    };
    let now = match &state.workspace.message {
        Some(message) if message.prompt == text => Written { text: message.typed.clone(), is_message: true },
        _ => Written { text, is_message: false },
    };
    let mut earlier = state.workspace.prompts.clone();
    if state.jobs.services.tracer.as_ref().is_some_and(|tracer| tracer.model_name() == demo::NAME) {
        // The demo's questions stand before all that was asked, so that they are found by going back.
        let stories = demo::STORIES.map(|(prompt, _)| Written { text: prompt.to_owned(), is_message: false });
        let unasked: Vec<Written> = stories.into_iter().filter(|story| !earlier.contains(story)).collect();
        earlier.splice(0..0, unasked);
    }
    state.dialogs.open(Prompt::new(now, earlier));
}

pub(in crate::tui) fn toggle_chat(state: &mut State) {
    let has_chat = state.jobs.services.tracer.as_ref().is_some_and(|tracer| tracer.has_chat());
    match state.dialogs.get_mut::<Prompt>() {
        Some(prompt) if has_chat => prompt.toggle_chat(),
        _ => state.screen.warn(NO_CHAT),
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

/// Writes an earlier prompt into a line that is empty, or as it was opened or recalled; `by` is 1 for an older one.
pub(in crate::tui) fn recall_prompt(state: &mut State, by: isize) {
    if let Some(prompt) = state.dialogs.get_mut::<Prompt>() {
        prompt.recall(by);
    }
}

/// Traces the prompt, once it is read. A graph that is still being traced is not given up for it.
pub(in crate::tui) fn trace_prompt(state: &mut State) {
    let is_growing = state.workspace.circuit.is_some() && state.workspace.busy.is_some();
    if is_growing || state.workspace.tabs.is_busy() {
        let stops = key_of("cancel", state);
        state.screen.warn(if is_growing {
            format!("A trace is under way: {stops} stops it and keeps what there is")
        } else {
            "A trace of another graph is under way: wait for its end, or stop it there".to_owned()
        });
        return;
    }
    let Some(prompt) = state.dialogs.get_mut::<Prompt>() else { return };
    if !prompt.accept() {
        return;
    }
    if let Some((prompt, message)) = prompt.ready() {
        state.dialogs.close_all();
        state.screen.focus = graph::PANE;
        if let Some(typed) = message {
            state.workspace.message = Some(Message { typed, prompt: prompt.clone() });
        }
        trace_beside(state, prompt);
    }
}

pub(in crate::tui) fn take_nearest(state: &mut State) {
    if let Some(prompt) = state.dialogs.get_mut::<Prompt>() {
        prompt.take_nearest();
    }
}
