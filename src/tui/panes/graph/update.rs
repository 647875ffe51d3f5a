//! Steps in the link graph.

use crate::tui::panes::graph::layout::Step;
use crate::tui::state::State;
use crate::tui::workspace::Reached;

pub(in crate::tui) fn step(state: &mut State, step: Step) {
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.step(step);
        state.panes.detail.scroll = 0;
    }
}

pub(in crate::tui) fn to_answer(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit
        && let Some(node) = circuit.answer()
    {
        circuit.go(node, Reached::Freely);
    }
}

pub(in crate::tui) fn to_token(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit
        && let Some(node) = circuit.token_below()
    {
        circuit.go(node, Reached::Freely);
    }
}
