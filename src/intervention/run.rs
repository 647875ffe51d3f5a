//! One altered forward pass.

use crate::attribution::Capture;
use crate::graph::{FeatureAt, Freeze, Interventions};
use crate::intervention::InterventionError;
use crate::intervention::deltas::Deltas;
use crate::intervention::resolve::name;
use crate::job::Monitor;
use crate::model::Transformer;
use crate::transcoder::{FeatureOutput, Transcoder};
use candle_core::Tensor;
use std::collections::HashSet;
use std::ops::Range;

/// What a feature is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// This activation.
    To(f32),
    /// This many times its activation in the base run.
    Times(f32),
    /// Its activation in the base run, and this much more.
    Plus(f32),
}

impl Value {
    /// The activation that is written, for one of `base`.
    pub fn on(self, base: f32) -> f32 {
        match self {
            Self::To(value) => value,
            Self::Times(factor) => factor * base,
            Self::Plus(amount) => base + amount,
        }
    }
}

/// A feature at a position, and what it is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Which feature, where.
    pub feature: FeatureAt,
    /// To what.
    pub value: Value,
}

/// What stays as it was in the base run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Attention patterns everywhere, and feature outputs inside these layers (but for skip connections, which carry
    /// the change of their input); where the range is all layers, norm divisors too. Changes are measured from the base
    /// activations and written only inside the range.
    Direct(Range<usize>),
    /// Attention patterns alone. Changes are measured from the activations of the altered run.
    FrozenAttention,
    /// Nothing. Changes are measured from the activations of the altered run.
    Free,
}

impl Mode {
    /// The mode of `interventions`, for a model of `n_layers` layers.
    pub fn of(interventions: &Interventions, n_layers: usize) -> Self {
        match (interventions.freeze, &interventions.layers) {
            (Freeze::Direct, Some(layers)) => Self::Direct(layers.clone()),
            (freeze, _) => Self::over_all(freeze, n_layers),
        }
    }

    /// The mode in which `freeze` stays in all of `n_layers` layers.
    pub fn over_all(freeze: Freeze, n_layers: usize) -> Self {
        match freeze {
            Freeze::Direct => Self::Direct(0..n_layers),
            Freeze::FrozenAttention => Self::FrozenAttention,
            Freeze::Free => Self::Free,
        }
    }
}

/// What the altered model computed for `P` tokens.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `[P, V]`, row after row.
    pub logits: Vec<Vec<f32>>,
    /// By layer `[P, F]`: what the encoders compute, also for the features that were set. Zero at zeroed positions.
    pub activations: Vec<Vec<f32>>,
    /// By layer `[P, F]`, before the activation function. Zero at zeroed positions.
    pub pre_activations: Vec<Vec<f32>>,
    /// The features that were set, and the activations that were written for them.
    pub written: Vec<(FeatureAt, f32)>,
}

impl Outcome {
    /// The activation that the encoder computes for a feature.
    ///
    /// # Panics
    /// Where there is no such layer, position or feature.
    pub fn activation(&self, at: FeatureAt) -> f32 {
        let layer = &self.activations[at.layer.index()];
        let width = layer.len() / self.logits.len();
        layer[at.position.index() * width + at.feature.index()]
    }
}

