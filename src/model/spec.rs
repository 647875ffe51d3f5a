//! What a model is, read from its `config.json`.

use crate::hub::Place;
use crate::model::ModelError;
use serde_json::{Map, Value};

/// Everything about a model that changes its numbers. One implementation serves every family through it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// What the configuration calls itself, or the directory's name.
    pub name: String,
    /// Vocabulary size.
    pub vocab_size: usize,
    /// Residual stream width, d.
    pub d_model: usize,
    /// Transformer blocks, L.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; each serves `n_heads / n_kv_heads` query heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the MLP.
    pub d_mlp: usize,
    /// Longest prompt in tokens.
    pub max_positions: usize,
    /// Added to the mean square under the norms' root.
    pub norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Rescaling of the rotary frequencies for long contexts.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the unembedding is the embedding.
    pub tied_embeddings: bool,
    /// Whether attention's four projections have biases.
    pub attention_bias: bool,
}

/// Llama 3's rescaling of rotary frequencies (`rope_type: llama3`).
#[derive(Clone, Debug, PartialEq)]
pub struct RopeScaling {
    /// Low frequencies are divided by this.
    pub factor: f64,
    /// Wavelengths above `original_max_positions / low_freq_factor` are divided in full.
    pub low_freq_factor: f64,
    /// Wavelengths below `original_max_positions / high_freq_factor` stay.
    pub high_freq_factor: f64,
    /// The context length that the model was trained on first.
    pub original_max_positions: f64,
}

/// Options that do not change the numbers of a forward pass over one prompt.
const HARMLESS: &[&str] = &[
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "initializer_range",
    "model_type",
    "pad_token_id",
    "pretraining_tp",
    "torch_dtype",
    "transformers_version",
    "use_cache",
];

/// A `config.json` whose options are taken one by one, so that what is left over can be named.
struct Config {
    path: String,
    options: Map<String, Value>,
}

impl Config {
    fn wrong(&self, what: impl Into<String>) -> ModelError {
        ModelError::Config { path: self.path.clone(), what: what.into() }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.options.remove(name).filter(|value| !value.is_null())
    }

    fn optional_size(&mut self, name: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        // A size beyond a million is a damaged file; it would overflow the products made of it.
        match value.as_u64().filter(|n| (1..=1 << 24).contains(n)) {
            Some(n) => Ok(Some(n as usize)),
            None => Err(self.wrong(format!("{name} is {value}, expected a count from 1 to {}", 1 << 24))),
        }
    }

    fn size(&mut self, name: &str) -> Result<usize, ModelError> {
        self.optional_size(name)?.ok_or_else(|| self.wrong(format!("{name} is missing")))
    }

    fn number(&mut self, name: &str, default: Option<f64>) -> Result<f64, ModelError> {
        let Some(value) = self.take(name) else {
            return default.ok_or_else(|| self.wrong(format!("{name} is missing")));
        };
        match value.as_f64().filter(|x| *x > 0.0 && x.is_finite()) {
            Some(x) => Ok(x),
            None => Err(self.wrong(format!("{name} is {value}, expected a positive number"))),
        }
    }

    fn flag(&mut self, name: &str, default: bool) -> Result<bool, ModelError> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(value) => Err(self.wrong(format!("{name} is {value}, expected true or false"))),
        }
    }

    fn rope_scaling(&mut self) -> Result<Option<RopeScaling>, ModelError> {
        let Some(value) = self.take("rope_scaling") else { return Ok(None) };
        let Value::Object(options) = value else {
            return Err(self.wrong("rope_scaling is not an object"));
        };
        let mut inner = Self { path: self.path.clone(), options };
        let kind = inner.take("rope_type").or_else(|| inner.take("type"));
        inner.take("type");
        match kind.as_ref().and_then(Value::as_str) {
            Some("default") => Ok(None),
            Some("llama3") => {
                let scaling = RopeScaling {
                    factor: inner.number("factor", None)?,
                    low_freq_factor: inner.number("low_freq_factor", None)?,
                    high_freq_factor: inner.number("high_freq_factor", None)?,
                    original_max_positions: inner.number("original_max_position_embeddings", None)?,
                };
                if scaling.high_freq_factor <= scaling.low_freq_factor {
                    return Err(inner.wrong("rope_scaling: high_freq_factor must be above low_freq_factor"));
                }
                Ok(Some(scaling))
            }
            _ => Err(inner.wrong(format!(
                "rope_scaling of type {} is not understood; known: llama3",
                kind.unwrap_or(Value::Null)
            ))),
        }
    }
}

