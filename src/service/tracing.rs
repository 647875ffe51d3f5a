//! Tracing, and all other requests to a loaded model.

use crate::attribution::{Engine, Promoted, Request, TargetChoice, TraceOptions};
use crate::features::build::Selection;
use crate::graph::{AttributionGraph, Document, FeatureAt, Kept, RawTrace, Settings, Token};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use crate::job::Monitor;
use crate::service::attention::{CircuitHeads, EdgeHeads, HeadView, LookAt, PositionReads};
use crate::service::browse::{Ask, Browsed, browse};
use crate::service::explain::{ExplainReply, ExplainRequest};
use crate::service::interventions::{CachedBaseline, Experiment, Measured, ModelReply, ModelRequest};
use crate::service::library::FeatureSource;
use crate::service::partial_graphs::grow;
use crate::tokens::UnknownWord;
use crate::verify::{Answer, Question};
use anyhow::{Context as _, Result, bail};

/// Most features in a list on the screen.
const LISTED: usize = 500;
/// Most features of a token of a text.
const LISTED_OF_TOKEN: usize = 50;

/// Message where there is no model.
const NO_ATTENTION: &str = "attention of heads needs a model";

/// Tokens of a prompt, leading special token included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Prompt; for a message the output of the chat template.
    pub prompt: String,
    /// Tokens in their order.
    pub tokens: Vec<Token>,
    /// Words that are not in the vocabulary.
    pub unknown: Vec<UnknownWord>,
}

