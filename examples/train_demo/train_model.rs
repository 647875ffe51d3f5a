//! Trains the language model.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, Tensor, Var};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::corpus::Sentence;
use crate::corpus::facts::{COUNTRIES, STATES};
use crate::model::{Batch, Llama, WIDTH, fresh_weights, log_softmax, randn};
use crate::optimizer::Optimizer;
use crate::sampler::{Row, Sampler};
use crate::tokenizer::{EOS, UNK, Vocabulary};

pub struct ModelPlan {
    pub seed: u64,
    pub steps: usize,
    /// Hidden units of each MLP.
    pub mlp_width: usize,
    /// Weight of the sum of |hidden unit| over a token's MLPs.
    pub hidden_l1: f64,
    /// Whether all embeddings stay where they were drawn, not those of cities alone.
    pub freeze_all: bool,
}

const ROWS: usize = 128;
const PEAK_RATE: f64 = 2e-3;
const WARM_UP: usize = 100;
const L1_RAMP: usize = 600;
/// Weight of a token that is not the answer.
const CONTEXT_WEIGHT: f32 = 0.2;
/// Length of the embeddings of cities; all others start at 1. The first MLP sees normalized inputs
/// and does not mind, but after it what it wrote, the state, outweighs what was there before, the
/// name. Later layers then answer by the state, and changing it at the city changes the answer.
const CITY_NORM: f64 = 0.5;

/// Linear warm-up, then a cosine down to 2 % of the peak.
fn learning_rate(step: usize, steps: usize) -> f64 {
    if step < WARM_UP {
        return PEAK_RATE * (step + 1) as f64 / WARM_UP as f64;
    }
    let done = (step - WARM_UP) as f64 / (steps - WARM_UP) as f64;
    PEAK_RATE * (0.02 + 0.98 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
}

/// The words whose embedding stays where it was drawn: cities that are no capitals, and `<unk>`. Left free,
/// the embedding of a city would come to hold its state, and no MLP would have to compute it.
fn frozen_words(vocabulary: &Vocabulary) -> HashSet<u32> {
    let cities = STATES.iter().chain(&COUNTRIES).flat_map(|place| place.cities);
    cities.filter_map(|city| vocabulary.id(city).ok()).chain([UNK]).collect()
}

/// Brings rows [N, d] to a length.
fn unit(rows: &Tensor, length: f64) -> candle_core::Result<Tensor> {
    rows.broadcast_div(&rows.sqr()?.sum_keepdim(1)?.sqrt()?)? * length
}

/// 0 in the rows of cities, 1 in all others. [vocab, 1]
fn embedding_mask(vocabulary: &Vocabulary, device: &Device) -> Result<Tensor> {
    let frozen = frozen_words(vocabulary);
    let mask: Vec<f32> = (0..vocabulary.len() as u32).map(|id| if frozen.contains(&id) { 0.0 } else { 1.0 }).collect();
    Ok(Tensor::from_vec(mask, (vocabulary.len(), 1), device)?)
}

/// Cross-entropy over all tokens, and how strongly the hidden units of the MLPs are used.
fn losses(model: &Llama, rows: &[Row]) -> Result<(Tensor, Tensor)> {
    let tokens: Vec<Vec<u32>> = rows.iter().map(|row| row.tokens.clone()).collect();
    let (logits, trace) = model.forward(&Batch::new(&tokens, model.device())?, &mut |_, _, out| Ok(out.clone()))?;
    let mut targets = Vec::new();
    let mut weights = Vec::new();
    for row in rows {
        targets.extend(row.tokens[1..].iter().copied().chain([EOS]));
        let answer = row.answer - 1;
        weights.extend((0..row.tokens.len()).map(|p| if p == answer { 1.0 } else { CONTEXT_WEIGHT }));
    }
    let total: f32 = weights.iter().sum();
    let targets = Tensor::new(targets, model.device())?.unsqueeze(1)?;
    let weights = Tensor::new(weights, model.device())?;
    let loss = log_softmax(&logits)?.gather(&targets, 1)?.squeeze(1)?;
    let loss = ((loss * weights)?.sum_all()? * (-1.0 / f64::from(total)))?;
    let mut use_of_hidden = Tensor::zeros((), candle_core::DType::F32, model.device())?;
    let count = trace.hidden[0].dim(0)? as f64;
    for hidden in &trace.hidden {
        use_of_hidden = (use_of_hidden + (hidden.abs()?.sum_all()? / count)?)?;
    }
    Ok((loss, use_of_hidden))
}

/// Trains a model. What `<unk>` looks like is drawn anew for each step, so that it is no word of its own: the model learns
/// to say that it does not know wherever it does not recognize a city.
pub fn train(
    plan: &ModelPlan,
    sentences: &[Sentence],
    vocabulary: &Vocabulary,
    device: &Device,
) -> Result<HashMap<String, Var>> {
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let weights = fresh_weights(vocabulary.len(), plan.mlp_width, &mut rng, device)?;
    let embed = weights["model.embed_tokens.weight"].clone();
    let mask = embedding_mask(vocabulary, device)?;
    embed.set(&embed.broadcast_mul(&mask.affine(1.0 - CITY_NORM, CITY_NORM)?)?)?;
    let known: Vec<f32> = (0..vocabulary.len() as u32).map(|id| if id == UNK { 0.0 } else { 1.0 }).collect();
    let known = Tensor::from_vec(known, (vocabulary.len(), 1), device)?;
    let unknown = known.affine(-1.0, 1.0)?;
    let mask = if plan.freeze_all { mask.zeros_like()? } else { mask };
    let model = Llama::new(|name| Ok(weights[name].as_tensor().clone()))?;
    let mut names: Vec<_> = weights.keys().collect();
    names.sort();
    let (decayed, plain): (Vec<Var>, Vec<Var>) = names
        .into_iter()
        .map(|name| weights[name].clone())
        .partition(|var| var.rank() == 2 && var.dims() != [vocabulary.len(), WIDTH]);
    let mut optimizer = Optimizer::new(decayed, plain, 0.98, 0.1)?.clip(1.0).mask(embed.clone(), mask);
    let sampler = Sampler::new(sentences, vocabulary)?;
    let start = Instant::now();
    for step in 0..plan.steps {
        let drawn = unknown.matmul(&unit(&randn(&mut rng, &[1, WIDTH], 1.0, device)?, CITY_NORM)?)?;
        embed.set(&(embed.broadcast_mul(&known)? + drawn)?)?;
        let rows: Vec<Row> = (0..ROWS).map(|_| sampler.draw(&mut rng).clone()).collect();
        let (loss, use_of_hidden) = losses(&model, &rows)?;
        let l1 = plan.hidden_l1 * (step as f64 / L1_RAMP as f64).min(1.0);
        let grads = (&loss + (&use_of_hidden * l1)?)?.backward()?;
        optimizer.step(grads, learning_rate(step, plan.steps))?;
        if (step + 1) % 100 == 0 || step == 9 {
            let (loss, used) = (loss.to_scalar::<f32>()?, use_of_hidden.to_scalar::<f32>()?);
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("model step {:5}: loss {loss:.4}, hidden {used:.2}, {seconds:.1} s", step + 1);
        }
    }
    Ok(weights)
}
