//! What the commands do.

use crate::graph::{Edit, Thresholds};
use crate::tui::app::{Busy, Effect, Message, Pane, Popup, State};
pub use crate::tui::arrange::Step;
pub use crate::tui::circuit::Side;
use crate::tui::keymap::Key;
use crate::tui::popup::help::Help;
use crate::tui::popup::prompt::Prompt;
use crate::tui::trail::Reached;
use crate::tui::view;
use std::sync::Arc;
use tui_input::InputRequest;

const NO_CHAT: &str = "The model has no chat template";

/// Traces `prompt`; a trace that is under way is stopped for it.
pub fn start_trace(state: &mut State, prompt: String) {
    let generation = state.next_generation();
    state.effects.push(Effect::Trace { generation, prompt: prompt.clone() });
    state.busy = Some(Busy { generation, prompt, progress: Default::default(), stopping: false });
}

/// Traces a message in the model's chat template.
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

/// Makes the graph of a trace that was opened.
pub fn start_open(state: &mut State, trace: Arc<crate::graph::RawTrace>) {
    let generation = state.next_generation();
    let prompt = trace.settings.prompt.clone();
    state.effects.push(Effect::Open { generation, trace });
    state.busy = Some(Busy { generation, prompt, progress: Default::default(), stopping: false });
}

pub(super) fn step(state: &mut State, step: Step) {
    if let Some(circuit) = &mut state.circuit {
        circuit.step(step);
        state.detail_scroll = 0;
    }
}

pub(super) fn move_row(state: &mut State, by: isize) {
    if let Some(circuit) = &mut state.circuit {
        let last = circuit.links().kept.len().saturating_sub(1);
        circuit.row = circuit.row.saturating_add_signed(by).min(last);
    }
}

pub(super) fn scroll_detail(state: &mut State, by: isize) {
    let most = view::detail_overflow(state);
    state.detail_scroll = state.detail_scroll.min(most).saturating_add_signed(by).min(most);
}

pub(super) fn follow(state: &mut State) {
    let index = match (&state.circuit, state.focus) {
        (Some(circuit), Pane::Connections) => circuit.row,
        _ => 0,
    };
    go_along(state, index);
}

pub(super) fn jump(state: &mut State, key: Key) {
    if let Some(index) = key.digit().and_then(|digit| digit.checked_sub(1)) {
        go_along(state, index);
    }
}

fn go_along(state: &mut State, index: usize) {
    let Some(circuit) = &mut state.circuit else { return };
    if circuit.follow(index) {
        state.detail_scroll = 0;
    } else {
        let side = match circuit.side {
            Side::Inputs => "input",
            Side::Outputs => "output",
        };
        match circuit.links().kept.len() {
            0 => state.say(format!("No {side} of this node is kept")),
            n => state.say(format!("There is no {side} {}: {n} kept", index + 1)),
        }
    }
}

pub(super) fn set_side(state: &mut State, side: Side) {
    if let Some(circuit) = &mut state.circuit {
        circuit.set_side(side);
    }
}

pub(super) fn switch_side(state: &mut State) {
    if let Some(side) = state.circuit.as_ref().map(|circuit| circuit.side.other()) {
        set_side(state, side);
    }
}

pub(super) fn back(state: &mut State) {
    if state.circuit.as_mut().is_some_and(|circuit| !circuit.back()) {
        state.say("This is where the walk began");
    }
    state.detail_scroll = 0;
}

pub(super) fn forward(state: &mut State) {
    if state.circuit.as_mut().is_some_and(|circuit| !circuit.forward()) {
        state.say("This is where the walk ended");
    }
    state.detail_scroll = 0;
}

pub(super) fn to_answer(state: &mut State) {
    if let Some(circuit) = &mut state.circuit
        && let Some(node) = circuit.answer()
    {
        circuit.go(node, Reached::Freely);
    }
}

pub(super) fn to_token(state: &mut State) {
    if let Some(circuit) = &mut state.circuit
        && let Some(node) = circuit.token_below()
    {
        circuit.go(node, Reached::Freely);
    }
}

pub(super) fn nudge_nodes(state: &mut State, by: i32) {
    nudge(state, |thresholds| Thresholds { node: nudged(thresholds.node, 5 * by), ..thresholds });
}

pub(super) fn nudge_edges(state: &mut State, by: i32) {
    nudge(state, |thresholds| Thresholds { edge: nudged(thresholds.edge, by), ..thresholds });
}

/// Hundredths, so that going there and back ends where it began.
fn nudged(threshold: f64, hundredths: i32) -> f64 {
    ((threshold * 100.0).round() + f64::from(hundredths)).clamp(0.0, 100.0) / 100.0
}

fn nudge(state: &mut State, change: impl Fn(Thresholds) -> Thresholds) {
    let Some(circuit) = &mut state.circuit else { return };
    let after = change(circuit.edits.now().thresholds);
    if circuit.edits.apply(Edit::SetThresholds(after)) {
        prune_anew(state);
    }
}

