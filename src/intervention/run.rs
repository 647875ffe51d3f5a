//! Forward pass with changed activations.

use crate::attribution::{Capture, Engine};
use crate::graph::{FeatureAt, Freeze, Interventions};
use crate::intervention::InterventionError;
use crate::intervention::deltas::Deltas;
use crate::intervention::resolve::name;
use crate::job::Monitor;
use crate::model::{End, Hooks, MlpInput, MlpOutput, NormScales, Transformer};
use crate::transcoder::Transcoder;
use candle_core::Tensor;
use std::collections::HashSet;
use std::ops::Range;

/// Value that a feature is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Given activation.
    To(f32),
    /// Multiple of its activation in the base run.
    Times(f32),
    /// Its activation in the base run plus a given amount.
    Plus(f32),
}

impl Value {
    /// Returns the activation to write, for that of the base run.
    pub fn on(self, base: f32) -> f32 {
        match self {
            Self::To(value) => value,
            Self::Times(factor) => factor * base,
            Self::Plus(amount) => base + amount,
        }
    }
}

/// Feature at a position, and the value that it is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Feature and position.
    pub feature: FeatureAt,
    /// Value that it is set to.
    pub value: Value,
}

/// Intermediates that are frozen at the base run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Attention patterns everywhere, and feature outputs inside these layers (except for skip connections, which carry
    /// the change of their input); where the range is all layers, norm divisors too. Changes are relative to the base
    /// activations and written only inside the range.
    Direct(Range<usize>),
    /// Attention patterns alone. Changes are relative to the activations of the altered run.
    FrozenAttention,
    /// Nothing. Changes are relative to the activations of the altered run.
    Free,
}

impl Mode {
    /// Returns the mode of `interventions`, for a model of `n_layers` layers.
    pub fn of(interventions: &Interventions, n_layers: usize) -> Self {
        match (interventions.freeze, &interventions.layers) {
            (Freeze::Direct, Some(layers)) => Self::Direct(layers.clone()),
            (freeze, _) => Self::over_all(freeze, n_layers),
        }
    }

    /// Returns the mode that freezes `freeze` in all of `n_layers` layers.
    pub fn over_all(freeze: Freeze, n_layers: usize) -> Self {
        match freeze {
            Freeze::Direct => Self::Direct(0..n_layers),
            Freeze::FrozenAttention => Self::FrozenAttention,
            Freeze::Free => Self::Free,
        }
    }
}

/// Results of the altered model for `P` tokens.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Logits `[P, V]`, row after row.
    pub logits: Vec<Vec<f32>>,
    /// Activations by layer `[P, F]`, as the encoders compute them, also for the features that were set. Zero at zeroed
    /// positions.
    pub activations: Vec<Vec<f32>>,
    /// Pre-activations by layer `[P, F]`. Zero at zeroed positions.
    pub pre_activations: Vec<Vec<f32>>,
    /// Features that were set, and the activations that were written for them.
    pub written: Vec<(FeatureAt, f32)>,
}

impl Outcome {
    /// Returns the activation that the encoder computes for a feature.
    ///
    /// # Panics
    /// Panics where there is no such layer, position or feature.
    pub fn activation(&self, at: FeatureAt) -> f32 {
        let layer = &self.activations[at.layer.index()];
        let width = layer.len() / self.logits.len();
        layer[at.position.index() * width + at.feature.index()]
    }
}