impl ModelSpec {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// It is missing or damaged, names an architecture that is not known, or holds an option that is not understood
    /// and could change the numbers.
    pub fn read(place: &Place) -> Result<Self, ModelError> {
        const FILE: &str = "config.json";
        let blob = place.open(FILE, "a Hugging Face model directory has one")?;
        let path = place.path(FILE);
        let options: Map<String, Value> = serde_json::from_slice(&blob)
            .map_err(|e| ModelError::Config { path: path.clone(), what: format!("not a JSON object: {e}") })?;
        let mut config = Config { path, options };
        let architecture = config.options.get("architectures").and_then(|a| a.get(0)).and_then(Value::as_str);
        if architecture != Some("LlamaForCausalLM") {
            let found = architecture.map_or("no architecture".to_owned(), |name| format!("architecture {name:?}"));
            return Err(config.wrong(format!("names {found}; known: LlamaForCausalLM")));
        }
        let name = config.take("_name_or_path").and_then(|v| v.as_str().map(str::to_owned));
        Self::llama(&mut config, name.filter(|n| !n.is_empty()).unwrap_or_else(|| place_name(place)))
    }

    fn llama(config: &mut Config, name: String) -> Result<Self, ModelError> {
        let (d_model, n_heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
        let spec = Self {
            name,
            vocab_size: config.size("vocab_size")?,
            d_model,
            n_layers: config.size("num_hidden_layers")?,
            n_heads,
            n_kv_heads: config.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
            head_dim: config.optional_size("head_dim")?.unwrap_or(d_model / n_heads),
            d_mlp: config.size("intermediate_size")?,
            max_positions: config.optional_size("max_position_embeddings")?.unwrap_or(2048),
            norm_eps: config.number("rms_norm_eps", Some(1e-6))?,
            rope_theta: config.number("rope_theta", Some(10_000.0))?,
            rope_scaling: config.rope_scaling()?,
            tied_embeddings: config.flag("tie_word_embeddings", false)?,
            attention_bias: config.flag("attention_bias", false)?,
        };
        if !spec.n_heads.is_multiple_of(spec.n_kv_heads) {
            return Err(config.wrong(format!(
                "num_attention_heads {} is not a multiple of num_key_value_heads {}",
                spec.n_heads, spec.n_kv_heads
            )));
        }
        if spec.head_dim == 0 || !spec.head_dim.is_multiple_of(2) {
            return Err(config.wrong(format!("head_dim {} is odd or zero; rotary positions need pairs", spec.head_dim)));
        }
        if let Some(act) = config.take("hidden_act")
            && act.as_str() != Some("silu")
        {
            return Err(config.wrong(format!("hidden_act {act} is not understood; known for this architecture: silu")));
        }
        if config.flag("mlp_bias", false)? {
            return Err(config.wrong("mlp_bias true is not understood"));
        }
        let unknown = config.options.iter().find(|(key, value)| {
            let off = value.is_null() || **value == Value::Bool(false);
            !off && !HARMLESS.contains(&key.as_str())
        });
        if let Some((key, value)) = unknown {
            return Err(config.wrong(format!("option {key} = {value} is not understood and could change the numbers")));
        }
        Ok(spec)
    }

    /// Width of the concatenated heads, d_attn.
    pub fn d_attn(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of the concatenated key or value heads, d_kv.
    pub fn d_kv(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }
}

fn place_name(place: &Place) -> String {
    match place {
        Place::Directory(path) => {
            let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
            whole.file_name().map_or_else(|| place.name(), |name| name.to_string_lossy().into_owned())
        }
        Place::Embedded(name, _) => (*name).to_owned(),
    }
}
