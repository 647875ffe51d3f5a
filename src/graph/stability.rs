//! Stability of edges and nodes under changes of the pruning thresholds.

use crate::graph::{AttributionGraph, Thresholds, prune};
use crate::ids::{EdgeId, NodeId};
use crate::job::{Cancelled, Monitor};

/// Least share of the settings that keep a core edge.
pub const CORE: f32 = 0.8;

/// Largest share of the settings that keep a noise edge; edges between the two are contingent.
pub const NOISE: f32 = 0.2;

/// Node thresholds of the usual grid, around circuit-tracer's 0.8.
const NODE_GRID: [f64; 5] = [0.6, 0.7, 0.8, 0.85, 0.9];

/// Edge thresholds of the usual grid, around circuit-tracer's 0.98.
const EDGE_GRID: [f64; 5] = [0.9, 0.95, 0.97, 0.98, 0.99];

/// Stability class of an edge or a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StabilityClass {
    /// Kept by at least [`CORE`] of the settings.
    Core,
    /// Kept by a share in between.
    Contingent,
    /// Kept by at most [`NOISE`] of the settings.
    Noise,
}

impl StabilityClass {
    /// Returns the class of a share of settings.
    pub fn of(share: f32) -> Self {
        match share {
            share if share >= CORE => Self::Core,
            share if share <= NOISE => Self::Noise,
            _ => Self::Contingent,
        }
    }

    /// Returns the name of the class.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Contingent => "contingent",
            Self::Noise => "noise",
        }
    }
}

/// Number of pruning settings that keep each edge and node.
#[derive(Clone, Debug, PartialEq)]
pub struct Stability {
    edges: Vec<u16>,
    nodes: Vec<u16>,
    settings: u16,
}

/// Returns the usual grid of settings: 25, each of five node thresholds with each of five edge thresholds.
pub fn usual_grid() -> Vec<Thresholds> {
    let pair = |node| EDGE_GRID.into_iter().map(move |edge| Thresholds { node, edge, ..Thresholds::default() });
    NODE_GRID.into_iter().flat_map(pair).collect()
}

/// Prunes `graph` at every one of `grid`, of which there are at least one and at most 65,535.
///
/// # Errors
/// Fails with [`Cancelled`] where the work was asked to stop.
pub fn stability(graph: &AttributionGraph, grid: &[Thresholds], monitor: &Monitor) -> Result<Stability, Cancelled> {
    let mut found = Stability { edges: vec![0; graph.n_edges()], nodes: vec![0; graph.n_nodes()], settings: 0 };
    for (done, thresholds) in grid.iter().enumerate() {
        monitor.report("pruning", done as u64, grid.len() as u64)?;
        let kept = prune(graph, *thresholds);
        found.edges.iter_mut().zip(kept.edge_mask()).for_each(|(count, kept)| *count += u16::from(*kept));
        kept.node_ids().for_each(|id| found.nodes[id.index()] += 1);
        found.settings += 1;
    }
    Ok(found)
}

impl Stability {
    /// Returns the share of settings that keep an edge.
    pub fn edge(&self, id: EdgeId) -> f32 {
        f32::from(self.edges[id.index()]) / f32::from(self.settings)
    }

    /// Returns the share of settings that keep a node.
    pub fn node(&self, id: NodeId) -> f32 {
        f32::from(self.nodes[id.index()]) / f32::from(self.settings)
    }

    /// Returns the number of edges of the graph.
    pub fn n_edges(&self) -> usize {
        self.edges.len()
    }

    /// Returns the number of settings.
    pub fn n_settings(&self) -> usize {
        usize::from(self.settings)
    }

    /// Counts the edges that are core, contingent, and noise that at least one setting keeps.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for (at, _) in self.edges.iter().enumerate().filter(|(_, count)| **count > 0) {
            counts[StabilityClass::of(self.edge(EdgeId::from(at))) as usize] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::{any_graph, by_hand};
    use proptest::prelude::*;

    #[test]
    fn the_only_path_is_core_and_what_is_weak_is_not() {
        // Token to f0 to the logit carries nearly all; what the error adds to f0 only the last setting keeps.
        let graph = by_hand(&[(3, 0, 10.0), (2, 0, 0.1), (0, 4, 10.0)]);
        let grid: Vec<_> =
            [0.5, 0.8, 0.9, 0.95, 1.0].map(|at| Thresholds { node: at, edge: at, ..Thresholds::default() }).to_vec();
        let found = stability(&graph, &grid, &Monitor::default()).unwrap();
        let standing = |source: u32| {
            let edge = graph.edges().find(|edge| edge.source == NodeId(source)).unwrap();
            StabilityClass::of(found.edge(edge.id))
        };
        assert_eq!(
            (standing(3), standing(0), standing(2)),
            (StabilityClass::Core, StabilityClass::Core, StabilityClass::Noise)
        );
        assert_eq!(found.counts(), [2, 0, 1]);
        assert_eq!((found.node(NodeId(4)), found.node(NodeId(1)), found.n_settings()), (1.0, 0.0, 5));
    }

    proptest! {
        #[test]
        fn one_setting_is_that_pruning(graph in any_graph(), at in 0.0f64..1.0) {
            let thresholds = Thresholds { node: at, edge: at, ..Thresholds::default() };
            let (kept, found) = (prune(&graph, thresholds), stability(&graph, &[thresholds], &Monitor::default()).unwrap());
            for edge in graph.edges() {
                prop_assert_eq!(found.edge(edge.id) == 1.0, kept.has_edge(edge.id));
            }
        }
    }
}
