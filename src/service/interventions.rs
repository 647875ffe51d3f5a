//! Interventions on a prompt's run: requests and replies.

use crate::attribution::{Capture, Engine, FrozenRun, Probe};
use crate::graph::{AttributionGraph, FeatureAt, Intervention, Interventions, Token};
use crate::ids::Position;
use crate::intervention::{Baseline, Effects, Generation, Next, Sampling, Sweep, generate};
use crate::job::Monitor;
use crate::service::swap::Swap;
use crate::tokens::Tokenizer;
use crate::verify::{self, Answer, Question};
use anyhow::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Number of listed tokens that rise and that fall.
pub const LISTED: usize = 8;

/// Run of the model with interventions.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Tokens of the graph's prompt.
    pub tokens: Vec<Token>,
    /// Interventions to make.
    pub interventions: Interventions,
    /// Outputs to measure.
    pub targets: Vec<u32>,
    /// Features to measure.
    pub features: Vec<FeatureAt>,
}

/// Texts of tokens, by vocabulary index.
pub type Texts = HashMap<u32, String>;

/// Results of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Effects.
    pub effects: Effects,
    /// Texts of the tokens in them.
    pub texts: Texts,
}

/// Request to the model besides an [`Experiment`].
#[derive(Clone, Debug, PartialEq)]
pub enum ModelRequest {
    /// Probabilities of tokens against the dose of one intervention.
    Sweep {
        /// Interventions to make.
        interventions: Interventions,
        /// Index of the one whose dose is varied.
        which: usize,
        /// Doses.
        doses: Vec<f32>,
        /// Vocabulary indices of the tokens.
        tokens: Vec<u32>,
    },
    /// Intervention that swaps the features at a position for another prompt's.
    Swap {
        /// Position.
        position: Position,
        /// Other prompt, and behind an `@` its position where that is another.
        prompt: String,
    },
    /// Continuations without and with interventions.
    Continue {
        /// Interventions to make.
        interventions: Interventions,
        /// Settings of the draws.
        drawing: Drawing,
    },
}

/// Settings of continuations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawing {
    /// Sampling of each token.
    pub sampling: Sampling,
    /// Most tokens.
    pub max_tokens: usize,
}

impl Default for Drawing {
    fn default() -> Self {
        Self { sampling: Sampling::default(), max_tokens: 16 }
    }
}

impl Drawing {
    /// Reads a temperature, optionally followed by a seed and a number of tokens.
    ///
    /// # Errors
    /// Says what is expected, in a sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        /// Most tokens that a user would wait for.
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

    /// Formats the settings as [`Drawing::read`] reads them.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.sampling.temperature, self.sampling.seed, self.max_tokens)
    }

    /// Describes the settings in words.
    pub fn described(&self) -> String {
        let Sampling { temperature, seed, .. } = self.sampling;
        if temperature == 0.0 {
            "the likeliest token each time".to_owned()
        } else {
            format!("drawn at temperature {temperature} with seed {seed}")
        }
    }
}

/// Reply to a [`ModelRequest`].
#[derive(Clone, Debug, PartialEq)]
pub enum ModelReply {
    /// Probabilities of a sweep.
    Sweep(Sweep, Texts),
    /// Intervention of a swap.
    Swap(Box<Intervention>),
    /// Continuations so far: without and with interventions.
    Continued([String; 2]),
}

impl Measured {
    /// Returns a token's text.
    pub fn text(&self, id: u32) -> &str {
        self.texts.get(&id).map_or("", String::as_str)
    }

    /// Returns the tokens that are listed.
    pub fn tokens(effects: &Effects) -> impl Iterator<Item = u32> {
        let lists = [&effects.targets, &effects.before, &effects.after, &effects.rising, &effects.falling];
        lists.into_iter().flatten().map(|token| token.id)
    }
}

/// Runs of the last prompt, which every experiment on it needs.
#[derive(Debug, Default)]
pub struct CachedBaseline {
    base: Kept<Baseline>,
    frozen: Kept<FrozenRun>,
}

/// Value that is kept until another takes its place.
#[derive(Debug)]
struct Kept<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Kept<T> {
    /// Returns the value, where it is one that is wanted.
    fn get(&self, is_wanted: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.filter(|kept| is_wanted(kept))
    }

