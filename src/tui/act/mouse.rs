//! Commands of the mouse. Each can be given by keys too.

use super::find::go_to;
use crate::tui::app::{Pane, State};
use crate::tui::effect::Effect;
use crate::tui::graph_layout::Step;
use crate::tui::layout::inner;
use crate::tui::mouse::{Gesture, Mouse};
use crate::tui::view;
use ratatui::layout::{Position, Rect};

/// Rows that the wheel moves at a time.
const NOTCH: isize = 3;

/// Takes the mouse, or leaves it to the terminal and its own selection.
pub(in crate::tui) fn toggle_mouse(state: &mut State) {
    state.mouse = !state.mouse;
    state.effects.push(Effect::Mouse(state.mouse));
    let says = if state.mouse { "The mouse works here" } else { "The mouse is the terminal's: it selects text" };
    state.say(says);
}

/// Takes a gesture of the mouse. Dialogs over the panes are left to the keys.
pub(in crate::tui) fn take_mouse(state: &mut State, mouse: Mouse) {
    let cell = Position { x: mouse.x, y: mouse.y };
    let Some(panes) = state.panes().filter(|_| state.dialogs.is_empty()) else { return };
    let under = panes.slots.iter().find(|slot| slot.area.contains(cell));
    match (mouse.gesture, under) {
        (Gesture::Release, _) => state.windows.dragged = None,
        (Gesture::Drag, _) => state.windows.drag(&panes, cell),
        (Gesture::Press, _) if panes.border_at(cell).is_some() => state.windows.dragged = panes.border_at(cell),
        (_, None) => return,
        (Gesture::Press, Some(slot)) => {
            let had_focus = state.focus == slot.shown;
            state.focus = view::tab_at(slot, cell).unwrap_or(slot.shown);
            if inner(slot.area).contains(cell) {
                press(state, slot.shown, inner(slot.area), cell, had_focus);
            }
        }
        (Gesture::WheelUp, Some(slot)) => turn(state, slot.shown, -NOTCH),
        (Gesture::WheelDown, Some(slot)) => turn(state, slot.shown, NOTCH),
    }
    state.notice = None;
    state.dirty = true;
}

/// Selects the item at a cell; on the selected one it does what Enter does, and opens or closes a branch.
fn press(state: &mut State, pane: Pane, inner: Rect, cell: Position, had_focus: bool) {
    let Some(circuit) = &state.circuit else { return };
    match pane {
        Pane::Graph => {
            if let Some(node) = view::node_at(circuit, inner, cell) {
                let is_cluster = circuit.layout.place(node).is_some_and(|place| !place.alone);
                let is_in_it = is_cluster && circuit.cell_of(node).contains(&circuit.selected());
                if !is_in_it {
                    go_to(state, node);
                }
                if is_cluster {
                    super::open_cell(state);
                }
            }
        }
        Pane::Connections => {
            if let Some((side, row)) = view::link_at(circuit, inner, cell) {
                let again = had_focus && (circuit.side, circuit.row) == (side, row);
                super::set_side(state, side);
                if let Some(circuit) = &mut state.circuit {
                    circuit.row = row;
                }
                if again {
                    super::follow(state);
                }
            }
        }
        Pane::Tree => {
            if let Some(at) = view::branch_at(circuit, inner, cell) {
                let again = had_focus && circuit.tree.at() == at;
                super::tree(state, |tree| if again { tree.toggle() } else { tree.move_to(at) });
            }
        }
        Pane::Subgraph => {
            if let Some(at) = view::box_at(state, circuit, inner, cell) {
                let again = had_focus && circuit.box_at == at;
                if let Some(circuit) = &mut state.circuit {
                    circuit.box_at = at;
                }
                if again {
                    super::go_to_box(state);
                }
            }
        }
        Pane::Detail | Pane::Feature => {}
    }
}

/// Moves through the pane under the pointer by the wheel.
fn turn(state: &mut State, pane: Pane, by: isize) {
    let step = if by < 0 { Step::Up } else { Step::Down };
    match pane {
        Pane::Graph => super::step(state, step),
        Pane::Connections => super::move_row(state, by),
        Pane::Detail => super::scroll_detail(state, by),
        Pane::Feature => super::scroll_contexts(state, by),
        Pane::Tree => super::tree(state, |tree| tree.move_by(by)),
        Pane::Subgraph => super::step_box(state, step),
    }
}
