//! What a store made here says of itself, for whoever reads it without its records.

use serde::{Deserialize, Serialize};

/// The manifest's file.
pub const MANIFEST: &str = "circuitscope.json";

/// The summary's file: for each layer `l` tensors `density.{l}` and `max.{l}`, F32 `[F]`, the share of tokens on which
/// each feature fires and its largest activation; NaN where the store does not know.
pub const SUMMARY: &str = "summary.safetensors";

/// What a store holds, and how it was made. Two that were made from the same files in the same way are equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The version of this form.
    pub version: u32,
    /// The transcoder: its reference, or its folder's name.
    pub transcoder: String,
    /// The model, as it calls itself.
    pub model: String,
    /// Layers, `L`.
    pub n_layers: usize,
    /// Features of each layer, `[L]`.
    pub n_features: Vec<usize>,
    /// What the contexts were taken from; absent where it is not known, as for what was imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus: Option<CorpusFacts>,
    /// What decided which contexts of a bin were taken.
    pub seed: u64,
    /// Tokens of a context.
    pub window: usize,
    /// Contexts among the strongest.
    pub examples: usize,
    /// The lower ends of the activation bins, ascending; a histogram of this store ends in the bin that holds the
    /// feature's maximum. Empty where bins are the writer's own.
    pub bins: Vec<f32>,
    /// Which features were looked at: `all`, or a list such as `0:3,0:17..20,2`.
    pub features: String,
}

/// A corpus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorpusFacts {
    /// Documents.
    pub documents: u64,
    /// Tokens whose activations count.
    pub tokens: u64,
    /// The sum of all documents' SHA-256, the same in whatever order they are read.
    pub sha256: String,
}

impl Manifest {
    /// The version that this program writes.
    pub const VERSION: u32 = 1;
}
