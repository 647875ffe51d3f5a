//! Keys of nodes, by which they are known where their indices cannot be relied on.

use crate::graph::{FeatureAt, Node, NodeKind, Site};
use crate::ids::Position;
use serde::{Deserialize, Serialize};

/// Key of a node: its kind, site, position and index. It is the same in every graph that holds the node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NodeKey {
    /// A feature at a position.
    Feature(FeatureAt),
    /// An error node.
    Error {
        /// Site whose output it completes.
        #[serde(flatten)]
        site: Site,
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
        name: Box<str>,
        /// Position in the prompt.
        position: Position,
    },
}

impl Node {
    /// Returns the key of the node.
    pub fn key(&self) -> NodeKey {
        let position = self.position;
        match &self.kind {
            &NodeKind::Feature { site, feature } => NodeKey::Feature(FeatureAt { site, position, feature }),
            &NodeKind::Error { site } => NodeKey::Error { site, position },
            &NodeKind::Token { id } => NodeKey::Token { id, position },
            NodeKind::Logit(logit) => NodeKey::Logit { id: logit.id, position },
            NodeKind::Other(other) => NodeKey::Other { name: other.name.as_ref().into(), position },
        }
    }
}
