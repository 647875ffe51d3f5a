//! Attributed attention of a node, from a graph's file.

use crate::cli::graph::OpenGraph;
use crate::graph::QkNode;
use crate::ids::NodeId;
use crate::text::visible;
use serde_json::{Value, json};

/// Returns the attention of a node as JSON; `None` where the file has none.
pub fn json(open: &OpenGraph, id: NodeId) -> Option<Value> {
    let trace = open.document.foreign.attention.traced.get(&id)?;
    let node = |node: &QkNode| named(open, node).0;
    let marginal = |all: &[(QkNode, f32)]| -> Vec<Value> {
        all.iter().map(|(of, weight)| json!({ "node": node(of), "weight": weight })).collect()
    };
    let pair = |(query, key, weight): &(QkNode, QkNode, f32)| json!({ "query": node(query), "key": node(key), "weight": weight });
    Some(json!({
        "queries": marginal(&trace.queries),
        "keys": marginal(&trace.keys),
        "pairs": trace.pairs.iter().map(pair).collect::<Vec<_>>(),
    }))
}

/// Formats the attributed attention of a node in lines, at most `top` of a kind.
pub fn lines(open: &OpenGraph, id: NodeId, top: usize) -> Vec<String> {
    let Some(trace) = open.document.foreign.attention.traced.get(&id) else { return Vec::new() };
    let line = |node: &QkNode| named(open, node).1;
    let mut lines = Vec::new();
    for (title, all) in [
        ("queries: what stands where it looked from", &trace.queries),
        ("keys: what stands where it looked", &trace.keys),
    ] {
        if !all.is_empty() {
            lines.push(format!("\n{title}, {} of {}", top.min(all.len()), all.len()));
            lines.extend(all.iter().take(top).map(|(node, weight)| format!("{weight:+10.4}  {}", line(node))));
        }
    }
    if !trace.pairs.is_empty() {
        lines.push(format!("\nqueries with keys, {} of {}", top.min(trace.pairs.len()), trace.pairs.len()));
        for (query, key, weight) in trace.pairs.iter().take(top) {
            lines.push(format!("{weight:+10.4}  {}\n            {}", line(query), line(key)));
        }
    }
    lines
}

/// Returns a contributor's id, and a line on it.
fn named(open: &OpenGraph, node: &QkNode) -> (String, String) {
    match node {
        QkNode::InGraph(id) => (open.name(*id), open.node_line(*id)),
        QkNode::Only(id) => {
            let only = open.document.foreign.attention.only.get(id).cloned().unwrap_or_default();
            let token = only.position.and_then(|at| open.document.graph.tokens().get(at as usize));
            let token = token.map_or_else(String::new, |token| visible(&token.text));
            let (id, kind, label) = (visible(id), visible(&only.kind), visible(&only.label));
            let line = format!("{id:<16} {kind:<8} {token:<12} {label}").trim_end().to_owned();
            (id, format!("{line} (not in the graph)"))
        }
    }
}
