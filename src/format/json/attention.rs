//! QK attributions of a file: `qk_tracing_results` of a node, and `qk_only_nodes` at the top.

use super::fields::{Number, Text, Whole};
use super::names::Names;
use super::object::Object;
use crate::graph::{QkNode, QkOnly, QkTrace};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
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
        let position = object.get::<Whole>("ctx_idx", "a position").ok().flatten();
        QkOnly {
            kind: text("feature_type").unwrap_or_default().0.into_owned(),
            position: position.and_then(|position| u32::try_from(position.0).ok()),
            label: text("clerp").unwrap_or_default().0.into_owned(),
        }
    };
    nodes.0.iter().map(|(id, raw)| (id.as_ref().into(), node(raw))).collect()
}