/// Loaded model that traces prompts. Errors are chains that say what went wrong and what to do.
pub trait Tracer: Send + Sync + 'static {
    /// Returns the model's name.
    fn model_name(&self) -> String;

    /// Returns the transcoder's name.
    fn transcoder_name(&self) -> String;

    /// Tokenizes a prompt. Fast: it is called at every keystroke.
    ///
    /// # Errors
    /// Says why the prompt cannot be traced, in a sentence.
    fn read_prompt(&self, prompt: &str) -> Result<Reading, String>;

    /// Returns true where the model has a chat template.
    fn has_chat(&self) -> bool {
        false
    }

    /// Applies the model's chat template to a message; `None` where the model has no chat template. It may take long.
    fn in_chat(&self, _message: &str) -> Option<Result<String, String>> {
        None
    }

    /// Traces a prompt. `grown` is given partial graphs, from the outputs' rows on; they never lose a node. A cancelled
    /// trace returns the partial graph, with [`Extent::Partial`](crate::graph::Extent::Partial) set, or fails.
    fn trace(&self, prompt: &str, grown: &mut dyn FnMut(Document), monitor: &Monitor) -> Result<Document>;

    /// Resumes a trace up to rows of `max_feature_nodes` features, `None` for all; otherwise as [`Tracer::trace`]. The
    /// partial graphs and the result have at least the nodes of `from`.
    ///
    /// # Errors
    /// Returns a chain that says what went wrong and what to do; also where it was cancelled before it had more than
    /// `from`.
    fn resume(
        &self,
        from: &RawTrace,
        max_feature_nodes: Option<usize>,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> Result<Document>;

    /// Returns the tokens that a feature promotes and suppresses most.
    fn promoted(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> Result<Promoted>;

    /// Browses the transcoder's features, with their dashboards and labels in `knows`.
    fn browse(&self, _ask: &Ask, _knows: &dyn FeatureSource, _monitor: &Monitor) -> Result<Browsed> {
        bail!("the features of this model cannot be looked through")
    }

    /// Measures the effects of interventions on the model's run of a prompt.
    fn measure(&self, _asked: &Experiment, _monitor: &Monitor) -> Result<Measured> {
        bail!("interventions need a model")
    }

    /// Answers a request on a prompt; `told` is given partial replies.
    fn attempt(
        &self,
        _tokens: &[Token],
        _request: &ModelRequest,
        _told: &mut dyn FnMut(ModelReply),
        _monitor: &Monitor,
    ) -> Result<ModelReply> {
        bail!("interventions need a model")
    }

    /// Explains why features of a prompt fire or do not.
    fn explain(&self, _request: &ExplainRequest, _monitor: &Monitor) -> Result<ExplainReply> {
        bail!("why a feature fires or does not needs a model")
    }

    /// Traces a feature's pre-activation, active or not, as the only output; otherwise as [`Tracer::trace`].
    fn trace_feature(
        &self,
        _prompt: &str,
        _tokens: &[Token],
        _at: FeatureAt,
        _grown: &mut dyn FnMut(Document),
        _monitor: &Monitor,
    ) -> Result<Document> {
        bail!("a feature's inputs cannot be traced without a model")
    }

    /// Checks a graph, or a part of it, against the model; `told` is given partial answers.
    fn check(
        &self,
        _graph: &AttributionGraph,
        _question: &Question,
        _told: &mut dyn FnMut(Answer),
        _monitor: &Monitor,
    ) -> Result<Answer> {
        bail!("a graph is checked against its model, which is not loaded")
    }

    /// Returns what a head looks at and why; `told` is given what is known first.
    fn look(
        &self,
        _graph: &AttributionGraph,
        _at: LookAt,
        _told: &mut dyn FnMut(HeadView),
        _monitor: &Monitor,
    ) -> Result<HeadView> {
        bail!(NO_ATTENTION)
    }

    /// Returns what all heads look at from a position, and the influence that they carry there; `told` is given what is
    /// known first.
    fn reads(
        &self,
        _graph: (&AttributionGraph, &Kept),
        _position: Position,
        _told: &mut dyn FnMut(PositionReads),
        _monitor: &Monitor,
    ) -> Result<PositionReads> {
        bail!(NO_ATTENTION)
    }

    /// Returns the strongest head of each of some edges; `told` is given those known so far.
    fn edge_heads(
        &self,
        _graph: &AttributionGraph,
        _edges: &[(NodeId, NodeId)],
        _told: &mut dyn FnMut(EdgeHeads),
        _monitor: &Monitor,
    ) -> Result<EdgeHeads> {
        bail!(NO_ATTENTION)
    }

    /// Splits the influence that flows through the kept edges of a graph by heads.
    fn circuit_heads(&self, _graph: (&AttributionGraph, &Kept), _monitor: &Monitor) -> Result<CircuitHeads> {
        bail!(NO_ATTENTION)
    }
}

/// Model of this process.
pub struct LocalTracer {
    engine: Engine,
    settings: Settings,
    base: CachedBaseline,
}

impl LocalTracer {
    /// Traces with `engine` and `settings`, whose prompt is ignored.
    pub fn new(engine: Engine, settings: Settings) -> Self {
        Self { engine, settings, base: CachedBaseline::default() }
    }

    fn options(&self, prompt: &str, targets: TargetChoice) -> TraceOptions {
        let settings = Settings { prompt: prompt.to_owned(), ..self.settings.clone() };
        TraceOptions { settings, targets, cut: None }
    }
}

impl Tracer for LocalTracer {
    fn model_name(&self) -> String {
        self.engine.model.spec.name.clone()
    }

    fn transcoder_name(&self) -> String {
        self.engine.transcoder.name()
    }

    fn read_prompt(&self, prompt: &str) -> Result<Reading, String> {
        let tokens = self.engine.read(prompt).map_err(|error| error.to_string())?;
        let unknown = self.engine.tokenizer.unknown_words(prompt).map_err(|error| error.to_string())?;
        Ok(Reading { prompt: prompt.to_owned(), tokens, unknown })
    }

    fn has_chat(&self) -> bool {
        self.engine.tokenizer.has_chat()
    }

    fn in_chat(&self, message: &str) -> Option<Result<String, String>> {
        let tokenizer = &self.engine.tokenizer;
        tokenizer.has_chat().then(|| tokenizer.in_chat(message).map_err(|error| error.to_string()))
    }

    fn trace(&self, prompt: &str, grown: &mut dyn FnMut(Document), monitor: &Monitor) -> Result<Document> {
        self.base.let_go();
        let options = self.options(prompt, TargetChoice::likeliest(&self.settings));
        let tracing = self.engine.begin(self.engine.read(prompt)?, &options, |_| {}, monitor)?;
        grow(tracing, Vec::new(), grown, monitor)
    }

    fn resume(
        &self,
        from: &RawTrace,
        max_feature_nodes: Option<usize>,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> Result<Document> {
        self.base.let_go();
        let had = from.visit_order().collect();
        let tracing = self.engine.resume(from.clone(), max_feature_nodes, |_| {}, monitor)?;
        grow(tracing, had, grown, monitor)
    }

    fn promoted(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> Result<Promoted> {
        Ok(self.engine.promoted(layer.index(), feature.index(), monitor)?)
    }

    fn browse(&self, ask: &Ask, knows: &dyn FeatureSource, monitor: &Monitor) -> Result<Browsed> {
        let library = knows.library().context("what is known of these features cannot be looked through")?;
        let most = if matches!(ask, Ask::Fires(_)) { LISTED_OF_TOKEN } else { LISTED };
        browse(&self.engine, library, ask, &Selection::ALL, most, monitor)
    }

    fn measure(&self, asked: &Experiment, monitor: &Monitor) -> Result<Measured> {
        self.base.measure(&self.engine, asked, monitor)
    }

    fn attempt(
        &self,
        tokens: &[Token],
        request: &ModelRequest,
        told: &mut dyn FnMut(ModelReply),
        monitor: &Monitor,
    ) -> Result<ModelReply> {
        self.base.attempt(&self.engine, tokens, request, told, monitor)
    }

    fn explain(&self, request: &ExplainRequest, monitor: &Monitor) -> Result<ExplainReply> {
        self.base.explain(&self.engine, request, monitor)
    }

    fn trace_feature(
        &self,
        prompt: &str,
        tokens: &[Token],
        at: FeatureAt,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> Result<Document> {
        self.base.let_go();
        let options = self.options(prompt, TargetChoice::Given(vec![Request::Feature(at)]));
        let tracing = self.engine.begin(tokens.to_vec(), &options, |_| {}, monitor)?;
        grow(tracing, Vec::new(), grown, monitor)
    }

    fn check(
        &self,
        graph: &AttributionGraph,
        question: &Question,
        told: &mut dyn FnMut(Answer),
        monitor: &Monitor,
    ) -> Result<Answer> {
        self.base.check(&self.engine, graph, question, told, monitor)
    }

    fn look(
        &self,
        graph: &AttributionGraph,
        at: LookAt,
        told: &mut dyn FnMut(HeadView),
        monitor: &Monitor,
    ) -> Result<HeadView> {
        self.base.look(&self.engine, graph, at, told, monitor)
    }

    fn reads(
        &self,
        graph: (&AttributionGraph, &Kept),
        position: Position,
        told: &mut dyn FnMut(PositionReads),
        monitor: &Monitor,
    ) -> Result<PositionReads> {
        self.base.reads(&self.engine, graph, position, told, monitor)
    }

    fn edge_heads(
        &self,
        graph: &AttributionGraph,
        edges: &[(NodeId, NodeId)],
        told: &mut dyn FnMut(EdgeHeads),
        monitor: &Monitor,
    ) -> Result<EdgeHeads> {
        self.base.edge_heads(&self.engine, graph, edges, told, monitor)
    }

    fn circuit_heads(&self, graph: (&AttributionGraph, &Kept), monitor: &Monitor) -> Result<CircuitHeads> {
        self.base.circuit_heads(&self.engine, graph, monitor)
    }
}
