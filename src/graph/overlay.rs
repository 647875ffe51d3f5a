//! Overlay of the graphs of several prompts: the parts that they share, and those that only some hold.

use crate::graph::align::align;
use crate::graph::{AttributionGraph, GraphError, GraphInfo, Kept, Labelled, Labels, Node, NodeKind, Token};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// Least share of the larger of two numbers by which they differ where something counts as changed.
pub const CHANGED: f64 = 0.2;

/// Error of overlaying graphs.
#[derive(Debug, Error, PartialEq)]
pub enum OverlayError {
    /// Fewer than two graphs.
    #[error("it takes at least two graphs to compare")]
    TooFew,
    /// Graphs of different models.
    #[error("graph {nth} is of a model of {found} layers and the first one of {wanted}; compare graphs of one model")]
    Layers {
        /// Number of the graph, from 1.
        nth: usize,
        /// Layers of its model.
        found: usize,
        /// Layers of the first graph's model.
        wanted: usize,
    },
}

/// Identity of a node across graphs. Ordered as circuit-tracer orders nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Feature(Layer, usize, FeatureId),
    Other(usize, Arc<str>, Arc<str>),
    Error(Layer, usize),
    Token(usize),
    Logit(u32),
}

/// A node that at least one of the graphs keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayNode {
    /// Column of the node.
    pub column: usize,
    /// Node of each graph; `None` where that does not keep it.
    pub nodes: Vec<Option<NodeId>>,
}

/// An edge that at least one of the graphs keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayEdge {
    /// Source, as an index into [`Overlay::nodes`].
    pub source: usize,
    /// Target, as an index into [`Overlay::nodes`].
    pub target: usize,
    /// Direct effect in each graph; `None` where that does not keep it.
    pub weights: Vec<Option<f32>>,
    /// Signed share of the target's input in each graph.
    pub shares: Vec<Option<f64>>,
}

/// Difference between two graphs in a node, an edge or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Kept by both, and much the same.
    Shared,
    /// Kept by both, with a difference of more than [`CHANGED`].
    Changed,
    /// Kept by the first only.
    OnlyA,
    /// Kept by the second only.
    OnlyB,
}

impl Difference {
    /// All differences.
    pub const ALL: [Self; 4] = [Self::Shared, Self::Changed, Self::OnlyA, Self::OnlyB];

    /// Returns the name of the difference.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Changed => "changed",
            Self::OnlyA => "only A",
            Self::OnlyB => "only B",
        }
    }

    /// Returns the difference between two numbers, either of which may be missing.
    pub fn of(a: Option<f64>, b: Option<f64>) -> Self {
        match (a, b) {
            (Some(a), Some(b)) if (a - b).abs() > CHANGED * a.abs().max(b.abs()) => Self::Changed,
            (Some(_), None) => Self::OnlyA,
            (None, Some(_)) => Self::OnlyB,
            _ => Self::Shared,
        }
    }
}

/// Several graphs laid over each other.
#[derive(Clone, Debug)]
pub struct Overlay<'a> {
    graphs: Vec<&'a AttributionGraph>,
    /// Position of each graph in each column; `None` where the graph has no such column. The columns are the first
    /// graph's positions, and in between those of the others that align with none of them.
    pub columns: Vec<Vec<Option<Position>>>,
    /// Nodes, by layer, column and feature.
    pub nodes: Vec<OverlayNode>,
    /// Edges, by target, then by source.
    pub edges: Vec<OverlayEdge>,
}

