//! Reading a graph JSON of any program.
//!
//! Only nodes and links are kept while reading, and of links only their ends and weights: ids are held once, as they
//! lie in the file. The other fields of a file are kept as they stand, so that they are written again.
//!
//! A file of which some nodes or links are broken is read without those, with a warning.

use super::fields::Each;
use super::metadata::{Metadata, QParams};
use super::names::{NamedLink, Names};
use super::node::{FileLink, FileNode};
use super::nodes::{Faults, Nodes};
use super::signs::Signs;
use super::view::{self, View};
use super::{attention, not_a_number, what};
use crate::format::FormatError;
use crate::graph::{
    Attention, AttributionGraph, Document, Extent, Fields, Foreign, GraphInfo, HeadTrace, InfluenceOf, Unread,
};
use crate::ids::NodeId;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Reads the graph in `bytes`, the content of the file `path`.
///
/// The nodes that its program pruned are lost, which [`Extent::PrePruned`] tells; the thresholds are those of the
/// viewer that saved it, else those at which it was pruned by the influence that it gives, and where it gives none such
/// that all of the file is shown. A file whose links form a cycle is opened too (see [`AttributionGraph::is_cyclic`]).
/// Parts that had to be left out are listed in [`Foreign::warnings`].
///
/// # Errors
/// Fails with [`FormatError::Other`] where it is JSON, but no graph; with [`FormatError::Damaged`] where it is broken,
/// with the fault and its place.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Document, FormatError> {
    let damaged = |what: String| FormatError::Damaged { path: path.to_owned(), what };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let error = match Content::of(bytes) {
        Ok(content) => return content.document(path),
        Err(error) => error,
    };
    // Python writes numbers that JSON does not have.
    let Some((mended, count)) = not_a_number::without(bytes) else { return Err(damaged(error.to_string())) };
    let mut content = Content::of(&mended).map_err(|error| damaged(error.to_string()))?;
    content.warnings.push(format!("{} not finite, and passed over", counted(count, "number is", "numbers are")));
    content.document(path)
}

/// Contents of a file as read.
#[derive(Default)]
struct Content<'a> {
    /// All keys at the top.
    keys: Vec<String>,
    metadata: Option<Metadata>,
    q_params: QParams,
    names: Names<'a>,
    /// Nodes, with their indices in the file.
    nodes: Option<Vec<(usize, FileNode<'a>)>>,
    broken_nodes: Faults,
    links: Option<Vec<NamedLink>>,
    broken_links: Faults,
    /// Fields of links that are written again, by their indices in `links`.
    link_fields: Vec<(usize, Fields)>,
    qk_only: Option<&'a RawValue>,
    top: Fields,
    warnings: Vec<String>,
}

struct Top<'c, 'a>(&'c mut Content<'a>);

impl<'de: 'a, 'a> Visitor<'de> for Top<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a graph: an object with nodes and links")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let content = self.0;
        let twice = |key: &str| A::Error::custom(format_args!("there are two `{key}`"));
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "metadata" => {
                    let raw = map.next_value::<&'de RawValue>()?;
                    content.metadata = Some(Metadata::of(raw, &mut content.warnings).map_err(A::Error::custom)?);
                }
                "qParams" => {
                    let raw = map.next_value::<Option<&'de RawValue>>()?;
                    content.q_params = raw.map_or_else(QParams::default, |raw| QParams::of(raw, &mut content.warnings));
                }
                "nodes" if content.nodes.is_some() => return Err(twice("nodes")),
                "nodes" => {
                    let (list, broken) = (content.nodes.insert(Vec::new()), &mut content.broken_nodes);
                    let take = |at, raw: &'de RawValue| {
                        match FileNode::of(raw) {
                            Ok(node) => list.push((at, node)),
                            Err(what) => broken.add(|| format!("nodes[{at}]: {what}")),
                        }
                        Ok(())
                    };
                    map.next_value_seed(Each::new("nodes", take))?;
                }
                "links" if content.links.is_some() => return Err(twice("links")),
                "links" => {
                    let (list, broken) = (content.links.insert(Vec::new()), &mut content.broken_links);
                    let (names, fields) = (&mut content.names, &mut content.link_fields);
                    let take = |at, raw: &'de RawValue| {
                        match FileLink::of(raw) {
                            Ok(link) => {
                                if !link.unread.is_empty() {
                                    fields.push((list.len(), link.unread));
                                }
                                list.push((names.intern(link.source)?, names.intern(link.target)?, link.weight));
                            }
                            Err(what) => broken.add(|| format!("links[{at}]: {what}")),
                        }
                        Ok(())
                    };
                    map.next_value_seed(Each::new("links", take))?;
                }
                other => {
                    let raw = map.next_value::<&'de RawValue>()?;
                    if other == "qk_only_nodes" {
                        content.qk_only = Some(raw);
                    }
                    content.top.push((other.to_owned(), raw.to_owned()));
                }
            }
            content.keys.push(key.into_owned());
        }
        Ok(())
    }
}

