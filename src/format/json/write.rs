//! Writing graph JSON, field by field as circuit-tracer's `create_graph_files` does, but for two things: node ids are
//! those of circuit-tracer 0.5.1 and later (an error node is `{layer}_-1_{position}`, where it used to share
//! `0_{layer}_{position}` with features of layer 0), and the metadata also says what made the graph, with which
//! settings, and both thresholds.
//!
//! `influence` is the [`cumulative`](crate::graph::cumulative()) score: low means important. Of a graph that was pruned
//! before it was read it is what its file gave, if anything.
//!
//! What a person did stands in `qParams`: pins, groups, and their labels in `clerps`, which is the JSON of
//! `[[feature number or node id, label]…]` in a text, as circuit-tracer's page wants it. Where the file holds more than
//! pruning keeps, `pruningThreshold`, `densityThreshold` and this program's own `edgeThreshold` say what it keeps; where it
//! holds just that, a `pruningThreshold` of 1 has all of it shown. Notes are the
//! description. Of what pruning dropped, pinned nodes are written all the same, with the edges between pinned nodes: a pin of
//! a node that is not in the file would be lost when it is opened again.

use crate::graph::{
    AttributionGraph, Document, Edited, Extent, Group, Kept, Labelled, Node, NodeKind, Part, RawTrace, Selection,
    Thresholds,
};
use crate::ids::{FeatureId, Layer, NodeId};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Features are numbered by Cantor pairing since version 1.
const SCHEMA_VERSION: u32 = 1;

/// What a text holds in place of bytes that are no character.
const NO_CHARACTER: char = '\u{fffd}';

/// By which names viewers know a graph.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The graph.
    pub slug: &'a str,
    /// What its features are of: for circuit-tracer the transcoder set, which it is where nothing is given; for
    /// Neuronpedia its own name of the model.
    pub scan: Option<&'a str>,
}

/// Writes a part of a document's graph, pruned to `kept`. Nodes and links are written one by one.
///
/// # Errors
/// What `out` fails with.
pub fn write(
    out: &mut dyn Write,
    called: Called<'_>,
    document: &Document,
    kept: &Kept,
    edited: &Edited,
    part: Part,
) -> io::Result<()> {
    let graph = &*document.graph;
    let selection = Selection::new(graph, kept, edited, part).and_pinned();
    let names: Vec<String> = graph.node_ids().map(|id| graph.node_name(id)).collect();
    let name = |node: NodeId| names[node.index()].as_str();
    let target = graph.logit_nodes().next();
    // circuit-tracer gives outputs none.
    let score = |id: NodeId| kept.influence_of(id).filter(|_| !(graph.is_whole() && graph.node(id).is_logit()));
    let nodes = Stream(|| {
        selection.node_ids().map(|id| JsonNode {
            is_target_logit: Some(id) == target,
            influence: score(id),
            ..JsonNode::new(name(id), graph, id, document.labels.get(&Labelled::of(id, graph.node(id))))
        })
    });
    let links = Stream(|| {
        let edges = selection.edges();
        edges.map(|edge| Link { source: name(edge.source), target: name(edge.target), weight: edge.weight })
    });
    let metadata = Metadata::new(called, document, edited, part);
    let file = File { metadata, q_params: QParams::new(graph, edited, part, &names), nodes, links };
    serde_json::to_writer(&mut *out, &file)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct File<'a, N, L> {
    metadata: Metadata<'a>,
    #[serde(rename = "qParams")]
    q_params: QParams<'a>,
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
    node_threshold: Option<f64>,
    schema_version: u32,
    info: Info<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_settings: Option<GenerationSettings>,
    pruning_settings: PruningSettings,
    /// This program's own: the trace was stopped early.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

#[derive(Serialize)]
struct Info<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcoder_set: Option<&'a str>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    node_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edge_threshold: Option<f64>,
}

