//! Scores of the part of the model that a graph explains (Ameisen et al. 2025, "Evaluating attribution graphs").

use crate::graph::influence::pull;
use crate::graph::{AttributionGraph, Kept, NodeKind};
use crate::ids::NodeId;
use std::collections::BTreeMap;

/// Shares of the flow to the outputs that come through features instead of errors; 1 is everything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Replacement score: share of influence that starts at tokens instead of errors, which is whole paths explained.
    pub replacement: f64,
    /// Completeness: share of inputs, weighed by the influence of their targets, that are no errors, which is single
    /// steps explained.
    pub completeness: f64,
}

/// Scores of a graph whose cycles leave its influence undefined.
const NO_SCORES: Scores = Scores { replacement: f64::NAN, completeness: f64::NAN };

/// Input of a node from one kind of source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// Sum of the positive weights.
    pub positive: f64,
    /// Sum of the negative weights; at most 0.
    pub negative: f64,
}

/// Input of a node, by the kind of source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputTotals {
    /// Input from features.
    pub features: Flow,
    /// Input from error nodes.
    pub errors: Flow,
    /// Input from tokens.
    pub tokens: Flow,
    /// Input from nodes of other kinds.
    pub others: Flow,
    /// Absolute sum that a sparse trace left out, of unknown source and sign.
    pub left_out: f64,
}

impl Flow {
    /// Returns the absolute sum of both signs.
    pub fn absolute(&self) -> f64 {
        self.positive - self.negative
    }

    fn add(&mut self, weight: f64) {
        if weight < 0.0 {
            self.negative += weight;
        } else {
            self.positive += weight;
        }
    }
}

impl InputTotals {
    /// Returns the absolute sum of the input, of which shares are shares.
    pub fn absolute(&self) -> f64 {
        let flows = [self.features, self.errors, self.tokens, self.others];
        flows.iter().map(Flow::absolute).sum::<f64>() + self.left_out
    }

    /// Returns the sum of the negative inputs; at most 0. Inputs left out of a sparse trace are not in it.
    pub fn negative(&self) -> f64 {
        [self.features, self.errors, self.tokens, self.others].iter().map(|flow| flow.negative).sum()
    }
}

/// Returns the inputs of a node in the whole graph, by the kind of source.
pub fn input_totals(graph: &AttributionGraph, target: NodeId) -> InputTotals {
    let mut totals = InputTotals::default();
    for edge in graph.incoming(target) {
        let flow = match graph.node(edge.source).kind {
            NodeKind::Feature { .. } => &mut totals.features,
            NodeKind::Error { .. } => &mut totals.errors,
            NodeKind::Token { .. } => &mut totals.tokens,
            NodeKind::Logit(_) | NodeKind::Other(_) => &mut totals.others,
        };
        flow.add(f64::from(edge.weight));
    }
    // Where nothing was left out the two differ by rounding alone.
    let left_out = graph.input_total(target) - totals.absolute();
    totals.left_out = if left_out > 1e-9 * graph.input_total(target) { left_out } else { 0.0 };
    totals
}

/// Returns the share of a node's input that comes from error nodes; 0 for a node without inputs.
pub fn error_share(graph: &AttributionGraph, target: NodeId) -> f64 {
    let from_errors = graph.incoming(target).filter(|edge| graph.node(edge.source).is_error());
    share(from_errors.map(|edge| f64::from(edge.weight.abs())).sum(), graph.input_total(target))
}

/// Computes the scores of an unpruned graph, given its [`influence`](crate::graph::influence()).
///
/// The completeness runs over all nodes; a node without inputs counts as explained, as in circuit-tracer. A graph in
/// which nothing flows scores 0; one [with a cycle](AttributionGraph::is_cyclic) has no scores, which are NaN then.
///
/// # Examples
/// ```
/// use circuitscope::{format, graph::{influence, scores}};
/// use std::path::Path;
///
/// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
/// let scores = scores(&document.graph, &influence(&document.graph));
/// assert_eq!(scores.replacement, 0.75);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn scores(graph: &AttributionGraph, influence: &[f64]) -> Scores {
    if graph.is_cyclic() {
        return NO_SCORES;
    }
    let at = |node: NodeId| influence[node.index()];
    let tokens: f64 = graph.token_nodes().map(at).sum();
    let errors: f64 = graph.error_nodes().map(at).sum();
    let (mut explained, mut all) = (0.0, 0.0);
    for target in graph.node_ids() {
        let weight = pull(graph, influence, target);
        explained += weight * (1.0 - error_share(graph, target));
        all += weight;
    }
    Scores { replacement: share(tokens, tokens + errors), completeness: share(explained, all) }
}

