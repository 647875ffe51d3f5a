//! Up and down in lists.

use crate::tui::app::State;
use crate::tui::view;

pub(in crate::tui) fn move_row(state: &mut State, by: isize) {
    if let Some(circuit) = &mut state.circuit {
        let last = circuit.links().kept.len().saturating_sub(1);
        circuit.row = circuit.row.saturating_add_signed(by).min(last);
    }
}

pub(in crate::tui) fn scroll_detail(state: &mut State, by: isize) {
    let most = view::detail_overflow(state);
    state.detail_scroll = state.detail_scroll.min(most).saturating_add_signed(by).min(most);
}
