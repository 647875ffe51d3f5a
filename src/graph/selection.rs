//! Which part of a graph is handed on: all of it, what is kept, or what is pinned.

use crate::graph::{AttributionGraph, Edge, Edited, Kept, SuperEdge, Supernode, SupernodeGraph, supernodes};
use crate::ids::NodeId;

/// A part of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Every node and edge.
    All,
    /// What pruning keeps.
    #[default]
    Pruned,
    /// The pinned nodes and every edge between them, kept or not.
    Pinned,
}

/// The nodes and edges of a part of a graph.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    graph: &'a AttributionGraph,
    kept: &'a Kept,
    edited: &'a Edited,
    part: Part,
    /// `[N]`
    has_node: Vec<bool>,
    /// What is pinned beside what is kept, `[N]`; empty where that is not asked for.
    pinned: Vec<bool>,
}

impl<'a> Selection<'a> {
    /// A part of `graph`, of which `kept` is kept and what is pinned stands in `edited`.
    pub fn new(graph: &'a AttributionGraph, kept: &'a Kept, edited: &'a Edited, part: Part) -> Self {
        let has_node = match part {
            Part::All => vec![true; graph.n_nodes()],
            Part::Pruned => graph.node_ids().map(|id| kept.has_node(id)).collect(),
            Part::Pinned => pinned(graph, edited),
        };
        Self { graph, kept, edited, part, has_node, pinned: Vec::new() }
    }

    /// The same, and of what pruning dropped the pinned nodes and every edge between pinned nodes: for files that hold a
    /// person's work, which would else lose its pins.
    pub fn and_pinned(self) -> Self {
        let pinned = pinned(self.graph, self.edited);
        let has_node = self.has_node.iter().zip(&pinned).map(|(has, pinned)| *has || *pinned).collect();
        Self { has_node, pinned, ..self }
    }

    /// Which part it is.
    pub fn part(&self) -> Part {
        self.part
    }

    /// The nodes, ascending.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.node_ids().filter(|id| self.has_node[id.index()])
    }

    /// The edges, by target, then by source.
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

    /// The graph as it is drawn: of what is pinned [the groups](supernodes()), else each node by itself. Weights are
    /// signed shares of everything that flows into the target.
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

/// Which nodes are pinned, `[N]`.
fn pinned(graph: &AttributionGraph, edited: &Edited) -> Vec<bool> {
    let mut pinned = vec![false; graph.n_nodes()];
    edited.pins.iter().for_each(|pin| pinned[pin.index()] = true);
    pinned
}
