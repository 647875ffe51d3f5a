//! QK attributions of a file: `qk_tracing_results` of a node, and `qk_only_nodes` at the top.
//!
//! A head that this program was asked about is written among the nodes, in no link, with the id
//! `{layer}_head{head}_{key}_{query}`.

use super::fields::{Number, Text, Whole};
use super::kind;
use super::names::Names;
use super::node::FileNode;
use super::object::Object;
use crate::graph::{Attention, AttributionGraph, Fields, Head, HeadTrace, Node, NodeKind, QkNode, QkOnly, QkTrace};
use crate::ids::{Layer, NodeId, Position};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

#[derive(Default, Deserialize)]
struct Traced<'a> {
    #[serde(borrow, default)]
    pair_wise_contributors: Option<Vec<(Text<'a>, Text<'a>, Number)>>,
    #[serde(borrow, default)]
    top_q_marginal_contributors: Option<Vec<(Text<'a>, Number)>>,
    #[serde(borrow, default)]
    top_k_marginal_contributors: Option<Vec<(Text<'a>, Number)>>,
}

/// Reads a node's `qk_tracing_results`; `None` where they cannot be read.
pub(super) fn trace(raw: &RawValue, names: &Names<'_>) -> Option<QkTrace> {
    let traced: Traced<'_> = serde_json::from_str(raw.get()).ok()?;
    let node = |id: Text<'_>| match names.find(&id.0).first() {
        Some(node) => QkNode::InGraph(*node),
        None => QkNode::Only(id.0.as_ref().into()),
    };
    let marginal = |list: Option<Vec<(Text<'_>, Number)>>| {
        list.into_iter().flatten().map(|(id, weight)| (node(id), weight.0)).collect()
    };
    Some(QkTrace {
        pairs: traced
            .pair_wise_contributors
            .into_iter()
            .flatten()
            .map(|(query, key, weight)| (node(query), node(key), weight.0))
            .collect(),
        queries: marginal(traced.top_q_marginal_contributors),
        keys: marginal(traced.top_k_marginal_contributors),
    })
}

/// Reads the nodes of `qk_only_nodes`, an object by their ids, without those that cannot be read.
pub(super) fn only(raw: &RawValue) -> BTreeMap<Arc<str>, QkOnly> {
    let nodes = Object::of(raw).unwrap_or_default();
    let node = |raw: &RawValue| {
        let object = Object::of(raw).unwrap_or_default();
        let text = |key: &str| object.get::<Text<'_>>(key, "a text").ok().flatten();
        let whole = |key: &str| {
            let number = object.get::<Whole>(key, "a whole number").ok().flatten();
            number.and_then(|number| u32::try_from(number.0).ok())
        };
        QkOnly {
            kind: text("feature_type").unwrap_or_default().0.into_owned(),
            layer: text("layer").and_then(|layer| layer.0.parse().ok()),
            feature: whole("feature"),
            position: whole("ctx_idx"),
            label: text("clerp").unwrap_or_default().0.into_owned(),
        }
    };
    nodes.0.iter().map(|(id, raw)| (id.as_ref().into(), node(raw))).collect()
}

/// Returns the head, the query and the key that a node stands for, where this program wrote it.
pub(super) fn head_of(node: &FileNode<'_>) -> Option<(Head, Position, Position)> {
    node.qk.filter(|_| node.kind.as_deref() == Some(kind::HEAD))?;
    let mut parts = node.id.split('_');
    let mut number = |lead: &str| parts.next()?.strip_prefix(lead)?.parse::<u32>().ok();
    let (layer, head, key, query) = (number("")?, number("head")?, number("")?, number("")?);
    Some((Head { layer: Layer(layer), head }, Position(query), Position(key)))
}

/// Node that stands for a head of the model.
pub(super) struct HeadNode<'a> {
    pub of: &'a HeadTrace,
    /// Ids of the graph's nodes.
    pub names: &'a [String],
}

