//! What a node of an attribution graph is.

use crate::ids::{FeatureId, Layer, Position};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A token of the prompt as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its vocabulary index.
    pub id: u32,
    /// Its text as the tokenizer gives it, control characters included: it is escaped before it is shown.
    pub text: String,
}

/// The four kinds of node (Ameisen et al. 2025, "Attribution graphs"), and what other programs' files add to them.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A transcoder feature that is active at a position.
    Feature {
        /// The layer that the feature reads from.
        layer: Layer,
        /// Where it is active.
        position: Position,
        /// Which feature of the layer it is.
        feature: FeatureId,
    },
    /// What the transcoder misses of an MLP's output: feature output minus reconstruction.
    Error {
        /// The MLP's layer.
        layer: Layer,
        /// The place in the prompt.
        position: Position,
    },
    /// A token's embedding.
    Token {
        /// The place in the prompt.
        position: Position,
        /// Its vocabulary index.
        id: u32,
    },
    /// An output that is traced: a token's logit, or a custom direction.
    Logit {
        /// The last position of the prompt.
        position: Position,
        /// The vocabulary index; of a custom direction, vocabulary size + its index among the targets.
        id: u32,
        /// The softmax probability; of a custom direction, its weight.
        probability: f32,
        /// The token's text, or what else the output is called.
        text: String,
    },
    /// A node of a kind that this program does not trace, from a file: kept and drawn as it is.
    Other {
        /// The layer that it stands in, where the file gives one.
        layer: Option<Layer>,
        /// The place in the prompt.
        position: Position,
        /// What the file calls its kind, such as `lorsa`.
        kind: Arc<str>,
        /// Its id in the file.
        name: Arc<str>,
    },
}

/// Kinds of node that only other programs' files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherKind {
    /// A feature of a sparse attention layer (`lorsa`).
    Attention,
    /// What such a layer misses of an attention's output.
    AttentionError,
    /// What a bias adds.
    Bias,
    /// Any other.
    Unknown,
}

impl OtherKind {
    /// The kind that a file calls so.
    pub fn called(name: &str) -> Self {
        match name {
            "lorsa" => Self::Attention,
            "lorsa error" => Self::AttentionError,
            "bias" => Self::Bias,
            _ => Self::Unknown,
        }
    }
}

/// A node of an attribution graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is and where.
    pub kind: NodeKind,
    /// A feature's activation, or what a file gives for that of a node of a kind of its own; else `None`.
    pub activation: Option<f32>,
}

impl Node {
    /// The place in the prompt.
    pub fn position(&self) -> Position {
        match self.kind {
            NodeKind::Feature { position, .. }
            | NodeKind::Error { position, .. }
            | NodeKind::Token { position, .. }
            | NodeKind::Logit { position, .. }
            | NodeKind::Other { position, .. } => position,
        }
    }

    /// The layer of a feature or an error node, and of another where a file gives one.
    pub fn layer(&self) -> Option<Layer> {
        match self.kind {
            NodeKind::Feature { layer, .. } | NodeKind::Error { layer, .. } => Some(layer),
            NodeKind::Other { layer, .. } => layer,
            NodeKind::Token { .. } | NodeKind::Logit { .. } => None,
        }
    }

    /// Which of the kinds it is that only other programs' files hold.
    pub fn other_kind(&self) -> Option<OtherKind> {
        match &self.kind {
            NodeKind::Other { kind, .. } => Some(OtherKind::called(kind)),
            _ => None,
        }
    }

    /// Whether it is a feature.
    pub fn is_feature(&self) -> bool {
        matches!(self.kind, NodeKind::Feature { .. })
    }

    /// Whether it is an error node.
    pub fn is_error(&self) -> bool {
        matches!(self.kind, NodeKind::Error { .. })
    }

    /// Whether it is a token's embedding.
    pub fn is_token(&self) -> bool {
        matches!(self.kind, NodeKind::Token { .. })
    }

    /// Whether it is an output.
    pub fn is_logit(&self) -> bool {
        matches!(self.kind, NodeKind::Logit { .. })
    }
}