pub(super) fn toggle_pin(state: &mut State) {
    if let Some(circuit) = &mut state.circuit {
        let node = circuit.selected();
        circuit.edits.apply(if circuit.is_pinned(node) { Edit::Unpin(node) } else { Edit::Pin(node) });
    }
}

pub(super) fn undo(state: &mut State) {
    let edit = state.circuit.as_mut().and_then(|circuit| circuit.edits.undo().cloned());
    changed_back(state, edit, "Undone");
}

pub(super) fn redo(state: &mut State) {
    let edit = state.circuit.as_mut().and_then(|circuit| circuit.edits.redo().cloned());
    changed_back(state, edit, "Done again");
}

fn changed_back(state: &mut State, edit: Option<Edit>, what: &str) {
    match edit {
        Some(Edit::SetThresholds(_)) => {
            state.say(format!("{what}: the change of thresholds"));
            prune_anew(state);
        }
        Some(Edit::Pin(_)) => state.say(format!("{what}: the pin")),
        Some(Edit::Unpin(_)) => state.say(format!("{what}: the unpinning")),
        None => state.say("There is no edit to go to"),
    }
}

fn prune_anew(state: &mut State) {
    let generation = state.next_generation();
    let Some(circuit) = &state.circuit else { return };
    let graph = Arc::clone(&circuit.traced.graph);
    let thresholds = circuit.edits.now().thresholds;
    state.effects.push(Effect::Prune { generation, graph, thresholds });
    state.pruning = Some(generation);
}

pub(super) fn cycle_pane(state: &mut State, by: isize) {
    let at = Pane::ALL.iter().position(|pane| *pane == state.focus).unwrap_or(0);
    let next = (at as isize + by).rem_euclid(Pane::ALL.len() as isize);
    state.focus = Pane::ALL[next as usize];
}

pub(super) fn open_prompt(state: &mut State) {
    if state.tracer.is_none() {
        state.warn("There is no model to trace a prompt with: this graph was opened from a file");
        return;
    }
    let text = match (&state.busy, &state.circuit) {
        (Some(busy), _) => busy.prompt.clone(),
        (None, Some(circuit)) => circuit.traced.trace.settings.prompt.clone(),
        (None, None) => String::new(),
    };
    let prompt = match &state.message {
        Some(message) if message.prompt == text => Prompt::new(message.typed.clone(), true),
        _ => Prompt::new(text, false),
    };
    state.popup = Some(Popup::Prompt(prompt));
}

pub(super) fn toggle_chat(state: &mut State) {
    let has_chat = state.tracer.as_ref().is_some_and(|tracer| tracer.in_chat("").is_some());
    match &mut state.popup {
        Some(Popup::Prompt(prompt)) if has_chat => prompt.toggle_chat(),
        _ => state.warn(NO_CHAT),
    }
}

pub(super) fn trace_prompt(state: &mut State) {
    let Some(Popup::Prompt(prompt)) = &mut state.popup else { return };
    if let Some((text, is_message)) = prompt.ready() {
        state.popup = None;
        state.focus = Pane::Graph;
        if is_message {
            start_chat(state, text);
        } else {
            start_trace(state, text);
        }
    }
}

pub(super) fn take_nearest(state: &mut State) {
    if let Some(Popup::Prompt(prompt)) = &mut state.popup {
        prompt.take_nearest();
    }
}

pub(super) fn close_popup(state: &mut State) {
    state.popup = None;
}

pub(super) fn open_help(state: &mut State) {
    state.popup = Some(Popup::Help(Help::default()));
}

pub(super) fn scroll_help(state: &mut State, by: isize) {
    let screen = view::popup_room(state.size);
    if let Some(Popup::Help(help)) = &mut state.popup {
        help.scroll_by(by, screen);
    }
}

pub(super) fn close_help(state: &mut State) {
    if let Some(Popup::Help(help)) = &mut state.popup
        && !help.clear_filter()
    {
        state.popup = None;
    }
}

pub(super) fn edit_text(state: &mut State, request: InputRequest) {
    match &mut state.popup {
        Some(Popup::Prompt(prompt)) => prompt.edit(request),
        Some(Popup::Help(help)) => help.edit(request),
        None => return,
    }
    state.dirty = true;
}

pub(super) fn escape(state: &mut State) {
    if state.busy.is_some() {
        cancel(state);
    } else {
        state.focus = Pane::Graph;
    }
}

pub(super) fn cancel(state: &mut State) {
    match &mut state.busy {
        Some(busy) => {
            busy.stopping = true;
            state.effects.push(Effect::StopTrace);
        }
        None if state.popup.is_some() => state.popup = None,
        None => state.say("Nothing is being traced; q leaves"),
    }
}

pub(super) fn quit(state: &mut State) {
    state.effects.push(Effect::Quit);
}

pub(super) fn suspend(state: &mut State) {
    state.effects.push(Effect::Suspend);
}

pub(super) fn redraw(state: &mut State) {
    state.effects.push(Effect::Redraw);
}
