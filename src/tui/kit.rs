//! What a person carries through a circuit: marks, chosen nodes, what was searched for.

use crate::ids::NodeId;
use std::collections::BTreeMap;

/// Places and choices that are no edits: undo leaves them alone.
#[derive(Clone, Debug, Default)]
pub struct Kit {
    /// Nodes by the letter that leads back to them.
    pub marks: BTreeMap<char, NodeId>,
    /// Nodes chosen for the next edit, in the order in which they were chosen.
    pub chosen: Vec<NodeId>,
    /// Proposed supernodes that were refused, so that they are not proposed again.
    pub refused: Vec<Vec<NodeId>>,
    /// What was searched for last.
    pub search: Search,
}

/// The nodes that a search found, and which of them is at hand.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What was typed.
    pub query: String,
    /// What was found, best first.
    pub nodes: Vec<NodeId>,
    /// The one that was gone to last.
    pub at: usize,
}

impl Kit {
    /// Chooses a node, or lets it go where it was chosen.
    pub fn toggle(&mut self, node: NodeId) {
        match self.chosen.iter().position(|chosen| *chosen == node) {
            Some(at) => {
                self.chosen.remove(at);
            }
            None => self.chosen.push(node),
        }
    }
}
