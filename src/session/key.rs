//! Keys of nodes where their indices cannot be relied on.

use crate::graph::{AttributionGraph, Node, NodeKind};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Key of a node: its kind and coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NodeKey {
    /// A feature at a position.
    Feature {
        /// Layer that it reads from.
        layer: Layer,
        /// Index of the feature in its layer.
        feature: FeatureId,
        /// Position where it is active.
        position: Position,
    },
    /// An error node.
    Error {
        /// Layer of the MLP.
        layer: Layer,
        /// Position in the prompt.
        position: Position,
    },
    /// A token's embedding.
    Token {
        /// Vocabulary index.
        id: u32,
        /// Position in the prompt.
        position: Position,
    },
    /// A logit node.
    Logit {
        /// Vocabulary index.
        id: u32,
        /// Last position of the prompt.
        position: Position,
    },
    /// A node of another program's file.
    Other {
        /// Id in the file.
        name: String,
        /// Position in the prompt.
        position: Position,
    },
}

impl NodeKey {
    /// Returns the key of a node.
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

/// Nodes of a graph by their keys.
pub(super) struct Keys<'a> {
    graph: &'a AttributionGraph,
    nodes: HashMap<NodeKey, NodeId>,
}

impl<'a> Keys<'a> {
    pub fn new(graph: &'a AttributionGraph) -> Self {
        let mut nodes = HashMap::with_capacity(graph.n_nodes());
        for id in graph.node_ids() {
            // A file may hold two nodes of one kind and place under different ids; the second is known by its id.
            match nodes.entry(NodeKey::of(graph.node(id))) {
                Entry::Vacant(place) => drop(place.insert(id)),
                Entry::Occupied(_) => drop(nodes.entry(by_name(graph, id)).or_insert(id)),
            }
        }
        Self { graph, nodes }
    }

    pub fn node(&self, key: &NodeKey) -> Option<NodeId> {
        self.nodes.get(key).copied()
    }

    pub fn key(&self, id: NodeId) -> NodeKey {
        let key = NodeKey::of(self.graph.node(id));
        if self.nodes.get(&key) == Some(&id) { key } else { by_name(self.graph, id) }
    }

    pub fn keys(&self, ids: &[NodeId]) -> Vec<NodeKey> {
        ids.iter().map(|id| self.key(*id)).collect()
    }
}

fn by_name(graph: &AttributionGraph, id: NodeId) -> NodeKey {
    NodeKey::Other { name: graph.node_name(id), position: graph.node(id).position() }
}
