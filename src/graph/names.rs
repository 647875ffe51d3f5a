//! Names of nodes: the ids of graph JSON, as circuit-tracer writes them since 0.5.1, and their labels.

use crate::graph::{AttributionGraph, Edited, FeatureNumber, FileNames, Labelled, Labels, Node, NodeKind};
use crate::ids::NodeId;
use std::sync::Arc;

impl AttributionGraph {
    /// Sets the names of nodes in the graph's file.
    pub fn with_file_names(mut self, names: FileNames) -> Self {
        self.file_names = Some(Arc::new(names)).filter(|names| **names != FileNames::default());
        self
    }

    /// Returns a node's id in graph JSON: the name in its file, else its [`usual_name`](AttributionGraph::usual_name).
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn node_name(&self, id: NodeId) -> String {
        let given = self.file_names.as_ref().and_then(|called| called.ids.get(&id));
        given.map_or_else(|| self.usual_name(id), |name| name.to_string())
    }

    /// Returns a node's id as circuit-tracer writes it: `{layer}_{feature}_{position}`, of an error
    /// `{layer}_-1_{position}`, of a token `E_{vocabulary index}_{position}`, of a logit `{layers + 1}_{vocabulary
    /// index}_{position}`, and of a node of another kind its id in the file.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn usual_name(&self, id: NodeId) -> String {
        usual_name(self.node(id), self.n_layers())
    }

    /// Returns the node of this name, or else the one with this usual name; `None` where there is none.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        let usual = || self.node_ids().find(|id| self.usual_name(*id) == name);
        self.node_ids().find(|id| self.node_name(*id) == name).or_else(usual)
    }

    /// Returns the number of a feature of any kind in its dictionary; `None` where a node is no feature.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn feature_number(&self, id: NodeId) -> Option<u128> {
        self.number_in_file(id).map(|known| known.number).or(match self.node(id).kind {
            NodeKind::Feature { feature, .. } => Some(feature.0.into()),
            _ => None,
        })
    }

    /// Returns a feature's number in its file, where that differs from the id that the graph tells it apart by.
    pub(super) fn number_in_file(&self, id: NodeId) -> Option<&FeatureNumber> {
        self.file_names.as_ref()?.features.get(&id)
    }

    /// Returns the same number behind a `#`, after the name of its dictionary where that is not the first of several.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn feature_text(&self, id: NodeId) -> Option<String> {
        let number = self.feature_number(id)?;
        let dictionary = self.dictionary_of(id).filter(|at| *at > 0).and_then(|at| self.dictionaries().get(at));
        Some(dictionary.map_or_else(|| format!("#{number}"), |name| format!("{name} #{number}")))
    }

    /// Returns the dictionaries of the features, where there are several, the model's own first.
    pub fn dictionaries(&self) -> &[String] {
        self.file_names.as_ref().map_or(&[], |called| &called.dictionaries)
    }

    /// Returns the dictionary of a feature, as an index into [`AttributionGraph::dictionaries`]; `None` where there is
    /// only one, or the node is no feature.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn dictionary_of(&self, id: NodeId) -> Option<usize> {
        let called = self.file_names.as_ref().filter(|called| called.dictionaries.len() > 1)?;
        let is_feature = || self.node(id).is_feature();
        called.features.get(&id).map(|known| known.dictionary).or_else(|| is_feature().then_some(0))
    }

    /// Returns the text of the token at a node's position; of a logit, the text of its own token.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn token_text(&self, id: NodeId) -> &str {
        match &self.node(id).kind {
            NodeKind::Logit { text, .. } => text,
            _ => &self.tokens()[self.node(id).position().index()].text,
        }
    }
}

/// Returns a node's id as circuit-tracer writes it, in a graph of `n_layers` layers.
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
    /// Returns the subject of a node's label.
    pub fn of(id: NodeId, node: &Node) -> Self {
        match node.kind {
            NodeKind::Feature { layer, feature, .. } => Self::Feature(layer, feature),
            _ => Self::Node(id),
        }
    }
}

/// Returns a node's label: the user's, else the file's.
pub fn label<'a>(graph: &AttributionGraph, edited: &'a Edited, file: &'a Labels, id: NodeId) -> Option<&'a str> {
    let what = Labelled::of(id, graph.node(id));
    edited.labels.get(&what).or_else(|| file.get(&what)).map(String::as_str)
}
