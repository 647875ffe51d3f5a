//! Which parts of the graph on the screen hang on where the pruning thresholds stand.

use crate::graph::{Stability, StabilityClass};
use crate::ids::EdgeId;
use std::sync::Arc;

/// The standings of a graph's edges and nodes.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    /// Whether they are marked.
    pub shown: bool,
    /// What they are, once that is known.
    pub found: Option<Arc<Stability>>,
}

impl Standings {
    /// What is to be marked, where it is known.
    pub fn marked(&self) -> Option<&Stability> {
        self.found.as_deref().filter(|_| self.shown)
    }

    /// An edge's standing, where it is to be marked.
    pub fn of_edge(&self, edge: EdgeId) -> Option<StabilityClass> {
        self.marked().map(|found| StabilityClass::of(found.edge(edge)))
    }
}
