//! Reader of `config.json` that takes options one by one, so that those left over can be named.

use crate::hub::{CONFIG_BYTES, FileSource};
use crate::model::ModelError;
use crate::model::spec::{RopeScaling, RopeSpec};
use crate::untrusted::{excerpt, json_fault};
use serde_json::{Map, Value};

const FILE: &str = "config.json";

/// Largest size of an intact file; products of larger ones would overflow.
const MOST: u64 = 1 << 24;

/// Most layers of a model; each of them takes memory before a weight of it is looked for.
const MOST_LAYERS: u64 = 1 << 12;

/// Options that do not change the numbers of a forward pass over one prompt: for training, generation, other tasks'
/// heads and other modalities. So do all that begin with an underscore: libraries' own notes.
const HARMLESS: &[&str] = &[
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_pdrop",
    "auto_map",
    "begin_suppress_tokens",
    "boi_token_id",
    "boi_token_index",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "embd_pdrop",
    "encoder_no_repeat_ngram_size",
    "eoi_token_id",
    "eoi_token_index",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "hidden_dropout",
    "hidden_dropout_prob",
    "id2label",
    "image_seq_length",
    "image_token_id",
    "image_token_index",
    "initializer_range",
    "is_llama_config",
    "label2id",
    "language",
    "length_penalty",
    "license",
    "max_length",
    "max_sequence_length",
    "max_window_layers",
    "min_length",
    "mm_tokens_per_image",
    "model_max_length",
    "model_type",
    "n_ctx",
    "n_special",
    "neftune_noise_alpha",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_past",
    "pad_token_id",
    "predict_special_tokens",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "reorder_and_upcast_attn",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tokenizer_class",
    "tokenizer_model_max_length",
    "tokenizer_padding_side",
    "top_k",
    "top_p",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
    "use_fused_rms_norm",
    "video_token_id",
    "vision_config",
    "vision_feature_layer",
];

/// Options that change the numbers in a way that is not supported, unless they are off or have the value at which they
/// change nothing (NaN where there is none).
const UNSUPPORTED: &[(&str, f64)] = &[
    ("add_cross_attention", f64::NAN),
    ("alibi", f64::NAN),
    ("attention_chunk_size", f64::NAN),
    ("attention_multiplier", f64::NAN),
    ("attn_output_gate", f64::NAN),
    ("clip_qkv", f64::NAN),
    ("dim_model_base", f64::NAN),
    ("embedding_multiplier", 1.0),
    ("logit_scale", 1.0),
    ("logits_scaling", 1.0),
    ("moe_intermediate_size", f64::NAN),
    ("n_routed_experts", 0.0),
    ("no_rope_layer_interval", 0.0),
    ("no_rope_layers", f64::NAN),
    ("num_experts", 0.0),
    ("num_experts_per_tok", 0.0),
    ("num_local_experts", 0.0),
    ("parallel_attn", f64::NAN),
    ("partial_rotary_factor", 1.0),
    ("position_embedding_type", f64::NAN),
    ("pruned_heads", f64::NAN),
    ("qk_layernorm", f64::NAN),
    ("qkv_bias", f64::NAN),
    ("residual_multiplier", 1.0),
    ("rope_interleaved", f64::NAN),
    ("rope_parameters", f64::NAN),
    ("rope_scaling", f64::NAN),
    ("rotary_dim", f64::NAN),
    ("rotary_pct", 1.0),
    ("scale_depth", f64::NAN),
    ("scale_emb", 1.0),
    ("use_bidirectional_attention", f64::NAN),
    ("use_mrope", f64::NAN),
    ("use_parallel_residual", f64::NAN),
    ("use_qk_norm", f64::NAN),
];

/// Options of a model that have not been taken yet.
#[derive(Debug)]
pub(super) struct Config {
    path: String,
    options: Map<String, Value>,
    /// Options that are not known, as `name = value`.
    unknown: Vec<String>,
}

impl Config {
    /// Reads `config.json`.
    pub fn read(source: &FileSource) -> Result<Self, ModelError> {
        let blob = source.open_within(FILE, CONFIG_BYTES, "a Hugging Face model directory has one")?;
        let path = source.path(FILE);
        let options = serde_json::from_slice(&blob)
            .map_err(|e| ModelError::Config { path: path.clone(), what: json_fault(&e) })?;
        Ok(Self::of(path, options))
    }

    /// Wraps options that come from elsewhere than a `config.json`.
    pub fn of(path: String, options: Map<String, Value>) -> Self {
        Self { path, options, unknown: Vec::new() }
    }

