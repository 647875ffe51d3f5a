//! `circuitscope heads`: an edge split by attention heads.

use crate::attribution::{Asked, HeadSplit, Probe, Source};
use crate::cli::engine::EngineArgs;
use crate::cli::graph::node_named;
use crate::cli::graph_args::GraphOrPromptArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use anyhow::Result;
use serde_json::{Value, json};

/// Splits an edge of a graph by the attention heads that it passes.
#[derive(Clone, Debug, clap::Args)]
pub struct HeadsArgs {
    #[command(flatten)]
    which: GraphOrPromptArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// The ids of the edge's source and target
    #[arg(long, num_args = 2, value_names = ["SOURCE", "TARGET"], required = true)]
    edge: Vec<String>,
    /// How many heads to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Print it as JSON: every head
    #[arg(long)]
    json: bool,
}

/// Loads graph and model, splits the edge, and prints the parts.
///
/// # Errors
/// Fails where graph or model cannot be read, they do not belong together, or there is no such node.
pub fn run(args: &HeadsArgs) -> Result<()> {
    let engine = args.engine.open()?;
    let wanted = args.clone();
    let (split, weight) = watch(WhenStopped::Abandon, move |monitor| {
        let open = wanted.which.graph(&engine, monitor)?;
        let graph = &open.document.graph;
        let [from, to] = [&wanted.edge[0], &wanted.edge[1]].map(|name| node_named(&open.document, name));
        let (from, to) = (from?, to?);
        let (asked, source) = (Asked::of_node(graph, to)?, Source::of_node(graph, from)?);
        let ids: Vec<u32> = graph.tokens().iter().map(|token| token.id).collect();
        let probe = Probe::new(&engine, &engine.tokens(&ids)?, monitor)?;
        let weight = graph.outgoing(from).find(|edge| edge.target == to).map_or(0.0, |edge| edge.weight);
        Ok((probe.heads(asked, source, monitor)?, weight))
    })?;
    // A file may not hold the edge.
    if weight != 0.0 && !split.is_of(weight) {
        note!(
            "warning: the graph's edge weighs {weight}, and with this model and transcoder {}; are they those that it was \
             made with?",
            split.total
        );
    }
    tell(args.json, || value(args, &split), || lines(args, &split))
}

fn value(args: &HeadsArgs, split: &HeadSplit) -> Value {
    let heads = split.heads.iter().map(|part| {
        json!({ "layer": part.layer, "head": part.head, "alone": part.alone, "first": part.first, "last": part.last })
    });
    json!({
        "source": args.edge[0],
        "target": args.edge[1],
        "weight": split.total,
        "no_head": split.stays,
        "two_or_more_heads": split.chained(),
        "attention_layers": split.n_layers(),
        "heads": heads.collect::<Vec<_>>(),
    })
}

fn lines(args: &HeadsArgs, split: &HeadSplit) -> Vec<String> {
    let mut lines = vec![
        format!("{} to {}: {:+.4}", args.edge[0], args.edge[1], split.total),
        format!("  {:+10.4}  through no head, along the residual stream", split.stays),
        format!("  {:+10.4}  through one head alone", split.alone()),
        format!("  {:+10.4}  through two heads or more", split.chained()),
    ];
    lines.push(format!("\n{:<12}{:>10}  {:>10}  {:>10}", "layer.head", "alone", "first", "last"));
    lines.extend(split.strongest().iter().take(args.top).map(|part| {
        let name = format!("{}.{}", part.layer, part.head);
        format!("{name:<12}{:+10.4}  {:+10.4}  {:+10.4}", part.alone, part.first, part.last)
    }));
    lines.push(
        "first, and last, is what passes this head before, or after, all others on the way; with what passes no head \
                each column of all heads adds up to the edge"
            .into(),
    );
    lines
}
