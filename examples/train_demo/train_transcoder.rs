//! Trains the cross-layer transcoder on what the trained model's MLPs read and write.

use std::time::Instant;

use anyhow::Result;
use candle_core::{DType, Device, Tensor, Var};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::model::{Batch, LAYERS, Llama, WIDTH, randn};
use crate::optimizer::Optimizer;
use crate::sampler::{Row, Sampler};
use crate::transcoder::{Layer, Transcoder, jump_relu};

pub struct TranscoderPlan {
    pub seed: u64,
    pub steps: usize,
    pub features: usize,
    /// Weight of the sum of tanh(activation * decoder norm).
    pub sparsity: f64,
}

const TOKENS: usize = 80_000;
const TOKENS_PER_STEP: usize = 512;
const RATE: f64 = 1e-3;
const FIRST_THRESHOLD: f32 = 0.03;
/// Scale of fresh decoders.
const FIRST_DECODER: f32 = 0.1;
/// A fresh feature is active on inputs that go more than this share of the way from the mean input
/// to its own.
const NEARNESS: f32 = 0.4;
/// Tokens among which fresh features find their inputs.
const CANDIDATES: usize = 16_384;

/// Flat to 70 % of the run, then linear down to 2 %.
fn learning_rate(step: usize, steps: usize) -> f64 {
    let done = step as f64 / steps as f64;
    RATE * (1.0 - 0.98 * ((done - 0.7) / 0.3).max(0.0))
}

/// What the MLPs read and wrote at many tokens, `<bos>` left out.
pub struct Activity {
    /// A layer each: [N, d]
    pub inputs: Vec<Tensor>,
    /// A layer each: [N, d]
    pub outputs: Vec<Tensor>,
    /// 1 / mean(resid_post^2), mean 1 over the tokens: what a token's error costs. Without it the
    /// small outputs at a city and before the answer would be lost beside large ones. [N]
    pub weights: Vec<Tensor>,
}

impl Activity {
    pub fn collect(model: &Llama, rows: &[Row], limit: usize) -> Result<Self> {
        let mut parts: Vec<[Vec<Tensor>; 3]> = (0..LAYERS).map(|_| Default::default()).collect();
        for chunk in rows.chunks(512) {
            let tokens: Vec<Vec<u32>> = chunk.iter().map(|row| row.tokens.clone()).collect();
            let (_, trace) = model.forward(&Batch::new(&tokens)?, &mut |_, _, out| Ok(out.clone()))?;
            let mut kept = Vec::new();
            let mut at = 0;
            for row in &tokens {
                kept.extend((at + 1..at + row.len()).map(|i| i as u32));
                at += row.len();
            }
            let kept = Tensor::new(kept, &Device::Cpu)?;
            for (l, [inputs, outputs, weights]) in parts.iter_mut().enumerate() {
                inputs.push(trace.mlp_in[l].index_select(&kept, 0)?.detach());
                outputs.push(trace.mlp_out[l].index_select(&kept, 0)?.detach());
                let power = trace.resid_post[l].index_select(&kept, 0)?.sqr()?.mean(1)?;
                weights.push(power.recip()?.detach());
            }
        }
        let mut activity = Activity { inputs: vec![], outputs: vec![], weights: vec![] };
        for [inputs, outputs, weights] in parts {
            let take = |parts: &[Tensor]| -> Result<Tensor> {
                let all = Tensor::cat(parts, 0)?;
                Ok(all.narrow(0, 0, limit.min(all.dim(0)?))?.contiguous()?)
            };
            activity.inputs.push(take(&inputs)?);
            activity.outputs.push(take(&outputs)?);
            let weights = take(&weights)?;
            activity.weights.push(weights.broadcast_div(&weights.mean_all()?)?);
        }
        Ok(activity)
    }

    /// Weighted mean of the outputs and weighted mean squared distance from it, of a layer.
    pub fn spread(&self, l: usize) -> Result<(Tensor, f64)> {
        let weights = self.weights[l].unsqueeze(1)?;
        let mean = self.outputs[l].broadcast_mul(&weights)?.mean(0)?;
        let off = self.outputs[l].broadcast_sub(&mean)?.sqr()?.broadcast_mul(&weights)?;
        Ok((mean, f64::from(off.sum(1)?.mean_all()?.to_scalar::<f32>()?)))
    }
}

