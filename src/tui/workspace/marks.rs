//! The user's marks, chosen nodes, filters and searches in a circuit.

use crate::ids::NodeId;
use crate::session::Session;
use crate::tui::keymap::{Code, Key};
use crate::tui::runtime::RequestId;
use crate::tui::state::State;
use crate::tui::workspace::{Filter, go_to};
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

pub(in crate::tui) fn set_mark(state: &mut State, key: Key) {
    let (Some(circuit), Code::Char(letter)) = (&mut state.workspace.circuit, key.code) else { return };
    let node = circuit.selected();
    circuit.marks.letters.insert(letter, node);
    let name = circuit.name(node, &state.screen.look.glyphs);
    state.screen.say(format!("{name} is marked {letter}"));
}

pub(in crate::tui) fn to_mark(state: &mut State, key: Key) {
    let (Some(circuit), Code::Char(letter)) = (&state.workspace.circuit, key.code) else { return };
    match circuit.marks.letters.get(&letter).copied() {
        Some(node) => go_to(state, node),
        None => state.screen.say(format!("No node is marked {letter}")),
    }
}
