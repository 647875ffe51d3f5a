//! Ids that stay as a trace goes on: its larger graph numbers the nodes of the graph before as that did.

use crate::graph::build::Builder;
use crate::graph::{AttributionGraph, Document, Edge, GraphInfo, NodeKey};
use crate::ids::NodeId;
use std::collections::HashMap;
use std::sync::Arc;

impl AttributionGraph {
    /// Numbers the nodes that `before` holds as it does, and the others from there on. `None` where `before` holds a
    /// node that this graph does not.
    ///
    /// The order of the trace is kept: see [`AttributionGraph::listed`].
    pub fn with_ids_of(&self, before: &Self) -> Option<Self> {
        let known: HashMap<_, NodeId> = before.keys().collect();
        let mut next = before.n_nodes();
        let mut to = vec![NodeId::default(); self.n_nodes()];
        for (key, id) in self.keys() {
            to[id.index()] = known.get(&key).copied().unwrap_or_else(|| {
                next += 1;
                NodeId::from(next - 1)
            });
        }
        // With a node of `before` missing, one more would have been new.
        if next != self.n_nodes() {
            return None;
        }
        let mut from = vec![NodeId::default(); to.len()];
        to.iter().zip(self.node_ids()).for_each(|(new, old)| from[new.index()] = old);
        let mut edges: Vec<Edge> = self
            .edges()
            .map(|edge| Edge { source: to[edge.source.index()], target: to[edge.target.index()], ..edge })
            .collect();
        edges.sort_unstable_by_key(|edge| (edge.target, edge.source));
        let info = GraphInfo { n_layers: self.n_layers, tokens: self.tokens.clone(), partial: self.partial };
        let builder = Builder {
            info,
            nodes: from.iter().map(|id| self.node(*id).clone()).collect(),
            sources: edges.iter().map(|edge| edge.source).collect(),
            targets: edges.iter().map(|edge| edge.target).collect(),
            weights: edges.iter().map(|edge| edge.weight).collect(),
        };
        let graph = builder.unordered(Some(from.iter().map(|id| self.input_total(*id)).collect())).ok()?;
        Some(Self {
            order: self.order.iter().map(|id| to[id.index()]).collect(),
            listing: self.listed().map(|id| to[id.index()]).collect(),
            is_cyclic: self.is_cyclic,
            influence_of: Arc::clone(&self.influence_of),
            ..graph
        })
    }

    /// Iterates over the nodes as listed, by key and the number of those before with the same one: a token may be an
    /// output twice.
    fn keys(&self) -> impl Iterator<Item = ((NodeKey, usize), NodeId)> + '_ {
        let mut times: HashMap<NodeKey, usize> = HashMap::new();
        self.listed().map(move |id| {
            let key = self.node(id).key();
            let nth = times.entry(key.clone()).or_default();
            *nth += 1;
            ((key, *nth), id)
        })
    }

    /// Returns true where this graph holds every node of `before` under its id there.
    pub fn has_ids_of(&self, before: &Self) -> bool {
        let same = self.nodes.iter().zip(&before.nodes).all(|(one, other)| one.key() == other.key());
        same && before.n_nodes() <= self.n_nodes()
    }

    /// Iterates over the ids of all nodes in the order of the trace or file that they come from. That is ascending, but
    /// in a graph of a trace that went on: see [`AttributionGraph::with_ids_of`].
    pub fn listed(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.node_ids().map(|id| self.listing.get(id.index()).copied().unwrap_or(id))
    }

    /// Returns the place of each node in [`AttributionGraph::listed`], `[N]`.
    pub fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.n_nodes()];
        self.listed().enumerate().for_each(|(place, id)| places[id.index()] = place);
        places
    }

    /// Iterates over all edges by target, then by source, both in the order of [`AttributionGraph::listed`].
    pub fn listed_edges(&self) -> impl Iterator<Item = Edge> + '_ {
        let places = if self.listing.is_empty() { Vec::new() } else { self.places() };
        self.listed().flat_map(move |target| {
            let mut edges: Vec<Edge> = self.incoming(target).collect();
            if !places.is_empty() {
                edges.sort_unstable_by_key(|edge| places[edge.source.index()]);
            }
            edges
        })
    }
}

