//! The strongest paths between two nodes, and the share of everything that flows between them that they carry.
//!
//! A path's strength is the product of the normalised signed weights `A[t, s] / in_t` along it, so that its absolute
//! value is at most 1 and no path grows stronger by being longer.

use crate::graph::{AttributionGraph, Edge, Kept};
use crate::ids::NodeId;
use crate::job::{Cancel, Cancelled};
use std::collections::BTreeMap;

/// A path through the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Nodes from the source to the target, both included.
    pub nodes: Vec<NodeId>,
    /// Product of the normalised signed weights along it.
    pub strength: f64,
}

/// The strongest paths from one node to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paths {
    /// Paths by absolute strength, strongest first.
    pub found: Vec<Path>,
    /// Absolute strength of all paths together, those that were not asked for included.
    pub total: f64,
}

impl Paths {
    /// Returns the share of all paths' absolute strength that the found ones carry; 0 where there is no path.
    pub fn coverage(&self) -> f64 {
        let found: f64 = self.found.iter().map(|path| path.strength.abs()).sum();
        // Rounding may leave the parts a hair above their sum.
        if self.total > 0.0 { (found / self.total).min(1.0) } else { 0.0 }
    }
}

/// Finds the `k` strongest paths from `from` to `to`, over kept edges, or over all of them where `within` is `None`.
/// Weights are normalised over everything that flows into a node in the whole graph. In a graph [with a
/// cycle](AttributionGraph::is_cyclic) none is found.
///
/// One sweep upward finds for every node the strongest path that reaches it, so that a part of a path, which grows
/// from its end, is known to be a part of a whole one of known strength. The best such part is taken and grown by one
/// node, until `k` are whole. No two parts belong to the same path, so no more parts than paths are needed are kept.
///
/// # Errors
/// Fails with [`Cancelled`] where the work was asked to stop.
///
/// # Examples
/// ```
/// use circuitscope::{format, graph::paths, job::Cancel};
/// use std::path::Path;
///
/// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
/// let graph = &document.graph;
/// let (token, logit) = (graph.token_nodes().next().unwrap(), graph.logit_nodes().next().unwrap());
/// let paths = paths(graph, None, token, logit, 10, &Cancel::default())?;
/// assert_eq!(paths.found.len(), 1);
/// assert_eq!(paths.found[0].strength, 0.75); // The other quarter of the output comes from an error.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn paths(
    graph: &AttributionGraph,
    within: Option<&Kept>,
    from: NodeId,
    to: NodeId,
    k: usize,
    cancel: &Cancel,
) -> Result<Paths, Cancelled> {
    let reach = Reach::from_sources(graph, within, &[from], Some(to), cancel)?;
    let total = reach.total[to.index()];
    let found = reach.strongest(graph, within, to, k, cancel)?;
    Ok(Paths { found, total })
}

/// Finds the strongest path that leads from a token through a node to a logit; `None` where there is none.
///
/// # Errors
/// Fails with [`Cancelled`] where the work was asked to stop.
pub fn strongest_through(
    graph: &AttributionGraph,
    within: Option<&Kept>,
    node: NodeId,
    cancel: &Cancel,
) -> Result<Option<Path>, Cancelled> {
    let tokens: Vec<_> = graph.token_nodes().collect();
    let below = Reach::from_sources(graph, within, &tokens, Some(node), cancel)?;
    let Some(mut path) = below.strongest(graph, within, node, 1, cancel)?.pop() else { return Ok(None) };
    let above = Reach::from_sources(graph, within, &[node], None, cancel)?;
    let best = graph.logit_nodes().max_by(|a, b| above.best[a.index()].total_cmp(&above.best[b.index()]));
    let rest = best.map(|logit| above.strongest(graph, within, logit, 1, cancel)).transpose()?;
    Ok(rest.and_then(|mut found| found.pop()).map(|rest| {
        path.nodes.extend(&rest.nodes[1..]);
        path.strength *= rest.strength;
        path
    }))
}

/// Strengths of the paths from some sources to each node.
struct Reach {
    is_source: Vec<bool>,
    /// Absolute strength of the strongest path, `[N]`; 0 where there is none.
    best: Vec<f64>,
    /// Absolute strength of all paths together, `[N]`.
    total: Vec<f64>,
}

/// The end of a path: its first node, and the index of the rest among the parts that were grown before.
#[derive(Clone, Copy)]
struct Part {
    node: NodeId,
    rest: Option<usize>,
    /// Product of the signed normalised weights from `node` to the end.
    strength: f64,
}

