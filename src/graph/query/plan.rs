//! A query prepared for a graph: the truth of each term for every node, and its test of a block of edges.

use crate::graph::query::ast::{Expr, Sign, Term};
use crate::graph::query::block::{Block, Side};
use crate::graph::query::eval::{Lacking, Subject, Truth};
use crate::graph::query::fields::NumberField;
use crate::graph::query::number::Test;
use crate::parallel;
use std::collections::BTreeSet;
use std::convert::Infallible;

/// Pieces that the edges are divided into for threads.
const PIECES: usize = 16;

/// A prepared query.
pub(super) enum Plan {
    All(Vec<Plan>),
    Any(Vec<Plan>),
    Not(Box<Plan>),
    /// Terms about nodes.
    Nodes(Packed),
    /// A term about edges, or about one end of them.
    Edge(EdgeAnswers),
}

/// Truth of a term for every node, `[N]`, and the fact that it lacks.
pub(super) struct Answers {
    pub truths: Vec<Truth>,
    pub lacks: Option<Lacking>,
}

/// Truths of up to eight terms for every node, a byte each, so that both ends of an edge are looked up once for all of
/// them.
pub(super) struct Packed {
    /// Truths by node, `[N]`.
    truths: Vec<u64>,
    join: Join,
    lacks: BTreeSet<Lacking>,
}

/// Logical connective of terms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

impl Packed {
    /// Terms that fit, at most.
    const MOST: usize = 8;

    fn new(terms: &[Answers], join: Join, n_nodes: usize) -> Self {
        // Bytes without a term change nothing.
        let rest = match join {
            Join::And => !0,
            Join::Or => 0,
        };
        let truths =
            (0..n_nodes).map(|node| terms.iter().fold(rest, |packed, term| packed << 8 | term.truths[node] as u64));
        let lacks = terms.iter().filter_map(|term| term.lacks).collect();
        Self { truths: truths.collect(), join, lacks }
    }

    /// Joins the truths of the terms, a byte each.
    fn joined(&self, packed: u64) -> Truth {
        let join = |packed: u64, by: u32| match self.join {
            Join::And => packed & packed >> by,
            Join::Or => packed | packed >> by,
        };
        Truth::from_bits(join(join(join(packed, 32), 16), 8) as u8)
    }

    fn of_node(&self, at: usize) -> Truth {
        self.joined(self.truths[at])
    }
}

/// Truth of a term for edges, and the facts that it lacks.
pub(super) struct EdgeAnswers {
    /// Truths by block and edge.
    truths: Vec<Vec<Truth>>,
    /// Truth by node that one of its kept edges satisfies the term, `[N]`.
    any: Vec<Truth>,
    lacks: BTreeSet<Lacking>,
    /// True for a term about one end, which for an end of an edge is answered by that node.
    is_of_end: bool,
}

/// Test of an edge by a term.
pub(super) enum EdgeTest {
    Number(NumberField, Test),
    Sign(Sign),
}

