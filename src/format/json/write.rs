//! Graph JSON, `{metadata, qParams, nodes, links}`: the form of circuit-tracer and Neuronpedia.
//!
//! Holds what pruning kept, field by field as circuit-tracer's `create_graph_files` writes it, but for two things:
//! node ids are those of circuit-tracer 0.5.1 and later (an error node is `{layer}_-1_{position}`, where it used to
//! share `0_{layer}_{position}` with features of layer 0), and the metadata also says what made the graph, with which
//! settings, and both thresholds.
//!
//! `influence` is the [`cumulative`](crate::graph::cumulative()) score: low means important.

use crate::format::{FormatError, write_atomically};
use crate::graph::{AttributionGraph, Kept, Node, NodeKind, RawTrace, Thresholds};
use crate::ids::{FeatureId, Layer, NodeId};
use serde::{Serialize, Serializer};
use std::io;
use std::path::Path;

/// Features are numbered by Cantor pairing since version 1.
const SCHEMA_VERSION: u32 = 1;

/// What a text holds in place of bytes that are no character.
const NO_CHARACTER: char = '\u{fffd}';

/// Writes the part of `graph`, made from `trace`, that was kept at `thresholds`, whole or not at all. `slug` is the
/// name by which viewers call it. Nodes and links are written one by one.
///
/// # Errors
/// [`FormatError::DiskFull`] or [`FormatError::Write`].
pub fn write(
    path: &Path,
    slug: &str,
    trace: &RawTrace,
    graph: &AttributionGraph,
    kept: &Kept,
    thresholds: Thresholds,
) -> Result<(), FormatError> {
    let n_layers = graph.n_layers();
    let ids: Vec<String> = graph.nodes().iter().map(|node| node_id(node, n_layers)).collect();
    let target = graph.logit_nodes().next();
    let nodes = Stream(|| {
        kept.node_ids().map(|id| JsonNode {
            is_target_logit: Some(id) == target,
            ..JsonNode::new(&ids[id.index()], graph.node(id), n_layers, kept.cumulative[id.index()])
        })
    });
    let id = |node: NodeId| ids[node.index()].as_str();
    let links = Stream(|| {
        let edges = graph.edges().filter(|edge| kept.has_edge(edge.id));
        edges.map(|edge| Link { source: id(edge.source), target: id(edge.target), weight: edge.weight })
    });
    let file = File { metadata: Metadata::new(slug, trace, thresholds), q_params: QParams::default(), nodes, links };
    write_atomically(path, |out| {
        serde_json::to_writer(&mut *out, &file).map_err(io::Error::from)?;
        out.write_all(b"\n")
    })
}

#[derive(Serialize)]
struct File<'a, N, L> {
    metadata: Metadata<'a>,
    #[serde(rename = "qParams")]
    q_params: QParams,
    nodes: N,
    links: L,
}

/// A list that is made while it is written.
struct Stream<F>(F);

impl<F, I> Serialize for Stream<F>
where
    F: Fn() -> I,
    I: IntoIterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0())
    }
}

#[derive(Serialize)]
struct Metadata<'a> {
    slug: &'a str,
    scan: &'a str,
    /// Used where a set is put together from transcoders of many places; here it is one set.
    transcoder_list: [&'a str; 0],
    prompt_tokens: Vec<&'a str>,
    prompt: String,
    node_threshold: f64,
    schema_version: u32,
    info: Info,
    generation_settings: GenerationSettings,
    pruning_settings: PruningSettings,
}

#[derive(Serialize)]
struct Info {
    generator: Generator,
}

