//! Tables of nodes and edges, as RFC 4180 has them. A text that a spreadsheet would take for a formula starts with an
//! apostrophe.

use super::escape::cell;
use super::sheet::{Sheet, harmless};
use crate::format::export::formats::Spec;
use crate::graph::{Part, Supernode};
use crate::ids::NodeId;
use std::io::{self, Write};

pub(super) static NODES: Spec = Spec {
    name: "csv-nodes",
    extension: "csv",
    about: "A table of nodes",
    drawing: None,
    prepare: |exported| Ok(exported.write(nodes)),
};

pub(super) static EDGES: Spec = Spec {
    name: "csv-edges",
    extension: "csv",
    about: "A table of edges",
    drawing: None,
    prepare: |exported| Ok(exported.write(edges)),
};

/// Writes one line a node. Columns without a single number for a group of several nodes are empty; its members are
/// listed.
fn nodes(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    let head = ["label", "layer", "position", "token", "id", "kind", "activation", "influence", "pinned", "members"];
    line(out, head.map(str::to_owned))?;
    for (at, Supernode { members, .. }) in sheet.drawn.nodes.iter().enumerate() {
        let one = match members[..] {
            [id] => Some(id),
            _ => None,
        };
        let of = |text: &dyn Fn(NodeId) -> Option<String>| one.and_then(text).unwrap_or_default();
        let graph = &sheet.document.graph;
        let names: Vec<_> = members.iter().map(|id| sheet.name(*id)).collect();
        let own = sheet.drawn.nodes[at].group.map(|group| harmless(&sheet.edited.groups[group].name));
        line(
            out,
            [
                cell(own.unwrap_or_else(|| of(&|id| sheet.label(id).map(harmless)))),
                of(&|id| graph.node(id).layer().map(|layer| layer.to_string())),
                of(&|id| Some(graph.node(id).position().to_string())),
                of(&|id| Some(cell(harmless(graph.token_text(id))))),
                cell(sheet.id(at)),
                sheet.shape(at).name().into(),
                of(&|id| graph.node(id).activation.map(|activation| activation.to_string())),
                of(&|id| sheet.influence(id).map(|score| score.to_string())),
                members.iter().any(|id| sheet.edited.is_pinned(*id)).to_string(),
                cell(names.join(" ")),
            ],
        )?;
    }
    Ok(())
}

/// Writes one line an edge: the labels of its ends, their ids, the signed share of the target's input and, between
/// nodes, the weight itself.
fn edges(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    let head = ["source_label", "target_label", "source", "target", "share", "weight"].map(str::to_owned);
    line(out, head)?;
    if sheet.part == Part::Pinned {
        return sheet.drawn.edges.iter().try_for_each(|edge| {
            let [from, to] = [edge.source, edge.target].map(|at| cell(sheet.title(at)));
            let [source, target] = [edge.source, edge.target].map(|at| cell(sheet.id(at)));
            line(out, [from, to, source, target, edge.weight.to_string(), String::new()])
        });
    }
    let graph = &sheet.document.graph;
    let selection = sheet.selection();
    selection.edges().try_for_each(|edge| {
        let share = f64::from(edge.weight) / graph.input_total(edge.target);
        let [from, to] = [edge.source, edge.target].map(|id| cell(sheet.node_title(id)));
        let [source, target] = [edge.source, edge.target].map(|id| cell(sheet.name(id).to_owned()));
        line(out, [from, to, source, target, share.to_string(), edge.weight.to_string()])
    })
}

fn line<const N: usize>(out: &mut dyn Write, fields: [String; N]) -> io::Result<()> {
    let quoted = fields.map(|field| match field.contains([',', '"', '\r', '\n']) || field.starts_with(' ') {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    });
    write!(out, "{}\r\n", quoted.join(","))
}