impl Plan {
    /// Prepares a query.
    pub fn new(expr: &Expr, subject: &Subject<'_>, blocks: &[Block<'_>]) -> Self {
        match expr {
            Expr::And(parts) => Self::joined(parts, Join::And, subject, blocks),
            Expr::Or(parts) => Self::joined(parts, Join::Or, subject, blocks),
            Expr::Not(part) => Self::Not(Box::new(Self::new(part, subject, blocks))),
            Expr::Term(Term::From(part)) => Self::end(Side::Source, part, subject, blocks),
            Expr::Term(Term::To(part)) => Self::end(Side::Target, part, subject, blocks),
            Expr::Term(term) => match subject.edge_test(term) {
                Some(test) => {
                    let ask = |block: &Block<'_>| test.ask(subject, block);
                    let truths = ask_all(blocks, ask);
                    let any = some_edge(subject, blocks, &truths, &[Side::Source, Side::Target]);
                    Self::Edge(EdgeAnswers { truths, any, lacks: BTreeSet::new(), is_of_end: false })
                }
                None => Self::Nodes(Packed::new(&[subject.answers(term)], Join::And, subject.graph.n_nodes())),
            },
        }
    }

    /// Joins parts, those that are mere terms about nodes first.
    fn joined(parts: &[Expr], join: Join, subject: &Subject<'_>, blocks: &[Block<'_>]) -> Self {
        let is_of_nodes = |part: &&Expr| match part {
            Expr::Term(Term::From(_) | Term::To(_)) => false,
            Expr::Term(term) => subject.edge_test(term).is_none(),
            _ => false,
        };
        let (of_nodes, others): (Vec<&Expr>, Vec<&Expr>) = parts.iter().partition(is_of_nodes);
        let answers: Vec<_> = of_nodes
            .into_iter()
            .filter_map(|part| if let Expr::Term(term) = part { Some(subject.answers(term)) } else { None })
            .collect();
        let packed = answers.chunks(Packed::MOST).map(|terms| Packed::new(terms, join, subject.graph.n_nodes()));
        let mut all: Vec<_> = packed.map(Self::Nodes).collect();
        all.extend(others.into_iter().map(|part| Self::new(part, subject, blocks)));
        if join == Join::And { Self::All(all) } else { Self::Any(all) }
    }

    fn end(side: Side, part: &Expr, subject: &Subject<'_>, blocks: &[Block<'_>]) -> Self {
        let inside = Self::new(part, subject, blocks);
        // What an edge comes from is asked of the node that it leads to.
        let near = if side == Side::Source { Side::Target } else { Side::Source };
        let truths = ask_all(blocks, |block| inside.ask(block, Asked::End(side)));
        let any = some_edge(subject, blocks, &truths, &[near]);
        Self::Edge(EdgeAnswers { truths, any, lacks: inside.lacks(), is_of_end: true })
    }

    /// Returns its truth for a node.
    pub fn ask_node(&self, at: usize) -> Truth {
        match self {
            Self::All(parts) => parts.iter().map(|part| part.ask_node(at)).min().unwrap_or(Truth::True),
            Self::Any(parts) => parts.iter().map(|part| part.ask_node(at)).max().unwrap_or(Truth::False),
            Self::Not(part) => part.ask_node(at).not(),
            Self::Nodes(packed) => packed.of_node(at),
            Self::Edge(answers) => answers.any[at],
        }
    }

    /// Returns the kept edges that match, `[E]`, their number, and the number of undecided ones.
    pub fn ask_edges(&self, subject: &Subject<'_>, blocks: &[Block<'_>]) -> (Vec<bool>, usize, usize) {
        let mut matching = vec![false; subject.graph.n_edges()];
        let (mut n_matching, mut n_undecided) = (0, 0);
        for (block, truths) in blocks.iter().zip(ask_all(blocks, |block| self.ask(block, Asked::Edge))) {
            for (edge, truth) in block.edges().zip(truths) {
                matching[edge] = truth == Truth::True;
                n_matching += usize::from(truth == Truth::True);
                n_undecided += usize::from(truth == Truth::Unknown);
            }
        }
        (matching, n_matching, n_undecided)
    }

    fn ask(&self, block: &Block<'_>, asked: Asked) -> Vec<Truth> {
        match (self, asked) {
            (Self::All(parts), _) => fold(parts, block, Truth::and, asked),
            (Self::Any(parts), _) => fold(parts, block, Truth::or, asked),
            (Self::Not(part), _) => part.ask(block, asked).into_iter().map(Truth::not).collect(),
            (Self::Nodes(packed), Asked::Edge) => {
                let ends = block.sources.iter().zip(block.targets.iter());
                let either = ends.map(|(source, target)| packed.truths[source.index()] | packed.truths[target.index()]);
                either.map(|either| packed.joined(either)).collect()
            }
            (Self::Nodes(packed), Asked::End(side)) => {
                block.ends(side).iter().map(|id| packed.of_node(id.index())).collect()
            }
            (Self::Edge(answers), Asked::End(side)) if answers.is_of_end => {
                block.ends(side).iter().map(|id| answers.any[id.index()]).collect()
            }
            (Self::Edge(answers), _) => answers.truths[block.at].clone(),
        }
    }

    /// Returns the facts that its terms lack.
    pub fn lacks(&self) -> BTreeSet<Lacking> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::lacks).collect(),
            Self::Not(part) => part.lacks(),
            Self::Nodes(packed) => packed.lacks.clone(),
            Self::Edge(answers) => answers.lacks.clone(),
        }
    }
}

