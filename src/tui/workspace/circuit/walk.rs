//! The walk from node to node.

use crate::ids::NodeId;
use crate::tui::panes::graph::layout::Step;
use crate::tui::workspace::history::History;
use crate::tui::workspace::{Circuit, Link, Listing, Reached, Side};
use std::sync::Arc;

/// The walk from node to node.
pub struct Walk {
    /// Nodes of the walk; its end is the selected node.
    pub history: History,
    /// Column that vertical steps across the screen started from.
    goal_x: Option<u16>,
}

impl Walk {
    /// Creates a walk that begins at a node.
    pub fn new(first: NodeId) -> Self {
        Self { history: History::new(first), goal_x: None }
    }
}

impl Circuit {
    /// Returns the selected node.
    pub fn selected(&self) -> NodeId {
        self.walk.history.node()
    }

    /// Selects `node`, and adds it to the walk.
    pub fn go(&mut self, node: NodeId, reached: Reached) {
        self.walk.history.go(node, reached);
        self.walk.goal_x = None;
        self.arrive();
    }

    /// Selects `node` from far away: an entry of its own, so that going back leads to where the walk was.
    pub fn leap(&mut self, node: NodeId) {
        self.walk.history.leap(node);
        self.walk.goal_x = None;
        self.arrive();
    }

    /// Steps across the screen; vertical steps remember the column they started from.
    pub fn step(&mut self, step: Step) {
        let Some(here) = self.panes.layout.place(self.selected()) else { return };
        let goal_x = self.walk.goal_x.unwrap_or(here.x);
        let Some(node) = self.panes.layout.step(self.selected(), step, goal_x) else { return };
        self.go(node, Reached::Freely);
        self.walk.goal_x = matches!(step, Step::Up | Step::Down).then_some(goal_x);
    }

    /// Follows the link with this index on the followed side; returns true where there is one.
    pub fn follow(&mut self, index: usize) -> bool {
        let Some(link) = self.connections.links().kept.get(index).copied() else { return false };
        self.walk_along(&[link], self.connections.side);
        true
    }

    /// Follows links of one side, each from where the one before led.
    pub fn walk_along(&mut self, way: &[Link], side: Side) {
        for link in way {
            let reached = match side {
                Side::Inputs | Side::Inhibitors => Reached::AsInput(link.edge.weight),
                Side::Outputs => Reached::AsOutput(link.edge.weight),
            };
            self.walk.history.go(link.other, reached);
        }
        self.walk.goal_x = None;
        self.arrive();
    }

    /// Goes back along the walk; returns true where there was anywhere to go.
    pub fn back(&mut self) -> bool {
        let kept = Arc::clone(&self.traced.kept);
        let moved = self.walk.history.back(|node| kept.has_node(node));
        self.walk.goal_x = None;
        self.arrive();
        moved
    }

    /// Goes forward along the walk; returns true where there was anywhere to go.
    pub fn forward(&mut self) -> bool {
        let kept = Arc::clone(&self.traced.kept);
        let moved = self.walk.history.forward(|node| kept.has_node(node));
        self.walk.goal_x = None;
        self.arrive();
        moved
    }

    /// Lists the connections of the selected node in another way.
    pub fn list(&mut self, change: impl FnOnce(&mut Listing)) {
        change(&mut self.connections.listing);
        let node = self.selected();
        self.connections.relist(&self.traced.document.graph, &self.traced.kept, node);
    }

    /// Takes over the connections of the node that was just selected, and its box among the pinned ones.
    pub(super) fn arrive(&mut self) {
        let node = self.selected();
        (self.panes.pointed, self.panes.preview) = (None, None);
        if let Some(at) = self.panes.subgraph.box_of(node) {
            self.panes.box_at = at;
        }
        self.connections.arrive(&self.traced.document.graph, &self.traced.kept, node);
    }
}
