//! Trains the language model.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, Tensor, Var};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::corpus::Sentence;
use crate::corpus::facts::{COUNTRIES, STATES};
use crate::model::{Batch, Llama, WIDTH, fresh_weights, log_softmax};
use crate::optimizer::Optimizer;
use crate::sampler::{Row, Sampler};
use crate::tokenizer::{EOS, Vocabulary};

pub struct ModelPlan {
    pub seed: u64,
    pub steps: usize,
    /// Weight of the sum of |hidden unit| over a token's MLPs.
    pub hidden_l1: f64,
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

/// The words whose embedding stays where it was drawn: cities that are no capitals. Left free,
/// the embedding of a city would come to hold its state, and no MLP would have to compute it.
fn frozen_words(vocabulary: &Vocabulary) -> HashSet<u32> {
    let cities = STATES.iter().chain(&COUNTRIES).flat_map(|place| place.cities);
    cities.filter_map(|city| vocabulary.id(city).ok()).collect()
}

/// 1 in the rows that may move, 0 in the frozen ones. [vocab, 1]
fn embedding_mask(vocabulary: &Vocabulary) -> Result<Tensor> {
    let frozen = frozen_words(vocabulary);
    let mask: Vec<f32> = (0..vocabulary.len() as u32).map(|id| if frozen.contains(&id) { 0.0 } else { 1.0 }).collect();
    Ok(Tensor::from_vec(mask, (vocabulary.len(), 1), &Device::Cpu)?)
}

/// Cross-entropy over all tokens, and how strongly the hidden units of the MLPs are used.
fn losses(model: &Llama, rows: &[Row]) -> Result<(Tensor, Tensor)> {
    let tokens: Vec<Vec<u32>> = rows.iter().map(|row| row.tokens.clone()).collect();
    let (logits, trace) = model.forward(&Batch::new(&tokens)?, &mut |_, _, out| Ok(out.clone()))?;
    let mut targets = Vec::new();
    let mut weights = Vec::new();
    for row in rows {
        targets.extend(row.tokens[1..].iter().copied().chain([EOS]));
        let answer = row.answer - 1;
        weights.extend((0..row.tokens.len()).map(|p| if p == answer { 1.0 } else { CONTEXT_WEIGHT }));
    }
    let total: f32 = weights.iter().sum();
    let targets = Tensor::new(targets, &Device::Cpu)?.unsqueeze(1)?;
    let weights = Tensor::new(weights, &Device::Cpu)?;
    let loss = log_softmax(&logits)?.gather(&targets, 1)?.squeeze(1)?;
    let loss = ((loss * weights)?.sum_all()? * (-1.0 / f64::from(total)))?;
    let mut use_of_hidden = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
    let count = trace.hidden[0].dim(0)? as f64;
    for hidden in &trace.hidden {
        use_of_hidden = (use_of_hidden + (hidden.abs()?.sum_all()? / count)?)?;
    }
    Ok((loss, use_of_hidden))
}

pub fn train(plan: &ModelPlan, sentences: &[Sentence], vocabulary: &Vocabulary) -> Result<HashMap<String, Var>> {
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let weights = fresh_weights(vocabulary.len(), &mut rng)?;
    let embed = weights["model.embed_tokens.weight"].clone();
    let mask = embedding_mask(vocabulary)?;
    embed.set(&embed.broadcast_mul(&mask.affine(1.0 - CITY_NORM, CITY_NORM)?)?)?;
    let model = Llama::new(|name| Ok(weights[name].as_tensor().clone()))?;
    let mut names: Vec<_> = weights.keys().collect();
    names.sort();
    let (decayed, plain): (Vec<Var>, Vec<Var>) = names
        .into_iter()
        .map(|name| weights[name].clone())
        .partition(|var| var.rank() == 2 && var.dims() != [vocabulary.len(), WIDTH]);
    let mut optimizer = Optimizer::new(decayed, plain, 0.98, 0.1)?.clip(1.0).mask(embed, mask);
    let sampler = Sampler::new(sentences, vocabulary)?;
    let start = Instant::now();
    for step in 0..plan.steps {
        let rows: Vec<Row> = (0..ROWS).map(|_| sampler.draw(&mut rng).clone()).collect();
        let (loss, use_of_hidden) = losses(&model, &rows)?;
        let l1 = plan.hidden_l1 * (step as f64 / L1_RAMP as f64).min(1.0);
        let grads = (&loss + (&use_of_hidden * l1)?)?.backward()?;
        optimizer.step(grads, learning_rate(step, plan.steps))?;
        if (step + 1) % 100 == 0 || step == 9 {
            let (loss, used) = (loss.to_scalar::<f32>()?, use_of_hidden.to_scalar::<f32>()?);
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("model step {:5}: loss {loss:.4}, hidden {used:.2}, {seconds:.0} s", step + 1);
        }
    }
    Ok(weights)
}
