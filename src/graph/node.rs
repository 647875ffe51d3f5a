//! Nodes of an attribution graph.

use crate::ids::{FeatureId, Layer, Position};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A token of the prompt as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Vocabulary index.
    pub id: u32,
    /// Text as the tokenizer gives it, control characters included: it is escaped before it is shown.
    pub text: String,
}

/// Kind of a node: the four of Ameisen et al. 2025, "Attribution graphs", and those that other programs' files add.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A transcoder feature that is active at a position.
    Feature {
        /// Layer that the feature reads from.
        layer: Layer,
        /// Position where it is active.
        position: Position,
        /// Index of the feature in its layer.
        feature: FeatureId,
    },
    /// Error node of an MLP: feature output minus reconstruction.
    Error {
        /// Layer of the MLP.
        layer: Layer,
        /// Position in the prompt.
        position: Position,
    },
    /// A token's embedding.
    Token {
        /// Position in the prompt.
        position: Position,
        /// Vocabulary index.
        id: u32,
    },
    /// Traced output: a token's logit, or a custom direction.
    Logit {
        /// Last position of the prompt.
        position: Position,
        /// Vocabulary index; of a custom direction, vocabulary size + its index among the targets.
        id: u32,
        /// Softmax probability; of a custom direction, its weight.
        probability: f32,
        /// Text of the token, or the name of the direction.
        text: String,
    },
    /// Node of a kind that this program does not trace, from a file: kept and drawn as it is.
    Other {
        /// Layer, where the file gives one.
        layer: Option<Layer>,
        /// Position in the prompt.
        position: Position,
        /// Kind, as the file calls it, such as `lorsa`.
        kind: Arc<str>,
        /// Id in the file.
        name: Arc<str>,
    },
}

/// Kinds of node that only other programs' files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherKind {
    /// A feature of a sparse attention layer (`lorsa`).
    Attention,
    /// Error node of a sparse attention layer: the part of an attention's output that the layer misses.
    AttentionError,
    /// Bias node.
    Bias,
    /// Any other kind.
    Unknown,
}

impl OtherKind {
    /// Returns the kind of this name in a file.
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
    /// Kind, with its coordinates.
    pub kind: NodeKind,
    /// Activation of a feature, or of a node of another kind where its file gives one; else `None`.
    pub activation: Option<f32>,
}

impl Node {
    /// Returns the position in the prompt.
    pub fn position(&self) -> Position {
        match self.kind {
            NodeKind::Feature { position, .. }
            | NodeKind::Error { position, .. }
            | NodeKind::Token { position, .. }
            | NodeKind::Logit { position, .. }
            | NodeKind::Other { position, .. } => position,
        }
    }

    /// Returns the layer of a feature or an error node, and of another where a file gives one.
    pub fn layer(&self) -> Option<Layer> {
        match self.kind {
            NodeKind::Feature { layer, .. } | NodeKind::Error { layer, .. } => Some(layer),
            NodeKind::Other { layer, .. } => layer,
            NodeKind::Token { .. } | NodeKind::Logit { .. } => None,
        }
    }

    /// Returns its kind among those that only other programs' files hold; `None` for the four kinds that are traced.
    pub fn other_kind(&self) -> Option<OtherKind> {
        match &self.kind {
            NodeKind::Other { kind, .. } => Some(OtherKind::called(kind)),
            _ => None,
        }
    }

    /// Returns true where it is a feature.
    pub fn is_feature(&self) -> bool {
        matches!(self.kind, NodeKind::Feature { .. })
    }

    /// Returns true where it is an error node.
    pub fn is_error(&self) -> bool {
        matches!(self.kind, NodeKind::Error { .. })
    }

    /// Returns true where it is a token's embedding.
    pub fn is_token(&self) -> bool {
        matches!(self.kind, NodeKind::Token { .. })
    }

    /// Returns true where it is a logit node.
    pub fn is_logit(&self) -> bool {
        matches!(self.kind, NodeKind::Logit { .. })
    }
}
