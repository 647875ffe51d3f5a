//! Specification of a model: everything that changes its numbers.

use crate::hub::FileSource;
use crate::model::config::Config;
use crate::model::{Gguf, Layout, ModelError, families};

/// Specification of a model: everything that changes its numbers. One implementation serves every family through it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Name in the configuration, or of the directory.
    pub name: String,
    /// Name of the directory, where the configuration has a name of its own.
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
    /// Number of leading numbers of a head that are rotated, where positions are rotary.
    pub rotary_dim: usize,
    /// Width of the MLP.
    pub d_mlp: usize,
    /// Longest prompt in tokens.
    pub max_positions: usize,
    /// Norms between the layers.
    pub norm: NormKind,
    /// Term added to the mean square or the variance under the norms' root.
    pub norm_eps: f64,
    /// True where attention's and the MLP's outputs pass a norm of their own before they are added to the residual
    /// stream.
    pub post_norms: bool,
    /// Normalization of queries and keys.
    pub query_key_norms: QueryKeyNorms,
    /// Factor of attention scores.
    pub attention_scale: f64,
    /// Softcap of attention scores, which limits them to plus and minus this.
    pub attention_softcap: Option<f64>,
    /// Softcap of logits, which limits them to plus and minus this.
    pub final_softcap: Option<f64>,
    /// True where the MLP reads the residual stream in front of the layer, beside attention instead of behind it.
    pub parallel_residual: bool,
    /// Attention of each layer, `[L]`.
    pub layers: Vec<LayerSpec>,
    /// Kind of position encoding.
    pub positions: PositionKind,
    /// Factor of embeddings.
    pub embedding_scale: Option<f64>,
    /// True where the unembedding is the embedding.
    pub tied_embeddings: bool,
    /// Projections that have biases.
    pub biases: Biases,
    /// Activation function of the MLP.
    pub activation: ActivationKind,
    /// Names and shapes of tensors in the weight files.
    pub layout: &'static Layout,
    /// Options of the configuration that are not known, as `name = value`; they are ignored.
    pub unknown_options: Vec<String>,
}

/// Attention of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpec {
    /// Sliding window: key j is visible to query i where i - j is less than this.
    pub window: Option<usize>,
    /// Rotary frequencies; `None` where positions are learned.
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
    /// No rescaling.
    None,
    /// All frequencies divided by the factor.
    Linear {
        /// Divisor of the frequencies.
        factor: f64,
    },
    /// Llama 3's: only low frequencies are divided.
    Llama3 {
        /// Divisor of low frequencies.
        factor: f64,
        /// Wavelengths above `original_max_positions / low_freq_factor` are divided in full.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_positions / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of the model's first training.
        original_max_positions: f64,
    },
    /// Divisors of each pair's frequency, `[head_dim / 2]`.
    Factors(Vec<f64>),
    /// Phi-3's LongRoPE: divisors of each pair's frequency that change with the length of what is read.
    LongRope {
        /// Divisors for up to `original_max_positions` tokens, `[rotary_dim / 2]`.
        short: Vec<f64>,
        /// Divisors for more, `[rotary_dim / 2]`.
        long: Vec<f64>,
        /// Context length of the model's first training.
        original_max_positions: usize,
        /// Factor of cosines and sines, and so of rotated queries and keys.
        attention_factor: f64,
    },
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

/// Normalization of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKeyNorms {
    /// No normalization.
    None,
    /// Head by head.
    ByHead,
    /// Over all heads at once.
    Whole,
}

/// Kind of position encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionKind {
    /// Rotation of queries and keys; see [`LayerSpec::rope`].
    Rotary,
    /// Learned embedding of each position.
    Learned,
}

/// Projections that have biases.
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
    /// Reads `config.json`, or the metadata of the GGUF file in `source`.
    ///
    /// # Errors
    /// Fails where it is missing or damaged, names an architecture that is not known, or holds an option that changes
    /// the numbers in a way that is not supported.
    pub fn read(source: &FileSource) -> Result<Self, ModelError> {
        if let Some(file) = source.gguf()? {
            return Gguf::read(source, &file)?.spec(source);
        }
        let mut config = Config::read(source)?;
        families::read(&mut config, source.short_name())
    }

    /// Returns a warning where the configuration holds options that are not known.
    pub fn doubt(&self) -> Option<String> {
        let options = match self.unknown_options.as_slice() {
            [] => return None,
            [one] => format!("the option {one}"),
            all => format!("the options {}", all.join(", ")),
        };
        Some(format!("the model's configuration has {options}, not known here and passed over"))
    }

    /// Returns true where the model may be the one called `name` elsewhere, judging by names: organisations and case do
    /// not matter, and a model without a name of its own may be any.
    pub fn may_be(&self, name: &str) -> bool {
        let last = |name: &str| name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
        let Some(directory) = &self.directory else { return true };
        [&self.name, directory].iter().any(|own| last(own) == last(name))
    }

    /// Returns the number of tokens beyond which positions are encoded otherwise, those before included; `None` where a
    /// position's encoding does not depend on the length.
    pub fn short_positions(&self) -> Option<usize> {
        let of_layer = |layer: &LayerSpec| match layer.rope.as_ref()?.scaling {
            RopeScaling::LongRope { original_max_positions, .. } => Some(original_max_positions),
            _ => None,
        };
        self.layers.iter().find_map(of_layer)
    }

    /// Returns true where MLPs have a gate.
    pub fn has_gate(&self) -> bool {
        self.layout.gate.is_some()
    }

    /// Returns the width that the norm over queries (0) or keys (1) spans.
    pub(super) fn head_norm_width(&self, nth: usize) -> usize {
        match self.query_key_norms {
            QueryKeyNorms::Whole => [self.d_attn(), self.d_kv()][nth],
            QueryKeyNorms::None | QueryKeyNorms::ByHead => self.head_dim,
        }
    }

    /// Returns the width of the concatenated heads, d_attn.
    pub fn d_attn(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Returns the width of the concatenated key or value heads, d_kv.
    pub fn d_kv(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }
}
