//! What a trace leaves behind: every row that was computed, over all active sources.

use crate::graph::{Numbers, Token};
use crate::ids::{FeatureId, Layer, Position};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A feature that is active at a position. Ordered by layer, position, feature, as circuit-tracer orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeatureAt {
    /// The layer that the feature reads from.
    pub layer: Layer,
    /// Where it is active.
    pub position: Position,
    /// Which feature of the layer it is.
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

/// Whether a target is a token's logit, a direction given by the person, or a feature's pre-activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// The demeaned unembedding column of a token.
    Token,
    /// A direction at the final norm's output, as given.
    Direction,
    /// The pre-activation of a feature, which need not be active.
    Feature(FeatureAt),
}

/// An output that is traced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The vocabulary index; of what is no token, vocabulary size + its index among the targets.
    pub id: u32,
    /// Which of these it is.
    pub kind: TargetKind,
    /// The softmax probability; of what is no token, its weight.
    pub probability: f32,
    /// The token's text, or what it is called.
    pub text: String,
}

/// Which target a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowTarget {
    /// An index into [`RawTrace::targets`].
    Logit(u32),
    /// An index into [`RawTrace::active`].
    Feature(u32),
}

/// Direct effects, one row a target. Columns: the A active features (layer, position, feature), then the L * P error
/// nodes (layer-major), then the P tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Every entry, row after row.
    Dense {
        /// `[rows, columns]`
        values: Vec<f32>,
    },
    /// The entries that carry all but a share of each row's absolute sum.
    Sparse {
        /// `[rows + 1]`: where each row starts in `columns` and `values`.
        starts: Vec<u64>,
        /// Ascending within a row.
        columns: Numbers<u32>,
        /// The direct effects.
        values: Numbers<f32>,
        /// `[rows]`: the share of each row's absolute sum that was left out.
        dropped: Vec<f32>,
    },
}

impl Rows {
    /// No rows yet.
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

/// Everything a trace computed, over all active sources: what later resumes it, prunes it otherwise, or checks it.
///
/// `L` layers, `P` positions, `A` active features, `K` targets, `d` residual width, `V` vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTrace {
    /// Layers of the model, `L`.
    pub n_layers: usize,
    /// The prompt as the model reads it, leading special token included, `[P]`.
    pub tokens: Vec<Token>,
    /// Every active feature, ascending, `[A]`.
    pub active: Vec<FeatureAt>,
    /// Their activations, `[A]`.
    pub activations: Vec<f32>,
    /// L2 norms of the error vectors, `[L * P]`, layer-major.
    pub error_norms: Vec<f32>,
    /// Logits at the last position, after a final softcap where there is one, `[V]`.
    pub final_logits: Vec<f32>,
    /// The outputs that are traced, `[K]`.
    pub targets: Vec<Target>,
    /// The injected directions, `[K, d]`: of a feature, its encoder's row.
    pub target_vectors: Vec<f32>,
    /// Whose row each row is: the targets first, then features, round after round of the ranking and within a round
    /// from the top layer down.
    pub row_targets: Vec<RowTarget>,
    /// Direct effects on each row's target.
    pub rows: Rows,
    /// For each row the sum of absolute direct effects over all columns.
    pub row_abs_sums: Vec<f64>,
    /// For each row what flows from constants (biases, decoder biases, zeroed positions).
    pub row_constants: Vec<f32>,
    /// For each row the target's value in the forward pass: a feature's pre-activation, a logit target's demeaned
    /// logit before the final softcap.
    pub row_values: Vec<f32>,
    /// How many features the ranking was to pick; fewer have rows where the trace is partial.
    pub wanted_features: usize,
    /// How it was made.
    pub settings: Settings,
    /// How the work was cut, where this program did it.
    pub cut: Option<Cut>,
    /// What it was made from.
    pub provenance: Provenance,
}

/// The choices a trace was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The prompt as it was typed; of tokens that were given as ids or cut, their texts one after another.
    pub prompt: String,
    /// At most this many features get a row; `None` for all.
    pub max_feature_nodes: Option<usize>,
    /// Features a ranking batch; steers the ranking only.
    pub batch_size: usize,
    /// Batches between two rankings.
    pub update_interval: usize,
    /// At most this many logits are traced.
    pub max_logits: usize,
    /// Logits are traced until their probabilities add up to this.
    pub logit_probability: f32,
}

impl Default for Settings {
    /// Those of circuit-tracer, with an empty prompt.
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

/// How the work was cut into pieces, which decides over the last bits of the rows: going on from a trace takes it over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// Rows computed together.
    pub block_rows: usize,
    /// What sparse rows leave out at most, as a share of each row's absolute sum; `None` where rows are kept in full.
    pub dropped_share: Option<f64>,
}

/// What a trace was made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of this program.
    pub program_version: String,
    /// The model's name, as its configuration or directory says.
    pub model: String,
    /// The transcoder set's name (`scan`), as its configuration or directory says.
    pub transcoder: String,
    /// SHA-256 of the small files and of each weight file's header, by path relative to its directory.
    pub file_hashes: std::collections::BTreeMap<String, String>,
    /// The type that was computed in.
    pub dtype: String,
    /// Where it was computed.
    pub device: String,
    /// What was odd about the model, its tokenizer or its transcoder; sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl RawTrace {
    /// Number of token positions, `P`.
    pub fn n_positions(&self) -> usize {
        self.tokens.len()
    }

    /// Number of columns of a row: `A + L * P + P`.
    pub fn n_columns(&self) -> usize {
        self.active.len() + (self.n_layers + 1) * self.n_positions()
    }

    /// Whether the trace was stopped before every wanted feature had its row.
    pub fn is_partial(&self) -> bool {
        self.visit_order().count() < self.wanted_features
    }

    /// The features that have rows, as indices into [`RawTrace::active`], in the order of their rows.
    pub fn visit_order(&self) -> impl Iterator<Item = u32> + '_ {
        self.row_targets.iter().filter_map(|row| match row {
            RowTarget::Feature(index) => Some(*index),
            RowTarget::Logit(_) => None,
        })
    }
}
