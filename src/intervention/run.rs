//! One altered forward pass.

use crate::attribution::Capture;
use crate::graph::FeatureAt;
use crate::intervention::InterventionError;
use crate::job::Monitor;
use crate::model::Transformer;
use crate::transcoder::{FeatureOutput, Transcoder};
use candle_core::Tensor;
use std::ops::Range;

/// What a feature is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// This activation.
    To(f32),
    /// This many times its activation in the base run.
    Times(f32),
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

/// What the altered model computed for `P` tokens.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `[P, V]`, row after row.
    pub logits: Vec<Vec<f32>>,
    /// By layer `[P, F]`: what the encoders compute, also for the features that were set. Zero at zeroed positions.
    pub activations: Vec<Vec<f32>>,
    /// By layer `[P, F]`, before the activation function. Zero at zeroed positions.
    pub pre_activations: Vec<Vec<f32>>,
}

/// Runs `model` on the prompt of `base` with `changes` made: each feature's change of activation, times its decoders, is
/// added at the feature outputs that it writes into. Without changes this is the model's own run.
///
/// # Errors
/// A change names something that is not there or is set twice, weights cannot be read, or the work was stopped.
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
    let mut outcome = Outcome { logits: Vec::new(), activations: Vec::new(), pre_activations: Vec::new() };
    for (layer, frozen) in base.layers.iter().enumerate() {
        monitor.report("altered pass", layer as u64, n_layers as u64)?;
        let pattern = (*mode != Mode::Free).then_some(&frozen.pattern);
        let divisors = all_layers.then_some(&frozen.divisors);
        let pass = model.layer(layer, &resid, &positions, pattern, divisors, monitor.cancel())?;
        let input = transcoder.input().of(&pass);
        let mut encoded = transcoder.encode(layer, input, monitor.cancel())?;
        let activations = transcoder.activations(layer, &encoded, base.zeroed);
        let width = encoded.n_features;
        for change in changes.iter().filter(|change| change.feature.layer.index() == layer) {
            let (position, feature) = (change.feature.position.index(), change.feature.feature.index());
            let before = base_activation(base, change.feature);
            let from = if direct.is_some() { before } else { activations[position * width + feature] };
            let to = match change.value {
                Value::To(value) => value,
                Value::Times(factor) => factor * before,
            };
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
    outcome.logits = model.logits(&norm.scale(&norm.divide(&resid, &divisor)?)?, monitor.cancel())?;
    Ok(outcome)
}

fn check(transcoder: &Transcoder, base: &Capture, changes: &[Change], mode: &Mode) -> Result<(), InterventionError> {
    let n_layers = transcoder.n_layers();
    if let Mode::Direct(layers) = mode
        && (layers.start >= layers.end || layers.end > n_layers)
    {
        return Err(InterventionError::Layers { start: layers.start, end: layers.end, count: n_layers });
    }
    for (nth, change) in changes.iter().enumerate() {
        let FeatureAt { layer, position, feature } = change.feature;
        let name = format!("feature {layer}:{position}:{feature}");
        let within = |what: &str, index: usize, count: usize| {
            if index < count {
                return Ok(());
            }
            Err(InterventionError::OutOfRange { what: format!("{what} of {name}"), index, count })
        };
        within("layer", layer.index(), n_layers)?;
        within("position", position.index(), base.n_positions())?;
        within("index", feature.index(), transcoder.n_features(layer.index()))?;
        let (Value::To(value) | Value::Times(value)) = change.value;
        if !value.is_finite() {
            return Err(InterventionError::NotFinite { what: name, value });
        }
        if changes[..nth].iter().any(|earlier| earlier.feature == change.feature) {
            return Err(InterventionError::Twice(name));
        }
    }
    Ok(())
}

/// A feature's activation in the base run.
fn base_activation(base: &Capture, at: FeatureAt) -> f32 {
    let active = &base.layers[at.layer.index()].active;
    let key = (at.position.0, at.feature.0);
    active.binary_search_by_key(&key, |a| (a.position, a.feature)).map_or(0.0, |found| active[found].activation)
}

/// What changes of activations add at the feature outputs, by layer.
struct Deltas<'a> {
    model: &'a Transformer,
    transcoder: &'a Transcoder,
    /// Where it may be written.
    within: Option<Range<usize>>,
    n_positions: usize,
    /// `[P, d]` for each layer that something is written into.
    layers: Vec<Option<Vec<f32>>>,
}

impl<'a> Deltas<'a> {
    fn new(
        model: &'a Transformer,
        transcoder: &'a Transcoder,
        within: Option<Range<usize>>,
        n_positions: usize,
    ) -> Self {
        Self { model, transcoder, within, n_positions, layers: vec![None; transcoder.n_layers()] }
    }

    fn add(&mut self, layer: usize, position: usize, feature: usize, delta: f32) -> Result<(), InterventionError> {
        let d = self.model.spec.d_model;
        let rows = self.transcoder.decoder_rows(layer, feature)?;
        for (to, row) in self.transcoder.writes_to(layer).zip(rows.chunks(d)) {
            if self.within.as_ref().is_some_and(|within| !within.contains(&to)) {
                continue;
            }
            let sum = self.layers[to].get_or_insert_with(|| vec![0.0; self.n_positions * d]);
            sum[position * d..(position + 1) * d].iter_mut().zip(row).for_each(|(s, w)| *s += delta * w);
        }
        Ok(())
    }

    fn onto(&self, layer: usize, output: Tensor) -> Result<Tensor, InterventionError> {
        match &self.layers[layer] {
            None => Ok(output),
            Some(sum) => Ok(output.add(&Tensor::from_slice(sum, output.shape(), self.model.device())?)?),
        }
    }
}
