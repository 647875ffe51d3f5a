//! QK attributions that a file gives: the nodes on the side of the query and on that of the key that raised the score
//! of an attention feature (Kamath et al. 2025, "Tracing Attention Computation Through Feature Interactions").

use crate::ids::{Layer, NodeId, Position};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Attention head of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// Layer of the head.
    pub layer: Layer,
    /// Index of the head in its layer.
    pub head: u32,
}

impl FromStr for Head {
    type Err = String;

    /// Parses `LAYER.HEAD`.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.trim().split_once('.').and_then(|(layer, head)| Some((layer.parse().ok()?, head.parse().ok()?)));
        let (layer, head) = numbers.ok_or("it has to be LAYER.HEAD, as in 5.3")?;
        Ok(Self { layer: Layer(layer), head })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.head)
    }
}

/// QK attributions of attention features and heads in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// QK attributions by attention feature.
    pub traced: HashMap<NodeId, QkTrace>,
    /// QK attributions of heads of the model, which are no nodes of the graph.
    pub heads: Vec<HeadTrace>,
    /// Nodes that the attributions name and that stand in no edge, by id.
    pub only: BTreeMap<Arc<str>, QkOnly>,
}

/// Contributions to the score of an attention feature, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QkTrace {
    /// Pairs of a node on the side of the query with one on that of the key, and their joint contribution.
    pub pairs: Vec<(QkNode, QkNode, f32)>,
    /// Contributions of nodes on the side of the query, summed over keys.
    pub queries: Vec<(QkNode, f32)>,
    /// Contributions of nodes on the side of the key, summed over queries.
    pub keys: Vec<(QkNode, f32)>,
}

/// QK attribution of one head's score of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadTrace {
    /// Head.
    pub head: Head,
    /// Position that the head looks from.
    pub query: Position,
    /// Position that the head looks at.
    pub key: Position,
    /// Contributions to its score.
    pub trace: QkTrace,
}

impl HeadTrace {
    /// Returns true where both are of the same head, query and key.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        (self.head, self.query, self.key) == (other.head, other.query, other.key)
    }
}

impl Attention {
    /// Adds a head's attribution, in place of one of the same head, query and key, and the nodes that it names and that
    /// are not in the graph.
    pub fn add(&mut self, trace: HeadTrace, only: BTreeMap<Arc<str>, QkOnly>) {
        self.heads.retain(|other| !other.is_of_the_same(&trace));
        self.heads.push(trace);
        self.only.extend(only);
    }
}

/// Node named in a QK attribution.
#[derive(Clone, Debug, PartialEq)]
pub enum QkNode {
    /// Node of the graph.
    InGraph(NodeId),
    /// Node that is not in the graph, by its id.
    Only(Arc<str>),
}

/// Node that QK attributions name and that stands in no edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QkOnly {
    /// Kind, as the file calls it.
    pub kind: String,
    /// Layer, where the file gives one.
    pub layer: Option<u32>,
    /// Index of the feature in its layer, where the node is a feature and the file gives one.
    pub feature: Option<u32>,
    /// Position in the prompt, where the file gives one.
    pub position: Option<u32>,
    /// Label.
    pub label: String,
}

impl QkOnly {
    /// Kind of a transcoder's feature in files.
    pub const FEATURE: &str = "cross layer transcoder";
    /// Kind of an error node in files.
    pub const ERROR: &str = "mlp reconstruction error";
    /// Kind of a token in files.
    pub const TOKEN: &str = "embedding";
    /// Kind of the contribution of biases in files.
    pub const BIAS: &str = "bias";
}

impl QkTrace {
    /// Returns true where there are no contributions.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.queries.is_empty() && self.keys.is_empty()
    }
}
