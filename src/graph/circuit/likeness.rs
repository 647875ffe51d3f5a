//! Likeness of features, and groups of alike ones.

use crate::graph::{AttributionGraph, automatic};
use crate::ids::NodeId;
use crate::job::{Cancel, Cancelled};
use std::collections::BTreeSet;

/// Weights of the kinds of evidence, and the least mean likeness of two groups that are joined: found on two published
/// graphs that their authors grouped by hand and on one of the demo.
const TOKENS: f64 = 2.0;
const OUTPUTS: f64 = 2.0;
const LINKED: f64 = 2.0;
const POSITION: f64 = 1.0;
const LABELS: f64 = 0.5;
const LEAST: f64 = 0.55;

/// Share of a feature's input that another one gives, from which on the two count as linked altogether.
const WHOLE_LINK: f64 = 0.25;

/// Cosine of outputs from which on a link counts altogether: where two write different things, a link is a step from the
/// one to the other.
const WHOLE_OUTPUTS: f64 = 0.5;

/// Means of the members' likeness to each other by kind of evidence, each from 0, or of signed ones from −1, to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reason {
    /// Cosine of the shares that each token of the prompt has in what reaches them, through every path.
    pub tokens: f64,
    /// Cosine of what they write directly, as shares of their targets' inputs.
    pub outputs: f64,
    /// Share of one's input that the other gives, where a quarter counts as all, as far as they write the same.
    pub linked: f64,
    /// Share of pairs at one position.
    pub position: f64,
    /// Likeness of their labels, by groups of four letters; `None` where no two have any.
    pub labels: Option<f64>,
}

/// Likeness of chosen features, pair by pair.
pub(super) struct Likeness {
    pairs: Vec<Vec<Reason>>,
}

impl Reason {
    /// Returns the mean of what is known, weighed by how much each kind tells.
    fn mean(&self) -> f64 {
        let parts = [(TOKENS, self.tokens), (LINKED, self.linked), (POSITION, self.position), (OUTPUTS, self.outputs)];
        let labels = self.labels.map(|labels| (LABELS, labels));
        let (sum, weights) = parts
            .into_iter()
            .chain(labels)
            .fold((0.0, 0.0), |(sum, all), (weight, part)| (sum + weight * part, all + weight));
        sum / weights
    }
}

impl Likeness {
    /// Compares features of a graph without cycles.
    ///
    /// # Errors
    /// Fails with [`Cancelled`] where the work was asked to stop.
    pub fn new<'a>(
        graph: &AttributionGraph,
        features: &[NodeId],
        label: &dyn Fn(NodeId) -> Option<&'a str>,
        cancel: &Cancel,
    ) -> Result<Self, Cancelled> {
        let reached = reached_by_tokens(graph, features, cancel)?;
        let written: Vec<Vec<(NodeId, f64)>> = features
            .iter()
            .map(|&id| {
                let share = |edge: crate::graph::Edge| f64::from(edge.weight) / graph.input_total(edge.target);
                let mut all: Vec<_> = graph.outgoing(id).map(|edge| (edge.target, share(edge))).collect();
                all.sort_unstable_by_key(|(target, _)| *target);
                all
            })
            .collect();
        let grams: Vec<BTreeSet<String>> =
            features.iter().map(|&id| label(id).map(grams).unwrap_or_default()).collect();
        let link = |source: NodeId, target: NodeId| {
            let weights = graph.incoming(target).filter(|edge| edge.source == source);
            let weight: f64 = weights.map(|edge| f64::from(edge.weight.abs())).sum();
            if weight > 0.0 { weight / graph.input_total(target) } else { 0.0 }
        };
        let pair = |a: usize, b: usize| {
            let (one, other) = (features[a], features[b]);
            let both_named = !grams[a].is_empty() && !grams[b].is_empty();
            let outputs = sparse_cosine(&written[a], &written[b]);
            let share = (link(one, other).max(link(other, one)) / WHOLE_LINK).min(1.0);
            Reason {
                tokens: cosine(&reached[a], &reached[b]),
                outputs,
                linked: share * (outputs / WHOLE_OUTPUTS).clamp(0.0, 1.0),
                position: f64::from(u8::from(graph.node(one).position() == graph.node(other).position())),
                labels: both_named.then(|| overlap(&grams[a], &grams[b])),
            }
        };
        let all = 0..features.len();
        Ok(Self { pairs: all.clone().map(|a| all.clone().map(|b| pair(a, b)).collect()).collect() })
    }

    /// Returns the mean likeness of members to each other; of one alone that to itself.
    pub fn reason(&self, members: &[usize]) -> Reason {
        let pairs: Vec<Reason> = members
            .iter()
            .flat_map(|&a| {
                members.iter().filter(move |&&b| a < b || members.len() == 1).map(move |&b| self.pairs[a][b])
            })
            .collect();
        let mean = |of: &dyn Fn(&Reason) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len().max(1) as f64;
        let labels: Vec<f64> = pairs.iter().filter_map(|pair| pair.labels).collect();
        Reason {
            tokens: mean(&|it| it.tokens),
            outputs: mean(&|it| it.outputs),
            linked: mean(&|it| it.linked),
            position: mean(&|it| it.position),
            labels: (!labels.is_empty()).then(|| labels.iter().sum::<f64>() / labels.len() as f64),
        }
    }
}

