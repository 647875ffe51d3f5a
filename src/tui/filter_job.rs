//! Evaluation of a filter off the UI thread.

use crate::attribution::Promoted;
use crate::graph::query::{Expr, Features, Matches, NumberField, Query, State, Subject, Term};
use crate::graph::{Densities, Document, Edited, Kept};
use crate::ids::{FeatureId, Layer, NodeId};
use std::collections::HashMap;
use std::sync::Arc;

/// Promoted and suppressed tokens of features, as far as they are known.
pub type Written = HashMap<(Layer, FeatureId), Arc<Promoted>>;

/// Filter with all data that it asks about. Cheap to take along to another thread.
pub struct FilterJob {
    /// The filter.
    pub query: Arc<Query>,
    /// The graph.
    pub document: Document,
    /// Nodes and edges kept at the thresholds.
    pub kept: Arc<Kept>,
    /// The user's edits to the graph.
    pub edited: Edited,
    /// The selected node.
    pub selected: NodeId,
    /// Promoted tokens of features, as far as they are known.
    pub written: Written,
}

/// Result of a filter.
#[derive(Clone, Debug)]
pub struct Filtered {
    /// Matching nodes and edges.
    pub matches: Matches,
    /// Kept part to be shown where the rest is hidden: tokens and outputs stay, as they do in pruning.
    pub left: Arc<Kept>,
}

impl FilterJob {
    /// Applies the filter.
    pub fn run(&self) -> Filtered {
        let graph = &self.document.graph;
        let subject = Subject {
            graph,
            kept: &self.kept,
            labels: &self.document.labels,
            edited: &self.edited,
            selected: Some(self.selected),
            features: &Known { written: &self.written, densities: &self.document.densities },
        };
        let matches = self.query.matches(&subject);
        // A filter about the selected node would else hide it, ask about the next one, hide that, and so on.
        let here = is_about_selection(self.query.expr()).then_some(self.selected);
        let stays = |id: NodeId| Some(id) == here || graph.node(id).is_token() || graph.node(id).is_logit();
        let left = self.kept.narrowed(graph, |id| matches.has_node(id) || stays(id), |id| matches.has_edge(id));
        Filtered { matches, left: Arc::new(left) }
    }
}

struct Known<'a> {
    written: &'a Written,
    densities: &'a Densities,
}

impl Features for Known<'_> {
    fn promotes(&self, layer: Layer, feature: FeatureId, test: &dyn Fn(&str) -> bool) -> Option<bool> {
        self.written.get(&(layer, feature)).map(|promoted| promoted.top.iter().any(|(token, _)| test(token)))
    }

    fn suppresses(&self, layer: Layer, feature: FeatureId, test: &dyn Fn(&str) -> bool) -> Option<bool> {
        self.written.get(&(layer, feature)).map(|promoted| promoted.bottom.iter().any(|(token, _)| test(token)))
    }

    fn density(&self, layer: Layer, feature: FeatureId) -> Option<f64> {
        self.densities.of(layer, feature).map(f64::from)
    }
}

/// Returns true where the result of a filter depends on which node is selected.
pub fn is_about_selection(expr: &Expr) -> bool {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(is_about_selection),
        Expr::Not(part) | Expr::Term(Term::From(part) | Term::To(part)) => is_about_selection(part),
        Expr::Term(term) => matches!(
            term,
            Term::State(State::Selected)
                | Term::Compare(NumberField::Input | NumberField::Output, ..)
                | Term::Within(NumberField::Input | NumberField::Output, _)
        ),
    }
}
