//! Names of nodes in another program's file.

use crate::ids::NodeId;
use std::collections::HashMap;

/// A file's names of nodes, as far as they differ from this program's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileNames {
    /// Ids, by node. They are all different, also from those of the other nodes.
    pub ids: HashMap<NodeId, Box<str>>,
    /// Dictionaries of the features, where there are several, the model's own first.
    pub dictionaries: Vec<String>,
    /// Features with another number than the [`FeatureId`](crate::ids::FeatureId) that the graph tells them apart by.
    pub features: HashMap<NodeId, FeatureNumber>,
}

/// Number of a feature in its dictionary.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureNumber {
    /// Dictionary, as an index into [`FileNames::dictionaries`]; 0 where there is only one.
    pub dictionary: usize,
    /// Number in the dictionary. It may have more digits than a [`FeatureId`](crate::ids::FeatureId) holds.
    pub number: u128,
}