/// Subject that a query is asked about.
#[derive(Clone, Copy)]
enum Asked {
    /// Edge: a term about nodes holds where it holds for either end.
    Edge,
    /// One end of an edge, and that edge alone.
    End(Side),
}

fn fold(parts: &[Plan], block: &Block<'_>, join: fn(Truth, Truth) -> Truth, asked: Asked) -> Vec<Truth> {
    let mut parts = parts.iter().map(|part| part.ask(block, asked));
    let Some(mut all) = parts.next() else { return vec![Truth::True; block.weights.len()] };
    for part in parts {
        all.iter_mut().zip(part).for_each(|(so_far, truth)| *so_far = join(*so_far, truth));
    }
    all
}

impl EdgeTest {
    fn ask(&self, subject: &Subject<'_>, block: &Block<'_>) -> Vec<Truth> {
        let weights = block.weights.iter();
        match self {
            Self::Sign(Sign::Positive) => weights.map(|weight| Truth::from(*weight > 0.0)).collect(),
            Self::Sign(Sign::Negative) => weights.map(|weight| Truth::from(*weight < 0.0)).collect(),
            Self::Number(NumberField::Share, test) => {
                let totals = block.targets.iter().map(|target| subject.graph.input_total(*target));
                test.of_each(weights.zip(totals).map(|(weight, total)| f64::from(weight.abs()) / total))
            }
            Self::Number(NumberField::AbsoluteWeight, test) => {
                test.of_each(weights.map(|weight| f64::from(weight.abs())))
            }
            Self::Number(_, test) => test.of_each(weights.map(|weight| f64::from(*weight))),
        }
    }
}

/// Returns the answers for the edges of every block.
fn ask_all(blocks: &[Block<'_>], ask: impl Fn(&Block<'_>) -> Vec<Truth> + Send + Sync) -> Vec<Vec<Truth>> {
    let Ok(truths) = parallel::map(blocks.len(), |at| Ok::<_, Infallible>(ask(&blocks[at])));
    truths
}

/// Returns for each node the truth that one of its kept edges satisfies the term with these `truths`, `[N]`. `near` are
/// the ends of an edge at which the node may stand.
fn some_edge(subject: &Subject<'_>, blocks: &[Block<'_>], truths: &[Vec<Truth>], near: &[Side]) -> Vec<Truth> {
    let none = || vec![Truth::False; subject.graph.n_nodes()];
    let piece = blocks.len().div_ceil(PIECES).max(1);
    let Ok(tables) = parallel::map(blocks.len().div_ceil(piece), |at| {
        // Each piece has a table of its own.
        let mut any = none();
        let range = at * piece..((at + 1) * piece).min(blocks.len());
        for (block, truths) in blocks[range.clone()].iter().zip(&truths[range]) {
            for side in near {
                for (id, truth) in block.ends(*side).iter().zip(truths) {
                    any[id.index()] = any[id.index()].or(*truth);
                }
            }
        }
        Ok::<_, Infallible>(any)
    });
    tables.into_iter().fold(none(), |mut all, table| {
        all.iter_mut().zip(table).for_each(|(any, truth)| *any = any.or(truth));
        all
    })
}
