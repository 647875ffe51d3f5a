//! `circuitscope show`: a graph, or one of its nodes.

use crate::cli::graph::{GraphArgs, OpenGraph, add_scores, node_named, padded, query};
use crate::cli::output::tell;
use crate::cli::qk_trace;
use crate::graph::query::Matches;
use crate::graph::{
    Edge, Extent, Flow, InfluenceOf, InputTotals, Scores, error_share, influence_kept, input_totals, scores,
    subgraph_scores,
};
use crate::ids::NodeId;
use crate::text::visible;
use anyhow::Result;
use serde_json::{Value, json};

/// Shows what a graph holds, or what flows into and out of one of its nodes.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    #[command(flatten)]
    graph: GraphArgs,
    /// The id of a node, as in graph JSON: 14_2268_9, E_26865_9
    node: Option<String>,
    /// How many nodes, inputs and outputs to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// List only what matches; `circuitscope filter --help` says how to write it
    #[arg(long, value_name = "QUERY")]
    filter: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Opens and prunes the graph, and prints it or one of its nodes.
///
/// # Errors
/// Fails where the file cannot be read, there is no such node, or the filter is not valid.
pub fn run(args: &ShowArgs) -> Result<()> {
    let wanted = args.filter.as_deref().map(query).transpose()?;
    let open = args.graph.open()?;
    let node = args.node.as_deref().map(|name| node_named(&open.document, name)).transpose()?;
    let matches = wanted.map(|query| query.matches(&open.subject(node)));
    match node {
        None => {
            let summary = Summary::new(&open, matches.as_ref(), args.top);
            tell(args.json, || summary.json(), || summary.lines())
        }
        Some(node) => {
            let around = Around::new(&open, node, matches.as_ref(), args.top);
            tell(args.json, || around.json(), || around.lines())
        }
    }
}

/// Summary of a graph.
struct Summary<'a> {
    open: &'a OpenGraph,
    scores: Scores,
    pinned: Option<Scores>,
    influence_kept: f64,
    nodes: Vec<NodeId>,
}

impl<'a> Summary<'a> {
    fn new(open: &'a OpenGraph, matches: Option<&Matches>, top: usize) -> Self {
        let graph = &open.document.graph;
        let pins = &open.edited.pins;
        let listed = |id: &NodeId| matches.is_none_or(|matches| matches.has_node(*id));
        Self {
            scores: scores(graph, &open.kept.influence),
            pinned: (!pins.is_empty()).then(|| subgraph_scores(graph, pins)),
            influence_kept: influence_kept(&open.kept),
            nodes: open.ranked().into_iter().filter(listed).take(top).collect(),
            open,
        }
    }

    fn json(&self) -> Value {
        let (origin, graph) = (&self.open.document.origin, &self.open.document.graph);
        let edited = &self.open.edited;
        let is_whole = graph.is_whole();
        let mut all = json!({
            "slug": origin.slug,
            "prompt": origin.prompt,
            "model": origin.model,
            "transcoder": origin.transcoder,
            "dtype": origin.dtype,
            "extent": extent(origin.extent),
            "pruned_at": pruned_at(origin.extent),
            "tokens": graph.tokens().iter().map(|token| token.text.as_str()).collect::<Vec<_>>(),
            "nodes": graph.n_nodes(),
            "edges": graph.n_edges(),
            "kept_nodes": self.open.kept.n_nodes(),
            "kept_edges": self.open.kept.n_edges(),
            "node_threshold": edited.thresholds.node,
            "edge_threshold": edited.thresholds.edge,
            "density_threshold": edited.thresholds.density,
            "influence_kept": is_whole.then_some(self.influence_kept),
            "recomputed_influence_kept": (!is_whole).then_some(self.influence_kept),
            "cyclic": graph.is_cyclic(),
            "warnings": self.open.document.foreign.warnings,
            "dictionaries": graph.dictionaries(),
            "pins": edited.pins.iter().map(|id| self.open.name(*id)).collect::<Vec<_>>(),
            "notes": edited.notes,
            "top": self.nodes.iter().map(|id| self.open.node_json(*id)).collect::<Vec<_>>(),
        });
        add_scores(&mut all, graph, "", Some(self.scores));
        add_scores(&mut all, graph, "pinned_", self.pinned);
        all
    }