    /// Returns an error about the file.
    pub fn wrong(&self, what: impl Into<String>) -> ModelError {
        ModelError::Config { path: self.path.clone(), what: what.into() }
    }

    /// Returns the first of the architectures.
    pub fn architecture(&self) -> Option<String> {
        self.options.get("architectures")?.get(0)?.as_str().map(str::to_owned)
    }

    /// Returns the family's name, which is all that files without architectures have.
    pub fn model_type(&self) -> Option<String> {
        self.options.get("model_type")?.as_str().map(str::to_owned)
    }

    /// Continues with the options under `text_config`, where a multimodal model keeps those of its language model.
    /// Fails where an option beside them is known to change the numbers.
    pub fn enter_text_config(&mut self) -> Result<(), ModelError> {
        const TIED: &str = "tie_word_embeddings";
        if let Some(Value::Object(mut inner)) = self.options.remove("text_config") {
            if let Some(tied) = self.take(TIED) {
                inner.entry(TIED).or_insert(tied);
            }
            self.finish()?;
            self.options = inner;
        }
        Ok(())
    }

    /// Adds the options of `usual` that are absent; a null one is not absent.
    pub fn fill(&mut self, usual: Value) {
        if let Value::Object(usual) = usual {
            usual.into_iter().for_each(|(name, value)| {
                self.options.entry(name).or_insert(value);
            });
        }
    }

    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.options.remove(name).filter(|value| !value.is_null())
    }

    /// Returns true where an option is present and set.
    pub fn has(&self, name: &str) -> bool {
        self.options.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns a count without taking it.
    pub fn peek_size(&self, name: &str) -> Option<usize> {
        self.options.get(name)?.as_u64().map(|n| n as usize)
    }

    pub fn optional_size(&mut self, name: &str) -> Result<Option<usize>, ModelError> {
        self.size_up_to(name, MOST)
    }

    fn size_up_to(&mut self, name: &str, most: u64) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_u64().filter(|n| (1..=most).contains(n)) {
            Some(n) => Ok(Some(n as usize)),
            None => Err(self.wrong(format!("{name} is {}, expected a count from 1 to {most}", quoted(&value)))),
        }
    }

    /// Takes the number of layers.
    pub fn layers(&mut self, name: &str) -> Result<usize, ModelError> {
        self.size_up_to(name, MOST_LAYERS)?.ok_or_else(|| self.wrong(format!("{name} is missing")))
    }

    pub fn size(&mut self, name: &str) -> Result<usize, ModelError> {
        self.optional_size(name)?.ok_or_else(|| self.wrong(format!("{name} is missing")))
    }

    pub fn optional_number(&mut self, name: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_f64().filter(|x| *x > 0.0 && x.is_finite()) {
            Some(x) => Ok(Some(x)),
            None => Err(self.wrong(format!("{name} is {}, expected a positive number", quoted(&value)))),
        }
    }

    pub fn number(&mut self, name: &str) -> Result<f64, ModelError> {
        self.optional_number(name)?.ok_or_else(|| self.wrong(format!("{name} is missing")))
    }

    pub fn flag(&mut self, name: &str, default: bool) -> Result<bool, ModelError> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(value) => Err(self.wrong(format!("{name} is {}, expected true or false", quoted(&value)))),
        }
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(|value| value.as_str().map(str::to_owned))
    }

    /// Takes rotary frequencies of base `theta`, in the older form (`rope_theta` beside `rope_scaling`).
    pub fn rope(&mut self, theta: f64) -> Result<RopeSpec, ModelError> {
        match self.take("rope_scaling") {
            None => Ok(RopeSpec { theta, scaling: RopeScaling::None }),
            Some(value) => self.rope_of("rope_scaling", value, Some(theta)),
        }
    }

    /// Rotary frequencies in the newer form where it is there, else in the older with the base `theta`.
    pub fn newest_rope(&mut self, theta: f64) -> Result<RopeSpec, ModelError> {
        match self.take("rope_parameters") {
            Some(newer) => self.rope_of("rope_parameters", newer, Some(theta)),
            None => self.rope(theta),
        }
    }

    /// Reads rotary frequencies from one object: the older `rope_scaling`, or the newer `rope_parameters` with the base
    /// among them.
    pub fn rope_of(&self, name: &str, value: Value, theta: Option<f64>) -> Result<RopeSpec, ModelError> {
        let Value::Object(options) = value else {
            return Err(self.wrong(format!("{name} is not an object")));
        };
        let mut inner = Self::of(self.path.clone(), options);
        let theta = match inner.optional_number("rope_theta")?.or(theta) {
            Some(theta) => theta,
            None => return Err(self.wrong(format!("{name} has no rope_theta"))),
        };
        let (newer, older) = (inner.take("rope_type"), inner.take("type"));
        let kind = newer.or(older);
        let scaling = match kind.as_ref().and_then(Value::as_str) {
            None | Some("default") => RopeScaling::None,
            Some("linear") => RopeScaling::Linear { factor: inner.number("factor")? },
            Some("llama3") => {
                let (low_freq_factor, high_freq_factor) =
                    (inner.number("low_freq_factor")?, inner.number("high_freq_factor")?);
                if high_freq_factor <= low_freq_factor {
                    return Err(self.wrong(format!("{name}: high_freq_factor must be above low_freq_factor")));
                }
                RopeScaling::Llama3 {
                    factor: inner.number("factor")?,
                    low_freq_factor,
                    high_freq_factor,
                    original_max_positions: inner.number("original_max_position_embeddings")?,
                }
            }
            // Its first name in Phi-3's configurations.
            Some("longrope" | "su") => self.long_rope(name, &mut inner)?,
            Some(other) => {
                let other = excerpt(other);
                let known = "linear, llama3, longrope";
                return Err(self.wrong(format!("{name} of type {other:?} is not understood; known: {known}")));
            }
        };
        // Told beside every kind of scaling, and used by some.
        inner.take("original_max_position_embeddings");
        if inner.options.get("partial_rotary_factor").and_then(Value::as_f64) == Some(1.0) {
            inner.take("partial_rotary_factor");
        }
        match inner.options.iter().find(|(_, value)| !value.is_null()) {
            Some((key, value)) => {
                Err(self.wrong(format!("{name}: {} = {} is not understood", excerpt(key), quoted(value))))
            }
            None => Ok(RopeSpec { theta, scaling }),
        }
    }

    /// Takes LongRoPE's options from `inner`. The length of the first training stands there, or beside it, where it says
    /// what the factor is too.
    fn long_rope(&self, name: &str, inner: &mut Self) -> Result<RopeScaling, ModelError> {
        const ORIGINAL: &str = "original_max_position_embeddings";
        let beside = |key: &str| self.options.get(key).and_then(Value::as_f64).filter(|n| *n >= 1.0);
        let (own, told) = (inner.optional_size(ORIGINAL)?, inner.optional_number("factor")?);
        let most = beside("max_position_embeddings")
            .ok_or_else(|| self.wrong(format!("{name} of type longrope needs max_position_embeddings")))?;
        let (original, told) = match (beside(ORIGINAL), own) {
            (Some(original), _) => (original, None),
            (None, Some(own)) => (own as f64, told),
            (None, None) => (most, Some(told.ok_or_else(|| self.wrong(format!("{name} has no {ORIGINAL}")))?)),
        };
        let factor = told.unwrap_or(most / original);
        let usual = if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original.ln()).sqrt() };
        let attention_factor = inner.optional_number("attention_factor")?.unwrap_or(usual);
        if !attention_factor.is_finite() {
            return Err(self.wrong(format!("{name}: {ORIGINAL} is {original}, too small")));
        }
        let mut factors = |key: &str| -> Result<Vec<f64>, ModelError> {
            let Some(Value::Array(list)) = inner.take(key) else {
                return Err(self.wrong(format!("{name}: {key} is missing, or is not a list")));
            };
            let number = |value: &Value| value.as_f64().filter(|x| *x > 0.0 && x.is_finite());
            let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
            numbers.ok_or_else(|| self.wrong(format!("{name}: {key} does not hold positive numbers alone")))
        };
        let (short, long) = (factors("short_factor")?, factors("long_factor")?);
        Ok(RopeScaling::LongRope { short, long, original_max_positions: original as usize, attention_factor })
    }

    /// Fails where an option is left that is known to change the numbers; remembers those left that are not known.
    pub fn finish(&mut self) -> Result<(), ModelError> {
        for (key, value) in &self.options {
            let off = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            if off || key.starts_with('_') || HARMLESS.contains(&key.as_str()) {
                continue;
            }
            let told = format!("{} = {}", excerpt(key), quoted(value));
            match UNSUPPORTED.iter().find(|(name, _)| name == key) {
                Some((_, neutral)) if value.as_f64() == Some(*neutral) => {}
                Some(_) => return Err(self.wrong(format!("option {told} is not understood and changes the numbers"))),
                None => self.unknown.push(told),
            }
        }
        Ok(())
    }

    /// Takes the options that are not known, as `name = value`.
    pub fn take_unknown(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unknown)
    }
}

/// Formats an option's value for a message.
fn quoted(value: &Value) -> String {
    excerpt(&value.to_string()).into_owned()
}
