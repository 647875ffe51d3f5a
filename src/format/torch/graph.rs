//! The graph in circuit-tracer's dict, or in that of CLT-Forge, which holds circuit-tracer's matrix under names of its
//! own: features as position, layer, index in `feature_indices`, the texts of tokens in `token_string` and of logits in
//! `logit_token_strings`, no activations, and mostly no number of layers.

use super::pickle::{Pickle, Ref, Value};
use super::tensor::{Archive, Tensor};
use crate::format::FormatError;
use crate::graph::{AttributionGraph, Document, Edited, GraphInfo, Node, NodeKind, Origin, Thresholds, Token};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use std::path::Path;
use std::sync::Arc;

/// Bytes of the longest pickle, above that of any graph: it holds the names of tensors, a configuration, and in
/// CLT-Forge's files the results of interventions on each feature.
const MAX_PICKLE: usize = 64 << 20;

/// Reads the graph in `bytes`, the content of the file `path`.
///
/// circuit-tracer's file has the ids of tokens and not their texts, so that a token is shown as `#` and its id.
///
/// # Errors
/// Fails with [`FormatError::Damaged`], with the fault and its place.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Document, FormatError> {
    document(bytes).map_err(|what| FormatError::Damaged { path: path.to_owned(), what })
}

fn document(bytes: &[u8]) -> Result<Document, String> {
    let archive = Archive::open(bytes)?;
    let pickled = archive.member("data.pkl").unwrap_or_default();
    if pickled.len() > MAX_PICKLE {
        return Err(format!("its pickle has {} bytes; a graph's has at most {MAX_PICKLE}", pickled.len()));
    }
    let pickle = Pickle::run(pickled)?;
    let Value::Dict(_) = pickle.get(pickle.top) else { return Err("it holds no dict, as a graph is saved".into()) };
    let file = Saved { archive, pickle };
    let parts = file.parts()?;
    let nodes = file.nodes(&parts)?;
    let (n_nodes, matrix) = (nodes.len(), file.tensor("adjacency_matrix")?);
    if matrix.size != [n_nodes, n_nodes] {
        return Err(format!(
            "its adjacency_matrix is {:?}, and its {n_nodes} nodes need a square of that",
            matrix.size
        ));
    }
    if let Some(row) = parts.without_inputs().find(|row| (0..n_nodes).any(|source| matrix.float(*row, source) != 0.0)) {
        return Err(format!(
            "row {row} of its adjacency_matrix is that of an error or a token and has inputs, so that its features are not \
             those of the matrix"
        ));
    }
    // Rows are targets; most entries are zero, and are skipped before anything is kept.
    let edges = (0..n_nodes).flat_map(|target| {
        let matrix = &matrix;
        (0..n_nodes).filter_map(move |source| {
            let weight = matrix.float(target, source);
            (weight != 0.0).then(|| (NodeId::from(source), NodeId::from(target), weight))
        })
    });
    let texts = file.texts("token_string", parts.tokens.len());
    let text =
        |(at, &id): (usize, &u32)| Token { id, text: texts.get(at).cloned().unwrap_or_else(|| format!("#{id}")) };
    let tokens = parts.tokens.iter().enumerate().map(text).collect();
    let info = GraphInfo { n_layers: parts.n_layers, tokens, partial: false };
    let graph = AttributionGraph::from_edges(info, nodes, edges).map_err(|error| error.to_string())?;
    Ok(Document {
        origin: Arc::new(file.origin()),
        graph: Arc::new(graph),
        trace: None,
        labels: Arc::default(),
        edited: Arc::new(Edited { thresholds: Thresholds::default(), ..Edited::default() }),
        occurrences: None,
        densities: Arc::default(),
        foreign: Arc::default(),
    })
}

struct Saved<'a> {
    archive: Archive<'a>,
    pickle: Pickle<'a>,
}

/// Parts that determine the number of nodes.
struct Parts {
    n_layers: usize,
    tokens: Vec<u32>,
    /// Rows of `active_features`, ascending.
    selected: Vec<u32>,
    /// Targets: vocabulary index and text.
    targets: Vec<(u32, String)>,
}

impl Parts {
    /// Returns the rows of errors and tokens.
    fn without_inputs(&self) -> std::ops::Range<usize> {
        let first = self.selected.len();
        first..first + (self.n_layers + 1) * self.tokens.len()
    }
}

/// Active features of a file, and the order of their columns.
struct Active<'a> {
    name: &'static str,
    tensor: Tensor<'a>,
    /// Columns of layer, position and index.
    columns: [usize; 3],
}

impl<'a> Saved<'a> {
    fn entry(&self, name: &str) -> Option<Ref> {
        let present = |at: &Ref| *self.pickle.get(*at) != Value::None;
        self.pickle.entry(self.pickle.top, name).filter(present)
    }

