//! The attribution graph itself: nodes, and weighted edges that can be walked both ways.

use crate::graph::{FileNames, InfluenceOf, Node, Token};
use crate::ids::{EdgeId, NodeId};
use std::iter::FusedIterator;
use std::ops::Range;
use std::sync::Arc;

/// A direct effect of one node on another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Index in the graph.
    pub id: EdgeId,
    /// The node that has the effect.
    pub source: NodeId,
    /// The node that is affected.
    pub target: NodeId,
    /// The effect on the target's pre-activation (a logit target's demeaned logit). Never zero, always finite.
    pub weight: f32,
}

/// A directed acyclic graph of direct effects (Ameisen et al. 2025, "Attribution graphs"). A file of another program
/// may hold one with cycles all the same: see [`AttributionGraph::is_cyclic`].
///
/// Edges are stored by target, then by source, with an index by source beside them, so that walking either way is a
/// slice. Nothing is allocated per edge: a graph may have some ten million.
#[derive(Clone, Debug)]
pub struct AttributionGraph {
    pub(super) n_layers: usize,
    pub(super) tokens: Vec<Token>,
    pub(super) nodes: Vec<Node>,
    pub(super) partial: bool,
    /// Index of each target's first edge, `[N + 1]`.
    pub(super) row_starts: Vec<u32>,
    pub(super) sources: Vec<NodeId>,
    pub(super) targets: Vec<NodeId>,
    pub(super) weights: Vec<f32>,
    /// Index in `column_edges` of each source's first edge, `[N + 1]`.
    pub(super) column_starts: Vec<u32>,
    pub(super) column_edges: Vec<EdgeId>,
    pub(super) input_totals: Vec<f64>,
    /// Every node after all of its sources.
    pub(super) order: Vec<NodeId>,
    pub(super) is_cyclic: bool,
    pub(super) influence_of: Arc<InfluenceOf>,
    /// The file's own names of the nodes.
    pub(super) file_names: Option<Arc<FileNames>>,
}

impl AttributionGraph {
    /// Returns the number of layers of the model.
    pub fn n_layers(&self) -> usize {
        self.n_layers
    }

    /// Returns the prompt as the model reads it.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Returns all nodes; a [`NodeId`] is an index into them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns a node.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Returns the number of nodes.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the number of edges.
    pub fn n_edges(&self) -> usize {
        self.weights.len()
    }

    /// Iterates over the ids of all nodes, ascending.
    pub fn node_ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(NodeId::from)
    }

    /// Returns an edge.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn edge(&self, id: EdgeId) -> Edge {
        let at = id.index();
        Edge { id, source: self.sources[at], target: self.targets[at], weight: self.weights[at] }
    }

    /// Iterates over all edges, by target, then by source.
    pub fn edges(&self) -> Edges<'_> {
        Edges { graph: self, ids: Ids::Range(0..self.weights.len()) }
    }

    /// Iterates over the edges into a node, by source.
    pub fn incoming(&self, target: NodeId) -> Edges<'_> {
        Edges { graph: self, ids: Ids::Range(self.row(target)) }
    }

    /// Iterates over the edges out of a node, by target.
    pub fn outgoing(&self, source: NodeId) -> Edges<'_> {
        let at = source.index();
        let range = self.column_starts[at] as usize..self.column_starts[at + 1] as usize;
        Edges { graph: self, ids: Ids::List(self.column_edges[range].iter()) }
    }

    /// Returns the strongest edges of negative weight into a node, kept or not: at most `most`, the strongest first.
    pub fn inhibitors(&self, target: NodeId, most: usize) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self.incoming(target).filter(|edge| edge.weight < 0.0).collect();
        let stronger = |a: &Edge, b: &Edge| a.weight.total_cmp(&b.weight);
        if most < edges.len() {
            edges.select_nth_unstable_by(most, stronger);
            edges.truncate(most);
        }
        edges.sort_by(stronger);
        edges
    }

    /// Returns the absolute sum of the weights of a node's inputs, of which an edge's share is a share.
    ///
    /// Where the trace was stored sparsely it is more than the sum of the stored edges: see
    /// [`AttributionGraph::from_trace`].
    pub fn input_total(&self, target: NodeId) -> f64 {
        self.input_totals[target.index()]
    }

    /// Iterates over the feature nodes, ascending.
    pub fn feature_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_feature)
    }

    /// Iterates over the error nodes, ascending.
    pub fn error_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_error)
    }

    /// Iterates over the token nodes, ascending.
    pub fn token_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_token)
    }

    /// Iterates over the logit nodes, ascending.
    pub fn logit_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_logit)
    }

    /// Returns true where the trace was stopped before every wanted feature had its row.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Returns true where the links of the file that it was read from form a cycle. Then influence, which is a sum over
    /// paths, does not converge: pruning goes by the file's scores alone, and the graph has no scores of its own.
    pub fn is_cyclic(&self) -> bool {
        self.is_cyclic
    }

    /// Returns the graph that its influence is of: the traced one, or only this one.
    pub fn influence_of(&self) -> &InfluenceOf {
        &self.influence_of
    }

    /// Returns true where it holds all that was traced, so that influence and scores computed along its edges are its
    /// own. Else they are those of the remaining graph, and are called recomputed.
    pub fn is_whole(&self) -> bool {
        matches!(*self.influence_of, InfluenceOf::Whole)
    }

    /// Sets the graph that its influence is of.
    ///
    /// # Panics
    /// Panics where a file's scores are not as many as the nodes.
    pub fn with_influence_of(mut self, influence_of: InfluenceOf) -> Self {
        if let InfluenceOf::File(scores) = &influence_of {
            assert_eq!(scores.len(), self.nodes.len(), "a score, or that there is none, for every node");
        }
        self.influence_of = Arc::new(influence_of);
        self
    }

    /// Returns every node after all of its sources: tokens first, logits last. Of a graph with a cycle, the nodes
    /// ascending.
    pub fn topological_order(&self) -> &[NodeId] {
        &self.order
    }

    /// Returns the range of a target's edges in `sources` and `weights`.
    pub(super) fn row(&self, target: NodeId) -> Range<usize> {
        let at = target.index();
        self.row_starts[at] as usize..self.row_starts[at + 1] as usize
    }

    fn nodes_where(&self, is: fn(&Node) -> bool) -> impl Iterator<Item = NodeId> + '_ {
        self.node_ids().zip(&self.nodes).filter(move |(_, node)| is(node)).map(|(id, _)| id)
    }
}

/// Edges of a graph, from [`AttributionGraph::incoming`] and its like.
#[derive(Clone, Debug)]
pub struct Edges<'a> {
    graph: &'a AttributionGraph,
    ids: Ids<'a>,
}

#[derive(Clone, Debug)]
enum Ids<'a> {
    Range(Range<usize>),
    List(std::slice::Iter<'a, EdgeId>),
}

impl Iterator for Edges<'_> {
    type Item = Edge;

    fn next(&mut self) -> Option<Edge> {
        let id = match &mut self.ids {
            Ids::Range(range) => EdgeId::from(range.next()?),
            Ids::List(list) => *list.next()?,
        };
        Some(self.graph.edge(id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.ids {
            Ids::Range(range) => range.size_hint(),
            Ids::List(list) => list.size_hint(),
        }
    }
}

impl ExactSizeIterator for Edges<'_> {}
impl FusedIterator for Edges<'_> {}