#[derive(Serialize)]
struct Generator {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct GenerationSettings {
    max_n_logits: usize,
    desired_logit_prob: f32,
    batch_size: usize,
    /// Neuronpedia's schema has an integer here, so that no limit is no entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_feature_nodes: Option<usize>,
}

#[derive(Serialize)]
struct PruningSettings {
    node_threshold: f64,
    edge_threshold: f64,
}

impl<'a> Metadata<'a> {
    fn new(slug: &'a str, trace: &'a RawTrace, thresholds: Thresholds) -> Self {
        let settings = &trace.settings;
        Self {
            slug,
            scan: &trace.provenance.transcoder,
            transcoder_list: [],
            prompt_tokens: trace.tokens.iter().map(|token| token.text.as_str()).collect(),
            prompt: prompt(trace),
            node_threshold: thresholds.node,
            schema_version: SCHEMA_VERSION,
            info: Info { generator: Generator { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") } },
            generation_settings: GenerationSettings {
                max_n_logits: settings.max_logits,
                desired_logit_prob: settings.logit_probability,
                batch_size: settings.batch_size,
                max_feature_nodes: settings.max_feature_nodes,
            },
            pruning_settings: PruningSettings { node_threshold: thresholds.node, edge_threshold: thresholds.edge },
        }
    }
}

/// The prompt as the model reads it, leading special token included.
///
/// What the tokens spell one by one can fall short of what they spell together: a character may be cut in two, and
/// some tokenizers drop the space in front of a token that stands alone. Then it is the prompt as it was typed.
fn prompt(trace: &RawTrace) -> String {
    let spelled: String = trace.tokens.iter().map(|token| token.text.as_str()).collect();
    let typed = trace.settings.prompt.as_str();
    let letters = |text: &str| -> String { text.split_whitespace().collect() };
    let typed_is_the_same = spelled.contains(NO_CHARACTER) || letters(&spelled).ends_with(&letters(typed));
    if typed.is_empty() || !typed_is_the_same {
        return spelled;
    }
    let first = trace.tokens.first().map_or("", |token| token.text.as_str());
    let was_typed = first.contains(NO_CHARACTER) || typed.trim_start().starts_with(first.trim_start());
    if was_typed { typed.to_owned() } else { format!("{first}{typed}") }
}

/// What a viewer shows when the graph is opened: nothing is pinned, grouped or selected.
#[derive(Serialize)]
struct QParams {
    #[serde(rename = "pinnedIds")]
    pinned_ids: [&'static str; 0],
    supernodes: [&'static str; 0],
    #[serde(rename = "linkType")]
    link_type: &'static str,
    #[serde(rename = "clickedId")]
    clicked_id: &'static str,
    sg_pos: &'static str,
}

impl Default for QParams {
    fn default() -> Self {
        Self { pinned_ids: [], supernodes: [], link_type: "both", clicked_id: "", sg_pos: "" }
    }
}

#[derive(Serialize)]
struct Link<'a> {
    source: &'a str,
    target: &'a str,
    weight: f32,
}

#[derive(Serialize)]
struct JsonNode<'a> {
    node_id: &'a str,
    feature: i128,
    layer: String,
    ctx_idx: u32,
    feature_type: &'a str,
    token_prob: f32,
    is_target_logit: bool,
    run_idx: u32,
    reverse_ctx_idx: u32,
    #[serde(rename = "jsNodeId")]
    js_node_id: String,
    clerp: String,
    influence: Option<f32>,
    activation: Option<f32>,
}

impl<'a> JsonNode<'a> {
    fn new(node_id: &'a str, node: &'a Node, n_layers: usize, cumulative: f32) -> Self {
        let position = node.position();
        let (feature, feature_type, js_node_id) = match node.kind {
            NodeKind::Feature { layer, feature, .. } => {
                (cantor_pairing(layer, feature), "cross layer transcoder", format!("{layer}_{feature}-0"))
            }
            NodeKind::Error { layer, .. } => (-1, "mlp reconstruction error", format!("{layer}_{position}-0")),
            NodeKind::Token { id, .. } => (position.0.into(), "embedding", format!("E_{id}-{position}")),
            NodeKind::Logit { id, .. } => (id.into(), "logit", format!("L_{id}-{position}")),
            NodeKind::Other { ref kind, ref name, .. } => (-1, kind.as_ref(), name.to_string()),
        };
        let (token_prob, clerp) = match &node.kind {
            NodeKind::Logit { probability, text, .. } => {
                (*probability, format!("Output \"{text}\" (p={probability:.3})"))
            }
            _ => (0.0, String::new()),
        };
        Self {
            node_id,
            feature,
            layer: layer_name(node, n_layers),
            ctx_idx: position.0,
            feature_type,
            token_prob,
            is_target_logit: false,
            run_idx: 0,
            reverse_ctx_idx: 0,
            js_node_id,
            clerp,
            influence: (!node.is_logit()).then_some(cumulative),
            activation: node.activation,
        }
    }
}

/// One number for a layer and an index in it, as circuit-tracer and feature dashboards have it. It may exceed 64 bits.
fn cantor_pairing(layer: Layer, feature: FeatureId) -> i128 {
    let (layer, feature) = (i128::from(layer.0), i128::from(feature.0));
    (layer + feature) * (layer + feature + 1) / 2 + feature
}

fn layer_name(node: &Node, n_layers: usize) -> String {
    match node.kind {
        NodeKind::Feature { layer, .. } | NodeKind::Error { layer, .. } => layer.to_string(),
        NodeKind::Token { .. } | NodeKind::Other { layer: None, .. } => "E".into(),
        NodeKind::Other { layer: Some(layer), .. } => layer.to_string(),
        // A layer is left free above the last one.
        NodeKind::Logit { .. } => (n_layers + 1).to_string(),
    }
}

fn node_id(node: &Node, n_layers: usize) -> String {
    let (layer, position) = (layer_name(node, n_layers), node.position());
    match node.kind {
        NodeKind::Feature { feature, .. } => format!("{layer}_{feature}_{position}"),
        NodeKind::Error { .. } => format!("{layer}_-1_{position}"),
        NodeKind::Token { id, .. } | NodeKind::Logit { id, .. } => format!("{layer}_{id}_{position}"),
        NodeKind::Other { ref name, .. } => name.to_string(),
    }
}
