//! QK attributions that a file gives: the nodes on the side of the query and on that of the key that raised the score
//! of an attention feature (Kamath et al. 2025, "Tracing Attention Computation Through Feature Interactions").

use crate::ids::NodeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// QK attributions of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// QK attributions by attention feature.
    pub traced: HashMap<NodeId, QkTrace>,
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
    /// Position in the prompt, where the file gives one.
    pub position: Option<u32>,
    /// Label.
    pub label: String,
}

impl QkTrace {
    /// Returns true where the file gives none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.queries.is_empty() && self.keys.is_empty()
    }
}
