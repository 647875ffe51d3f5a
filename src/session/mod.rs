//! What a person did to a graph, saved beside it: edits, filters, marks, and where they stood.
//!
//! A session names nodes by what they are, never by their index, so that it fits the graph of a trace that was
//! extended; what it names and the graph does not hold is kept in its file and said. [`open`] reads one, [`Saver`]
//! writes it as it changes, on a thread of its own. Where several programs save the session of one graph, the edits of
//! all of them are in it.

mod file;
mod key;
mod lock;
mod merge;
mod place;
mod recent;
mod saved;
mod saver;
#[cfg(test)]
mod tests;

pub use file::{Opened, SessionFile, open};
pub use key::NodeKey;
pub use place::SessionPlace;
pub use recent::{RecentGraph, note_recent, recent};
pub use saver::Saver;

use crate::graph::Edited;
use crate::ids::NodeId;
use std::collections::BTreeMap;

/// What a person did to a graph, and where they stood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// Thresholds, pins, groups, labels and notes.
    pub edited: Edited,
    /// The selected node.
    pub selected: Option<NodeId>,
    /// Nodes that are selected beside it, to be grouped or copied.
    pub chosen: Vec<NodeId>,
    /// Filters that were given a name.
    pub filters: BTreeMap<String, String>,
    /// The filter that is on.
    pub filter: Option<ActiveFilter>,
    /// Filters that were typed, the last one last.
    pub filter_history: Vec<String>,
    /// Marked nodes, by letter.
    pub marks: BTreeMap<char, NodeId>,
    /// The stations of the walk.
    pub walk: Vec<Station>,
    /// Which of them the walk stands on; the others behind it are those that going back left.
    pub walk_at: usize,
    /// Groups that were proposed and refused.
    pub refused: Vec<Vec<NodeId>>,
    /// What the screen wants to find again, such as open panes and the focus. What it means is the screen's own.
    pub screen: BTreeMap<String, String>,
}

/// A filter that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveFilter {
    /// The query as it was typed.
    pub query: String,
    /// Whether what does not match is hidden; otherwise it is dimmed.
    pub hides: bool,
}

/// How a station of a walk was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// As an input of the one before.
    AsInput,
    /// As an output of the one before.
    AsOutput,
    /// Not along an edge.
    Freely,
}

/// A stop of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The node.
    pub node: NodeId,
    /// How it was reached.
    pub reached: Reached,
}
