//! `circuitscope diff` and `circuitscope union`: graphs of several prompts laid over each other.

use crate::attribution::Engine;
use crate::cli::diff_heads;
use crate::cli::engine::EngineArgs;
use crate::cli::graph::{OpenGraph, line, title};
use crate::cli::graph_args::{ThresholdArgs, traced};
use crate::cli::out::ForceArgs;
use crate::cli::output::{note, tell};
use crate::cli::plan::LimitArgs;
use crate::cli::progress::{WhenStopped, watch};
use crate::cli::prompt::ChatArgs;
use crate::cli::trace::{SettingsArgs, TargetArgs};
use crate::format::{self, Format, Options};
use crate::graph::{Difference, Document, Edited, Origin, Overlay, Part, merged, unlike};
use crate::ids::NodeId;
use crate::job::Monitor;
use crate::text::visible;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Which graphs, and what becomes of them.
#[derive(Clone, Debug, clap::Args)]
pub struct GraphsArgs {
    /// Graphs, raw or JSON or .pt
    #[arg(value_name = "GRAPH")]
    files: Vec<PathBuf>,
    /// A prompt to trace, as a further graph; several may be given
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Vec<String>,
    #[command(flatten)]
    chat: ChatArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    thresholds: ThresholdArgs,
    /// How many nodes and edges to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Write them as one graph, labelled by what holds each feature: graph JSON, or a lab note where it ends in .md
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: ForceArgs,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Compares two graphs: what both keep, what changed, and what only one keeps.
#[derive(Clone, Debug, clap::Args)]
pub struct DiffArgs {
    #[command(flatten)]
    graphs: GraphsArgs,
    /// Compare the attention heads that carry the two graphs, which needs their model
    #[arg(long, conflicts_with = "out")]
    heads: bool,
}

/// Lays graphs of any number of prompts over each other: how often each feature and edge recurs.
#[derive(Clone, Debug, clap::Args)]
pub struct UnionArgs {
    #[command(flatten)]
    graphs: GraphsArgs,
}

impl GraphsArgs {
    fn n(&self) -> usize {
        self.files.len() + self.prompt.len()
    }

    fn open(&self) -> Result<Vec<OpenGraph>> {
        let mut open = Vec::with_capacity(self.n());
        for file in &self.files {
            open.push(self.thresholds.open(file)?);
        }
        if !self.prompt.is_empty() {
            let mut engine = self.engine.open()?;
            engine.limits = self.limits.limits(self.out.as_deref());
            let asked = self.clone();
            open.extend(watch(WhenStopped::Abandon, move |monitor| {
                asked.prompt.iter().map(|prompt| asked.trace(&engine, prompt, monitor)).collect::<Result<Vec<_>>>()
            })?);
        }
        Ok(open)
    }

    /// The graph of a prompt.
    fn trace(&self, engine: &Engine, prompt: &str, monitor: &Monitor) -> Result<OpenGraph> {
        let text = if self.chat.chat { engine.tokenizer.in_chat(prompt)? } else { prompt.to_owned() };
        let (settings, tokens) = (self.settings.settings(&text), engine.read(&text)?);
        let targets = self.targets.choice(engine, &settings)?;
        self.thresholds.pruned(traced(engine, settings, tokens, targets, monitor)?, Edited::default())
    }
}

/// Opens and compares the graphs, and prints the differences.
///
/// # Errors
/// Fails where there are not two graphs, they cannot be read, or they are of different models.
pub fn diff(args: &DiffArgs) -> Result<()> {
    if args.graphs.n() != 2 {
        bail!("diff compares two graphs, and {} were given; union takes any number", args.graphs.n());
    }
    if args.heads {
        return diff_heads::run(&args.graphs.open()?, &args.graphs.engine, args.graphs.top, args.graphs.json);
    }
    run(&args.graphs)
}

/// Opens and overlays the graphs, and prints the union.
///
/// # Errors
/// Fails where there are fewer than two graphs, they cannot be read, or they are of different models.
pub fn union(args: &UnionArgs) -> Result<()> {
    run(&args.graphs)
}

fn run(args: &GraphsArgs) -> Result<()> {
    if let Some(out) = &args.out {
        args.force.allow(out, args.files.iter().map(PathBuf::as_path))?;
    }
    let open = args.open()?;
    let origins: Vec<&Origin> = open.iter().map(|it| &*it.document.origin).collect();
    if let Some([a, b]) = unlike(&origins) {
        let [a, b] = [a, b].map(visible);
        note!(
            "circuitscope: warning: one graph is of {a} and another of {b}; features of one index are taken for the same"
        );
    }
    let parts: Vec<_> = open.iter().map(|it| (&*it.document.graph, &*it.kept)).collect();
    let told = Laid::new(Overlay::new(&parts)?, &open)?;
    if let Some(out) = &args.out {
        told.export(out)?;
    }
    tell(args.json, || told.json(), || told.lines(args.top))
}

/// Overlay, and its form as a graph of its own.
struct Laid<'a> {
    overlay: Overlay<'a>,
    merged: Document,
}

impl<'a> Laid<'a> {
    fn new(overlay: Overlay<'a>, open: &[OpenGraph]) -> Result<Self> {
        let parts: Vec<_> = open.iter().map(|it| (&it.document, &it.edited)).collect();
        let merged = merged(&overlay, &parts)?;
        Ok(Self { overlay, merged })
    }

