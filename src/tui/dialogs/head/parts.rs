//! Listed parts of a head's score, as the model splits it or a file gives them.

use crate::attribution::{QkSide, QkSource, Source};
use crate::graph::{HeadTrace, QkNode};
use crate::ids::{NodeId, Position};
use crate::service::attention::{Contributor, LookAt, SplitView};
use crate::text::glyph::Glyphs;
use crate::text::names::Called;
use crate::tui::dialogs::head::Column;
use crate::tui::panes::detail::attention::name_of;
use crate::tui::workspace::Circuit;

/// Source in a list: a node of the graph, or the name of one that is not there.
pub(in crate::tui) enum Named {
    Node(NodeId),
    Other(Called),
}

impl Named {
    fn of(contributor: &Contributor, circuit: &Circuit, glyphs: &Glyphs) -> Self {
        if let Some(node) = contributor.node {
            return Self::Node(node);
        }
        let at = |position: Position| format!("@{}", circuit.token_at(position, glyphs));
        let plain = |what: &str, place: String| Called { what: what.to_owned(), place, number: String::new() };
        Self::Other(match contributor.source {
            QkSource::Bias => plain("all constants", String::new()),
            QkSource::Source(Source::Feature(feature)) => {
                let (layer, number) = feature.layer_and_feature();
                Called::feature(layer, number, &at(feature.position), None, glyphs)
            }
            QkSource::Source(Source::Error(site, position)) => {
                plain("error", format!("L{} {}", site.layer, at(position)))
            }
            QkSource::Source(Source::Token(position)) => {
                plain(&format!("token {}", circuit.token_at(position, glyphs)), String::new())
            }
        })
    }

    fn of_file(node: &QkNode, circuit: &Circuit, glyphs: &Glyphs) -> Self {
        match node {
            QkNode::InGraph(id) => Self::Node(*id),
            QkNode::Only(_) => Self::Other(Called {
                what: name_of(circuit, glyphs, node),
                place: String::new(),
                number: String::new(),
            }),
        }
    }

    /// Returns the node, where there is one.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Self::Node(id) => Some(*id),
            Self::Other(_) => None,
        }
    }

    /// Returns the name, label first.
    pub fn called(&self, circuit: &Circuit, glyphs: &Glyphs) -> Called {
        match self {
            Self::Node(id) => circuit.called(*id, glyphs),
            Self::Other(called) => called.clone(),
        }
    }
}

/// Row of a list: one source, or one of either side.
pub(in crate::tui) struct Row {
    pub sources: Vec<Named>,
    pub contribution: f64,
    /// Share of the absolute contributions of its side.
    pub share: Option<f64>,
}

/// Rows of a list, the strongest first, and what they leave of the score.
pub(in crate::tui) struct Rows {
    pub rows: Vec<Row>,
    pub rest: Option<f64>,
}

/// Returns the rows of a list; `None` where neither the model nor the file has split the score.
pub(in crate::tui) fn rows(circuit: &Circuit, at: LookAt, column: Column, glyphs: &Glyphs) -> Option<Rows> {
    let split = circuit.heads.look(at).and_then(|view| view.split.as_ref());
    // The file's pairs stand while the model's are being computed.
    let whole = split.filter(|split| column != Column::Pairs || split.pairs.is_some());
    let of_file = || Some(of_file(in_file(circuit, at)?, circuit, column, glyphs));
    let of_split = |split: &SplitView| of_split(split, circuit, column, glyphs);
    whole.map(of_split).or_else(of_file).or_else(|| split.map(of_split))
}

/// Returns the split of a look that the graph's file holds.
pub(in crate::tui) fn in_file(circuit: &Circuit, at: LookAt) -> Option<&HeadTrace> {
    let heads = &circuit.traced.document.foreign.attention.heads;
    heads.iter().find(|it| (it.head, it.query, it.key) == (at.head, at.query, at.key))
}

fn of_split(split: &SplitView, circuit: &Circuit, column: Column, glyphs: &Glyphs) -> Rows {
    let named = |it: &Contributor| Named::of(it, circuit, glyphs);
    let side = |side: QkSide| {
        let (all, total) = match side {
            QkSide::Query => (&split.queries, split.totals[0]),
            QkSide::Key => (&split.keys, split.totals[1]),
        };
        let row = |(it, x): &(Contributor, f64)| Row {
            sources: vec![named(it)],
            contribution: *x,
            share: (total > 0.0).then(|| x / total),
        };
        Rows { rows: all.iter().map(row).collect(), rest: Some(split.rest(side)) }
    };
    match column {
        Column::Queries => side(QkSide::Query),
        Column::Keys => side(QkSide::Key),
        Column::Pairs => {
            let row = |(query, key, x): &(Contributor, Contributor, f64)| Row {
                sources: vec![named(query), named(key)],
                contribution: *x,
                share: None,
            };
            let pairs = split.pairs.as_deref();
            Rows {
                rows: pairs.unwrap_or_default().iter().map(row).collect(),
                rest: pairs.map(|_| split.rest_of_pairs()),
            }
        }
    }
}

fn of_file(file: &HeadTrace, circuit: &Circuit, column: Column, glyphs: &Glyphs) -> Rows {
    let named = |node: &QkNode| Named::of_file(node, circuit, glyphs);
    let row = |sources: Vec<Named>, weight: f32| Row { sources, contribution: weight.into(), share: None };
    let side = |all: &[(QkNode, f32)]| all.iter().map(|(node, weight)| row(vec![named(node)], *weight)).collect();
    let rows = match column {
        Column::Queries => side(&file.trace.queries),
        Column::Keys => side(&file.trace.keys),
        Column::Pairs => {
            let pairs = file.trace.pairs.iter();
            pairs.map(|(query, key, weight)| row(vec![named(query), named(key)], *weight)).collect()
        }
    };
    Rows { rows, rest: None }
}
