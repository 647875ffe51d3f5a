//! The user's marks, chosen nodes, filters and searches in a circuit.

use crate::ids::NodeId;
use crate::session::Session;
use crate::tui::filter::Filter;
use crate::tui::runtime::jobs::RequestId;
use std::collections::BTreeMap;

/// Places and choices of the user that are no edits: undo leaves them alone.
#[derive(Default)]
pub struct Marks {
    /// Nodes by the letter that leads back to them.
    pub letters: BTreeMap<char, NodeId>,
    /// Nodes chosen for the next edit, in the order in which they were chosen.
    pub chosen: Vec<NodeId>,
    /// Proposed supernodes that were refused, so that they are not proposed again.
    pub refused: Vec<Vec<NodeId>>,
    /// One end of the paths that are to be found.
    pub path_end: Option<NodeId>,
    /// Path that is drawn, from its source up; empty where none is.
    pub path: Vec<NodeId>,
    /// Filter that the circuit is seen through.
    pub filter: Option<Filter>,
    /// Filters that were saved, by their names.
    pub filters: BTreeMap<String, String>,
    /// Id of the graph, once its session is saved under it.
    pub session: Option<RequestId>,
    /// Session that was saved last.
    pub saved: Option<Session>,
    /// Search that was made last.
    pub search: Search,
}

/// Nodes that a search found, and the present one among them.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Query as typed.
    pub query: String,
    /// Nodes that were found, best first.
    pub nodes: Vec<NodeId>,
    /// Index of the node that was gone to last.
    pub at: usize,
}

impl Marks {
    /// Replaces every node by its id in another graph, which `to` gives.
    pub fn renumber(&mut self, to: impl Fn(NodeId) -> NodeId) {
        let listed = self.refused.iter_mut().flatten().chain(&mut self.chosen).chain(&mut self.search.nodes);
        let ends = self.path.iter_mut().chain(&mut self.path_end);
        listed.chain(ends).chain(self.letters.values_mut()).for_each(|node| *node = to(*node));
        if let Some(filter) = &mut self.filter {
            filter.forget();
        }
    }

    /// Returns true where the filter dims a node.
    pub fn dims(&self, node: NodeId) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.dims(node))
    }

    /// Chooses a node, or drops it where it was chosen.
    pub fn toggle(&mut self, node: NodeId) {
        match self.chosen.iter().position(|chosen| *chosen == node) {
            Some(at) => {
                self.chosen.remove(at);
            }
            None => self.chosen.push(node),
        }
    }
}
