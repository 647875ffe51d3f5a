//! Continuations of a prompt, with and without interventions.

use crate::attribution::{Capture, Engine, Limits, softmax};
use crate::graph::{Freeze, Interventions};
use crate::intervention::deltas::Deltas;
use crate::intervention::run::{base_activation, check_change, in_hand};
use crate::intervention::{Change, InterventionError, resolve};
use crate::job::Monitor;
use crate::model::{Cache, Hooks, MlpInput, MlpOutput, Transformer};
use crate::tokens::Tokenizer;
use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling as Draw};
use std::ops::Range;

/// Settings of a continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Most tokens.
    pub max_tokens: usize,
    /// Sampling of the tokens.
    pub sampling: Sampling,
    /// True to cache keys and values; otherwise everything is computed again for each token, to the same result.
    pub cached: bool,
}

/// Sampling of the next token.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Divisor of the logits; with 0 the likeliest token is taken.
    pub temperature: f64,
    /// Number of likeliest tokens to draw among.
    pub top_k: Option<usize>,
    /// Cumulative probability of the likeliest tokens to draw among.
    pub top_p: Option<f64>,
    /// Seed of the draws.
    pub seed: u64,
}

/// A generated token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Next {
    /// Vocabulary index.
    pub id: u32,
    /// Softmax probability, at temperature 1.
    pub probability: f64,
}

/// Reason that a continuation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Requested length reached.
    Long,
    /// Context of the model full.
    Full,
    /// Last token special, such as that of the text's end.
    Special,
    /// Stopped on request.
    Stopped,
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Generated tokens.
    pub tokens: Vec<Next>,
    /// Reason that it ends.
    pub ended: Ended,
}

impl Sampling {
    fn processor(&self) -> Result<LogitsProcessor, InterventionError> {
        let wrong = |what, value, wanted| Err(InterventionError::Sampling { what, value, wanted });
        let temperature = self.temperature;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return wrong("the temperature", temperature, "0 or a positive number");
        }
        if self.top_k == Some(0) {
            return wrong("top-k", 0.0, "at least 1");
        }
        if let Some(p) = self.top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return wrong("top-p", p, "above 0 and at most 1");
        }
        let draw = match (self.top_k, self.top_p) {
            _ if temperature == 0.0 => Draw::ArgMax,
            (None, None) => Draw::All { temperature },
            (Some(k), None) => Draw::TopK { k, temperature },
            (None, Some(p)) => Draw::TopP { p, temperature },
            (Some(k), Some(p)) => Draw::TopKThenTopP { k, p, temperature },
        };
        Ok(LogitsProcessor::from_sampling(self.seed, draw))
    }
}

/// Continues the prompt of `base` with interventions, and hands each token to `each` with the logits `[V]` that it was
/// drawn from. A request to stop ends it with the tokens so far.
///
/// Weights stay in memory from token to token, as far as the engine's limits allow.
///
/// Interventions from a position on, or on all, apply to generated tokens too. There is no base run of those: scaling
/// and adding are relative to the altered run's own activation there. Frozen attention is the prompt's.
///
/// # Errors
/// Fails where the interventions cannot be made or are direct ones, a sampling setting is out of range, or weights
/// cannot be read.
///
/// # Examples
/// ```
/// use candle_core::Device;
/// use circuitscope::attribution::Engine;
/// use circuitscope::intervention::{Generation, Interventions, Sampling, generate};
/// use circuitscope::{demo, job::Monitor};
///
/// let (model, transcoder) = demo::sources();
/// let engine = Engine::open(&model, &transcoder, &Device::Cpu)?;
/// let tokens = engine.read(demo::PROMPT)?;
/// let base = engine.capture_tokens(&tokens, &Monitor::default())?;
/// let greedy = Generation { max_tokens: 1, sampling: Sampling::default(), cached: true };
/// let idle = Interventions::default();
/// let continuation = generate(&engine, &base, &idle, &greedy, &mut |_, _| {}, &Monitor::default())?;
/// assert_eq!(engine.tokenizer.text(continuation.tokens[0].id), "Austin");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generate(
    engine: &Engine,
    base: &Capture,
    interventions: &Interventions,
    generation: &Generation,
    each: &mut dyn FnMut(Next, &[f32]),
    monitor: &Monitor,
) -> Result<Continuation, InterventionError> {
    if interventions.freeze == Freeze::Direct && !interventions.is_idle() {
        return Err(InterventionError::DirectGeneration);
    }
    let _kept = engine.model.keep_weights(engine.limits.room());
    let reader = Reader { engine, base, interventions };
    let read = &mut |cache: &mut Cache, ids: &[u32], unread| reader.read(cache, ids, unread, monitor);
    continued(&engine.model, &engine.tokenizer, &base.ids, generation, read, each, monitor)
}

