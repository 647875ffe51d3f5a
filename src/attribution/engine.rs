//! A model, its transcoder and its tokenizer, loaded once for any number of prompts.

use crate::attribution::capture::zeroed_positions;
use crate::attribution::{Capture, Limits, Plan, TraceError, TraceOptions, Tracing};
use crate::graph::{RawTrace, Token};
use crate::hub::FileSource;
use crate::job::Monitor;
use crate::model::{DeviceChoice, DeviceName, ModelError, Precision, Transformer, free_memory};
use crate::parallel;
use crate::tokens::{TokenError, Tokenizer};
use crate::transcoder::Transcoder;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// Number of tokens listed that a feature promotes or suppresses.
const LISTED: usize = 10;

/// Bytes of weights below which `auto` leaves a model to the CPU.
const WORTH_A_CARD: u64 = 64 << 20;

/// Largest error of half precision on the reference models: the sum of the absolute errors of a node's inputs, as a
/// share of the sum of their absolute values.
pub const HALF_INPUTS_OFF: f64 = 0.05;

/// Largest absolute error of an output's probability in half precision on the reference models.
pub const HALF_PROBABILITIES_OFF: f64 = 0.06;

/// A model with its transcoder and tokenizer.
#[derive(Debug)]
pub struct Engine {
    /// Language model.
    pub model: Transformer,
    /// Transcoder that replaces its MLPs.
    pub transcoder: Transcoder,
    /// Tokenizer of the model.
    pub tokenizer: Tokenizer,
    /// Memory that a trace may take.
    pub limits: Limits,
    /// Warnings that do not stop the work; sentences.
    pub warnings: Vec<String>,
    file_hashes: BTreeMap<String, String>,
    /// Ids that every prompt has to begin with, where the transcoder was trained so.
    prefix: Vec<u32>,
}

/// Prefix of every prompt of Gemma-3's instruction models; their transcoders leave these positions out.
const CHAT_PREFIX: &str = "<bos><start_of_turn>user\n";

/// Tokens that a feature promotes and suppresses most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Promoted {
    /// Text and direct effect on the logit at activation 1 (against the vocabulary's mean), strongest first.
    pub top: Vec<(String, f32)>,
    /// Text and effect of the suppressed tokens, strongest first.
    pub bottom: Vec<(String, f32)>,
}

impl Engine {
    /// Opens a Hugging Face model directory and a transcoder directory. Nothing large is read yet.
    ///
    /// # Errors
    /// Fails where either is incomplete, damaged or not understood, or where they do not fit each other.
    pub fn open(model: &FileSource, transcoder: &FileSource, device: &Device) -> Result<Self, TraceError> {
        let (tokenizer, place) = (Tokenizer::open(model)?, model);
        let model = Transformer::open(place, device)?;
        let transcoder = Transcoder::open(transcoder, &model.spec)?;
        // What is no model is told before it is read through.
        let of_model = place.hashes(&[]).map_err(ModelError::from)?;
        let named = |kind: &'static str| move |(name, hash): (String, String)| (format!("{kind}/{name}"), hash);
        let of_transcoder = transcoder.hashes()?.into_iter().map(named("transcoder"));
        let file_hashes = of_model.into_iter().map(named("model")).chain(of_transcoder).collect();
        let warnings = warnings(&model, &transcoder, &tokenizer);
        let prefix = prefix(transcoder.trained_on(), &tokenizer)?;
        Ok(Self { model, transcoder, tokenizer, limits: Limits::default(), warnings, file_hashes, prefix })
    }

    /// Sets the type in which the model's weights are multiplied, by default f32. Warns how far half precision may be
    /// off.
    #[must_use]
    pub fn in_precision(mut self, precision: Precision) -> Self {
        self.model = self.model.in_precision(precision);
        if precision == Precision::Bf16 {
            let slow = if self.model.device().is_cpu() { "; the CPU is no faster by it" } else { "" };
            self.warnings.push(format!(
                "half precision (bf16): on small reference models a node's inputs were off by up to {:.0} % of their \
                 absolute sum and an output's probability by up to {HALF_PROBABILITIES_OFF}, against f32{slow}",
                HALF_INPUTS_OFF * 100.0,
            ));
        }
        self
    }