impl<'a> Overlay<'a> {
    /// Lays the kept parts of graphs over each other: positions as [`align`] pairs them with the first graph's,
    /// features by layer, index and column, logits by token.
    ///
    /// # Errors
    /// Fails where there are fewer than two, or they are of models with different numbers of layers.
    pub fn new(parts: &[(&'a AttributionGraph, &Kept)]) -> Result<Self, OverlayError> {
        let [(first, _), ..] = parts else { return Err(OverlayError::TooFew) };
        if parts.len() < 2 {
            return Err(OverlayError::TooFew);
        }
        let wanted = first.n_layers();
        if let Some(at) = parts.iter().position(|(graph, _)| graph.n_layers() != wanted) {
            return Err(OverlayError::Layers { nth: at + 1, found: parts[at].0.n_layers(), wanted });
        }
        let graphs: Vec<_> = parts.iter().map(|(graph, _)| *graph).collect();
        let columns = columns(&graphs);
        let mut column_of: Vec<Vec<usize>> = graphs.iter().map(|graph| vec![0; graph.tokens().len()]).collect();
        for (column, positions) in columns.iter().enumerate() {
            for (of, position) in column_of.iter_mut().zip(positions) {
                if let Some(position) = position {
                    of[position.index()] = column;
                }
            }
        }
        let mut found: BTreeMap<Key, OverlayNode> = BTreeMap::new();
        let mut keys: Vec<BTreeMap<NodeId, Key>> = vec![BTreeMap::new(); parts.len()];
        for (nth, (graph, kept)) in parts.iter().enumerate() {
            for id in kept.node_ids() {
                let column = column_of[nth][graph.node(id).position().index()];
                let key = key(&graph.node(id).kind, column);
                let node = || OverlayNode { column, nodes: vec![None; parts.len()] };
                found.entry(key.clone()).or_insert_with(node).nodes[nth] = Some(id);
                keys[nth].insert(id, key);
            }
        }
        let places: BTreeMap<Key, usize> = found.keys().cloned().enumerate().map(|(at, key)| (key, at)).collect();
        let mut edges: BTreeMap<(usize, usize), OverlayEdge> = BTreeMap::new();
        for (nth, (graph, kept)) in parts.iter().enumerate() {
            for edge in graph.edges().filter(|edge| kept.has_edge(edge.id)) {
                let place = |id| keys[nth].get(&id).and_then(|key| places.get(key)).copied();
                let (Some(source), Some(target)) = (place(edge.source), place(edge.target)) else { continue };
                let none = || OverlayEdge {
                    source,
                    target,
                    weights: vec![None; parts.len()],
                    shares: vec![None; parts.len()],
                };
                let both = edges.entry((target, source)).or_insert_with(none);
                both.weights[nth] = Some(edge.weight);
                both.shares[nth] = Some(f64::from(edge.weight) / graph.input_total(edge.target));
            }
        }
        Ok(Self { graphs, columns, nodes: found.into_values().collect(), edges: edges.into_values().collect() })
    }

    /// Returns the number of graphs.
    pub fn n_graphs(&self) -> usize {
        self.graphs.len()
    }

    /// Returns the text of a column's tokens; several, one for each text.
    pub fn column_text(&self, column: usize) -> String {
        let mut texts: Vec<&str> = Vec::new();
        for (graph, position) in self.graphs.iter().zip(&self.columns[column]) {
            let text = position.map(|position| graph.tokens()[position.index()].text.as_str());
            texts.extend(text.filter(|text| !texts.contains(text)));
        }
        texts.join("/")
    }

    /// Returns the node in the first graph that keeps it: the graph's index, and the node's id there.
    pub fn example(&self, node: usize) -> (usize, NodeId) {
        let held = self.nodes[node].nodes.iter().enumerate().find_map(|(graph, id)| Some((graph, (*id)?)));
        held.expect("a node is held by the graph that it comes from")
    }

    /// Returns the difference between the first two graphs in a node: of a feature by its activation, of a logit by its
    /// probability, of a token by its id.
    pub fn node_difference(&self, node: usize) -> Difference {
        let value = |graph: usize| {
            let node = self.graphs[graph].node(self.nodes[node].nodes[graph]?);
            Some(match &node.kind {
                NodeKind::Feature { .. } => node.activation.map_or(0.0, f64::from),
                NodeKind::Logit { probability, .. } => f64::from(*probability),
                NodeKind::Token { .. } | NodeKind::Error { .. } | NodeKind::Other { .. } => 0.0,
            })
        };
        let token = |graph: usize| match self.graphs[graph].node(self.nodes[node].nodes[graph]?).kind {
            NodeKind::Token { id, .. } => Some(id),
            _ => None,
        };
        match (token(0), token(1)) {
            (Some(a), Some(b)) if a != b => Difference::Changed,
            _ => Difference::of(value(0), value(1)),
        }
    }

    /// Returns true where a node is compared: features, logits and kinds that only files hold are. Tokens and errors
    /// are not, as every graph has them.
    pub fn is_compared(&self, node: usize) -> bool {
        let (graph, id) = self.example(node);
        !matches!(self.graphs[graph].node(id).kind, NodeKind::Token { .. } | NodeKind::Error { .. })
    }

    /// Iterates over the compared nodes with this difference between the first two graphs.
    pub fn compared(&self, difference: Difference) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(move |node| self.is_compared(*node) && self.node_difference(*node) == difference)
    }

    /// Returns the difference between the first two graphs in an edge, by its share of the target's input.
    pub fn edge_difference(&self, edge: &OverlayEdge) -> Difference {
        Difference::of(edge.shares[0], edge.shares[1])
    }

    /// Merges the overlay into a graph of its own: columns become positions, and activations, probabilities and weights
    /// that several graphs keep become their mean.
    ///
    /// Its labels tell where each feature occurs: `[A]`, `[B]`, `[A=B]` and `[A≠B]` (changed) of two graphs, else
    /// `[2/3]`, by how many of the graphs keep it, at any column. A feature that differs between columns in this is
    /// `[A~B]`.
    ///
    /// # Errors
    /// Fails where a node of a kind that this program does not trace closes a cycle.
    pub fn merged(&self) -> Result<(AttributionGraph, Labels), GraphError> {
        let tokens = (0..self.columns.len()).map(|column| Token {
            id: self.columns[column]
                .iter()
                .zip(&self.graphs)
                .find_map(|(position, graph)| Some(graph.tokens()[(*position)?.index()].id))
                .unwrap_or_default(),
            text: self.column_text(column),
        });
        let info = GraphInfo { n_layers: self.graphs[0].n_layers(), tokens: tokens.collect(), partial: false };
        let nodes: Vec<Node> = (0..self.nodes.len()).map(|node| self.merged_node(node)).collect();
        let edges = self.edges.iter().map(|edge| {
            let held: Vec<f32> = edge.weights.iter().flatten().copied().collect();
            (NodeId::from(edge.source), NodeId::from(edge.target), mean(&held))
        });
        let graph = AttributionGraph::from_edges(info, nodes, edges)?;
        Ok((graph, self.labels()))
    }

    fn merged_node(&self, at: usize) -> Node {
        let each = || self.nodes[at].nodes.iter().zip(&self.graphs).filter_map(|(id, graph)| Some(graph.node((*id)?)));
        let (graph, id) = self.example(at);
        let mut node = self.graphs[graph].node(id).clone();
        let place = Position::from(self.nodes[at].column);
        match &mut node.kind {
            NodeKind::Feature { position, .. }
            | NodeKind::Error { position, .. }
            | NodeKind::Token { position, .. }
            | NodeKind::Other { position, .. } => *position = place,
            NodeKind::Logit { position, probability, .. } => {
                *position = place;
                let of = |node: &Node| match node.kind {
                    NodeKind::Logit { probability, .. } => Some(probability),
                    _ => None,
                };
                *probability = mean(&each().filter_map(of).collect::<Vec<_>>());
            }
        }
        let activations: Vec<f32> = each().filter_map(|node| node.activation).collect();
        node.activation = (!activations.is_empty()).then(|| mean(&activations));
        node
    }

    fn labels(&self) -> Labels {
        let mut standing: BTreeMap<Labelled, (Vec<bool>, Vec<Difference>)> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let (graph, id) = self.example(at);
            let what @ Labelled::Feature(..) = Labelled::of(id, self.graphs[graph].node(id)) else { continue };
            let (held, differences) =
                standing.entry(what).or_insert_with(|| (vec![false; self.n_graphs()], Vec::new()));
            held.iter_mut().zip(&node.nodes).for_each(|(held, id)| *held |= id.is_some());
            differences.push(self.node_difference(at));
        }
        let mark = |(held, differences): &(Vec<bool>, Vec<Difference>)| {
            if self.n_graphs() > 2 {
                return format!("[{}/{}]", held.iter().filter(|held| **held).count(), self.n_graphs());
            }
            let first = differences[0];
            let mark = match first {
                _ if differences.iter().any(|it| *it != first) => "[A~B]",
                Difference::Shared => "[A=B]",
                Difference::Changed => "[A≠B]",
                Difference::OnlyA => "[A]",
                Difference::OnlyB => "[B]",
            };
            mark.to_owned()
        };
        standing.iter().map(|(what, of)| (*what, mark(of))).collect()
    }
}

