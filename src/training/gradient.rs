//! Losses of transcoders, and their gradients, written by hand and sparse where the activations are.
//!
//! Of a group of layers that share a loss, with inputs x and outputs y of N tokens, width d, weights w of the tokens:
//!
//! - activations a of layer l are those of W x + b under the activation function;
//! - layer m is reconstructed as the sum over layers l up to m of a D, plus the decoder's bias, plus S x with a skip;
//! - the error is the sum over layers of w |reconstruction - y|^2 / (N d);
//! - the penalty is none with TopK; the sum of a |D| / sqrt(d) with ReLU; the number of active features with JumpReLU,
//!   and in a cross-layer transcoder the sum of tanh(8 a |D| / sqrt(d)), per token;
//! - features that are dead reconstruct what is left, an error that counts for 1/32 (AuxK of Gao et al. 2024).

use crate::parallel;
use crate::training::arithmetic::{Factors, add_product, add_scaled, dot, squares};
use crate::training::entries::{Entries, Rule, WINDOW};
use crate::training::parameters::{Parameters, Shape};
use crate::training::settings::{Activation, Settings, TranscoderKind};
use crate::training::stream::Tokens;
use gemm::Parallelism;
use pulp::{Arch, Simd, WithSimd};
use std::convert::Infallible;
use std::ops::Range;

/// Weight of the dead features' error.
const AUXILIARY_WEIGHT: f32 = 1.0 / 32.0;

/// Tokens whose gradients are computed together: their inputs and errors stay in the second-level cache.
const BLOCK: usize = 256;

/// Part of a typical output's length at which tanh counts a feature as wholly active, as a divisor.
const SATURATION: f32 = 8.0;

/// Normalised inputs and outputs of a batch, by layer of the group.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// `[N, d]` each.
    pub inputs: Vec<Vec<f32>>,
    /// `[N, d]` each.
    pub outputs: Vec<Vec<f32>>,
    /// Weight of each token, `[N]` each.
    pub weights: Vec<Vec<f32>>,
}

impl Batch {
    /// Gathers the chosen tokens of some layers.
    pub fn gather(tokens: &Tokens, weights: &[Vec<f32>], layers: Range<usize>, chosen: &[u32], width: usize) -> Self {
        let rows = |all: &Vec<f32>| {
            let mut rows = Vec::with_capacity(chosen.len() * width);
            chosen
                .iter()
                .for_each(|row| rows.extend_from_slice(&all[*row as usize * width..(*row as usize + 1) * width]));
            rows
        };
        let numbers = |all: &Vec<f32>| chosen.iter().map(|row| all[*row as usize]).collect();
        Self {
            inputs: tokens.inputs[layers.clone()].iter().map(rows).collect(),
            outputs: tokens.outputs[layers.clone()].iter().map(rows).collect(),
            weights: weights[layers].iter().map(numbers).collect(),
        }
    }
}

/// Loss of a batch with its gradient, and what was seen on the way.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Loss that the gradient is of: errors, penalty and the dead features' errors.
    pub loss: f64,
    /// Error of each layer.
    pub errors: Vec<f64>,
    /// Number of active features in all, by layer.
    pub n_active: Vec<usize>,
    /// True for each feature that was active, by layer.
    pub fired: Vec<Vec<bool>>,
    /// Least activation, by layer; infinite where there is none.
    pub least: Vec<f32>,
    /// Gradient of each layer's weights.
    pub gradients: Vec<Parameters>,
}

/// Penalty on active features.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Penalty {
    None,
    /// Factor of activation times decoder length.
    Lengths(f32),
    /// Cost of an active feature.
    Count(f32),
    /// Cost of a feature that is wholly active, and factor of activation times decoder length within tanh.
    Tanh(f32, f32),
}

/// How losses are computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub kind: TranscoderKind,
    pub activation: Activation,
    /// Weight of the penalty.
    pub sparsity: f32,
    pub parallelism: Parallelism,
}

impl Loss {
    /// Returns the loss of a step.
    pub fn at(settings: &Settings, step: u64, parallelism: Parallelism) -> Self {
        let (kind, activation, sparsity) = (settings.kind, settings.activation, settings.sparsity_at(step));
        Self { kind, activation, sparsity, parallelism }
    }

    fn penalty(self, n_tokens: usize, width: usize) -> Penalty {
        let (each, scale) = (self.sparsity / n_tokens as f32, (width as f32).sqrt().recip());
        match (self.activation, self.kind) {
            (Activation::TopK(_) | Activation::BatchTopK(_), _) => Penalty::None,
            (_, TranscoderKind::Clt) => Penalty::Tanh(each, SATURATION * scale),
            (Activation::Relu, TranscoderKind::Plt) => Penalty::Lengths(each * scale),
            (Activation::JumpRelu, TranscoderKind::Plt) => Penalty::Count(each),
        }
    }

