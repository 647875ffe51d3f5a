//! The kept part of a graph, and that subgraph as petgraph walks it.

use crate::graph::{AttributionGraph, Edge, InfluenceOf};
use crate::ids::{EdgeId, NodeId};
use petgraph::visit::{Dfs, EdgeFiltered, Reversed, VisitMap, Visitable};
use std::cmp::Ordering;
use std::sync::Arc;

/// Kept part of a graph. A kept edge has both ends kept. Where pruning goes by computed influence, a kept feature or
/// error node leads to a logit, and a kept feature is reached from a token or an error node.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    nodes: Vec<bool>,
    edges: Vec<bool>,
    n_nodes: usize,
    n_edges: usize,
    /// Influence of each node by the edges of the graph, kept or not, `[N]`.
    pub influence: Vec<f64>,
    /// [`cumulative`](crate::graph::cumulative()) score of each node by that influence, `[N]`.
    pub cumulative: Vec<f32>,
    influence_of: Arc<InfluenceOf>,
}

impl Kept {
    /// Returns true where a node is kept.
    pub fn has_node(&self, id: NodeId) -> bool {
        self.nodes[id.index()]
    }

    /// Returns true where an edge is kept.
    pub fn has_edge(&self, id: EdgeId) -> bool {
        self.edges[id.index()]
    }

    /// Returns true for each kept edge, `[E]`.
    pub(super) fn edge_mask(&self) -> &[bool] {
        &self.edges
    }

    /// Returns the number of kept nodes.
    pub fn n_nodes(&self) -> usize {
        self.n_nodes
    }

    /// Returns the number of kept edges.
    pub fn n_edges(&self) -> usize {
        self.n_edges
    }

    /// Returns a node's cumulative influence score: the share of all influence held by the nodes at least as
    /// influential. Low is important. It is the file's where that gives it; `None` where it is unknown.
    pub fn influence_of(&self, id: NodeId) -> Option<f32> {
        match &*self.influence_of {
            InfluenceOf::Whole => self.computed(id),
            InfluenceOf::File(scores) => scores[id.index()],
            InfluenceOf::Unknown => None,
        }
    }

    /// Returns the same score in the remaining graph, where that was pruned before; `None` where it was not, or where a
    /// cycle leaves it undefined.
    pub fn recomputed(&self, id: NodeId) -> Option<f32> {
        if *self.influence_of == InfluenceOf::Whole { None } else { self.computed(id) }
    }

    /// Returns the kept nodes, the most influential ones first.
    pub fn ranked(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.node_ids().collect();
        nodes.sort_by(|a, b| self.by_influence(*a, *b));
        nodes
    }

    /// Compares two nodes, the more influential one first: by influence, where that is unknown by recomputed influence.
    /// A node with neither comes last.
    pub fn by_influence(&self, a: NodeId, b: NodeId) -> Ordering {
        let cumulative = |id: NodeId| match &*self.influence_of {
            InfluenceOf::File(scores) => scores[id.index()].unwrap_or(f32::INFINITY),
            InfluenceOf::Whole | InfluenceOf::Unknown => 0.0,
        };
        let flows = |id: NodeId| self.influence[id.index()];
        cumulative(a).total_cmp(&cumulative(b)).then(flows(b).total_cmp(&flows(a)))
    }

    fn computed(&self, id: NodeId) -> Option<f32> {
        Some(self.cumulative[id.index()]).filter(|share| share.is_finite())
    }

