//! `circuitscope heads`: an edge, or a whole graph's influence, split by attention heads.

use crate::attribution::{Asked, EdgeParts, HeadFlow, HeadType, Probe, source_of};
use crate::cli::engine::EngineArgs;
use crate::cli::graph::{node_named, padded, place};
use crate::cli::graph_args::GraphOrPromptArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::graph::{Head, Token};
use crate::ids::Position;
use crate::service::attention::{CircuitHeads, PositionReads, circuit_heads};
use crate::service::interventions::CachedBaseline;
use crate::text::visible;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Tints of the grid, from no influence to the most.
const TINTS: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// Splits an edge of a graph, or the influence that flows through its kept edges, by attention heads.
#[derive(Clone, Debug, clap::Args)]
pub struct HeadsArgs {
    #[command(flatten)]
    which: GraphOrPromptArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// The ids of the source and the target of the edge to split [default: all kept edges between positions]
    #[arg(long, num_args = 2, value_names = ["SOURCE", "TARGET"])]
    edge: Vec<String>,
    /// Tell what the heads look at from this position, and what of the kept influence they carry there; counted from 0, or
    /// from the end where negative
    #[arg(long, value_name = "POS", allow_negative_numbers = true, conflicts_with = "edge")]
    position: Option<i64>,
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
    let HeadsArgs { which, engine, edge, position, top, json } = args;
    if let Some(position) = position {
        return at_position(which.clone(), engine, *position, *top, *json);
    }
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
        let (asked, source) = (Asked::of_node(graph, to)?, source_of(graph, from)?);
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

fn edge_value([source, target]: &[String; 2], split: &EdgeParts) -> Value {
    let heads = split.heads.iter().map(|part| {
        let Head { layer, head } = part.head;
        json!({ "layer": layer, "head": head, "alone": part.alone, "first": part.first, "last": part.last })
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

fn edge_lines([source, target]: &[String; 2], split: &EdgeParts, top: usize) -> Vec<String> {
    let mut lines = vec![
        format!("{source} to {target}: {:+.4}", split.total),
        format!("  {:+10.4}  through no head, along the residual stream", split.stays),
        format!("  {:+10.4}  through one head alone", split.alone()),
        format!("  {:+10.4}  through two heads or more", split.chained()),
    ];
    lines.push(format!("\n{:<12}{:>10}  {:>10}  {:>10}", "layer.head", "alone", "first", "last"));
    lines.extend(split.strongest().iter().take(top).map(|part| {
        let name = part.head.to_string();
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

fn at_position(which: GraphOrPromptArgs, engine: &EngineArgs, position: i64, top: usize, json: bool) -> Result<()> {
    let engine = engine.open()?;
    let (found, tokens, position) = watch(WhenStopped::Abandon, move |monitor| {
        let open = which.graph(&engine, monitor)?;
        let (graph, kept) = (&open.document.graph, &open.kept);
        let position = place("--position", position, graph.tokens().len())?;
        let found = CachedBaseline::default().reads(&engine, (graph, kept), position, &mut |_| {}, monitor)?;
        Ok((found, graph.tokens().to_vec(), position))
    })?;
    tell(json, || reads_value(&found, &tokens, position), || reads_lines(&found, &tokens, position, top))
}

/// Returns the influence that passes each head last, over that of all heads in absolute value.
fn carried(found: &PositionReads) -> HashMap<Head, f64> {
    let flows = found.flows.iter().flat_map(|flows| &flows.heads);
    let total: f64 = flows.clone().map(|flow| flow.last.abs()).sum();
    flows.map(|flow| (flow.head, if total > 0.0 { flow.last / total } else { 0.0 })).collect()
}

fn reads_value(found: &PositionReads, tokens: &[Token], position: Position) -> Value {
    let carried = carried(found);
    let reads = found.reads.iter().map(|read| {
        json!({
            "layer": read.head.layer,
            "head": read.head.head,
            "position": read.key,
            "token": tokens[read.key.index()].text,
            "pattern": read.pattern,
            "share": carried[&read.head],
            "types": found.types[&read.head],
        })
    });
    json!({
        "query": position,
        "query_token": tokens[position.index()].text,
        "influence": found.flows.as_ref().map_or(0.0, |flows| flows.influence),
        "reads": reads.collect::<Vec<_>>(),
    })
}

fn reads_lines(found: &PositionReads, tokens: &[Token], position: Position, top: usize) -> Vec<String> {
    let carried = carried(found);
    let influence = found.flows.as_ref().map_or(0.0, |flows| flows.influence);
    let here = visible(&tokens[position.index()].text);
    let mut lines = vec![
        format!("from {here:?} ({position}); influence {influence:.4} flows here from other positions"),
        format!("\n{:<12}{:>4}  {:<16}{:>8}  {:>7}  {}", "layer.head", "key", "token", "weight", "share", "type"),
    ];
    // Those that carry most; the sort is stable, so that the keys of a head keep the order of their attention.
    let mut reads = found.reads.clone();
    reads.sort_by(|a, b| carried[&b.head].abs().total_cmp(&carried[&a.head].abs()).then(a.head.cmp(&b.head)));
    lines.extend(reads.iter().take(top).map(|read| {
        let token = padded(&visible(&tokens[read.key.index()].text), 16);
        let line = format!(
            "{:<12}{:>4}  {token}{:>6.1} %  {:>+5.1} %  {}",
            read.head.to_string(),
            read.key,
            100.0 * read.pattern,
            100.0 * carried[&read.head],
            kinds(&found.types[&read.head])
        );
        line.trim_end().to_owned()
    }));
    lines
        .push("weight is the key's share of the head's attention, share what the head carries of the influence".into());
    lines
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
    lines.extend(grid(&flows.heads.iter().map(|flow| (flow.head, flow.last)).collect::<Vec<_>>()));
    lines
}

/// Draws a grid, heads from left to right, layers from the top down; the larger a head's number, the darker.
pub fn grid(heads: &[(Head, f64)]) -> Vec<String> {
    let most = heads.iter().map(|(_, x)| x.abs()).fold(0.0, f64::max);
    let tint = |(_, x): &(Head, f64)| {
        let part = if most > 0.0 { x.abs() / most } else { 0.0 };
        TINTS[(part * TINTS.len() as f64).min(TINTS.len() as f64 - 1.0) as usize]
    };
    let layers = heads.chunk_by(|(a, _), (b, _)| a.layer == b.layer);
    let row = |layer: &[(Head, f64)]| {
        format!("{:>5}  {}", format!("L{}", layer[0].0.layer), layer.iter().map(tint).collect::<String>())
    };
    let mut rows: Vec<String> = layers.map(row).collect();
    rows.reverse();
    rows
}
