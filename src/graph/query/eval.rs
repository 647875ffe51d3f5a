//! Evaluation of a query on a graph.

use crate::graph::query::Query;
use crate::graph::query::ast::{Kind, State, Term, TextTest};
use crate::graph::query::block;
use crate::graph::query::fields::{NumberField, TextField};
use crate::graph::query::number::Test;
use crate::graph::query::plan::{Answers, EdgeTest, Plan};
use crate::graph::{AttributionGraph, Densities, Edited, Kept, Labels, Node, NodeKind, OtherKind, automatic, label};
use crate::ids::{FeatureId, Layer, NodeId};
use std::collections::BTreeSet;
use std::fmt;

/// Facts about features beside the graph. `None` is unknown, or not known yet.
pub trait Features: Sync {
    /// Returns true where one of the tokens that a feature promotes most satisfies `test`.
    fn promotes(&self, layer: Layer, feature: FeatureId, test: &dyn Fn(&str) -> bool) -> Option<bool>;

    /// Returns true where one of the tokens that a feature suppresses most satisfies `test`.
    fn suppresses(&self, layer: Layer, feature: FeatureId, test: &dyn Fn(&str) -> bool) -> Option<bool>;

    /// Returns a feature's density: the share of all tokens at which it fires.
    fn density(&self, layer: Layer, feature: FeatureId) -> Option<f64>;
}

/// [`Features`] without any known facts.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingKnown;

impl Features for NothingKnown {
    fn promotes(&self, _: Layer, _: FeatureId, _: &dyn Fn(&str) -> bool) -> Option<bool> {
        None
    }

    fn suppresses(&self, _: Layer, _: FeatureId, _: &dyn Fn(&str) -> bool) -> Option<bool> {
        None
    }

    fn density(&self, _: Layer, _: FeatureId) -> Option<f64> {
        None
    }
}

/// [`Features`] of which only the densities are known.
impl Features for Densities {
    fn promotes(&self, _: Layer, _: FeatureId, _: &dyn Fn(&str) -> bool) -> Option<bool> {
        None
    }

    fn suppresses(&self, _: Layer, _: FeatureId, _: &dyn Fn(&str) -> bool) -> Option<bool> {
        None
    }

    fn density(&self, layer: Layer, feature: FeatureId) -> Option<f64> {
        self.of(layer, feature).map(f64::from)
    }
}

/// Subject of a query.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The graph.
    pub graph: &'a AttributionGraph,
    /// Kept part of the graph: nothing else matches.
    pub kept: &'a Kept,
    /// Labels from the graph's file.
    pub labels: &'a Labels,
    /// The user's work on the graph.
    pub edited: &'a Edited,
    /// Selected node, on which the walk stands.
    pub selected: Option<NodeId>,
    /// Facts about features.
    pub features: &'a dyn Features,
}

/// Truth value of a term. Ordered so that `and` is the least and `or` the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Truth {
    False = 0b00,
    Unknown = 0b01,
    True = 0b11,
}

impl Truth {
    /// Returns the greater one, by a single bit operation, so that compilers vectorise it.
    pub fn or(self, other: Self) -> Self {
        Self::from_bits(self as u8 | other as u8)
    }

    /// Returns the lesser one.
    pub fn and(self, other: Self) -> Self {
        Self::from_bits(self as u8 & other as u8)
    }

    pub fn from_bits(bits: u8) -> Self {
        match bits {
            0b00 => Self::False,
            0b01 => Self::Unknown,
            _ => Self::True,
        }
    }

    pub fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Facts that a query needs and that are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lacking {
    /// Activations that the file leaves out.
    Activation,
    /// Influence that the file leaves out.
    Influence,
    /// Recomputed influence.
    Recomputed,
    /// Densities of features.
    Density,
    /// Tokens that features promote and suppress.
    PromotedTokens,
    /// A selected node.
    Selection,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Activation => "activations, which the file leaves out",
            Self::Influence => "influence, which the file leaves out",
            Self::Recomputed => "recomputed influence, which only a graph without cycles has that was pruned before",
            Self::Density => "how often features fire, which is not known here",
            Self::PromotedTokens => "promoted tokens that are not computed yet",
            Self::Selection => "a selected node",
        })
    }
}

/// Matches of a query among the kept nodes and edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    nodes: Vec<bool>,
    edges: Vec<bool>,
    /// Number of nodes that match.
    pub n_nodes: usize,
    /// Number of edges that match.
    pub n_edges: usize,
    /// Number of nodes that are undecided for want of the lacking facts.
    pub undecided_nodes: usize,
    /// Number of edges that are undecided.
    pub undecided_edges: usize,
    /// Facts that would decide them; empty where all are decided.
    pub lacking: BTreeSet<Lacking>,
}