    /// Computes the loss of a batch and its gradient. `dead` names the dead features of each layer.
    pub fn of(self, layers: &[&Parameters], batch: &Batch, dead: &[Vec<u32>]) -> Outcome {
        let width = layers[0].decoder_bias.len();
        let n_tokens = batch.weights[0].len();
        let encoded = each(layers.len(), |nth| self.encode(layers[nth], &batch.inputs[nth], &dead[nth]));
        let reconstructed = each(layers.len(), |nth| self.reconstruct(layers, batch, &encoded, nth));
        let penalty = self.penalty(n_tokens, width);
        let gradients = each(layers.len(), |nth| {
            let mut gradient = reconstructed[nth].gradient(layers[nth], &batch.inputs[nth], self.parallelism);
            let reached = nth..nth + layers[nth].decoders.len();
            let backward = |entries: &Entries, errors: Vec<&[f32]>, penalty, gradient: &mut Parameters| {
                Backward { layer: layers[nth], inputs: &batch.inputs[nth], errors, penalty, entries }.add(gradient)
            };
            let errors = reconstructed[reached.clone()].iter().map(|layer| &layer.errors[..]).collect();
            let cost = backward(&encoded[nth].active, errors, penalty, &mut gradient);
            if !encoded[nth].dead.features.is_empty() {
                let errors = reconstructed[reached].iter().map(|layer| &layer.dead_errors[..]).collect();
                backward(&encoded[nth].dead, errors, Penalty::None, &mut gradient);
            }
            (gradient, cost)
        });
        let mut outcome = Outcome {
            loss: reconstructed.iter().map(|layer| layer.error + layer.dead_error).sum(),
            errors: reconstructed.iter().map(|layer| layer.error).collect(),
            n_active: encoded.iter().map(|layer| layer.active.n_active()).collect(),
            fired: Vec::new(),
            least: Vec::new(),
            gradients: Vec::new(),
        };
        for (layer, (gradient, cost)) in encoded.iter().zip(gradients) {
            outcome.loss += cost;
            outcome.gradients.push(gradient);
            let mut fired = vec![false; layer.n_features];
            let mut least = f32::INFINITY;
            for (feature, activation) in layer.active.features.iter().zip(&layer.active.activations) {
                if *activation != 0.0 {
                    fired[*feature as usize] = true;
                    least = least.min(*activation);
                }
            }
            outcome.fired.push(fired);
            outcome.least.push(least);
        }
        outcome
    }

    fn encode(self, layer: &Parameters, inputs: &[f32], dead: &[u32]) -> Encoded {
        let (n_features, width) = (layer.encoder_bias.len(), layer.decoder_bias.len());
        let pre_activations = encode(layer, inputs, self.parallelism);
        let thresholds: Vec<f32> = layer.log_threshold.iter().map(|log| log.exp()).collect();
        let rule = Rule::of(self.activation, &thresholds, &pre_activations, inputs.len() / width);
        let active = Entries::select(&pre_activations, n_features, rule);
        let dead = match dead {
            [] => Entries::default(),
            dead => Entries::select_dead(&pre_activations, n_features, dead),
        };
        Encoded { n_features, active, dead }
    }

    fn reconstruct(self, layers: &[&Parameters], batch: &Batch, encoded: &[Encoded], nth: usize) -> Reconstructed {
        let (inputs, outputs, weights) = (&batch.inputs[nth], &batch.outputs[nth], &batch.weights[nth]);
        let width = layers[nth].decoder_bias.len();
        let writers = || (0..=nth).filter(|from| nth - from < layers[*from].decoders.len());
        let active = writers().map(|from| (&encoded[from].active, &layers[from].decoders[nth - from][..]));
        let mut errors = reconstruct(layers[nth], inputs, active, self.parallelism);
        errors.iter_mut().zip(outputs).for_each(|(x, y)| *x -= y);
        let has_dead = writers().any(|from| !encoded[from].dead.features.is_empty());
        let mut dead_errors = if has_dead { errors.clone() } else { Vec::new() };
        if has_dead {
            for from in writers().filter(|from| !encoded[*from].dead.features.is_empty()) {
                add_decoded(&encoded[from].dead, &layers[from].decoders[nth - from], width, &mut dead_errors);
            }
        }
        let dead_error = weighted(&mut dead_errors, weights, width, AUXILIARY_WEIGHT);
        let error = weighted(&mut errors, weights, width, 1.0);
        Reconstructed { errors, dead_errors, error, dead_error }
    }
}

