//! Writing of graph JSON, field by field as circuit-tracer's `create_graph_files` does, but for two things: node ids
//! are those of circuit-tracer 0.5.1 and later (an error node is `{layer}_-1_{position}`, where it used to share
//! `0_{layer}_{position}` with features of layer 0), and the metadata also names the program that made the graph, the
//! settings, and both thresholds.
//!
//! `influence` is the [`cumulative`](crate::graph::cumulative()) score: low means important. Of a graph that was pruned
//! before it was read it is the file's, if it had any.
//!
//! The user's work stands in `qParams`: pins, groups, and their labels in `clerps`, which is the JSON of `[[feature
//! number or node id, label]…]` in a text, as circuit-tracer's page wants it. Where the file holds more than pruning
//! keeps, `pruningThreshold`, `densityThreshold` and this program's own `edgeThreshold` say what it keeps; where it
//! holds just that, a `pruningThreshold` of 1 has all of it shown. Notes are the description. Pinned nodes that pruning
//! dropped are written all the same, with the edges between pinned nodes: a pin of a node that is not in the file would
//! be lost when it is opened again.
//!
//! Other fields of another program's file, and values that it wrote in another way, are written again as they stood:
//! unknown keys, numbers of features, ids. Only values that this program changes replace them.

use super::attention::{HeadNode, only_nodes};
use super::object::Object;
use super::written::{Entries, JsonLink, JsonNode, Stream, Written, cantor_pairing, field, over};
use crate::graph::{
    AttributionGraph, Document, Edited, Extent, Fields, Group, Kept, Labelled, Part, RawTrace, Selection, Thresholds,
    Unread,
};
use crate::ids::NodeId;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

/// Schema version; features are numbered by Cantor pairing since 1.
const SCHEMA_VERSION: u32 = 1;

/// The key of the nodes that are named in `qk_tracing_results` alone.
const ONLY: &str = "qk_only_nodes";

/// Character that a text holds in place of bytes that are no character.
const NO_CHARACTER: char = '\u{fffd}';

/// Names of a graph in viewers.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// Name of the graph.
    pub slug: &'a str,
    /// `scan` of its features: for circuit-tracer the transcoder set, which is the default; for Neuronpedia its own
    /// name of the model.
    pub scan: Option<&'a str>,
}

/// Writes a part of a document's graph, pruned to `kept`. Nodes and links are written one by one.
///
/// # Errors
/// Fails where `out` does.
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
    let unread = &document.foreign.unread;
    let attention = &document.foreign.attention;
    let nodes = Stream(|| {
        let heads = attention.heads.iter().map(|of| WrittenNode::Head(HeadNode { of, names: &names }));
        let nodes = selection.node_ids().map(|id| JsonNode {
            id: name(id),
            node: graph.node(id),
            written: Written::of(graph.node(id), graph.n_layers()),
            label: document.labels.get(&Labelled::of(id, graph.node(id))).map_or("", String::as_str),
            is_target_logit: Some(id) == target,
            influence: score(id),
            unread: unread.nodes.get(&id).map_or(&[], Vec::as_slice),
        });
        nodes.map(WrittenNode::Graph).chain(heads)
    });
    let link = |source, target, weight| JsonLink {
        source: name(source),
        target: name(target),
        weight,
        unread: unread.links.get(&(source, target)).map_or(&[], Vec::as_slice),
    };
    // An effect of zero is no edge, but a file may say more of it.
    let kept: HashSet<NodeId> = if unread.links.is_empty() { HashSet::new() } else { selection.node_ids().collect() };
    let is_silent = |source: NodeId, target: NodeId| {
        kept.contains(&source) && kept.contains(&target) && graph.incoming(target).all(|edge| edge.source != source)
    };
    let links = Stream(|| {
        let edges = selection.edges().map(|edge| link(edge.source, edge.target, edge.weight));
        let silent = unread.links.keys().filter(|(source, target)| is_silent(*source, *target));
        edges.chain(silent.map(|(source, target)| link(*source, *target, 0.0)))
    });
    let metadata = over(&unread.metadata, Metadata::new(called, document, edited, part).fields(unread)?);
    let q_params = QParams::new(graph, edited, part, &names, unread).fields(unread)?;
    let mut top = unread.top.clone();
    if !attention.heads.is_empty() {
        let file = top.iter().find(|(key, _)| key == ONLY).map(|(_, raw)| Object::of(raw).map(|it| it.fields()));
        let written: HashSet<NodeId> = selection.node_ids().collect();
        let only = only_nodes(attention, &file.and_then(Result::ok).unwrap_or_default(), graph, &names, &written)?;
        top = over(&top, vec![field(ONLY, &Entries(&only))?]);
    }
    serde_json::to_writer(&mut *out, &File { metadata, q_params, nodes, links, top: &top })?;
    out.write_all(b"\n")
}

