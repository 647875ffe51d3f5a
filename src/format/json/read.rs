//! Reading a graph JSON of any program.
//!
//! Nothing but nodes and links is kept while reading, and of links only where they lead: ids are held once, as they lie
//! in the file.

use super::fields::{Each, FileLink, FileNode, Metadata, QParams};
use super::names::{Name, NamedLink, Names};
use super::{kind, source, view};
use crate::format::FormatError;
use crate::graph::{AttributionGraph, Document, Extent, GraphInfo, Node, NodeKind, Origin, Token};
use crate::ids::{Layer, NodeId};
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Reads the graph that `bytes`, the content of the file `path`, hold.
///
/// What its program pruned is not to be had, which [`Extent::PrePruned`] says; the thresholds are those of the viewer
/// that saved it, or such that all of the file is shown. A file whose links form a cycle is opened too (see
/// [`AttributionGraph::is_cyclic`]).
///
/// # Errors
/// [`FormatError::Other`] where it is JSON, but no graph; [`FormatError::Damaged`] with what is wrong and where.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Document, FormatError> {
    let damaged = |what: String| FormatError::Damaged { path: path.to_owned(), what };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut content = Content::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = deserializer.deserialize_map(Top(&mut content)).and_then(|()| deserializer.end());
    read.map_err(|error| damaged(error.to_string()))?;
    if let Some(found) = content.missing() {
        return Err(FormatError::Other { path: path.to_owned(), wanted: "a graph", found });
    }
    content.document().map_err(damaged)
}

/// What was read of a file.
#[derive(Default)]
struct Content<'a> {
    metadata: Option<Metadata>,
    q_params: Option<QParams>,
    names: Names<'a>,
    nodes: Option<Nodes<'a>>,
    links: Option<Vec<NamedLink>>,
    /// It lists graphs, as circuit-tracer's `graph-metadata.json` does.
    is_list: bool,
}

/// The nodes of a file, and what stands beside them, `[N]` each.
#[derive(Default)]
pub(super) struct Nodes<'a> {
    pub nodes: Vec<Node>,
    pub names: Vec<Name>,
    pub js_ids: Vec<Option<std::borrow::Cow<'a, str>>>,
    /// The numbers of features, paired or decimal.
    pub numbers: Vec<Option<i128>>,
    pub labels: Vec<Option<String>>,
    pub scores: Vec<Option<f32>>,
    /// The layer at which the file draws its logits.
    pub logit_layer: Option<Layer>,
    /// Whether an id is of another form than circuit-tracer's `{layer}_{index}_{position}`.
    pub foreign_ids: bool,
}

struct Top<'c, 'a>(&'c mut Content<'a>);

