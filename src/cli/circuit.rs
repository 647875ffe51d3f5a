//! `circuitscope circuit`: a graph as a diagram of a few named supernodes.

use crate::attribution::Engine;
use crate::cli::engine::EngineArgs;
use crate::cli::graph::{GraphArgs, OpenGraph, add_scores, node_named, padded};
use crate::cli::out::ForceArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::format::{self, Format, Options};
use crate::graph::{
    CircuitOptions, Edited, Part, ProposedCircuit, Reason, SupernodeGraph, UNNAMED, propose_circuit, supernodes,
};
use crate::ids::NodeId;
use crate::job::Monitor;
use crate::text::visible;
use crate::verify::{Bench, GroupEffect};
use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Edges that are listed; JSON has them all.
const LISTED: usize = 12;

/// Proposes the circuit of a graph: at most eight supernodes of alike features, named, with what flows between them.
#[derive(Clone, Debug, clap::Args)]
pub struct CircuitArgs {
    #[command(flatten)]
    graph: GraphArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// How many supernodes of features it may have
    #[arg(long, value_name = "N", default_value_t = CircuitOptions::default().groups)]
    groups: usize,
    /// How many features they may have in all
    #[arg(long, value_name = "N", default_value_t = CircuitOptions::default().features)]
    members: usize,
    /// The id of the node to explain [default: the likeliest outputs]
    #[arg(long = "for", value_name = "NODE")]
    target: Option<String>,
    /// Ablate each supernode in the model, and show what the graph predicts beside what happens
    #[arg(long)]
    verify: bool,
    /// Write the circuit: a note (.md), a figure (.svg), a diagram (.mmd, .dot) or graph JSON with its pins and groups
    /// (.json)
    #[arg(long, value_name = "FILE", value_parser = out)]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: ForceArgs,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

fn format_of(out: &Path) -> Option<Format> {
    let extension = out.extension()?.to_str()?;
    let is_of =
        |format: &Format| format.extension() == extension && (format.is_drawing() || !extension.contains("csv"));
    Format::all().find(is_of)
}

fn out(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    match format_of(&path) {
        Some(_) => Ok(path),
        None => Err("its name has to end in .md, .svg, .mmd, .dot or .json".into()),
    }
}

/// Circuit of a graph, with what was measured on its supernodes.
struct Told {
    open: OpenGraph,
    circuit: ProposedCircuit,
    edited: Edited,
    drawn: SupernodeGraph,
    /// Effects of the supernodes, and texts of the likeliest tokens after each.
    effects: Option<Vec<(GroupEffect, String)>>,
}

/// Opens the graph, proposes its circuit, writes it and prints it.
///
/// # Errors
/// Fails where the graph or, to verify, its model cannot be read, there is no such node, or the circuit cannot be
/// written.
pub fn run(args: &CircuitArgs) -> Result<()> {
    if let Some(out) = &args.out {
        args.force.allow(out, [args.graph.file.as_path()])?;
    }
    let engine = args.verify.then(|| args.engine.open()).transpose()?;
    let wanted = args.clone();
    let told = watch(WhenStopped::Abandon, move |monitor| wanted.propose(engine.as_ref(), monitor))?;
    if let (Some(out), Some(format)) = (&args.out, args.out.as_deref().and_then(format_of)) {
        let options = Options { format, part: Some(Part::Pinned), ..Options::default() };
        format::export(&told.open.document, &told.open.kept, &told.edited, &options, out)?;
        note!("wrote {}", out.display());
    }
    tell(args.json, || told.json(), || told.lines())
}

impl CircuitArgs {
    fn propose(&self, engine: Option<&Engine>, monitor: &Monitor) -> Result<Told> {
        let open = self.graph.open()?;
        let document = &open.document;
        let graph = &*document.graph;
        if graph.is_cyclic() {
            return Err(anyhow!(
                "{}: its links form a cycle, so that nothing can be said of what explains its outputs",
                self.graph.file.display()
            ));
        }
        let target = self.target.as_deref().map(|name| node_named(document, name)).transpose()?;
        let options = CircuitOptions { groups: self.groups, features: self.members, target };
        let circuit = propose_circuit(graph, &open.kept, &open.edited, &document.labels, options, monitor.cancel())?;
        let edited = circuit.edited(&open.edited);
        let drawn = supernodes(graph, &edited);
        let effects = match (engine, circuit.outputs.first()) {
            (Some(engine), Some(output)) => {
                let bench = Bench::new(engine, graph, monitor)?;
                let members: Vec<_> = circuit.groups.iter().map(|group| group.members.clone()).collect();
                let found = bench.group_effects(&members, *output, monitor)?;
                let text = |effect: &GroupEffect| engine.tokenizer.text(effect.likeliest[1]);
                Some(
                    found
                        .into_iter()
                        .map(|effect| {
                            let text = text(&effect);
                            (effect, text)
                        })
                        .collect(),
                )
            }
            _ => None,
        };
        Ok(Told { circuit, edited, drawn, effects, open })
    }
}

impl Told {
    /// Returns the name of a node of the diagram: of a supernode its own, of another node its id.
    fn name(&self, at: usize) -> String {
        let node = &self.drawn.nodes[at];
        node.group.map_or_else(|| self.open.name(node.members[0]), |group| self.edited.groups[group].name.clone())
    }

