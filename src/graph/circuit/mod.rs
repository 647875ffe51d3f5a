//! Proposal of a circuit: a graph as a diagram of a few named supernodes.
//!
//! Nodes are chosen by what the subgraph of them explains, grouped by likeness, and named from their labels and from
//! what they read and write. The same graph gives the same circuit.

mod choose;
mod likeness;
mod name;

use crate::graph::{AttributionGraph, Edited, Group, Kept, Labels, Scores, influence, subgraph_scores_of};
use crate::ids::NodeId;
use crate::job::{Cancel, Cancelled};
use choose::choose;
pub use likeness::Reason;
use likeness::{Likeness, groups};

/// Options of a proposed circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitOptions {
    /// Number of supernodes of features, at most.
    pub groups: usize,
    /// Number of features in all of them, at most.
    pub features: usize,
    /// Node that the circuit is to explain; `None` for the outputs, weighed by their probabilities.
    pub target: Option<NodeId>,
}

impl Default for CircuitOptions {
    fn default() -> Self {
        Self { groups: 8, features: 40, target: None }
    }
}

/// Supernode of a proposed circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedGroup {
    /// Name, marked as automatic; [`UNNAMED`] where nothing can be said.
    pub name: String,
    /// Features, the most influential one first.
    pub members: Vec<NodeId>,
    /// Likeness of the members to each other.
    pub reason: Reason,
    /// Share of what flows to the explained outputs that passes through at least one member, 0 to 1.
    pub share: f64,
}

/// Name of a supernode of which nothing can be said.
pub const UNNAMED: &str = "unnamed";

/// Circuit of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedCircuit {
    /// Supernodes, in the order of their first token and layer.
    pub groups: Vec<ProposedGroup>,
    /// Tokens that the groups or outputs read, by position.
    pub tokens: Vec<NodeId>,
    /// Explained outputs, the likeliest first; the target where one is given.
    pub outputs: Vec<NodeId>,
    /// Scores of the subgraph of all of these, where everything else counts as error.
    pub scores: Scores,
}

impl ProposedCircuit {
    /// Returns the pinned nodes: features, tokens and outputs.
    pub fn pins(&self) -> Vec<NodeId> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        self.tokens.iter().chain(members).chain(&self.outputs).copied().collect()
    }

    /// Returns the supernodes.
    pub fn supernodes(&self) -> Vec<Group> {
        let group = |it: &ProposedGroup| Group { name: it.name.clone(), members: it.members.clone() };
        self.groups.iter().map(group).collect()
    }

    /// Returns edits with this circuit in place of their pins and supernodes.
    pub fn edited(&self, edited: &Edited) -> Edited {
        Edited { pins: self.pins(), groups: self.supernodes(), ..edited.clone() }
    }
}

/// Outputs that are explained, with their weights, which sum to 1.
type Wanted = Vec<(NodeId, f64)>;

