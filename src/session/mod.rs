//! The user's work on a graph, saved beside it: edits, filters, marks, and the walk.
//!
//! A session names nodes by kind and coordinates, never by their index, so that it fits the graph of a trace that was
//! extended; names of nodes that the graph does not hold stay in the file, and the user is told. [`open`] reads one,
//! [`Saver`] writes it as it changes, on a thread of its own. Where several programs save the session of one graph, the
//! edits of all of them are in it.

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

/// The user's work on a graph, and the walk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// Thresholds, pins, groups, labels and notes.
    pub edited: Edited,
    /// Selected node.
    pub selected: Option<NodeId>,
    /// Nodes selected beside it, to be grouped or copied.
    pub chosen: Vec<NodeId>,
    /// Named filters.
    pub filters: BTreeMap<String, String>,
    /// Active filter.
    pub filter: Option<ActiveFilter>,
    /// Filters as typed, the last one last.
    pub filter_history: Vec<String>,
    /// Marked nodes, by letter.
    pub marks: BTreeMap<char, NodeId>,
    /// Nodes of the walk.
    pub walk: Vec<Station>,
    /// Index of the node that the walk stands on; going back left those behind it.
    pub walk_at: usize,
    /// Proposed groups that the user refused.
    pub refused: Vec<Vec<NodeId>>,
    /// State that the screen restores, such as open panes and the focus, in a form of the screen's own.
    pub screen: BTreeMap<String, String>,
}

/// An active filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveFilter {
    /// Query as it was typed.
    pub query: String,
    /// True where nodes that do not match are hidden, false where they are dimmed.
    pub hides: bool,
}

/// Way in which a node of a walk was reached.
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

/// A node of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The node.
    pub node: NodeId,
    /// Way in which it was reached.
    pub reached: Reached,
}
