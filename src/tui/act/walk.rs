//! Walk from node to node.

use crate::tui::app::{Pane, State};
use crate::tui::circuit::Side;
use crate::tui::graph_layout::Step;
use crate::tui::history::Reached;
use crate::tui::keymap::Key;
use crate::tui::view;

pub(in crate::tui) fn step(state: &mut State, step: Step) {
    if let Some(circuit) = &mut state.circuit {
        circuit.step(step);
        state.detail_scroll = 0;
    }
}

pub(in crate::tui) fn follow(state: &mut State) {
    match (&state.circuit, state.focus) {
        (Some(circuit), Pane::Connections) => go_along(state, circuit.row),
        (_, Pane::Tree) => super::go_to_branch(state),
        (_, Pane::Subgraph) => super::go_to_box(state),
        _ => go_along(state, 0),
    }
}

pub(in crate::tui) fn jump(state: &mut State, key: Key) {
    if let Some(index) = key.digit().and_then(|digit| digit.checked_sub(1)) {
        go_along(state, index);
    }
}

fn go_along(state: &mut State, index: usize) {
    let Some(circuit) = &mut state.circuit else { return };
    let dropped = circuit.links().kept.get(index).filter(|link| !circuit.kept().has_node(link.other));
    if let Some(link) = dropped {
        let name = circuit.name(link.other, &state.look.glyphs);
        let more = view::key_of("nodes-more", state);
        state.say(format!("Pruning dropped {name}: {more} keeps more nodes"));
        return;
    }
    if circuit.follow(index) {
        state.detail_scroll = 0;
    } else {
        let side = circuit.side.name();
        match circuit.links().kept.len() {
            0 if circuit.side == Side::Inhibitors => state.say("Nothing restrains this node"),
            0 => state.say(format!("No {side} of this node is kept")),
            n if circuit.side == Side::Inhibitors => state.say(format!("There is no {side} {}: {n} listed", index + 1)),
            n => state.say(format!("There is no {side} {}: {n} kept", index + 1)),
        }
    }
}

pub(in crate::tui) fn set_side(state: &mut State, side: Side) {
    if let Some(circuit) = &mut state.circuit {
        circuit.set_side(side);
    }
}

/// Turns to the next list of connections, or the one before.
pub(in crate::tui) fn turn_side(state: &mut State, by: isize) {
    let Some(circuit) = &state.circuit else { return };
    let at = Side::ALL.iter().position(|side| *side == circuit.side).unwrap_or(0);
    set_side(state, Side::ALL[at.saturating_add_signed(by).min(Side::ALL.len() - 1)]);
}

/// Turns to the list of the selected node's inhibitors.
pub(in crate::tui) fn to_inhibitors(state: &mut State) {
    set_side(state, Side::Inhibitors);
    state.focus = Pane::Connections;
}

pub(in crate::tui) fn switch_side(state: &mut State) {
    // A held tree has a side of its own.
    let turned = state.focus == Pane::Tree && state.circuit.as_mut().is_some_and(|circuit| circuit.tree.turn());
    if !turned && let Some(side) = state.circuit.as_ref().map(|circuit| circuit.side.other()) {
        set_side(state, side);
    }
}

pub(in crate::tui) fn back(state: &mut State) {
    if state.circuit.as_mut().is_some_and(|circuit| !circuit.back()) {
        state.say("This is where the walk began");
    }
    state.detail_scroll = 0;
}

pub(in crate::tui) fn forward(state: &mut State) {
    if state.circuit.as_mut().is_some_and(|circuit| !circuit.forward()) {
        state.say("This is where the walk ended");
    }
    state.detail_scroll = 0;
}

pub(in crate::tui) fn to_answer(state: &mut State) {
    if let Some(circuit) = &mut state.circuit
        && let Some(node) = circuit.answer()
    {
        circuit.go(node, Reached::Freely);
    }
}

pub(in crate::tui) fn to_token(state: &mut State) {
    if let Some(circuit) = &mut state.circuit
        && let Some(node) = circuit.token_below()
    {
        circuit.go(node, Reached::Freely);
    }
}