    /// Iterates over the kept nodes, ascending.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| NodeId::from(at))
    }

    /// Iterates over the kept edges into a node, by source. `graph` is the graph that was pruned.
    pub fn incoming<'a>(&'a self, graph: &'a AttributionGraph, target: NodeId) -> impl Iterator<Item = Edge> + 'a {
        graph.incoming(target).filter(|edge| self.has_edge(edge.id))
    }

    /// Iterates over the kept edges out of a node, by target. `graph` is the graph that was pruned.
    pub fn outgoing<'a>(&'a self, graph: &'a AttributionGraph, source: NodeId) -> impl Iterator<Item = Edge> + 'a {
        graph.outgoing(source).filter(|edge| self.has_edge(edge.id))
    }

    /// Keeps nodes, and those of the edges whose ends are among them.
    pub(super) fn of(
        graph: &AttributionGraph,
        nodes: Vec<bool>,
        kept_edges: &[EdgeId],
        influence: Vec<f64>,
        cumulative: Vec<f32>,
    ) -> Self {
        let mut edges = vec![false; graph.n_edges()];
        kept_edges.iter().for_each(|edge| edges[edge.index()] = true);
        Self {
            n_nodes: nodes.iter().filter(|kept| **kept).count(),
            n_edges: kept_edges.len(),
            nodes,
            edges,
            influence,
            cumulative,
            influence_of: Arc::clone(&graph.influence_of),
        }
    }

    /// Narrows the kept part to some of its nodes and some of the edges between them.
    pub fn narrowed(
        &self,
        graph: &AttributionGraph,
        node: impl Fn(NodeId) -> bool,
        edge: impl Fn(EdgeId) -> bool,
    ) -> Self {
        let ids = |at: usize| NodeId::from(at);
        let nodes: Vec<bool> = self.nodes.iter().enumerate().map(|(at, kept)| *kept && node(ids(at))).collect();
        let mut edges = vec![false; self.edges.len()];
        let mut n_edges = 0;
        for (target, _) in nodes.iter().enumerate().filter(|(_, stays)| **stays) {
            let wanted = self.incoming(graph, ids(target)).filter(|it| nodes[it.source.index()] && edge(it.id));
            for it in wanted {
                edges[it.id.index()] = true;
                n_edges += 1;
            }
        }
        Self {
            n_nodes: nodes.iter().filter(|stays| **stays).count(),
            n_edges,
            nodes,
            edges,
            influence: self.influence.clone(),
            cumulative: self.cumulative.clone(),
            influence_of: Arc::clone(&self.influence_of),
        }
    }

    /// Keeps the candidate nodes and edges without the dangling nodes: features and errors that lead nowhere, and
    /// features without inputs. A candidate edge has both ends among the candidate nodes. Nodes of kinds that this
    /// program does not trace are treated as errors are: they need no inputs.
    ///
    /// circuit-tracer drops nodes without an edge out or in until nothing changes. Without cycles the survivors are the
    /// nodes on a path from a token or an error to a logit: two searches, and no rounds.
    pub(super) fn without_dangling(
        graph: &AttributionGraph,
        candidate_nodes: Vec<bool>,
        candidate_edges: Vec<EdgeId>,
        influence: Vec<f64>,
        cumulative: Vec<f32>,
    ) -> Self {
        let mut nodes = candidate_nodes;
        let mut edges = vec![false; graph.n_edges()];
        for edge in &candidate_edges {
            edges[edge.index()] = true;
        }
        let leads_to_logit = ancestors_of_logits(graph, &edges);
        // Sources come first in this order, so one pass knows of every source whether it stays.
        for &id in graph.topological_order() {
            let node = graph.node(id);
            let stays = node.is_token()
                || node.is_logit()
                || leads_to_logit.is_visited(&id) && (!node.is_feature() || has_source(graph, id, &nodes, &edges));
            nodes[id.index()] &= stays;
        }
        let has_ends = |id: &EdgeId| {
            let edge = graph.edge(*id);
            nodes[edge.source.index()] && nodes[edge.target.index()]
        };
        let kept_edges: Vec<EdgeId> = candidate_edges.into_iter().filter(has_ends).collect();
        Self::of(graph, nodes, &kept_edges, influence, cumulative)
    }
}

/// Returns all nodes from which a logit is reached over kept edges.
fn ancestors_of_logits(graph: &AttributionGraph, edges: &[bool]) -> <AttributionGraph as Visitable>::Map {
    let kept = EdgeFiltered::from_fn(graph, |edge: Edge| edges[edge.id.index()]);
    let upstream = Reversed(&kept);
    let mut search = Dfs::empty(upstream);
    for logit in graph.logit_nodes() {
        search.move_to(logit);
        while search.next(upstream).is_some() {}
    }
    search.discovered
}

fn has_source(graph: &AttributionGraph, target: NodeId, nodes: &[bool], edges: &[bool]) -> bool {
    let row = graph.row(target);
    graph.sources[row.clone()].iter().zip(&edges[row]).any(|(source, edge)| *edge && nodes[source.index()])
}