/// Returns the pre-activations of a layer's features for inputs `[N, d]`: `[N, F]`.
pub(super) fn encode(layer: &Parameters, inputs: &[f32], parallelism: Parallelism) -> Vec<f32> {
    let (n_features, width) = (layer.encoder_bias.len(), layer.decoder_bias.len());
    let n_tokens = inputs.len() / width;
    let mut pre_activations = layer.encoder_bias.repeat(n_tokens);
    let factors = Factors::ByRows(inputs, &layer.encoder);
    add_product(&mut pre_activations, factors, [n_tokens, n_features, width], parallelism);
    pre_activations
}

/// Returns the reconstruction of a layer's outputs `[N, d]` from its inputs and from activations, each with the decoder
/// into this layer.
pub(super) fn reconstruct<'a>(
    layer: &Parameters,
    inputs: &[f32],
    active: impl Iterator<Item = (&'a Entries, &'a [f32])>,
    parallelism: Parallelism,
) -> Vec<f32> {
    let width = layer.decoder_bias.len();
    let n_tokens = inputs.len() / width;
    let mut outputs = layer.decoder_bias.repeat(n_tokens);
    if !layer.skip.is_empty() {
        add_product(&mut outputs, Factors::ByRows(inputs, &layer.skip), [n_tokens, width, width], parallelism);
    }
    for (entries, decoder) in active {
        add_decoded(entries, decoder, width, &mut outputs);
    }
    outputs
}

/// Adds what activations write by a decoder `[F, d]` to `outputs` `[N, d]`.
fn add_decoded(entries: &Entries, decoder: &[f32], width: usize, outputs: &mut [f32]) {
    struct Decoding<'a>(&'a Entries, &'a [f32], usize, &'a mut [f32]);
    impl WithSimd for Decoding<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(entries, decoder, width, outputs) = self;
            for (token, output) in outputs.chunks_mut(width).enumerate() {
                for at in entries.of(token) {
                    let activation = entries.activations[at];
                    if activation != 0.0 {
                        let start = entries.features[at] as usize * width;
                        add_scaled(simd, activation, &decoder[start..start + width], output);
                    }
                }
            }
        }
    }
    Arch::new().dispatch(Decoding(entries, decoder, width, outputs));
}

/// Returns the mean of weighted squares of errors `[N, d]`, and turns them into its gradient.
fn weighted(errors: &mut [f32], weights: &[f32], width: usize, factor: f32) -> f64 {
    let each = factor / (weights.len() * width) as f32;
    let mut sum = 0.0;
    for (row, weight) in errors.chunks_mut(width).zip(weights) {
        sum += squares(row) * f64::from(each * weight);
        let factor = 2.0 * each * weight;
        row.iter_mut().for_each(|x| *x *= factor);
    }
    sum
}

/// Runs `work` for each of a group's layers, on several threads where there are several.
fn each<T: Send>(n: usize, work: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    let Ok(all) = parallel::map(n, |nth| Ok::<T, Infallible>(work(nth)));
    all
}

struct Encoded {
    n_features: usize,
    active: Entries,
    dead: Entries,
}

/// Errors of a layer, as gradients by its reconstruction.
struct Reconstructed {
    /// `[N, d]`
    errors: Vec<f32>,
    /// `[N, d]`; empty where no feature is dead.
    dead_errors: Vec<f32>,
    error: f64,
    dead_error: f64,
}

impl Reconstructed {
    /// Returns the gradient of a layer's bias and skip, with zeros for the rest.
    fn gradient(&self, layer: &Parameters, inputs: &[f32], parallelism: Parallelism) -> Parameters {
        let (n_features, width) = (layer.encoder_bias.len(), layer.decoder_bias.len());
        let has_skip = !layer.skip.is_empty();
        let has_thresholds = !layer.log_threshold.is_empty();
        let reach = layer.decoders.len();
        let mut gradient = Parameters::zeros(Shape { n_features, width, reach, has_thresholds, has_skip });
        for row in self.errors.chunks(width) {
            gradient.decoder_bias.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        if has_skip {
            let sizes = [width, width, inputs.len() / width];
            add_product(&mut gradient.skip, Factors::ByColumns(&self.errors, inputs), sizes, parallelism);
        }
        gradient
    }
}

/// Gradient of a layer's encoder and decoders by its entries.
struct Backward<'a> {
    layer: &'a Parameters,
    /// `[N, d]`
    inputs: &'a [f32],
    /// Gradient by the reconstruction of each layer that is written into, `[N, d]` each.
    errors: Vec<&'a [f32]>,
    penalty: Penalty,
    entries: &'a Entries,
}