    fn lines(&self) -> Vec<String> {
        let (origin, graph, kept) = (&self.open.document.origin, &self.open.document.graph, &self.open.kept);
        let thresholds = self.open.edited.thresholds;
        let is_whole = graph.is_whole();
        let said = |text: &str| if text.is_empty() { "not said".into() } else { visible(text) };
        let mut lines = vec![
            format!("prompt      {}", said(&origin.prompt)),
            format!("model       {} with {}", said(&origin.model), said(&origin.transcoder)),
            format!(
                "extent      {}{}",
                extent(origin.extent),
                match pruned_at(origin.extent) {
                    Some([node, edge]) => {
                        let at = |threshold: Option<f64>| threshold.map_or("not said".into(), |at| at.to_string());
                        format!(", at {} and {}", at(node), at(edge))
                    }
                    None => String::new(),
                }
            ),
            format!(
                "kept        {} of {} nodes, {} of {} edges, at {} and {}",
                kept.n_nodes(),
                graph.n_nodes(),
                kept.n_edges(),
                graph.n_edges(),
                thresholds.node,
                thresholds.edge
            ),
        ];
        if graph.is_cyclic() {
            lines.push("scores      none: its links form a cycle".into());
        } else {
            let (name, of) =
                if is_whole { ("scores", "the influence") } else { ("recomputed", "what influence is left") };
            lines.push(format!("{name:<12}{}; {:.3} of {of} is kept", told(self.scores), self.influence_kept));
        }
        if let Some(pinned) = self.pinned {
            let name = if is_whole { "pinned" } else { "recomputed" };
            let pins = self.open.edited.pins.len();
            lines.push(format!("{name:<12}{}{pins} nodes: {}", if is_whole { "" } else { "of " }, told(pinned)));
        }
        let is_known = *graph.influence_of() != InfluenceOf::Unknown;
        let head = if is_known { "influence" } else { "recomputed influence" };
        lines.extend([String::new(), format!("{}  {head}", padded("", 68))]);
        lines.extend(self.nodes.iter().map(|id| {
            let score = if is_known { kept.influence_of(*id) } else { kept.recomputed(*id) };
            let score = score.map_or("  -  ".into(), |score| format!("{score:.3}"));
            format!("{}  {score}", padded(&self.open.node_line(*id), 68))
        }));
        lines
    }
}

fn told(scores: Scores) -> String {
    format!("replacement {:.3}, completeness {:.3}", scores.replacement, scores.completeness)
}

fn extent(extent: Extent) -> &'static str {
    match extent {
        Extent::Whole => "whole",
        Extent::Partial => "partial",
        Extent::PrePruned { .. } => "pruned before it was written",
    }
}

/// Returns the thresholds, of nodes and of edges, at which a graph was pruned before it was written, where it says.
fn pruned_at(extent: Extent) -> Option<[Option<f64>; 2]> {
    match extent {
        Extent::PrePruned { node, edge } => Some([node, edge]),
        Extent::Whole | Extent::Partial => None,
    }
}

/// Node with the edges into and out of it.
struct Around<'a> {
    open: &'a OpenGraph,
    node: NodeId,
    totals: InputTotals,
    inputs: Vec<Edge>,
    outputs: Vec<Edge>,
    /// Edges that inhibit the node most, kept or not.
    inhibitors: Vec<Edge>,
    /// Number of edges of a kind to list.
    top: usize,
}

