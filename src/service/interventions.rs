//! Interventions on a prompt's run: what is asked of the model, and its answers.

use crate::attribution::Engine;
use crate::graph::{FeatureAt, Intervention, Interventions, Token};
use crate::ids::Position;
use crate::intervention::{Baseline, Effects, Generation, Next, Sampling, Sweep, generate};
use crate::job::Monitor;
use crate::service::swap::Swap;
use crate::tokens::Tokenizer;
use anyhow::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Tokens listed of those that rise and fall.
pub const LISTED: usize = 8;

/// A run of the model with interventions made.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// The graph's prompt.
    pub tokens: Vec<Token>,
    /// What is done.
    pub interventions: Interventions,
    /// The outputs that are looked at.
    pub targets: Vec<u32>,
    /// The features that are looked at.
    pub features: Vec<FeatureAt>,
}

/// The texts of tokens, by vocabulary index.
pub type Texts = HashMap<u32, String>;

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The effects.
    pub effects: Effects,
    /// The texts of the tokens in them.
    pub texts: Texts,
}

/// Something else that is asked of the model.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelRequest {
    /// Probabilities of tokens against the dose of one intervention.
    Sweep {
        /// What is done.
        interventions: Interventions,
        /// The one whose dose is varied.
        which: usize,
        /// The doses.
        doses: Vec<f32>,
        /// The tokens, by vocabulary index.
        tokens: Vec<u32>,
    },
    /// An intervention that swaps the features at a position for another prompt's.
    Swap {
        /// Where.
        position: Position,
        /// The other prompt, and behind an `@` its position where that is another.
        prompt: String,
    },
    /// Continuations without and with interventions.
    Continue {
        /// What is done.
        interventions: Interventions,
        /// How they are drawn.
        drawing: Drawing,
    },
}

/// How continuations are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawing {
    /// Token by token.
    pub sampling: Sampling,
    /// At most this many tokens.
    pub max_tokens: usize,
}

impl Default for Drawing {
    fn default() -> Self {
        Self { sampling: Sampling::default(), max_tokens: 16 }
    }
}

impl Drawing {
    /// Reads a temperature, and behind it a seed and a number of tokens where those are to change too.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn read(text: &str) -> Result<Self, String> {
        /// More would be waited for in vain.
        const MOST: usize = 1000;
        let wrong = || format!("Write a temperature, then a seed and up to {MOST} tokens where wanted: 0.8 1 40");
        let mut words = text.split_whitespace();
        let mut read = Self::default();
        let temperature = words.next().and_then(|word| word.parse::<f64>().ok());
        let positive = temperature.filter(|temperature| temperature.is_finite() && *temperature >= 0.0);
        read.sampling.temperature = positive.ok_or_else(wrong)?;
        if let Some(seed) = words.next() {
            read.sampling.seed = seed.parse().map_err(|_| wrong())?;
        }
        if let Some(tokens) = words.next() {
            let count = tokens.parse().ok().filter(|count| (1..=MOST).contains(count));
            read.max_tokens = count.ok_or_else(wrong)?;
        }
        if words.next().is_some() { Err(wrong()) } else { Ok(read) }
    }

    /// What [`Drawing::read`] reads.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.sampling.temperature, self.sampling.seed, self.max_tokens)
    }

    /// In words.
    pub fn described(&self) -> String {
        let Sampling { temperature, seed, .. } = self.sampling;
        if temperature == 0.0 {
            "the likeliest token each time".to_owned()
        } else {
            format!("drawn at temperature {temperature} with seed {seed}")
        }
    }
}

/// The reply to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelReply {
    /// Of a sweep.
    Sweep(Sweep, Texts),
    /// Of a swap.
    Swap(Box<Intervention>),
    /// Of continuations, as far as they are: without, and with.
    Continued([String; 2]),
}

impl Measured {
    /// A token's text.
    pub fn text(&self, id: u32) -> &str {
        self.texts.get(&id).map_or("", String::as_str)
    }

