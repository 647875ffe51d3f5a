//! Contents of another program's file beyond nodes, edges and labels.

use crate::graph::Attention;
use crate::ids::NodeId;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// Keys of a JSON object in their order, each with the text of its value.
pub type Fields = Vec<(String, Box<RawValue>)>;

/// Contents of another program's file beyond nodes, edges and labels. Empty for a trace.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// Warnings about left-out parts of the file and the like, a sentence each.
    pub warnings: Vec<String>,
    /// Node that was selected when the file was saved (`clickedId`).
    pub clicked: Option<NodeId>,
    /// QK attributions of attention features.
    pub attention: Attention,
    /// Fields that are written again as they were.
    pub unread: Unread,
}

/// Fields of a file that this program does not use, kept so that they are written again as they were: unknown keys, and
/// keys whose value this program would write in another way.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    /// Fields beside the metadata, the parameters, nodes and links.
    pub top: Fields,
    /// All fields of the metadata.
    pub metadata: Fields,
    /// All fields of the parameters (`qParams`).
    pub q_params: Fields,
    /// Fields of nodes.
    pub nodes: HashMap<NodeId, Fields>,
    /// Fields of links, by source and target.
    pub links: BTreeMap<(NodeId, NodeId), Fields>,
}