impl<'de: 'a, 'a> Visitor<'de> for Top<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a graph: an object with nodes and links")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Content { metadata, q_params, names, nodes, links, is_list } = self.0;
        let twice = |key: &str| A::Error::custom(format_args!("there are two `{key}`"));
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "metadata" => *metadata = Some(map.next_value()?),
                "qParams" => *q_params = Some(map.next_value()?),
                "nodes" if nodes.is_some() => return Err(twice("nodes")),
                "nodes" => {
                    let list = nodes.insert(Nodes::default());
                    map.next_value_seed(Each::new("nodes", |at, node| list.take(at, node, names)))?;
                }
                "links" if links.is_some() => return Err(twice("links")),
                "links" => {
                    let list = links.insert(Vec::new());
                    let take = |_, link: FileLink<'a>| {
                        let (source, target) = (names.intern(link.source.0)?, names.intern(link.target.0)?);
                        if !link.weight.is_finite() {
                            return Err("its weight is too large a number".to_owned());
                        }
                        list.push((source, target, link.weight));
                        Ok(())
                    };
                    map.next_value_seed(Each::new("links", take))?;
                }
                other => {
                    *is_list |= other == "graphs";
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

impl<'a> Nodes<'a> {
    fn take(&mut self, at: usize, node: FileNode<'a>, names: &mut Names<'a>) -> Result<(), String> {
        let is = kind::of(&node)?;
        let number = |what: &str, value: Option<f32>| match value {
            Some(value) if !value.is_finite() => Err(format!("its {what} is too large a number")),
            value => Ok(value),
        };
        let score = number("influence", node.influence)?;
        let activation = number("activation", node.activation)?.filter(|_| matches!(is, NodeKind::Feature { .. }));
        if let NodeKind::Logit { .. } = is {
            self.logit_layer = self.logit_layer.max(kind::logit_layer(&node));
        }
        let label = node.clerp.filter(|label| !label.0.is_empty() && !matches!(is, NodeKind::Logit { .. }));
        let name = names.intern(node.node_id.0.clone())?;
        let js_id = node.js_node_id.map(|id| id.0);
        let is_same = |other: &NodeId| {
            let other = other.index();
            std::mem::discriminant(&self.nodes[other].kind) == std::mem::discriminant(&is)
                && self.js_ids[other] == js_id
        };
        if let Some(other) = names.nodes(name).find(is_same) {
            return Err(format!("its id {:?} is that of nodes[{other}]", node.node_id.0));
        }
        self.foreign_ids |= node.node_id.0.split('_').count() != 3;
        names.add(name, NodeId::from(at));
        self.nodes.push(Node { kind: is, activation });
        self.names.push(name);
        self.js_ids.push(js_id);
        self.numbers.push(node.feature.map(|number| number.0));
        self.labels.push(label.map(|label| label.0.into_owned()));
        self.scores.push(score);
        Ok(())
    }

    /// Two nodes of one kind, layer, position and index: by other ids one and the same.
    fn duplicate(&self) -> Option<String> {
        let mut seen = HashMap::with_capacity(self.nodes.len());
        self.nodes.iter().enumerate().find_map(|(at, node)| {
            let (kind, index) = match node.kind {
                NodeKind::Feature { feature, .. } => ('f', feature.0),
                NodeKind::Error { .. } => ('e', 0),
                NodeKind::Token { .. } => ('t', 0),
                NodeKind::Logit { id, .. } => ('l', id),
                NodeKind::Other { .. } => return None,
            };
            let other = seen.insert((kind, node.layer(), node.position(), index), at)?;
            Some(format!("nodes[{at}] is the same as nodes[{other}]"))
        })
    }

    /// Layers of the model. A file draws its logits at the layer after the last one or, as circuit-tracer does, leaves
    /// one free between them.
    fn n_layers(&self, said: Option<u32>) -> usize {
        let needed = self.nodes.iter().filter_map(Node::layer).max().map_or(0, |layer| layer.index() + 1);
        let said = said.map(|said| said as usize).filter(|said| (needed..10_000).contains(said));
        let logits = self.logit_layer.map_or(0, Layer::index);
        said.unwrap_or(match logits.checked_sub(needed) {
            None | Some(0) => needed,
            Some(_) if self.foreign_ids => logits,
            Some(_) => logits - 1,
        })
    }

    fn tokens(&self, texts: Vec<String>) -> Vec<Token> {
        let mut tokens: Vec<Token> = texts.into_iter().map(|text| Token { id: 0, text }).collect();
        for node in &self.nodes {
            if let NodeKind::Token { position, id } = node.kind
                && let Some(token) = tokens.get_mut(position.index())
            {
                token.id = id;
            }
        }
        tokens
    }
}

impl Content<'_> {
    /// What a graph has and this has not.
    fn missing(&self) -> Option<String> {
        let missing = |what: &str| Some(format!("its JSON has no {what}"));
        match self {
            Self { is_list: true, nodes: None, .. } => {
                Some("it lists graphs; open one of those, which lie beside it".into())
            }
            Self { nodes: None, .. } => missing("nodes"),
            Self { links: None, .. } => missing("links"),
            Self { metadata: None, .. } => missing("metadata"),
            _ => None,
        }
    }

    fn document(self) -> Result<Document, String> {
        let nodes = self.nodes.unwrap_or_default();
        let mut metadata = self.metadata.unwrap_or_default();
        if let Some(duplicate) = nodes.duplicate() {
            return Err(duplicate);
        }
        let texts = metadata.prompt_tokens.take().ok_or("its metadata has no prompt_tokens")?;
        let info = GraphInfo {
            n_layers: nodes.n_layers(metadata.n_layers),
            tokens: nodes.tokens(texts),
            partial: metadata.partial,
        };
        let links = self.names.resolve(self.links.unwrap_or_default(), &nodes.nodes)?;
        let q_params = self.q_params.unwrap_or_default();
        let (labels, edited) = view::read(&q_params, &metadata, &nodes, &self.names);
        let origin = origin(metadata, &info.tokens);
        let graph = AttributionGraph::from_file(info, nodes.nodes, links, &nodes.scores).map_err(|e| e.to_string())?;
        Ok(Document {
            origin: Arc::new(origin),
            graph: Arc::new(graph),
            trace: None,
            labels: Arc::new(labels),
            stored_scores: nodes.scores.iter().any(Option::is_some).then(|| Arc::new(nodes.scores)),
            edited: Arc::new(edited),
            occurrences: None,
            densities: Arc::default(),
        })
    }
}

fn origin(metadata: Metadata, tokens: &[Token]) -> Origin {
    let source_set = source::set(&metadata);
    let pruning = metadata.pruning_settings.unwrap_or_default();
    let node = pruning.node_threshold.or(metadata.node_threshold);
    let edge = pruning.edge_threshold;
    let scan = metadata.scan.unwrap_or_default();
    // Neuronpedia calls the model what circuit-tracer calls the transcoders.
    let (model, transcoder) = match metadata.info.and_then(|info| info.transcoder_set) {
        Some(transcoder) => (scan, transcoder),
        None => match metadata.transcoder_list {
            Some(list) if !list.is_empty() => (String::new(), list.join(", ")),
            _ => (String::new(), scan),
        },
    };
    Origin {
        slug: metadata.slug.unwrap_or_default(),
        prompt: metadata.prompt.unwrap_or_else(|| tokens.iter().map(|token| token.text.as_str()).collect()),
        model,
        transcoder,
        dtype: String::new(),
        device: String::new(),
        extent: match (node, edge) {
            (Some(1.0), Some(1.0)) if metadata.partial => Extent::Partial,
            (Some(1.0), Some(1.0)) => Extent::Whole,
            _ => Extent::PrePruned { node, edge },
        },
        source_set,
    }
}
