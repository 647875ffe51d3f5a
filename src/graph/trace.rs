//! The raw trace: every computed row, over all active sources.

use crate::graph::{Numbers, Token};
use crate::ids::{FeatureId, Layer, Position};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A feature that is active at a position. Ordered by layer, position, feature, as circuit-tracer orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeatureAt {
    /// Layer that the feature reads from.
    pub layer: Layer,
    /// Position where it is active.
    pub position: Position,
    /// Index of the feature in its layer.
    pub feature: FeatureId,
}

impl FromStr for FeatureAt {
    type Err = String;

    /// Reads `LAYER:POSITION:FEATURE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it has to be LAYER:POSITION:FEATURE".to_owned();
        let numbers: Vec<u32> =
            text.trim().split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let [layer, position, feature] = numbers[..] else { return Err(wrong()) };
        Ok(Self { layer: Layer(layer), position: Position(position), feature: FeatureId(feature) })
    }
}

/// Kind of a target: a token's logit, a direction given by the user, or a feature's pre-activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// Demeaned unembedding column of a token.
    Token,
    /// Direction at the final norm's output, as given.
    Direction,
    /// Pre-activation of a feature, which need not be active.
    Feature(FeatureAt),
}

/// A traced output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Vocabulary index; of a direction or a feature, vocabulary size + its index among the targets.
    pub id: u32,
    /// Kind of the target.
    pub kind: TargetKind,
    /// Softmax probability; of a direction or a feature, its weight.
    pub probability: f32,
    /// Text of the token, or the name of the target.
    pub text: String,
}

/// Target of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowTarget {
    /// Logit target, as an index into [`RawTrace::targets`].
    Logit(u32),
    /// Feature, as an index into [`RawTrace::active`].
    Feature(u32),
}

/// Direct effects, one row a target. Columns: the A active features (layer, position, feature), then the L * P error
/// nodes (layer-major), then the P tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// All entries, row after row.
    Dense {
        /// Direct effects, `[rows, columns]`.
        values: Vec<f32>,
    },
    /// Entries that carry all but a share of each row's absolute sum.
    Sparse {
        /// Index of each row's first entry in `columns` and `values`, `[rows + 1]`.
        starts: Vec<u64>,
        /// Columns, ascending within a row.
        columns: Numbers<u32>,
        /// Direct effects.
        values: Numbers<f32>,
        /// Share of each row's absolute sum that was left out, `[rows]`.
        dropped: Vec<f32>,
    },
}

impl Rows {
    /// Creates an empty list of rows.
    pub fn new(sparse: bool) -> Self {
        if sparse {
            Self::Sparse {
                starts: vec![0],
                columns: Numbers::default(),
                values: Numbers::default(),
                dropped: Vec::new(),
            }
        } else {
            Self::Dense { values: Vec::new() }
        }
    }
}

/// All results of a trace, over all active sources: enough to resume it, prune it otherwise, or check it.
///
/// `L` layers, `P` positions, `A` active features, `K` targets, `d` residual width, `V` vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTrace {
    /// Layers of the model, `L`.
    pub n_layers: usize,
    /// Prompt as the model reads it, leading special token included, `[P]`.
    pub tokens: Vec<Token>,
    /// Active features, ascending, `[A]`.
    pub active: Vec<FeatureAt>,
    /// Activations of these, `[A]`.
    pub activations: Vec<f32>,
    /// L2 norms of the error vectors, `[L * P]`, layer-major.
    pub error_norms: Vec<f32>,
    /// Logits at the last position, after a final softcap where there is one, `[V]`.
    pub final_logits: Vec<f32>,
    /// Traced outputs, `[K]`.
    pub targets: Vec<Target>,
    /// Injected directions, `[K, d]`: of a feature, its encoder's row.
    pub target_vectors: Vec<f32>,
    /// Target of each row: the traced outputs first, then features, round after round of the ranking and within a round
    /// from the top layer down.
    pub row_targets: Vec<RowTarget>,
    /// Direct effects on each row's target.
    pub rows: Rows,
    /// Sum of absolute direct effects over all columns, by row.
    pub row_abs_sums: Vec<f64>,
    /// Flow from constants (biases, decoder biases, zeroed positions), by row.
    pub row_constants: Vec<f32>,
    /// Value of the row's target in the forward pass: a feature's pre-activation, a logit target's demeaned logit
    /// before the final softcap.
    pub row_values: Vec<f32>,
    /// Number of features that the ranking was to pick; fewer have rows where the trace is partial.
    pub wanted_features: usize,
    /// Choices that it was made with.
    pub settings: Settings,
    /// Division of the work into pieces, where this program made the trace.
    pub cut: Option<Cut>,
    /// Versions, model and transcoder that it was made with.
    pub provenance: Provenance,
}

/// Choices that a trace is made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Prompt as it was typed; of tokens that were given as ids or cut, their texts one after another.
    pub prompt: String,
    /// Features that get a row, at most; `None` for all.
    pub max_feature_nodes: Option<usize>,
    /// Features a ranking batch; steers the ranking only.
    pub batch_size: usize,
    /// Batches between two rankings.
    pub update_interval: usize,
    /// Logits that are traced, at most.
    pub max_logits: usize,
    /// Probability up to which the traced logits' probabilities add up.
    pub logit_probability: f32,
}

impl Default for Settings {
    /// Returns circuit-tracer's defaults, with an empty prompt.
    fn default() -> Self {
        Self {
            prompt: String::new(),
            max_feature_nodes: Some(7500),
            batch_size: 256,
            update_interval: 4,
            max_logits: 10,
            logit_probability: 0.95,
        }
    }
}

/// Division of the work into pieces, which decides over the last bits of the rows: resuming a trace keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// Rows computed together.
    pub block_rows: usize,
    /// Share of each row's absolute sum that sparse rows leave out at most; `None` where rows are kept in full.
    pub dropped_share: Option<f64>,
}

/// Origin of a trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub program_version: String,
    /// Name of the model, as its configuration or directory gives it.
    pub model: String,
    /// Name of the transcoder set (`scan`), as its configuration or directory gives it.
    pub transcoder: String,
    /// SHA-256 of the small files and of each weight file's header, by path relative to its directory.
    pub file_hashes: std::collections::BTreeMap<String, String>,
    /// Number type of the computation.
    pub dtype: String,
    /// Device of the computation.
    pub device: String,
    /// Oddities of the model, its tokenizer or its transcoder; sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl RawTrace {
    /// Returns the number of token positions, `P`.
    pub fn n_positions(&self) -> usize {
        self.tokens.len()
    }

    /// Returns the number of columns of a row: `A + L * P + P`.
    pub fn n_columns(&self) -> usize {
        self.active.len() + (self.n_layers + 1) * self.n_positions()
    }

    /// Returns true where the trace was stopped before every wanted feature had its row.
    pub fn is_partial(&self) -> bool {
        self.visit_order().count() < self.wanted_features
    }

    /// Iterates over the features that have rows, as indices into [`RawTrace::active`], in the order of their rows.
    pub fn visit_order(&self) -> impl Iterator<Item = u32> + '_ {
        self.row_targets.iter().filter_map(|row| match row {
            RowTarget::Feature(index) => Some(*index),
            RowTarget::Logit(_) => None,
        })
    }
}