fn key(kind: &NodeKind, column: usize) -> Key {
    match kind {
        NodeKind::Feature { layer, feature, .. } => Key::Feature(*layer, column, *feature),
        NodeKind::Error { layer, .. } => Key::Error(*layer, column),
        NodeKind::Token { .. } => Key::Token(column),
        NodeKind::Logit { id, .. } => Key::Logit(*id),
        NodeKind::Other { kind, name, .. } => Key::Other(column, Arc::clone(kind), Arc::clone(name)),
    }
}

/// Returns the position of each graph in each column.
fn columns(graphs: &[&AttributionGraph]) -> Vec<Vec<Option<Position>>> {
    let n = graphs.len();
    let alone = |graph: usize, position: usize| {
        let mut column = vec![None; n];
        column[graph] = Some(Position::from(position));
        column
    };
    let base = graphs[0].tokens();
    let mut columns: Vec<_> = (0..base.len()).map(|position| alone(0, position)).collect();
    for (nth, graph) in graphs.iter().enumerate().skip(1) {
        // Behind the column of the position before.
        let mut next = 0;
        for (position, with) in align(base, graph.tokens()).into_iter().enumerate() {
            let place = with.and_then(|with| columns.iter().position(|it| it[0] == Some(Position::from(with))));
            match place {
                Some(place) => {
                    columns[place][nth] = Some(Position::from(position));
                    next = place + 1;
                }
                None => {
                    columns.insert(next, alone(nth, position));
                    next += 1;
                }
            }
        }
    }
    columns
}