impl Reach {
    /// Sweeps upward from `sources`, as far as `last` where that is given. No path goes through a second source.
    fn from_sources(
        graph: &AttributionGraph,
        within: Option<&Kept>,
        sources: &[NodeId],
        last: Option<NodeId>,
        cancel: &Cancel,
    ) -> Result<Self, Cancelled> {
        let n_nodes = graph.n_nodes();
        let mut this = Self { is_source: vec![false; n_nodes], best: vec![0.0; n_nodes], total: vec![0.0; n_nodes] };
        if graph.is_cyclic() {
            // The paths around a cycle have no end, so that none is strongest.
            return Ok(this);
        }
        for source in sources {
            this.is_source[source.index()] = true;
        }
        let mut waiting = sources.len();
        for &target in graph.topological_order() {
            let at = target.index();
            if this.is_source[at] {
                (this.best[at], this.total[at]) = (1.0, 1.0);
                waiting -= 1;
            } else if waiting < sources.len() {
                cancel.check()?;
                let (mut best, mut total) = (0.0f64, 0.0);
                for (source, weight) in inputs(graph, within, target) {
                    best = best.max(this.best[source.index()] * weight.abs());
                    total += this.total[source.index()] * weight.abs();
                }
                (this.best[at], this.total[at]) = (best, total);
            }
            if last == Some(target) {
                break;
            }
        }
        Ok(this)
    }

    /// Finds the `k` strongest paths from any source to `to`.
    fn strongest(
        &self,
        graph: &AttributionGraph,
        within: Option<&Kept>,
        to: NodeId,
        k: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Path>, Cancelled> {
        let mut found = Vec::new();
        let mut grown: Vec<Part> = Vec::new();
        let mut open = Open::new(k);
        open.offer(self.best[to.index()], Part { node: to, rest: None, strength: 1.0 });
        while found.len() < k
            && let Some(part) = open.strongest()
        {
            cancel.check()?;
            if self.is_source[part.node.index()] {
                found.push(whole(part, &grown));
                open.room -= 1;
                continue;
            }
            let rest = Some(grown.len());
            grown.push(part);
            for (source, weight) in inputs(graph, within, part.node) {
                let strength = part.strength * weight;
                open.offer(self.best[source.index()] * strength.abs(), Part { node: source, rest, strength });
            }
        }
        // A part's promise and what it becomes are rounded differently.
        found.sort_by(|a, b| b.strength.abs().total_cmp(&a.strength.abs()));
        Ok(found)
    }
}

/// Parts that may still grow into a path, by the strength of the strongest path that each can become.
struct Open {
    /// Parts by strength (positive floats order as their bits do), then the earlier one first.
    parts: BTreeMap<(u64, std::cmp::Reverse<usize>), Part>,
    offered: usize,
    /// Number of paths still wanted.
    room: usize,
}

impl Open {
    fn new(room: usize) -> Self {
        Self { parts: BTreeMap::new(), offered: 0, room }
    }

    fn strongest(&mut self) -> Option<Part> {
        self.parts.pop_last().map(|(_, part)| part)
    }