    /// Moves the model to this machine's card, where this program was built for one, one can be used, and the model is
    /// neither done before a card is set up nor, in this precision, too large for it.
    #[must_use]
    pub fn on_best_device(mut self, precision: Precision) -> Self {
        let bytes = self.model.weight_bytes(precision);
        if bytes < WORTH_A_CARD {
            return self;
        }
        let Some(device) = DeviceChoice::CARDS.iter().find_map(|name| name.open().ok()) else { return self };
        let needed = bytes + bytes / 4;
        if let Some(free) = free_memory(&device).filter(|free| *free < needed) {
            let [needed, free] = [needed, free].map(|bytes| bytes as f64 / f64::from(1 << 30));
            self.warnings.push(format!(
                "computing on the CPU: the model wants {needed:.1} GiB of {}, and {free:.1} GiB are free there; --dtype bf16 \
                 takes half, --device takes it all the same",
                DeviceName::of(&device)
            ));
            return self;
        }
        self.model = self.model.on_device(&device);
        self
    }

    /// Tokenizes the prompt.
    ///
    /// # Errors
    /// Fails where the prompt is empty, too long, unreadable to the tokenizer, or does not begin as the transcoder
    /// requires.
    pub fn read(&self, prompt: &str) -> Result<Vec<Token>, TraceError> {
        self.prefixed(self.tokenizer.read_within(prompt, self.model.spec.max_positions)?)
    }

    /// Returns the tokens of these ids, with nothing put in front.
    ///
    /// # Errors
    /// Fails where there are none or too many, one is past the vocabulary, or they do not begin as the transcoder
    /// requires.
    pub fn tokens(&self, ids: &[u32]) -> Result<Vec<Token>, TraceError> {
        self.prefixed(self.tokenizer.tokens(ids, self.model.spec.vocab_size, self.model.spec.max_positions)?)
    }

    /// Returns the tokens, where they begin as the transcoder requires.
    fn prefixed(&self, tokens: Vec<Token>) -> Result<Vec<Token>, TraceError> {
        let begins = tokens.iter().map(|token| token.id).take(self.prefix.len()).eq(self.prefix.iter().copied());
        if begins { Ok(tokens) } else { Err(TraceError::NoChatPrefix { prefix: CHAT_PREFIX }) }
    }

    /// Traces the prompt of `options`, returning a partial trace if it is stopped; see [`Tracing`].
    ///
    /// # Errors
    /// Fails as [`Engine::begin`] does, and where the prompt cannot be read.
    pub fn trace(
        &self,
        options: &TraceOptions,
        planned: impl FnOnce(&Plan),
        monitor: &Monitor,
    ) -> Result<RawTrace, TraceError> {
        let mut tracing = self.begin(self.read(&options.settings.prompt)?, options, planned, monitor)?;
        tracing.run(|_| {}, monitor)?;
        Ok(tracing.into_trace())
    }