impl Matches {
    /// Returns true where a node matches.
    pub fn has_node(&self, id: NodeId) -> bool {
        self.nodes[id.index()]
    }

    /// Returns true where an edge matches.
    pub fn has_edge(&self, id: crate::ids::EdgeId) -> bool {
        self.edges[id.index()]
    }
}

impl Query {
    /// Finds the matches among the kept nodes and edges.
    ///
    /// # Examples
    /// ```
    /// use circuitscope::format;
    /// use circuitscope::graph::{Thresholds, query::{NothingKnown, Query, Subject}};
    /// use std::path::Path;
    ///
    /// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
    /// let subject = Subject {
    ///     graph: &document.graph,
    ///     kept: &document.prune(Thresholds { node: 1.0, edge: 1.0, density: 1.0 }),
    ///     labels: &document.labels,
    ///     edited: &document.edited,
    ///     selected: None,
    ///     features: &NothingKnown,
    /// };
    /// let matches = Query::parse("type:feature layer:1")?.matches(&subject);
    /// assert_eq!(matches.n_nodes, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matches(&self, subject: &Subject<'_>) -> Matches {
        let blocks = block::blocks(subject);
        let plan = Plan::new(self.expr(), subject, &blocks);
        let (edges, n_edges, undecided_edges) = plan.ask_edges(subject, &blocks);
        let nodes = vec![false; subject.graph.n_nodes()];
        let mut matches = Matches { nodes, edges, n_edges, undecided_edges, ..Matches::default() };
        for id in subject.kept.node_ids() {
            match plan.ask_node(id.index()) {
                Truth::True => {
                    matches.nodes[id.index()] = true;
                    matches.n_nodes += 1;
                }
                Truth::Unknown => matches.undecided_nodes += 1,
                Truth::False => {}
            }
        }
        if matches.undecided_nodes + matches.undecided_edges > 0 {
            matches.lacking = plan.lacks();
        }
        matches
    }
}