    fn export(&self, out: &std::path::Path) -> Result<()> {
        let is_note = out.extension().is_some_and(|extension| extension == "md");
        let format = if is_note { Format::markdown() } else { Format::json() };
        let options = Options { format, part: Some(Part::All), ..Options::default() };
        let edited = &self.merged.edited;
        format::export(&self.merged, &self.merged.prune(edited.thresholds), edited, &options, out)?;
        Ok(())
    }

    fn is_pair(&self) -> bool {
        self.overlay.n_graphs() == 2
    }

    fn name(&self, node: usize) -> String {
        self.merged.graph.node_name(NodeId::from(node))
    }

    fn json(&self) -> Value {
        let overlay = &self.overlay;
        let columns = overlay.columns.iter().enumerate();
        let columns: Vec<_> =
            columns.map(|(at, positions)| json!({ "text": overlay.column_text(at), "positions": positions })).collect();
        let nodes = overlay.nodes.iter().enumerate().map(|(at, node)| {
            let mut all = json!({ "id": self.name(at), "column": node.column, "recurs": held(&node.nodes) });
            all["in"] = json!(node.nodes.iter().map(Option::is_some).collect::<Vec<_>>());
            if self.is_pair() {
                all["difference"] = json!(overlay.node_difference(at).name());
                all["compared"] = json!(overlay.is_compared(at));
            }
            all
        });
        let nodes = nodes.collect::<Vec<_>>();
        let edges = overlay.edges.iter().map(|edge| {
            let mut all = json!({
                "source": self.name(edge.source),
                "target": self.name(edge.target),
                "recurs": held(&edge.weights),
                "weights": edge.weights,
                "shares": edge.shares,
            });
            if self.is_pair() {
                all["difference"] = json!(overlay.edge_difference(edge).name());
            }
            all
        });
        let edges = edges.collect::<Vec<_>>();
        let mut all = json!({ "graphs": overlay.n_graphs(), "columns": columns, "nodes": nodes, "edges": edges });
        if self.is_pair() {
            let count = |it: Difference| json!({ "difference": it.name(), "nodes": overlay.compared(it).count(), "edges": self.n_edges(it) });
            all["counts"] = json!(Difference::ALL.map(count));
        }
        all
    }

    /// Returns the number of edges with this difference.
    fn n_edges(&self, difference: Difference) -> usize {
        self.overlay.edges.iter().filter(|edge| self.overlay.edge_difference(edge) == difference).count()
    }

    fn lines(&self, top: usize) -> Vec<String> {
        if self.is_pair() { self.differences(top) } else { self.recurrences(top) }
    }

    fn node_line(&self, at: usize) -> String {
        line(&self.merged, &self.merged.edited, NodeId::from(at))
    }

    fn node_title(&self, at: usize) -> String {
        title(&self.merged, &self.merged.edited, NodeId::from(at))
    }

    fn differences(&self, top: usize) -> Vec<String> {
        let overlay = &self.overlay;
        let mut lines = Vec::new();
        for difference in Difference::ALL {
            let nodes: Vec<usize> = overlay.compared(difference).collect();
            let edges = self.n_edges(difference);
            lines.push(format!("{}: {} features and outputs, {edges} edges", difference.name(), nodes.len()));
            lines.extend(nodes.iter().take(top).map(|at| format!("  {}", self.node_line(*at))));
        }
        let change = |at: usize| {
            let share = |nth: usize| overlay.edges[at].shares[nth].unwrap_or(0.0);
            (share(0) - share(1)).abs()
        };
        let mut edges: Vec<usize> = (0..overlay.edges.len()).collect();
        edges.sort_by(|a, b| change(*b).total_cmp(&change(*a)));
        lines.push("\nedges whose share of their target's input differs most: A, B".into());
        lines.extend(edges.iter().take(top).map(|at| {
            let edge = &overlay.edges[*at];
            let share = |nth: usize| edge.shares[nth].map_or("     -".into(), |share| format!("{share:+.3}"));
            format!("  {} > {}  {}  {}", self.node_title(edge.source), self.node_title(edge.target), share(0), share(1))
        }));
        lines
    }

    fn recurrences(&self, top: usize) -> Vec<String> {
        let overlay = &self.overlay;
        let n = overlay.n_graphs();
        let mut nodes: Vec<usize> = (0..overlay.nodes.len()).collect();
        nodes.sort_by_key(|at| std::cmp::Reverse(held(&overlay.nodes[*at].nodes)));
        let mut lines = vec![format!("{} nodes and {} edges of {n} graphs", overlay.nodes.len(), overlay.edges.len())];
        lines.extend(
            nodes
                .iter()
                .take(top)
                .map(|at| format!("  {}  {}/{n}", self.node_line(*at), held(&overlay.nodes[*at].nodes))),
        );
        let mut edges: Vec<_> = overlay.edges.iter().collect();
        let strength = |weights: &[Option<f64>]| weights.iter().flatten().map(|share| share.abs()).sum::<f64>();
        edges.sort_by(|a, b| {
            held(&b.weights).cmp(&held(&a.weights)).then(strength(&b.shares).total_cmp(&strength(&a.shares)))
        });
        lines.push("edges, with their mean share of their target's input".into());
        lines.extend(edges.iter().take(top).map(|edge| {
            let held = held(&edge.weights);
            let mean = edge.shares.iter().flatten().sum::<f64>() / held as f64;
            format!("  {} > {}  {held}/{n}  {mean:+.3}", self.node_title(edge.source), self.node_title(edge.target))
        }));
        lines
    }
}

/// Returns how many of the graphs have something.
fn held<T>(of: &[Option<T>]) -> usize {
    of.iter().flatten().count()
}
