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
    /// Numbers of features in their dictionaries, where they differ from the [`FeatureId`](crate::ids::FeatureId) that
    /// the graph tells them apart by. They may have more digits than that holds.
    pub features: HashMap<NodeId, u128>,
}