/// Computes the scores that the whole graph would have if nothing but `pinned` had been found: every feature that is
/// not pinned counts as a part of the error at its layer and position. Tokens and logits are always in.
///
/// The effect of such an error on a node is the signed sum of its parts' effects, as the error vector is the sum of
/// theirs.
///
/// A graph with a cycle has none, as in [`scores()`].
pub fn subgraph_scores(graph: &AttributionGraph, pinned: &[NodeId]) -> Scores {
    let probability = |id: NodeId| graph.node(id).logit().map_or(0.0, |logit| f64::from(logit.probability));
    let outputs: Vec<(NodeId, f64)> = graph.logit_nodes().map(|id| (id, probability(id))).collect();
    subgraph_scores_of(graph, pinned, &outputs)
}

/// Computes the scores of [`subgraph_scores`] as to some outputs, with their weights, in place of all of them.
pub(super) fn subgraph_scores_of(graph: &AttributionGraph, pinned: &[NodeId], outputs: &[(NodeId, f64)]) -> Scores {
    if graph.is_cyclic() {
        return NO_SCORES;
    }
    let mut is_in: Vec<bool> = graph.nodes().iter().map(|node| node.is_token() || node.is_logit()).collect();
    for pin in pinned.iter().chain(outputs.iter().map(|(id, _)| id)).filter(|pin| !graph.node(**pin).is_error()) {
        is_in[pin.index()] = true;
    }
    // Nodes of other kinds may have no layer; what is not pinned of those is one more error at their position.
    let place = |id: NodeId| (graph.node(id).layer(), graph.node(id).position());

    // What flows through each node to the outputs.
    let mut influence = vec![0.0; graph.n_nodes()];
    outputs.iter().for_each(|(id, weight)| influence[id.index()] += weight);
    let (mut tokens, mut errors) = (0.0, 0.0);
    let (mut explained, mut all) = (0.0, 0.0);
    for &target in graph.topological_order().iter().rev().filter(|id| is_in[id.index()]) {
        let (mut found, mut stored) = (0.0, 0.0);
        // By layer and position, of those that reach this node.
        let mut merged = BTreeMap::new();
        for edge in graph.incoming(target) {
            let weight = f64::from(edge.weight);
            stored += weight.abs();
            if is_in[edge.source.index()] {
                found += weight.abs();
            } else {
                *merged.entry(place(edge.source)).or_insert(0.0) += weight;
            }
        }
        let missed: f64 = merged.values().map(|sum: &f64| sum.abs()).sum();
        // What a sparse trace left out is split as what it stored.
        let total = (found + missed) * if stored > 0.0 { graph.input_total(target) / stored } else { 1.0 };
        let weight = influence[target.index()];
        let error_share = share(missed, total);
        if total > 0.0 {
            for edge in graph.incoming(target).filter(|edge| is_in[edge.source.index()]) {
                influence[edge.source.index()] += weight * f64::from(edge.weight.abs()) / total;
            }
        }
        errors += weight * error_share;
        explained += weight * (1.0 - error_share);
        all += weight;
        if graph.node(target).is_token() {
            tokens += weight;
        }
    }
    // Errors have no inputs of their own and count as explained, as in the scores of the whole graph.
    Scores { replacement: share(tokens, tokens + errors), completeness: share(explained + errors, all + errors) }
}

