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
//! `rows[r, c]` is the direct effect of the source in row `c` of `sources` on the target of row `r`. `P` positions, `A`
//! active features, `B` error nodes, `C = A + B + P` sources, `K` targets, `R` rows (targets first, then features, round
//! after round of the ranking and within a round from the top layer down), `d` residual width, `V` vocabulary, `S`
//! features that have rows, `E` stored entries:
//!
//! | tensor | type | what |
//! | --- | --- | --- |
//! | `input_tokens` | I64 `[P]` | the prompt, leading special token included |
//! | `sources` | I64 `[C, 6]` | kind (0 active feature, 1 error, 2 token), layer, module (0 attention, 1 MLP, 2 the layer as a whole), dictionary, position, index of the feature; -1 where a source has none. Features come first, then errors, then tokens, each ascending |
//! | `activation_values` | F32 `[A]` | activations of the features |
//! | `error_norms` | F32 `[B]` | L2 norms of the error vectors |
//! | `final_logits` | F32 `[V]` | logits at the last position |
//! | `logit_target_ids` | I64 `[K]` | vocabulary ids; a direction has `V` + its index |
//! | `logit_probabilities` | F32 `[K]` | softmax probability, or a direction's weight |
//! | `logit_vectors` | F32 `[K, d]` | the injected directions |
//! | `row_kinds` | U8 `[R]` | 0 where a row belongs to a target, 1 where to a feature |
//! | `row_index` | I64 `[R]` | which target, or which row of `sources` |
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
//!
//! Version 1 is read too. In place of `sources` it has `active_features`, I64 `[A, 3]` (layer, position, feature of the
//! MLPs' transcoder), and its columns are these, then the errors of every layer's MLP at every position, layer-major,
//! then the tokens; its `error_norms` are `[L, P]`.

use crate::format::tensors::{self, Reader, Tensor};
use crate::format::{FormatError, selected_features};
use crate::graph::{
    Cut, FeatureAt, Module, Provenance, RawTrace, RowTarget, Rows, Settings, Site, Source, Sources, Target, TargetKind,
    Token,
};
use crate::ids::{FeatureId, Layer, Position};
use crate::untrusted::json_fault;
use serde::{Deserialize, Serialize};
use std::path::Path;

const KEY: &str = "circuitscope";
const VERSION: u64 = 2;
/// Oldest version that is read.
const OLDEST: u64 = 1;

/// Kinds of a source, as numbers.
const FEATURE: i64 = 0;
const ERROR: i64 = 1;
const TOKEN: i64 = 2;
/// Modules of a site, by their numbers.
const MODULES: [Module; 3] = [Module::Attention, Module::Mlp, Module::Block];

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
        Tensor::new("sources", [trace.n_columns(), 6], trace.sources.iter().flat_map(described)),
        Tensor::new("error_norms", [trace.error_norms.len()], trace.error_norms.iter().copied()),
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
    vec![
        Tensor::new("input_tokens", [trace.tokens.len()], trace.tokens.iter().map(|token| i64::from(token.id))),
        Tensor::new("activation_values", [trace.activations.len()], trace.activations.iter().copied()),
        Tensor::new("selected_features", [n_selected], selected_features(trace).into_iter().map(i64::from)),
        Tensor::new("visit_order", [n_selected], trace.visit_order().map(i64::from)),
        Tensor::new("logit_target_ids", [n_targets], trace.targets.iter().map(|target| i64::from(target.id))),
        Tensor::new("logit_probabilities", [n_targets], trace.targets.iter().map(|target| target.probability)),
        Tensor::new("logit_vectors", [n_targets, width], trace.target_vectors.iter().copied()),
        Tensor::new("final_logits", [trace.final_logits.len()], trace.final_logits.iter().copied()),
    ]
}