/// A node among the nodes of a file.
#[derive(Serialize)]
#[serde(untagged)]
enum WrittenNode<'a> {
    Graph(JsonNode<'a>),
    Head(HeadNode<'a>),
}

struct File<'a, N, L> {
    metadata: Fields,
    q_params: Fields,
    nodes: N,
    links: L,
    top: &'a Fields,
}

impl<N: Serialize, L: Serialize> Serialize for File<'_, N, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metadata", &Entries(&self.metadata))?;
        map.serialize_entry("qParams", &Entries(&self.q_params))?;
        map.serialize_entry("nodes", &self.nodes)?;
        map.serialize_entry("links", &self.links)?;
        self.top.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
}

struct Metadata<'a> {
    slug: &'a str,
    scan: &'a str,
    /// True where the user gave the scan.
    is_scan_given: bool,
    prompt_tokens: Vec<&'a str>,
    prompt: String,
    node_threshold: Option<f64>,
    /// True where it holds less than the graph.
    is_pruned: bool,
    description: &'a str,
    transcoder_set: Option<&'a str>,
    generation_settings: Option<GenerationSettings>,
    edge_threshold: Option<f64>,
    /// True where the trace was stopped early; this program's own field.
    partial: bool,
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
    /// Largest number of features. Neuronpedia's schema has an integer here, so that no limit is no entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_feature_nodes: Option<usize>,
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
            is_scan_given: called.scan.is_some(),
            prompt_tokens: graph.tokens().iter().map(|token| token.text.as_str()).collect(),
            prompt: prompt(graph, &origin.prompt),
            node_threshold,
            is_pruned: part != Part::All,
            description: &edited.notes,
            transcoder_set: (scan != origin.transcoder).then_some(origin.transcoder.as_str()),
            generation_settings: document.trace.as_deref().map(generation),
            edge_threshold,
            partial: graph.is_partial(),
        }
    }

    /// Returns the fields that replace those in the metadata of the graph's file, where there is one: those that may
    /// have changed, and those that it lacks.
    fn fields(&self, unread: &Unread) -> serde_json::Result<Fields> {
        let file = &unread.metadata;
        let is_new = |key: &str| !has(file, key);
        let mut own = vec![field("slug", self.slug)?];
        if self.is_scan_given || is_new("scan") {
            own.push(field("scan", self.scan)?);
        }
        if is_new("transcoder_list") {
            // Used where a set is put together from transcoders of many places; here it is one set.
            own.push(field("transcoder_list", &[(); 0])?);
        }
        if is_new("prompt_tokens") {
            own.push(field("prompt_tokens", &self.prompt_tokens)?);
        }
        if is_new("prompt") {
            own.push(field("prompt", &self.prompt)?);
        }
        // A file may have been pruned at one threshold and be opened at another.
        if self.is_pruned || is_new("node_threshold") {
            own.push(field("node_threshold", &self.node_threshold)?);
        }
        // The features of a file stay numbered as they were.
        if file.is_empty() {
            own.push(field("schema_version", &SCHEMA_VERSION)?);
        }
        own.push(field("info", &Entries(&self.info(file)?))?);
        if let Some(settings) = &self.generation_settings {
            own.push(field("generation_settings", settings)?);
        }
        own.push(field("pruning_settings", &Entries(&self.pruning(file)?))?);
        if self.partial || !is_new("partial") {
            own.push(field("partial", &self.partial)?);
        }
        Ok(own)
    }

    fn info(&self, file: &Fields) -> serde_json::Result<Fields> {
        let info = within(file, "info");
        let mut own = Vec::new();
        if !self.description.is_empty() || has(&info, "description") {
            own.push(field("description", self.description)?);
        }
        if let Some(set) = self.transcoder_set.filter(|_| !has(&info, "transcoder_set")) {
            own.push(field("transcoder_set", set)?);
        }
        // What made a graph is not what wrote it again.
        if file.is_empty() {
            let generator = Generator { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
            own.push(field("generator", &generator)?);
        }
        Ok(over(&info, own))
    }

    fn pruning(&self, file: &Fields) -> serde_json::Result<Fields> {
        let settings = within(file, "pruning_settings");
        let mut own = Vec::new();
        for (key, threshold) in [("node_threshold", self.node_threshold), ("edge_threshold", self.edge_threshold)] {
            if threshold.is_some() || has(&settings, key) {
                own.push(field(key, &threshold)?);
            }
        }
        Ok(over(&settings, own))
    }
}

