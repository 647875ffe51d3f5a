//! A query made ready for a graph: what each term says of every node, and how it is asked of a block of edges.

use crate::graph::query::ast::{Compare, Expr, Range, Sign, Term};
use crate::graph::query::eval::{Lacking, Subject, Truth};
use crate::graph::query::fields::NumberField;
use crate::graph::query::parser::counts_from_end;
use crate::ids::{EdgeId, NodeId};
use crate::parallel;
use std::collections::BTreeSet;

/// Edges that are asked at once: what is asked of them stays in the nearest cache.
const BLOCK: usize = 4096;

/// A query, made ready.
pub(super) enum Plan {
    All(Vec<Plan>),
    Any(Vec<Plan>),
    Not(Box<Plan>),
    /// A term about nodes.
    Node(Answers),
    /// A term about edges, and what it says of a node: whether one of its edges satisfies it.
    Edge {
        test: EdgeTest,
        any: Vec<Truth>,
    },
    /// A term about one end of an edge, and what it says of a node: whether one of its edges on that side satisfies it.
    End {
        side: Side,
        inside: Box<Plan>,
        any: Vec<Truth>,
    },
}

/// What a term says of every node, `[N]`, and what it would need to say more.
pub(super) struct Answers {
    pub truths: Vec<Truth>,
    pub lacks: Option<Lacking>,
}

/// Which end of an edge a term is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
}

/// What a term asks of an edge.
pub(super) enum EdgeTest {
    Number(NumberField, Test),
    Sign(Sign),
}

/// What a term asks of a number.
pub(super) enum Test {
    Compare(Compare, f64),
    Within(Vec<(f64, f64)>),
}

impl Test {
    /// The test of a term, with numbers that are counted from the end counted from the start, in the precision of
    /// what they are compared with.
    pub fn of(term: &Term, counts: impl Fn(NumberField) -> f64) -> Option<(NumberField, Self)> {
        let bound = |field: NumberField, value: f64| {
            if value < 0.0 && counts_from_end(field) {
                value + counts(field)
            } else if field.is_single() && value.is_finite() {
                // As it was stored, so that a number is equal to itself as it is shown.
                f64::from(value as f32)
            } else {
                value
            }
        };
        Some(match term {
            Term::Compare(field, compare, value) => (*field, Self::Compare(*compare, bound(*field, *value))),
            Term::Within(field, ranges) => {
                let end = |end: Option<f64>, none| end.map_or(none, |value| bound(*field, value));
                let bounds = |range: &Range| (end(range.from, f64::NEG_INFINITY), end(range.to, f64::INFINITY));
                (*field, Self::Within(ranges.iter().map(bounds).collect()))
            }
            _ => return None,
        })
    }

    pub fn holds(&self, number: f64) -> bool {
        match self {
            Self::Compare(Compare::Less, value) => number < *value,
            Self::Compare(Compare::AtMost, value) => number <= *value,
            Self::Compare(Compare::More, value) => number > *value,
            Self::Compare(Compare::AtLeast, value) => number >= *value,
            Self::Within(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&number)),
        }
    }
}

/// Some kept edges, taken apart.
pub(super) struct Block {
    pub ids: Vec<EdgeId>,
    sources: Vec<NodeId>,
    targets: Vec<NodeId>,
    weights: Vec<f32>,
}

/// How many blocks the edges of a graph make.
pub(super) fn n_blocks(subject: &Subject<'_>) -> usize {
    subject.graph.n_edges().div_ceil(BLOCK)
}

impl Block {
    /// The kept edges of a block.
    pub fn of(subject: &Subject<'_>, at: usize) -> Self {
        let graph = subject.graph;
        let range = at * BLOCK..((at + 1) * BLOCK).min(graph.n_edges());
        let ids: Vec<_> = range.map(EdgeId::from).filter(|id| subject.kept.has_edge(*id)).collect();
        Self {
            sources: ids.iter().map(|id| graph.sources[id.index()]).collect(),
            targets: ids.iter().map(|id| graph.targets[id.index()]).collect(),
            weights: ids.iter().map(|id| graph.weights[id.index()]).collect(),
            ids,
        }
    }

    fn ends(&self, side: Side) -> &[NodeId] {
        match side {
            Side::Source => &self.sources,
            Side::Target => &self.targets,
        }
    }
}

impl Plan {
    /// Makes a query ready.
    pub fn new(expr: &Expr, subject: &Subject<'_>) -> Self {
        Self::make(expr, subject, true)
    }

    /// `of_nodes`: whether the part will be asked of nodes, not only of edges.
    fn make(expr: &Expr, subject: &Subject<'_>, of_nodes: bool) -> Self {
        let all = |parts: &[Expr]| parts.iter().map(|part| Self::make(part, subject, of_nodes)).collect();
        match expr {
            Expr::And(parts) => Self::All(all(parts)),
            Expr::Or(parts) => Self::Any(all(parts)),
            Expr::Not(part) => Self::Not(Box::new(Self::make(part, subject, of_nodes))),
            Expr::Term(Term::From(part)) => Self::end(Side::Source, part, subject),
            Expr::Term(Term::To(part)) => Self::end(Side::Target, part, subject),
            Expr::Term(term) => match subject.edge_test(term) {
                Some(test) => {
                    let mut any = Vec::new();
                    if of_nodes {
                        let tell = |block: &Block| test.ask(subject, block);
                        any = some_edge(subject, &[Side::Source, Side::Target], tell);
                    }
                    Self::Edge { test, any }
                }
                None => Self::Node(subject.answers(term)),
            },
        }
    }

