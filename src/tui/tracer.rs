//! What stands between the screen and whoever traces: the screen knows nothing else of models.

pub use crate::attribution::Promoted;
use crate::graph::{AttributionGraph, GraphError, Kept, RawTrace, Scores, Thresholds, Token};
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
pub use crate::tokens::UnknownWord;
use std::sync::Arc;

/// How a prompt will be read, leading special token included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The tokens in their order.
    pub tokens: Vec<Token>,
    /// The words that are not in the vocabulary.
    pub unknown: Vec<UnknownWord>,
}

/// A trace with everything that the screen shows of it, computed off the UI thread.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Every row that was computed.
    pub trace: Arc<RawTrace>,
    /// The graph of all of them.
    pub graph: Arc<AttributionGraph>,
    /// What is left of it at the thresholds that were asked for.
    pub kept: Arc<Kept>,
    /// How far it can be trusted.
    pub scores: Scores,
}

impl Traced {
    /// Makes graph, influence, pruning and scores of a trace.
    ///
    /// # Errors
    /// Where the trace contradicts itself.
    pub fn new(trace: Arc<RawTrace>, thresholds: Thresholds) -> Result<Self, GraphError> {
        let graph = Arc::new(AttributionGraph::from_trace(&trace)?);
        let kept = Arc::new(crate::graph::prune(&graph, thresholds));
        let scores = crate::graph::scores(&graph, &kept.influence);
        Ok(Self { trace, graph, kept, scores })
    }
}

/// Whoever can trace a prompt.
pub trait Tracer: Send + Sync + 'static {
    /// The model's name.
    fn model_name(&self) -> String;

    /// The transcoder's name.
    fn transcoder_name(&self) -> String;

    /// How a prompt will be read. Fast: it is called at every keystroke.
    ///
    /// # Errors
    /// A sentence that says why the prompt cannot be traced.
    fn read_prompt(&self, prompt: &str) -> Result<Reading, String>;

    /// A message as the model's chat template puts it; `None` where the model has no chat template.
    fn in_chat(&self, _message: &str) -> Option<Result<String, String>> {
        None
    }

    /// Traces a prompt. A cancelled trace gives what there is, with [`AttributionGraph::is_partial`] set, or fails.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn trace(&self, prompt: &str, monitor: &Monitor) -> anyhow::Result<Traced>;

    /// The tokens that a feature promotes and suppresses most.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn promoted(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> anyhow::Result<Promoted>;
}
