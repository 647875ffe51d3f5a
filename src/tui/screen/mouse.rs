//! Gestures of the mouse that the program uses.

use crate::tui::dialogs::picker::update::open_cell;
use crate::tui::panes::connections::update::{move_row, set_side};
use crate::tui::panes::connections::view::link_at;
use crate::tui::panes::detail::update::scroll_detail;
use crate::tui::panes::feature::update::scroll_contexts;
use crate::tui::panes::graph::layout::Step;
use crate::tui::panes::graph::view::node_at;
use crate::tui::panes::subgraph::update::{go_to_box, step_box};
use crate::tui::panes::subgraph::view::box_at;
use crate::tui::panes::tree::view::branch_at;
use crate::tui::panes::{Pane, graph, tree};
use crate::tui::screen::layout::inner;
use crate::tui::screen::tab_at;
use crate::tui::state::State;
use crate::tui::workspace::walking::{follow, go_to};
use ratatui::layout::{Position, Rect};

/// Gesture of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// The left button goes down.
    Press,
    /// The mouse moves while the button is down.
    Drag,
    /// The button is let go.
    Release,
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
    match (mouse.gesture, under) {
        (Gesture::Release, _) => state.screen.windows.dragged = None,
        (Gesture::Drag, _) => state.screen.windows.drag(&panes, cell),
        (Gesture::Press, _) if panes.border_at(cell).is_some() => state.screen.windows.dragged = panes.border_at(cell),
        (_, None) => return,
        (Gesture::Press, Some(slot)) => {
            let had_focus = state.screen.focus == slot.shown;
            state.screen.focus = tab_at(slot, cell).unwrap_or(slot.shown);
            if inner(slot.area).contains(cell) {
                press(state, slot.shown, inner(slot.area), cell, had_focus);
            }
        }
        (Gesture::WheelUp, Some(slot)) => turn(state, slot.shown, -NOTCH),
        (Gesture::WheelDown, Some(slot)) => turn(state, slot.shown, NOTCH),
    }
    state.screen.notice = None;
    state.screen.dirty = true;
}

/// Selects the item at a cell; on the selected one it does what Enter does, and opens or closes a branch.
fn press(state: &mut State, pane: Pane, inner: Rect, cell: Position, had_focus: bool) {
    let Some(circuit) = &state.workspace.circuit else { return };
    match pane {
        Pane::Graph => {
            if let Some(node) = node_at(circuit, inner, cell) {
                let is_cluster = circuit.panes.layout.place(node).is_some_and(|place| !place.alone);
                let is_in_it = is_cluster && circuit.cell_of(node).contains(&circuit.selected());
                if !is_in_it {
                    go_to(state, node);
                }
                if is_cluster {
                    open_cell(state);
                }
            }
        }
        Pane::Connections => {
            if let Some((side, row)) = link_at(circuit, inner, cell) {
                let again = had_focus && (circuit.connections.side, circuit.connections.row) == (side, row);
                set_side(state, side);
                if let Some(circuit) = &mut state.workspace.circuit {
                    circuit.connections.row = row;
                }
                if again {
                    follow(state);
                }
            }
        }
        Pane::Tree => {
            if let Some(at) = branch_at(circuit, inner, cell) {
                let again = had_focus && circuit.panes.tree.at() == at;
                tree::update::tree(state, |tree| if again { tree.toggle() } else { tree.move_to(at) });
            }
        }
        Pane::Subgraph => {
            if let Some(at) = box_at(state, circuit, inner, cell) {
                let again = had_focus && circuit.panes.box_at == at;
                if let Some(circuit) = &mut state.workspace.circuit {
                    circuit.panes.box_at = at;
                }
                if again {
                    go_to_box(state);
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
        Pane::Graph => graph::update::step(state, step),
        Pane::Connections => move_row(state, by),
        Pane::Detail => scroll_detail(state, by),
        Pane::Feature => scroll_contexts(state, by),
        Pane::Tree => tree::update::tree(state, |tree| tree.move_by(by)),
        Pane::Subgraph => step_box(state, step),
    }
}