impl<'a> Content<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut content = Self::default();
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        deserializer.deserialize_map(Top(&mut content)).and_then(|()| deserializer.end())?;
        Ok(content)
    }

    /// Returns the first part of a graph that this has not.
    fn missing(&self) -> Option<&'static str> {
        match self {
            Self { nodes: None, .. } => Some("nodes"),
            Self { links: None, .. } => Some("links"),
            Self { metadata: None, .. } => Some("metadata"),
            Self { metadata: Some(metadata), .. } if metadata.prompt_tokens.is_none() => {
                Some("prompt_tokens in its metadata")
            }
            _ => None,
        }
    }

    fn document(self, path: &Path) -> Result<Document, FormatError> {
        if let Some(missing) = self.missing() {
            let wanted = "an attribution graph (JSON with metadata, nodes and links)";
            let found = what::of_object(&self.keys, missing);
            return Err(FormatError::Other { path: path.to_owned(), wanted, found });
        }
        self.graph().map_err(|what| FormatError::Damaged { path: path.to_owned(), what })
    }

    fn graph(self) -> Result<Document, String> {
        let Self { mut names, mut warnings, broken_nodes: mut faults, broken_links, .. } = self;
        let mut metadata = self.metadata.unwrap_or_default();
        let tokens = metadata.prompt_tokens.take().unwrap_or_default();
        let signs = Signs::of(&tokens, metadata.prompt.as_deref().unwrap_or_default());
        let file = self.nodes.unwrap_or_default();
        let (heads, file): (Vec<_>, Vec<_>) =
            file.into_iter().partition(|(_, node)| attention::head_of(node).is_some());
        let n_nodes = file.len() + faults.count;
        let mut nodes = Nodes::new(file, tokens.len(), signs, metadata.is_comparison, &mut names, &mut faults)?;
        let links = self.links.unwrap_or_default();
        let n_links = links.len() + broken_links.count;
        tell(&mut warnings, &faults, n_nodes, ["node", "nodes"])?;
        tell(&mut warnings, &broken_links, n_links, ["link", "links"])?;

        let origin = metadata.origin(&tokens);
        let tokens = tokens.iter().map(|token| signs.meant(token)).collect();
        let info = GraphInfo {
            n_layers: nodes.n_layers(metadata.n_layers),
            tokens: nodes.tokens(tokens),
            partial: metadata.partial,
        };
        let called = nodes.called(info.n_layers, &names);
        let View { labels, edited, clicked } = view::read(&self.q_params, &metadata, &nodes, &names);
        let mut attention =
            Attention { only: self.qk_only.map(attention::only).unwrap_or_default(), ..Attention::default() };
        for (id, raw) in &nodes.qk {
            match attention::trace(raw, &names) {
                Some(trace) if !trace.is_empty() => drop(attention.traced.insert(*id, trace)),
                Some(_) => {}
                None => warnings.push(format!("qk_tracing_results of node {id} cannot be read, and are only kept")),
            }
        }
        for (_, node) in &heads {
            if let (Some((head, query, key)), Some(trace)) = (attention::head_of(node), node.qk)
                && let Some(trace) = attention::trace(trace, &names)
            {
                attention.add(HeadTrace { head, query, key, trace }, BTreeMap::new());
            }
        }
        let link_fields = self.link_fields.into_iter().filter_map(|(at, fields)| {
            let (source, target, weight) = links[at];
            let (found, _) = names.resolve(vec![(source, target, weight)], &nodes.nodes);
            found.first().map(|(source, target, _)| ((*source, *target), fields))
        });
        let link_fields: BTreeMap<(NodeId, NodeId), Fields> = link_fields.collect();
        let (mut links, n_dangling) = names.resolve(links, &nodes.nodes);
        if n_dangling > 0 {
            let counted = counted(n_dangling, "link leads", "links lead");
            warnings.push(format!("{counted} to nodes that are not there, and left out"));
        }
        // Of equals the first stays.
        links.sort_by_key(|(source, target, _)| (*target, *source));
        let n_links = links.len();
        links.dedup_by_key(|(source, target, _)| (*target, *source));
        if links.len() < n_links {
            let counted = counted(n_links - links.len(), "link is", "links are");
            warnings.push(format!("{counted} stated more than once; the first counts"));
        }
        let unread = Unread {
            top: self.top,
            metadata: std::mem::take(&mut metadata.fields),
            q_params: self.q_params.fields,
            nodes: nodes.take_unread(info.n_layers, &labels),
            links: link_fields,
        };
        let influence_of = influence_of(origin.extent, nodes.scores, metadata.is_own);
        let graph = AttributionGraph::from_file(info, nodes.nodes, links, influence_of).map_err(|e| e.to_string())?;
        let graph = graph.with_file_names(called);
        if graph.is_cyclic() {
            warnings
                .push("its links form a cycle, so that it has no influence and no scores but what it gives".to_owned());
        }
        Ok(Document {
            origin: Arc::new(origin),
            graph: Arc::new(graph),
            trace: None,
            labels: Arc::new(labels),
            edited: Arc::new(edited),
            occurrences: None,
            densities: Arc::default(),
            foreign: Arc::new(Foreign { warnings, clicked, attention, unread }),
        })
    }
}

/// Returns the graph that a file's influence is of. A file that this program wrote of a whole trace is that trace
/// again.
fn influence_of(extent: Extent, scores: Vec<Option<f32>>, is_own: bool) -> InfluenceOf {
    let is_whole = !matches!(extent, Extent::PrePruned { .. });
    match scores.iter().any(Option::is_some) {
        true if !(is_own && is_whole) => InfluenceOf::File(scores),
        false if !is_whole => InfluenceOf::Unknown,
        _ => InfluenceOf::Whole,
    }
}

/// Warns of the left-out items among `all`.
///
/// # Errors
/// Fails where they are most of them.
fn tell(warnings: &mut Vec<String>, faults: &Faults, all: usize, [one, many]: [&str; 2]) -> Result<(), String> {
    let Some(first) = &faults.first else { return Ok(()) };
    if 2 * faults.count > all {
        return Err(format!("most of its {many} cannot be read, {} of {all}; {first}", faults.count));
    }
    let counted = counted(faults.count, &format!("{one} is"), &format!("{many} are"));
    warnings.push(format!("{counted} broken and left out; {first}"));
    Ok(())
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}
