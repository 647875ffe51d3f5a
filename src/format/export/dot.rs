//! A graph for graphviz: `dot -Tpdf`.

use super::escape::{dot, dot_label};
use super::sheet::{Shape, Sheet, harmless, signed};
use crate::format::export::formats::{DrawingKind, Spec};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub(super) static FORMAT: Spec = Spec {
    name: "dot",
    extension: "dot",
    about: "A graph for graphviz",
    drawing: Some(DrawingKind::Diagram),
    prepare: |exported| Ok(exported.draw(write)),
};

/// Writes layers as ranks, tokens at the bottom. An edge's width is its share of the target's input; a negative one is
/// dashed and ends in a bar.
fn write(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    writeln!(out, "digraph {} {{", dot(&harmless(&sheet.slug)))?;
    writeln!(
        out,
        "  rankdir=BT; node [fontname=\"Helvetica\", fontsize=11]; edge [fontname=\"Helvetica\", fontsize=9];"
    )?;
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, node) in sheet.drawn.nodes.iter().enumerate() {
        // A group of many layers stands where most of what flows into it is, which graphviz finds best itself.
        let row = sheet.row(node.members[0]);
        if node.members.iter().all(|id| sheet.row(*id) == row) {
            rows.entry(row).or_default().push(at);
        }
        let shape = match sheet.shape(at) {
            Shape::Feature => "shape=ellipse",
            Shape::Error => "shape=diamond, style=dotted",
            Shape::Token => "shape=box",
            Shape::Logit => "shape=box, style=\"bold,rounded\"",
            Shape::Other => "shape=hexagon",
            Shape::Group => "shape=box, style=rounded, peripheries=2",
        };
        writeln!(out, "  {} [label={}, {shape}];", dot(&sheet.id(at)), dot_label(&label(sheet, at)))?;
    }
    for members in rows.values() {
        let ids: Vec<_> = members.iter().map(|at| dot(&sheet.id(*at))).collect();
        writeln!(out, "  {{ rank=same; {}; }}", ids.join("; "))?;
    }
    if let Some(said) = sheet.drawn_edges().said() {
        writeln!(out, "  // {said}")?;
    }
    for edge in &sheet.drawn.edges {
        let style =
            if edge.weight < 0.0 { "style=dashed, arrowhead=tee, color=\"#b8500f\"" } else { "color=\"#1667b0\"" };
        let width = 0.5 + 4.0 * edge.weight.abs().min(1.0);
        let (source, target) = (dot(&sheet.id(edge.source)), dot(&sheet.id(edge.target)));
        let weight = signed(edge.weight);
        writeln!(out, "  {source} -> {target} [tooltip=\"{weight}\", penwidth={width:.2}, {style}];")?;
    }
    writeln!(out, "}}")
}

/// Returns the title and the place of a drawn node; of a group the number of nodes.
fn label(sheet: &Sheet<'_>, at: usize) -> String {
    let node = &sheet.drawn.nodes[at];
    let (title, first) = (sheet.title(at), node.members[0]);
    match sheet.shape(at) {
        Shape::Group => format!("{title}\n{} nodes", node.members.len()),
        Shape::Feature | Shape::Error | Shape::Other => format!("{title}\n{}", sheet.place(first)),
        Shape::Token | Shape::Logit => title,
    }
}
