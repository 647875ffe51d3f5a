//! Local replacement model of one prompt, for single rows and edges.

use crate::attribution::readers::{Readers, dot};
use crate::attribution::target_row::TargetRow;
use crate::attribution::{Capture, Engine, Replacement, TraceError};
use crate::graph::{AttributionGraph, EdgeParts, FeatureAt, Source, Sources, Token};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use crate::job::Monitor;
use candle_core::Tensor;
use std::sync::Arc;

/// Target of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Pre-activation of a feature, active or not.
    Feature(FeatureAt),
    /// Demeaned logit of a token at the last position, before a final softcap.
    Logit(u32),
}

impl Asked {
    /// Returns the row target of this node of a graph.
    ///
    /// # Errors
    /// Fails where the node is neither a feature nor a logit. A direction in place of a token passes; it fails in
    /// [`Probe::row`], since its id lies past the vocabulary.
    pub fn of_node(graph: &AttributionGraph, id: NodeId) -> Result<Self, TraceError> {
        let node = graph.node(id);
        let asked = node.feature().map(Self::Feature).or_else(|| Some(Self::Logit(node.logit()?.id)));
        asked.ok_or_else(|| TraceError::Target {
            name: graph.node_name(id),
            what: "it is neither a feature nor an output that is a token".to_owned(),
        })
    }
}

/// Returns the source that a node of a graph stands for.
///
/// # Errors
/// Fails where the node has no direct effects.
pub fn source_of(graph: &AttributionGraph, id: NodeId) -> Result<Source, TraceError> {
    Source::of_node(graph, id).ok_or_else(|| TraceError::Target {
        name: graph.node_name(id),
        what: "it has no direct effects; choose a feature, an error or a token".to_owned(),
    })
}

/// Row of direct effects. `value = constant + sum of effects`, to rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeRow {
    /// Value in the forward pass.
    pub value: f32,
    /// Sum of the constants' effects: biases and zeroed positions.
    pub constant: f32,
    /// Direct effects by column; see [`Probe::sources`].
    pub effects: Vec<f32>,
}

/// Feature that is not active at a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inactive {
    /// Feature and position.
    pub at: FeatureAt,
    /// Pre-activation, as its encoder gives it.
    pub pre_activation: f32,
    /// Distance of the pre-activation from the threshold, negative below it; see
    /// [`Activation::margins`](crate::transcoder::Activation::margins).
    pub margin: f32,
}

impl Inactive {
    /// Returns the value that the pre-activation has to exceed. Not finite where none is enough.
    pub fn threshold(&self) -> f32 {
        self.pre_activation - self.margin
    }
}

/// Run of a model on a prompt, and the local replacement model frozen at it.
#[derive(Debug)]
pub struct FrozenRun {
    pub(super) capture: Capture,
    pub(super) replacement: Replacement,
    readers: Readers,
}

impl FrozenRun {
    /// Freezes the model at `capture`, a run of it. Decoders are read as they are needed.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub fn new(engine: &Engine, capture: Capture, monitor: &Monitor) -> Result<Self, TraceError> {
        let readers = Readers::new(&engine.model, &engine.transcoder, &capture)?;
        // Tensors are shared, not copied.
        let replacement = Replacement::new(&engine.model, &engine.transcoder, capture.clone(), false, monitor)?;
        Ok(Self { capture, replacement, readers })
    }

    /// Returns the run.
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Returns the bytes of the run and of what is frozen.
    pub fn bytes(&self) -> u64 {
        self.capture.bytes() + self.replacement.bytes()
    }
}

/// Local replacement model of a prompt.
#[derive(Debug)]
pub struct Probe<'a> {
    pub(super) engine: &'a Engine,
    pub(super) run: Arc<FrozenRun>,
}

