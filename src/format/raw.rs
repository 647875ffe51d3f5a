//! The raw container: everything a trace computed, in one safetensors file.
//!
//! Python reads it in three lines:
//!
//! ```python
//! import json, safetensors
//! file = safetensors.safe_open("trace.safetensors", "np")
//! rows, about = file.get_tensor("rows"), json.loads(file.metadata()["circuitscope"])
//! ```
//!
//! `rows[r, c]` is the direct effect of source `c` on the target of row `r`. `L` layers, `P` positions, `A` active
//! features, `K` targets, `R` rows (targets first, then features, round after round of the ranking and within a round
//! from the top layer down),
//! `C = A + L * P + P` columns (active features, errors layer-major, tokens), `d` residual width, `V` vocabulary,
//! `S` features that have rows, `E` stored entries:
//!
//! | tensor | type | what |
//! | --- | --- | --- |
//! | `input_tokens` | I64 `[P]` | the prompt, leading special token included |
//! | `active_features` | I64 `[A, 3]` | layer, position, feature, ascending |
//! | `activation_values` | F32 `[A]` | their activations |
//! | `error_norms` | F32 `[L, P]` | L2 norms of the error vectors |
//! | `final_logits` | F32 `[V]` | logits at the last position |
//! | `logit_target_ids` | I64 `[K]` | vocabulary ids; a direction has `V` + its index |
//! | `logit_probabilities` | F32 `[K]` | softmax probability, or a direction's weight |
//! | `logit_vectors` | F32 `[K, d]` | the injected directions |
//! | `row_kinds` | U8 `[R]` | 0 where a row belongs to a target, 1 where to a feature |
//! | `row_index` | I64 `[R]` | which target, or which row of `active_features` |
//! | `visit_order` | I64 `[S]` | the features that have rows, in the order of their rows |
//! | `selected_features` | I64 `[S]` | the same, ascending |
//! | `row_abs_sums` | F64 `[R]` | absolute sum of a row over all columns |
//! | `row_constants` | F32 `[R]` | flow from constants |
//! | `row_pre_activations` | F32 `[R]` | the target's value; it equals the sum of its row plus `row_constants` |
//! | `rows` | F32 `[R, C]` | direct effects; or, where the trace is sparse, the four below |
//! | `row_starts` | U64 `[R + 1]` | where each row starts in the next two |
//! | `row_columns` | U32 `[E]` | columns, ascending within a row |
//! | `row_values` | F32 `[E]` | direct effects |
//! | `row_dropped` | F32 `[R]` | the share of `row_abs_sums` that is not stored |
//!
//! The metadata key `circuitscope` holds JSON: `format_version`, `n_layers`, `token_texts`, `targets` (kind and text),
//! `wanted_features`, `settings`, `cut` (rows a block, and the share that sparse rows leave out), `provenance`.

use crate::format::tensors::{self, Reader, Tensor};
use crate::format::{FormatError, selected_features};
use crate::graph::{Cut, FeatureAt, Provenance, RawTrace, RowTarget, Rows, Settings, Target, TargetKind, Token};
use crate::ids::{FeatureId, Layer, Position};
use crate::untrusted::json_fault;
use serde::{Deserialize, Serialize};
use std::path::Path;

const KEY: &str = "circuitscope";
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct About {
    format_version: u64,
    n_layers: usize,
    token_texts: Vec<String>,
    targets: Vec<AboutTarget>,
    wanted_features: usize,
    settings: Settings,
    cut: Option<Cut>,
    provenance: Provenance,
}

/// Fields of a target that are no tensors.
#[derive(Serialize, Deserialize)]
struct AboutTarget {
    kind: TargetKind,
    text: String,
}

/// The version alone: of a newer file nothing else may be assumed.
#[derive(Deserialize)]
struct AboutVersion {
    format_version: u64,
}