    /// Keeps another value, or none.
    fn set(&self, value: Option<Arc<T>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// Returns true for a run of these tokens.
fn is_run_of(capture: &Capture, tokens: &[Token]) -> bool {
    capture.ids.iter().eq(tokens.iter().map(|token| &token.id))
}

impl CachedBaseline {
    /// Returns the run of `tokens`, running the model where the last one was of another prompt.
    ///
    /// # Errors
    /// Fails where the model cannot be run, or the work was stopped.
    pub fn baseline(&self, engine: &Engine, tokens: &[Token], monitor: &Monitor) -> Result<Arc<Baseline>> {
        if let Some(base) = self.base.get(|base| is_run_of(&base.capture, tokens)) {
            return Ok(base);
        }
        let base = match self.frozen.get(|run| is_run_of(run.capture(), tokens)) {
            Some(run) => Baseline::of(engine, run.capture().clone(), monitor)?,
            None => Baseline::run(engine, tokens, monitor)?,
        };
        let base = Arc::new(base);
        self.base.set(Some(Arc::clone(&base)));
        Ok(base)
    }

    /// Returns the model frozen at its run of `tokens`, freezing it where the last one was of another prompt. It is kept
    /// where as much memory again may be taken.
    ///
    /// # Errors
    /// Fails where the model cannot be run, or the work was stopped.
    pub(super) fn probe<'a>(&self, engine: &'a Engine, tokens: &[Token], monitor: &Monitor) -> Result<Probe<'a>> {
        let run = match self.frozen.get(|run| is_run_of(run.capture(), tokens)) {
            Some(run) => run,
            None => {
                self.let_go();
                let capture = match self.base.get(|base| is_run_of(&base.capture, tokens)) {
                    Some(base) => base.capture.clone(),
                    None => engine.capture_tokens(tokens, monitor)?,
                };
                Arc::new(FrozenRun::new(engine, capture, monitor)?)
            }
        };
        let has_room = run.bytes() <= engine.limits.room();
        self.frozen.set(has_room.then(|| Arc::clone(&run)));
        Ok(Probe::frozen(engine, run))
    }

    /// Lets go of the frozen model, so that other work has its memory.
    pub fn let_go(&self) {
        self.frozen.set(None);
    }

    /// Measures the effects of interventions.
    ///
    /// # Errors
    /// Fails where the interventions cannot be made on this model, or the work was stopped.
    pub fn measure(&self, engine: &Engine, asked: &Experiment, monitor: &Monitor) -> Result<Measured> {
        let base = self.baseline(engine, &asked.tokens, monitor)?;
        let altered = base.altered(engine, &asked.interventions, monitor)?;
        let effects = Effects::of(&base, &altered, &asked.targets, &asked.features, LISTED);
        let texts = texts(engine, Measured::tokens(&effects));
        Ok(Measured { effects, texts })
    }

    /// Checks a graph, or a part of it, against the model; `told` is given partial answers.
    ///
    /// # Errors
    /// Fails where the model cannot be run, or as [`verify::answer`] does.
    pub fn check(
        &self,
        engine: &Engine,
        graph: &AttributionGraph,
        question: &Question,
        told: &mut dyn FnMut(Answer),
        monitor: &Monitor,
    ) -> Result<Answer> {
        monitor.report("running the model", 0, 0)?;
        if let Question::Heads { source, target } = question {
            let probe = self.probe_of(engine, graph, monitor)?;
            return Ok(Answer::Heads(verify::heads(&probe, graph, (*source, *target), monitor)?));
        }
        let ids: Vec<u32> = graph.tokens().iter().map(|token| token.id).collect();
        let base = self.baseline(engine, &engine.tokens(&ids)?, monitor)?;
        Ok(verify::answer(engine, graph, &base.capture, question, told, monitor)?)
    }

    /// Answers a request on a prompt; `told` is given partial replies.
    ///
    /// # Errors
    /// Fails where the request does not fit this model, or the work was stopped.
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

/// Returns the text that `ids` add to a prompt's.
pub fn continued(tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32]) -> String {
    let before = tokenizer.joined(prompt).len();
    let whole = tokenizer.joined(&[prompt, ids].concat());
    whole.get(before..).map_or_else(|| tokenizer.joined(ids), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;
    use crate::model::DeviceName;

    #[test]
    fn a_prompt_is_frozen_once_where_there_is_room() {
        let (model, transcoder) = demo::sources();
        let mut engine = Engine::open(&model, &transcoder, &DeviceName::Cpu.open().unwrap()).unwrap();
        let (cache, monitor) = (CachedBaseline::default(), Monitor::default());
        let [first, second] = [demo::PROMPT, demo::OTHER_PROMPT].map(|prompt| engine.read(prompt).unwrap());
        let run = |engine: &Engine, tokens: &[Token]| {
            cache.probe(engine, tokens, &monitor).unwrap();
            cache.frozen.get(|_| true)
        };
        let frozen = run(&engine, &first).unwrap();
        assert!(frozen.bytes() > frozen.capture().bytes() && Arc::ptr_eq(&frozen, &run(&engine, &first).unwrap()));
        // The run that interventions start from is the same one.
        let base = cache.baseline(&engine, &first, &monitor).unwrap();
        assert_eq!(base.logits, Baseline::run(&engine, &first, &monitor).unwrap().logits);
        let other = run(&engine, &second).unwrap();
        assert!(is_run_of(other.capture(), &second));
        engine.limits.memory = Some(1);
        assert!(run(&engine, &second).is_none() && run(&engine, &first).is_none());
    }
}
