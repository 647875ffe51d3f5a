//! Ablations on the model that a graph was made with.

use crate::attribution::{Capture, Engine, softmax};
use crate::graph::{AttributionGraph, FeatureAt};
use crate::ids::NodeId;
use crate::intervention::{Change, Mode, Outcome, Value, intervene};
use crate::job::Monitor;
use crate::verify::{VerifyError, kl_divergence};

/// Graph, and the model's own run on its prompt.
#[derive(Debug)]
pub struct Bench<'a> {
    pub(super) engine: &'a Engine,
    pub(super) graph: &'a AttributionGraph,
    pub(super) capture: Capture,
    base: Run,
}

/// Parts of a run that are compared.
#[derive(Debug)]
struct Run {
    outcome: Outcome,
    /// Logits at the last position before a final softcap, minus their mean, `[V]`.
    demeaned: Vec<f64>,
    /// Softmax at the last position, `[V]`.
    probabilities: Vec<f64>,
}

/// Run of the model with features set to 0, each at one position.
#[derive(Debug)]
pub struct Ablation(Run);

impl<'a> Bench<'a> {
    /// Runs the model on the graph's prompt.
    ///
    /// # Errors
    /// Fails where the graph was made with another model or transcoder or its links form a cycle, weights cannot be
    /// read, or the work was stopped.
    pub fn new(engine: &'a Engine, graph: &'a AttributionGraph, monitor: &Monitor) -> Result<Self, VerifyError> {
        Self::of(engine, graph, run_of(engine, graph, monitor)?, monitor)
    }

    /// Starts from `capture`, the model's run on the graph's prompt.
    ///
    /// # Errors
    /// Fails as [`Bench::new`] does.
    pub fn of(
        engine: &'a Engine,
        graph: &'a AttributionGraph,
        capture: Capture,
        monitor: &Monitor,
    ) -> Result<Self, VerifyError> {
        if graph.is_cyclic() {
            return Err(VerifyError::Cyclic);
        }
        made_with(engine, &capture, graph)?;
        let outcome = intervene(&engine.model, &engine.transcoder, &capture, &[], &Mode::Free, &within(monitor))?;
        let base = Run::new(engine, outcome);
        Ok(Self { engine, graph, capture, base })
    }

    /// Returns the graph.
    pub fn graph(&self) -> &'a AttributionGraph {
        self.graph
    }

    /// Returns the model's own run.
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Runs the model with a feature node set to 0.
    ///
    /// # Errors
    /// Fails where the node is no feature, weights cannot be read, or the work was stopped.
    pub fn ablate(&self, source: NodeId, mode: &Mode, monitor: &Monitor) -> Result<Ablation, VerifyError> {
        self.ablate_all(&[source], mode, monitor)
    }

    /// Runs the model with several feature nodes set to 0 at once.
    ///
    /// # Errors
    /// Fails as [`Bench::ablate`] does.
    pub fn ablate_all(&self, sources: &[NodeId], mode: &Mode, monitor: &Monitor) -> Result<Ablation, VerifyError> {
        let (model, transcoder) = (&self.engine.model, &self.engine.transcoder);
        let to_zero = |id: &NodeId| Ok(Change { feature: feature_at(self.graph, *id)?, value: Value::To(0.0) });
        let changes: Vec<Change> = sources.iter().map(to_zero).collect::<Result<_, VerifyError>>()?;
        let outcome = intervene(model, transcoder, &self.capture, &changes, mode, &within(monitor))?;
        Ok(Ablation(Run::new(self.engine, outcome)))
    }

    /// Returns the change of a node's value: a feature's pre-activation, a token output's demeaned logit before a final
    /// softcap.
    ///
    /// # Errors
    /// Fails where the node has no such value: an error, a token, an output that is a direction.
    pub fn observed(&self, ablation: &Ablation, target: NodeId) -> Result<f64, VerifyError> {
        let (after, before) = (self.value(&ablation.0, target), self.value(&self.base, target));
        let change = after.zip(before).map(|(after, before)| after - before);
        change.ok_or_else(|| VerifyError::NoValue(self.graph.node_name(target)))
    }

    fn value(&self, run: &Run, node: NodeId) -> Option<f64> {
        let node = self.graph.node(node);
        if let Some(at) = node.feature() {
            let layer = &run.outcome.pre_activations[at.layer().index()];
            let width = layer.len() / self.graph.tokens().len();
            return Some(f64::from(layer[at.position.index() * width + at.feature.index()]));
        }
        run.demeaned.get(node.logit()?.id as usize).copied()
    }

    /// Returns the divergence of the altered next-token distribution from the model's own, in nats.
    pub fn divergence(&self, ablation: &Ablation) -> f64 {
        kl_divergence(&self.base.probabilities, &ablation.0.probabilities)
    }

    /// Returns a token's probability before and after; `None` for an id past the vocabulary.
    pub fn probabilities(&self, ablation: &Ablation, id: u32) -> Option<(f64, f64)> {
        let of = |run: &Run| run.probabilities.get(id as usize).copied();
        of(&self.base).zip(of(&ablation.0))
    }

    /// Returns the likeliest next token before and after.
    pub fn likeliest(&self, ablation: &Ablation) -> (u32, u32) {
        (self.base.likeliest(), ablation.0.likeliest())
    }

    /// Returns a feature's activation in the model's own run; 0 where it is not active.
    pub(super) fn activation(&self, at: FeatureAt) -> f32 {
        let active = &self.capture.layers[at.layer().index()].active;
        let found = active.binary_search_by_key(&(at.position.0, at.feature.0), |a| (a.position, a.feature));
        found.map_or(0.0, |found| active[found].activation)
    }

    /// Returns the outputs that are tokens.
    pub(super) fn outputs(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.logit_nodes().filter(|id| self.value(&self.base, *id).is_some())
    }
}

