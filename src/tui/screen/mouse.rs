//! Gestures of the mouse. What each does can be done by keys too.

use crate::tui::screen::layout::Slot;
use crate::tui::screen::{inner, tab_at};
use crate::tui::state::State;
use crate::tui::workspace::preview::look_at;
use ratatui::layout::Position;

/// Gesture of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// The left button goes down.
    Press,
    /// The mouse moves while the button is down.
    Drag,
    /// The button is let go.
    Release,
    /// The mouse moves while no button is down.
    Move,
    /// The wheel turns away from the user.
    WheelUp,
    /// The wheel turns towards the user.
    WheelDown,
}

/// Gesture of the mouse, and its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// The gesture.
    pub gesture: Gesture,
    /// Column of the cell.
    pub x: u16,
    /// Line of the cell.
    pub y: u16,
}

/// Rows that the wheel moves at a time.
const NOTCH: isize = 3;

/// Takes a gesture of the mouse. Dialogs over the panes are left to the keys.
pub(in crate::tui) fn take_mouse(state: &mut State, mouse: Mouse) {
    let cell = Position { x: mouse.x, y: mouse.y };
    let Some(panes) = state.screen.layout().filter(|_| state.dialogs.is_empty()) else { return };
    let under = panes.slots.iter().find(|slot| slot.area.contains(cell));
    if mouse.gesture == Gesture::Move {
        let room = |slot: &Slot| inner(slot.area);
        let slot = under.filter(|slot| room(slot).contains(cell));
        let node = slot.and_then(|slot| slot.shown.node_at(state, room(slot), cell));
        return look_at(state, node);
    }
    match (mouse.gesture, under) {
        (Gesture::Release | Gesture::Move, _) => state.screen.windows.dragged = None,
        (Gesture::Drag, _) => state.screen.windows.drag(&panes, cell),
        (Gesture::Press, _) if panes.border_at(cell).is_some() => state.screen.windows.dragged = panes.border_at(cell),
        (_, None) => return,
        (Gesture::Press, Some(slot)) => {
            let had_focus = state.screen.focus == slot.shown;
            state.screen.focus = tab_at(slot, cell).unwrap_or(slot.shown);
            if inner(slot.area).contains(cell) {
                slot.shown.click(state, inner(slot.area), cell, had_focus);
            }
        }
        (Gesture::WheelUp, Some(slot)) => slot.shown.scroll(state, -NOTCH),
        (Gesture::WheelDown, Some(slot)) => slot.shown.scroll(state, NOTCH),
    }
    state.screen.notice = None;
    state.screen.dirty = true;
}
