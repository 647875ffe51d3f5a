//! Copies of the selection in the terminal's clipboard.

use super::group::at_hand;
use crate::graph::InfluenceOf;
use crate::ids::NodeId;
use crate::text;
use crate::tui::app::State;
use crate::tui::circuit::{Circuit, Link, Side};
use crate::tui::clipboard::LONGEST;
use crate::tui::effect::Effect;
use crate::untrusted::for_json;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Part of a node that is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Part {
    Id,
    Label,
    Json,
    Markdown,
}

pub(in crate::tui) fn copy(state: &mut State, part: Part) {
    let Some(circuit) = &state.circuit else { return };
    let node = circuit.selected();
    let graph = &circuit.traced.document.graph;
    let text = match part {
        Part::Id => {
            let names = at_hand(circuit).into_iter().map(|node| text::visible_within(&graph.node_name(node)));
            names.collect::<Vec<_>>().join("\n")
        }
        Part::Label => match circuit.label(node) {
            Some((label, _)) => text::visible_within(label),
            None => {
                state.say("This node has no label");
                return;
            }
        },
        Part::Json => for_json(&format!("{:#}", as_json(circuit, node))).into_owned(),
        Part::Markdown => as_markdown(circuit, &at_hand(circuit)),
    };
    if text.len() > LONGEST {
        state.warn("This is too long for the clipboard of most terminals: choose fewer nodes, or export it");
        return;
    }
    let shown = state.look.glyphs.visible(text.lines().next().unwrap_or_default());
    state.say(match text::counted(text.lines().count(), "line").as_str() {
        "1 line" => format!("Copied {shown}"),
        lines => format!("Copied {lines}"),
    });
    state.effects.push(Effect::Copy(text));
}

/// Returns a node with its kept inputs and outputs as JSON.
fn as_json(circuit: &Circuit, node: NodeId) -> Value {
    let graph = &circuit.traced.document.graph;
    let links = |side: Side| -> Vec<Value> {
        let row = |link: &Link| json!({ "node": graph.node_name(link.other), "weight": link.edge.weight, "share": link.share });
        circuit.links_of(side).kept.iter().map(row).collect()
    };
    let its = graph.node(node);
    json!({
        "node": graph.node_name(node),
        "layer": its.layer().map(|layer| layer.0),
        "position": its.position().0,
        "token": graph.token_text(node),
        "feature": circuit.feature(node).map(|(_, feature)| feature.0),
        "activation": its.activation,
        "influence": circuit.kept().influence_of(node),
        "recomputed_influence": circuit.kept().recomputed(node),
        "label": circuit.label(node).map(|(label, _)| label),
        "inputs": links(Side::Inputs),
        "outputs": links(Side::Outputs),
    })
}

/// Returns a Markdown table of nodes, and of the kept edges between them.
fn as_markdown(circuit: &Circuit, nodes: &[NodeId]) -> String {
    let graph = &circuit.traced.document.graph;
    let is_known = *graph.influence_of() != InfluenceOf::Unknown;
    let head = if is_known { "influence" } else { "recomputed influence" };
    let mut out = format!("| label | token | node | activation | {head} |\n| --- | --- | --- | ---: | ---: |\n");
    for &node in nodes {
        let activation = graph.node(node).activation.map_or_else(String::new, |activation| format!("{activation:.4}"));
        let kept = circuit.kept();
        let influence = if is_known { kept.influence_of(node) } else { kept.recomputed(node) };
        let influence = influence.map_or_else(String::new, |influence| format!("{influence:.4}"));
        let label = circuit.label(node).map_or("", |(label, _)| label);
        // Writing into a string does not fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {activation} | {influence} |",
            cell(label),
            cell(graph.token_text(node)),
            code(&graph.node_name(node))
        );
    }
    let between = nodes.iter().flat_map(|target| circuit.kept().incoming(graph, *target));
    let between: Vec<_> = between.filter(|edge| nodes.contains(&edge.source)).collect();
    if !between.is_empty() {
        out.push('\n');
    }
    for edge in between {
        let (source, target) = (code(&graph.node_name(edge.source)), code(&graph.node_name(edge.target)));
        let _ = writeln!(out, "- {source} → {target}: {}", text::weight(edge.weight));
    }
    out
}

/// Returns a name as Markdown code, or as plain text where it would end the code.
fn code(name: &str) -> String {
    if name.contains(['`', '|']) { cell(name) } else { format!("`{}`", text::visible_within(name)) }
}

/// Escapes a text for a table's cell.
fn cell(text: &str) -> String {
    text::visible(text).replace('\\', "\\\\").replace('|', "\\|").replace('`', "\\`")
}
