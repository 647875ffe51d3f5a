//! The attribution graph itself: nodes, and weighted edges that can be walked both ways.

use crate::graph::{FileNames, InfluenceOf, Node, Token};
use crate::ids::{EdgeId, NodeId};
use std::iter::FusedIterator;
use std::ops::Range;
use std::sync::Arc;

/// A direct effect of one node on another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Its index in the graph.
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
    /// `[N + 1]`: where each target's edges start.
    pub(super) row_starts: Vec<u32>,
    pub(super) sources: Vec<NodeId>,
    pub(super) targets: Vec<NodeId>,
    pub(super) weights: Vec<f32>,
    /// `[N + 1]`: where each source's edges start in `column_edges`.
    pub(super) column_starts: Vec<u32>,
    pub(super) column_edges: Vec<EdgeId>,
    pub(super) input_totals: Vec<f64>,
    /// Every node after all of its sources.
    pub(super) order: Vec<NodeId>,
    pub(super) is_cyclic: bool,
    pub(super) influence_of: Arc<InfluenceOf>,
    /// What its file calls its nodes.
    pub(super) file_names: Option<Arc<FileNames>>,
}

impl AttributionGraph {
    /// Layers of the model.
    pub fn n_layers(&self) -> usize {
        self.n_layers
    }

    /// The prompt as the model reads it.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// All nodes; a [`NodeId`] is an index into them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// How many nodes there are.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// How many edges there are.
    pub fn n_edges(&self) -> usize {
        self.weights.len()
    }

    /// Every node's id, ascending.
    pub fn node_ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(NodeId::from)
    }

    /// One edge.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn edge(&self, id: EdgeId) -> Edge {
        let at = id.index();
        Edge { id, source: self.sources[at], target: self.targets[at], weight: self.weights[at] }
    }

    /// Every edge, by target, then by source.
    pub fn edges(&self) -> Edges<'_> {
        Edges { graph: self, ids: Ids::Range(0..self.weights.len()) }
    }

    /// What has an effect on a node, by source.
    pub fn incoming(&self, target: NodeId) -> Edges<'_> {
        Edges { graph: self, ids: Ids::Range(self.row(target)) }
    }

    /// What a node has an effect on, by target.
    pub fn outgoing(&self, source: NodeId) -> Edges<'_> {
        let at = source.index();
        let range = self.column_starts[at] as usize..self.column_starts[at + 1] as usize;
        Edges { graph: self, ids: Ids::List(self.column_edges[range].iter()) }
    }

    /// The edges that take away from a node, kept or not: at most `most`, the strongest first.
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

    /// The sum of the absolute weights of everything that flows into a node; what an edge's share is a share of.
    ///
    /// Where the trace was stored sparsely it is more than the sum of the edges that are there: see
    /// [`AttributionGraph::from_trace`].
    pub fn input_total(&self, target: NodeId) -> f64 {
        self.input_totals[target.index()]
    }

    /// The feature nodes, ascending.
    pub fn feature_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_feature)
    }

    /// The error nodes, ascending.
    pub fn error_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_error)
    }

    /// The token nodes, ascending.
    pub fn token_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_token)
    }

    /// The logit nodes, ascending.
    pub fn logit_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes_where(Node::is_logit)
    }

    /// Whether the trace was stopped before every wanted feature had its row.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Whether the links of the file that it was read from form a cycle. Then influence, which is a sum over paths,
    /// has no end: pruning goes by what the file gives alone, and the graph has no scores of its own.
    pub fn is_cyclic(&self) -> bool {
        self.is_cyclic
    }

    /// Of what its influence is.
    pub fn influence_of(&self) -> &InfluenceOf {
        &self.influence_of
    }

    /// Whether it holds all that was traced, so that what is computed along its edges are its own influence and scores.
    /// Else they are those of what is left of it, and are called recomputed.
    pub fn is_whole(&self) -> bool {
        matches!(*self.influence_of, InfluenceOf::Whole)
    }

    /// The same graph, of which the influence is of something else.
    ///
    /// # Panics
    /// Where a file's scores are not as many as the nodes.
    pub fn with_influence_of(mut self, influence_of: InfluenceOf) -> Self {
        if let InfluenceOf::File(scores) = &influence_of {
            assert_eq!(scores.len(), self.nodes.len(), "a score, or that there is none, for every node");
        }
        self.influence_of = Arc::new(influence_of);
        self
    }

    /// Every node after all of its sources: tokens first, logits last. Of a graph with a cycle, the nodes ascending.
    pub fn topological_order(&self) -> &[NodeId] {
        &self.order
    }

    /// The range of a target's edges in `sources` and `weights`.
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