    /// The tokens that are listed.
    pub fn tokens(effects: &Effects) -> impl Iterator<Item = u32> {
        let lists = [&effects.targets, &effects.before, &effects.after, &effects.rising, &effects.falling];
        lists.into_iter().flatten().map(|token| token.id)
    }
}

/// The last prompt's own run, which every experiment on it needs.
#[derive(Debug, Default)]
pub struct CachedBaseline(Mutex<Option<Arc<Baseline>>>);

impl CachedBaseline {
    /// The run of `tokens`, which is made where the last one was of another prompt.
    ///
    /// # Errors
    /// It cannot be made, or the work was stopped.
    pub fn baseline(&self, engine: &Engine, tokens: &[Token], monitor: &Monitor) -> Result<Arc<Baseline>> {
        let is_of = |base: &Baseline| base.capture.ids.iter().eq(tokens.iter().map(|token| &token.id));
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(base) = kept.filter(|base| is_of(base)) {
            return Ok(base);
        }
        let base = Arc::new(Baseline::run(engine, tokens, monitor)?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&base));
        Ok(base)
    }

    /// Measures what interventions change.
    ///
    /// # Errors
    /// They cannot be made on this model, or the work was stopped.
    pub fn measure(&self, engine: &Engine, asked: &Experiment, monitor: &Monitor) -> Result<Measured> {
        let base = self.baseline(engine, &asked.tokens, monitor)?;
        let altered = base.altered(engine, &asked.interventions, monitor)?;
        let effects = Effects::of(&base, &altered, &asked.targets, &asked.features, LISTED);
        let texts = texts(engine, Measured::tokens(&effects));
        Ok(Measured { effects, texts })
    }

    /// Answers a request on a prompt; `told` is given what there is of the answer on the way.
    ///
    /// # Errors
    /// What is asked for cannot be done on this model, or the work was stopped.
    pub fn attempt(
        &self,
        engine: &Engine,
        tokens: &[Token],
        request: &ModelRequest,
        told: &mut dyn FnMut(ModelReply),
        monitor: &Monitor,
    ) -> Result<ModelReply> {
        let base = self.baseline(engine, tokens, monitor)?;
        Ok(match request {
            ModelRequest::Sweep { interventions, which, doses, tokens } => {
                let sweep = base.sweep(engine, interventions, Some(*which), doses, tokens, monitor)?;
                ModelReply::Sweep(sweep, texts(engine, tokens.iter().copied()))
            }
            ModelRequest::Swap { position, prompt } => {
                let swap: Swap = format!("{position}={prompt}").parse().map_err(Error::msg)?;
                ModelReply::Swap(Box::new(swap.on(engine, &base, monitor)?))
            }
            ModelRequest::Continue { interventions, drawing } => {
                let Drawing { sampling, max_tokens } = *drawing;
                let generation = Generation { max_tokens, sampling, cached: true };
                let mut sides = [String::new(), String::new()];
                let none = Interventions::default();
                for (side, set) in [&none, interventions].into_iter().enumerate() {
                    let mut ids = Vec::new();
                    let mut each = |next: Next, _: &[f32]| {
                        ids.push(next.id);
                        sides[side] = continued(&engine.tokenizer, &base.capture.ids, &ids);
                        told(ModelReply::Continued(sides.clone()));
                    };
                    generate(engine, &base.capture, set, &generation, &mut each, monitor)?;
                }
                ModelReply::Continued(sides)
            }
        })
    }
}

fn texts(engine: &Engine, ids: impl Iterator<Item = u32>) -> Texts {
    ids.map(|id| (id, engine.tokenizer.text(id))).collect()
}

/// The text that `ids` add to a prompt's.
pub fn continued(tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32]) -> String {
    let before = tokenizer.joined(prompt).len();
    let whole = tokenizer.joined(&[prompt, ids].concat());
    whole.get(before..).map_or_else(|| tokenizer.joined(ids), str::to_owned)
}
