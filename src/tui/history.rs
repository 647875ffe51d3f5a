//! Walk so far: its nodes, and how each was reached.

use crate::ids::NodeId;

/// Most entries that are remembered, the newest ones: each key takes longer the more there are.
pub const ENTRIES: usize = 500;

/// Way in which an entry was reached from the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reached {
    /// As an input of the node before, over an edge of this weight.
    AsInput(f32),
    /// As an output of the node before, over an edge of this weight.
    AsOutput(f32),
    /// Not along an edge.
    Freely,
}

/// Stop of the walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The node.
    pub node: NodeId,
    /// Way in which the node was reached.
    pub reached: Reached,
}

/// Entries of a walk; never none, and never more than [`ENTRIES`].
#[derive(Clone, Debug)]
pub struct History {
    entries: Vec<Entry>,
    at: usize,
}

impl History {
    /// Creates a walk that starts at `node`.
    pub fn new(node: NodeId) -> Self {
        Self { entries: vec![Entry { node, reached: Reached::Freely }], at: 0 }
    }

    /// Returns the node at which the walk is.
    pub fn node(&self) -> NodeId {
        self.entries[self.at].node
    }

    /// Returns the entries up to the one at which the walk is.
    pub fn walked(&self) -> &[Entry] {
        &self.entries[..=self.at]
    }

    /// Returns the entries that going back left behind.
    pub fn ahead(&self) -> &[Entry] {
        &self.entries[self.at + 1..]
    }

    /// Returns all entries, and the index of the one at which the walk is.
    pub fn entries(&self) -> (&[Entry], usize) {
        (&self.entries, self.at)
    }

    /// Restores a walk at one of its entries; does nothing where there are none.
    pub fn restore(&mut self, entries: Vec<Entry>, at: usize) {
        if !entries.is_empty() {
            let at = at.min(entries.len() - 1);
            // The newest ones, so that the walk stands on one of them.
            let from = (at + 1).saturating_sub(ENTRIES);
            self.at = at - from;
            self.entries = entries.into_iter().skip(from).take(ENTRIES).collect();
        }
    }

    /// Goes on to `node`. Several free moves in a row make one entry: stepping across the screen is no path.
    pub fn go(&mut self, node: NodeId, reached: Reached) {
        let here = &mut self.entries[self.at];
        if node != here.node && reached == Reached::Freely && here.reached == Reached::Freely && self.at > 0 {
            here.node = node;
            self.entries.truncate(self.at + 1);
            if self.entries[self.at - 1].node == node {
                // Back at the node before: that is no entry of its own.
                self.entries.pop();
                self.at -= 1;
            }
        } else {
            self.push(Entry { node, reached });
        }
    }

    /// Goes on to `node`, wherever it is, as an entry of its own.
    pub fn leap(&mut self, node: NodeId) {
        self.push(Entry { node, reached: Reached::Freely });
    }

    fn push(&mut self, entry: Entry) {
        if entry.node != self.node() {
            self.entries.truncate(self.at + 1);
            self.entries.push(entry);
            self.at += 1;
            let excess = self.entries.len().saturating_sub(ENTRIES);
            self.entries.drain(..excess);
            self.at -= excess;
        }
    }

    /// Goes back to the last entry whose node `stands`; returns true where there was one.
    pub fn back(&mut self, stands: impl Fn(NodeId) -> bool) -> bool {
        let found = (0..self.at).rev().find(|at| self.is_elsewhere(*at, &stands));
        self.at = found.unwrap_or(self.at);
        found.is_some()
    }

    /// Goes forward to the next entry whose node `stands`; returns true where there was one.
    pub fn forward(&mut self, stands: impl Fn(NodeId) -> bool) -> bool {
        let found = (self.at + 1..self.entries.len()).find(|at| self.is_elsewhere(*at, &stands));
        self.at = found.unwrap_or(self.at);
        found.is_some()
    }

    /// Replaces every node by its id in another graph, which `to` gives.
    pub fn renumber(&mut self, to: impl Fn(NodeId) -> NodeId) {
        self.entries.iter_mut().for_each(|entry| entry.node = to(entry.node));
    }

    fn is_elsewhere(&self, at: usize, stands: &impl Fn(NodeId) -> bool) -> bool {
        let node = self.entries[at].node;
        node != self.node() && stands(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(_: NodeId) -> bool {
        true
    }

    #[test]
    fn back_and_forward_walk_the_stations() {
        let mut history = History::new(NodeId(0));
        history.go(NodeId(1), Reached::AsInput(0.5));
        history.go(NodeId(2), Reached::AsInput(-0.5));
        assert!(history.back(all) && history.back(all) && !history.back(all));
        assert_eq!(history.node(), NodeId(0));
        assert!(history.forward(all));
        assert_eq!((history.node(), history.ahead().len()), (NodeId(1), 1));
        history.go(NodeId(7), Reached::AsOutput(1.0));
        assert!(!history.forward(all), "a new way forgets the old one");
        assert_eq!(history.walked().len(), 3);
    }

    #[test]
    fn a_long_walk_forgets_where_it_began() {
        let mut history = History::new(NodeId(0));
        (1..3000).for_each(|node| history.go(NodeId(node), Reached::AsInput(0.5)));
        assert_eq!((history.entries().0.len(), history.node()), (ENTRIES, NodeId(2999)));
        while history.back(all) {}
        assert_eq!(history.node(), NodeId(3000 - ENTRIES as u32));
        let all: Vec<_> = (0..3000).map(|node| Entry { node: NodeId(node), reached: Reached::Freely }).collect();
        for at in [0, 700, 2999] {
            history.restore(all.clone(), at);
            assert_eq!(history.node(), NodeId(at as u32));
            assert_eq!(history.entries().0.len(), ENTRIES);
        }
    }

    #[test]
    fn free_moves_are_one_station() {
        let mut history = History::new(NodeId(0));
        for node in 1..9 {
            history.go(NodeId(node), Reached::Freely);
        }
        assert_eq!(history.walked().len(), 2);
        assert!(history.back(all));
        assert_eq!(history.node(), NodeId(0));
    }

    #[test]
    fn a_free_move_back_to_where_it_left_from_is_none() {
        let mut history = History::new(NodeId(0));
        history.go(NodeId(1), Reached::AsInput(0.5));
        history.go(NodeId(2), Reached::Freely);
        history.go(NodeId(1), Reached::Freely);
        assert_eq!(history.walked().len(), 2);
        assert!(history.back(all));
        assert_eq!(history.node(), NodeId(0));
    }

    #[test]
    fn a_leap_remembers_where_it_left() {
        let mut history = History::new(NodeId(0));
        history.go(NodeId(1), Reached::Freely);
        history.leap(NodeId(5));
        history.leap(NodeId(8));
        assert!(history.back(all));
        assert_eq!(history.node(), NodeId(5));
        assert!(history.back(all));
        assert_eq!(history.node(), NodeId(1));
    }

    #[test]
    fn stations_that_fell_are_passed_over() {
        let mut history = History::new(NodeId(0));
        history.go(NodeId(1), Reached::AsInput(0.5));
        history.go(NodeId(2), Reached::AsInput(0.5));
        assert!(history.back(|node| node != NodeId(1)));
        assert_eq!(history.node(), NodeId(0));
    }
}
