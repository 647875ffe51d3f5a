//! A `config.json` whose options are taken one by one, so that what is left over can be named.

use crate::hub::{CONFIG_BYTES, Place};
use crate::model::ModelError;
use crate::model::spec::{RopeScaling, RopeSpec};
use crate::untrusted::{excerpt, json_fault};
use serde_json::{Map, Value};

const FILE: &str = "config.json";

/// Sizes beyond this are a damaged file; products made of them would overflow.
const MOST: u64 = 1 << 24;

/// Layers of the deepest model; each of them takes memory before a weight of it is looked for.
const MOST_LAYERS: u64 = 1 << 12;

/// Options that do not change the numbers of a forward pass over one prompt: what training, generation, heads for other
/// tasks and other modalities are told.
const HARMLESS: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "_num_labels",
    "_sliding_window_pattern",
    "architectures",
    "attention_dropout",
    "attn_pdrop",
    "boi_token_id",
    "boi_token_index",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "embd_pdrop",
    "encoder_no_repeat_ngram_size",
    "eoi_token_id",
    "eoi_token_index",
    "eos_token_id",
    "id2label",
    "image_token_id",
    "image_token_index",
    "initializer_range",
    "label2id",
    "length_penalty",
    "max_length",
    "max_window_layers",
    "min_length",
    "mm_tokens_per_image",
    "model_type",
    "n_ctx",
    "n_special",
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
    "reorder_and_upcast_attn",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "task_specific_params",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
    "vision_config",
];

/// The options of a model that have not been taken yet.
#[derive(Debug)]
pub(super) struct Config {
    path: String,
    options: Map<String, Value>,
}

impl Config {
    /// Reads `config.json`.
    pub fn read(place: &Place) -> Result<Self, ModelError> {
        let blob = place.open_within(FILE, CONFIG_BYTES, "a Hugging Face model directory has one")?;
        let path = place.path(FILE);
        let options = serde_json::from_slice(&blob)
            .map_err(|e| ModelError::Config { path: path.clone(), what: json_fault(&e) })?;
        Ok(Self { path, options })
    }

    /// What is wrong with it.
    pub fn wrong(&self, what: impl Into<String>) -> ModelError {
        ModelError::Config { path: self.path.clone(), what: what.into() }
    }

    /// The first of the architectures.
    pub fn architecture(&self) -> Option<String> {
        self.options.get("architectures")?.get(0)?.as_str().map(str::to_owned)
    }

    /// Goes on with the options under `text_config`, where a multimodal model keeps those of its language model. Beside
    /// them nothing may be left that could change the numbers.
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

    /// Takes options of `usual` that are not there; one that is null is there.
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

    /// Whether an option is there and set.
    pub fn has(&self, name: &str) -> bool {
        self.options.get(name).is_some_and(|value| !value.is_null())
    }

    /// A count that stays among the options.
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

    /// How many layers there are.
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

    /// Rotary frequencies of base `theta`, in the older form (`rope_theta` beside `rope_scaling`).
    pub fn rope(&mut self, theta: f64) -> Result<RopeSpec, ModelError> {
        match self.take("rope_scaling") {
            None => Ok(RopeSpec { theta, scaling: RopeScaling::None }),
            Some(value) => self.rope_of("rope_scaling", value, Some(theta)),
        }
    }

    /// Rotary frequencies as one object tells them: the older `rope_scaling`, or the newer `rope_parameters` with the
    /// base among them.
    pub fn rope_of(&self, name: &str, value: Value, theta: Option<f64>) -> Result<RopeSpec, ModelError> {
        let Value::Object(options) = value else {
            return Err(self.wrong(format!("{name} is not an object")));
        };
        let mut inner = Self { path: self.path.clone(), options };
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
            Some(other) => {
                let other = excerpt(other);
                return Err(self.wrong(format!("{name} of type {other:?} is not understood; known: linear, llama3")));
            }
        };
        match inner.options.iter().find(|(_, value)| !value.is_null()) {
            Some((key, value)) => {
                Err(self.wrong(format!("{name}: {} = {} is not understood", excerpt(key), quoted(value))))
            }
            None => Ok(RopeSpec { theta, scaling }),
        }
    }

    /// That nothing is left that could change the numbers.
    pub fn finish(&self) -> Result<(), ModelError> {
        let unknown = self.options.iter().find(|(key, value)| {
            let off = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            !off && !HARMLESS.contains(&key.as_str())
        });
        match unknown {
            Some((key, value)) => {
                let (key, value) = (excerpt(key), quoted(value));
                Err(self.wrong(format!("option {key} = {value} is not understood and could change the numbers")))
            }
            None => Ok(()),
        }
    }
}

/// An option's value in a message.
fn quoted(value: &Value) -> String {
    excerpt(&value.to_string()).into_owned()
}