/// Continues the prompt `ids` with a model alone, as [`generate`] does without interventions.
///
/// # Errors
/// Fails where a sampling setting is out of range, or weights cannot be read.
pub fn generate_alone(
    model: &Transformer,
    tokenizer: &Tokenizer,
    ids: &[u32],
    generation: &Generation,
    limits: &Limits,
    each: &mut dyn FnMut(Next, &[f32]),
    monitor: &Monitor,
) -> Result<Continuation, InterventionError> {
    let _kept = model.keep_weights(limits.room());
    let read = &mut |cache: &mut Cache, ids: &[u32], unread: Range<usize>| {
        let resid = model.forward(model.unread(ids, unread, cache)?, &mut (), monitor.cancel())?;
        last_logits(model, &resid, monitor)
    };
    continued(model, tokenizer, ids, generation, read, each, monitor)
}

/// Function that reads positions of ids, behind those in the cache, and returns the logits `[V]` of the last.
type Read<'a> = &'a mut dyn FnMut(&mut Cache, &[u32], Range<usize>) -> Result<Vec<f32>, InterventionError>;

/// Draws token after token from the logits of `read`.
fn continued(
    model: &Transformer,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    generation: &Generation,
    read: Read<'_>,
    each: &mut dyn FnMut(Next, &[f32]),
    monitor: &Monitor,
) -> Result<Continuation, InterventionError> {
    let mut draw = generation.sampling.processor()?;
    let mut cache = Cache::new(model.spec.n_layers);
    let mut ids = prompt.to_vec();
    let mut tokens = Vec::new();
    let mut unread = 0..ids.len();
    while tokens.len() < generation.max_tokens {
        if ids.len() >= model.spec.max_positions {
            return Ok(Continuation { tokens, ended: Ended::Full });
        }
        // Where positions are encoded by the length, keys of shorter texts are others.
        let is_crossed = |short: usize| (1..=short).contains(&unread.start) && ids.len() > short;
        if model.spec.short_positions().is_some_and(is_crossed) {
            cache = Cache::new(model.spec.n_layers);
            unread.start = 0;
        }
        let logits = match read(&mut cache, &ids, unread.clone()) {
            Err(_) if monitor.cancel().is_cancelled() => {
                return Ok(Continuation { tokens, ended: Ended::Stopped });
            }
            logits => logits?,
        };
        let id = draw.sample(&Tensor::from_slice(&logits, logits.len(), &Device::Cpu)?)?;
        let next = Next { id, probability: softmax(&logits)[id as usize] };
        tokens.push(next);
        each(next, &logits);
        if tokenizer.is_special(id) {
            return Ok(Continuation { tokens, ended: Ended::Special });
        }
        unread = ids.len()..ids.len() + 1;
        if !generation.cached {
            cache = Cache::new(model.spec.n_layers);
            unread.start = 0;
        }
        ids.push(id);
    }
    Ok(Continuation { tokens, ended: Ended::Long })
}