/// Writes a trace, whole or not at all, without a second copy of its rows.
///
/// # Errors
/// Fails with [`FormatError::Unsound`] where the trace's parts do not fit each other; with [`FormatError::DiskFull`] or
/// [`FormatError::Write`] where it cannot be written, and then nothing is left behind.
pub fn write(path: &Path, trace: &RawTrace) -> Result<(), FormatError> {
    trace.validate().map_err(|error| FormatError::Unsound { path: path.to_owned(), error })?;
    let about = About {
        format_version: VERSION,
        n_layers: trace.n_layers,
        token_texts: trace.tokens.iter().map(|token| token.text.clone()).collect(),
        targets: trace
            .targets
            .iter()
            .map(|target| AboutTarget { kind: target.kind, text: target.text.clone() })
            .collect(),
        wanted_features: trace.wanted_features,
        settings: trace.settings.clone(),
        cut: trace.cut.clone(),
        provenance: trace.provenance.clone(),
    };
    let about = serde_json::to_string(&about).map_err(|error| FormatError::writing(path, error.into()))?;
    let n_rows = trace.row_targets.len();
    let mut all = shared_tensors(trace);
    all.extend([
        Tensor::new("row_kinds", [n_rows], trace.row_targets.iter().map(|target| split(*target).0)),
        Tensor::new("row_index", [n_rows], trace.row_targets.iter().map(|target| split(*target).1)),
        Tensor::new("row_abs_sums", [n_rows], trace.row_abs_sums.iter().copied()),
        Tensor::new("row_constants", [n_rows], trace.row_constants.iter().copied()),
        Tensor::new("row_pre_activations", [n_rows], trace.row_values.iter().copied()),
    ]);
    match &trace.rows {
        Rows::Dense { values } => {
            all.push(Tensor::new("rows", [n_rows, trace.n_columns()], values.iter().copied()));
        }
        Rows::Sparse { starts, columns, values, dropped } => all.extend([
            Tensor::new("row_starts", [starts.len()], starts.iter().copied()),
            Tensor::new("row_columns", [columns.len()], columns.each()),
            Tensor::new("row_values", [values.len()], values.each()),
            Tensor::new("row_dropped", [dropped.len()], dropped.iter().copied()),
        ]),
    }
    tensors::write(path, Some((KEY, about)), all)
}

/// Returns the tensors that the raw container and the dense export have in common.
pub(super) fn shared_tensors(trace: &RawTrace) -> Vec<Tensor<'_>> {
    let (n_targets, n_selected) = (trace.targets.len(), trace.visit_order().count());
    let width = trace.target_vectors.len() / n_targets.max(1);
    let places = |at: &FeatureAt| [at.layer.0, at.position.0, at.feature.0].map(i64::from);
    vec![
        Tensor::new("input_tokens", [trace.tokens.len()], trace.tokens.iter().map(|token| i64::from(token.id))),
        Tensor::new("active_features", [trace.active.len(), 3], trace.active.iter().flat_map(places)),
        Tensor::new("activation_values", [trace.active.len()], trace.activations.iter().copied()),
        Tensor::new("selected_features", [n_selected], selected_features(trace).into_iter().map(i64::from)),
        Tensor::new("visit_order", [n_selected], trace.visit_order().map(i64::from)),
        Tensor::new("logit_target_ids", [n_targets], trace.targets.iter().map(|target| i64::from(target.id))),
        Tensor::new("logit_probabilities", [n_targets], trace.targets.iter().map(|target| target.probability)),
        Tensor::new("logit_vectors", [n_targets, width], trace.target_vectors.iter().copied()),
        Tensor::new("error_norms", [trace.n_layers, trace.n_positions()], trace.error_norms.iter().copied()),
        Tensor::new("final_logits", [trace.final_logits.len()], trace.final_logits.iter().copied()),
    ]
}

fn split(target: RowTarget) -> (u8, i64) {
    match target {
        RowTarget::Logit(index) => (0, index.into()),
        RowTarget::Feature(index) => (1, index.into()),
    }
}

/// Reads a trace and checks every part of it.
///
/// # Errors
/// Fails with [`FormatError::Read`]; with [`FormatError::Other`] where it is no raw graph; with
/// [`FormatError::Version`]; with [`FormatError::Damaged`] where anything in it is missing, cut off, out of range or
/// not finite.
pub fn read(path: &Path) -> Result<RawTrace, FormatError> {
    let mut file = Reader::open(path)?;
    let about = about(&file)?;
    let trace = parts(&mut file, about)?;
    trace.validate().map_err(|error| file.damaged(error.to_string()))?;
    Ok(trace)
}

/// Origin of a raw graph, without its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Choices that it was made with.
    pub settings: Settings,
    /// Versions, model and transcoder that it was made with.
    pub provenance: Provenance,
    /// Number of tokens of the prompt.
    pub n_positions: usize,
    /// Traced outputs: their kinds and texts.
    pub targets: Vec<(TargetKind, String)>,
    /// True where the trace was stopped before every wanted feature had its row.
    pub is_partial: bool,
}

/// Reads the origin of a raw graph.
///
/// # Errors
/// As [`read`], as far as the file's header tells.
pub fn summary(path: &Path) -> Result<Summary, FormatError> {
    let file = Reader::open(path)?;
    let About { wanted_features, settings, provenance, targets, token_texts, .. } = about(&file)?;
    let Some([n_selected]) = file.shape("selected_features") else {
        return Err(file.damaged("it has no list of selected features"));
    };
    let targets = targets.into_iter().map(|target| (target.kind, target.text)).collect();
    let is_partial = *n_selected < wanted_features;
    Ok(Summary { settings, provenance, n_positions: token_texts.len(), targets, is_partial })
}

/// Returns the model that a trace was made from, without reading the trace.
///
/// # Errors
/// As [`read`], where the file's header is not that of a raw graph.
pub fn model(path: &Path) -> Result<String, FormatError> {
    Ok(about(&Reader::open(path)?)?.provenance.model)
}

