//! Commands on panes, dialogs, and the program itself.

use super::cancel;
use crate::tui::app::{Pane, State};
use crate::tui::dialogs::help::Help;
use crate::tui::dialogs::unsaved::Unsaved;
use crate::tui::effect::Effect;
use crate::tui::view;

pub(in crate::tui) fn cycle_pane(state: &mut State, by: isize) {
    let at = Pane::ALL.iter().position(|pane| *pane == state.focus).unwrap_or(0);
    let next = (at as isize + by).rem_euclid(Pane::ALL.len() as isize);
    state.focus = Pane::ALL[next as usize];
}

pub(in crate::tui) fn close_dialog(state: &mut State) {
    state.dialogs.close();
}

pub(in crate::tui) fn open_help(state: &mut State) {
    state.dialogs.open(Help::new(state.focus.context()));
}

pub(in crate::tui) fn scroll_help(state: &mut State, by: isize) {
    let screen = view::dialog_room(state.size);
    if let Some(help) = state.dialogs.get_mut::<Help>() {
        help.scroll_by(by, screen, &state.look.glyphs);
    }
}

pub(in crate::tui) fn close_help(state: &mut State) {
    if let Some(help) = state.dialogs.get_mut::<Help>()
        && !help.clear_filter()
    {
        state.dialogs.close_all();
    }
}

pub(in crate::tui) fn escape(state: &mut State) {
    if state.busy.is_some() || state.fetching.as_ref().is_some_and(|(busy, _)| !busy.stopping) {
        cancel(state);
    } else if state.windows.zoomed {
        state.windows.zoomed = false;
    } else if let Some(circuit) = state.circuit.as_mut().filter(|circuit| !circuit.marks.path.is_empty()) {
        circuit.marks.path.clear();
    } else {
        state.focus = Pane::Graph;
    }
}

/// Leaves the program once everything is saved.
pub(in crate::tui) fn quit(state: &mut State) {
    state.sessions.save_all();
}

/// Leaves the program, or asks whether to where something could not be saved.
pub(super) fn leave(state: &mut State) {
    match state.unsaved.first() {
        None => state.effects.push(Effect::Quit),
        Some(_) if state.dialogs.is_empty() => state.dialogs.open(Unsaved),
        // A user who has gone on to something else meanwhile does not leave now.
        Some(why) => {
            let why = format!("not saved: {why}");
            state.warn(why);
        }
    }
}

/// Takes the reasons why sessions are not saved.
pub(super) fn take_unsaved(state: &mut State, unsaved: Vec<String>) {
    if unsaved.is_empty() && state.dialogs.is::<Unsaved>() {
        state.dialogs.close_all();
    }
    state.unsaved = unsaved;
}

pub(in crate::tui) fn suspend(state: &mut State) {
    state.effects.push(Effect::Suspend);
}

pub(in crate::tui) fn redraw(state: &mut State) {
    state.effects.push(Effect::Redraw);
}

/// Gives the focused pane all of the room, or takes it back.
pub(in crate::tui) fn toggle_zoom(state: &mut State) {
    state.windows.zoomed = !state.windows.zoomed;
}