/// Proposes the circuit of a graph: features among the kept ones, grouped and named. `labels` are those of the graph's
/// features.
///
/// Features are chosen greedily, each the one that takes up most of what the chosen ones, the tokens and the outputs
/// leave to errors, and then exchanged while the scores of their subgraph rise. They are grouped by average linkage of
/// their likeness, and the groups through which most flows are kept. A graph [with a
/// cycle](AttributionGraph::is_cyclic) has an empty circuit, since its influence is undefined.
///
/// # Errors
/// Fails with [`Cancelled`] where the work was asked to stop.
///
/// # Examples
/// ```
/// use circuitscope::format;
/// use circuitscope::graph::{CircuitOptions, Thresholds, propose_circuit};
/// use circuitscope::job::Cancel;
/// use std::path::Path;
///
/// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
/// let kept = document.prune(Thresholds { node: 1.0, edge: 1.0, density: 1.0 });
/// let options = CircuitOptions { groups: 2, ..CircuitOptions::default() };
/// let (graph, edited, labels) = (&document.graph, &document.edited, &document.labels);
/// let circuit = propose_circuit(graph, &kept, edited, labels, options, &Cancel::default())?;
/// assert!(circuit.groups.len() <= 2 && circuit.scores.completeness <= 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn propose_circuit(
    graph: &AttributionGraph,
    kept: &Kept,
    edited: &Edited,
    labels: &Labels,
    options: CircuitOptions,
    cancel: &Cancel,
) -> Result<ProposedCircuit, Cancelled> {
    let wanted = wanted(graph, options.target);
    let outputs: Vec<NodeId> = wanted.iter().map(|(id, _)| *id).collect();
    if graph.is_cyclic() {
        let scores = subgraph_scores_of(graph, &outputs, &wanted);
        return Ok(ProposedCircuit { groups: Vec::new(), tokens: Vec::new(), outputs, scores });
    }
    let label = |id: NodeId| crate::graph::label(graph, edited, labels, id);
    let chosen = choose(graph, kept, &wanted, options.features, cancel)?;
    let likeness = Likeness::new(graph, &chosen, &label, cancel)?;
    let found = groups(&likeness);

    let weight = influence(graph);
    let mut proposed: Vec<ProposedGroup> = found
        .into_iter()
        .map(|at| {
            let mut members: Vec<NodeId> = at.iter().map(|at| chosen[*at]).collect();
            members.sort_by(|a, b| weight[b.index()].total_cmp(&weight[a.index()]).then(a.cmp(b)));
            let name = name::of(graph, &members, &weight, &label);
            let share = through(graph, &members, &wanted);
            ProposedGroup { name, members, reason: likeness.reason(&at), share }
        })
        .collect();
    proposed.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.members.cmp(&b.members)));
    proposed.truncate(options.groups);
    let place = |group: &ProposedGroup| {
        let node = |id: &NodeId| (graph.node(*id).position(), graph.node(*id).layer());
        group.members.iter().map(node).min()
    };
    proposed.sort_by_key(|group| (place(group), group.members[0]));
    name::tell_apart(graph, &mut proposed);

    let read = tokens(graph, &proposed, &outputs);
    let mut circuit = ProposedCircuit { groups: proposed, tokens: read, outputs, scores: Scores::default() };
    circuit.scores = subgraph_scores_of(graph, &circuit.pins(), &wanted);
    Ok(circuit)
}

/// Returns the outputs to explain: the target alone, or the likeliest outputs up to this share of all outputs'
/// probability.
fn wanted(graph: &AttributionGraph, target: Option<NodeId>) -> Wanted {
    const SHARE: f64 = 0.9;
    const MOST: usize = 3;
    if let Some(target) = target {
        return vec![(target, 1.0)];
    }
    let probability = |id: NodeId| graph.node(id).logit().map_or(0.0, |logit| f64::from(logit.probability));
    let mut all: Wanted = graph.logit_nodes().map(|id| (id, probability(id))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let total: f64 = all.iter().map(|(_, weight)| weight).sum();
    let mut held = 0.0;
    all.truncate(MOST);
    all.retain(|(_, weight)| {
        let is_in = held < SHARE * total || held == 0.0;
        held += weight;
        is_in
    });
    // Outputs that were asked for may have no probability that counts.
    let held: f64 = all.iter().map(|(_, weight)| weight).sum();
    let even = 1.0 / all.len().max(1) as f64;
    all.iter_mut().for_each(|(_, weight)| *weight = if held > 0.0 { *weight / held } else { even });
    all
}

/// Returns the share of what flows to the wanted outputs that passes through at least one of these nodes.
fn through(graph: &AttributionGraph, members: &[NodeId], wanted: &Wanted) -> f64 {
    let mut flow = vec![0.0; graph.n_nodes()];
    wanted.iter().for_each(|(id, weight)| flow[id.index()] += weight);
    let mut passed = 0.0;
    for &target in graph.topological_order().iter().rev() {
        let here = flow[target.index()];
        if here == 0.0 {
            continue;
        }
        if members.contains(&target) {
            passed += here;
            continue;
        }
        let total = graph.input_total(target);
        for edge in graph.incoming(target).filter(|_| total > 0.0) {
            flow[edge.source.index()] += here * f64::from(edge.weight.abs()) / total;
        }
    }
    passed
}

/// Returns the tokens that give at least this share of the input of a group's member or an output.
fn tokens(graph: &AttributionGraph, groups: &[ProposedGroup], outputs: &[NodeId]) -> Vec<NodeId> {
    const LEAST: f64 = 0.1;
    let members = groups.iter().flat_map(|group| &group.members).chain(outputs);
    let reads = members.flat_map(|&id| {
        let total = graph.input_total(id);
        graph.incoming(id).filter(move |edge| f64::from(edge.weight.abs()) >= LEAST * total).map(|edge| edge.source)
    });
    let mut read: Vec<NodeId> = reads.filter(|id| graph.node(*id).is_token()).collect();
    read.sort_unstable_by_key(|id| (graph.node(*id).position(), *id));
    read.dedup();
    read
}

#[cfg(test)]
mod tests;
