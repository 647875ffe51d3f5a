//! The part of a graph that is kept at the thresholds.

use crate::graph::{Kept, influence_kept};
use crate::tui::workspace::stability::StabilityMarks;
use std::sync::Arc;

/// The part of a graph that is kept at the thresholds.
pub struct Pruning {
    /// Nodes and edges kept at the thresholds.
    pub kept: Arc<Kept>,
    /// Share of all influence that the kept nodes hold.
    pub influence_kept: f64,
    /// Stability of the graph's parts under shifted thresholds.
    pub stability: StabilityMarks,
}

impl Pruning {
    /// Creates the first pruning of a graph.
    pub fn new(kept: Arc<Kept>) -> Self {
        Self { influence_kept: influence_kept(&kept), kept, stability: StabilityMarks::default() }
    }

    /// Takes over another pruning of the same graph.
    pub fn take(&mut self, kept: Arc<Kept>) {
        self.influence_kept = influence_kept(&kept);
        self.kept = kept;
    }
}
