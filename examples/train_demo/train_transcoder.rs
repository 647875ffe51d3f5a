//! Trains the transcoder on what the trained model's MLPs read and write.

use std::time::Instant;

use anyhow::Result;
use candle_core::{DType, Device, Tensor, Var};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::activity::Activity;
use crate::model::{LAYERS, Llama, WIDTH, randn};
use crate::optimizer::Optimizer;
use crate::sampler::{Row, Sampler};
use crate::seeding::{CANDIDATES, Candidates, Seed};
use crate::transcoder::{Layer, Transcoder, jump_relu};
use crate::words;

pub struct TranscoderPlan {
    pub seed: u64,
    pub steps: usize,
    pub features: usize,
    /// Whether a feature writes into its own layer alone.
    pub per_layer: bool,
    /// The share of fresh features that stand for what the MLP makes of many tokens, such as all cities of a state; the
    /// others stand for what is then left, down to a word.
    pub coarse: f64,
    /// Weight of the sum of tanh(activation * decoder norm).
    pub sparsity: f64,
    /// What is added to that: this many times ln(1 + activation * decoder norm), the dearer the rarer a feature is. One
    /// feature for all cities of a state is then cheaper than one for each.
    pub rarity: f64,
}

impl TranscoderPlan {
    /// At most so many features of a layer stand for what the MLP makes of many tokens.
    fn shared(&self) -> usize {
        (self.features as f64 * self.coarse) as usize
    }
}

const TOKENS: usize = 200_000;
const TOKENS_PER_STEP: usize = 1024;
const RATE: f64 = 1e-3;
const FIRST_THRESHOLD: f32 = 0.03;
/// How much of what the MLP writes at its inputs a fresh feature for a cluster writes, and how much of what is left one
/// for a group does, of which several overlap.
const FIRST_SHARES: [f32; 2] = [0.9, 0.3];
/// Scale of what fresh features write into later layers.
const FIRST_DECODER: f32 = 0.1;
/// The penalty on active features grows over this share of the run; what survives then has time
/// to settle.
const SPARSITY_RAMP: f64 = 0.6;
/// After these shares of the run, features that have gone silent start anew where the error is.
const REVIVALS: [f64; 5] = [0.2, 0.35, 0.5, 0.65, 0.8];
/// How much of the error at its input a revived feature takes away: many start near each other.
const REVIVED_SHARE: f64 = 0.3;
/// A revived feature starts on all inputs whose error points the way of the one drawn: at least this cosine.
const ALIKE: f64 = 0.7;
/// How fast the count of how often each feature is active forgets, a step.
const FORGETTING: f64 = 0.01;
/// The rarest feature costs at most this many times what one of average frequency does.
const DEAREST: f64 = 8.0;

/// Flat to 70 % of the run, then linear down to 2 %.
fn learning_rate(step: usize, steps: usize) -> f64 {
    let done = step as f64 / steps as f64;
    RATE * (1.0 - 0.98 * ((done - 0.7) / 0.3).max(0.0))
}

struct Trained {
    encoder: Var,
    encoder_bias: Var,
    log_threshold: Var,
    decoder: Var,
    decoder_bias: Var,
}

