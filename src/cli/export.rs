//! `circuitscope export`: a raw graph, pruned, as a file for other programs.

use crate::format::json::{self, Called};
use crate::format::{dense, raw};
use crate::graph::{AttributionGraph, Kept, RawTrace, Scores, Thresholds, prune, scores};
use anyhow::{Context, bail};
use clap::builder::NonEmptyStringValueParser;
use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a raw graph, pruned, as a file for other programs.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The raw graph, as `trace` wrote it
    file: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// The share of the nodes' influence that the kept nodes are to hold, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Thresholds::default().node, value_parser = share)]
    node_threshold: f64,
    /// The share of the edges' influence that the kept edges are to hold, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Thresholds::default().edge, value_parser = share)]
    edge_threshold: f64,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What viewers call the graph, for --format json [default: the name of --out without its extension]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    slug: Option<String>,
    /// What the features are of, for --format json: Neuronpedia wants its own name of the model, such as gemma-2-2b
    /// [default: the transcoder set]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    scan: Option<String>,
    /// Print counts, scores and thresholds on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// What a graph can be exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum ExportFormat {
    /// A safetensors file with the adjacency matrix, scores and masks, as circuit-tracer computes them
    Dense,
    /// What is kept, as the graph JSON of circuit-tracer and Neuronpedia
    Json,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it has to be a number from 0 to 1".into()),
    }
}

/// Reads, prunes, writes, and says what was written.
///
/// # Errors
/// Where the file cannot be read, holds no sound trace, or the export cannot be written; nothing is left then.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    if same_file(&args.file, &args.out) {
        bail!("--out is the raw graph itself ({}); write the export elsewhere", args.out.display());
    }
    for (option, given) in [("--slug", &args.slug), ("--scan", &args.scan)] {
        if given.is_some() && args.format != ExportFormat::Json {
            bail!("{option} goes into the metadata of --format json; leave it out");
        }
    }
    let trace = raw::read(&args.file)?;
    let graph = AttributionGraph::from_trace(&trace).with_context(|| format!("in {}", args.file.display()))?;
    let thresholds = Thresholds { node: args.node_threshold, edge: args.edge_threshold };
    let kept = prune(&graph, thresholds);
    let scores = scores(&graph, &kept.influence);
    match args.format {
        ExportFormat::Dense => dense::write(&args.out, &trace, &graph, &kept, scores)?,
        ExportFormat::Json => {
            let called = Called { slug: &slug(args), scan: args.scan.as_deref() };
            json::write(&args.out, called, &trace, &graph, &kept, thresholds)?;
        }
    }
    report(args, &trace, &graph, &kept, scores).context("the export was written, but cannot be reported on stdout")
}

fn slug(args: &ExportArgs) -> Cow<'_, str> {
    match &args.slug {
        Some(slug) => slug.into(),
        None => args.out.file_stem().unwrap_or_default().to_string_lossy(),
    }
}

fn report(
    args: &ExportArgs,
    trace: &RawTrace,
    graph: &AttributionGraph,
    kept: &Kept,
    scores: Scores,
) -> anyhow::Result<()> {
    if args.json {
        let result = serde_json::json!({
            "out": args.out,
            "format": args.format,
            "partial": trace.is_partial(),
            "nodes": graph.n_nodes(),
            "edges": graph.n_edges(),
            "kept_nodes": kept.n_nodes(),
            "kept_edges": kept.n_edges(),
            "replacement_score": scores.replacement,
            "completeness_score": scores.completeness,
            "node_threshold": args.node_threshold,
            "edge_threshold": args.edge_threshold,
        });
        writeln!(io::stdout(), "{result:#}")?;
    } else {
        let partial = if trace.is_partial() { " (of a trace that was stopped early)" } else { "" };
        eprintln!(
            "wrote {}{partial}: kept {} of {} nodes and {} of {} edges; replacement {:.3}, completeness {:.3}",
            args.out.display(),
            kept.n_nodes(),
            graph.n_nodes(),
            kept.n_edges(),
            graph.n_edges(),
            scores.replacement,
            scores.completeness,
        );
    }
    Ok(())
}

/// Whether both lead to one file that is there.
fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
