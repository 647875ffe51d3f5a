//! `circuitscope paths`: the strongest paths between two nodes.

use crate::cli::graph::{GraphArgs, node_named};
use crate::cli::output::tell;
use crate::graph::{Path, paths};
use crate::job::Cancel;
use anyhow::Result;
use serde_json::json;

/// Finds the strongest paths from one node to another, and how much of all paths they carry.
#[derive(Debug, clap::Args)]
pub struct PathsArgs {
    #[command(flatten)]
    graph: GraphArgs,
    /// The id of the node that they start at
    from: String,
    /// The id of the node that they lead to
    to: String,
    /// How many
    #[arg(short, value_name = "N", default_value_t = 10)]
    k: usize,
    /// Over all edges, not only those that are kept
    #[arg(long)]
    all: bool,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Opens the graph, and prints the paths, the strongest first.
///
/// # Errors
/// Fails where the file cannot be read, or has no such nodes.
pub fn run(args: &PathsArgs) -> Result<()> {
    let open = args.graph.open()?;
    let (from, to) = (node_named(&open.document, &args.from)?, node_named(&open.document, &args.to)?);
    let within = (!args.all).then_some(&*open.kept);
    let paths = paths(&open.document.graph, within, from, to, args.k, &Cancel::default())?;
    let names = |path: &Path| path.nodes.iter().map(|id| open.name(*id)).collect::<Vec<_>>();
    tell(
        args.json,
        || {
            let found = paths.found.iter().map(|path| json!({ "strength": path.strength, "nodes": names(path) }));
            let found: Vec<_> = found.collect();
            json!({ "from": args.from, "to": args.to, "total": paths.total, "coverage": paths.coverage(), "paths": found })
        },
        || {
            let titles = |path: &Path| path.nodes.iter().map(|id| open.node_title(*id)).collect::<Vec<_>>().join(" > ");
            let found = paths.found.iter().map(|path| format!("{}  {:+.6}", titles(path), path.strength));
            let mut lines: Vec<_> = found.collect();
            lines.push(match lines.len() {
                0 => "no path leads from the one to the other over what is kept".into(),
                n => format!("{n} paths carry {:.1} % of all", 100.0 * paths.coverage()),
            });
            lines
        },
    )
}
