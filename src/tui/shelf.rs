//! The graphs that are open and not on the screen.

use crate::tui::circuit::Circuit;
use std::collections::VecDeque;
use std::path::PathBuf;

/// A graph that is put aside.
pub enum Shelved {
    /// It keeps its state.
    Circuit {
        /// The circuit.
        circuit: Box<Circuit>,
        /// Its number.
        generation: u64,
        /// Its thresholds changed, and it was not pruned at them yet.
        prunes: bool,
    },
    /// It is opened when it is turned to.
    File(PathBuf),
    /// Nothing came of it.
    Nothing,
}

/// A ring of graphs, one of which is on the screen.
#[derive(Default)]
pub struct Shelf {
    others: VecDeque<Shelved>,
    at: usize,
}

impl Shelf {
    /// A ring of the graph on the screen and of others after it.
    pub fn new(others: impl IntoIterator<Item = Shelved>) -> Self {
        Self { others: others.into_iter().collect(), at: 0 }
    }

    /// The place of the graph on the screen, from 1, and how many there are; `None` where it is the only one.
    pub fn place(&self) -> Option<(usize, usize)> {
        (!self.others.is_empty()).then(|| (self.at + 1, self.others.len() + 1))
    }

    /// Puts `here` aside for the next one, or for the one before; gives it back where it is the only one.
    pub fn turn(&mut self, here: Shelved, forward: bool) -> Shelved {
        let n = self.others.len() + 1;
        if forward {
            self.others.push_back(here);
            self.at = (self.at + 1) % n;
            self.others.pop_front().unwrap_or(Shelved::Nothing)
        } else {
            self.others.push_front(here);
            self.at = (self.at + n - 1) % n;
            self.others.pop_back().unwrap_or(Shelved::Nothing)
        }
    }

    /// Takes the graph on the screen out of the ring; gives the one that takes its place, if there is one.
    pub fn close(&mut self) -> Option<Shelved> {
        let next = self.others.pop_front()?;
        // The last one is followed by the first.
        self.at %= self.others.len() + 1;
        Some(next)
    }
}
