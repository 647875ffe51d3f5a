//! What ablating a group does to an output, by the graph alone.

use crate::graph::AttributionGraph;
use crate::ids::NodeId;

/// Predicts the change of an output's demeaned logit, or of a feature's pre-activation, when features are set to 0, by
/// the graph: what they contribute directly, and through every feature between, each taken to shrink by the share of its
/// activation that it loses. Attention and norms stay as they are, and no feature begins to fire.
///
/// `None` where the graph has a cycle, or does not know how active its features are.
pub fn predicted_effect(graph: &AttributionGraph, ablated: &[NodeId], target: NodeId) -> Option<f64> {
    if graph.is_cyclic() {
        return None;
    }
    // Share of its activation that each node loses.
    let mut lost = vec![0.0_f64; graph.n_nodes()];
    for &id in graph.topological_order() {
        if ablated.contains(&id) {
            lost[id.index()] = 1.0;
            continue;
        }
        let change: f64 = graph.incoming(id).map(|edge| f64::from(edge.weight) * lost[edge.source.index()]).sum();
        if id == target {
            return Some(-change);
        }
        if change != 0.0 && graph.node(id).is_feature() {
            // A feature that is pushed below its threshold is off, and not less than that.
            let activation = f64::from(graph.node(id).activation?);
            lost[id.index()] = if activation > 0.0 { (change / activation).min(1.0) } else { 0.0 };
        }
    }
    None
}