struct Trained {
    encoder: Var,
    encoder_bias: Var,
    log_threshold: Var,
    decoder: Var,
    decoder_bias: Var,
}

/// Rows of `inputs` [N, d] that lie far from each other, drawn one after the other with a chance
/// that grows with the squared distance to the nearest one drawn before: rare words get features of
/// their own as surely as frequent ones.
fn spread_out(inputs: &[Vec<f32>], count: usize, rng: &mut StdRng) -> Result<Vec<usize>> {
    let mut distance = vec![f32::INFINITY; inputs.len()];
    let mut picked = vec![rng.random_range(0..inputs.len())];
    while picked.len() < count {
        let newest = &inputs[picked[picked.len() - 1]];
        for (distance, x) in distance.iter_mut().zip(inputs) {
            let square = x.iter().zip(newest).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
            *distance = distance.min(square);
        }
        picked.push(WeightedIndex::new(&distance)?.sample(rng));
    }
    Ok(picked)
}

/// Encoders [F, d] and their biases [F]: each feature starts out active on inputs close to one that
/// occurs. Features that start from random directions are active on half of everything; most of
/// them end up as blends of a few unrelated words, and some die.
fn first_encoders(inputs: &Tensor, features: usize, rng: &mut StdRng) -> Result<(Tensor, Tensor)> {
    let inputs = inputs.narrow(0, 0, CANDIDATES.min(inputs.dim(0)?))?;
    let mean = inputs.mean(0)?.to_vec1::<f32>()?;
    let mut inputs = inputs.to_vec2::<f32>()?;
    for x in &mut inputs {
        x.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= mean);
    }
    let mut encoders = Vec::with_capacity(features * WIDTH);
    let mut biases = Vec::with_capacity(features);
    for index in spread_out(&inputs, features, rng)? {
        let x = &inputs[index];
        let length = x.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-3);
        let at_mean: f32 = x.iter().zip(&mean).map(|(x, mean)| x * mean / length).sum();
        encoders.extend(x.iter().map(|x| x / length));
        biases.push(-at_mean - NEARNESS * length);
    }
    Ok((
        Tensor::from_vec(encoders, (features, WIDTH), &Device::Cpu)?,
        Tensor::from_vec(biases, features, &Device::Cpu)?,
    ))
}

impl Trained {
    fn new(l: usize, features: usize, inputs: &Tensor, mean: &Tensor, rng: &mut StdRng) -> Result<Self> {
        let (encoder, bias) = first_encoders(inputs, features, rng)?;
        let scale = FIRST_DECODER / ((LAYERS * WIDTH) as f32).sqrt();
        let decoder = randn(rng, &[features, (LAYERS - l) * WIDTH], scale)?;
        let threshold = Tensor::full(FIRST_THRESHOLD.ln(), features, &Device::Cpu)?;
        Ok(Trained {
            encoder: Var::from_tensor(&encoder)?,
            encoder_bias: Var::from_tensor(&bias)?,
            log_threshold: Var::from_tensor(&threshold)?,
            decoder: Var::from_tensor(&decoder)?,
            decoder_bias: Var::from_tensor(mean)?,
        })
    }

    fn vars(&self) -> impl Iterator<Item = Var> {
        [&self.encoder, &self.encoder_bias, &self.log_threshold, &self.decoder, &self.decoder_bias].into_iter().cloned()
    }
}