fn has(fields: &Fields, key: &str) -> bool {
    fields.iter().any(|(known, _)| known == key)
}

/// Returns the fields of an object within the metadata; none where there is no such object.
fn within(file: &Fields, key: &str) -> Fields {
    let object = file.iter().rev().find(|(known, _)| known == key);
    object.and_then(|(_, raw)| Object::of(raw).ok()).map_or_else(Fields::new, |object| object.fields())
}

/// Returns the thresholds at which the written part was pruned. A graph that was pruned before it was read keeps its
/// own, and the pinned part has none, being picked by hand.
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

/// Returns the prompt as the model reads it, leading special token included.
///
/// The texts of single tokens can fall short of the text of all: a character may be cut in two, and some tokenizers
/// drop the space in front of a token that stands alone. Then it is the prompt as it was typed.
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

/// State of a viewer when the graph is opened.
struct QParams<'a> {
    pinned_ids: Vec<&'a str>,
    supernodes: Vec<Vec<&'a str>>,
    clerps: Option<String>,
    pruning_threshold: Option<f64>,
    /// Edge threshold; this program's own, as the field's viewers prune nodes only.
    edge_threshold: Option<f64>,
    /// Density threshold, by Neuronpedia's name for it.
    density_threshold: Option<f64>,
}

impl<'a> QParams<'a> {
    fn new(graph: &AttributionGraph, edited: &'a Edited, part: Part, names: &'a [String], unread: &Unread) -> Self {
        let name = |id: &NodeId| names[id.index()].as_str();
        let group =
            |group: &'a Group| std::iter::once(group.name.as_str()).chain(group.members.iter().map(name)).collect();
        // Everything the other parts hold is shown; of the whole graph a viewer shows what is kept.
        let shown = |threshold: f64| (part == Part::All && threshold < 1.0).then_some(threshold);
        let labels = labels(graph, edited, unread, names);
        Self {
            pinned_ids: edited.pins.iter().map(name).collect(),
            supernodes: edited.groups.iter().map(group).collect(),
            clerps: (!labels.is_empty()).then(|| serde_json::json!(labels).to_string()),
            pruning_threshold: shown(edited.thresholds.node),
            edge_threshold: shown(edited.thresholds.edge),
            density_threshold: shown(edited.thresholds.density),
        }
    }

    /// Returns the fields to write, over those of the file that the graph was read from.
    fn fields(&self, unread: &Unread) -> serde_json::Result<Fields> {
        let file = &unread.q_params;
        let mut own = vec![field("pinnedIds", &self.pinned_ids)?, field("supernodes", &self.supernodes)?];
        for (key, value) in [("linkType", "both"), ("clickedId", ""), ("sg_pos", "")] {
            if !has(file, key) {
                own.push(field(key, value)?);
            }
        }
        if self.clerps.is_some() || has(file, "clerps") {
            own.push(field("clerps", self.clerps.as_deref().unwrap_or("[]"))?);
        }
        let thresholds = [
            ("pruningThreshold", self.pruning_threshold),
            ("edgeThreshold", self.edge_threshold),
            ("densityThreshold", self.density_threshold),
        ];
        for (key, threshold) in thresholds {
            if let Some(threshold) = threshold.or(has(file, key).then_some(1.0)) {
                own.push(field(key, &threshold)?);
            }
        }
        Ok(over(file, own))
    }
}

/// Returns the user's labels, by feature number or by the name of a node: one of another kind, or a feature that its
/// file numbers in another way.
pub(in crate::format) fn labels<'a>(
    graph: &AttributionGraph,
    edited: &'a Edited,
    unread: &Unread,
    names: &[String],
) -> Vec<(String, &'a str)> {
    let nodes: BTreeMap<Labelled, NodeId> =
        graph.node_ids().rev().map(|id| (Labelled::of(id, graph.node(id)), id)).collect();
    let is_numbered_otherwise = |id: NodeId| unread.nodes.get(&id).is_some_and(|fields| has(fields, "feature"));
    let key = |what: &Labelled| {
        let id = nodes.get(what).copied();
        let name = id.map(|id| names[id.index()].clone());
        match *what {
            Labelled::Feature(layer, feature) if !id.is_some_and(is_numbered_otherwise) => {
                Some(cantor_pairing(layer, feature).to_string())
            }
            _ => name,
        }
    };
    edited.labels.iter().filter_map(|(what, label)| Some((key(what)?, label.as_str()))).collect()
}