impl HeadNode<'_> {
    fn name<'b>(&'b self, node: &'b QkNode) -> &'b str {
        match node {
            QkNode::InGraph(id) => &self.names[id.index()],
            QkNode::Only(id) => id,
        }
    }
}

impl Serialize for HeadNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let HeadTrace { head: Head { layer, head }, query, key, trace } = self.of;
        let id = format!("{layer}_head{head}_{key}_{query}");
        let marginal = |all: &[(QkNode, f32)]| -> Vec<serde_json::Value> {
            all.iter().map(|(node, weight)| json!([self.name(node), weight])).collect()
        };
        let pair = |(query, key, weight): &(QkNode, QkNode, f32)| json!([self.name(query), self.name(key), weight]);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("node_id", &id)?;
        map.serialize_entry("feature", &None::<u32>)?;
        map.serialize_entry("layer", &layer)?;
        map.serialize_entry("ctx_idx", &query)?;
        map.serialize_entry("feature_type", kind::HEAD)?;
        map.serialize_entry("token_prob", &0.0)?;
        map.serialize_entry("is_target_logit", &false)?;
        map.serialize_entry("run_idx", &0)?;
        map.serialize_entry("reverse_ctx_idx", &0)?;
        map.serialize_entry("jsNodeId", &id)?;
        map.serialize_entry("clerp", &format!("head {layer}.{head}, from {query} to {key}"))?;
        map.serialize_entry("influence", &None::<f32>)?;
        map.serialize_entry("activation", &None::<f32>)?;
        let traced = json!({
            "pair_wise_contributors": trace.pairs.iter().map(pair).collect::<Vec<_>>(),
            "top_q_marginal_contributors": marginal(&trace.queries),
            "top_k_marginal_contributors": marginal(&trace.keys),
        });
        map.serialize_entry("qk_tracing_results", &traced)?;
        map.end()
    }
}

/// Returns the fields of `qk_only_nodes`: those in `file`, and the nodes that heads name and that are not among
/// `written`.
pub(super) fn only_nodes(
    attention: &Attention,
    file: &Fields,
    graph: &AttributionGraph,
    names: &[String],
    written: &HashSet<NodeId>,
) -> serde_json::Result<Fields> {
    let mut all = file.clone();
    let named = attention.heads.iter().flat_map(|HeadTrace { trace, .. }| {
        let pairs = trace.pairs.iter().flat_map(|(query, key, _)| [query, key]);
        pairs.chain(trace.queries.iter().chain(&trace.keys).map(|(node, _)| node))
    });
    for node in named {
        let (id, only) = match node {
            QkNode::InGraph(id) if written.contains(id) => continue,
            QkNode::InGraph(id) => (names[id.index()].as_str(), in_graph(graph.node(*id))),
            QkNode::Only(id) => (&**id, attention.only.get(id).cloned().unwrap_or_default()),
        };
        if all.iter().any(|(known, _)| known == id) {
            continue;
        }
        let fields = json!({
            "node_id": id,
            "feature": only.feature,
            "layer": only.layer,
            "ctx_idx": only.position,
            "feature_type": only.kind,
            "clerp": only.label,
        });
        all.push((id.to_owned(), serde_json::value::to_raw_value(&fields)?));
    }
    Ok(all)
}

/// Describes a node of the graph that is not written among the nodes.
fn in_graph(node: &Node) -> QkOnly {
    let kind = match &node.kind {
        NodeKind::Feature { .. } => QkOnly::FEATURE,
        NodeKind::Error { .. } => QkOnly::ERROR,
        NodeKind::Token { .. } => QkOnly::TOKEN,
        NodeKind::Logit { .. } => "logit",
        NodeKind::Other { kind, .. } => kind,
    };
    let feature = match node.kind {
        NodeKind::Feature { feature, .. } => Some(feature.0),
        _ => None,
    };
    let (layer, position) = (node.layer().map(|layer| layer.0), Some(node.position().0));
    QkOnly { kind: kind.to_owned(), layer, feature, position, label: String::new() }
}
