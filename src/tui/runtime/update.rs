//! Changes of the state by messages.

use crate::tui::dialogs::Dialog;
use crate::tui::dialogs::intervene::update::request_effects;
use crate::tui::dialogs::verify::update::request_check;
use crate::tui::keymap::{Code, Command, Context, Key};
use crate::tui::panes::{PANES, graph};
use crate::tui::runtime::Msg;
use crate::tui::screen::commands::{edit_text, paste};
use crate::tui::screen::mouse::take_mouse;
use crate::tui::screen::tour::take_steps;
use crate::tui::screen::{inner, key_of};
use crate::tui::state::State;
use crate::tui::ui::TextEdit;
use crate::tui::workspace::filter::update::ask_filter;
use crate::tui::workspace::overview::request_overview;
use crate::tui::workspace::preview::follow_pointer;
use crate::tui::workspace::promoted::request_promoted;
use crate::tui::workspace::session::update::{SESSION, save_session, take_saving};
use crate::tui::workspace::stability::request_stability;
use std::time::Instant;
use tui_input::InputRequest;

/// Changes the state by a message. Says through [`Screen::dirty`](crate::tui::screen::Screen::dirty) whether the screen must follow.
pub fn update(state: &mut State, msg: Msg) {
    take(state, msg);
    if !state.shows_nodes()
        && let Some(held_back) = state.deferred.update.take()
    {
        held_back(state);
        state.screen.dirty = true;
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
                Meaning::Nothing
                    if !tells_unbound(state, *key) && state.screen.notice.is_none() || !typed.is_empty() =>
                {
                    continue;
                }
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
    if state.jobs.is_waiting(SESSION)
        || state.screen.prefix.is_some()
        || state.screen.keymap.lookup(context, key).is_some()
    {
        return Meaning::Does;
    }
    key.typed().filter(|_| context.reaches(Context::TEXT)).map_or(Meaning::Nothing, Meaning::Types)
}

fn take(state: &mut State, msg: Msg) {
    match msg {
        Msg::Key(key) => press(state, key),
        Msg::Typed(text) => {
            state.screen.notice = None;
            edit_text(state, TextEdit::Insert(text));
        }
        Msg::Mouse(mouse) => take_mouse(state, mouse),
        Msg::Paste(text) => paste(state, &text),
        Msg::Resize(width, height) => {
            state.screen.size = (width, height);
            state.screen.dirty = true;
        }
        Msg::Background(ground) => state.screen.dirty |= state.screen.look.stand_on(ground),
        Msg::Tick => {
            state.screen.ticks = state.screen.ticks.wrapping_add(1);
            state.jobs.look_at_progress();
            let now = Instant::now();
            let fetching = state.features.fetching.as_mut().map(|(busy, _)| busy);
            for busy in state.workspace.busy.iter_mut().chain(fetching).chain(state.workspace.tabs.busy()) {
                if let Some(progress) = state.jobs.progress_of(busy.id) {
                    busy.note_progress(progress.clone(), now);
                }
            }
            state.screen.dirty = true;
        }
        Msg::Done(update) => {
            update(state);
            state.screen.dirty = true;
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
        update(state, Msg::Done(Box::new(|state| take_saving(state, news))));
    }
    state.jobs.start();
}

fn press(state: &mut State, key: Key) {
    let context = state.context();
    let command = state.screen.keymap.lookup(context, key);
    if state.jobs.is_waiting(SESSION) && !command.is_some_and(acts_at_once) {
        state.deferred.keys.push(key);
        return;
    }
    state.screen.dirty |= state.screen.notice.take().is_some();
    let prefix = state.screen.prefix.take();
    state.screen.dirty |= prefix.is_some();
    state.screen.n_keys += 1;
    if let Some(command) = command {
        (command.run)(state, key);
        state.screen.dirty = true;
    } else if let Some(c) = key.typed()
        && context.reaches(Context::TEXT)
    {
        edit_text(state, InputRequest::InsertChar(c));
        state.screen.dirty = true;
    } else if key != CLOSES && state.screen.told_unbound.insert((context, key)) {
        let charset = state.screen.look.glyphs.charset;
        let first = prefix.and_then(Context::prefix).map_or_else(String::new, |name| key_of(name, state) + " ");
        let (key, help) = (state.screen.look.glyphs.visible(&key.label(charset)), key_of("help", state));
        state.screen.say(format!("{first}{key} does nothing here; {help} lists the keys"));
        state.screen.dirty = true;
    }
}

/// Key that does nothing but to give up the first of two keys, which needs no word.
const CLOSES: Key = Key::plain(Code::Esc);

/// Returns true where it was not said yet that a key without a command does nothing here.
fn tells_unbound(state: &State, key: Key) -> bool {
    key != CLOSES && !state.screen.told_unbound.contains(&(state.context(), key))
}

/// Returns true for a command that does not wait for a session to be read: it does nothing to the graph, and opens
/// nothing that takes the keys which wait.
fn acts_at_once(command: &Command) -> bool {
    command.context == Context::ANYWHERE && command.name != "help"
}

/// Starts the work that follows from any change: that of the dialog on top, that of the panes, and that of the graph on
/// the screen.
fn schedule_jobs(state: &mut State) {
    if let Some(update) = state.dialogs.top().map(Dialog::update) {
        update(state);
    }
    state.screen.windows.note_focus(state.screen.focus);
    state.screen.windows.graph_rows = graph::update::n_rows(state);
    follow_pointer(state);
    let layout = state.screen.layout().unwrap_or_default();
    for pane in PANES {
        pane.update(state, layout.of(*pane).map(inner));
    }
    if state.workspace.circuit.is_none() {
        return;
    }
    take_steps(state);
    request_promoted(state);
    request_overview(state);
    request_effects(state);
    request_check(state);
    request_stability(state);
    ask_filter(state);
    save_session(state);
}