/// Groups alike features by average linkage, until no two groups are alike enough; indices into the chosen features.
pub(super) fn groups(likeness: &Likeness) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = (0..likeness.pairs.len()).map(|at| vec![at]).collect();
    let alike = |a: &[usize], b: &[usize]| {
        let pairs = a.iter().flat_map(|&a| b.iter().map(move |&b| likeness.pairs[a][b].mean()));
        pairs.sum::<f64>() / (a.len() * b.len()) as f64
    };
    loop {
        let mut best: Option<(f64, usize, usize)> = None;
        for a in 0..found.len() {
            for b in a + 1..found.len() {
                let mean = alike(&found[a], &found[b]);
                if mean >= LEAST && best.is_none_or(|(most, ..)| mean > most) {
                    best = Some((mean, a, b));
                }
            }
        }
        let Some((_, a, b)) = best else { return found };
        let joined = found.remove(b);
        found[a].extend(joined);
    }
}

/// Computes the share that each token has in what reaches each of some features, through every path, `[F][T]`.
///
/// # Errors
/// Fails with [`Cancelled`] where the work was asked to stop.
fn reached_by_tokens(
    graph: &AttributionGraph,
    features: &[NodeId],
    cancel: &Cancel,
) -> Result<Vec<Vec<f64>>, Cancelled> {
    let tokens: Vec<NodeId> = graph.token_nodes().collect();
    let mut shares = vec![vec![0.0; tokens.len()]; features.len()];
    // One sweep up for each token touches every edge: few numbers are held at a time, whatever the graph.
    for (at, &token) in tokens.iter().enumerate() {
        cancel.check()?;
        let mut share = vec![0.0; graph.n_nodes()];
        share[token.index()] = 1.0;
        for &target in graph.topological_order().iter().filter(|id| !graph.node(**id).is_token()) {
            let reached: f64 =
                graph.incoming(target).map(|edge| f64::from(edge.weight.abs()) * share[edge.source.index()]).sum();
            if reached > 0.0 {
                share[target.index()] = reached / graph.input_total(target);
            }
        }
        features.iter().zip(&mut shares).for_each(|(id, shares)| shares[at] = share[id.index()]);
    }
    Ok(shares)
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    if lengths > 0.0 { product(a, b) / lengths } else { 0.0 }
}

/// Returns the cosine of sparse vectors whose entries are in the order of their ids.
fn sparse_cosine(a: &[(NodeId, f64)], b: &[(NodeId, f64)]) -> f64 {
    let length = |vector: &[(NodeId, f64)]| vector.iter().map(|(_, x)| x * x).sum::<f64>();
    let lengths = (length(a) * length(b)).sqrt();
    let (mut product, mut at) = (0.0, 0);
    for (id, x) in a {
        while at < b.len() && b[at].0 < *id {
            at += 1;
        }
        if let Some((_, y)) = b.get(at).filter(|(other, _)| other == id) {
            product += x * y;
        }
    }
    if lengths > 0.0 { product / lengths } else { 0.0 }
}

/// Words that labels of all kinds have.
const COMMON: [&str; 15] =
    ["the", "a", "an", "of", "and", "or", "in", "to", "for", "with", "on", "is", "say", "related", "words"];

/// Returns the groups of four letters of a label's words.
fn grams(label: &str) -> BTreeSet<String> {
    let label = label.trim_start_matches(automatic::MARK).to_lowercase();
    let words = label.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && !COMMON.contains(word));
    words
        .flat_map(|word| {
            let letters: Vec<char> = format!("^{word}$").chars().collect();
            let n = letters.len().min(4);
            letters.windows(n).map(|gram| gram.iter().collect()).collect::<Vec<String>>()
        })
        .collect()
}

fn overlap(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    a.intersection(b).count() as f64 / a.union(b).count() as f64
}
