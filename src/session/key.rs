//! What a node is called where its index cannot be relied on.

use crate::graph::{AttributionGraph, Node, NodeKind};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A node by what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NodeKey {
    /// A feature at a position.
    Feature {
        /// The layer that it reads from.
        layer: Layer,
        /// Which feature of the layer it is.
        feature: FeatureId,
        /// Where it is active.
        position: Position,
    },
    /// An error node.
    Error {
        /// The MLP's layer.
        layer: Layer,
        /// The place in the prompt.
        position: Position,
    },
    /// A token's embedding.
    Token {
        /// Its vocabulary index.
        id: u32,
        /// The place in the prompt.
        position: Position,
    },
    /// An output.
    Logit {
        /// The vocabulary index.
        id: u32,
        /// The last position of the prompt.
        position: Position,
    },
    /// A node of another program's file.
    Other {
        /// Its id in the file.
        name: String,
        /// The place in the prompt.
        position: Position,
    },
}

impl NodeKey {
    /// The key of a node.
    pub fn of(node: &Node) -> Self {
        match &node.kind {
            &NodeKind::Feature { layer, position, feature } => Self::Feature { layer, feature, position },
            &NodeKind::Error { layer, position } => Self::Error { layer, position },
            &NodeKind::Token { position, id } => Self::Token { id, position },
            &NodeKind::Logit { position, id, .. } => Self::Logit { id, position },
            NodeKind::Other { position, name, .. } => Self::Other { name: name.to_string(), position: *position },
        }
    }
}

/// The nodes of a graph by their keys.
pub(super) struct Keys<'a> {
    graph: &'a AttributionGraph,
    nodes: HashMap<NodeKey, NodeId>,
}

impl<'a> Keys<'a> {
    pub fn new(graph: &'a AttributionGraph) -> Self {
        // Of nodes that a file holds twice the first one stands for both.
        let nodes = graph.node_ids().rev().map(|id| (NodeKey::of(graph.node(id)), id)).collect();
        Self { graph, nodes }
    }

    pub fn node(&self, key: &NodeKey) -> Option<NodeId> {
        self.nodes.get(key).copied()
    }

    pub fn key(&self, id: NodeId) -> NodeKey {
        NodeKey::of(self.graph.node(id))
    }

    pub fn keys(&self, ids: &[NodeId]) -> Vec<NodeKey> {
        ids.iter().map(|id| self.key(*id)).collect()
    }
}
