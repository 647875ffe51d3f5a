//! Why heads looked where they looked, as a file tells it: which nodes on the side of the query and on that of the key
//! raised the score of an attention feature (Kamath et al. 2025, "Tracing Attention Computation Through Feature
//! Interactions").

use crate::ids::NodeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a file says of attention features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// By attention feature, what raised its score.
    pub traced: HashMap<NodeId, QkTrace>,
    /// The nodes that are named there and stand in no edge, by their ids.
    pub only: BTreeMap<Arc<str>, QkOnly>,
}

/// What raised the score of an attention feature, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QkTrace {
    /// A node on the side of the query with one on that of the key, and what the two contribute together.
    pub pairs: Vec<(QkNode, QkNode, f32)>,
    /// What nodes on the side of the query contribute, summed over keys.
    pub queries: Vec<(QkNode, f32)>,
    /// What nodes on the side of the key contribute, summed over queries.
    pub keys: Vec<(QkNode, f32)>,
}

/// A node that is named there.
#[derive(Clone, Debug, PartialEq)]
pub enum QkNode {
    /// It stands in the graph.
    InGraph(NodeId),
    /// It does not; this is its id.
    Only(Arc<str>),
}

/// A node that is named there and stands in no edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QkOnly {
    /// What it is, as the file calls it.
    pub kind: String,
    /// Its place in the prompt, where the file gives one.
    pub position: Option<u32>,
    /// Its label.
    pub label: String,
}

impl QkTrace {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.queries.is_empty() && self.keys.is_empty()
    }
}
