//! Steps in the link graph.

use crate::tui::panes::graph::layout::Step;
use crate::tui::state::State;
use crate::tui::workspace::Reached;

/// Returns the number of rows of the graph on the screen, arranged anew where it was not yet; 0 where there is none.
pub(in crate::tui) fn n_rows(state: &mut State) -> u16 {
    let Some(circuit) = &mut state.workspace.circuit else { return 0 };
    if circuit.panes.layout.rows.is_empty() {
        circuit.arrange(&state.screen.look.glyphs, circuit.panes.layout.room);
    }
    circuit.panes.layout.rows.len().try_into().unwrap_or(u16::MAX)
}

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
