//! Changes of the state by messages.

use crate::tui::act;
use crate::tui::app::{Pane, State};
use crate::tui::keymap::{Context, Key, lookup};
use crate::tui::message::Msg;
use crate::tui::ui::line::TextEdit;
use std::time::Instant;
use tui_input::InputRequest;

/// Changes the state by a message. Says through [`State::dirty`] whether the screen must follow.
pub fn update(state: &mut State, msg: Msg) {
    take(state, msg);
    if !state.shows_nodes()
        && let Some(held_back) = state.held_back.take()
    {
        held_back(state);
        state.dirty = true;
    }
    schedule_jobs(state);
}

/// Changes the state by all messages so far, as [`update`] does. Text that was typed into a line is put in at once: it
/// is read, searched for and saved once, however long it is.
pub fn update_all(state: &mut State, msgs: impl IntoIterator<Item = Msg>) {
    let mut typed = String::new();
    for msg in msgs {
        if let Msg::Key(key) = &msg {
            match meaning(state, *key) {
                Meaning::Types(c) => {
                    typed.push(c);
                    continue;
                }
                Meaning::Nothing if state.notice.is_none() || !typed.is_empty() => continue,
                Meaning::Nothing | Meaning::Does => {}
            }
        }
        if !typed.is_empty() {
            update(state, Msg::Typed(std::mem::take(&mut typed)));
        }
        update(state, msg);
    }
    if !typed.is_empty() {
        update(state, Msg::Typed(typed));
    }
}

/// Meaning of a key.
enum Meaning {
    /// A character of the line that is being written.
    Types(char),
    /// A command, or one of two keys.
    Does,
    /// Nothing, but that a key was pressed.
    Nothing,
}

fn meaning(state: &State, key: Key) -> Meaning {
    let context = state.context();
    if state.jobs.is_waiting(act::SESSION) || state.prefix.is_some() || lookup(context, key).is_some() {
        return Meaning::Does;
    }
    key.typed().filter(|_| context.reaches(Context::TEXT)).map_or(Meaning::Nothing, Meaning::Types)
}

fn take(state: &mut State, msg: Msg) {
    match msg {
        Msg::Key(key) => press(state, key),
        Msg::Typed(text) => {
            state.notice = None;
            act::edit_text(state, TextEdit::Insert(text));
        }
        Msg::Mouse(mouse) => act::take_mouse(state, mouse),
        Msg::Paste(text) => act::paste(state, &text),
        Msg::Resize(width, height) => {
            state.size = (width, height);
            state.dirty = true;
        }
        Msg::Background(ground) => state.dirty |= state.look.stand_on(ground),
        Msg::Tick => {
            state.ticks = state.ticks.wrapping_add(1);
            state.jobs.look_at_progress();
            let now = Instant::now();
            let fetching = state.fetching.as_mut().map(|(busy, _)| busy);
            for busy in state.busy.iter_mut().chain(fetching).chain(state.tabs.busy()) {
                if let Some(progress) = state.jobs.progress_of(busy.id) {
                    busy.hear(progress.clone(), now);
                }
            }
            state.dirty = true;
        }
        Msg::Done(update) => {
            update(state);
            state.dirty = true;
        }
    }
}

/// Changes the state by all results of jobs and of saving, and starts the jobs that wait.
pub fn take_results(state: &mut State) {
    for lane in 0..state.jobs.n_lanes() {
        if let Some(told) = state.jobs.told(lane) {
            update(state, Msg::Done(told));
        }
        while let Some(result) = state.jobs.result(lane) {
            update(state, Msg::Done(result));
        }
    }
    for news in state.sessions.news() {
        update(state, Msg::Done(Box::new(|state| act::take_saving(state, news))));
    }
    state.jobs.start();
}

fn press(state: &mut State, key: Key) {
    let context = state.context();
    let command = lookup(context, key);
    if state.jobs.is_waiting(act::SESSION) && command.is_none_or(|command| command.context != Context::ANYWHERE) {
        state.held.push(key);
        return;
    }
    state.dirty |= state.notice.take().is_some();
    state.dirty |= state.prefix.take().is_some();
    if let Some(command) = command {
        (command.run)(state, key);
        state.dirty = true;
    } else if let Some(c) = key.typed()
        && context.reaches(Context::TEXT)
    {
        act::edit_text(state, InputRequest::InsertChar(c));
        state.dirty = true;
    }
}

/// Starts the work that follows from any change: the prompt is read as it is typed, the layout fits its pane, and the
/// selected feature's tokens are asked for.
fn schedule_jobs(state: &mut State) {
    act::ask_picker(state);
    act::ask_prompt(state);
    state.windows.note_focus(state.focus);
    act::weigh_pinned(state);
    let panes = state.panes().unwrap_or_default();
    let room = panes.graph_room();
    act::request_feature(state);
    let Some(circuit) = &mut state.circuit else { return };
    if panes.of(Pane::Tree).is_some() {
        circuit.grow_tree();
    }
    if let Some(room) = room.map(|room| (room.width, room.height))
        && (circuit.layout.room != room || circuit.layout.rows.is_empty())
    {
        circuit.arrange(&state.look.glyphs, room);
    }
    act::request_promoted(state);
    act::request_effects(state);
    act::request_check(state);
    act::request_stability(state);
    act::read_filter(state);
    act::ask_filter(state);
    act::save_session(state);
}