impl Subject<'_> {
    /// Returns the test of a term about edges; `None` for a term about nodes.
    pub(super) fn edge_test(&self, term: &Term) -> Option<EdgeTest> {
        match term {
            Term::Sign(sign) => Some(EdgeTest::Sign(*sign)),
            term => self
                .number_test(term)
                .filter(|(field, _)| field.is_of_edge())
                .map(|(field, test)| EdgeTest::Number(field, test)),
        }
    }

    fn number_test(&self, term: &Term) -> Option<(NumberField, Test)> {
        let counts = |field| match field {
            NumberField::Layer => self.graph.n_layers() as f64,
            _ => self.graph.tokens().len() as f64,
        };
        Test::of(term, counts)
    }

    /// Returns the answers of a term about nodes.
    pub(super) fn answers(&self, term: &Term) -> Answers {
        if let Some((field, test)) = self.number_test(term) {
            return self.number_answers(field, &test);
        }
        let decided = |holds: &dyn Fn(NodeId) -> bool| Answers {
            truths: self.graph.node_ids().map(|id| Truth::from(holds(id))).collect(),
            lacks: None,
        };
        match term {
            Term::Anywhere(part) => {
                let test = text_test(TextTest::Contains, part);
                decided(&|id| {
                    test(&self.graph.node_name(id)) || test(self.label(id)) || test(self.graph.token_text(id))
                })
            }
            Term::Text(field, how, text) => self.text_answers(*field, &*text_test(*how, text)),
            Term::Kind(kinds) => decided(&|id| kinds.iter().any(|kind| is_of(self.graph.node(id), *kind))),
            Term::State(state) => self.state_answers(*state),
            // The others are about edges and are asked of those.
            _ => decided(&|_| false),
        }
    }

    fn number_answers(&self, field: NumberField, test: &Test) -> Answers {
        let graph = self.graph;
        let value = |id: NodeId| -> Value {
            let node = graph.node(id);
            match (field, &node.kind) {
                (NumberField::Layer, _) => node.layer().map_or(Value::None, |layer| Value::Is(f64::from(layer.0))),
                (NumberField::Position, _) => Value::Is(f64::from(node.position().0)),
                (NumberField::Feature, _) => {
                    graph.feature_number(id).map_or(Value::None, |number| Value::Is(number as f64))
                }
                (NumberField::Activation, NodeKind::Feature { .. }) => node.activation.into(),
                (NumberField::Activation, NodeKind::Other { .. }) => {
                    node.activation.map_or(Value::None, |it| Value::Is(it.into()))
                }
                (NumberField::Influence, _) => self.kept.influence_of(id).into(),
                (NumberField::Recomputed, _) => self.kept.recomputed(id).into(),
                (NumberField::Density, NodeKind::Feature { layer, feature, .. }) => {
                    self.features.density(*layer, *feature).map_or(Value::Unknown, Value::Is)
                }
                _ => Value::None,
            }
        };
        let lacking = match field {
            NumberField::Influence => Lacking::Influence,
            NumberField::Recomputed => Lacking::Recomputed,
            NumberField::Density => Lacking::Density,
            NumberField::Input | NumberField::Output => Lacking::Selection,
            _ => Lacking::Activation,
        };
        if matches!(field, NumberField::Input | NumberField::Output) {
            let shares = self.selected.map(|selected| self.shares(field, selected));
            return answers(graph, lacking, |id| shares.as_ref().map(|shares| test.holds(shares[id.index()])));
        }
        answers(graph, lacking, |id| match value(id) {
            Value::Is(number) => Some(test.holds(number)),
            Value::None => Some(false),
            Value::Unknown => None,
        })
    }

    /// Returns each node's share of the selected node's input, or the other way round, `[N]`.
    fn shares(&self, field: NumberField, selected: NodeId) -> Vec<f64> {
        let mut shares = vec![0.0; self.graph.n_nodes()];
        let share = |edge: crate::graph::Edge| f64::from(edge.weight.abs()) / self.graph.input_total(edge.target);
        if field == NumberField::Input {
            self.graph.incoming(selected).for_each(|edge| shares[edge.source.index()] = share(edge));
        } else {
            self.graph.outgoing(selected).for_each(|edge| shares[edge.target.index()] = share(edge));
        }
        shares
    }

    fn text_answers(&self, field: TextField, test: &(dyn Fn(&str) -> bool + Sync)) -> Answers {
        let graph = self.graph;
        answers(graph, Lacking::PromotedTokens, |id| match (field, &graph.node(id).kind) {
            (TextField::Name, _) => Some(test(&graph.node_name(id))),
            (TextField::Label, _) => Some(test(self.label(id))),
            (TextField::Token, _) => Some(test(graph.token_text(id))),
            (TextField::Group, _) => {
                Some(self.edited.group_of(id).is_some_and(|at| test(&self.edited.groups[at].name)))
            }
            (TextField::Promotes, NodeKind::Feature { layer, feature, .. }) => {
                self.features.promotes(*layer, *feature, test)
            }
            (TextField::Suppresses, NodeKind::Feature { layer, feature, .. }) => {
                self.features.suppresses(*layer, *feature, test)
            }
            (TextField::Promotes | TextField::Suppresses, _) => Some(false),
        })
    }

    fn state_answers(&self, state: State) -> Answers {
        answers(self.graph, Lacking::Selection, |id| match state {
            State::Selected => self.selected.map(|selected| selected == id),
            State::Pinned => Some(self.edited.is_pinned(id)),
            State::Grouped => Some(self.edited.group_of(id).is_some()),
            // Those that the program made itself stand on every feature.
            State::Labelled => Some(!self.label(id).is_empty() && !automatic::is_marked(self.label(id))),
        })
    }

    /// Returns a node's label; empty where it has none.
    fn label(&self, id: NodeId) -> &str {
        label(self.graph, self.edited, self.labels, id).unwrap_or_default()
    }
}

/// A number of a node.
enum Value {
    Is(f64),
    /// No number, as for every node of its kind.
    None,
    Unknown,
}

impl From<Option<f32>> for Value {
    fn from(number: Option<f32>) -> Self {
        number.map_or(Self::Unknown, |number| Self::Is(f64::from(number)))
    }
}

fn answers(graph: &AttributionGraph, lacking: Lacking, holds: impl Fn(NodeId) -> Option<bool>) -> Answers {
    let truths: Vec<_> = graph.node_ids().map(|id| holds(id).map_or(Truth::Unknown, Truth::from)).collect();
    let lacks = truths.contains(&Truth::Unknown).then_some(lacking);
    Answers { truths, lacks }
}

fn is_of(node: &Node, kind: Kind) -> bool {
    match kind {
        Kind::Feature => node.is_feature(),
        Kind::Error => node.is_error(),
        Kind::Token => node.is_token(),
        Kind::Logit => node.is_logit(),
        Kind::Other => node.other_kind().is_some(),
        Kind::Attention => node.other_kind() == Some(OtherKind::Attention),
        Kind::AttentionError => node.other_kind() == Some(OtherKind::AttentionError),
        Kind::Bias => node.other_kind() == Some(OtherKind::Bias),
        Kind::Unknown => node.other_kind() == Some(OtherKind::Unknown),
    }
}

/// Returns a test that a text is, or holds, another one, whatever the case. For equality, spaces at the ends do not
/// count.
fn text_test(how: TextTest, wanted: &str) -> Box<dyn Fn(&str) -> bool + Sync> {
    let wanted = wanted.to_lowercase();
    match how {
        TextTest::Contains => Box::new(move |text| text.to_lowercase().contains(&wanted)),
        TextTest::Is => Box::new(move |text| text.trim().to_lowercase() == wanted.trim()),
    }
}
