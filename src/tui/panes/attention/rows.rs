//! Rows of the pane: by the model's attention, or by what the graph's file holds.

use crate::attribution::HeadType;
use crate::graph::Head;
use crate::ids::Position;
use crate::service::attention::Read;
use crate::tui::state::State;
use crate::tui::workspace::Circuit;
use std::collections::HashMap;

/// Least share of the influence into a position with which a head counts as a carrier of it.
const LEAST: f64 = 0.005;

/// Head and one of its keys.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tui) struct Row {
    pub head: Head,
    pub key: Position,
    /// Share of the head's attention; `None` where a file gives none.
    pub pattern: Option<f32>,
    /// Share of the influence into the position that passes the head last; `None` where it is not known.
    pub share: Option<f64>,
    /// Kind that the head's pattern shows most.
    pub kind: Option<HeadType>,
}

/// Returns the rows of the selected node's position: carriers by their influence, all by their attention.
pub(in crate::tui) fn rows(state: &State) -> Vec<Row> {
    let Some(circuit) = &state.workspace.circuit else { return Vec::new() };
    let Some(reads) = circuit.reads() else { return of_file(circuit) };
    let flows = reads.flows.as_ref();
    let total: f64 = flows.map_or(0.0, |flows| flows.heads.iter().map(|flow| flow.last.abs()).sum());
    let shares: HashMap<Head, f64> = flows
        .filter(|_| total > 0.0)
        .map(|flows| flows.heads.iter().map(|flow| (flow.head, flow.last / total)).collect())
        .unwrap_or_default();
    let row = |read: &Read| Row {
        head: read.head,
        key: read.key,
        pattern: Some(read.pattern),
        share: flows.map(|_| shares.get(&read.head).copied().unwrap_or(0.0)),
        kind: reads.types.get(&read.head).and_then(|types| types.first()).copied(),
    };
    let mut rows: Vec<Row> = reads.reads.iter().map(row).collect();
    if flows.is_some() && !state.panes.attention.all {
        let size = |row: &Row| row.share.unwrap_or(0.0).abs();
        rows.retain(|row| size(row) >= LEAST);
        // The sort is stable: the keys of a head keep the order of their attention.
        rows.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.head.cmp(&b.head)));
    }
    rows
}

fn of_file(circuit: &Circuit) -> Vec<Row> {
    let query = circuit.node(circuit.selected()).position();
    let heads = circuit.traced.document.foreign.attention.heads.iter().filter(|it| it.query == query);
    heads.map(|it| Row { head: it.head, key: it.key, pattern: None, share: None, kind: None }).collect()
}