impl Trained {
    fn new(
        l: usize,
        plan: &TranscoderPlan,
        candidates: &mut Candidates,
        words: Option<Vec<Seed>>,
        mean: &Tensor,
        rng: &mut StdRng,
    ) -> Result<Self> {
        let (features, device) = (plan.features, mean.device());
        let mut encoder = Vec::with_capacity(features * WIDTH);
        let mut bias = Vec::with_capacity(features);
        let mut decoder = Vec::with_capacity(features * WIDTH);
        let clusters = match words {
            Some(seeds) => {
                candidates.take_away(&seeds)?;
                seeds
            }
            None => candidates.take_clusters(plan.shared(), rng)?,
        };
        let groups = candidates.groups(features - clusters.len(), rng)?;
        let rest: Vec<Seed> = groups.iter().map(|group| candidates.seed(group)).collect();
        for (seeds, share) in [clusters, rest].into_iter().zip(FIRST_SHARES) {
            for seed in seeds {
                encoder.extend(seed.encoder);
                bias.push(seed.bias);
                decoder.extend(seed.output.into_iter().map(|y| y * share / seed.activation));
            }
        }
        let encoder = Tensor::from_vec(encoder, (features, WIDTH), device)?;
        let bias = Tensor::new(bias, device)?;
        let mut decoder = Tensor::from_vec(decoder, (features, WIDTH), device)?;
        if !plan.per_layer && l + 1 < LAYERS {
            let scale = FIRST_DECODER / ((LAYERS * WIDTH) as f32).sqrt();
            let later = randn(rng, &[features, (LAYERS - l - 1) * WIDTH], scale, device)?;
            decoder = Tensor::cat(&[decoder, later], 1)?;
        }
        let threshold = Tensor::full(FIRST_THRESHOLD.ln(), features, device)?;
        Ok(Trained {
            encoder: Var::from_tensor(&encoder)?,
            encoder_bias: Var::from_tensor(&bias)?,
            log_threshold: Var::from_tensor(&threshold)?,
            decoder: Var::from_tensor(&decoder)?,
            decoder_bias: Var::from_tensor(mean)?,
        })
    }

    /// How many layers its features write into.
    fn reach(&self) -> Result<usize> {
        Ok(self.decoder.dim(1)? / WIDTH)
    }

    fn vars(&self) -> impl Iterator<Item = Var> {
        [&self.encoder, &self.encoder_bias, &self.log_threshold, &self.decoder, &self.decoder_bias].into_iter().cloned()
    }
}

/// Activations [N, F] a layer, and what they write into all layers, decoder biases left out.
/// [N, L * d]
fn forward(layers: &[Trained], inputs: &[Tensor]) -> Result<(Vec<Tensor>, Tensor)> {
    let mut all = Vec::new();
    let mut made: Option<Tensor> = None;
    for (l, layer) in layers.iter().enumerate() {
        let pre = inputs[l].matmul(&layer.encoder.t()?)?.broadcast_add(&layer.encoder_bias)?;
        let activations = jump_relu(&pre, &layer.log_threshold.exp()?)?;
        let above = LAYERS - l - layer.reach()?;
        let written = activations.matmul(&layer.decoder)?.pad_with_zeros(1, l * WIDTH, above * WIDTH)?;
        made = Some(match made {
            Some(made) => (made + written)?,
            None => written,
        });
        all.push(activations);
    }
    Ok((all, made.expect("there is a layer")))
}

/// What is made of a layer's output minus that output. [N, d]
fn off(layers: &[Trained], l: usize, made: &Tensor, output: &Tensor) -> Result<Tensor> {
    Ok((made.narrow(1, l * WIDTH, WIDTH)?.broadcast_add(&layers[l].decoder_bias)? - output)?)
}

/// What activations cost, mean over the tokens. `usage` says how often each feature is active. [F] a layer
fn penalty(layers: &[Trained], activations: &[Tensor], usage: &[Tensor], rarity: f64) -> Result<Tensor> {
    let count = activations[0].dim(0)? as f64;
    let mut penalty = Tensor::zeros((), DType::F32, activations[0].device())?;
    for ((layer, activations), usage) in layers.iter().zip(activations).zip(usage) {
        let norm = (layer.decoder.sqr()?.sum(1)? + 1e-12)?.sqrt()?;
        let written = activations.broadcast_mul(&norm)?;
        let mut cost = written.tanh()?;
        if rarity > 0.0 {
            let dearer = usage.mean_keepdim(0)?.broadcast_div(&(usage + 1e-6)?)?.sqrt()?.minimum(DEAREST)?;
            cost = (cost + ((written + 1.0)?.log()?.broadcast_mul(&dearer)? * rarity)?)?;
        }
        penalty = (penalty + (cost.sum_all()? / count)?)?;
    }
    Ok(penalty)
}

