//! First weights of a layer, made from what its MLP does.

use crate::training::arithmetic::squares;
use crate::training::entries::{Entries, Rule};
use crate::training::gradient::{encode, reconstruct};
use crate::training::parameters::{Parameters, Shape};
use crate::training::random::Random;
use crate::training::scale::Scale;
use crate::training::settings::Settings;
use gemm::Parallelism;

/// How far a token's projection exceeds the mean's for a fresh feature to be active, where no number of them is set: in
/// standard deviations of inputs that vary evenly.
const MARGIN: f32 = 2.0;

/// Tokens by which the first activations are scaled.
const SCALED_BY: usize = 1024;

/// Purpose of the numbers that draw the tokens which features begin with.
const SEEDS: u64 = 1 << 33;

/// Begins a layer with normalised inputs and outputs `[N, d]` and the weights of their tokens.
///
/// A feature begins as what the MLP makes of one token, no outlier: it reads the direction in which the token's input
/// lies from the mean, and writes that of its output. So encoder and decoder are each other's counterparts, as an
/// encoder that begins as the decoder's transpose is where both are of one stream. Where there are fewer tokens than
/// features the rest has random directions. Activations are then scaled so that the outputs are reconstructed best.
pub(super) fn begin(
    settings: &Settings,
    (shape, layer): (Shape, usize),
    scale: &Scale,
    (inputs, outputs): (&[f32], &[f32]),
    weights: &[f32],
) -> Parameters {
    let mut fresh = Parameters::fresh(shape, settings, layer, &scale.normalized_mean());
    let order = Random::new(settings.seed, SEEDS + layer as u64).order(weights.len());
    let seeds = order.into_iter().map(|token| token as usize).filter(|token| weights[*token] == 1.0);
    let margin = if settings.activation.k().is_some() { 0.0 } else { MARGIN };
    seed(&mut fresh, inputs, outputs, seeds, margin);
    let few = weights.len().min(SCALED_BY);
    let factor = best_factor(settings, &fresh, &inputs[..few * shape.width], &outputs[..few * shape.width], weights);
    fresh.encoder.iter_mut().chain(&mut fresh.encoder_bias).for_each(|x| *x *= factor);
    fresh
}

fn seed(fresh: &mut Parameters, inputs: &[f32], outputs: &[f32], tokens: impl Iterator<Item = usize>, margin: f32) {
    let width = fresh.decoder_bias.len();
    let mut mean = vec![0.0; width];
    for row in inputs.chunks(width) {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    let n_tokens = (inputs.len() / width) as f32;
    mean.iter_mut().for_each(|sum| *sum /= n_tokens);
    let rows = fresh.encoder.chunks_mut(width).zip(fresh.decoders[0].chunks_mut(width)).zip(&mut fresh.encoder_bias);
    for (((encoder, decoder), bias), token) in rows.zip(tokens) {
        let row = token * width..(token + 1) * width;
        toward(encoder, &inputs[row.clone()], &mean);
        toward(decoder, &outputs[row], &fresh.decoder_bias);
        *bias = -margin - encoder.iter().zip(&mean).map(|(w, x)| w * x).sum::<f32>();
    }
}

/// Turns a vector to point from `mean` to `to`, its length kept; where both are the same, it stays.
fn toward(vector: &mut [f32], to: &[f32], mean: &[f32]) {
    let difference: Vec<f32> = to.iter().zip(mean).map(|(to, mean)| to - mean).collect();
    let factor = (squares(vector) / squares(&difference)).sqrt() as f32;
    if factor.is_finite() {
        vector.iter_mut().zip(difference).for_each(|(x, difference)| *x = factor * difference);
    }
}

/// Returns the factor of what features write with which the outputs are reconstructed best; 1 where there is none.
fn best_factor(settings: &Settings, layer: &Parameters, inputs: &[f32], outputs: &[f32], weights: &[f32]) -> f32 {
    let (n_features, width) = (layer.encoder_bias.len(), layer.decoder_bias.len());
    let pre_activations = encode(layer, inputs, Parallelism::None);
    let thresholds: Vec<f32> = layer.log_threshold.iter().map(|log| log.exp()).collect();
    let rule = Rule::of(settings.activation, &thresholds, &pre_activations, inputs.len() / width);
    let active = Entries::select(&pre_activations, n_features, rule);
    let made = reconstruct(layer, inputs, [(&active, &layer.decoders[0][..])].into_iter(), Parallelism::None);
    let (mut product, mut square) = (0.0, 0.0);
    for ((made, output), weight) in made.chunks(width).zip(outputs.chunks(width)).zip(weights) {
        for ((made, output), bias) in made.iter().zip(output).zip(&layer.decoder_bias) {
            let (made, output) = (f64::from(made - bias), f64::from(output - bias));
            product += f64::from(*weight) * made * output;
            square += f64::from(*weight) * made * made;
        }
    }
    let factor = (product / square) as f32;
    if factor > 0.0 && factor.is_finite() { factor } else { 1.0 }
}
