//! Movement and order in lists.

use crate::tui::app::State;
use crate::tui::circuit::{Listed, Order};
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

/// Leaves a kind of node out of the lists and the tree, or takes it in again.
pub(in crate::tui) fn toggle_listed(state: &mut State, kind: Listed) {
    let Some(circuit) = &mut state.circuit else { return };
    circuit.list(|listing| listing.toggle(kind));
    let says = if circuit.listing.shows(kind) { "listed again" } else { "left out of the lists and the tree" };
    let name = kind.name();
    state.say(format!("{}{} are {says}", name[..1].to_uppercase(), &name[1..]));
}

/// Lists connections in the other order.
pub(in crate::tui) fn switch_order(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    circuit.list(|listing| {
        listing.order = match listing.order {
            Order::Share => Order::Weight,
            Order::Weight => Order::Share,
        };
    });
}