impl<'a> Around<'a> {
    fn new(open: &'a OpenGraph, node: NodeId, matches: Option<&Matches>, top: usize) -> Self {
        let graph = &open.document.graph;
        let listed = |edge: &Edge| matches.is_none_or(|matches| matches.has_edge(edge.id));
        let strongest = |edges: &mut dyn Iterator<Item = Edge>| {
            let mut edges: Vec<_> = edges.filter(listed).collect();
            edges.sort_by(|a, b| open.share(*b).abs().total_cmp(&open.share(*a).abs()));
            edges.truncate(top);
            edges
        };
        Self {
            totals: input_totals(graph, node),
            inputs: strongest(&mut open.kept.incoming(graph, node)),
            outputs: strongest(&mut open.kept.outgoing(graph, node)),
            inhibitors: graph.inhibitors(node, usize::MAX).into_iter().filter(listed).take(top).collect(),
            open,
            node,
            top,
        }
    }

    fn json(&self) -> Value {
        let (graph, kept) = (&self.open.document.graph, &self.open.kept);
        let flow = |flow: Flow| json!({ "positive": flow.positive, "negative": flow.negative });
        let edges = |edges: &[Edge]| edges.iter().map(|edge| self.open.edge_json(*edge)).collect::<Vec<_>>();
        let mut node = self.open.node_json(self.node);
        node["error_share"] = json!(error_share(graph, self.node));
        node["input_total"] = json!(graph.input_total(self.node));
        node["input_from"] = json!({
            "features": flow(self.totals.features),
            "errors": flow(self.totals.errors),
            "tokens": flow(self.totals.tokens),
            "others": flow(self.totals.others),
            "left_out": self.totals.left_out,
        });
        node["all_inputs"] = json!(graph.incoming(self.node).len());
        node["all_outputs"] = json!(graph.outgoing(self.node).len());
        node["kept_inputs"] = json!(kept.incoming(graph, self.node).count());
        node["kept_outputs"] = json!(kept.outgoing(graph, self.node).count());
        node["inputs"] = json!(edges(&self.inputs));
        node["outputs"] = json!(edges(&self.outputs));
        node["inhibitors"] = json!(edges(&self.inhibitors));
        node["attention"] = json!(qk_trace::json(self.open, self.node));
        node
    }

    fn lines(&self) -> Vec<String> {
        let (graph, node) = (&self.open.document.graph, self.open.document.graph.node(self.node));
        let mut lines = vec![self.open.node_line(self.node)];
        if let Some(activation) = node.activation {
            lines.push(format!("activation  {activation:.3}"));
        }
        if let Some(influence) = self.open.kept.influence_of(self.node) {
            lines.push(format!("influence   {influence:.3}"));
        }
        if let Some(recomputed) = self.open.kept.recomputed(self.node) {
            lines.push(format!("recomputed  {recomputed:.3} among what is left"));
        }
        let part = |flow: Flow| flow.absolute() / graph.input_total(self.node);
        if graph.input_total(self.node) > 0.0 {
            let InputTotals { features, errors, tokens, .. } = self.totals;
            let shares = [part(features), part(errors), part(tokens)];
            lines.push(format!(
                "input from  features {:.3}, errors {:.3}, tokens {:.3}",
                shares[0], shares[1], shares[2]
            ));
        }
        let mut list = |title: &str, edges: &[Edge], all: usize, other: fn(&Edge) -> NodeId| {
            lines.push(format!("\n{title}: the strongest {} of {all}", edges.len()));
            lines.extend(edges.iter().map(|edge| {
                let (share, line) = (self.open.share(*edge), padded(&self.open.node_line(other(edge)), 68));
                format!("{line}  {share:+.3}  {:+10.4}", edge.weight)
            }));
        };
        let kept = &self.open.kept;
        list("kept inputs", &self.inputs, kept.incoming(graph, self.node).count(), |edge| edge.source);
        list("kept outputs", &self.outputs, kept.outgoing(graph, self.node).count(), |edge| edge.target);
        let inhibitors = graph.incoming(self.node).filter(|edge| edge.weight < 0.0).count();
        list("inhibitors, kept or not", &self.inhibitors, inhibitors, |edge| edge.source);
        lines.extend(qk_trace::lines(self.open, self.node, self.top));
        lines
    }
}
