//! QK attributions that a file gives: the nodes on the side of the query and on that of the key that raised the score
//! of an attention feature (Kamath et al. 2025, "Tracing Attention Computation Through Feature Interactions").

use crate::ids::{Layer, NodeId, Position};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An attention head of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// Its layer.
    pub layer: Layer,
    /// Which head of the layer it is.
    pub head: u32,
}

impl FromStr for Head {
    type Err = String;

    /// Reads `LAYER.HEAD`.
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

/// What a file says of attention features and heads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// QK attributions by attention feature.
    pub traced: HashMap<NodeId, QkTrace>,
    /// Of heads of the model, which are no nodes of the graph, what was asked of them.
    pub heads: Vec<HeadTrace>,
    /// Nodes that are named there and stand in no edge, by id.
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

/// What raised the score of a head.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadTrace {
    /// The head.
    pub head: Head,
    /// From where it looked.
    pub query: Position,
    /// Where it looked.
    pub key: Position,
    /// What raised its score.
    pub trace: QkTrace,
}

impl HeadTrace {
    /// Whether two are of the same head, query and key.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        (self.head, self.query, self.key) == (other.head, other.query, other.key)
    }
}

impl Attention {
    /// Adds what was asked of a head, in place of what was asked of it there before, and the nodes that are named in it and
    /// are not in the graph.
    pub fn add(&mut self, trace: HeadTrace, only: BTreeMap<Arc<str>, QkOnly>) {
        self.heads.retain(|other| !other.is_of_the_same(&trace));
        self.heads.push(trace);
        self.only.extend(only);
    }
}

/// A node named in a QK attribution.
#[derive(Clone, Debug, PartialEq)]
pub enum QkNode {
    /// Node of the graph.
    InGraph(NodeId),
    /// Node that is not in the graph, by its id.
    Only(Arc<str>),
}

/// A node that QK attributions name and that stands in no edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QkOnly {
    /// Kind, as the file calls it.
    pub kind: String,
    /// Its layer, where the file gives one.
    pub layer: Option<u32>,
    /// Which feature it is, where it is one and the file says.
    pub feature: Option<u32>,
    /// Position in the prompt, where the file gives one.
    pub position: Option<u32>,
    /// Label.
    pub label: String,
}

impl QkOnly {
    /// What files call a feature of a transcoder.
    pub const FEATURE: &str = "cross layer transcoder";
    /// What they call what a transcoder misses.
    pub const ERROR: &str = "mlp reconstruction error";
    /// What they call a token.
    pub const TOKEN: &str = "embedding";
    /// What they call what biases add.
    pub const BIAS: &str = "bias";
}

impl QkTrace {
    /// Returns true where the file gives none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.queries.is_empty() && self.keys.is_empty()
    }
}
