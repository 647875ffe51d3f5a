//! What a model is: everything that changes its numbers.

use crate::hub::Place;
use crate::model::config::Config;
use crate::model::{Gguf, Layout, ModelError, families};

/// Everything about a model that changes its numbers. One implementation serves every family through it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// What the configuration calls itself, or the directory's name.
    pub name: String,
    /// The directory's name, where the configuration has a name of its own beside it.
    pub directory: Option<String>,
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
    /// How much of a head is rotated, where positions are told apart so: its first numbers.
    pub rotary_dim: usize,
    /// Width of the MLP.
    pub d_mlp: usize,
    /// Longest prompt in tokens.
    pub max_positions: usize,
    /// The norms between the layers.
    pub norm: NormKind,
    /// Added to the mean square or the variance under the norms' root.
    pub norm_eps: f64,
    /// Whether attention's and the MLP's outputs pass a norm of their own before they are added to the residual stream.
    pub post_norms: bool,
    /// How queries and keys are normalized.
    pub query_key_norms: QueryKeyNorms,
    /// What attention scores are multiplied with.
    pub attention_scale: f64,
    /// Scores are squeezed into plus and minus this.
    pub attention_softcap: Option<f64>,
    /// Logits are squeezed into plus and minus this.
    pub final_softcap: Option<f64>,
    /// Whether the MLP reads the residual stream in front of the layer, beside attention instead of behind it.
    pub parallel_residual: bool,
    /// How each layer attends, `[L]`.
    pub layers: Vec<LayerSpec>,
    /// How positions are told apart.
    pub positions: PositionKind,
    /// What embeddings are multiplied with.
    pub embedding_scale: Option<f64>,
    /// Whether the unembedding is the embedding.
    pub tied_embeddings: bool,
    /// Which projections have biases.
    pub biases: Biases,
    /// The MLP's activation function.
    pub activation: ActivationKind,
    /// How the weight files name and shape their tensors.
    pub layout: &'static Layout,
    /// Options of its configuration that nothing is known of, as `name = value`; they were passed over.
    pub unknown_options: Vec<String>,
}

/// How a layer attends.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpec {
    /// Key j is visible to query i where i - j is less than this.
    pub window: Option<usize>,
    /// Its rotary frequencies; `None` where positions are learned.
    pub rope: Option<RopeSpec>,
}

/// Rotary frequencies.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeSpec {
    /// Base of the frequencies.
    pub theta: f64,
    /// Rescaling for long contexts.
    pub scaling: RopeScaling,
}

/// Rescaling of rotary frequencies for long contexts.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// None.
    None,
    /// All frequencies divided by the factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Llama 3's: only low frequencies are divided.
    Llama3 {
        /// Low frequencies are divided by this.
        factor: f64,
        /// Wavelengths above `original_max_positions / low_freq_factor` are divided in full.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_positions / high_freq_factor` stay.
        high_freq_factor: f64,
        /// The context length that the model was trained on first.
        original_max_positions: f64,
    },
    /// What each pair's frequency is divided by, `[head_dim / 2]`.
    Factors(Vec<f64>),
}

/// Kinds of norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// x / rms(x) * w.
    Rms,
    /// x / rms(x) * (1 + w), as Gemma stores it.
    RmsPlusOne,
    /// (x - mean(x)) / std(x) * w + b.
    Layer,
}

/// How queries and keys are normalized, where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKeyNorms {
    /// Not.
    None,
    /// Head by head.
    ByHead,
    /// Over all heads at once.
    Whole,
}

/// How positions are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionKind {
    /// By rotating queries and keys; see [`LayerSpec::rope`].
    Rotary,
    /// By an embedding for each position.
    Learned,
}

/// Which projections have biases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys and values.
    pub attention_in: bool,
    /// Attention's output.
    pub attention_out: bool,
    /// The MLP's projections.
    pub mlp: bool,
}

/// Activation functions of MLPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationKind {
    /// x * sigmoid(x).
    Silu,
    /// Gaussian error linear unit, exact.
    Gelu,
    /// Gaussian error linear unit, its tanh approximation.
    GeluTanh,
}

impl ModelSpec {
    /// Reads `config.json`, or the metadata of the GGUF file that the place holds.
    ///
    /// # Errors
    /// It is missing or damaged, names an architecture that is not known, or holds an option that changes the
    /// numbers in a way that is not supported.
    pub fn read(place: &Place) -> Result<Self, ModelError> {
        if let Some(file) = place.gguf()? {
            return Gguf::read(place, &file)?.spec(place);
        }
        let mut config = Config::read(place)?;
        families::read(&mut config, place.short_name())
    }

    /// What should be known of a model whose configuration holds options that nothing is known of.
    pub fn doubt(&self) -> Option<String> {
        let options = match self.unknown_options.as_slice() {
            [] => return None,
            [one] => format!("the option {one}"),
            all => format!("the options {}", all.join(", ")),
        };
        Some(format!("the model's configuration has {options}, not known here and passed over"))
    }

    /// Whether it may be the model that is called `name` elsewhere, as far as names tell: organisations and case do not
    /// matter, and a model without a name of its own may be any.
    pub fn may_be(&self, name: &str) -> bool {
        let last = |name: &str| name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
        let Some(directory) = &self.directory else { return true };
        [&self.name, directory].iter().any(|own| last(own) == last(name))
    }

    /// Whether MLPs have a gate.
    pub fn has_gate(&self) -> bool {
        self.layout.gate.is_some()
    }

    /// What the norm over queries (0) or keys (1) spans.
    pub(super) fn head_norm_width(&self, nth: usize) -> usize {
        match self.query_key_norms {
            QueryKeyNorms::Whole => [self.d_attn(), self.d_kv()][nth],
            QueryKeyNorms::None | QueryKeyNorms::ByHead => self.head_dim,
        }
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