    fn json(&self) -> Value {
        let ids = |nodes: &[NodeId]| nodes.iter().map(|id| self.open.name(*id)).collect::<Vec<_>>();
        let groups = self.circuit.groups.iter().enumerate().map(|(at, group)| {
            let Reason { tokens, outputs, linked, position, labels } = group.reason;
            json!({
                "name": group.name,
                "is_named": group.name != UNNAMED,
                "members": ids(&group.members),
                "reason": {
                    "tokens": tokens, "outputs": outputs, "linked": linked, "position": position, "labels": labels,
                },
                "share": group.share,
                "effect": self.effects.as_ref().map(|effects| {
                    let (effect, after) = &effects[at];
                    json!({
                        "predicted": effect.predicted,
                        "observed": effect.observed,
                        "probability_before": effect.probabilities[0],
                        "probability_after": effect.probabilities[1],
                        "likeliest_after": after,
                        "is_nothing": effect.is_nothing(),
                    })
                }),
            })
        });
        let edges = self.drawn.edges.iter().map(
            |edge| json!({ "source": self.name(edge.source), "target": self.name(edge.target), "weight": edge.weight }),
        );
        let mut all = json!({
            "groups": groups.collect::<Vec<_>>(),
            "tokens": ids(&self.circuit.tokens),
            "outputs": ids(&self.circuit.outputs),
            "edges": edges.collect::<Vec<_>>(),
        });
        add_scores(&mut all, &self.open.document.graph, "", Some(self.circuit.scores));
        all
    }

    fn lines(&self) -> Vec<String> {
        let circuit = &self.circuit;
        let members: usize = circuit.groups.iter().map(|group| group.members.len()).sum();
        let titles = |nodes: &[NodeId]| nodes.iter().map(|id| self.open.node_title(*id)).collect::<Vec<_>>().join(", ");
        let mut lines = vec![
            format!("explains {}", titles(&circuit.outputs)),
            format!(
                "by {members} features in {} supernodes: replacement {:.3}, completeness {:.3} with everything else \
                 counted as error",
                circuit.groups.len(),
                circuit.scores.replacement,
                circuit.scores.completeness
            ),
        ];
        for (at, group) in circuit.groups.iter().enumerate() {
            let name = visible(&group.name);
            lines.push(String::new());
            lines.push(format!(
                "{}  {:>5.1} % of what reaches the output passes through it",
                padded(&name, 32),
                100.0 * group.share
            ));
            if let Some((effect, after)) = self.effects.as_ref().map(|effects| &effects[at]) {
                lines.push(format!("  {}", effect_line(effect, after)));
            }
            lines.push(format!("  {}", reason_line(&group.reason, group.members.len())));
            lines.push(format!("  {}", titles(&group.members)));
        }
        let mut edges: Vec<_> = self.drawn.edges.iter().collect();
        edges.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        lines.push(String::new());
        let shown = |at: usize| match self.drawn.nodes[at].group {
            Some(_) => visible(&self.name(at)),
            None => self.open.node_title(self.drawn.nodes[at].members[0]),
        };
        lines.extend(
            edges
                .iter()
                .take(LISTED)
                .map(|edge| format!("{} -> {}  {:+.3}", shown(edge.source), shown(edge.target), edge.weight)),
        );
        if edges.len() > LISTED {
            lines.push(format!("and {} weaker edges", edges.len() - LISTED));
        }
        lines
    }
}

fn effect_line(effect: &GroupEffect, after: &str) -> String {
    let [before, now] = effect.probabilities;
    let says = if effect.is_nothing() { "ablating it does nothing" } else { "ablated" };
    let likeliest = visible(after);
    format!(
        "{says}: logit {:+.2} (predicted {:+.2}), probability {before:.3} to {now:.3}, likeliest then {likeliest:?}",
        effect.observed, effect.predicted
    )
}

fn reason_line(reason: &Reason, members: usize) -> String {
    if members == 1 {
        return "alone".into();
    }
    let Reason { tokens, outputs, linked, position, labels } = *reason;
    let labels = labels.map_or_else(String::new, |labels| format!(", labels {labels:.2}"));
    format!(
        "alike in the tokens that reach them {tokens:.2}, in what they write {outputs:.2}, linked {linked:.2}, at one \
         position {position:.2}{labels}"
    )
}
