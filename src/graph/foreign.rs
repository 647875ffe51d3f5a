//! What the file of another program says beyond nodes, edges and labels.

use crate::graph::Attention;
use crate::ids::NodeId;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// Keys of a JSON object in their order, each with the text of its value.
pub type Fields = Vec<(String, Box<RawValue>)>;

/// What the file of another program says beyond nodes, edges and labels. Empty for a trace.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// What was left out of the file, and what else has to be known of it, a sentence each.
    pub warnings: Vec<String>,
    /// The node that was looked at when it was saved.
    pub clicked: Option<NodeId>,
    /// What it says of why heads looked where they looked.
    pub attention: Attention,
    /// What is written again as it was.
    pub unread: Unread,
}

/// What a file says and this program does not use, so that it is written again as it was: keys that are not known, and
/// those of which the value would be written in another way.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    /// Beside the metadata, the parameters, nodes and links.
    pub top: Fields,
    /// All of the metadata.
    pub metadata: Fields,
    /// All of the parameters.
    pub q_params: Fields,
    /// Of nodes.
    pub nodes: HashMap<NodeId, Fields>,
    /// Of links, by source and target.
    pub links: BTreeMap<(NodeId, NodeId), Fields>,
}
