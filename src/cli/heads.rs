//! `circuitscope heads`: an edge, or a whole graph's influence, split by attention heads.

use crate::attribution::{Asked, HeadFlow, HeadSplit, HeadType, Probe, Source};
use crate::cli::engine::EngineArgs;
use crate::cli::graph::node_named;
use crate::cli::graph_args::GraphOrPromptArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::service::attention::{CircuitHeads, circuit_heads};
use anyhow::Result;
use serde_json::{Value, json};

/// Tints of the grid, from no influence to the most.
const TINTS: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// Splits an edge of a graph, or the influence that flows through its kept edges, by attention heads.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: circuitscope heads graph.safetensors --top 5")]
pub struct HeadsArgs {
    #[command(flatten)]
    which: GraphOrPromptArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// The ids of the source and the target of the edge to split [default: all kept edges between positions]
    #[arg(long, num_args = 2, value_names = ["SOURCE", "TARGET"])]
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
    let HeadsArgs { which, engine, edge, top, json } = args;
    tell_heads(which, engine, edge, *top, *json)
}

/// Splits an edge, or where none is given all kept edges, and prints the parts.
///
/// # Errors
/// Fails as [`run`] does.
pub fn tell_heads(
    which: &GraphOrPromptArgs,
    engine: &EngineArgs,
    edge: &[String],
    top: usize,
    json: bool,
) -> Result<()> {
    match edge {
        [source, target] => of_edge(which.clone(), engine, [source.clone(), target.clone()], top, json),
        _ => of_graph(which.clone(), engine, top, json),
    }
}

fn of_edge(which: GraphOrPromptArgs, engine: &EngineArgs, edge: [String; 2], top: usize, json: bool) -> Result<()> {
    let engine = engine.open()?;
    let ends = edge.clone();
    let (split, weight) = watch(WhenStopped::Abandon, move |monitor| {
        let open = which.graph(&engine, monitor)?;
        let graph = &open.document.graph;
        let [from, to] = ends.map(|name| node_named(&open.document, &name));
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
    tell(json, || edge_value(&edge, &split), || edge_lines(&edge, &split, top))
}

fn edge_value([source, target]: &[String; 2], split: &HeadSplit) -> Value {
    let heads = split.heads.iter().map(|part| {
        json!({ "layer": part.layer, "head": part.head, "alone": part.alone, "first": part.first, "last": part.last })
    });
    json!({
        "source": source,
        "target": target,
        "weight": split.total,
        "no_head": split.stays,
        "two_or_more_heads": split.chained(),
        "attention_layers": split.n_layers(),
        "heads": heads.collect::<Vec<_>>(),
    })
}

fn edge_lines([source, target]: &[String; 2], split: &HeadSplit, top: usize) -> Vec<String> {
    let mut lines = vec![
        format!("{source} to {target}: {:+.4}", split.total),
        format!("  {:+10.4}  through no head, along the residual stream", split.stays),
        format!("  {:+10.4}  through one head alone", split.alone()),
        format!("  {:+10.4}  through two heads or more", split.chained()),
    ];
    lines.push(format!("\n{:<12}{:>10}  {:>10}  {:>10}", "layer.head", "alone", "first", "last"));
    lines.extend(split.strongest().iter().take(top).map(|part| {
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

fn of_graph(which: GraphOrPromptArgs, engine: &EngineArgs, top: usize, json: bool) -> Result<()> {
    let engine = engine.open()?;
    let (found, kept_edges) = watch(WhenStopped::Abandon, move |monitor| {
        let open = which.graph(&engine, monitor)?;
        let found = circuit_heads(&engine, &open.document.graph, &open.kept, monitor)?;
        Ok((found, open.kept.n_edges()))
    })?;
    if found.flows.left_out > 0 {
        note!("{} edges lead to outputs that are no tokens, and are not split", found.flows.left_out);
    }
    tell(json, || graph_value(&found, kept_edges), || graph_lines(&found, kept_edges, top))
}

/// Formats the kinds of a head in words.
pub fn kinds(types: &[HeadType]) -> String {
    let kind = |it: &HeadType| format!("{} ({:.2} of {} queries' attention)", it.kind.name(), it.attention, it.queries);
    types.iter().map(kind).collect::<Vec<_>>().join(", ")
}

fn share(found: &CircuitHeads, influence: f64) -> f64 {
    if found.flows.influence > 0.0 { influence / found.flows.influence } else { 0.0 }
}

fn graph_value(found: &CircuitHeads, kept_edges: usize) -> Value {
    let heads = found.flows.heads.iter().map(|HeadFlow { head, first, last }| {
        json!({
            "layer": head.layer,
            "head": head.head,
            "influence": last,
            "first": first,
            "share": share(found, *last),
            "types": found.types[head],
        })
    });
    json!({
        "kept_edges": kept_edges,
        "edges_between_positions": found.flows.edges,
        "left_out": found.flows.left_out,
        "influence": found.flows.influence,
        "heads": heads.collect::<Vec<_>>(),
    })
}

fn graph_lines(found: &CircuitHeads, kept_edges: usize, top: usize) -> Vec<String> {
    let flows = &found.flows;
    let mut lines = vec![format!(
        "{} of {kept_edges} kept edges lead from one position to another; influence {:.4} flows through them",
        flows.edges, flows.influence
    )];
    lines.push(format!("\n{:<12}{:>10}  {:>7}  {:>10}  {}", "layer.head", "influence", "share", "first", "type"));
    lines.extend(flows.strongest().into_iter().take(top).map(|HeadFlow { head, first, last }| {
        let line = format!(
            "{:<12}{last:+10.4}  {:+6.1} %  {first:+10.4}  {}",
            head.to_string(),
            100.0 * share(found, last),
            kinds(&found.types[&head])
        );
        line.trim_end().to_owned()
    }));
    lines.push(
        "influence is what passes this head after all others on the way, first what passes it before them; each column of \
         all heads adds up to all of it"
            .into(),
    );
    lines.push(String::new());
    lines.extend(grid(&flows.heads));
    lines
}

/// Draws a grid, heads from left to right, layers from the top down; the more influence, the darker.
fn grid(heads: &[HeadFlow]) -> Vec<String> {
    let most = heads.iter().map(|head| head.last.abs()).fold(0.0, f64::max);
    let tint = |head: &HeadFlow| {
        let part = if most > 0.0 { head.last.abs() / most } else { 0.0 };
        TINTS[(part * TINTS.len() as f64).min(TINTS.len() as f64 - 1.0) as usize]
    };
    let layers = heads.chunk_by(|a, b| a.head.layer == b.head.layer);
    let row = |layer: &[HeadFlow]| {
        format!("{:>5}  {}", format!("L{}", layer[0].head.layer), layer.iter().map(tint).collect::<String>())
    };
    let mut rows: Vec<String> = layers.map(row).collect();
    rows.reverse();
    rows
}
