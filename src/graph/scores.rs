//! How much of the model a graph explains (Ameisen et al. 2025, "Evaluating attribution graphs").

use crate::graph::AttributionGraph;
use crate::graph::influence::pull;

/// How much of what flows to the outputs comes through features instead of errors; 1 is everything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// The share of influence that starts at tokens instead of errors: whole paths explained.
    pub replacement: f64,
    /// The share of inputs, weighed by the influence of what they flow into, that are no errors: single steps
    /// explained.
    pub completeness: f64,
}

/// The scores of an unpruned graph, given its [`influence`](crate::graph::influence()).
///
/// The completeness runs over all nodes; a node without inputs counts as explained, as in circuit-tracer. A graph in
/// which nothing flows scores 0; one [with a cycle](AttributionGraph::is_cyclic) has no scores, which are NaN then.
pub fn scores(graph: &AttributionGraph, influence: &[f64]) -> Scores {
    if graph.is_cyclic() {
        return Scores { replacement: f64::NAN, completeness: f64::NAN };
    }
    let at = |node: crate::ids::NodeId| influence[node.index()];
    let tokens: f64 = graph.token_nodes().map(at).sum();
    let errors: f64 = graph.error_nodes().map(at).sum();
    let (mut explained, mut all) = (0.0, 0.0);
    for target in graph.node_ids() {
        let from_errors = graph.incoming(target).filter(|edge| graph.node(edge.source).is_error());
        let error_sum: f64 = from_errors.map(|edge| f64::from(edge.weight.abs())).sum();
        let error_share = if error_sum > 0.0 { error_sum / graph.input_total(target) } else { 0.0 };
        let weight = pull(graph, influence, target);
        explained += weight * (1.0 - error_share);
        all += weight;
    }
    Scores { replacement: share(tokens, tokens + errors), completeness: share(explained, all) }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
