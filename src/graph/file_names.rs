//! What the file of another program calls its nodes.

use crate::ids::NodeId;
use std::collections::HashMap;

/// What a file calls its nodes, as far as that is not what this program would call them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileNames {
    /// Ids, by node. They are all different, also from those of the other nodes.
    pub ids: HashMap<NodeId, Box<str>>,
    /// The dictionaries that features are of, where there are several, the model's own first.
    pub dictionaries: Vec<String>,
    /// Features that are known by another number than the one that the graph keeps them apart by.
    pub features: HashMap<NodeId, FeatureNumber>,
}

/// By what a feature is known.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureNumber {
    /// Its dictionary, as an index into [`FileNames::dictionaries`]; 0 where there is only one.
    pub dictionary: usize,
    /// Its number there. It may have more digits than a [`FeatureId`](crate::ids::FeatureId) holds.
    pub number: u128,
}
