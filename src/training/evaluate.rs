//! What a transcoder makes of documents that it was not trained on.

use crate::job::Cancel;
use crate::training::TrainError;
use crate::training::arithmetic::squares;
use crate::training::entries::{Entries, Rule};
use crate::training::gradient::{encode, reconstruct};
use crate::training::run::{Layer, State, normalize};
use crate::training::settings::{Activation, Settings};
use crate::training::stream::{Stream, Tokens};
use gemm::Parallelism;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Most tokens that are looked at.
const MOST: usize = 1 << 15;

/// Tokens that are looked at together.
const TOGETHER: usize = 2048;

/// Figures on held-out documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Tokens that were looked at.
    pub tokens: u64,
    /// Figures of each layer.
    pub layers: Vec<LayerEvaluation>,
}

/// Figures of a layer on held-out documents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerEvaluation {
    /// Layer of the model.
    pub layer: usize,
    /// Share of the outputs' variance that is reconstructed, outliers left out.
    pub explained_variance: f64,
    /// The same of all tokens.
    pub explained_variance_with_outliers: f64,
    /// Mean number of active features.
    pub l0: f64,
    /// Share of the features that were never active.
    pub silent: f64,
}

/// Sums of one layer.
struct Sums {
    /// Of inliers, and of all tokens.
    variances: [Variance; 2],
    n_active: usize,
    fired: Vec<bool>,
}

/// Sums over outputs and errors.
#[derive(Clone)]
struct Variance {
    tokens: f64,
    error: f64,
    square: f64,
    sum: Vec<f64>,
}

impl Variance {
    fn add(&mut self, output: &[f32], error: f64) {
        (self.tokens, self.error, self.square) = (self.tokens + 1.0, self.error + error, self.square + squares(output));
        self.sum.iter_mut().zip(output).for_each(|(sum, x)| *sum += f64::from(*x));
    }

    fn explained(&self) -> f64 {
        let of_mean = self.sum.iter().map(|x| x * x).sum::<f64>() / self.tokens.max(1.0);
        1.0 - self.error / (self.square - of_mean).max(f64::MIN_POSITIVE)
    }
}

/// Looks at the documents of a stream.
///
/// # Errors
/// Fails where they hold no token, they or the model's weights cannot be read, or the work was stopped.
pub(super) fn evaluate(
    stream: &mut Stream<'_>,
    state: &State,
    settings: &Settings,
    width: usize,
    cancel: &Cancel,
) -> Result<Evaluation, TrainError> {
    let none = Variance { tokens: 0.0, error: 0.0, square: 0.0, sum: vec![0.0; width] };
    let fresh = || Sums { variances: [none.clone(), none.clone()], n_active: 0, fired: vec![false; settings.features] };
    let mut sums: Vec<Sums> = (0..settings.layers.len()).map(|_| fresh()).collect();
    let mut n_tokens = 0;
    while n_tokens < MOST {
        let mut tokens = stream.tokens(TOGETHER, false, cancel)?;
        let found = tokens.inputs[0].len() / width;
        if found == 0 {
            break;
        }
        n_tokens += found;
        let weights = normalize(&mut tokens, &state.scales, width);
        add(&mut sums, &tokens, &weights, state, settings, width);
    }
    if n_tokens == 0 {
        return Err(TrainError::Corpus("the documents of --eval hold no token".to_owned()));
    }
    let layers = sums.iter().zip(&settings.layers).map(|(sums, layer)| LayerEvaluation {
        layer: *layer,
        explained_variance: sums.variances[0].explained(),
        explained_variance_with_outliers: sums.variances[1].explained(),
        l0: sums.n_active as f64 / n_tokens as f64,
        silent: sums.fired.iter().filter(|fired| !**fired).count() as f64 / sums.fired.len() as f64,
    });
    Ok(Evaluation { tokens: n_tokens as u64, layers: layers.collect() })
}

fn add(sums: &mut [Sums], tokens: &Tokens, weights: &[Vec<f32>], state: &State, settings: &Settings, width: usize) {
    let layers: Vec<&Layer> = state.layers().collect();
    let active = layers.par_iter().zip(&tokens.inputs).map(|(layer, inputs)| active(layer, inputs, settings));
    let active: Vec<Entries> = active.collect();
    sums.par_iter_mut().enumerate().for_each(|(nth, sums)| {
        let weight = |from: usize| &layers[from].optimized.weights;
        let writers = (0..=nth).filter(|from| nth - from < weight(*from).decoders.len());
        let written = writers.map(|from| (&active[from], &weight(from).decoders[nth - from][..]));
        let mut errors = reconstruct(weight(nth), &tokens.inputs[nth], written, Parallelism::None);
        errors.iter_mut().zip(&tokens.outputs[nth]).for_each(|(x, y)| *x -= y);
        let rows = errors.chunks(width).zip(tokens.outputs[nth].chunks(width)).zip(&weights[nth]);
        for ((error, output), weight) in rows {
            let error = squares(error);
            sums.variances[1].add(output, error);
            if *weight == 1.0 {
                sums.variances[0].add(output, error);
            }
        }
        sums.n_active += active[nth].n_active();
        active[nth].active_features().for_each(|feature| sums.fired[feature] = true);
    });
}

/// Returns the activations of a layer as those of the saved set.
fn active(layer: &Layer, inputs: &[f32], settings: &Settings) -> Entries {
    let weights = &layer.optimized.weights;
    let pre_activations = encode(weights, inputs, Parallelism::None);
    let thresholds: Vec<f32> = weights.log_threshold.iter().map(|log| log.exp()).collect();
    let rule = match settings.activation {
        Activation::TopK(k) => Rule::Largest(k),
        Activation::BatchTopK(_) => Rule::Above(layer.bound.max(0.0)),
        Activation::Relu => Rule::Above(0.0),
        Activation::JumpRelu => Rule::Jump(&thresholds),
    };
    Entries::select(&pre_activations, settings.features, rule)
}
