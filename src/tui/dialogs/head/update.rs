//! Commands on a head's dialog, and those that open it.

use crate::graph::Head;
use crate::ids::{NodeId, Position};
use crate::service::attention::LookAt;
use crate::tui::dialogs::head::{Column, HeadDialog, parts};
use crate::tui::dialogs::verify::panel::Shown;
use crate::tui::state::State;
use crate::tui::workspace::go_to;
use crate::tui::workspace::heads::{leave_look, note_left};
use crate::verify::{Answer, Question};

/// Opens a head over what is open.
pub(in crate::tui) fn open_head(state: &mut State, at: LookAt) {
    state.dialogs.push(HeadDialog::new(at));
}

/// Opens the chosen head of the shown edge: where it looks from the edge's target, and why at the edge's source.
pub(in crate::tui) fn open_head_of_edge(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let (Some(Question::Heads { source, target }), Shown::Known(Some(Answer::Heads(split)), _)) =
        (circuit.verification.question(), circuit.verification.shown())
    else {
        return;
    };
    let Some(part) = split.strongest().get(circuit.verification.row).copied() else { return };
    let place = |id: &NodeId| circuit.node(*id).position();
    let (query, key) = (place(target), place(source));
    open_head(state, LookAt { head: part.head, query, key: key.min(query) });
}

/// Closes the head; what it was opened from is there again.
pub(in crate::tui) fn close(state: &mut State) {
    leave_look(state);
    state.dialogs.close();
}

pub(in crate::tui) fn move_row(state: &mut State, by: isize) {
    let (Some(circuit), Some(dialog)) = (&state.workspace.circuit, state.dialogs.get::<HeadDialog>()) else { return };
    let rows = parts::rows(circuit, dialog.at, dialog.column, &state.screen.look.glyphs);
    let last = rows.map_or(0, |rows| rows.rows.len().saturating_sub(1));
    if let Some(dialog) = state.dialogs.get_mut::<HeadDialog>() {
        dialog.row = dialog.row.min(last).saturating_add_signed(by).min(last);
    }
}

/// Moves the key to another one that the query sees.
pub(in crate::tui) fn move_key(state: &mut State, by: isize) {
    let (Some(circuit), Some(dialog)) = (&state.workspace.circuit, state.dialogs.get::<HeadDialog>()) else { return };
    let at = dialog.at;
    let looks = circuit.heads.pattern(at).map(|view| view.looks.as_slice()).unwrap_or_default();
    let seen = |key: Position| looks.is_empty() || looks.iter().any(|look| look.key == key);
    let moved = at.key.index().checked_add_signed(by).map(Position::from).filter(|key| *key <= at.query && seen(*key));
    if let Some(key) = moved {
        turn_to(state, LookAt { key, ..at });
    }
}

/// Moves the position that the head looks from; the key stays where that can be seen from there.
pub(in crate::tui) fn move_query(state: &mut State, by: isize) {
    let (Some(circuit), Some(dialog)) = (&state.workspace.circuit, state.dialogs.get::<HeadDialog>()) else { return };
    let (at, n) = (dialog.at, circuit.traced.document.graph.tokens().len());
    let moved = at.query.index().checked_add_signed(by).filter(|query| *query < n).map(Position::from);
    if let Some(query) = moved {
        turn_to(state, LookAt { query, key: at.key.min(query), ..at });
    }
}

fn turn_to(state: &mut State, at: LookAt) {
    leave_look(state);
    if let Some(dialog) = state.dialogs.get_mut::<HeadDialog>() {
        (dialog.at, dialog.row) = (at, 0);
    }
}

pub(in crate::tui) fn turn_column(state: &mut State, by: isize) {
    if let Some(dialog) = state.dialogs.get_mut::<HeadDialog>() {
        let at = Column::ALL.iter().position(|it| *it == dialog.column).unwrap_or(0);
        dialog.column = Column::ALL[(at as isize + by).rem_euclid(Column::ALL.len() as isize) as usize];
        dialog.row = 0;
    }
}

/// Goes to the node under the cursor; going back leads to the head again.
pub(in crate::tui) fn go(state: &mut State) {
    let (Some(circuit), Some(dialog)) = (&state.workspace.circuit, state.dialogs.get::<HeadDialog>()) else { return };
    let (dialog, from) = (dialog.clone(), circuit.selected());
    let rows = parts::rows(circuit, dialog.at, dialog.column, &state.screen.look.glyphs);
    let Some(row) = rows.and_then(|rows| rows.rows.into_iter().nth(dialog.row)) else { return };
    let Some(node) = row.sources.last().and_then(parts::Named::node) else {
        state.screen.say("This source is not in the graph");
        return;
    };
    go_to(state, node);
    if let Some(circuit) = state.workspace.circuit.as_mut().filter(|_| state.dialogs.is_empty()) {
        note_left(circuit, dialog, from);
    }
}

/// Returns the head's look at a position from the selected node's.
pub(in crate::tui) fn from_selected(state: &State, head: Head, key: Position) -> Option<LookAt> {
    let circuit = state.workspace.circuit.as_ref()?;
    Some(LookAt { head, query: circuit.node(circuit.selected()).position(), key })
}
