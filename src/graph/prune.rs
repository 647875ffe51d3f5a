//! Pruning of a graph to its most influential nodes and edges (Ameisen et al. 2025, appendix "Graph pruning").

use crate::graph::influence::{cumulative, edge_influence, influence};
use crate::graph::{AttributionGraph, Densities, Edge, InfluenceOf, Kept};
use crate::ids::{EdgeId, NodeId};

/// Shares of influence that the kept nodes and the kept edges hold, and the density that a kept feature has at most;
/// each in `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Share of the nodes' influence.
    pub node: f64,
    /// Share of the edges' influence.
    pub edge: f64,
    /// Largest density of a kept feature, the share of all tokens on which it fires; 1 keeps all. A feature of unknown
    /// density is kept.
    pub density: f64,
}

impl Default for Thresholds {
    /// Returns circuit-tracer's defaults.
    fn default() -> Self {
        Self { node: 0.8, edge: 0.98, density: 1.0 }
    }
}

/// Keeps the most influential nodes, then the most influential edges between them, then drops dangling ones.
///
/// Tokens and logits always stay. Agrees with circuit-tracer's `prune_graph` but for a threshold of 1, which here keeps
/// every node and edge that lies on a path to a logit, where there it depends on rounding.
///
/// Of a graph whose [file gives influence](InfluenceOf::File) it keeps, as the viewers of the field do, the nodes of
/// any kind whose influence is the node threshold at most, and those for which the file gives none. Then the most
/// influential edges between them; at an edge threshold of 1, as in those viewers, all of them. Nothing counts as
/// dangling there: the inputs of a node may have been pruned before. A graph whose influence is
/// [unknown](InfluenceOf::Unknown) is kept whole at a node threshold of 1, and below is pruned by recomputed influence.
///
/// Of a graph [with a cycle](AttributionGraph::is_cyclic) every edge between kept nodes is kept; its computed influence
/// is NaN.
///
/// # Examples
/// ```
/// use circuitscope::{format, graph::{Thresholds, prune}};
/// use std::path::Path;
///
/// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
/// let graph = &document.graph;
/// let kept = prune(graph, Thresholds { node: 0.5, ..Thresholds::default() });
/// assert!(graph.logit_nodes().chain(graph.token_nodes()).all(|id| kept.has_node(id)));
/// assert!(kept.n_nodes() < graph.n_nodes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn prune(graph: &AttributionGraph, thresholds: Thresholds) -> Kept {
    prune_by_density(graph, thresholds, &Densities::default())
}

/// Prunes as [`prune`] does where densities are known: features that fire more often than the threshold are dropped
/// with the nodes of too little influence, before edges are weighed. Influence stays that of the whole graph.
pub fn prune_by_density(graph: &AttributionGraph, thresholds: Thresholds, densities: &Densities) -> Kept {
    let influence = influence(graph);
    let cumulative = cumulative(&influence);
    let is_sparse = |id: NodeId| !densities.exceeds(graph.node(id), thresholds.density);
    match graph.influence_of() {
        InfluenceOf::File(scores) => {
            // Files hold single precision: a threshold is rounded as they are.
            let most = thresholds.node as f32;
            let stays = |id: NodeId| scores[id.index()].is_none_or(|score| score <= most) && is_sparse(id);
            return taken(graph, stays, thresholds.edge, influence, cumulative);
        }
        InfluenceOf::Unknown if thresholds.node >= 1.0 => {
            return taken(graph, is_sparse, thresholds.edge, influence, cumulative);
        }
        _ if graph.is_cyclic() => return taken(graph, is_sparse, 1.0, influence, cumulative),
        InfluenceOf::Whole | InfluenceOf::Unknown => {}
    }
    let node_scores: Vec<f32> = influence.iter().map(|&score| score as f32).collect();
    let least = share_threshold(&node_scores, thresholds.node);
    let nodes: Vec<bool> = graph
        .node_ids()
        .zip(&node_scores)
        .map(|(id, &score)| {
            let node = graph.node(id);
            node.is_token() || node.is_logit() || score >= least && is_sparse(id)
        })
        .collect();
    let edges = strongest(graph, &nodes, thresholds.edge);
    Kept::without_dangling(graph, nodes, edges, influence, cumulative)
}

