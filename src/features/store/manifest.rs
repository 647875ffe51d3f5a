//! Manifest of a store that this program built, for readers that do not need its records.

use serde::{Deserialize, Serialize};

/// File name of the manifest.
pub const MANIFEST: &str = "circuitscope.json";

/// File name of the summary. It has for each layer `l` tensors `density.{l}` and `max.{l}`, F32 `[F]`: the share of
/// tokens on which each feature fires and its largest activation; NaN where the store does not have it.
pub const SUMMARY: &str = "summary.safetensors";

/// Contents of a store, and how it was built. Two that were built from the same files in the same way are equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Version of the format.
    pub version: u32,
    /// Transcoder: its reference, or its folder's name.
    pub transcoder: String,
    /// Name of the model in its configuration.
    pub model: String,
    /// Number of layers, `L`.
    pub n_layers: usize,
    /// Number of features of each layer, `[L]`.
    pub n_features: Vec<usize>,
    /// Corpus of the contexts; absent where unknown, as for an imported store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus: Option<CorpusFacts>,
    /// Seed that drew the contexts of the bins.
    pub seed: u64,
    /// Number of tokens of a context.
    pub window: usize,
    /// Number of contexts among the strongest.
    pub examples: usize,
    /// Lower ends of the activation bins, ascending; a histogram of this store ends in the bin that holds the feature's
    /// maximum. Empty where bins are the writer's own.
    pub bins: Vec<f32>,
    /// Features that were gathered: `all`, or a list such as `0:3,0:17..20,2`.
    pub features: String,
}

/// Facts of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorpusFacts {
    /// Number of documents.
    pub documents: u64,
    /// Number of tokens whose activations count.
    pub tokens: u64,
    /// Sum of all documents' SHA-256, the same in whatever order they are read.
    pub sha256: String,
}

impl Manifest {
    /// Version that this program writes.
    pub const VERSION: u32 = 1;
}