/// Runs `model` on the prompt of `base` with `changes` made: each feature's change of activation, times its decoders, is
/// added at the feature outputs that it writes into. Without changes this is the model's own run.
///
/// # Errors
/// A change names something that is not there or is set twice, it drives the model out of the range of f32, weights
/// cannot be read, or the work was stopped.
pub fn intervene(
    model: &Transformer,
    transcoder: &Transcoder,
    base: &Capture,
    changes: &[Change],
    mode: &Mode,
    monitor: &Monitor,
) -> Result<Outcome, InterventionError> {
    check(transcoder, base, changes, mode)?;
    let (n_layers, n_positions) = (model.spec.n_layers, base.n_positions());
    let direct = match mode {
        Mode::Direct(layers) => Some(layers.clone()),
        Mode::FrozenAttention | Mode::Free => None,
    };
    let all_layers = direct.as_ref().is_some_and(|layers| *layers == (0..n_layers));
    let positions = model.positions(n_positions)?;
    let mut resid = model.start(&base.ids, &positions)?;
    let mut deltas = Deltas::new(model, transcoder, direct.clone(), n_positions);
    let mut outcome = Outcome {
        logits: Vec::new(),
        activations: Vec::new(),
        pre_activations: Vec::new(),
        written: Vec::with_capacity(changes.len()),
    };
    for (layer, frozen) in base.layers.iter().enumerate() {
        monitor.report("altered pass", layer as u64, n_layers as u64)?;
        let pattern = (*mode != Mode::Free).then_some(&frozen.pattern);
        let divisors = all_layers.then_some(&frozen.divisors);
        let pass = model.layer(layer, &resid, &positions, pattern, divisors, monitor.cancel())?;
        in_hand(&pass.mlp_divisor)?;
        let input = transcoder.input().of(&pass);
        let mut encoded = transcoder.encode(layer, input, monitor.cancel())?;
        let activations = transcoder.activations(layer, &encoded, base.zeroed);
        let width = encoded.n_features;
        for change in changes.iter().filter(|change| change.feature.layer.index() == layer) {
            let (position, feature) = (change.feature.position.index(), change.feature.feature.index());
            let before = base_activation(base, change.feature);
            let from = if direct.is_some() { before } else { activations[position * width + feature] };
            let to = change.value.on(before);
            outcome.written.push((change.feature, to));
            deltas.add(layer, position, feature, to - from)?;
        }
        let output = match &direct {
            Some(layers) if layers.contains(&layer) => match transcoder.skip(layer, model.device())? {
                Some(skip) => {
                    let change = input.sub(&frozen.feature_input)?.matmul(&skip.t()?)?;
                    frozen.feature_output.add(&change)?
                }
                None => frozen.feature_output.clone(),
            },
            _ => {
                let output = model.mlp(layer, &pass.mlp_in, monitor.cancel())?;
                match transcoder.output() {
                    FeatureOutput::MlpOut => output,
                    _ => model.after_mlp(layer, output, None)?.0,
                }
            }
        };
        let output = deltas.onto(layer, output)?;
        let written = match transcoder.output() {
            FeatureOutput::MlpOut => {
                let divisor = frozen.divisors.after_mlp.as_ref().filter(|_| all_layers);
                model.after_mlp(layer, output, divisor)?.0
            }
            _ => output,
        };
        resid = pass.resid_mid.add(&written)?;
        encoded.pre_activations[..base.zeroed * width].fill(0.0);
        outcome.activations.push(activations);
        outcome.pre_activations.push(encoded.pre_activations);
    }
    let norm = model.final_norm()?;
    let divisor = if all_layers { base.final_divisor.clone() } else { norm.divisor(&resid)? };
    in_hand(&divisor)?;
    outcome.logits = model.logits(&norm.scale(&norm.divide(&resid, &divisor)?)?, monitor.cancel())?;
    if outcome.logits.iter().flatten().all(|logit| logit.is_finite()) {
        Ok(outcome)
    } else {
        Err(InterventionError::NonFinite)
    }
}

/// That what a norm divides by is a number: where squares leave the range of f32, the norm would hide it.
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

/// Whether a change names what is there, among `positions` positions, and a number.
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

/// A feature's activation in the base run.
pub(super) fn base_activation(base: &Capture, at: FeatureAt) -> f32 {
    let active = &base.layers[at.layer.index()].active;
    let key = (at.position.0, at.feature.0);
    active.binary_search_by_key(&key, |a| (a.position, a.feature)).map_or(0.0, |found| active[found].activation)
}