    /// Begins to trace the ids of `tokens`; see [`Tracing::begin`].
    ///
    /// The trace records this tokenizer's texts of the ids. It records the prompt of `options` only where that
    /// tokenizes to these ids; else it records their texts joined.
    ///
    /// # Errors
    /// Fails as [`Tracing::begin`] and [`Engine::tokens`] do.
    pub fn begin(
        &self,
        tokens: Vec<Token>,
        options: &TraceOptions,
        planned: impl FnOnce(&Plan),
        monitor: &Monitor,
    ) -> Result<Tracing<'_>, TraceError> {
        let text = |id| self.tokenizer.text(id);
        let tokens = self.tokens(&ids(&tokens))?;
        let mut options = options.clone();
        let prompt = &mut options.settings.prompt;
        if !self.read(prompt).is_ok_and(|read| read == tokens) {
            *prompt = tokens.iter().map(|token| token.text.as_str()).collect();
        }
        let mut tracing =
            Tracing::begin(&self.model, &self.transcoder, tokens, &options, &self.limits, text, planned, monitor)?;
        tracing.trace.provenance.file_hashes.clone_from(&self.file_hashes);
        tracing.trace.provenance.warnings.clone_from(&self.warnings);
        Ok(tracing)
    }

    /// Resumes a raw graph and computes rows of `max_feature_nodes` features; see [`Tracing::resume`].
    ///
    /// # Errors
    /// Fails as [`Tracing::resume`] does, and with [`TraceError::Resume`] where the graph was made from other files.
    pub fn resume(
        &self,
        from: RawTrace,
        max_feature_nodes: Option<usize>,
        planned: impl FnOnce(&Plan),
        monitor: &Monitor,
    ) -> Result<Tracing<'_>, TraceError> {
        if let Some(what) = differing_file(&self.file_hashes, &from.provenance.file_hashes) {
            return Err(TraceError::Resume(format!("it was made from other files: {what}")));
        }
        if self.tokens(&ids(&from.tokens))? != from.tokens {
            return Err(TraceError::Resume("its tokens have other texts than this tokenizer gives".to_owned()));
        }
        Tracing::resume(&self.model, &self.transcoder, from, max_feature_nodes, &self.limits, planned, monitor)
    }

    /// Runs the model on a prompt, to intervene on the run.
    ///
    /// # Errors
    /// Fails where the prompt or the weights cannot be read, or the work was stopped.
    pub fn capture(&self, prompt: &str, monitor: &Monitor) -> Result<Capture, TraceError> {
        self.capture_tokens(&self.read(prompt)?, monitor)
    }

    /// One forward pass over tokens, to intervene on and to ask, with the residual streams in front of the layers.
    ///
    /// # Errors
    /// Fails where the weights cannot be read, or the work was stopped.
    pub fn capture_tokens(&self, tokens: &[Token], monitor: &Monitor) -> Result<Capture, TraceError> {
        Capture::with_streams(&self.model, &self.transcoder, &ids(tokens), monitor)
    }

    /// Returns the SHA-256 of the model's and the transcoder's files, by `model/` or `transcoder/` and name.
    pub fn file_hashes(&self) -> &BTreeMap<String, String> {
        &self.file_hashes
    }

    /// Returns the required first ids of a prompt, and the number of leading positions whose activations count as zero.
    pub fn lead(&self) -> (Vec<u32>, usize) {
        (in_front(&self.prefix, &self.tokenizer), zeroed_positions(self.transcoder.trained_on()))
    }

    /// Returns the tokens that a feature promotes and suppresses most: its decoders, summed over the layers that it
    /// writes into, through the final norm's weight and the unembedding. Attention and later MLPs are left out.
    ///
    /// # Errors
    /// Fails where there is no such feature, weights cannot be read, or the work was stopped.
    pub fn promoted(&self, layer: usize, feature: usize, monitor: &Monitor) -> Result<Promoted, TraceError> {
        monitor.report("promoted tokens", 0, 1)?;
        Ok(self.promoted_all(layer, &[feature], monitor)?.swap_remove(0))
    }

    /// Does the same for several features of a layer, in one product with the unembedding.
    ///
    /// # Errors
    /// Fails as [`Engine::promoted`] does.
    pub fn promoted_all(
        &self,
        layer: usize,
        features: &[usize],
        monitor: &Monitor,
    ) -> Result<Vec<Promoted>, TraceError> {
        let sums = self.written(layer, features)?;
        let d = self.model.spec.d_model;
        let norm = self.model.final_norm()?;
        let written = norm.scale(&Tensor::from_vec(sums, (features.len(), d), self.model.device())?)?;
        let effects = self.model.unembed(&written, monitor.cancel())?;
        parallel::map(effects.len(), |nth| Ok(self.listed(&effects[nth])))
    }

    /// Returns the vectors that features of a layer write at activation 1, summed over the layers that they write into:
    /// `[n, d]`, row after row.
    ///
    /// # Errors
    /// Fails where there is no such feature, or the decoders cannot be read.
    pub fn written(&self, layer: usize, features: &[usize]) -> Result<Vec<f32>, TraceError> {
        let here = |feature: usize| layer < self.transcoder.n_layers() && feature < self.transcoder.n_features(layer);
        if let Some(feature) = features.iter().find(|feature| !here(**feature)) {
            let what = "the transcoder has no such feature; the graph was made with another one".to_owned();
            return Err(TraceError::Target { name: format!("feature {feature} of layer {layer}"), what });
        }
        Ok(self.transcoder.written(layer, features)?)
    }

    /// Returns the tokens of the largest and of the smallest of a feature's effects `[V]`, minus their mean.
    fn listed(&self, effects: &[f32]) -> Promoted {
        let mean = (effects.iter().map(|x| f64::from(*x)).sum::<f64>() / effects.len() as f64) as f32;
        let listed = |sign: f32| -> Vec<(String, f32)> {
            let mut order: Vec<u32> = (0..effects.len() as u32).collect();
            let key = |id: &u32| sign * (effects[*id as usize] - mean);
            let n = LISTED.min(order.len());
            if n < order.len() {
                order.select_nth_unstable_by(n, |a, b| key(b).total_cmp(&key(a)).then(a.cmp(b)));
                order.truncate(n);
            }
            order.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.cmp(b)));
            order.iter().map(|id| (self.tokenizer.text(*id), effects[*id as usize] - mean)).collect()
        };
        Promoted { top: listed(1.0), bottom: listed(-1.0) }
    }
}

