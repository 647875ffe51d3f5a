//! A Mermaid flowchart, which Markdown viewers draw.

use super::escape::mermaid;
use super::sheet::{Shape, Sheet, signed};
use crate::format::export::formats::{DrawingKind, Spec};
use std::io::{self, Write};

pub(super) static FORMAT: Spec = Spec {
    name: "mermaid",
    extension: "mmd",
    about: "A Mermaid flowchart",
    drawing: Some(DrawingKind::Diagram),
    prepare: |exported| Ok(exported.draw(write)),
};

/// Writes edges with their signed share; a negative one is dotted.
fn write(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    writeln!(out, "flowchart BT")?;
    for at in 0..sheet.drawn.nodes.len() {
        let (open, close) = match sheet.shape(at) {
            Shape::Feature => ("(", ")"),
            Shape::Error => ("{", "}"),
            Shape::Token => ("[", "]"),
            Shape::Logit => ("([", "])"),
            Shape::Other => ("{{", "}}"),
            Shape::Group => ("[[", "]]"),
        };
        // Its ids may not hold much; a node's own is in its text where it has no better one.
        writeln!(out, "    n{at}{open}\"{}\"{close}", mermaid(&sheet.title_at(at)))?;
    }
    if let Some(said) = sheet.drawn_edges().said() {
        writeln!(out, "    %% {said}")?;
    }
    for edge in &sheet.drawn.edges {
        let arrow = if edge.weight < 0.0 { "-.->" } else { "-->" };
        writeln!(out, "    n{} {arrow}|\"{}\"| n{}", edge.source, signed(edge.weight), edge.target)?;
    }
    Ok(())
}
