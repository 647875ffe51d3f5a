//! The walk so far: where it went, and how it got there.

use crate::ids::NodeId;

/// So many stations are remembered, the newest ones: what is done with every key takes longer the more there are.
pub const STATIONS: usize = 500;

/// How a station was reached from the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reached {
    /// It is an input of the one before, over an edge of this weight.
    AsInput(f32),
    /// It is an output of the one before, over an edge of this weight.
    AsOutput(f32),
    /// Not along an edge.
    Freely,
}

/// A stop of the walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Station {
    /// The node.
    pub node: NodeId,
    /// How it was reached.
    pub reached: Reached,
}

/// The stations of a walk; never empty, and never more than [`STATIONS`].
#[derive(Clone, Debug)]
pub struct Trail {
    stations: Vec<Station>,
    at: usize,
}

impl Trail {
    /// A walk that starts at `node`.
    pub fn new(node: NodeId) -> Self {
        Self { stations: vec![Station { node, reached: Reached::Freely }], at: 0 }
    }

    /// Where the walk is.
    pub fn node(&self) -> NodeId {
        self.stations[self.at].node
    }

    /// The stations up to where the walk is.
    pub fn walked(&self) -> &[Station] {
        &self.stations[..=self.at]
    }

    /// The stations that going back left behind.
    pub fn ahead(&self) -> &[Station] {
        &self.stations[self.at + 1..]
    }

    /// All stations, and the index of the one where the walk is.
    pub fn stations(&self) -> (&[Station], usize) {
        (&self.stations, self.at)
    }

    /// Takes up a walk at one of its stations. One without stations is none.
    pub fn restore(&mut self, stations: Vec<Station>, at: usize) {
        if !stations.is_empty() {
            let at = at.min(stations.len() - 1);
            // The newest ones, so that the walk stands on one of them.
            let from = (at + 1).saturating_sub(STATIONS);
            self.at = at - from;
            self.stations = stations.into_iter().skip(from).take(STATIONS).collect();
        }
    }

    /// Goes on to `node`. Free moves one after another are one: stepping across the screen is no path.
    pub fn go(&mut self, node: NodeId, reached: Reached) {
        let here = &mut self.stations[self.at];
        if node != here.node && reached == Reached::Freely && here.reached == Reached::Freely && self.at > 0 {
            here.node = node;
            self.stations.truncate(self.at + 1);
            if self.stations[self.at - 1].node == node {
                // Back where it left from: that is no station of its own.
                self.stations.pop();
                self.at -= 1;
            }
        } else {
            self.push(Station { node, reached });
        }
    }

    /// Goes on to `node`, wherever it is, without forgetting where the walk was.
    pub fn leap(&mut self, node: NodeId) {
        self.push(Station { node, reached: Reached::Freely });
    }

    fn push(&mut self, station: Station) {
        if station.node != self.node() {
            self.stations.truncate(self.at + 1);
            self.stations.push(station);
            self.at += 1;
            let excess = self.stations.len().saturating_sub(STATIONS);
            self.stations.drain(..excess);
            self.at -= excess;
        }
    }

    /// Back to the last station that `stands`; whether there was one.
    pub fn back(&mut self, stands: impl Fn(NodeId) -> bool) -> bool {
        let found = (0..self.at).rev().find(|at| self.is_elsewhere(*at, &stands));
        self.at = found.unwrap_or(self.at);
        found.is_some()
    }

    /// Forward to the next station that `stands`; whether there was one.
    pub fn forward(&mut self, stands: impl Fn(NodeId) -> bool) -> bool {
        let found = (self.at + 1..self.stations.len()).find(|at| self.is_elsewhere(*at, &stands));
        self.at = found.unwrap_or(self.at);
        found.is_some()
    }

    /// Follows the stations into a graph in which each has the id that `to` gives.
    pub fn renumber(&mut self, to: impl Fn(NodeId) -> NodeId) {
        self.stations.iter_mut().for_each(|station| station.node = to(station.node));
    }

    fn is_elsewhere(&self, at: usize, stands: &impl Fn(NodeId) -> bool) -> bool {
        let node = self.stations[at].node;
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
        let mut trail = Trail::new(NodeId(0));
        trail.go(NodeId(1), Reached::AsInput(0.5));
        trail.go(NodeId(2), Reached::AsInput(-0.5));
        assert!(trail.back(all) && trail.back(all) && !trail.back(all));
        assert_eq!(trail.node(), NodeId(0));
        assert!(trail.forward(all));
        assert_eq!((trail.node(), trail.ahead().len()), (NodeId(1), 1));
        trail.go(NodeId(7), Reached::AsOutput(1.0));
        assert!(!trail.forward(all), "a new way forgets the old one");
        assert_eq!(trail.walked().len(), 3);
    }

    #[test]
    fn a_long_walk_forgets_where_it_began() {
        let mut trail = Trail::new(NodeId(0));
        (1..3000).for_each(|node| trail.go(NodeId(node), Reached::AsInput(0.5)));
        assert_eq!((trail.stations().0.len(), trail.node()), (STATIONS, NodeId(2999)));
        while trail.back(all) {}
        assert_eq!(trail.node(), NodeId(3000 - STATIONS as u32));
        let all: Vec<_> = (0..3000).map(|node| Station { node: NodeId(node), reached: Reached::Freely }).collect();
        for at in [0, 700, 2999] {
            trail.restore(all.clone(), at);
            assert_eq!(trail.node(), NodeId(at as u32));
            assert_eq!(trail.stations().0.len(), STATIONS);
        }
    }

    #[test]
    fn free_moves_are_one_station() {
        let mut trail = Trail::new(NodeId(0));
        for node in 1..9 {
            trail.go(NodeId(node), Reached::Freely);
        }
        assert_eq!(trail.walked().len(), 2);
        assert!(trail.back(all));
        assert_eq!(trail.node(), NodeId(0));
    }

    #[test]
    fn a_free_move_back_to_where_it_left_from_is_none() {
        let mut trail = Trail::new(NodeId(0));
        trail.go(NodeId(1), Reached::AsInput(0.5));
        trail.go(NodeId(2), Reached::Freely);
        trail.go(NodeId(1), Reached::Freely);
        assert_eq!(trail.walked().len(), 2);
        assert!(trail.back(all));
        assert_eq!(trail.node(), NodeId(0));
    }

    #[test]
    fn a_leap_remembers_where_it_left() {
        let mut trail = Trail::new(NodeId(0));
        trail.go(NodeId(1), Reached::Freely);
        trail.leap(NodeId(5));
        trail.leap(NodeId(8));
        assert!(trail.back(all));
        assert_eq!(trail.node(), NodeId(5));
        assert!(trail.back(all));
        assert_eq!(trail.node(), NodeId(1));
    }

    #[test]
    fn stations_that_fell_are_passed_over() {
        let mut trail = Trail::new(NodeId(0));
        trail.go(NodeId(1), Reached::AsInput(0.5));
        trail.go(NodeId(2), Reached::AsInput(0.5));
        assert!(trail.back(|node| node != NodeId(1)));
        assert_eq!(trail.node(), NodeId(0));
    }
}