impl Run {
    fn new(engine: &Engine, outcome: Outcome) -> Self {
        let last = outcome.logits.last().map_or(&[][..], Vec::as_slice);
        let raw: Vec<f64> = last.iter().map(|x| uncapped(f64::from(*x), engine.model.spec.final_softcap)).collect();
        let mean = raw.iter().sum::<f64>() / raw.len() as f64;
        Self { demeaned: raw.iter().map(|x| x - mean).collect(), probabilities: softmax(last), outcome }
    }

    fn likeliest(&self) -> u32 {
        let all = self.probabilities.iter().enumerate();
        all.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).map_or(0, |(id, _)| id as u32)
    }
}

/// Returns a logit before the final softcap, cap * tanh(x / cap). One that equals the cap to the last bit is taken to
/// lie just below it.
fn uncapped(logit: f64, cap: Option<f64>) -> f64 {
    cap.map_or(logit, |cap| cap * (logit / cap).clamp(-1.0 + 1e-7, 1.0 - 1e-7).atanh())
}

/// Runs the model on a graph's prompt, and checks that the graph was made with it and its transcoder.
///
/// # Errors
/// Fails with [`VerifyError::OtherModel`] where it was not; or where weights cannot be read, or the work was stopped.
pub fn same_model(engine: &Engine, graph: &AttributionGraph, monitor: &Monitor) -> Result<Capture, VerifyError> {
    same_depth(engine, graph)?;
    let capture = run_of(engine, graph, monitor)?;
    made_with(engine, &capture, graph)?;
    Ok(capture)
}

/// Runs the model on a graph's prompt.
fn run_of(engine: &Engine, graph: &AttributionGraph, monitor: &Monitor) -> Result<Capture, VerifyError> {
    let ids: Vec<u32> = graph.tokens().iter().map(|token| token.id).collect();
    Ok(engine.capture_tokens(&engine.tokens(&ids)?, monitor)?)
}

/// Checks that a graph was made with a model and its transcoder, by `capture`, the model's run of the graph's prompt.
///
/// # Errors
/// Fails with [`VerifyError::OtherModel`] where it was not.
pub fn made_with(engine: &Engine, capture: &Capture, graph: &AttributionGraph) -> Result<(), VerifyError> {
    same_depth(engine, graph)?;
    for id in graph.feature_nodes() {
        let at = feature_at(graph, id)?;
        let active = &capture.layers[at.layer().index()].active;
        if active.binary_search_by_key(&(at.position.0, at.feature.0), |a| (a.position, a.feature)).is_err() {
            let name = graph.node_name(id);
            return Err(VerifyError::OtherModel(format!("its feature {name} is not active here")));
        }
    }
    Ok(())
}

fn same_depth(engine: &Engine, graph: &AttributionGraph) -> Result<(), VerifyError> {
    let (here, there) = (engine.model.spec.n_layers, graph.n_layers());
    if here != there {
        return Err(VerifyError::OtherModel(format!("it has {there} layers, the model has {here}")));
    }
    Ok(())
}

/// Returns a monitor for one run of many, which is stopped with this one and keeps its reports to itself.
pub(super) fn within(monitor: &Monitor) -> Monitor {
    Monitor::with_cancel(monitor.cancel().clone())
}

/// Returns the place of a feature node.
pub(super) fn feature_at(graph: &AttributionGraph, id: NodeId) -> Result<FeatureAt, VerifyError> {
    graph.node(id).feature().ok_or_else(|| VerifyError::NoFeature(graph.node_name(id)))
}
