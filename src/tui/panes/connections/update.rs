//! Movement in the lists of connections, and what they list.

use crate::tui::dialogs::verify::update::fits;
use crate::tui::panes::{connections, tree};
use crate::tui::state::State;
use crate::tui::workspace::{Listed, Order, Side};

pub(in crate::tui) fn move_row(state: &mut State, by: isize) {
    if let Some(circuit) = &mut state.workspace.circuit {
        let last = circuit.connections.links().kept.len().saturating_sub(1);
        circuit.connections.row = circuit.connections.row.saturating_add_signed(by).min(last);
        circuit.panes.pointed = None;
    }
}

/// Leaves a kind of node out of the lists and the tree, or takes it in again.
pub(in crate::tui) fn toggle_listed(state: &mut State, kind: Listed) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let is_summed = Side::ALL
        .iter()
        .any(|side| circuit.connections.links_of(*side).summed.iter().any(|summed| summed.kind == kind));
    let says = if is_summed {
        circuit.list(|listing| listing.opened.push(kind));
        "listed one by one"
    } else {
        circuit.list(|listing| listing.toggle(kind));
        if circuit.connections.listing.shows(kind) { "listed again" } else { "left out of the lists and the tree" }
    };
    let name = kind.name();
    state.screen.say(format!("{}{} are {says}", name[..1].to_uppercase(), &name[1..]));
}

/// Shows or hides the attention head that each edge passes most.
pub(in crate::tui) fn toggle_heads(state: &mut State) {
    let shows = !state.panes.connections.heads;
    state.panes.connections.heads = shows;
    match (shows, fits(state)) {
        (true, Err(why)) => state.screen.warn(why),
        (true, Ok(())) => {
            state.screen.say("Beside each edge the attention head that it passes most, and the share that does")
        }
        (false, _) => {}
    }
}

/// Lists connections in the other order.
pub(in crate::tui) fn switch_order(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    circuit.list(|listing| {
        listing.order = match listing.order {
            Order::Share => Order::Weight,
            Order::Weight => Order::Share,
        };
    });
}

pub(in crate::tui) fn set_side(state: &mut State, side: Side) {
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.connections.set_side(side);
    }
}

/// Turns to the next list of connections, or the one before.
pub(in crate::tui) fn turn_side(state: &mut State, by: isize) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let at = Side::ALL.iter().position(|side| *side == circuit.connections.side).unwrap_or(0);
    set_side(state, Side::ALL[at.saturating_add_signed(by).min(Side::ALL.len() - 1)]);
}

/// Turns to the list of the selected node's inhibitors.
pub(in crate::tui) fn to_inhibitors(state: &mut State) {
    set_side(state, Side::Inhibitors);
    state.screen.focus = connections::PANE;
}

pub(in crate::tui) fn switch_side(state: &mut State) {
    // A held tree has a side of its own.
    let turned = state.screen.focus == tree::PANE
        && state.workspace.circuit.as_mut().is_some_and(|circuit| circuit.panes.tree.turn());
    if !turned && let Some(side) = state.workspace.circuit.as_ref().map(|circuit| circuit.connections.side.other()) {
        set_side(state, side);
    }
}
