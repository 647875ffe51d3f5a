//! `circuitscope export`: a part of a graph as a file for other programs and for papers.

use crate::cli::graph::{GraphArgs, OpenGraph, add_scores, node_named, share};
use crate::cli::out::ForceArgs;
use crate::cli::output::{note, print_from, print_json};
use crate::format::{self, Drawing, DrawnEdges, Format, Options, Theme};
use crate::graph::{Document, Edited, Kept, Part, Scores, Selection, scores};
use anyhow::{Context, bail};
use clap::builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};

/// Writes a part of a graph as a file for other programs, or as a figure.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    #[command(flatten)]
    graph: GraphArgs,
    /// What to write
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    format: Format,
    /// Which part of the graph [default: pruned; of a drawing (svg, dot, mermaid) pinned, where anything is]
    #[arg(long, value_enum)]
    select: Option<Select>,
    /// A node to pin beside those that are pinned already, by its id in graph JSON; may be given again
    #[arg(long = "pin", value_name = "ID", num_args = 1..)]
    pins: Vec<String>,
    /// The background that --format svg is made for
    #[arg(long, value_enum, default_value = "light")]
    theme: FigureTheme,
    /// Leave edges of a drawing out that carry less than this share of what flows into their target
    #[arg(long, value_name = "SHARE", default_value_t = Drawing::default().least_share, value_parser = share)]
    min_weight: f64,
    /// Draw the strongest edges alone, at most this many
    #[arg(long, value_name = "N", default_value_t = Drawing::default().most_edges)]
    max_edges: usize,
    /// Where to write it; - is stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    force: ForceArgs,
    /// What viewers call the graph [default: what its file calls it, or the name of --out without its extension]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    slug: Option<String>,
    /// What the features are of, for --format json and url: Neuronpedia wants its own name of the model, such as gemma-2-2b
    /// [default: what the graph's file says, else the transcoder set]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    scan: Option<String>,
    /// Print counts, scores and thresholds on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Which part of a graph is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Select {
    /// Every node and edge
    All,
    /// What pruning keeps
    Pruned,
    /// The pinned nodes, drawn with each group as one
    Pinned,
}

impl Select {
    fn of(part: Part) -> Self {
        match part {
            Part::All => Self::All,
            Part::Pruned => Self::Pruned,
            Part::Pinned => Self::Pinned,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FigureTheme {
    Light,
    Dark,
}

/// Returns what reads a format by its name, with all of them for the help and completions.
fn formats() -> impl TypedValueParser<Value = Format> {
    let names = Format::all().map(|format| PossibleValue::new(format.name()).help(format.about()));
    PossibleValuesParser::new(names).try_map(|name| Format::named(&name).ok_or("there is no such format"))
}

impl ExportArgs {
    fn options(&self) -> Options {
        let part = self.select.map(|select| match select {
            Select::All => Part::All,
            Select::Pruned => Part::Pruned,
            Select::Pinned => Part::Pinned,
        });
        let theme = match self.theme {
            FigureTheme::Light => Theme::Light,
            FigureTheme::Dark => Theme::Dark,
        };
        let drawing = Drawing { theme, least_share: self.min_weight, most_edges: self.max_edges };
        Options {
            format: self.format,
            part,
            slug: self.slug.clone().unwrap_or_default(),
            scan: self.scan.clone(),
            drawing,
        }
    }

    /// Adds the pins of the command line to the user's edits of the graph.
    fn edited(&self, document: &Document, mut edited: Edited) -> anyhow::Result<Edited> {
        for name in &self.pins {
            let id = node_named(document, name)?;
            if !edited.is_pinned(id) {
                edited.pins.push(id);
            }
        }
        Ok(edited)
    }

    fn is_to_stdout(&self) -> bool {
        self.out == Path::new("-")
    }
}

/// Reads, prunes and writes the graph, and prints what was written.
///
/// # Errors
/// Fails where the file cannot be read, holds no sound graph, or the export cannot be written; no file is left then.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    if args.json && args.is_to_stdout() {
        bail!("--out - and --json both write to stdout; leave one out");
    }
    if !args.is_to_stdout() {
        args.force.allow(&args.out, [args.graph.file.as_path()])?;
    }
    let OpenGraph { document, edited, kept } = args.graph.open()?;
    let edited = args.edited(&document, edited)?;
    if args.is_to_stdout() {
        return print_from(|out| format::export_to(&document, &kept, &edited, &args.options(), out));
    }
    let edges = format::export(&document, &kept, &edited, &args.options(), &args.out)?;
    report(args, &document, &kept, &edited, edges).context("the export was written, but cannot be reported on stdout")
}

fn report(
    args: &ExportArgs,
    document: &Document,
    kept: &Kept,
    edited: &Edited,
    edges: Option<DrawnEdges>,
) -> anyhow::Result<()> {
    let graph = &*document.graph;
    let found @ Scores { replacement, completeness } = scores(graph, &kept.influence);
    let recomputed = if graph.is_whole() { "" } else { "recomputed " };
    let partial = graph.is_partial();
    let part = args.options().part(edited);
    if args.json {
        let selection = Selection::new(graph, kept, edited, part);
        let mut result = serde_json::json!({
            "out": args.out,
            "format": args.format.name(),
            "select": Select::of(part),
            "partial": partial,
            "nodes": graph.n_nodes(),
            "edges": graph.n_edges(),
            "kept_nodes": kept.n_nodes(),
            "kept_edges": kept.n_edges(),
            "selected_nodes": selection.node_ids().count(),
            "selected_edges": selection.edges().count(),
            "node_threshold": edited.thresholds.node,
            "edge_threshold": edited.thresholds.edge,
        });
        if let Some(DrawnEdges { drawn, left_out }) = edges {
            result["drawn_edges"] = drawn.into();
            result["edges_left_out"] = left_out.into();
        }
        add_scores(&mut result, graph, "", Some(found));
        print_json(&result)?;
    } else {
        let partial = if partial { " (of a trace that was stopped early)" } else { "" };
        note!(
            "wrote {}{partial}: kept {} of {} nodes and {} of {} edges; {recomputed}replacement {replacement:.3}, completeness \
             {completeness:.3}",
            args.out.display(),
            kept.n_nodes(),
            graph.n_nodes(),
            kept.n_edges(),
            graph.n_edges(),
        );
        if let Some(said) = edges.and_then(|edges| edges.said()) {
            note!("{said} (--min-weight, --max-edges)");
        }
    }
    Ok(())
}
