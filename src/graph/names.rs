//! What nodes are called: the ids of graph JSON, as circuit-tracer writes them since 0.5.1, and their labels.

use crate::graph::{AttributionGraph, Edited, FeatureNumber, FileNames, Labelled, Labels, Node, NodeKind};
use crate::ids::NodeId;
use std::sync::Arc;

impl AttributionGraph {
    /// The same graph, of which the nodes are called as in a file.
    pub fn with_file_names(mut self, names: FileNames) -> Self {
        self.file_names = Some(Arc::new(names)).filter(|names| **names != FileNames::default());
        self
    }

    /// A node's id in graph JSON: what the file that it comes from calls it, else its
    /// [`usual_name`](AttributionGraph::usual_name).
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn node_name(&self, id: NodeId) -> String {
        let given = self.file_names.as_ref().and_then(|called| called.ids.get(&id));
        given.map_or_else(|| self.usual_name(id), |name| name.to_string())
    }

    /// A node's id as circuit-tracer writes it: `{layer}_{feature}_{position}`, of an error `{layer}_-1_{position}`, of a
    /// token `E_{vocabulary index}_{position}`, of a logit `{layers + 1}_{vocabulary index}_{position}`, and of a node of
    /// another kind what its file calls it.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn usual_name(&self, id: NodeId) -> String {
        usual_name(self.node(id), self.n_layers())
    }

    /// The node of this name, or else the one of which it is the usual name; `None` where there is none.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        let usual = || self.node_ids().find(|id| self.usual_name(*id) == name);
        self.node_ids().find(|id| self.node_name(*id) == name).or_else(usual)
    }

    /// The number that a feature of any kind is known by in its dictionary; `None` where a node is no feature.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn feature_number(&self, id: NodeId) -> Option<u128> {
        self.number_in_file(id).map(|known| known.number).or(match self.node(id).kind {
            NodeKind::Feature { feature, .. } => Some(feature.0.into()),
            _ => None,
        })
    }

    /// What its file says a feature is known by, where that is not what the graph keeps it apart by.
    pub(super) fn number_in_file(&self, id: NodeId) -> Option<&FeatureNumber> {
        self.file_names.as_ref()?.features.get(&id)
    }

    /// The same behind a `#`, after the name of its dictionary where that is not the first of several.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn feature_text(&self, id: NodeId) -> Option<String> {
        let number = self.feature_number(id)?;
        let dictionary = self.dictionary_of(id).filter(|at| *at > 0).and_then(|at| self.dictionaries().get(at));
        Some(dictionary.map_or_else(|| format!("#{number}"), |name| format!("{name} #{number}")))
    }

    /// The dictionaries that features are of, where there are several, the model's own first.
    pub fn dictionaries(&self) -> &[String] {
        self.file_names.as_ref().map_or(&[], |called| &called.dictionaries)
    }

    /// The dictionary that a feature is of, as an index into [`AttributionGraph::dictionaries`]; `None` where there is only
    /// one, or the node is no feature.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn dictionary_of(&self, id: NodeId) -> Option<usize> {
        let called = self.file_names.as_ref().filter(|called| called.dictionaries.len() > 1)?;
        let is_feature = || self.node(id).is_feature();
        called.features.get(&id).map(|known| known.dictionary).or_else(|| is_feature().then_some(0))
    }

    /// The text of the token at a node's position; of a logit, the text of its own token.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn token_text(&self, id: NodeId) -> &str {
        match &self.node(id).kind {
            NodeKind::Logit { text, .. } => text,
            _ => &self.tokens()[self.node(id).position().index()].text,
        }
    }
}

/// A node's id as circuit-tracer writes it, in a graph of so many layers.
pub(crate) fn usual_name(node: &Node, n_layers: usize) -> String {
    let position = node.position();
    match &node.kind {
        NodeKind::Feature { layer, feature, .. } => format!("{layer}_{feature}_{position}"),
        NodeKind::Error { layer, .. } => format!("{layer}_-1_{position}"),
        NodeKind::Token { id, .. } => format!("E_{id}_{position}"),
        NodeKind::Logit { id, .. } => format!("{}_{id}_{position}", n_layers + 1),
        NodeKind::Other { name, .. } => name.to_string(),
    }
}

impl Labelled {
    /// What a label of a node stands on.
    pub fn of(id: NodeId, node: &Node) -> Self {
        match node.kind {
            NodeKind::Feature { layer, feature, .. } => Self::Feature(layer, feature),
            _ => Self::Node(id),
        }
    }
}

/// A node's label: what a person called it, else what its file says.
pub fn label<'a>(graph: &AttributionGraph, edited: &'a Edited, file: &'a Labels, id: NodeId) -> Option<&'a str> {
    let what = Labelled::of(id, graph.node(id));
    edited.labels.get(&what).or_else(|| file.get(&what)).map(String::as_str)
}