fn mean(numbers: &[f32]) -> f32 {
    (numbers.iter().copied().map(f64::from).sum::<f64>() / numbers.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Thresholds, prune};

    /// Builds a graph of a prompt of words: a token, feature `f` of layer 0 there, feature 7 of layer 1 at the end, and
    /// a logit.
    fn graph(words: &str, at: usize, f: u32, activation: f32, output: u32, weight: f32) -> (AttributionGraph, Kept) {
        let id = |word: &str| word.bytes().map(u32::from).sum();
        let tokens: Vec<Token> = words.split(' ').map(|word| Token { id: id(word), text: word.to_owned() }).collect();
        let last = Position::from(tokens.len() - 1);
        let feature = |layer, position, feature, activation| Node {
            kind: NodeKind::Feature { layer: Layer(layer), position, feature: FeatureId(feature) },
            activation: Some(activation),
        };
        let plain = |kind| Node { kind, activation: None };
        let nodes = vec![
            feature(0, Position::from(at), f, activation),
            feature(1, last, 7, 1.0),
            plain(NodeKind::Token { position: Position::from(at), id: tokens[at].id }),
            plain(NodeKind::Logit { position: last, id: output, probability: 0.9, text: "out".into() }),
        ];
        let edges = [(2, 0, 1.0), (0, 1, weight), (1, 3, 1.0), (0, 3, 0.5)];
        let edges = edges.map(|(source, target, weight)| (NodeId(source), NodeId(target), weight));
        let graph =
            AttributionGraph::from_edges(GraphInfo { n_layers: 2, tokens, partial: false }, nodes, edges).unwrap();
        let kept = prune(&graph, Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() });
        (graph, kept)
    }

    fn overlay<'a>(graphs: &'a [(AttributionGraph, Kept)]) -> Overlay<'a> {
        let parts: Vec<_> = graphs.iter().map(|(graph, kept)| (graph, kept)).collect();
        Overlay::new(&parts).unwrap()
    }

    #[test]
    fn what_two_prompts_share_and_what_not() {
        let graphs = [graph("of Dallas is", 1, 3, 1.0, 50, 2.0), graph("of San Jose is", 2, 3, 1.5, 51, 2.1)];
        let both = overlay(&graphs);
        let texts: Vec<String> = (0..both.columns.len()).map(|column| both.column_text(column)).collect();
        assert_eq!(texts, ["of", "San", "Dallas/Jose", "is"]);
        let differences: Vec<_> = (0..both.nodes.len()).map(|node| both.node_difference(node)).collect();
        use Difference::{Changed, OnlyA, OnlyB, Shared};
        // Feature 3, active half as strongly again; feature 7; the token; the two outputs.
        assert_eq!(differences, [Changed, Shared, Changed, OnlyA, OnlyB]);
        let edges: Vec<_> = both.edges.iter().map(|it| (it.source, it.target, both.edge_difference(it))).collect();
        let outputs = [(0, 3, OnlyA), (1, 3, OnlyA), (0, 4, OnlyB), (1, 4, OnlyB)];
        assert_eq!(edges, [&[(2, 0, Shared), (0, 1, Shared)], &outputs[..]].concat());

        let (merged, labels) = both.merged().unwrap();
        assert_eq!((merged.n_nodes(), merged.n_edges(), merged.tokens().len()), (5, 6, 4));
        assert_eq!(merged.node(NodeId(0)).activation, Some(1.25));
        assert_eq!(merged.node_name(NodeId(0)), "0_3_2");
        let marks: Vec<_> = labels.values().map(String::as_str).collect();
        assert_eq!(marks, ["[A≠B]", "[A=B]"]);
    }

    #[test]
    fn how_often_what_recurs() {
        let graphs = [("a b c", 3, 50), ("a d c", 3, 50), ("a e c", 4, 50)]
            .map(|(text, f, out)| graph(text, 1, f, 1.0, out, 2.0));
        let all = overlay(&graphs);
        let held = |node: &OverlayNode| node.nodes.iter().flatten().count();
        assert_eq!(all.nodes.iter().map(held).collect::<Vec<_>>(), [2, 1, 3, 3, 3]);
        let (_, labels) = all.merged().unwrap();
        let marks: Vec<_> = labels.values().map(String::as_str).collect();
        assert_eq!(marks, ["[2/3]", "[1/3]", "[3/3]"]);
    }

    #[test]
    fn a_graph_and_itself_differ_in_nothing() {
        let one = graph("of Dallas is", 1, 3, 1.0, 50, 2.0);
        let both = Overlay::new(&[(&one.0, &one.1), (&one.0, &one.1)]).unwrap();
        assert!((0..both.nodes.len()).all(|node| both.node_difference(node) == Difference::Shared));
        assert!(both.edges.iter().all(|edge| both.edge_difference(edge) == Difference::Shared));
        assert_eq!((both.nodes.len(), both.edges.len()), (one.1.n_nodes(), one.1.n_edges()));
        assert!(matches!(Overlay::new(&[(&one.0, &one.1)]), Err(OverlayError::TooFew)));
    }
}