impl<'a> Metadata<'a> {
    fn new(called: Called<'a>, document: &'a Document, edited: &'a Edited, part: Part) -> Self {
        let (origin, graph) = (&*document.origin, &*document.graph);
        let generation = |trace: &RawTrace| GenerationSettings {
            max_n_logits: trace.settings.max_logits,
            desired_logit_prob: trace.settings.logit_probability,
            batch_size: trace.settings.batch_size,
            max_feature_nodes: trace.settings.max_feature_nodes,
        };
        // A graph of Neuronpedia is called by its model there; else the transcoders are what a viewer needs.
        let is_neuronpedias = document.trace.is_none() && !origin.model.is_empty();
        let own = if is_neuronpedias { &origin.model } else { &origin.transcoder };
        let scan = called.scan.unwrap_or(own);
        let (node_threshold, edge_threshold) = pruned_at(origin.extent, edited.thresholds, part);
        Self {
            slug: called.slug,
            scan,
            transcoder_list: [],
            prompt_tokens: graph.tokens().iter().map(|token| token.text.as_str()).collect(),
            prompt: prompt(graph, &origin.prompt),
            node_threshold,
            schema_version: SCHEMA_VERSION,
            info: Info {
                description: &edited.notes,
                transcoder_set: (scan != origin.transcoder).then_some(origin.transcoder.as_str()),
                generator: Generator { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            },
            generation_settings: document.trace.as_deref().map(generation),
            pruning_settings: PruningSettings { node_threshold, edge_threshold },
            partial: graph.is_partial(),
        }
    }
}

/// The thresholds at which what is written was pruned. What was pruned before it came here stays so, and what is pinned
/// has none, being picked by hand.
fn pruned_at(extent: Extent, thresholds: Thresholds, part: Part) -> (Option<f64>, Option<f64>) {
    let (node, edge) = match extent {
        Extent::PrePruned { node, edge } => (node, edge),
        Extent::Whole | Extent::Partial => (Some(1.0), Some(1.0)),
    };
    let lower = |threshold: f64, before: Option<f64>| if threshold < 1.0 { Some(threshold) } else { before };
    match part {
        Part::All => (node, edge),
        Part::Pruned => (lower(thresholds.node, node), lower(thresholds.edge, edge)),
        Part::Pinned => (None, None),
    }
}

/// The prompt as the model reads it, leading special token included.
///
/// What the tokens spell one by one can fall short of what they spell together: a character may be cut in two, and
/// some tokenizers drop the space in front of a token that stands alone. Then it is the prompt as it was typed.
fn prompt(graph: &AttributionGraph, typed: &str) -> String {
    let spelled: String = graph.tokens().iter().map(|token| token.text.as_str()).collect();
    let letters = |text: &str| -> String { text.split_whitespace().collect() };
    let typed_is_the_same = spelled.contains(NO_CHARACTER) || letters(&spelled).ends_with(&letters(typed));
    if typed.is_empty() || !typed_is_the_same {
        return spelled;
    }
    let first = graph.tokens().first().map_or("", |token| token.text.as_str());
    let was_typed = first.contains(NO_CHARACTER) || typed.trim_start().starts_with(first.trim_start());
    if was_typed { typed.to_owned() } else { format!("{first}{typed}") }
}

/// What a viewer shows when the graph is opened.
#[derive(Serialize)]
struct QParams<'a> {
    #[serde(rename = "pinnedIds")]
    pinned_ids: Vec<&'a str>,
    supernodes: Vec<Vec<&'a str>>,
    #[serde(rename = "linkType")]
    link_type: &'static str,
    #[serde(rename = "clickedId")]
    clicked_id: &'static str,
    sg_pos: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clerps: Option<String>,
    #[serde(rename = "pruningThreshold", skip_serializing_if = "Option::is_none")]
    pruning_threshold: Option<f64>,
    #[serde(rename = "edgeThreshold", skip_serializing_if = "Option::is_none")]
    edge_threshold: Option<f64>,
    /// Neuronpedia's name for it.
    #[serde(rename = "densityThreshold", skip_serializing_if = "Option::is_none")]
    density_threshold: Option<f64>,
}

impl<'a> QParams<'a> {
    fn new(graph: &AttributionGraph, edited: &'a Edited, part: Part, names: &'a [String]) -> Self {
        let name = |id: &NodeId| names[id.index()].as_str();
        let group =
            |group: &'a Group| std::iter::once(group.name.as_str()).chain(group.members.iter().map(name)).collect();
        // Of the whole graph a viewer shows what is kept, of what is kept all: the node at which the threshold was reached
        // lies above it.
        let shown = |threshold: f64| (part == Part::All && threshold < 1.0).then_some(threshold);
        let shown_nodes = if part == Part::Pruned { Some(1.0) } else { shown(edited.thresholds.node) };
        let labels = labels(graph, edited, names);
        Self {
            pinned_ids: edited.pins.iter().map(name).collect(),
            supernodes: edited.groups.iter().map(group).collect(),
            link_type: "both",
            clicked_id: "",
            sg_pos: "",
            clerps: (!labels.is_empty()).then(|| serde_json::json!(labels).to_string()),
            pruning_threshold: shown_nodes,
            edge_threshold: shown(edited.thresholds.edge),
            density_threshold: shown(edited.thresholds.density),
        }
    }
}

/// A person's labels, by feature number or by the name of a node of another kind.
pub(in crate::format) fn labels<'a>(
    graph: &AttributionGraph,
    edited: &'a Edited,
    names: &[String],
) -> Vec<(String, &'a str)> {
    let nodes: BTreeMap<Labelled, NodeId> = graph.node_ids().map(|id| (Labelled::of(id, graph.node(id)), id)).collect();
    let key = |what: &Labelled| match *what {
        Labelled::Feature(layer, feature) => Some(cantor_pairing(layer, feature).to_string()),
        Labelled::Node(_) => nodes.get(what).map(|id| names[id.index()].clone()),
    };
    edited.labels.iter().filter_map(|(what, label)| Some((key(what)?, label.as_str()))).collect()
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
    fn new(node_id: &'a str, graph: &'a AttributionGraph, id: NodeId, label: Option<&String>) -> Self {
        let node = graph.node(id);
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
            _ => (0.0, label.cloned().unwrap_or_default()),
        };
        Self {
            node_id,
            feature,
            layer: layer_name(node, graph.n_layers()),
            ctx_idx: position.0,
            feature_type,
            token_prob,
            is_target_logit: false,
            run_idx: 0,
            reverse_ctx_idx: 0,
            js_node_id,
            clerp,
            influence: None,
            activation: node.activation,
        }
    }
}

/// One number for a layer and an index in it, as circuit-tracer and feature dashboards have it. It may exceed 64 bits.
pub fn cantor_pairing(layer: Layer, feature: FeatureId) -> i128 {
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
