//! Commands on the panes as a whole, and on the program.

use crate::tui::dialogs::Dialog;
use crate::tui::dialogs::fetch::stop_fetching;
use crate::tui::dialogs::verify::update::stop_check;
use crate::tui::keymap::Context;
use crate::tui::panes::feature::lookup::stop_reading;
use crate::tui::panes::{PANES, graph};
use crate::tui::runtime::Effect;
use crate::tui::screen::tour::leave_tour;
use crate::tui::state::State;
use crate::tui::ui::TextEdit;

/// Waits for the next key, to be looked up in `context`.
pub(in crate::tui) fn await_key(state: &mut State, context: Context) {
    state.screen.prefix = Some(context);
}

/// Takes the mouse, or leaves it to the terminal and its own selection.
pub(in crate::tui) fn toggle_mouse(state: &mut State) {
    state.screen.mouse = !state.screen.mouse;
    state.screen.effects.push(Effect::Mouse(state.screen.mouse));
    let says = if state.screen.mouse { "The mouse works here" } else { "The mouse is the terminal's: it selects text" };
    state.screen.say(says);
}

pub(in crate::tui) fn cycle_pane(state: &mut State, by: isize) {
    let at = PANES.iter().position(|pane| *pane == state.screen.focus).unwrap_or(0);
    let next = (at as isize + by).rem_euclid(PANES.len() as isize);
    state.screen.focus = PANES[next as usize];
}

pub(in crate::tui) fn close_dialog(state: &mut State) {
    state.dialogs.close();
}

pub(in crate::tui) fn escape(state: &mut State) {
    if state.screen.tour.is_some() {
        leave_tour(state);
    } else if state.workspace.busy.is_some() || state.features.fetching.as_ref().is_some_and(|(busy, _)| !busy.stopping)
    {
        cancel(state);
    } else if state.screen.windows.zoomed {
        state.screen.windows.zoomed = false;
    } else if let Some(circuit) = state.workspace.circuit.as_mut().filter(|circuit| !circuit.marks.path.is_empty()) {
        circuit.marks.path.clear();
    } else {
        state.screen.focus = graph::PANE;
    }
}

/// Leaves the program once everything is saved.
pub(in crate::tui) fn quit(state: &mut State) {
    state.sessions.save_all();
}

pub(in crate::tui) fn suspend(state: &mut State) {
    state.screen.effects.push(Effect::Suspend);
}

pub(in crate::tui) fn redraw(state: &mut State) {
    state.screen.effects.push(Effect::Redraw);
}

/// Gives the focused pane all of the room, or takes it back.
pub(in crate::tui) fn toggle_zoom(state: &mut State) {
    state.screen.windows.zoomed = !state.screen.windows.zoomed;
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
        state.screen.warn("This is longer than there is room for here: its end was left out");
    }
    state.screen.dirty = true;
}

pub(in crate::tui) fn cancel(state: &mut State) {
    if stop_check(state) || state.workspace.busy.is_none() && stop_reading(state) {
        return;
    }
    if state.workspace.busy.is_none() && state.dialogs.is_empty() && stop_fetching(state) {
        return;
    }
    match &mut state.workspace.busy {
        Some(busy) => {
            busy.stopping = true;
            state.jobs.stop_request(busy.id);
        }
        None if !state.dialogs.is_empty() => {
            if let Some(cancel) = state.dialogs.top().map(Dialog::cancel) {
                cancel(state);
            }
        }
        None if state.workspace.tabs.is_busy() => {
            state.screen.say("What is under way is of another graph: turn to it to stop it")
        }
        None => state.screen.say("Nothing is being traced; q leaves"),
    }
}