    fn tensor(&self, name: &str) -> Result<Tensor<'a>, String> {
        let at = self.entry(name).ok_or_else(|| format!("it has no {name}"))?;
        Tensor::of(&self.archive, &self.pickle, at).map_err(|wrong| format!("its {name} {wrong}"))
    }

    fn numbers(&self, name: &str) -> Result<Vec<u32>, String> {
        let tensor = self.tensor(name)?;
        let number = |at| tensor.small(at).ok_or_else(|| format!("its {name}[{at}] is no whole number in range"));
        (0..tensor.count()).map(number).collect()
    }

    /// Returns the texts of a list, if they are as many as wanted; else none.
    fn texts(&self, name: &str, wanted: usize) -> Vec<String> {
        let items = self.entry(name).and_then(|at| self.pickle.items(at)).unwrap_or_default();
        let texts = items.iter().map(|at| self.pickle.text(*at).map(str::to_owned)).collect::<Option<Vec<_>>>();
        texts.filter(|texts| texts.len() == wanted).unwrap_or_default()
    }

    fn active(&self) -> Result<Active<'a>, String> {
        let (name, columns) = match self.entry("active_features") {
            None if self.entry("feature_indices").is_some() => ("feature_indices", [1, 0, 2]),
            _ => ("active_features", [0, 1, 2]),
        };
        let tensor = self.tensor(name)?;
        if tensor.size[1] != 3 {
            return Err(format!("its {name} are {:?}, not three numbers a feature", tensor.size));
        }
        Ok(Active { name, tensor, columns })
    }

    /// Returns the file's number of layers, behind the name of the entry that gives it.
    fn said_layers(&self) -> Option<(&'static str, i64)> {
        let configured = || self.entry("cfg").and_then(|cfg| self.pickle.attribute(cfg, "n_layers"));
        let said = self.entry("n_layers").map(|at| ("n_layers", at)).or_else(|| Some(("cfg", configured()?)))?;
        Some((said.0, self.pickle.int(said.1)?))
    }

    fn parts(&self) -> Result<Parts, String> {
        self.entry("adjacency_matrix").ok_or_else(|| self.no_graph())?;
        let tokens = self.numbers("input_tokens")?;
        let n_active = self.active()?.tensor.size[0];
        let selected = match self.entry("selected_features") {
            Some(_) => self.numbers("selected_features")?,
            None => (0..n_active as u32).collect(),
        };
        let targets = self.targets()?;
        let n_nodes = self.tensor("adjacency_matrix")?.size[0];
        // What neither features, tokens nor targets take up are errors, of which a layer has one a token.
        let n_errors = n_nodes.checked_sub(selected.len() + tokens.len() + targets.len());
        let n_layers = match n_errors {
            Some(errors) if !tokens.is_empty() && errors % tokens.len() == 0 => errors / tokens.len(),
            _ => {
                return Err(format!(
                    "its adjacency_matrix has {n_nodes} rows, which {} features, {} tokens and {} targets leave no \
                     whole number of layers of",
                    selected.len(),
                    tokens.len(),
                    targets.len()
                ));
            }
        };
        if let Some((says, said)) = self.said_layers()
            && usize::try_from(said) != Ok(n_layers)
        {
            return Err(format!("its {says} says {said} layers, and its adjacency_matrix has room for {n_layers}"));
        }
        Ok(Parts { n_layers, tokens, selected, targets })
    }

    /// Describes a file that has no matrix.
    fn no_graph(&self) -> String {
        let Value::Dict(entries) = self.pickle.get(self.pickle.top) else { return "it holds no dict".into() };
        let names: Vec<&str> = entries.iter().filter_map(|(key, _)| self.pickle.text(*key)).take(4).collect();
        format!("it has no adjacency_matrix, as a graph of circuit-tracer has; it holds {}", names.join(", "))
    }

    /// Reads the targets: a tensor of vocabulary indices, or a list of records with a text and an index. Older files
    /// and CLT-Forge call them `logit_tokens`; an index beyond the vocabulary is a direction.
    fn targets(&self) -> Result<Vec<(u32, String)>, String> {
        let name = if self.entry("logit_targets").is_some() { "logit_targets" } else { "logit_tokens" };
        let at = self.entry(name).ok_or("it has no logit_targets")?;
        let n_vocabulary = self.entry("vocab_size").and_then(|at| self.pickle.int(at));
        let text = |id: u32| match n_vocabulary {
            Some(n_vocabulary) if i64::from(id) >= n_vocabulary => {
                format!("direction {}", i64::from(id) - n_vocabulary)
            }
            _ => format!("#{id}"),
        };
        let Value::List(records) = self.pickle.get(at) else {
            let ids = self.numbers(name)?;
            let texts = self.texts("logit_token_strings", ids.len());
            let texts = texts.into_iter().map(Some).chain(std::iter::repeat(None));
            return Ok(ids.into_iter().zip(texts).map(|(id, given)| (id, given.unwrap_or_else(|| text(id)))).collect());
        };
        let target = |(at, record): (usize, &Ref)| {
            let (token, index) = self.record(*record);
            let index = index.and_then(|index| u32::try_from(index).ok());
            let id = index.ok_or_else(|| format!("its {name}[{at}] has no vocabulary index"))?;
            Ok((id, token.filter(|token| !token.is_empty()).map_or_else(|| text(id), str::to_owned)))
        };
        records.iter().enumerate().map(target).collect()
    }

    /// Reads `LogitTarget(token_str, vocab_idx)`, as a named tuple, or as an object whose attributes are a dict or
    /// stand in their order.
    fn record(&self, at: Ref) -> (Option<&'a str>, Option<i64>) {
        let pickle = &self.pickle;
        let (arguments, state) = match *pickle.get(at) {
            Value::Int(id) => return (None, Some(id)),
            Value::Call { arguments, state, .. } => (Some(arguments), state),
            _ => (Some(at), None),
        };
        let in_order = |at: Ref| match pickle.items(at)? {
            [text, id, ..] => Some((pickle.text(*text), Some(pickle.int(*id)?))),
            _ => None,
        };
        let by_name = || {
            let text = pickle.attribute(at, "token_str").and_then(|text| pickle.text(text));
            (text, pickle.attribute(at, "vocab_idx").and_then(|id| pickle.int(id)))
        };
        arguments.and_then(in_order).or_else(|| state.and_then(in_order)).unwrap_or_else(by_name)
    }

    /// Returns the nodes in the order of the matrix.
    fn nodes(&self, parts: &Parts) -> Result<Vec<Node>, String> {
        let Active { name, tensor: active, columns } = self.active()?;
        let activations = self.entry("activation_values").map(|_| self.tensor("activation_values")).transpose()?;
        let activation_of = |place: usize, row: usize| {
            let Some(values) = &activations else { return Ok(None) };
            let by_selection = values.count() == parts.selected.len() && values.count() != active.size[0];
            let at = if by_selection { place } else { row };
            if at >= values.count() {
                return Err(format!("its activation_values are {}, which leaves out [{at}]", values.count()));
            }
            let value = values.float(at / values.size[1], at % values.size[1]);
            Ok(Some(value).filter(|value| value.is_finite()))
        };
        let feature = |(place, &index): (usize, &u32)| {
            let row = index as usize;
            let at = |what: usize| {
                active.small(row * 3 + columns[what]).ok_or_else(|| format!("its {name}[{row}] is out of range"))
            };
            if row >= active.size[0] {
                return Err(format!("its selected_features[{place}] is {row}, and {} are active", active.size[0]));
            }
            let kind =
                NodeKind::Feature { layer: Layer(at(0)?), position: Position(at(1)?), feature: FeatureId(at(2)?) };
            Ok(Node { kind, activation: activation_of(place, row)? })
        };
        let mut nodes = parts.selected.iter().enumerate().map(feature).collect::<Result<Vec<_>, String>>()?;
        let plain = |kind| Node { kind, activation: None };
        let positions = || (0..parts.tokens.len()).map(Position::from);
        for layer in 0..parts.n_layers {
            nodes.extend(positions().map(|position| plain(NodeKind::Error { layer: layer.into(), position })));
        }
        let tokens = positions().zip(&parts.tokens);
        nodes.extend(tokens.map(|(position, &id)| plain(NodeKind::Token { position, id })));
        let probabilities = self.tensor("logit_probabilities")?;
        if probabilities.count() != parts.targets.len() {
            let (found, wanted) = (probabilities.count(), parts.targets.len());
            return Err(format!("it has {found} logit_probabilities for {wanted} targets"));
        }
        let position = Position::from(parts.tokens.len() - 1);
        nodes.extend(parts.targets.iter().enumerate().map(|(at, (id, text))| {
            let probability = probabilities.float(at / probabilities.size[1], at % probabilities.size[1]);
            plain(NodeKind::Logit { position, id: *id, probability, text: text.clone() })
        }));
        Ok(nodes)
    }

    fn origin(&self) -> Origin {
        let pickle = &self.pickle;
        let text = |at: Option<Ref>| at.and_then(|at| pickle.text(at)).unwrap_or_default().to_owned();
        let cfg = self.entry("cfg");
        // From 0.5 on it is called otherwise.
        let scan = self.entry("scan").or_else(|| self.entry("scan_name"));
        let transcoder = scan.map_or_else(String::new, |scan| match pickle.get(scan) {
            Value::List(list) | Value::Tuple(list) => {
                list.iter().filter_map(|at| pickle.text(*at)).collect::<Vec<_>>().join(", ")
            }
            _ => text(Some(scan)),
        });
        Origin {
            prompt: text(self.entry("input_string")),
            model: text(cfg.and_then(|cfg| pickle.attribute(cfg, "model_name"))),
            transcoder,
            ..Origin::default()
        }
    }
}
