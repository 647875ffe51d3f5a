//! Traced graph, made ready for the screen.

use crate::format;
use crate::graph::{AttributionGraph, Document, InfluenceOf, Kept, RawTrace, Scores};
use crate::ids::NodeId;
use crate::job::Monitor;
use crate::tui::comparison::{self, Leaf};
use std::path::PathBuf;
use std::sync::Arc;

/// Source of a graph that is to be opened.
#[derive(Clone, Debug)]
pub enum Opening {
    /// Graph file.
    File(PathBuf),
    /// Trace that is at hand.
    Trace(Arc<RawTrace>),
    /// Graphs that are merged into one.
    Merged(Vec<Leaf>),
}

impl From<PathBuf> for Opening {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<Arc<RawTrace>> for Opening {
    fn from(trace: Arc<RawTrace>) -> Self {
        Self::Trace(trace)
    }
}

impl Opening {
    /// Opens the graph.
    ///
    /// # Errors
    /// Fails where the graph cannot be read, built or merged, or `monitor` says to stop.
    pub fn open(self, monitor: &Monitor) -> Result<Traced, String> {
        monitor.report("opening", 0, 0).map_err(|cancelled| cancelled.to_string())?;
        let document = match self {
            Self::File(path) => format::open(&path).map_err(|error| error.to_string()),
            Self::Trace(trace) => Document::from_trace(trace).map_err(|error| error.to_string()),
            Self::Merged(leaves) => comparison::merge(leaves, monitor),
        };
        document.map(Traced::new)
    }
}

/// Graph with everything that the screen shows of it, computed off the UI thread.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Graph with its labels, edits and origin.
    pub document: Document,
    /// Kept part of the graph at the thresholds that were asked for.
    pub kept: Arc<Kept>,
    /// Scores of how far the graph can be trusted.
    pub scores: Scores,
    /// Rank of each node by influence, from 1; `None` where it has none.
    pub ranks: Arc<[Option<usize>]>,
}

impl Traced {
    /// Prunes and scores a graph at the thresholds that it was left at.
    pub fn new(document: Document) -> Self {
        let kept = Arc::new(document.prune(document.edited.thresholds));
        let scores = crate::graph::scores(&document.graph, &kept.influence);
        let ranks = ranks(&document.graph, &kept);
        Self { document, kept, scores, ranks }
    }
}

/// Ranks nodes by the influence that a file gives, else by the influence through them.
fn ranks(graph: &AttributionGraph, kept: &Kept) -> Arc<[Option<usize>]> {
    let has_rank = |id: &NodeId| match graph.influence_of() {
        InfluenceOf::File(scores) => scores[id.index()].is_some(),
        InfluenceOf::Whole | InfluenceOf::Unknown => kept.influence[id.index()] > 0.0,
    };
    let mut order: Vec<NodeId> = graph.node_ids().filter(has_rank).collect();
    order.sort_by(|a, b| kept.by_influence(*a, *b));
    let mut ranks = vec![None; graph.n_nodes()];
    order.into_iter().enumerate().for_each(|(at, node)| ranks[node.index()] = Some(at + 1));
    ranks.into()
}
