//! Nodes of an attribution graph.

use crate::graph::{FeatureAt, Module, Site};
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
///
/// Code outside the graph and its formats asks a [`Node`] instead.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A feature that is active at a position.
    Feature {
        /// Site that the feature is of.
        site: Site,
        /// Index of the feature at its site.
        feature: FeatureId,
    },
    /// Error node of a site: its output minus the features' reconstruction of it.
    Error {
        /// Site whose output it completes.
        site: Site,
    },
    /// A token's embedding.
    Token {
        /// Vocabulary index.
        id: u32,
    },
    /// Traced output.
    Logit(Logit),
    /// Node of a kind that this program does not trace, from a file: kept and drawn as it is.
    Other(OtherNode),
}

/// A traced output: a token's logit, a custom direction, or a feature's pre-activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Logit {
    /// Vocabulary index; of a custom direction, vocabulary size + its index among the targets.
    pub id: u32,
    /// Softmax probability; of a custom direction, its weight.
    pub probability: f32,
    /// Text of the token, or the name of the direction.
    pub text: Arc<str>,
}

/// Node of a kind that only other programs' files hold.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherNode {
    /// Site, where the file gives a layer.
    pub site: Option<Site>,
    /// Kind, as the file calls it, such as `lorsa`.
    pub kind: Arc<str>,
    /// Id in the file.
    pub name: Arc<str>,
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

    /// Returns the module that nodes of this kind are of.
    pub fn module(self) -> Module {
        match self {
            Self::Attention | Self::AttentionError => Module::Attention,
            Self::Bias | Self::Unknown => Module::Block,
        }
    }
}

/// A node of an attribution graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Position in the prompt; of a logit the last one, but of a feature's pre-activation that of the feature.
    pub position: Position,
    /// Kind, with its site and index.
    pub kind: NodeKind,
    /// Activation of a feature, or of a node of another kind where its file gives one; else `None`.
    pub activation: Option<f32>,
}

impl Node {
    /// Makes the node of a feature.
    pub fn of_feature(at: FeatureAt, activation: Option<f32>) -> Self {
        let kind = NodeKind::Feature { site: at.site, feature: at.feature };
        Self { position: at.position, kind, activation }
    }

    /// Makes the error node of a site at a position.
    pub fn of_error(site: Site, position: Position) -> Self {
        Self { position, kind: NodeKind::Error { site }, activation: None }
    }

    /// Makes the node of a token's embedding, of this vocabulary index.
    pub fn of_token(position: Position, id: u32) -> Self {
        Self { position, kind: NodeKind::Token { id }, activation: None }
    }

    /// Makes the node of a traced output.
    pub fn of_logit(position: Position, id: u32, probability: f32, text: impl Into<Arc<str>>) -> Self {
        let kind = NodeKind::Logit(Logit { id, probability, text: text.into() });
        Self { position, kind, activation: None }
    }

    /// Makes a node of a kind that only other programs' files hold.
    pub fn of_other(position: Position, other: OtherNode) -> Self {
        Self { position, kind: NodeKind::Other(other), activation: None }
    }

    /// Returns the position in the prompt.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns the site of a feature or an error node, and of another where a file gives a layer.
    pub fn site(&self) -> Option<Site> {
        match &self.kind {
            NodeKind::Feature { site, .. } | NodeKind::Error { site } => Some(*site),
            NodeKind::Other(other) => other.site,
            NodeKind::Token { .. } | NodeKind::Logit(_) => None,
        }
    }

    /// Returns the layer of its site.
    pub fn layer(&self) -> Option<Layer> {
        Some(self.site()?.layer)
    }

    /// Returns the feature, with its position; `None` of a node of another kind.
    pub fn feature(&self) -> Option<FeatureAt> {
        match self.kind {
            NodeKind::Feature { site, feature } => Some(FeatureAt { site, position: self.position, feature }),
            _ => None,
        }
    }

    /// Returns the layer and the index of a feature, by which libraries and transcoders know it; `None` of a node of
    /// another kind.
    pub fn layer_and_feature(&self) -> Option<(Layer, FeatureId)> {
        Some(self.feature()?.layer_and_feature())
    }

    /// Returns the site of an error node; `None` of a node of another kind.
    pub fn error_site(&self) -> Option<Site> {
        match self.kind {
            NodeKind::Error { site } => Some(site),
            _ => None,
        }
    }

    /// Returns the vocabulary index of a token's node; `None` of a node of another kind.
    pub fn token_id(&self) -> Option<u32> {
        match self.kind {
            NodeKind::Token { id } => Some(id),
            _ => None,
        }
    }

    /// Returns the traced output; `None` of a node of another kind.
    pub fn logit(&self) -> Option<&Logit> {
        match &self.kind {
            NodeKind::Logit(logit) => Some(logit),
            _ => None,
        }
    }

    /// Returns a node that only other programs' files hold; `None` for the four kinds that are traced.
    pub fn other(&self) -> Option<&OtherNode> {
        match &self.kind {
            NodeKind::Other(other) => Some(other),
            _ => None,
        }
    }

    /// Returns its kind among those that only other programs' files hold; `None` for the four kinds that are traced.
    pub fn other_kind(&self) -> Option<OtherKind> {
        Some(OtherKind::called(&self.other()?.kind))
    }

    /// Returns the name of its kind: `feature`, `error`, `token`, `logit`, or what its file calls it.
    pub fn kind_name(&self) -> &str {
        match &self.kind {
            NodeKind::Feature { .. } => "feature",
            NodeKind::Error { .. } => "error",
            NodeKind::Token { .. } => "token",
            NodeKind::Logit(_) => "logit",
            NodeKind::Other(other) => &other.kind,
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
        matches!(self.kind, NodeKind::Logit(_))
    }
}
