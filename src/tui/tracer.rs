//! What stands between the screen and whoever traces: the screen knows nothing else of models.

pub use crate::attribution::Promoted;
use crate::graph::{AttributionGraph, Document, FeatureAt, InfluenceOf, Kept, RawTrace, Scores, Token};
use crate::ids::{FeatureId, Layer, NodeId};
use crate::job::Monitor;
pub use crate::tokens::UnknownWord;
use crate::tui::browse::{Ask, Browsed};
use crate::tui::features::Knows;
use crate::tui::inquiry::{Inquiry, Reply};
use crate::tui::lab::{Experiment, Measured, Trial, Tried};
use crate::verify::{Answer, Question};
use std::sync::Arc;

/// How a prompt will be read, leading special token included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The prompt; of a message what the chat template makes of it.
    pub prompt: String,
    /// The tokens in their order.
    pub tokens: Vec<Token>,
    /// The words that are not in the vocabulary.
    pub unknown: Vec<UnknownWord>,
}

/// A trace with everything that the screen shows of it, computed off the UI thread.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The graph, and what is known of it.
    pub document: Document,
    /// What is left of it at the thresholds that were asked for.
    pub kept: Arc<Kept>,
    /// How far it can be trusted.
    pub scores: Scores,
    /// Each node's rank by influence, from 1; `None` where it has none.
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

/// What nodes are ranked by: the influence that a file gives, else whatever flows through them.
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

    /// Whether the model has a chat template.
    fn has_chat(&self) -> bool {
        false
    }

    /// A message as the model's chat template puts it; `None` where the model has no chat template. Templates may take
    /// their time.
    fn in_chat(&self, _message: &str) -> Option<Result<String, String>> {
        None
    }

    /// Traces a prompt. `grown` is given the graph as it grows, from the outputs' rows on; it never loses a node. A
    /// cancelled trace gives what there is, with [`Extent::Partial`](crate::graph::Extent::Partial) set, or fails.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn trace(&self, prompt: &str, grown: &mut dyn FnMut(Document), monitor: &Monitor) -> anyhow::Result<Document>;

    /// Goes on from a trace to rows of `max_feature_nodes` features, `None` for all; otherwise as [`Tracer::trace`]. What
    /// `grown` is given has at least the nodes of `from`, and so has the answer.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do; also where it was cancelled before there was more than in `from`.
    fn resume(
        &self,
        from: &RawTrace,
        max_feature_nodes: Option<usize>,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> anyhow::Result<Document>;

    /// The tokens that a feature promotes and suppresses most.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn promoted(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> anyhow::Result<Promoted>;

    /// Looks through the transcoder's features, beside what `knows` knows of them.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn browse(&self, _ask: &Ask, _knows: &dyn Knows, _monitor: &Monitor) -> anyhow::Result<Browsed> {
        anyhow::bail!("the features of this model cannot be looked through")
    }

    /// What interventions change in the model's run of a prompt.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn measure(&self, _asked: &Experiment, _monitor: &Monitor) -> anyhow::Result<Measured> {
        anyhow::bail!("interventions need a model")
    }

    /// What comes of a trial on a prompt; `told` is given what there is of it on the way.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn attempt(
        &self,
        _tokens: &[Token],
        _trial: &Trial,
        _told: &mut dyn FnMut(Tried),
        _monitor: &Monitor,
    ) -> anyhow::Result<Tried> {
        anyhow::bail!("interventions need a model")
    }

    /// Why features of a prompt fire or do not.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn inquire(&self, _asked: &Inquiry, _monitor: &Monitor) -> anyhow::Result<Reply> {
        anyhow::bail!("why a feature fires or does not needs a model")
    }

    /// Traces what a feature's pre-activation comes from, active or not, as the one output; otherwise as [`Tracer::trace`].
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn trace_feature(
        &self,
        _prompt: &str,
        _tokens: &[Token],
        _at: FeatureAt,
        _grown: &mut dyn FnMut(Document),
        _monitor: &Monitor,
    ) -> anyhow::Result<Document> {
        anyhow::bail!("a feature's inputs cannot be traced without a model")
    }

    /// Checks a graph, or a part of it, against the model; `told` is given what there is of the answer on the way.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn check(
        &self,
        _graph: &AttributionGraph,
        _question: &Question,
        _told: &mut dyn FnMut(Answer),
        _monitor: &Monitor,
    ) -> anyhow::Result<Answer> {
        anyhow::bail!("a graph is checked against its model, which is not loaded")
    }
}