/// Keeps the nodes for which `stays` holds, whatever their inputs, and the most influential edges between them.
fn taken(
    graph: &AttributionGraph,
    stays: impl Fn(NodeId) -> bool,
    edge: f64,
    influence: Vec<f64>,
    cumulative: Vec<f32>,
) -> Kept {
    let nodes: Vec<bool> = graph.node_ids().map(stays).collect();
    let edges = if edge >= 1.0 || graph.is_cyclic() {
        let has_ends = |edge: &Edge| nodes[edge.source.index()] && nodes[edge.target.index()];
        graph.edges().filter(has_ends).map(|edge| edge.id).collect()
    } else {
        strongest(graph, &nodes, edge)
    };
    Kept::of(graph, nodes, &edges, influence, cumulative)
}

/// Returns the strongest edges between nodes that together hold `share` of the influence along all of these edges.
fn strongest(graph: &AttributionGraph, nodes: &[bool], share: f64) -> Vec<EdgeId> {
    let (mut edges, scores) = edge_influence(graph, nodes);
    let least = share_threshold(&scores, share);
    let mut scores = scores.iter();
    edges.retain(|_| scores.next().is_some_and(|&score| score >= least));
    edges
}

/// Returns the score at which the descending cumulative sum first reaches `share` of the total; edges and nodes that
/// score at least as much are kept. At a share of 1 it is 0, which keeps all. Scores are not negative.
///
/// Millions of scores are too many to sort while the user moves a threshold. Instead they are summed in buckets by the
/// upper bits of their representation, which orders as the numbers do, and only the bucket in which the sum is reached
/// is sorted.
fn share_threshold(scores: &[f32], share: f64) -> f32 {
    const SHIFT: u32 = 15;
    let bucket_of = |score: f32| (score.to_bits() >> SHIFT) as usize;
    if share >= 1.0 {
        return 0.0;
    }
    let mut sums = vec![0.0; 1 << (32 - SHIFT)];
    for &score in scores {
        sums[bucket_of(score)] += f64::from(score);
    }
    let goal = share * sums.iter().rev().sum::<f64>();
    let mut above = 0.0;
    let mut last = None;
    for (bucket, &sum) in sums.iter().enumerate().rev().filter(|(_, sum)| **sum > 0.0) {
        last = Some((bucket, above));
        above += sum;
        if above >= goal {
            break;
        }
    }
    let Some((bucket, above)) = last else { return 0.0 };
    let mut members: Vec<f32> = scores.iter().copied().filter(|&score| bucket_of(score) == bucket).collect();
    members.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut held = above;
    let reaches = members.iter().position(|&score| {
        held += f64::from(score);
        held >= goal
    });
    // Rounding may leave the bucket a hair short of the goal that its sum had reached.
    reaches.or(members.len().checked_sub(1)).map_or(0.0, |at| members[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Computes the threshold as it is defined: sort, add up, take the first that reaches the share.
    fn by_sorting(scores: &[f32], share: f64) -> f32 {
        let mut sorted = scores.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let total: f64 = sorted.iter().map(|&score| f64::from(score)).sum();
        let mut held = 0.0;
        let reaches = sorted.iter().position(|&score| {
            held += f64::from(score);
            held >= share * total
        });
        sorted[reaches.unwrap_or(sorted.len() - 1)]
    }

    proptest! {
        #[test]
        fn buckets_find_what_sorting_finds(
            // Small integers are added without rounding, so that the two orders of adding cannot differ.
            scores in proptest::collection::vec(0u16..2000, 1..200),
            share in 0..100u32,
        ) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            prop_assume!(scores.iter().any(|&score| score > 0.0));
            let share = f64::from(share) / 128.0;
            prop_assert_eq!(share_threshold(&scores, share), by_sorting(&scores, share));
        }
    }

    #[test]
    fn nothing_to_share_keeps_all() {
        assert_eq!(share_threshold(&[], 0.5), 0.0);
        assert_eq!(share_threshold(&[0.0, 0.0], 0.5), 0.0);
    }
}
