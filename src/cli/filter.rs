//! `circuitscope filter`: nodes that match a query.

use crate::cli::graph::{GraphArgs, node_named, query};
use crate::cli::output::tell;
use crate::graph::query::grammar;
use anyhow::Result;
use serde_json::json;

/// Lists the nodes and edges that match a filter.
#[derive(Debug, clap::Args)]
#[command(after_long_help = grammar())]
pub struct FilterArgs {
    #[command(flatten)]
    graph: GraphArgs,
    /// The filter, such as "type:feature layer:10..20 not sign:-"
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// The id of the node that `in`, `out` and `is:selected` are about
    #[arg(long, value_name = "ID")]
    select: Option<String>,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Opens, prunes and filters the graph, and prints the matches.
///
/// # Errors
/// Fails where the file cannot be read, the filter is not valid, or the selected node does not exist.
pub fn run(args: &FilterArgs) -> Result<()> {
    let query = query(&args.query)?;
    let open = args.graph.open()?;
    let selected = args.select.as_deref().map(|name| node_named(&open.document, name)).transpose()?;
    let matches = query.matches(&open.subject(selected));
    let nodes = || open.ranked().into_iter().filter(|id| matches.has_node(*id));
    let edges = || open.document.graph.edges().filter(|edge| matches.has_edge(edge.id));
    let lacking: Vec<String> = matches.lacking.iter().map(ToString::to_string).collect();
    tell(
        args.json,
        || {
            json!({
                "query": query.to_string(),
                "nodes": nodes().map(|id| open.node_json(id)).collect::<Vec<_>>(),
                "edges": edges().map(|edge| open.edge_json(edge)).collect::<Vec<_>>(),
                "undecided_nodes": matches.undecided_nodes,
                "undecided_edges": matches.undecided_edges,
                "lacking": lacking,
            })
        },
        || {
            let mut lines: Vec<_> = nodes().map(|id| open.node_line(id)).collect();
            lines.extend(edges().map(|edge| {
                let (source, target) = (open.node_title(edge.source), open.node_title(edge.target));
                format!("{source} -> {target}  {:+.4}  {:+.3}", edge.weight, open.share(edge))
            }));
            lines.push(format!("{} nodes and {} edges match", matches.n_nodes, matches.n_edges));
            if !lacking.is_empty() {
                let (nodes, edges) = (matches.undecided_nodes, matches.undecided_edges);
                lines.push(format!("{nodes} nodes and {edges} edges are undecided for want of {}", lacking.join(", ")));
            }
            lines
        },
    )
}