/// Returns a source's row in `sources`.
fn described(source: Source) -> [i64; 6] {
    let of = |kind: i64, site: Site, position: Position, index: i64| {
        let module = MODULES.iter().position(|module| *module == site.module).map_or(-1, |at| at as i64);
        [kind, site.layer.0.into(), module, site.dictionary.into(), position.0.into(), index]
    };
    match source {
        Source::Feature(FeatureAt { site, position, feature }) => of(FEATURE, site, position, feature.0.into()),
        Source::Error(site, position) => of(ERROR, site, position, -1),
        Source::Token(position) => [TOKEN, -1, -1, -1, position.0.into(), -1],
    }
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
    if !(OLDEST..=VERSION).contains(&found) {
        return Err(FormatError::Version { path: file.path().to_owned(), found, known: VERSION });
    }
    serde_json::from_str(about).map_err(unreadable)
}

fn parts(file: &mut Reader, about: About) -> Result<RawTrace, FormatError> {
    let (n_positions, n_targets) = (about.token_texts.len(), about.targets.len());
    let ids = u32s(file, "input_tokens", Some(n_positions))?;
    let tokens = ids.into_iter().zip(about.token_texts).map(|(id, text)| Token { id, text }).collect();
    let (sources, error_norms) = match about.format_version {
        1 => {
            // Where there are so many norms, there may be so many layers.
            let norms = file.read("error_norms", &[Some(about.n_layers), Some(n_positions)])?;
            (sources_of_version_1(file, about.n_layers, n_positions)?, norms)
        }
        _ => {
            let sources = sources(file, n_positions)?;
            let norms = file.read("error_norms", &[Some(sources.errors.len())])?;
            (sources, norms)
        }
    };
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
        activations: file.read("activation_values", &[Some(sources.features.len())])?,
        sources,
        error_norms,
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

/// Reads the table of sources of a prompt of `n_positions` tokens.
fn sources(file: &mut Reader, n_positions: usize) -> Result<Sources, FormatError> {
    let rows = file.read::<i64>("sources", &[None, Some(6)])?;
    let mut sources = Sources::default();
    for (nth, row) in rows.chunks_exact(6).enumerate() {
        let Some(source) = source(row) else {
            return Err(file.damaged(format!("row {nth} of its sources is {row:?}, which is no source")));
        };
        let is_last = match source {
            Source::Feature(at) => {
                sources.features.push(at);
                sources.errors.is_empty() && sources.n_tokens == 0
            }
            Source::Error(site, position) => {
                sources.errors.push((site, position));
                sources.n_tokens == 0
            }
            Source::Token(position) => {
                sources.n_tokens += 1;
                position.index() + 1 == sources.n_tokens
            }
        };
        if !is_last {
            return Err(file.damaged(format!("row {nth} of its sources, {source}, is out of order")));
        }
    }
    if sources.n_tokens != n_positions {
        let found = sources.n_tokens;
        return Err(file.damaged(format!("its sources have {found} tokens, and its prompt has {n_positions}")));
    }
    Ok(sources)
}

/// Reads a row of `sources`; `None` where it is none.
fn source(row: &[i64]) -> Option<Source> {
    let &[kind, layer, module, dictionary, position, index] = row else { return None };
    let number = |value: i64| u32::try_from(value).ok();
    let position = Position(number(position)?);
    let site = || {
        let module = *MODULES.get(usize::try_from(module).ok()?)?;
        Some(Site { layer: Layer(number(layer)?), module, dictionary: u16::try_from(dictionary).ok()? })
    };
    match kind {
        FEATURE => Some(Source::Feature(FeatureAt { site: site()?, position, feature: FeatureId(number(index)?) })),
        ERROR => Some(Source::Error(site()?, position)),
        TOKEN => Some(Source::Token(position)),
        _ => None,
    }
}

/// Makes the table of sources of a file of version 1, whose columns followed from its numbers of layers and positions.
fn sources_of_version_1(file: &mut Reader, n_layers: usize, n_positions: usize) -> Result<Sources, FormatError> {
    let places = small(file, "active_features", &[None, Some(3)])?;
    let feature = |at: &[u32]| FeatureAt::mlp(Layer(at[0]), Position(at[1]), FeatureId(at[2]));
    let features = places.chunks_exact(3).map(feature).collect();
    Ok(Sources::new(features, (0..n_layers).map(|layer| Site::mlp(layer.into())), n_positions))
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