impl Backward<'_> {
    /// Adds the gradient, and returns the penalty.
    fn add(self, gradient: &mut Parameters) -> f64 {
        let n_features = self.layer.encoder_bias.len();
        let lengths = match self.penalty {
            Penalty::Lengths(_) | Penalty::Tanh(..) => self.layer.decoder_lengths(n_features),
            Penalty::None | Penalty::Count(_) => Vec::new(),
        };
        let thresholds: Vec<f32> = self.layer.log_threshold.iter().map(|log| log.exp()).collect();
        // By lengths, over all tokens: they move decoders along themselves.
        let mut along = vec![0.0; lengths.len()];
        let mut cost = 0.0;
        let (n_tokens, mut by_feature) = (self.entries.n_tokens(), ByFeature::default());
        for start in (0..n_tokens).step_by(BLOCK) {
            by_feature.sort(self.entries, start..n_tokens.min(start + BLOCK), n_features);
            cost += Arch::new().dispatch(Block {
                all: &self,
                by_feature: &by_feature,
                lengths: &lengths,
                thresholds: &thresholds,
                along: &mut along,
                gradient,
            });
        }
        let width = self.layer.decoder_bias.len();
        for (feature, (along, length)) in along.iter().zip(&lengths).enumerate() {
            let factor = along / length.max(f32::MIN_POSITIVE);
            let row = feature * width..(feature + 1) * width;
            for (sum, decoder) in gradient.decoders.iter_mut().zip(&self.layer.decoders) {
                sum[row.clone()].iter_mut().zip(&decoder[row.clone()]).for_each(|(sum, x)| *sum += factor * x);
            }
        }
        cost
    }
}

/// Entries of a block of tokens, by feature.
#[derive(Default)]
struct ByFeature {
    /// Start of each feature's entries, and their end, `[F + 1]`.
    starts: Vec<u32>,
    /// Token and place of each entry.
    places: Vec<(u32, u32)>,
}

impl ByFeature {
    fn sort(&mut self, entries: &Entries, tokens: Range<usize>, n_features: usize) {
        let all = entries.of_all(tokens.clone());
        self.starts.clear();
        self.starts.resize(n_features + 1, 0);
        for feature in &entries.features[all.clone()] {
            self.starts[*feature as usize + 1] += 1;
        }
        for feature in 0..n_features {
            self.starts[feature + 1] += self.starts[feature];
        }
        self.places.clear();
        self.places.resize(all.len(), (0, 0));
        let mut next = self.starts.clone();
        for token in tokens {
            for at in entries.of(token) {
                let next = &mut next[entries.features[at] as usize];
                self.places[*next as usize] = (token as u32, at as u32);
                *next += 1;
            }
        }
    }
}

/// Work on one block of tokens.
struct Block<'a> {
    all: &'a Backward<'a>,
    by_feature: &'a ByFeature,
    lengths: &'a [f32],
    thresholds: &'a [f32],
    along: &'a mut [f32],
    gradient: &'a mut Parameters,
}

impl WithSimd for Block<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { all, by_feature, lengths, thresholds, along, gradient } = self;
        let Backward { layer, inputs, errors, penalty, entries } = all;
        let width = layer.decoder_bias.len();
        let mut cost = 0.0;
        for feature in 0..layer.encoder_bias.len() {
            let places = by_feature.starts[feature] as usize..by_feature.starts[feature + 1] as usize;
            let start = feature * width;
            for place in places {
                let (token, at) = by_feature.places[place];
                let row = token as usize * width;
                let (activation, pre_activation) =
                    (entries.activations[at as usize], entries.pre_activations[at as usize]);
                let mut slope = 0.0;
                for (nth, errors) in errors.iter().enumerate() {
                    let error = &errors[row..row + width];
                    slope += dot(simd, error, &layer.decoders[nth][start..start + width]);
                    if activation != 0.0 {
                        add_scaled(simd, activation, error, &mut gradient.decoders[nth][start..start + width]);
                    }
                }
                let mut each = 0.0;
                match *penalty {
                    Penalty::None => {}
                    Penalty::Lengths(factor) => {
                        cost += f64::from(factor * activation * lengths[feature]);
                        slope += factor * lengths[feature];
                        along[feature] += factor * activation;
                    }
                    Penalty::Count(price) => {
                        each = price;
                        if activation != 0.0 {
                            cost += f64::from(price);
                        }
                    }
                    Penalty::Tanh(price, factor) => {
                        let tanh = (activation * lengths[feature] * factor).tanh();
                        let by_product = price * factor * (1.0 - tanh * tanh);
                        cost += f64::from(price * tanh);
                        slope += by_product * lengths[feature];
                        along[feature] += by_product * activation;
                    }
                }
                if !thresholds.is_empty() {
                    let threshold = thresholds[feature];
                    if (pre_activation - threshold).abs() < WINDOW / 2.0 {
                        gradient.log_threshold[feature] -= threshold * (threshold * slope + each) / WINDOW;
                    }
                }
                if activation != 0.0 {
                    add_scaled(simd, slope, &inputs[row..row + width], &mut gradient.encoder[start..start + width]);
                    gradient.encoder_bias[feature] += slope;
                }
            }
        }
        cost
    }
}
