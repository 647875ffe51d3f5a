//! What nodes are called: the ids of graph JSON, as circuit-tracer writes them since 0.5.1, and their labels.

use crate::graph::{AttributionGraph, Edited, Labelled, Labels, Node, NodeKind};
use crate::ids::NodeId;

impl AttributionGraph {
    /// A node's id in graph JSON: `{layer}_{feature}_{position}`, of an error `{layer}_-1_{position}`, of a token
    /// `E_{vocabulary index}_{position}`, of a logit `{layers + 1}_{vocabulary index}_{position}`, and of a node of
    /// another kind what its file calls it.
    ///
    /// # Panics
    /// Where `id` is not of this graph.
    pub fn node_name(&self, id: NodeId) -> String {
        let node = self.node(id);
        let position = node.position();
        match &node.kind {
            NodeKind::Feature { layer, feature, .. } => format!("{layer}_{feature}_{position}"),
            NodeKind::Error { layer, .. } => format!("{layer}_-1_{position}"),
            NodeKind::Token { id, .. } => format!("E_{id}_{position}"),
            NodeKind::Logit { id, .. } => format!("{}_{id}_{position}", self.n_layers() + 1),
            NodeKind::Other { name, .. } => name.to_string(),
        }
    }

    /// The node of this name; `None` where there is none.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.node_ids().find(|id| self.node_name(*id) == name)
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