/// Squared error and sparsity penalty of a step, and the number of active features a token.
fn losses(layers: &[Trained], inputs: &[Tensor], outputs: &[Tensor], weights: &[Tensor]) -> Result<[Tensor; 3]> {
    let count = inputs[0].dim(0)? as f64;
    let mut made: Option<Tensor> = None;
    let mut penalty = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    let mut active = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for (l, layer) in layers.iter().enumerate() {
        let pre = inputs[l].matmul(&layer.encoder.t()?)?.broadcast_add(&layer.encoder_bias)?;
        let activations = jump_relu(&pre, &layer.log_threshold.exp()?)?;
        let norm = (layer.decoder.sqr()?.sum(1)? + 1e-12)?.sqrt()?;
        penalty = (penalty + (activations.broadcast_mul(&norm)?.tanh()?.sum_all()? / count)?)?;
        active = (active + (activations.detach().gt(0.0)?.to_dtype(DType::F32)?.sum_all()? / count)?)?;
        let written = activations.matmul(&layer.decoder)?.pad_with_zeros(1, l * WIDTH, 0)?;
        made = Some(match made {
            Some(made) => (made + written)?,
            None => written,
        });
    }
    let made = made.expect("there is a layer");
    let mut error = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for (l, layer) in layers.iter().enumerate() {
        let off = (made.narrow(1, l * WIDTH, WIDTH)?.broadcast_add(&layer.decoder_bias)? - &outputs[l])?;
        error = (error + (off.sqr()?.sum(1)? * &weights[l])?.mean_all()?)?;
    }
    Ok([error, penalty, active])
}

pub fn train(plan: &TranscoderPlan, model: &Llama, sampler: &Sampler) -> Result<Transcoder> {
    let mut rng = StdRng::seed_from_u64(plan.seed ^ 0xc17);
    let rows: Vec<Row> = (0..TOKENS / 6).map(|_| sampler.draw(&mut rng).clone()).collect();
    let activity = Activity::collect(model, &rows, TOKENS)?;
    // Inputs get unit power, and outputs unit weighted variance, layer by layer, so that no layer
    // outweighs another; both factors go into the weights in the end.
    let mut input_scales = Vec::new();
    let mut output_scales = Vec::new();
    let mut inputs = Vec::new();
    let mut outputs = Vec::new();
    let mut layers = Vec::new();
    for l in 0..LAYERS {
        let power = activity.inputs[l].sqr()?.mean_all()?.to_scalar::<f32>()?;
        input_scales.push(f64::from(power).sqrt());
        let (mean, variance) = activity.spread(l)?;
        output_scales.push((variance / WIDTH as f64).sqrt());
        inputs.push((&activity.inputs[l] / input_scales[l])?);
        outputs.push((&activity.outputs[l] / output_scales[l])?);
        layers.push(Trained::new(l, plan.features, &inputs[l], &(mean / output_scales[l])?, &mut rng)?);
    }
    let vars = layers.iter().flat_map(Trained::vars).collect();
    let mut optimizer = Optimizer::new(Vec::new(), vars, 0.999, 0.0)?;
    let count = inputs[0].dim(0)?;
    let mut order: Vec<u32> = (0..count as u32).collect();
    let mut at = count;
    let start = Instant::now();
    for step in 0..plan.steps {
        if at + TOKENS_PER_STEP > count {
            order.shuffle(&mut rng);
            at = 0;
        }
        let picked = Tensor::new(&order[at..at + TOKENS_PER_STEP], &Device::Cpu)?;
        at += TOKENS_PER_STEP;
        let pick = |tensors: &[Tensor]| -> Result<Vec<Tensor>> {
            Ok(tensors.iter().map(|t| t.index_select(&picked, 0)).collect::<candle_core::Result<_>>()?)
        };
        let [error, penalty, active] = losses(&layers, &pick(&inputs)?, &pick(&outputs)?, &pick(&activity.weights)?)?;
        let error = (error / WIDTH as f64)?;
        let sparsity = plan.sparsity * step as f64 / plan.steps as f64;
        let grads = (&error + (&penalty * sparsity)?)?.backward()?;
        optimizer.step(grads, learning_rate(step, plan.steps))?;
        if (step + 1) % 200 == 0 || step == 9 {
            let (error, active) = (error.to_scalar::<f32>()?, active.to_scalar::<f32>()?);
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("transcoder step {:5}: error {error:.4}, active {active:.1}, {seconds:.0} s", step + 1);
        }
    }
    fold(&layers, &input_scales, &output_scales)
}

/// Puts the scales of inputs and outputs into the weights.
fn fold(layers: &[Trained], input_scales: &[f64], output_scales: &[f64]) -> Result<Transcoder> {
    let layers = layers.iter().enumerate().map(|(l, layer)| {
        let written: Vec<Tensor> = (l..LAYERS)
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
