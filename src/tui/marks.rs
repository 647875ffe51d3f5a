//! What a person carries through a circuit: marks, chosen nodes, what was searched for.

use crate::ids::NodeId;
use crate::session::Session;
use crate::tui::filter::Filter;
use crate::tui::runtime::jobs::RequestId;
use std::collections::BTreeMap;

/// Places and choices that are no edits: undo leaves them alone.
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
    /// The path that is drawn, from its source up; empty where none is.
    pub path: Vec<NodeId>,
    /// What the circuit is seen through.
    pub filter: Option<Filter>,
    /// Filters that were saved, by their names.
    pub filters: BTreeMap<String, String>,
    /// The id of its graph, once its session is saved under it.
    pub session: Option<RequestId>,
    /// What was saved last.
    pub saved: Option<Session>,
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

impl Marks {
    /// Follows the nodes into a graph in which each has the id that `to` gives.
    pub fn renumber(&mut self, to: impl Fn(NodeId) -> NodeId) {
        let listed = self.refused.iter_mut().flatten().chain(&mut self.chosen).chain(&mut self.search.nodes);
        let ends = self.path.iter_mut().chain(&mut self.path_end);
        listed.chain(ends).chain(self.letters.values_mut()).for_each(|node| *node = to(*node));
        if let Some(filter) = &mut self.filter {
            filter.forget();
        }
    }

    /// Whether a filter makes a node stand back.
    pub fn dims(&self, node: NodeId) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.dims(node))
    }

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
