//! Part of a graph that is exported: all of it, the kept part, or the pinned one.

use crate::graph::{AttributionGraph, Edge, Edited, Kept, SuperEdge, Supernode, SupernodeGraph, supernodes};
use crate::ids::NodeId;

/// A part of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Every node and edge.
    All,
    /// Kept nodes and edges.
    #[default]
    Pruned,
    /// Pinned nodes and every edge between them, kept or not.
    Pinned,
}

/// The nodes and edges of a part of a graph.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    graph: &'a AttributionGraph,
    kept: &'a Kept,
    edited: &'a Edited,
    part: Part,
    /// True for the nodes of the part, `[N]`.
    has_node: Vec<bool>,
    /// True for the pinned nodes beside the kept ones, `[N]`; empty where those are not asked for.
    pinned: Vec<bool>,
}

impl<'a> Selection<'a> {
    /// Selects a part of `graph`; `kept` is its kept part, and `edited` holds the pins.
    pub fn new(graph: &'a AttributionGraph, kept: &'a Kept, edited: &'a Edited, part: Part) -> Self {
        let has_node = match part {
            Part::All => vec![true; graph.n_nodes()],
            Part::Pruned => graph.node_ids().map(|id| kept.has_node(id)).collect(),
            Part::Pinned => pinned(graph, edited),
        };
        Self { graph, kept, edited, part, has_node, pinned: Vec::new() }
    }

    /// Adds the pinned nodes that pruning dropped and every edge between pinned nodes: for files that hold the user's
    /// work, which would else lose its pins.
    pub fn and_pinned(self) -> Self {
        let pinned = pinned(self.graph, self.edited);
        let has_node = self.has_node.iter().zip(&pinned).map(|(has, pinned)| *has || *pinned).collect();
        Self { has_node, pinned, ..self }
    }

    /// Returns the part.
    pub fn part(&self) -> Part {
        self.part
    }

    /// Iterates over the nodes, ascending.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.node_ids().filter(|id| self.has_node[id.index()])
    }

    /// Iterates over the edges, by target, then by source.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.graph.edges().filter(|edge| match self.part {
            Part::All => true,
            Part::Pruned => {
                let is_pinned = |end: NodeId| self.pinned.get(end.index()).is_some_and(|pinned| *pinned);
                self.kept.has_edge(edge.id) || is_pinned(edge.source) && is_pinned(edge.target)
            }
            Part::Pinned => self.has_node[edge.source.index()] && self.has_node[edge.target.index()],
        })
    }

    /// Returns the graph as it is drawn: of the pinned part [the groups](supernodes()), else each node by itself.
    /// Weights are signed shares of the target's input.
    pub fn drawn(&self) -> SupernodeGraph {
        if self.part == Part::Pinned {
            return supernodes(self.graph, self.edited);
        }
        let mut place = vec![0; self.graph.n_nodes()];
        let mut nodes = Vec::new();
        for id in self.node_ids() {
            place[id.index()] = nodes.len();
            nodes.push(Supernode { group: None, members: vec![id] });
        }
        let edge = |edge: Edge| SuperEdge {
            source: place[edge.source.index()],
            target: place[edge.target.index()],
            weight: f64::from(edge.weight) / self.graph.input_total(edge.target),
        };
        SupernodeGraph { nodes, edges: self.edges().map(edge).collect() }
    }
}

/// Returns true for each pinned node, `[N]`.
fn pinned(graph: &AttributionGraph, edited: &Edited) -> Vec<bool> {
    let mut pinned = vec![false; graph.n_nodes()];
    edited.pins.iter().for_each(|pin| pinned[pin.index()] = true);
    pinned
}
