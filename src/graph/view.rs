//! The graph as petgraph walks it, so that petgraph's algorithms and adaptors run on it without a copy.

use crate::graph::attribution_graph::Edges;
use crate::graph::{AttributionGraph, Edge, Node};
use crate::ids::{EdgeId, NodeId};
use petgraph::Direction;
use petgraph::visit::{
    Data, EdgeRef, GraphBase, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors, IntoNeighborsDirected,
    IntoNodeIdentifiers, VisitMap, Visitable,
};

impl EdgeRef for Edge {
    type NodeId = NodeId;
    type EdgeId = EdgeId;
    type Weight = f32;

    fn source(&self) -> NodeId {
        self.source
    }

    fn target(&self) -> NodeId {
        self.target
    }

    fn weight(&self) -> &f32 {
        &self.weight
    }

    fn id(&self) -> EdgeId {
        self.id
    }
}

impl GraphBase for AttributionGraph {
    type NodeId = NodeId;
    type EdgeId = EdgeId;
}

impl Data for AttributionGraph {
    type NodeWeight = Node;
    type EdgeWeight = f32;
}

impl Visitable for AttributionGraph {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited(vec![false; self.n_nodes()])
    }

    fn reset_map(&self, map: &mut Visited) {
        map.0.clear();
        map.0.resize(self.n_nodes(), false);
    }
}

impl IntoNodeIdentifiers for &AttributionGraph {
    type NodeIdentifiers = std::iter::Map<std::ops::Range<usize>, fn(usize) -> NodeId>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        (0..self.n_nodes()).map(NodeId::from)
    }
}

impl<'a> IntoEdgeReferences for &'a AttributionGraph {
    type EdgeRef = Edge;
    type EdgeReferences = Edges<'a>;

    fn edge_references(self) -> Edges<'a> {
        AttributionGraph::edges(self)
    }
}

impl<'a> IntoEdges for &'a AttributionGraph {
    type Edges = Edges<'a>;

    fn edges(self, node: NodeId) -> Edges<'a> {
        self.outgoing(node)
    }
}

impl<'a> IntoEdgesDirected for &'a AttributionGraph {
    type EdgesDirected = Edges<'a>;

    fn edges_directed(self, node: NodeId, direction: Direction) -> Edges<'a> {
        match direction {
            Direction::Outgoing => self.outgoing(node),
            Direction::Incoming => self.incoming(node),
        }
    }
}

impl<'a> IntoNeighbors for &'a AttributionGraph {
    type Neighbors = Neighbors<'a>;

    fn neighbors(self, node: NodeId) -> Neighbors<'a> {
        self.neighbors_directed(node, Direction::Outgoing)
    }
}

impl<'a> IntoNeighborsDirected for &'a AttributionGraph {
    type NeighborsDirected = Neighbors<'a>;

    fn neighbors_directed(self, node: NodeId, direction: Direction) -> Neighbors<'a> {
        Neighbors { edges: self.edges_directed(node, direction), direction }
    }
}

/// Nodes at the far ends of a node's edges.
#[derive(Clone, Debug)]
pub struct Neighbors<'a> {
    edges: Edges<'a>,
    direction: Direction,
}

impl Iterator for Neighbors<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let edge = self.edges.next()?;
        Some(match self.direction {
            Direction::Outgoing => edge.target,
            Direction::Incoming => edge.source,
        })
    }
}

/// Nodes that a petgraph traversal has visited.
#[derive(Clone, Debug, Default)]
pub struct Visited(Vec<bool>);

impl VisitMap<NodeId> for Visited {
    fn visit(&mut self, node: NodeId) -> bool {
        !std::mem::replace(&mut self.0[node.index()], true)
    }

    fn is_visited(&self, node: &NodeId) -> bool {
        self.0[node.index()]
    }

    fn unvisit(&mut self, node: NodeId) -> bool {
        std::mem::replace(&mut self.0[node.index()], false)
    }
}