impl Document {
    /// Numbers the nodes as the graph `before`, of the same trace, does; see [`AttributionGraph::with_ids_of`]. Where
    /// it is of another trace, they stay as they are. The document is that of a trace: nothing else in it names nodes.
    pub fn continuing(self, before: &AttributionGraph) -> Self {
        match self.graph.with_ids_of(before) {
            Some(graph) => Self { graph: Arc::new(graph), ..self },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{FeatureAt, Node, Thresholds, Token, influence, prune};
    use crate::ids::{FeatureId, Layer, Position};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const N: u32 = 8;

    /// Builds the graph of those of `N` features that are in `held`, each of a layer of its own, with a token and one
    /// output twice. Each is an input of those above it.
    fn graph(held: &BTreeSet<u32>, weights: &[f32]) -> AttributionGraph {
        let at = Position(0);
        let mut nodes: Vec<Node> = held
            .iter()
            .map(|layer| Node::of_feature(FeatureAt::mlp(Layer(*layer), at, FeatureId(*layer)), Some(1.0)))
            .collect();
        let output = || Node::of_logit(at, 5, 0.5, "five");
        nodes.extend([Node::of_token(at, 1), output(), output()]);
        // By what they are, whatever other features there are.
        let rank = |node: &Node| node.layer().map_or(if node.is_token() { 0 } else { N + 1 }, |layer| layer.0 + 1);
        let mut edges = Vec::new();
        for (source, target) in (0..nodes.len()).flat_map(|a| (0..nodes.len()).map(move |b| (a, b))) {
            let (from, to) = (rank(&nodes[source]), rank(&nodes[target]));
            if from < to {
                let weight = weights[(from * (N + 2) + to) as usize];
                edges.push((NodeId::from(source), NodeId::from(target), weight));
            }
        }
        let info = GraphInfo { n_layers: N as usize, tokens: vec![Token { id: 1, text: "a".into() }], partial: true };
        AttributionGraph::from_edges(info, nodes, edges).unwrap()
    }

    fn by_keys<T>(graph: &AttributionGraph, of: impl Fn(NodeId) -> T) -> BTreeMap<(NodeKey, usize), T> {
        graph.keys().map(|(key, id)| (key, of(id))).collect()
    }

    proptest! {
        #[test]
        fn a_graph_that_grows_keeps_its_ids_and_is_the_same_graph(
            stages in proptest::collection::vec(proptest::collection::btree_set(0..N, 0..4), 1..4),
            weights in proptest::collection::vec(-2.0f32..2.0, ((N + 2) * (N + 2)) as usize),
        ) {
            let mut held = BTreeSet::new();
            let mut before: Option<AttributionGraph> = None;
            for stage in stages {
                held.extend(stage);
                let fresh = graph(&held, &weights);
                let grown = match &before {
                    Some(before) => fresh.with_ids_of(before).unwrap(),
                    None => fresh.clone(),
                };
                prop_assert!(before.is_none_or(|before| grown.has_ids_of(&before)));
                let keys = |graph: &AttributionGraph| graph.keys().map(|(key, _)| key).collect::<Vec<_>>();
                prop_assert_eq!(keys(&grown), keys(&fresh), "in the order of the trace");
                let edges = |graph: &AttributionGraph| -> Vec<_> {
                    let key = |id| graph.node(id).key();
                    graph.listed_edges().map(|it| (key(it.source), key(it.target), it.weight)).collect()
                };
                prop_assert_eq!(edges(&grown), edges(&fresh));
                let totals = |graph: &AttributionGraph| by_keys(graph, |id| graph.input_total(id));
                prop_assert_eq!(totals(&grown), totals(&fresh));
                let flows = |graph: &AttributionGraph| {
                    let influence = influence(graph);
                    by_keys(graph, |id| influence[id.index()])
                };
                prop_assert_eq!(flows(&grown), flows(&fresh), "to the last bit");
                let all = Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() };
                let kept = |graph: &AttributionGraph| {
                    let kept = prune(graph, all);
                    by_keys(graph, |id| kept.has_node(id))
                };
                prop_assert_eq!(kept(&grown), kept(&fresh));
                before = Some(grown);
            }
        }

        #[test]
        fn another_graph_does_not_go_on(weights in proptest::collection::vec(-2.0f32..2.0, 100)) {
            let [few, many] = [&[1, 2][..], &[2, 3, 4]].map(|held| graph(&held.iter().copied().collect(), &weights));
            prop_assert!(many.with_ids_of(&few).is_none() && few.with_ids_of(&many).is_none());
            prop_assert!(!many.has_ids_of(&few));
        }
    }
}
