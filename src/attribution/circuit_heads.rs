//! Influence that flows through a graph's kept edges between positions, split by attention heads.

use crate::attribution::{Asked, Probe, TraceError, source_of};
use crate::graph::{AttributionGraph, Edge, Head, Kept, flows};
use crate::ids::{Layer, NodeId, Position};
use crate::job::Monitor;
use crate::parallel;
use std::collections::BTreeMap;

/// Number of targets whose edges are split together; the writes of their sources are read once for all of them.
const TOGETHER: usize = 32;

/// Influence that flows through a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadFlow {
    /// Head.
    pub head: Head,
    /// Influence of paths whose first head, from the source up, is this one.
    pub first: f64,
    /// Influence of paths whose last head, in front of the target, is this one.
    pub last: f64,
}

/// Influence that flows through kept edges between positions, by heads. `influence = sum of first = sum of last`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadFlows {
    /// Number of kept edges whose ends stand at different positions.
    pub edges: usize,
    /// Influence that flows through them.
    pub influence: f64,
    /// Number of edges that are not split, since they lead to outputs that are no tokens.
    pub left_out: usize,
    /// Every head of the model, by layer.
    pub heads: Vec<HeadFlow>,
}

impl HeadFlows {
    /// Returns the heads by the influence of `last`, the largest in absolute value first.
    pub fn strongest(&self) -> Vec<HeadFlow> {
        let mut heads = self.heads.clone();
        heads.sort_by(|a, b| b.last.abs().total_cmp(&a.last.abs()));
        heads
    }
}

impl Probe<'_> {
    /// Splits the influence that flows through the kept edges of a graph of this prompt between positions by heads.
    ///
    /// An edge's influence is split in proportion to the edge, so that a head that works against it counts negatively.
    ///
    /// # Errors
    /// Fails where a node does not exist in this model, weights cannot be read, or the work was stopped.
    pub fn head_flows(
        &self,
        graph: &AttributionGraph,
        kept: &Kept,
        monitor: &Monitor,
    ) -> Result<HeadFlows, TraceError> {
        self.head_flows_where(graph, kept, |_| true, monitor)
    }

    /// Splits the influence that flows into the nodes at one position, from other positions, as [`Probe::head_flows`]
    /// does that of a whole graph.
    ///
    /// # Errors
    /// Fails as [`Probe::head_flows`] does.
    pub fn head_flows_into(
        &self,
        position: Position,
        graph: &AttributionGraph,
        kept: &Kept,
        monitor: &Monitor,
    ) -> Result<HeadFlows, TraceError> {
        self.head_flows_where(graph, kept, |target| target == position, monitor)
    }

    /// Splits the influence of the edges whose target's position `is_target` accepts.
    fn head_flows_where(
        &self,
        graph: &AttributionGraph,
        kept: &Kept,
        is_target: impl Fn(Position) -> bool,
        monitor: &Monitor,
    ) -> Result<HeadFlows, TraceError> {
        let (n_layers, n_heads) = (self.engine.model.spec.n_layers, self.engine.model.spec.n_heads);
        let mut found = HeadFlows { edges: 0, influence: 0.0, left_out: 0, heads: Vec::new() };
        let mut by_target: BTreeMap<NodeId, Vec<(Edge, f64)>> = BTreeMap::new();
        for (edge, flow) in flows(graph, kept) {
            let [source, target] = [edge.source, edge.target].map(|end| graph.node(end).position());
            if source == target || !is_target(target) {
                continue;
            }
            match Asked::of_node(graph, edge.target)? {
                Asked::Logit(id) if id as usize >= self.engine.model.spec.vocab_size => found.left_out += 1,
                _ => {
                    (found.edges, found.influence) = (found.edges + 1, found.influence + flow);
                    by_target.entry(edge.target).or_default().push((edge, flow));
                }
            }
        }
        let mut sums = vec![[0.0f64; 2]; n_layers * n_heads];
        let by_target: Vec<(NodeId, Vec<(Edge, f64)>)> = by_target.into_iter().collect();
        for (nth, some) in by_target.chunks(TOGETHER).enumerate() {
            monitor.report("heads", (nth * TOGETHER) as u64, by_target.len() as u64)?;
            let sum = |(_, edges): &(NodeId, Vec<(Edge, f64)>)| -> Result<Vec<(usize, f32)>, TraceError> {
                let part = |(edge, flow): &(Edge, f64)| {
                    let column = self.column_of(source_of(graph, edge.source)?)?;
                    Ok((column, (flow / f64::from(edge.weight)) as f32))
                };
                edges.iter().map(part).collect()
            };
            let written = some.iter().map(sum).collect::<Result<Vec<_>, _>>()?;
            let written = self.run.replacement.written(&written, monitor.cancel())?;
            let splits = parallel::map(some.len(), |at| {
                let (target, _) = self.target(Asked::of_node(graph, some[at].0)?, monitor)?;
                self.run.replacement.split_written(&target, &written, at, monitor.cancel())
            })?;
            for part in splits.iter().flat_map(|split| &split.heads) {
                let [first, last] = &mut sums[part.head.layer.index() * n_heads + part.head.head as usize];
                (*first, *last) = (*first + f64::from(part.first), *last + f64::from(part.last));
            }
        }
        let head = |at: usize| Head { layer: Layer::from(at / n_heads), head: (at % n_heads) as u32 };
        let sums = sums.into_iter().enumerate();
        found.heads = sums.map(|(at, [first, last])| HeadFlow { head: head(at), first, last }).collect();
        Ok(found)
    }
}
