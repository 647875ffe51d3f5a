//! Changes to features at the city of a held-out question, everything downstream recomputed.

use anyhow::Result;
use candle_core::{Device, Tensor};

use crate::corpus::Question;
use crate::model::{Batch, LAYERS, Llama};
use crate::selectivity::Selectivity;
use crate::tokenizer::Vocabulary;
use crate::transcoder::Transcoder;

/// A feature counts as selective for a place if more than this share of its mass falls on it.
pub const SELECTIVE: f32 = 0.3;

/// New values of features at one position, by layer: (feature, value).
pub type Edits = Vec<Vec<(usize, f32)>>;

/// A held-out question, run once.
pub struct Run {
    pub question: Question,
    pub tokens: Vec<u32>,
    /// The features active at the city, by layer: (feature, activation).
    pub at_city: Edits,
    /// Probabilities of the next token.
    pub probabilities: Vec<f32>,
}

pub fn highest(values: &[f32]) -> u32 {
    let best = values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(i, _)| i as u32)
}

pub struct Lab<'a> {
    pub model: &'a Llama,
    pub transcoder: &'a Transcoder,
    pub selectivity: &'a Selectivity,
    pub vocabulary: &'a Vocabulary,
}

impl Lab<'_> {
    pub fn run(&self, question: Question) -> Result<Run> {
        let tokens = self.vocabulary.encode(&question.text())?;
        let mut at_city = Edits::new();
        let probabilities = self.probabilities(&tokens, &mut |l, x, out| {
            let x = x.narrow(0, Question::CITY_POSITION, 1)?;
            let activations = self.transcoder.layers[l].encode(&x)?.squeeze(0)?.to_vec1::<f32>()?;
            at_city.push(activations.into_iter().enumerate().filter(|a| a.1 > 0.0).collect());
            Ok(out.clone())
        })?;
        Ok(Run { question, tokens, at_city, probabilities })
    }

    fn probabilities(&self, tokens: &[u32], hook: &mut crate::model::MlpHook) -> Result<Vec<f32>> {
        let (logits, _) = self.model.forward(&Batch::new(&[tokens.to_vec()])?, hook)?;
        let last = logits.narrow(0, tokens.len() - 1, 1)?;
        Ok(crate::model::log_softmax(&last)?.exp()?.squeeze(0)?.to_vec1()?)
    }

    /// Sets features at the city to new values: the difference to what they are at that point of
    /// the changed run goes through their decoders into the real MLPs' outputs.
    pub fn edited(&self, run: &Run, edits: &Edits) -> Result<Vec<f32>> {
        let city = Question::CITY_POSITION;
        let features = self.transcoder.features()?;
        let mut deltas: Vec<Tensor> = Vec::with_capacity(LAYERS);
        self.probabilities(&run.tokens, &mut |l, x, out| {
            let now = self.transcoder.layers[l].encode(&x.narrow(0, city, 1)?)?.squeeze(0)?;
            let now = now.to_vec1::<f32>()?;
            let mut delta = vec![0.0; features];
            for &(feature, value) in &edits[l] {
                delta[feature] = value - now[feature];
            }
            deltas.push(Tensor::from_vec(delta, (1, features), &Device::Cpu)?);
            let mut change = self.transcoder.layers[l].write(&deltas[l], 0)?;
            for k in 0..l {
                change = (change + self.transcoder.layers[k].write(&deltas[k], l - k)?)?;
            }
            let change = change.pad_with_zeros(0, city, run.tokens.len() - 1 - city)?;
            out + change
        })
    }

    /// All features active at the city set to 0.
    pub fn ablated(&self, run: &Run) -> Result<Vec<f32>> {
        let edits = run.at_city.iter().map(|layer| layer.iter().map(|&(f, _)| (f, 0.0)).collect());
        self.edited(run, &edits.collect())
    }

    /// The features of `from`'s city set to 0 and those of `to`'s city to `strength` times their
    /// values there; with `selective`, only those that are selective for the city's own place.
    pub fn swapped(&self, from: &Run, to: &Run, strength: f32, selective: bool) -> Result<Vec<f32>> {
        let chosen = |run: &Run, layer: usize, feature: usize| {
            !selective || self.selectivity.share(layer, feature, run.question.place) > SELECTIVE
        };
        let edits = (0..LAYERS).map(|l| {
            let set: Vec<(usize, f32)> = to.at_city[l]
                .iter()
                .filter(|&&(f, _)| chosen(to, l, f))
                .map(|&(f, value)| (f, strength * value))
                .collect();
            let cleared = from.at_city[l]
                .iter()
                .filter(|&&(f, _)| chosen(from, l, f) && set.iter().all(|&(g, _)| g != f))
                .map(|&(f, _)| (f, 0.0));
            cleared.chain(set.iter().copied()).collect()
        });
        self.edited(from, &edits.collect())
    }

    /// Over pairs of questions: how often the swap makes the answer the other city's capital.
    pub fn swaps_that_work(&self, pairs: &[(Run, Run)], strength: f32, selective: bool) -> Result<usize> {
        let mut count = 0;
        for (from, to) in pairs {
            let answer = highest(&self.swapped(from, to, strength, selective)?);
            count += usize::from(answer == self.vocabulary.id(to.question.capital)?);
        }
        Ok(count)
    }
}