/// Features that were not active lately start anew on inputs at which much error is left, drawn
/// with a chance that grows with it.
fn revive(
    layers: &[Trained],
    seen: &[Tensor],
    candidates: &[Candidates],
    activity: &Activity,
    rng: &mut StdRng,
) -> Result<()> {
    let few = |tensors: &[Tensor]| -> Result<Vec<Tensor>> {
        Ok(tensors.iter().map(|t| t.narrow(0, 0, CANDIDATES.min(t.dim(0)?))).collect::<candle_core::Result<_>>()?)
    };
    let (outputs, weights) = (few(&activity.outputs)?, few(&activity.weights)?);
    let (_, made) = forward(layers, &few(&activity.inputs)?)?;
    let errors = (0..LAYERS).map(|l| off(layers, l, &made, &outputs[l])).collect::<Result<Vec<_>>>()?;
    for (l, layer) in layers.iter().enumerate() {
        let device = outputs[l].device();
        let reached = l..l + layer.reach()?;
        let mut left = Tensor::zeros(outputs[l].dim(0)?, DType::F32, device)?;
        for m in reached.clone() {
            left = (left + (errors[m].sqr()?.sum(1)? * &weights[m])?)?;
        }
        let chances = WeightedIndex::new(left.to_vec1::<f32>()?)?;
        let ahead = Tensor::cat(&errors[reached], 1)?;
        let directions = ahead.broadcast_div(&(ahead.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?)?;
        let mut encoder = layer.encoder.to_vec2::<f32>()?;
        let mut bias = layer.encoder_bias.to_vec1::<f32>()?;
        let mut log_threshold = layer.log_threshold.to_vec1::<f32>()?;
        let mut decoder = layer.decoder.to_vec2::<f32>()?;
        let silent = seen[l].to_vec1::<f32>()?.into_iter().enumerate().filter(|(_, highest)| *highest == 0.0);
        for (feature, _) in silent {
            let index = chances.sample(rng);
            let cosines = directions.matmul(&directions.get(index)?.unsqueeze(1)?)?.squeeze(1)?.to_vec1::<f32>()?;
            let alike = |other: &usize| *other == index || f64::from(cosines[*other]) >= ALIKE;
            let members: Vec<usize> = (0..cosines.len()).filter(alike).collect();
            let seed = candidates[l].seed(&members);
            let share = -REVIVED_SHARE / f64::from(seed.activation);
            let members: Vec<u32> = members.into_iter().map(|member| member as u32).collect();
            let missing = ahead.index_select(&Tensor::new(members, device)?, 0)?.mean(0)?;
            decoder[feature] = (missing * share)?.to_vec1()?;
            encoder[feature] = seed.encoder;
            bias[feature] = seed.bias;
            log_threshold[feature] = FIRST_THRESHOLD.ln();
        }
        layer.encoder.set(&Tensor::new(encoder, device)?)?;
        layer.encoder_bias.set(&Tensor::new(bias, device)?)?;
        layer.log_threshold.set(&Tensor::new(log_threshold, device)?)?;
        layer.decoder.set(&Tensor::new(decoder, device)?)?;
    }
    Ok(())
}

/// Draws the tokens of each step, every token once before any comes again.
struct Order {
    order: Vec<u32>,
    at: usize,
}

impl Order {
    /// The order of `count` tokens; the first draw shuffles it.
    fn of(count: usize) -> Self {
        Order { order: (0..count as u32).collect(), at: count }
    }

    fn next(&mut self, rng: &mut StdRng, device: &Device) -> Result<Tensor> {
        if self.at + TOKENS_PER_STEP > self.order.len() {
            self.order.shuffle(rng);
            self.at = 0;
        }
        self.at += TOKENS_PER_STEP;
        Ok(Tensor::new(&self.order[self.at - TOKENS_PER_STEP..self.at], device)?)
    }
}

pub fn train(plan: &TranscoderPlan, model: &Llama, sampler: &Sampler) -> Result<Transcoder> {
    // Other draws than the model's, which starts from the same seed.
    let mut rng = StdRng::seed_from_u64(plan.seed ^ 0xc17);
    let rows: Vec<Row> = (0..TOKENS / 6).map(|_| sampler.draw(&mut rng).clone()).collect();
    let mut activity = Activity::collect(model, &rows, TOKENS)?;
    let [input_scales, output_scales] = activity.normalize()?;
    let mut candidates = (0..LAYERS)
        .map(|l| Candidates::new(&activity.inputs[l], &activity.outputs[l], &activity.weights[l]))
        .collect::<Result<Vec<_>>>()?;
    let mut words = Some(words::seeds(model, &sampler.all(), [input_scales[0], output_scales[0]], plan.shared())?);
    let layers = (0..LAYERS)
        .map(|l| Trained::new(l, plan, &mut candidates[l], words.take(), &activity.spread(l)?.0, &mut rng))
        .collect::<Result<Vec<_>>>()?;
    let vars = layers.iter().flat_map(Trained::vars).collect();
    let mut optimizer = Optimizer::new(Vec::new(), vars, 0.999, 0.0)?;
    let mut order = Order::of(activity.inputs[0].dim(0)?);
    let device = model.device();
    let unseen = Tensor::zeros(plan.features, DType::F32, device)?;
    let mut seen = vec![unseen.clone(); LAYERS];
    let mut usage = vec![(Tensor::ones(plan.features, DType::F32, device)? * FORGETTING)?; LAYERS];
    let revivals = REVIVALS.map(|share| (share * plan.steps as f64) as usize);
    let start = Instant::now();
    for step in 0..plan.steps {
        let picked = order.next(&mut rng, device)?;
        let pick = |tensors: &[Tensor]| -> Result<Vec<Tensor>> {
            Ok(tensors.iter().map(|t| t.index_select(&picked, 0)).collect::<candle_core::Result<_>>()?)
        };
        let (outputs, weights) = (pick(&activity.outputs)?, pick(&activity.weights)?);
        let (activations, made) = forward(&layers, &pick(&activity.inputs)?)?;
        let mut error = Tensor::zeros((), DType::F32, device)?;
        for l in 0..LAYERS {
            let squares = off(&layers, l, &made, &outputs[l])?.sqr()?.sum(1)?;
            error = (error + ((squares * &weights[l])?.mean_all()? / WIDTH as f64)?)?;
        }
        let sparsity = plan.sparsity * (step as f64 / plan.steps as f64 / SPARSITY_RAMP).min(1.0);
        let grads = (&error + (penalty(&layers, &activations, &usage, plan.rarity)? * sparsity)?)?.backward()?;
        optimizer.step(grads, learning_rate(step, plan.steps))?;
        for ((seen, usage), activations) in seen.iter_mut().zip(&mut usage).zip(&activations) {
            let activations = activations.detach();
            *seen = seen.maximum(&activations.max(0)?)?;
            let active = activations.gt(0.0)?.to_dtype(DType::F32)?.mean(0)?;
            *usage = ((&*usage * (1.0 - FORGETTING))? + (active * FORGETTING)?)?;
        }
        if revivals.contains(&step) {
            revive(&layers, &seen, &candidates, &activity, &mut rng)?;
            seen.fill(unseen.clone());
        }
        if (step + 1) % 200 == 0 || step == 9 {
            let mut active = 0.0;
            for activations in &activations {
                active += activations.gt(0.0)?.to_dtype(DType::F32)?.sum(1)?.mean_all()?.to_scalar::<f32>()?;
            }
            let (error, seconds) = (error.to_scalar::<f32>()?, start.elapsed().as_secs_f64());
            eprintln!("transcoder step {:5}: error {error:.4}, active {active:.1}, {seconds:.1} s", step + 1);
        }
    }
    fold(&layers, &input_scales, &output_scales)
}

/// Puts the scales of inputs and outputs into the weights.
fn fold(layers: &[Trained], input_scales: &[f64], output_scales: &[f64]) -> Result<Transcoder> {
    let layers = layers.iter().enumerate().map(|(l, layer)| {
        let written: Vec<Tensor> = (l..l + layer.reach()?)
            .map(|m| layer.decoder.narrow(1, (m - l) * WIDTH, WIDTH)? * output_scales[m])
            .collect::<candle_core::Result<_>>()?;
        Ok(Layer {
            encoder: (layer.encoder.as_tensor() / input_scales[l])?,
            encoder_bias: layer.encoder_bias.as_tensor().clone(),
            threshold: layer.log_threshold.exp()?,
            decoder: Tensor::cat(&written, 1)?,
            decoder_bias: (layer.decoder_bias.as_tensor() * output_scales[l])?,
        })
    });
    Ok(Transcoder { layers: layers.collect::<Result<_>>()? })
}
