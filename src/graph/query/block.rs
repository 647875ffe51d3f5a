//! The kept edges of a graph, in blocks that are tested at once.

use crate::graph::query::eval::Subject;
use crate::ids::NodeId;
use crate::parallel;
use std::borrow::Cow;
use std::convert::Infallible;

/// Edges of a block: the answers about them stay in the nearest cache.
const BLOCK: usize = 4096;

/// One end of an edge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
}

/// Kept edges of a range of a graph's edges, as columns.
pub(super) struct Block<'a> {
    /// Index among all blocks.
    pub at: usize,
    /// Index in the range of each edge; `None` where all are kept.
    places: Option<Vec<u32>>,
    pub sources: Cow<'a, [NodeId]>,
    pub targets: Cow<'a, [NodeId]>,
    pub weights: Cow<'a, [f32]>,
}

/// Splits the kept edges of a graph into blocks.
pub(super) fn blocks<'a>(subject: &Subject<'a>) -> Vec<Block<'a>> {
    let Ok(blocks) =
        parallel::map(subject.graph.n_edges().div_ceil(BLOCK), |at| Ok::<_, Infallible>(Block::of(subject, at)));
    blocks
}

impl<'a> Block<'a> {
    fn of(subject: &Subject<'a>, at: usize) -> Self {
        let graph = subject.graph;
        let range = at * BLOCK..((at + 1) * BLOCK).min(graph.n_edges());
        let kept = &subject.kept.edge_mask()[range.clone()];
        let (sources, targets) = (&graph.sources[range.clone()], &graph.targets[range.clone()]);
        let weights = &graph.weights[range];
        if kept.iter().all(|kept| *kept) {
            return Self {
                at,
                places: None,
                sources: sources.into(),
                targets: targets.into(),
                weights: weights.into(),
            };
        }
        let places: Vec<u32> = (0..kept.len() as u32).filter(|place| kept[*place as usize]).collect();
        Self {
            at,
            sources: places.iter().map(|place| sources[*place as usize]).collect(),
            targets: places.iter().map(|place| targets[*place as usize]).collect(),
            weights: places.iter().map(|place| weights[*place as usize]).collect(),
            places: Some(places),
        }
    }

    pub fn ends(&self, side: Side) -> &[NodeId] {
        match side {
            Side::Source => &self.sources,
            Side::Target => &self.targets,
        }
    }

    /// Iterates over the indices of its edges in the graph.
    pub fn edges(&self) -> impl Iterator<Item = usize> + '_ {
        let place = |number: usize| self.places.as_ref().map_or(number, |places| places[number] as usize);
        (0..self.weights.len()).map(move |number| self.at * BLOCK + place(number))
    }
}