/// Returns the ids that every prompt has to begin with for transcoders of a model of this name; none of most.
fn prefix(model: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>, TokenError> {
    Ok(match zeroed_positions(model) {
        1 => Vec::new(),
        // A tokenizer that reads the prefix otherwise is not Gemma's, and there is nothing to compare with.
        zeroed => Some(tokenizer.encode(CHAT_PREFIX)?).filter(|ids| ids.len() == zeroed).unwrap_or_default(),
    })
}

fn in_front(prefix: &[u32], tokenizer: &Tokenizer) -> Vec<u32> {
    if prefix.is_empty() { tokenizer.lead().into_iter().collect() } else { prefix.to_vec() }
}

/// Returns what [`Engine::lead`] does for transcoders that are yet to be trained on a model of this name.
///
/// # Errors
/// Fails where the tokenizer cannot read the required beginning.
pub(crate) fn lead(model: &str, tokenizer: &Tokenizer) -> Result<(Vec<u32>, usize), TokenError> {
    Ok((in_front(&prefix(model, tokenizer)?, tokenizer), zeroed_positions(model)))
}

fn ids(tokens: &[Token]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

/// Returns warnings about a model and its tokenizer.
pub fn model_warnings(model: &Transformer, tokenizer: &Tokenizer) -> Vec<String> {
    let mut warnings: Vec<String> = model.spec.doubt().into_iter().collect();
    if let Some(types) = model.quantised() {
        warnings.push(format!(
            "the model's weights are quantised ({types}): every number is the quantised model's, exact in f32, and not that \
             of the model it was made from"
        ));
    }
    if !tokenizer.has_lead() {
        warnings.push("the tokenizer has no special token: nothing is put in front of a prompt".to_owned());
    }
    warnings
}

/// Returns warnings about a model and a transcoder that fit each other in size.
fn warnings(model: &Transformer, transcoder: &Transcoder, tokenizer: &Tokenizer) -> Vec<String> {
    let mut warnings = model_warnings(model, tokenizer);
    let trained_on = transcoder.trained_on();
    if transcoder.config.model_name.is_none() {
        warnings.push(format!(
            "the transcoder does not say for which model it was trained: {trained_on:?} is taken for that one, by whose name \
             the first positions are counted"
        ));
    }
    if !model.spec.may_be(trained_on) {
        let name = &model.spec.name;
        warnings.push(format!(
            "the transcoder was trained on {trained_on:?} and the model calls itself {name:?}: the sizes fit, the graph \
             means nothing if they are not the same model"
        ));
    }
    warnings
}

/// Returns the first file that differs from the one of the same name, and how.
fn differing_file(mine: &BTreeMap<String, String>, its: &BTreeMap<String, String>) -> Option<String> {
    let other = its.iter().find_map(|(name, hash)| match mine.get(name) {
        Some(mine) if mine == hash => None,
        Some(_) => Some(format!("{name} is another one here")),
        None => Some(format!("there is no {name} here")),
    });
    other.or_else(|| mine.keys().find(|name| !its.contains_key(*name)).map(|name| format!("it had no {name}")))
}
