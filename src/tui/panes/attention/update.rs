//! Commands of the pane.

use crate::ids::{NodeId, Position};
use crate::tui::dialogs::head::update::{from_selected, open_head};
use crate::tui::panes::attention::rows::{Row, rows};
use crate::tui::state::State;
use crate::tui::workspace::{Circuit, go_to};

pub(super) fn move_row(state: &mut State, by: isize) {
    let last = rows(state).len().saturating_sub(1);
    let row = &mut state.panes.attention.row;
    *row = (*row).min(last).saturating_add_signed(by).min(last);
}

pub(super) fn toggle_all(state: &mut State) {
    state.panes.attention.all = !state.panes.attention.all;
    state.panes.attention.row = 0;
}

fn chosen(state: &State) -> Option<Row> {
    rows(state).into_iter().nth(state.panes.attention.row)
}

/// Opens the head under the cursor at the key that it reads.
pub(super) fn open(state: &mut State) {
    if let Some(at) = chosen(state).and_then(|row| from_selected(state, row.head, row.key)) {
        open_head(state, at);
    }
}

/// Goes to the most influential kept node at the position that the head under the cursor reads.
pub(super) fn go_to_source(state: &mut State) {
    let Some(row) = chosen(state) else { return };
    let strongest = state.workspace.circuit.as_ref().and_then(|circuit| strongest_at(circuit, row.key));
    match strongest {
        Some(node) => go_to(state, node),
        None => state.screen.say("No node is kept at the position that this head reads"),
    }
}

/// Returns the kept node with the most influence at a position.
fn strongest_at(circuit: &Circuit, position: Position) -> Option<NodeId> {
    let influence = |id: &NodeId| circuit.pruning.kept.influence[id.index()];
    let here = circuit.kept().node_ids().filter(|id| circuit.node(*id).position() == position);
    here.filter(|id| !circuit.node(*id).is_logit()).max_by(|a, b| influence(a).total_cmp(&influence(b)).then(b.cmp(a)))
}