/// Returns the logits `[V]` of the last position of the residual stream `[n, d]` behind all layers.
fn last_logits(model: &Transformer, resid: &Tensor, monitor: &Monitor) -> Result<Vec<f32>, InterventionError> {
    let last = resid.narrow(0, resid.dim(0)? - 1, 1)?;
    let (last, divisor) = model.last_normed(&last, None)?;
    in_hand(&divisor)?;
    let logits = model.logits(&last, monitor.cancel())?.swap_remove(0);
    if logits.iter().all(|logit| logit.is_finite()) { Ok(logits) } else { Err(InterventionError::NonFinite) }
}

/// Reader of tokens with the altered model.
struct Reader<'a> {
    engine: &'a Engine,
    base: &'a Capture,
    interventions: &'a Interventions,
}

impl Reader<'_> {
    /// Reads the positions `unread` of `ids`, and returns the logits `[V]` of the last.
    fn read(
        &self,
        cache: &mut Cache,
        ids: &[u32],
        unread: Range<usize>,
        monitor: &Monitor,
    ) -> Result<Vec<f32>, InterventionError> {
        let (model, transcoder) = (&self.engine.model, &self.engine.transcoder);
        let changes = resolve(&self.interventions.list, self.base.n_positions(), unread.clone())?;
        changes.iter().try_for_each(|change| check_change(transcoder, change, unread.end))?;
        let mut altered = Altered {
            engine: self.engine,
            base: self.base,
            changes,
            freezes: self.interventions.freeze != Freeze::Free && unread.start == 0 && !self.interventions.is_idle(),
            first: unread.start,
            deltas: Deltas::new(model, transcoder, None, unread.len()),
            monitor,
        };
        let resid = model.forward(model.unread(ids, unread, cache)?, &mut altered, monitor.cancel())?;
        last_logits(model, &resid, monitor)
    }
}

/// Altered pass over unread positions.
struct Altered<'a> {
    engine: &'a Engine,
    base: &'a Capture,
    changes: Vec<Change>,
    /// True where the prompt's attention is frozen.
    freezes: bool,
    /// First position of the pass.
    first: usize,
    deltas: Deltas<'a>,
    monitor: &'a Monitor,
}

impl Hooks for Altered<'_> {
    type Error = InterventionError;

    fn pattern(&mut self, layer: usize, _: usize, pattern: &mut Tensor) -> Result<(), InterventionError> {
        if self.freezes {
            *pattern = begun_with(&self.base.layers[layer].pattern, pattern)?;
        }
        Ok(())
    }

    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), InterventionError> {
        in_hand(&input.divisor)?;
        let changes: Vec<_> = self.changes.iter().filter(|change| change.feature.layer().index() == layer).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let transcoder = &self.engine.transcoder;
        let encoded = transcoder.encode(layer, transcoder.input().of(input), self.monitor.cancel())?;
        let activations = transcoder.activations(layer, &encoded, self.base.zeroed.saturating_sub(self.first));
        for change in changes {
            let at = change.feature;
            let position = at.position.index() - self.first;
            let own = activations[position * encoded.n_features + at.feature.index()];
            let is_generated = at.position.index() >= self.base.n_positions();
            let before = if is_generated { own } else { base_activation(self.base, at) };
            self.deltas.add(layer, position, at.feature.index(), change.value.on(before) - own)?;
        }
        Ok(())
    }

    fn mlp_out(&mut self, layer: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), InterventionError> {
        if at == self.engine.transcoder.output().of_mlp() {
            self.deltas.onto(layer, output)?;
        }
        Ok(())
    }
}

/// Returns the pattern `own` `[heads, P, P]` with its first `F` rows replaced by those of `frozen` `[heads, F, F]`.
fn begun_with(frozen: &Tensor, own: &Tensor) -> candle_core::Result<Tensor> {
    let (heads, n, _) = frozen.dims3()?;
    let behind = own.dim(1)? - n;
    if behind == 0 {
        return Ok(frozen.clone());
    }
    let unread = Tensor::zeros((heads, n, behind), frozen.dtype(), frozen.device())?;
    let first = Tensor::cat(&[frozen, &unread], 2)?;
    Tensor::cat(&[&first, &own.narrow(1, n, behind)?], 1)
}