impl<'a> Probe<'a> {
    /// Runs the model on `tokens` and freezes it at that run. Decoders are read as they are needed.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub fn new(engine: &'a Engine, tokens: &[Token], monitor: &Monitor) -> Result<Self, TraceError> {
        Self::of(engine, engine.capture_tokens(tokens, monitor)?, monitor)
    }

    /// Freezes the model at `capture`, a run of it.
    ///
    /// # Errors
    /// Fails as [`Probe::new`] does.
    pub fn of(engine: &'a Engine, capture: Capture, monitor: &Monitor) -> Result<Self, TraceError> {
        Ok(Self::frozen(engine, Arc::new(FrozenRun::new(engine, capture, monitor)?)))
    }

    /// Asks the model of `engine` frozen at `run`, a run of it.
    pub fn frozen(engine: &'a Engine, run: Arc<FrozenRun>) -> Self {
        Self { engine, run }
    }

    /// Returns the sources by column of a row.
    pub fn sources(&self) -> &Sources {
        &self.run.replacement.sources
    }

    /// Returns the active features, ascending: the first columns of a row.
    pub fn active(&self) -> &[FeatureAt] {
        &self.sources().features
    }

    /// Returns the number of columns of a row; see [`Probe::sources`].
    pub fn n_columns(&self) -> usize {
        self.sources().n_columns()
    }

    /// Returns the number of leading positions at which no feature counts as active.
    pub fn zeroed(&self) -> usize {
        self.run.capture.zeroed
    }

    /// Returns the run at which the model is frozen.
    pub(crate) fn capture(&self) -> &Capture {
        &self.run.capture
    }

    /// Returns the part of the residual stream in front of a layer that comes from a source, `[P, d]`.
    ///
    /// # Errors
    /// Fails where there is no such source, decoders cannot be read, or the work was stopped.
    pub(crate) fn carried(&self, source: Source, layer: usize, monitor: &Monitor) -> Result<Tensor, TraceError> {
        self.run.replacement.carried(self.column_of(source)?, layer, monitor.cancel())
    }

    pub(super) fn column_of(&self, source: Source) -> Result<usize, TraceError> {
        self.sources().column(source).ok_or_else(|| TraceError::Target {
            name: source.to_string(),
            what: "it is not there on this prompt; name an active feature, an error or a token".to_owned(),
        })
    }

    /// Returns the direct effects on `asked`.
    ///
    /// # Errors
    /// Fails where there is no such feature or token, weights cannot be read, or the work was stopped.
    pub fn row(&self, asked: Asked, monitor: &Monitor) -> Result<ProbeRow, TraceError> {
        let (target, value) = self.target(asked, monitor)?;
        let mut effects = vec![0.0; self.n_columns()];
        let (constants, _) = self.run.replacement.rows(&[target], &mut effects, monitor.cancel())?;
        Ok(ProbeRow { value, constant: constants[0], effects })
    }

    /// Returns the direct effect of one source, split by attention heads.
    ///
    /// # Errors
    /// Fails as [`Probe::row`] does, and where the source has no column.
    ///
    /// # Examples
    /// ```
    /// use candle_core::Device;
    /// use circuitscope::attribution::Engine;
    /// use circuitscope::attribution::{Asked, Probe, Source};
    /// use circuitscope::{demo, ids::Position, job::Monitor};
    ///
    /// let (model, transcoder) = demo::sources();
    /// let engine = Engine::open(&model, &transcoder, &Device::Cpu)?;
    /// let tokens = engine.read(demo::PROMPT)?;
    /// let answer = engine.tokenizer.target("Austin", engine.model.spec.vocab_size)?;
    /// let dallas = tokens.iter().position(|token| token.text == "Dallas").unwrap();
    /// let probe = Probe::new(&engine, &tokens, &Monitor::default())?;
    /// let split = probe.heads(Asked::Logit(answer.id), Source::Token(Position::from(dallas)), &Monitor::default())?;
    /// let over_heads: f32 = split.heads.iter().map(|part| part.last).sum();
    /// let absolute: f32 = split.heads.iter().map(|part| part.last.abs()).sum();
    /// assert!((split.total - split.stays - over_heads).abs() < 1e-4 * absolute);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heads(&self, asked: Asked, source: Source, monitor: &Monitor) -> Result<EdgeParts, TraceError> {
        let column = self.column_of(source)?;
        let (target, _) = self.target(asked, monitor)?;
        self.run.replacement.split(&target, column, monitor.cancel())
    }

    pub(super) fn target(&self, asked: Asked, monitor: &Monitor) -> Result<(TargetRow, f32), TraceError> {
        let model = &self.engine.model;
        match asked {
            Asked::Feature(at) => self.run.readers.feature(&self.engine.transcoder, &self.run.capture, at),
            Asked::Logit(id) => {
                if id as usize >= model.spec.vocab_size {
                    let what = format!("the vocabulary has {} tokens", model.spec.vocab_size);
                    return Err(TraceError::Target { name: format!("token {id}"), what });
                }
                let mean = model.mean_unembedding(monitor.cancel())?;
                let vector: Vec<f32> = model.unembedding(id)?.iter().zip(mean).map(|(w, m)| w - m).collect();
                let position = self.run.capture.n_positions() - 1;
                let value = dot(&vector, &self.run.capture.final_output, position)?;
                let (read, constant) = self.run.readers.last.pull_back(vector, position);
                Ok((TargetRow::output(self.run.capture.layers.len(), position, read, constant), value))
            }
        }
    }

    /// Returns a feature's margin at a position, and whether it is active there.
    ///
    /// # Errors
    /// Fails as [`Probe::row`] does.
    pub fn margin(&self, at: FeatureAt, monitor: &Monitor) -> Result<(Inactive, bool), TraceError> {
        let (_, pre_activation) = self.target(Asked::Feature(at), monitor)?;
        let layer = at.layer().index();
        let input = self.run.capture.layers[layer].feature_input.narrow(0, at.position.index(), 1)?;
        let margin = self.margins(layer, &input, monitor)?.1[at.feature.index()];
        Ok((Inactive { at, pre_activation, margin }, self.active().binary_search(&at).is_ok()))
    }

    /// Returns the pre-activations and margins `[n, F]` of a layer for feature inputs `[n, d]`.
    fn margins(&self, layer: usize, input: &Tensor, monitor: &Monitor) -> Result<(Vec<f32>, Vec<f32>), TraceError> {
        let transcoder = &self.engine.transcoder;
        let encoded = transcoder.encode(layer, input, monitor.cancel())?;
        let margins = transcoder.margins(layer, &encoded);
        Ok((encoded.pre_activations, margins))
    }

    /// Returns the inactive features that came closest to being active: at most `most`, of those that `wanted` accepts,
    /// the closest first.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub fn closest(
        &self,
        most: usize,
        wanted: impl Fn(FeatureAt) -> bool,
        monitor: &Monitor,
    ) -> Result<Vec<Inactive>, TraceError> {
        let mut found: Vec<Inactive> = Vec::new();
        let n_layers = self.run.capture.layers.len();
        for (layer, captured) in self.run.capture.layers.iter().enumerate() {
            monitor.report("margins", layer as u64, n_layers as u64)?;
            let width = self.engine.transcoder.n_features(layer);
            let (pre_activations, margins) = self.margins(layer, &captured.feature_input, monitor)?;
            for (at, (pre_activation, margin)) in pre_activations.into_iter().zip(margins).enumerate() {
                let (position, feature) = (Position::from(at / width), FeatureId::from(at % width));
                let at = FeatureAt::mlp(Layer::from(layer), position, feature);
                let is_candidate = position.index() >= self.run.capture.zeroed && wanted(at);
                if is_candidate && self.active().binary_search(&at).is_err() {
                    found.push(Inactive { at, pre_activation, margin });
                }
            }
            found.sort_by(|a, b| b.margin.total_cmp(&a.margin).then(a.at.cmp(&b.at)));
            found.truncate(most);
        }
        Ok(found)
    }
}
