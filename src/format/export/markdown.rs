//! A lab note: model, transcoder and settings of the trace, its scores, and the nodes and edges of the part.

use super::escape::{code, inline, line};
use super::sheet::{Sheet, clean, harmless, quoted, signed};
use crate::format::export::formats::Spec;
use crate::graph::{Extent, Intervention, Part};
use std::io::{self, Write};

pub(super) static FORMAT: Spec = Spec {
    name: "markdown",
    extension: "md",
    about: "A lab note",
    drawing: None,
    prepare: |exported| Ok(exported.write(write)),
};

/// Edges listed at most; the rest are counted. The tables of edges hold them all.
const MOST_EDGES: usize = 100;

fn write(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    let (origin, graph) = (&sheet.document.origin, &sheet.document.graph);
    writeln!(
        out,
        "# {}\n",
        inline(&if sheet.slug.is_empty() { "Attribution graph".into() } else { harmless(&sheet.slug) })
    )?;
    let said = |text: &str| if text.is_empty() { "not said".to_owned() } else { inline(&harmless(text)) };
    let tokens: String = graph.tokens().iter().map(|token| format!(" {}", code(&harmless(&token.text)))).collect();
    writeln!(out, "| | |\n| --- | --- |")?;
    writeln!(out, "| Prompt | {} |", inline(&clean(&origin.prompt)))?;
    writeln!(out, "| Tokens |{tokens} |")?;
    writeln!(out, "| Model | {} |", said(&origin.model))?;
    writeln!(out, "| Transcoders | {} |", said(&origin.transcoder))?;
    if !origin.dtype.is_empty() {
        writeln!(out, "| Computed in | {} on {} |", inline(&harmless(&origin.dtype)), said(&origin.device))?;
    }
    writeln!(out, "| Graph | {} nodes, {} edges{} |", graph.n_nodes(), graph.n_edges(), extent(sheet))?;
    let thresholds = sheet.edited.thresholds;
    let (nodes, edges) = (sheet.kept.n_nodes(), sheet.kept.n_edges());
    let density = if thresholds.density < 1.0 { format!(", density {}", thresholds.density) } else { String::new() };
    writeln!(
        out,
        "| Thresholds | nodes {}, edges {}{density}: keeps {nodes} nodes, {edges} edges |",
        thresholds.node, thresholds.edge
    )?;
    let scores = sheet.scores();
    let of = if sheet.part == Part::Pinned { "pinned subgraph" } else { "graph" };
    let name = if graph.is_whole() { "Scores" } else { "Recomputed scores" };
    if scores.replacement.is_finite() {
        writeln!(
            out,
            "| {name} of the {of} | replacement {:.3}, completeness {:.3} |",
            scores.replacement, scores.completeness
        )?;
    } else {
        writeln!(out, "| Scores of the {of} | none: the links of its file form a cycle |")?;
    }
    if !sheet.edited.notes.is_empty() {
        writeln!(out, "\n## Notes\n")?;
        // Notes may come with the graph's file: they are shown as they were typed, line by line.
        sheet.edited.notes.lines().try_for_each(|text| match text.trim() {
            "" => writeln!(out),
            _ => writeln!(out, "{}  ", line(&clean(text))),
        })?;
    }
    interventions_list(out, sheet)?;
    writeln!(out, "\n## Nodes of the {} ({})\n", sheet.part_name(), sheet.drawn.nodes.len())?;
    writeln!(out, "| What | At | Node | Kind | Influence |\n| --- | --- | --- | --- | --- |")?;
    for (at, node) in sheet.drawn.nodes.iter().enumerate() {
        let (place, influence) = match node.members[..] {
            [id] => {
                let token = quoted(&graph.tokens()[graph.node(id).position().index()].text);
                let layer = graph.node(id).layer().map_or_else(String::new, |layer| format!("L{layer} "));
                let score = sheet.influence(id).map_or(String::new(), |score| format!("{score:.3}"));
                (format!("{layer}{} {}", graph.node(id).position(), inline(&token)), score)
            }
            _ => (format!("{} nodes", node.members.len()), String::new()),
        };
        let kind = sheet.shape(at).name();
        writeln!(out, "| {} | {place} | {} | {kind} | {influence} |", inline(&sheet.title(at)), code(&sheet.id(at)))?;
    }
    for (at, group) in sheet.drawn.nodes.iter().enumerate().filter(|(_, node)| node.group.is_some()) {
        let members: Vec<_> = group
            .members
            .iter()
            .map(|id| format!("{} {}", inline(&sheet.node_title_at(*id)), code(sheet.name(*id))))
            .collect();
        writeln!(out, "\n{} is {}.", line(&sheet.title(at)), members.join(", "))?;
    }
    edges_table(out, sheet)
}

/// Writes the interventions.
fn interventions_list(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    let set = &sheet.edited.interventions;
    if set.list.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n## Interventions\n\nMade together, mode {}. Features as layer:position:index.\n",
        set.freeze.name()
    )?;
    for Intervention { name, sites, action, muted } in &set.list {
        let sites: Vec<String> = sites.iter().map(|site| code(&site.to_string())).collect();
        let muted = if *muted { " (muted)" } else { "" };
        writeln!(out, "- {}: {action}{muted}; {}", line(&harmless(name)), sites.join(", "))?;
    }
    Ok(())
}

fn edges_table(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    let mut edges = sheet.drawn.edges.clone();
    edges.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    writeln!(out, "\n## Edges of the {} ({})\n", sheet.part_name(), edges.len())?;
    writeln!(out, "Shares of everything that flows into the target, strongest first.\n")?;
    writeln!(out, "| From | To | Share |\n| --- | --- | --- |")?;
    for edge in edges.iter().take(MOST_EDGES) {
        let [from, to] =
            [edge.source, edge.target].map(|at| format!("{} {}", inline(&sheet.title_at(at)), code(&sheet.id(at))));
        writeln!(out, "| {from} | {to} | {} |", signed(edge.weight))?;
    }
    if edges.len() > MOST_EDGES {
        writeln!(out, "\n{} weaker edges are not listed.", edges.len() - MOST_EDGES)?;
    }
    Ok(())
}

fn extent(sheet: &Sheet<'_>) -> String {
    let at = |threshold: Option<f64>| threshold.map_or("not said".to_owned(), |threshold| threshold.to_string());
    match sheet.document.origin.extent {
        Extent::Whole => String::new(),
        Extent::Partial => "; partial: the trace was stopped early".into(),
        Extent::PrePruned { node, edge } => {
            format!("; pruned before it was saved (nodes {}, edges {})", at(node), at(edge))
        }
    }
}
