//! Influence of each node on the traced outputs, through every path (Ameisen et al. 2025, appendix "Graph pruning").

use crate::graph::{AttributionGraph, Edge, Kept, NodeKind};
use crate::ids::{EdgeId, NodeId};

/// Least divisor of a row's absolute sum, as in circuit-tracer: an empty row stays empty.
const LEAST_TOTAL: f64 = 1e-10;

/// Graph that the influence computed from the edges is of, and the influence that the file gives.
///
/// Influence is that of the graph as it was traced. A file that was pruned before it was written no longer gives it:
/// only the influence in the remaining graph can be computed, which is called recomputed.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum InfluenceOf {
    /// Graph that holds all that was traced: its influence is computed.
    #[default]
    Whole,
    /// Pruned graph whose file gives the [`cumulative`] scores of the traced one, `[N]`; `None` for a node without one.
    File(Vec<Option<f32>>),
    /// Pruned graph whose file gives no scores.
    Unknown,
}

/// Computes the influence of each node on the traced outputs, `[N]`.
///
/// With `N` the matrix of absolute direct effects, each row divided by its sum, and `p` the probabilities at the
/// logits, it is `p^T (N + N^2 + ...)`. The graph has no cycles, so one sweep from the logits down gives the sum. For a
/// graph that has a cycle all the same it is NaN.
pub fn influence(graph: &AttributionGraph) -> Vec<f64> {
    if graph.is_cyclic() {
        return vec![f64::NAN; graph.n_nodes()];
    }
    let mut influence = vec![0.0; graph.n_nodes()];
    for &target in graph.topological_order().iter().rev() {
        let row = graph.row(target);
        let factor = pull(graph, &influence, target) / graph.input_total(target).max(LEAST_TOTAL);
        for (source, weight) in graph.sources[row.clone()].iter().zip(&graph.weights[row]) {
            influence[source.index()] += f64::from(weight.abs()) * factor;
        }
    }
    influence
}

/// Computes for each edge between kept nodes its share of the influence that flows through its target, with rows
/// normalised over the kept edges: `N'[target, source] * (influence'[target] + p[target])`.
///
/// Computed in the sweep for the kept graph's influence, of which these are the summands. Normalisation is over the
/// kept edges that are stored; what a sparse trace left out is no edge here.
pub(super) fn edge_influence(graph: &AttributionGraph, kept: &[bool]) -> (Vec<EdgeId>, Vec<f32>) {
    let mut influence = vec![0.0; graph.n_nodes()];
    let (mut edges, mut scores) = (Vec::new(), Vec::new());
    let mut flows = Vec::new();
    for &target in graph.topological_order().iter().rev().filter(|target| kept[target.index()]) {
        let row = graph.row(target);
        flows.clear();
        flows.extend(
            row.clone()
                .map(|edge| (edge, graph.sources[edge].index(), f64::from(graph.weights[edge].abs())))
                .filter(|(_, source, _)| kept[*source]),
        );
        let total: f64 = flows.iter().map(|(_, _, weight)| weight).sum();
        let factor = pull(graph, &influence, target) / total.max(LEAST_TOTAL);
        for &(edge, source, weight) in &flows {
            let flow = weight * factor;
            influence[source] += flow;
            edges.push(EdgeId::from(edge));
            scores.push(flow as f32);
        }
    }
    (edges, scores)
}

/// The kept edges, and the influence that flows through each: `N[target, source] * (influence[target] + p[target])`, with
/// rows normalised over the kept edges. None where links form a cycle.
pub fn flows(graph: &AttributionGraph, kept: &Kept) -> Vec<(Edge, f64)> {
    if graph.is_cyclic() {
        return Vec::new();
    }
    let mut influence = vec![0.0; graph.n_nodes()];
    let mut flows = Vec::with_capacity(kept.n_edges());
    for &target in graph.topological_order().iter().rev() {
        let first = flows.len();
        flows.extend(kept.incoming(graph, target).map(|edge| (edge, f64::from(edge.weight.abs()))));
        let total: f64 = flows[first..].iter().map(|(_, weight)| weight).sum();
        let factor = pull(graph, &influence, target) / total.max(LEAST_TOTAL);
        for (edge, flow) in &mut flows[first..] {
            *flow *= factor;
            influence[edge.source.index()] += *flow;
        }
    }
    flows
}

/// Computes the share of the total influence held by the nodes at least as influential as each node, `[N]`.
///
/// Low means important. Of nodes with equal influence the earlier one comes first; without any influence at all
/// every node is at 1, and where influence is NaN, so is this.
pub fn cumulative(influence: &[f64]) -> Vec<f32> {
    let mut ranked: Vec<usize> = (0..influence.len()).collect();
    ranked.sort_by(|&a, &b| influence[b].total_cmp(&influence[a]));
    let total: f64 = ranked.iter().map(|&node| influence[node]).sum();
    if total.is_nan() {
        return vec![f32::NAN; influence.len()];
    }
    let mut cumulative = vec![1.0; influence.len()];
    let mut held = 0.0;
    for node in ranked.into_iter().filter(|_| total > 0.0) {
        held += influence[node];
        cumulative[node] = (held / total) as f32;
    }
    cumulative
}

/// Returns the influence that a node passes on to its inputs: its own, and its probability where it is a logit.
pub(super) fn pull(graph: &AttributionGraph, influence: &[f64], node: NodeId) -> f64 {
    influence[node.index()]
        + match graph.node(node).kind {
            NodeKind::Logit { probability, .. } => f64::from(probability),
            _ => 0.0,
        }
}