/// Runs `model` on the prompt of `base` with `changes`: each feature's change of activation, times its decoders, is
/// added at the feature outputs that it writes into. Without changes this is the model's own run.
///
/// # Errors
/// Fails where a change names something that does not exist or is made twice, the model leaves the range of f32,
/// weights cannot be read, or the work was stopped.
pub fn intervene(
    model: &Transformer,
    transcoder: &Transcoder,
    base: &Capture,
    changes: &[Change],
    mode: &Mode,
    monitor: &Monitor,
) -> Result<Outcome, InterventionError> {
    let mut altered = Altered::new(model, transcoder, base, changes, mode, monitor)?;
    let resid = model.forward(model.prompt(&base.ids)?, &mut altered, monitor.cancel())?;
    let (last, divisor) = model.last_normed(&resid, altered.is_linear.then_some(&base.final_divisor))?;
    in_hand(&divisor)?;
    let mut outcome = altered.outcome;
    outcome.logits = model.logits(&last, monitor.cancel())?;
    if outcome.logits.iter().flatten().all(|logit| logit.is_finite()) {
        Ok(outcome)
    } else {
        Err(InterventionError::NonFinite)
    }
}

/// Runs the model with `changes` made, as [`intervene`] does, up to an existing layer, and returns the residual stream
/// in front of it, `[P, d]`.
///
/// # Errors
/// Fails as [`intervene`] does.
pub(crate) fn stream_before(
    engine: &Engine,
    base: &Capture,
    changes: &[Change],
    mode: &Mode,
    layer: usize,
    monitor: &Monitor,
) -> Result<Tensor, InterventionError> {
    let model = &engine.model;
    let mut altered = Altered::new(model, &engine.transcoder, base, changes, mode, monitor)?;
    let input = model.prompt(&base.ids)?;
    match layer.checked_sub(1) {
        Some(last) => model.forward(input.until(End::Layer(last)), &mut altered, monitor.cancel()),
        // Nothing is written in front of the first layer.
        None => Ok(base.streams[0].clone()),
    }
}

/// Altered pass.
struct Altered<'a> {
    model: &'a Transformer,
    transcoder: &'a Transcoder,
    base: &'a Capture,
    changes: &'a [Change],
    freezes_attention: bool,
    /// Layers whose feature outputs are frozen, in direct mode.
    direct: Option<Range<usize>>,
    /// True where those are all layers, so that norm divisors are frozen too.
    is_linear: bool,
    deltas: Deltas<'a>,
    outcome: Outcome,
    monitor: &'a Monitor,
}

impl<'a> Altered<'a> {
    fn new(
        model: &'a Transformer,
        transcoder: &'a Transcoder,
        base: &'a Capture,
        changes: &'a [Change],
        mode: &Mode,
        monitor: &'a Monitor,
    ) -> Result<Self, InterventionError> {
        check(transcoder, base, changes, mode)?;
        let direct = match mode {
            Mode::Direct(layers) => Some(layers.clone()),
            Mode::FrozenAttention | Mode::Free => None,
        };
        Ok(Self {
            model,
            transcoder,
            base,
            changes,
            freezes_attention: *mode != Mode::Free,
            deltas: Deltas::new(model, transcoder, direct.clone(), base.n_positions()),
            is_linear: direct.as_ref().is_some_and(|layers| *layers == (0..model.spec.n_layers)),
            direct,
            outcome: Outcome {
                logits: Vec::new(),
                activations: Vec::new(),
                pre_activations: Vec::new(),
                written: Vec::with_capacity(changes.len()),
            },
            monitor,
        })
    }
}