    fn end(side: Side, part: &Expr, subject: &Subject<'_>) -> Self {
        let inside = Box::new(Self::make(part, subject, false));
        // What an edge comes from is asked of the node that it leads to.
        let near = if side == Side::Source { Side::Target } else { Side::Source };
        let any = some_edge(subject, &[near], |block| inside.ask_end(subject, block, side));
        Self::End { side, inside, any }
    }

    /// What it says of each node.
    pub fn ask_node(&self, at: usize) -> Truth {
        match self {
            Self::All(parts) => parts.iter().map(|part| part.ask_node(at)).min().unwrap_or(Truth::True),
            Self::Any(parts) => parts.iter().map(|part| part.ask_node(at)).max().unwrap_or(Truth::False),
            Self::Not(part) => part.ask_node(at).not(),
            Self::Node(answers) => answers.truths[at],
            Self::Edge { any, .. } | Self::End { any, .. } => any[at],
        }
    }

    /// What it says of each edge of a block.
    pub fn ask_edges(&self, subject: &Subject<'_>, block: &Block) -> Vec<Truth> {
        self.ask(subject, block, &|table| {
            let ends = block.sources.iter().zip(&block.targets);
            ends.map(|(source, target)| table[source.index()].max(table[target.index()])).collect()
        })
    }

    /// What it says of one end of each edge of a block, and of that edge alone.
    fn ask_end(&self, subject: &Subject<'_>, block: &Block, side: Side) -> Vec<Truth> {
        let at_end = |table: &[Truth]| block.ends(side).iter().map(|id| table[id.index()]).collect();
        match self {
            // Of an end, a further `from:` asks what it asks of a node.
            Self::End { any, .. } => at_end(any),
            Self::All(parts) => fold(parts, block, Truth::min, |part| part.ask_end(subject, block, side)),
            Self::Any(parts) => fold(parts, block, Truth::max, |part| part.ask_end(subject, block, side)),
            Self::Not(part) => part.ask_end(subject, block, side).into_iter().map(Truth::not).collect(),
            Self::Node(_) | Self::Edge { .. } => self.ask(subject, block, &at_end),
        }
    }

    /// `at_nodes`: what a table by nodes says of each edge.
    fn ask(&self, subject: &Subject<'_>, block: &Block, at_nodes: &dyn Fn(&[Truth]) -> Vec<Truth>) -> Vec<Truth> {
        match self {
            Self::All(parts) => fold(parts, block, Truth::min, |part| part.ask(subject, block, at_nodes)),
            Self::Any(parts) => fold(parts, block, Truth::max, |part| part.ask(subject, block, at_nodes)),
            Self::Not(part) => part.ask(subject, block, at_nodes).into_iter().map(Truth::not).collect(),
            Self::Node(answers) => at_nodes(&answers.truths),
            Self::Edge { test, .. } => test.ask(subject, block),
            Self::End { side, inside, .. } => inside.ask_end(subject, block, *side),
        }
    }

    /// What its terms lack.
    pub fn lacks(&self) -> BTreeSet<Lacking> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::lacks).collect(),
            Self::Not(part) => part.lacks(),
            Self::Node(answers) => answers.lacks.into_iter().collect(),
            Self::Edge { .. } => BTreeSet::new(),
            Self::End { inside, .. } => inside.lacks(),
        }
    }
}

fn fold(
    parts: &[Plan],
    block: &Block,
    join: fn(Truth, Truth) -> Truth,
    ask: impl Fn(&Plan) -> Vec<Truth>,
) -> Vec<Truth> {
    let mut all: Option<Vec<Truth>> = None;
    for part in parts {
        let found = ask(part);
        match &mut all {
            Some(all) => all.iter_mut().zip(found).for_each(|(so_far, truth)| *so_far = join(*so_far, truth)),
            None => all = Some(found),
        }
    }
    all.unwrap_or_else(|| vec![Truth::True; block.ids.len()])
}

impl EdgeTest {
    fn ask(&self, subject: &Subject<'_>, block: &Block) -> Vec<Truth> {
        let weights = block.weights.iter();
        match self {
            Self::Sign(Sign::Positive) => weights.map(|weight| Truth::from(*weight > 0.0)).collect(),
            Self::Sign(Sign::Negative) => weights.map(|weight| Truth::from(*weight < 0.0)).collect(),
            Self::Number(NumberField::Share, test) => {
                let totals = block.targets.iter().map(|target| subject.graph.input_total(*target));
                let shares = weights.zip(totals).map(|(weight, total)| f64::from(weight.abs()) / total);
                shares.map(|share| Truth::from(test.holds(share))).collect()
            }
            Self::Number(NumberField::AbsoluteWeight, test) => {
                weights.map(|weight| Truth::from(test.holds(f64::from(weight.abs())))).collect()
            }
            Self::Number(_, test) => weights.map(|weight| Truth::from(test.holds(f64::from(*weight)))).collect(),
        }
    }
}

/// For each node, whether one of its kept edges satisfies something, `[N]`; `near` says at which end of the edge the
/// node stands.
fn some_edge(subject: &Subject<'_>, near: &[Side], tell: impl Fn(&Block) -> Vec<Truth> + Sync) -> Vec<Truth> {
    let told = parallel::map(n_blocks(subject), |at| {
        let block = Block::of(subject, at);
        let truths = tell(&block);
        Ok::<_, std::convert::Infallible>((block, truths))
    });
    let Ok(told) = told;
    let mut any = vec![Truth::False; subject.graph.n_nodes()];
    for (block, truths) in told {
        for side in near {
            for (id, truth) in block.ends(*side).iter().zip(&truths) {
                any[id.index()] = any[id.index()].max(*truth);
            }
        }
    }
    any
}