    /// Adds a part, unless there are as many stronger ones as paths are wanted.
    fn offer(&mut self, strength: f64, part: Part) {
        let least = self.parts.first_key_value().map_or(0, |((strength, _), _)| *strength);
        if strength <= 0.0 || self.parts.len() >= self.room && strength.to_bits() <= least {
            return;
        }
        self.parts.insert((strength.to_bits(), std::cmp::Reverse(self.offered)), part);
        self.offered += 1;
        if self.parts.len() > self.room {
            self.parts.pop_first();
        }
    }
}

/// Returns the path that starts with a part.
fn whole(part: Part, grown: &[Part]) -> Path {
    let parts = std::iter::successors(Some(part), |part| part.rest.map(|rest| grown[rest]));
    Path { nodes: parts.map(|part| part.node).collect(), strength: part.strength }
}

/// Iterates over a node's inputs by the edges that count: sources, and their normalised signed weights.
fn inputs<'a>(
    graph: &'a AttributionGraph,
    within: Option<&'a Kept>,
    target: NodeId,
) -> impl Iterator<Item = (NodeId, f64)> + 'a {
    let total = graph.input_total(target);
    let counts = move |edge: &Edge| within.is_none_or(|kept| kept.has_edge(edge.id));
    graph.incoming(target).filter(counts).map(move |edge| (edge.source, f64::from(edge.weight) / total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::{any_graph, by_hand};
    use crate::graph::{Thresholds, prune};
    use proptest::prelude::*;

    fn every_path(graph: &AttributionGraph, within: Option<&Kept>, from: NodeId, to: NodeId) -> Vec<Path> {
        if from == to {
            return vec![Path { nodes: vec![to], strength: 1.0 }];
        }
        inputs(graph, within, to)
            .flat_map(|(source, weight)| {
                let below = every_path(graph, within, from, source).into_iter();
                below.map(move |mut path| {
                    path.nodes.push(to);
                    path.strength *= weight;
                    path
                })
            })
            .collect()
    }

    fn rounded(path: &Path) -> (Vec<NodeId>, String) {
        (path.nodes.clone(), format!("{:.9e}", path.strength))
    }

    proptest! {
        #[test]
        fn the_strongest_of_all_paths_are_found(
            graph in any_graph(), ends in (0..16usize, 0..16usize), k in 0..60usize, node in 0.0..=1.0, pruned: bool,
        ) {
            let (from, to) = (NodeId::from(ends.0 % graph.n_nodes()), NodeId::from(ends.1 % graph.n_nodes()));
            let kept = prune(&graph, Thresholds { node, edge: 1.0, ..Thresholds::default() });
            let within = pruned.then_some(&kept);
            let mut every = every_path(&graph, within, from, to);
            every.sort_by(|a, b| b.strength.abs().total_cmp(&a.strength.abs()));
            let paths = paths(&graph, within, from, to, k, &Cancel::default()).unwrap();
            let total: f64 = every.iter().map(|path| path.strength.abs()).sum();
            prop_assert!((paths.total - total).abs() <= 1e-12 * total);
            prop_assert_eq!(paths.found.len(), k.min(every.len()));
            for (found, wanted) in paths.found.iter().zip(&every) {
                prop_assert!((found.strength.abs() - wanted.strength.abs()).abs() <= 1e-12);
                prop_assert!(every.iter().any(|path| rounded(path) == rounded(found)), "{:?} is a path", found);
            }
            let once: std::collections::BTreeSet<_> = paths.found.iter().map(|path| &path.nodes).collect();
            prop_assert_eq!(once.len(), paths.found.len(), "no path is found twice");
            if k >= every.len() && total > 0.0 {
                prop_assert!((paths.coverage() - 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn the_strongest_path_through_a_node_is_the_strongest_of_those(graph in any_graph(), node in 0..16usize) {
            let node = NodeId::from(node % graph.n_nodes());
            let through = |path: &Path| path.nodes.contains(&node);
            let ends = graph.token_nodes().flat_map(|from| graph.logit_nodes().map(move |to| (from, to)));
            let every = ends.flat_map(|(from, to)| every_path(&graph, None, from, to)).filter(through);
            let wanted = every.map(|path| path.strength.abs()).max_by(f64::total_cmp);
            let found = strongest_through(&graph, None, node, &Cancel::default()).unwrap();
            prop_assert!(found.iter().all(through));
            let found = found.map(|path| path.strength.abs());
            prop_assert_eq!(found.is_some(), wanted.is_some());
            prop_assert!((found.unwrap_or_default() - wanted.unwrap_or_default()).abs() <= 1e-12);
        }
    }

    #[test]
    fn paths_worked_out_by_hand() {
        // Half of what flows into the logit (4) comes from f1 (1), against it; all of that comes from f0 (0).
        let graph = by_hand(&[(3, 0, 3.0), (2, 0, -1.0), (0, 1, 2.0), (1, 4, -2.0), (0, 4, 2.0)]);
        let paths = paths(&graph, None, NodeId(3), NodeId(4), 1, &Cancel::default()).unwrap();
        assert_eq!(paths.total, 0.75);
        assert_eq!(paths.coverage(), 0.5);
        assert_eq!(paths.found[0].strength.abs(), 0.375);
    }

    #[test]
    fn a_search_that_is_cancelled_stops() {
        let graph = by_hand(&[(3, 0, 3.0), (0, 4, 2.0)]);
        let cancel = Cancel::default();
        cancel.cancel();
        assert_eq!(paths(&graph, None, NodeId(3), NodeId(4), 1, &cancel), Err(Cancelled));
    }
}
