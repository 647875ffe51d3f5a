//! Movement in the contexts of features.

use crate::tui::dialogs::contexts::Contexts;
use crate::tui::panes::feature;
use crate::tui::panes::feature::lookup::members;
use crate::tui::state::State;
use ratatui::layout::Rect;

/// Returns the room of the contexts, and the text searched for in them.
pub(in crate::tui) fn shown(state: &State) -> Option<(Rect, String)> {
    match state.dialogs.get::<Contexts>() {
        Some(contexts) => Some((contexts.room(state.screen.dialog_room()), contexts.wanted().to_owned())),
        None => feature::view::room(state).map(|room| (room, String::new())),
    }
}

pub(in crate::tui) fn scroll_contexts(state: &mut State, by: isize) {
    let Some((room, wanted)) = shown(state) else { return };
    let most = feature::view::overflow(state, room, &wanted);
    let pane = &mut state.panes.feature;
    pane.scroll = pane.scroll.min(most).saturating_add_signed(by).min(most);
}

/// Shifts contexts, at most by the length of a long one.
pub(in crate::tui) fn shift_contexts(state: &mut State, by: isize) {
    const MOST: isize = 1_000;
    let pane = &mut state.panes.feature;
    pane.shift = (pane.shift + by).clamp(-MOST, MOST);
}

/// Turns to another member of the supernode, or to all of them together.
pub(in crate::tui) fn turn_member(state: &mut State, by: isize) {
    let n = state.workspace.circuit.as_ref().map_or(0, |circuit| members(circuit).len());
    if n < 2 {
        state.screen.say("This feature is in no supernode with others");
        return;
    }
    let pane = &mut state.panes.feature;
    pane.turn = (pane.turn.min(n) as isize + by).rem_euclid(n as isize + 1) as usize;
    (pane.scroll, pane.shift) = (0, 0);
}

pub(in crate::tui) fn toggle_repeated(state: &mut State) {
    let pane = &mut state.panes.feature;
    pane.unfolded = !pane.unfolded;
}
