//! Parts of the graph on the screen that hang on where the pruning thresholds stand.

use crate::graph::{Stability, StabilityClass};
use crate::ids::EdgeId;
use std::sync::Arc;

/// Stability of a graph's edges and nodes under shifted thresholds.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    /// True where the standings are marked.
    pub shown: bool,
    /// Stability, once it is known.
    pub found: Option<Arc<Stability>>,
}

impl Standings {
    /// Returns the stability to be marked, where it is known.
    pub fn marked(&self) -> Option<&Stability> {
        self.found.as_deref().filter(|_| self.shown)
    }

    /// Returns an edge's standing, where it is to be marked.
    pub fn of_edge(&self, edge: EdgeId) -> Option<StabilityClass> {
        self.marked().map(|found| StabilityClass::of(found.edge(edge)))
    }
}