impl Hooks for Altered<'_> {
    type Error = InterventionError;

    fn frozen_norm_scales(&self, layer: usize) -> Option<&NormScales> {
        self.is_linear.then_some(&self.base.layers[layer].norm_scales)
    }

    fn frozen_pattern(&self, layer: usize, _: usize) -> Option<&Tensor> {
        self.freezes_attention.then_some(&self.base.layers[layer].pattern)
    }

    fn resid_pre(&mut self, layer: usize, _: &mut Tensor) -> Result<(), InterventionError> {
        Ok(self.monitor.report("altered pass", layer as u64, self.model.spec.n_layers as u64)?)
    }

    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), InterventionError> {
        in_hand(&input.divisor)?;
        let zeroed = self.base.zeroed;
        let input = self.transcoder.input().of(input);
        let mut encoded = self.transcoder.encode(layer, input, self.monitor.cancel())?;
        let activations = self.transcoder.activations(layer, &encoded, zeroed);
        let width = encoded.n_features;
        for change in self.changes.iter().filter(|change| change.feature.layer.index() == layer) {
            let (position, feature) = (change.feature.position.index(), change.feature.feature.index());
            let before = base_activation(self.base, change.feature);
            let from = if self.direct.is_some() { before } else { activations[position * width + feature] };
            let to = change.value.on(before);
            self.outcome.written.push((change.feature, to));
            self.deltas.add(layer, position, feature, to - from)?;
        }
        encoded.pre_activations[..zeroed * width].fill(0.0);
        self.outcome.activations.push(activations);
        self.outcome.pre_activations.push(encoded.pre_activations);
        Ok(())
    }

    fn instead_of_mlp(
        &mut self,
        layer: usize,
        input: &MlpInput,
    ) -> Result<Option<(MlpOutput, Tensor)>, InterventionError> {
        if !self.direct.as_ref().is_some_and(|layers| layers.contains(&layer)) {
            return Ok(None);
        }
        let frozen = &self.base.layers[layer];
        let output = match self.transcoder.skip(layer, self.model.device())? {
            Some(skip) => {
                let change = self.transcoder.input().of(input).sub(&frozen.feature_input)?.matmul(&skip.t()?)?;
                frozen.feature_output.add(&change)?
            }
            None => frozen.feature_output.clone(),
        };
        Ok(Some((self.transcoder.output().of_mlp(), output)))
    }

    fn mlp_out(&mut self, layer: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), InterventionError> {
        if at == self.transcoder.output().of_mlp() {
            self.deltas.onto(layer, output)?;
        }
        Ok(())
    }
}

/// Checks that a norm's divisor is finite: where squares leave the range of f32, the norm would hide it.
pub(super) fn in_hand(divisor: &Tensor) -> Result<(), InterventionError> {
    let all = divisor.flatten_all()?.to_vec1::<f32>()?;
    if all.iter().all(|divisor| divisor.is_finite()) { Ok(()) } else { Err(InterventionError::NonFinite) }
}

fn check(transcoder: &Transcoder, base: &Capture, changes: &[Change], mode: &Mode) -> Result<(), InterventionError> {
    let n_layers = transcoder.n_layers();
    if let Mode::Direct(layers) = mode
        && (layers.start >= layers.end || layers.end > n_layers)
    {
        return Err(InterventionError::Layers { start: layers.start, end: layers.end, count: n_layers });
    }
    let mut seen = HashSet::new();
    for change in changes {
        check_change(transcoder, change, base.n_positions())?;
        if !seen.insert(change.feature) {
            return Err(InterventionError::Twice(name(change.feature)));
        }
    }
    Ok(())
}

/// Checks that a change names an existing feature, among `positions` positions, and a finite value.
pub(super) fn check_change(
    transcoder: &Transcoder,
    change: &Change,
    positions: usize,
) -> Result<(), InterventionError> {
    let FeatureAt { layer, position, feature } = change.feature;
    let within = |what: &str, index: u32, count: usize| {
        if (index as usize) < count {
            return Ok(());
        }
        let what = format!("{what} of {}", name(change.feature));
        Err(InterventionError::OutOfRange { what, index: index.into(), count })
    };
    within("layer", layer.0, transcoder.n_layers())?;
    within("position", position.0, positions)?;
    within("index", feature.0, transcoder.n_features(layer.index()))?;
    let (Value::To(value) | Value::Times(value) | Value::Plus(value)) = change.value;
    if value.is_finite() { Ok(()) } else { Err(InterventionError::NotFinite { what: name(change.feature), value }) }
}

/// Returns a feature's activation in the base run.
pub(super) fn base_activation(base: &Capture, at: FeatureAt) -> f32 {
    let active = &base.layers[at.layer.index()].active;
    let key = (at.position.0, at.feature.0);
    active.binary_search_by_key(&key, |a| (a.position, a.feature)).map_or(0.0, |found| active[found].activation)
}