fn about(file: &Reader) -> Result<About, FormatError> {
    let Some(about) = file.metadata(KEY) else {
        let found = if file.shape("adjacency_matrix").is_some() {
            "it is a dense export, which cannot be opened again".into()
        } else {
            format!("its metadata has no entry `{KEY}`")
        };
        return Err(FormatError::Other { path: file.path().to_owned(), wanted: "a raw graph", found });
    };
    let unreadable = |error: serde_json::Error| file.damaged(format!("of its metadata, {}", json_fault(&error)));
    let AboutVersion { format_version: found } = serde_json::from_str(about).map_err(unreadable)?;
    if found != VERSION {
        return Err(FormatError::Version { path: file.path().to_owned(), found, known: VERSION });
    }
    serde_json::from_str(about).map_err(unreadable)
}

fn parts(file: &mut Reader, about: About) -> Result<RawTrace, FormatError> {
    let (n_positions, n_targets) = (about.token_texts.len(), about.targets.len());
    let ids = u32s(file, "input_tokens", Some(n_positions))?;
    let tokens = ids.into_iter().zip(about.token_texts).map(|(id, text)| Token { id, text }).collect();
    let places = small(file, "active_features", &[None, Some(3)])?;
    let active: Vec<_> = places
        .chunks_exact(3)
        .map(|at| FeatureAt { layer: Layer(at[0]), position: Position(at[1]), feature: FeatureId(at[2]) })
        .collect();
    let target_ids = u32s(file, "logit_target_ids", Some(n_targets))?;
    let probabilities = file.read::<f32>("logit_probabilities", &[Some(n_targets)])?;
    let targets = about.targets.into_iter().zip(target_ids).zip(probabilities);
    let targets = targets
        .map(|((target, id), probability)| Target { id, kind: target.kind, probability, text: target.text })
        .collect();
    let row_targets = row_targets(file)?;
    let n_rows = row_targets.len();
    let trace = RawTrace {
        n_layers: about.n_layers,
        tokens,
        activations: file.read("activation_values", &[Some(active.len())])?,
        active,
        error_norms: file.read("error_norms", &[Some(about.n_layers), Some(n_positions)])?,
        final_logits: file.read("final_logits", &[None])?,
        targets,
        target_vectors: file.read("logit_vectors", &[Some(n_targets), None])?,
        row_targets,
        rows: rows(file, n_rows)?,
        row_abs_sums: file.read("row_abs_sums", &[Some(n_rows)])?,
        row_constants: file.read("row_constants", &[Some(n_rows)])?,
        row_values: file.read("row_pre_activations", &[Some(n_rows)])?,
        wanted_features: about.wanted_features,
        settings: about.settings,
        cut: about.cut,
        provenance: about.provenance,
    };
    let n_selected = trace.visit_order().count();
    if !u32s(file, "visit_order", Some(n_selected))?.into_iter().eq(trace.visit_order())
        || u32s(file, "selected_features", Some(n_selected))? != selected_features(&trace)
    {
        return Err(file.damaged("its visit order or selected features are not those of its rows"));
    }
    Ok(trace)
}

fn row_targets(file: &mut Reader) -> Result<Vec<RowTarget>, FormatError> {
    let kinds = file.read::<u8>("row_kinds", &[None])?;
    let index = u32s(file, "row_index", Some(kinds.len()))?;
    let target = |(kind, index)| match kind {
        0 => Ok(RowTarget::Logit(index)),
        1 => Ok(RowTarget::Feature(index)),
        _ => Err(file.damaged(format!("a row is of kind {kind}, and there are 0 (target) and 1 (feature)"))),
    };
    kinds.into_iter().zip(index).map(target).collect()
}

fn rows(file: &mut Reader, n_rows: usize) -> Result<Rows, FormatError> {
    if file.shape("rows").is_some() {
        return Ok(Rows::Dense { values: file.read("rows", &[Some(n_rows), None])? });
    }
    Ok(Rows::Sparse {
        starts: file.read("row_starts", &[Some(n_rows + 1)])?,
        columns: file.read::<u32>("row_columns", &[None])?.into(),
        values: file.read::<f32>("row_values", &[None])?.into(),
        dropped: file.read("row_dropped", &[Some(n_rows)])?,
    })
}

fn u32s(file: &mut Reader, name: &str, length: Option<usize>) -> Result<Vec<u32>, FormatError> {
    small(file, name, &[length])
}

/// Reads whole numbers that have to fit into 32 bits; files hold them in 64 as circuit-tracer does.
fn small(file: &mut Reader, name: &str, shape: &[Option<usize>]) -> Result<Vec<u32>, FormatError> {
    let wide = file.read::<i64>(name, shape)?;
    let narrow = |value: i64| {
        u32::try_from(value).map_err(|_| file.damaged(format!("tensor {name} holds {value}, which is out of range")))
    };
    wide.into_iter().map(narrow).collect()
}