/// Returns the share of all nodes' influence that the kept nodes hold; 1 where there is no influence, NaN where a cycle
/// leaves it undefined.
pub fn influence_kept(kept: &Kept) -> f64 {
    let all: f64 = kept.influence.iter().sum();
    let held: f64 = kept.node_ids().map(|id| kept.influence[id.index()]).sum();
    if all == 0.0 { 1.0 } else { held / all }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::{any_graph, by_hand, info};
    use crate::graph::{Node, Site, Thresholds, influence, prune};
    use crate::ids::{Layer, Position};
    use proptest::prelude::*;

    /// Builds the graph in which the columns of unpinned features are added to those of the errors, written out as a
    /// matrix.
    fn folded(graph: &AttributionGraph, pinned: &[NodeId]) -> AttributionGraph {
        let n_layers = graph.n_layers();
        let mut nodes = graph.nodes().to_vec();
        let first_error = nodes.len();
        nodes.extend((0..n_layers).map(|layer| Node::of_error(Site::mlp(Layer::from(layer)), Position(0))));
        let n_nodes = nodes.len();
        let mut matrix = vec![0.0; n_nodes * n_nodes];
        for edge in graph.edges() {
            let is_out = |id: NodeId| graph.node(id).is_feature() && !pinned.contains(&id);
            let source = match graph.node(edge.source).layer() {
                Some(layer) if is_out(edge.source) || graph.node(edge.source).is_error() => first_error + layer.index(),
                _ => edge.source.index(),
            };
            if !is_out(edge.target) {
                matrix[edge.target.index() * n_nodes + source] += edge.weight;
            }
        }
        AttributionGraph::from_dense(info(n_layers), nodes, &matrix).unwrap()
    }

    fn close(a: Scores, b: Scores) -> bool {
        // The folded matrix is added up in f32.
        (a.replacement - b.replacement).abs() < 1e-4 && (a.completeness - b.completeness).abs() < 1e-4
    }

    proptest! {
        #[test]
        fn what_is_not_pinned_counts_as_error(graph in any_graph(), is_pinned in any::<[bool; 16]>()) {
            let pinned: Vec<_> = graph.node_ids().filter(|id| is_pinned[id.index()]).collect();
            let folded = folded(&graph, &pinned);
            let (found, wanted) = (subgraph_scores(&graph, &pinned), scores(&folded, &influence(&folded)));
            prop_assert!(close(found, wanted), "{:?} is not {:?}", found, wanted);
        }

        #[test]
        fn with_every_feature_pinned_the_scores_are_the_graphs(graph in any_graph()) {
            let pinned: Vec<_> = graph.feature_nodes().collect();
            prop_assert!(close(subgraph_scores(&graph, &pinned), scores(&graph, &influence(&graph))));
        }

        #[test]
        fn the_totals_of_a_node_add_up(graph in any_graph()) {
            for target in graph.node_ids() {
                let totals = input_totals(&graph, target);
                prop_assert!((totals.absolute() - graph.input_total(target)).abs() <= 1e-9 * totals.absolute());
                prop_assert_eq!(totals.left_out, 0.0);
                prop_assert!((error_share(&graph, target) * totals.absolute() - totals.errors.absolute()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_pinned_subgraph_worked_out_by_hand() {
        let graph = by_hand(&[(3, 0, 3.0), (2, 0, -1.0), (0, 1, 2.0), (1, 4, -6.0), (0, 4, 2.0), (3, 4, 2.0)]);
        // f1 is not pinned, so 6 of 10 into the logit are error, 2 come from f0, 2 from the token; f0 is a quarter error.
        let scores = subgraph_scores(&graph, &[NodeId(0)]);
        assert!((scores.replacement - (0.2 + 0.2 * 0.75)).abs() < 1e-12);
        let (errors, pulls) = (0.6 + 0.2 * 0.25, 1.0 + 0.2 + 0.35 + 0.65);
        assert!((scores.completeness - (pulls - errors) / pulls).abs() < 1e-12);
        let totals = input_totals(&graph, NodeId(4));
        assert_eq!(totals.features, Flow { positive: 2.0, negative: -6.0 });
        assert_eq!(totals.tokens, Flow { positive: 2.0, negative: 0.0 });
    }

    #[test]
    fn the_kept_share_of_influence() {
        let graph = by_hand(&[(3, 0, 3.0), (2, 0, -1.0), (0, 4, 2.0)]);
        let kept = prune(&graph, Thresholds { node: 0.8, edge: 1.0, ..Thresholds::default() });
        // Influence: f0 0.5, the token 0.375, the error 0.125; the error goes.
        assert_eq!(influence_kept(&kept), 0.875);
    }
}
