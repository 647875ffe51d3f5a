//! A traced graph, made ready for the screen.

use crate::graph::{AttributionGraph, Document, InfluenceOf, Kept, Scores};
use crate::ids::NodeId;
use std::sync::Arc;

/// A trace with everything that the screen shows of it, computed off the UI thread.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The graph, and what is known of it.
    pub document: Document,
    /// What is left of it at the thresholds that were asked for.
    pub kept: Arc<Kept>,
    /// How far it can be trusted.
    pub scores: Scores,
    /// Each node's rank by influence, from 1; `None` where it has none.
    pub ranks: Arc<[Option<usize>]>,
}

impl Traced {
    /// Prunes and scores a graph at the thresholds that it was left at.
    pub fn new(document: Document) -> Self {
        let kept = Arc::new(document.prune(document.edited.thresholds));
        let scores = crate::graph::scores(&document.graph, &kept.influence);
        let ranks = ranks(&document.graph, &kept);
        Self { document, kept, scores, ranks }
    }
}

/// What nodes are ranked by: the influence that a file gives, else whatever flows through them.
fn ranks(graph: &AttributionGraph, kept: &Kept) -> Arc<[Option<usize>]> {
    let has_rank = |id: &NodeId| match graph.influence_of() {
        InfluenceOf::File(scores) => scores[id.index()].is_some(),
        InfluenceOf::Whole | InfluenceOf::Unknown => kept.influence[id.index()] > 0.0,
    };
    let mut order: Vec<NodeId> = graph.node_ids().filter(has_rank).collect();
    order.sort_by(|a, b| kept.by_influence(*a, *b));
    let mut ranks = vec![None; graph.n_nodes()];
    order.into_iter().enumerate().for_each(|(at, node)| ranks[node.index()] = Some(at + 1));
    ranks.into()
}
