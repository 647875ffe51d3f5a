//! The graph on the screen, with its selection and all that is shown of it.

mod connections;
mod naming;
mod pruning;
mod walk;

pub use connections::Connections;
pub use naming::Naming;
pub use pruning::Pruning;
pub use walk::Walk;

use crate::attribution::Promoted;
use crate::graph::{AttributionGraph, Edits, Kept, Node, Occurrence};
use crate::ids::{FeatureId, Layer, NodeId};
use crate::service::labels::FeatureLabels;
use crate::service::library::Feature;
use crate::text::glyph::Glyphs;
use crate::text::names::Names;
use crate::tui::dialogs::intervene::panel::InterventionPanel;
use crate::tui::dialogs::verify::panel::VerificationPanel;
use crate::tui::panes::graph::layout::{GraphLayout, Place};
use crate::tui::panes::subgraph::boxes::Subgraph;
use crate::tui::workspace::heads::HeadAnswers;
use crate::tui::workspace::marks::Marks;
use crate::tui::workspace::{Filter, Overview, PromotedTokens, Reached, Traced};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::tui::panes::GraphPanes;

/// A traced graph with the walk through it and the edits to it.
pub struct Circuit {
    /// Trace with its graph, and the kept part of it that is shown: a filter may narrow it.
    pub traced: Traced,
    /// The part kept at the thresholds, and how stable it is.
    pub pruning: Pruning,
    /// Thresholds and pins, with their history.
    pub edits: Edits,
    /// The walk; its end is the selected node.
    pub walk: Walk,
    /// Connections of the selected node.
    pub connections: Connections,
    /// What panes keep of this graph.
    pub panes: GraphPanes,
    /// Names of the nodes, and the labels that they are made of.
    pub naming: Naming,
    /// Promoted tokens of features, by layer and index.
    pub promoted: HashMap<(Layer, FeatureId), PromotedTokens>,
    /// Main paths and leading nodes, as they were last found.
    pub overview: Overview,
    /// Marks, chosen nodes, filter and search of the user.
    pub marks: Marks,
    /// Effects of interventions.
    pub panel: InterventionPanel,
    /// Verification of the graph by the model, as far as it was asked for.
    pub verification: VerificationPanel,
    /// What the model said of attention heads.
    pub heads: HeadAnswers,
}

impl Circuit {
    /// Creates the circuit of a trace with its most probable output selected, or the node that was selected when its
    /// file was saved; `None` where no node is kept.
    pub fn new(traced: Traced) -> Option<Self> {
        let clicked = traced.document.foreign.clicked.filter(|node| traced.kept.has_node(*node));
        let first = clicked.or_else(|| strongest_logit(&traced)).or_else(|| traced.kept.node_ids().next())?;
        let mut this = Self {
            pruning: Pruning::new(Arc::clone(&traced.kept)),
            edits: Edits::starting_from(traced.document.edited.as_ref().clone()),
            walk: Walk::new(first),
            connections: Connections::default(),
            panes: GraphPanes::new(first),
            naming: Naming::new(&traced.document),
            promoted: HashMap::new(),
            overview: Overview::default(),
            marks: Marks::default(),
            panel: InterventionPanel::default(),
            verification: VerificationPanel::default(),
            heads: HeadAnswers::default(),
            traced,
        };
        this.arrive();
        Some(this)
    }

    /// Returns a node of the graph.
    pub fn node(&self, id: NodeId) -> &Node {
        self.traced.document.graph.node(id)
    }

    /// Returns the kept nodes and edges that are shown.
    pub fn kept(&self) -> &Kept {
        &self.traced.kept
    }

    /// Returns true where a node is pinned.
    pub fn is_pinned(&self, node: NodeId) -> bool {
        self.edits.now().is_pinned(node)
    }

    /// Returns a node's occurrence where the graph was merged of several, and the number of graphs.
    pub fn occurrence(&self, node: NodeId) -> Option<(Occurrence, usize)> {
        let occurrences = self.traced.document.occurrences.as_ref()?;
        Some((occurrences.of(node), occurrences.n_graphs))
    }

    /// Returns the node's rank by influence among all nodes, from 1.
    pub fn rank_of(&self, node: NodeId) -> Option<usize> {
        self.traced.ranks.get(node.index()).copied().flatten()
    }

    /// Returns the node that is described: the one that is looked at, else the selected one.
    pub fn described(&self) -> NodeId {
        self.panes.preview.as_ref().map_or_else(|| self.selected(), |preview| preview.node)
    }

    /// Returns the connections of the node that is described.
    pub fn described_connections(&self) -> &Connections {
        self.panes.preview.as_ref().map_or(&self.connections, |preview| &preview.connections)
    }

    /// Returns the feature of the node that is described, where that is a feature.
    pub fn described_feature(&self) -> Option<(Layer, FeatureId)> {
        self.feature(self.described())
    }

    /// Returns the feature of the selected node, where that is a feature.
    pub fn selected_feature(&self) -> Option<(Layer, FeatureId)> {
        self.feature(self.selected())
    }

    /// Returns the feature of a node, where that is a feature.
    pub fn feature(&self, node: NodeId) -> Option<(Layer, FeatureId)> {
        self.node(node).layer_and_feature()
    }

    /// Iterates over the features whose promoted tokens are known.
    pub fn written(&self) -> impl Iterator<Item = ((Layer, FeatureId), &Arc<Promoted>)> {
        self.promoted.iter().filter_map(|(feature, promoted)| match promoted {
            PromotedTokens::Known(promoted) => Some((*feature, promoted)),
            PromotedTokens::Pending | PromotedTokens::Failed(_) => None,
        })
    }

    /// Returns the most probable output.
    pub fn answer(&self) -> Option<NodeId> {
        strongest_logit(&self.traced)
    }

    /// Returns the token node at the selected node's position.
    pub fn token_below(&self) -> Option<NodeId> {
        let position = self.node(self.selected()).position();
        let is_here = |id: &NodeId| self.node(*id).position() == position && self.kept().has_node(*id);
        self.traced.document.graph.token_nodes().find(is_here)
    }

    /// Returns the kept nodes at the layer and the position of `node`, itself among them.
    pub fn cell_of(&self, node: NodeId) -> Vec<NodeId> {
        let position = self.node(node).position();
        let row = self.panes.layout.place(node).map(|place| usize::from(place.row));
        let nodes = row.and_then(|row| self.panes.layout.rows.get(row)).map_or(&[][..], |row| &row.nodes);
        nodes.iter().copied().filter(|other| self.node(*other).position() == position).collect()
    }

    /// Takes over another pruning of the same graph.
    pub fn take_kept(&mut self, kept: Arc<Kept>, glyphs: &Glyphs) {
        self.pruning.take(kept);
        // The filter's answer about this pruning is yet to be found.
        if !self.marks.filter.as_ref().is_some_and(Filter::is_hiding) {
            self.show(glyphs);
        }
    }

    /// Shows the kept nodes that pass the filter. Where the selected node does not, the nearest that does is selected.
    pub fn show(&mut self, glyphs: &Glyphs) {
        let was: Option<Place> = self.panes.layout.place(self.selected());
        self.show_from(was, glyphs);
    }

    /// Replaces the graph by one of the same trace, further on, that [goes on](Circuit::goes_on_as) from it. Returns the
    /// trace that was replaced.
    pub fn grow(&mut self, traced: Traced, glyphs: &Glyphs) -> Traced {
        let was = self.panes.layout.place(self.selected());
        // The cursor stays at the top until it is moved; then it stays with its link.
        let chosen = self
            .connections
            .links()
            .kept
            .get(self.connections.row)
            .filter(|_| self.connections.row > 0)
            .map(|link| link.other);
        self.panes.tree.forget_rows();
        if let Some(filter) = &mut self.marks.filter {
            filter.forget();
        }
        self.verification.forget();
        self.heads = HeadAnswers::default();
        self.pruning.stability.found = None;
        self.naming.names = Names::new(Arc::clone(&traced.document.graph));
        self.pruning.take(Arc::clone(&traced.kept));
        let before = std::mem::replace(&mut self.traced, traced);
        self.naming.file_labels = Arc::clone(&self.traced.document.labels);
        if self.naming.looked_up.is_some() {
            self.take_named(self.naming.library.clone());
        } else {
            self.naming.library = FeatureLabels::of_file(&self.naming.file_labels);
        }
        self.show_from(was, glyphs);
        let row = self.connections.links().kept.iter().position(|link| Some(link.other) == chosen);
        self.connections.row = row.unwrap_or(0);
        before
    }

    /// Takes over the thresholds at which a later graph of the same trace can be read, where no edit has set others.
    pub fn follow_readable(&mut self, traced: &Traced) {
        if traced.is_made_readable {
            self.edits.start_at(traced.document.edited.thresholds);
        }
    }

    /// Returns true where the thresholds are those that were chosen so that the kept nodes can be read.
    pub fn is_made_readable(&self) -> bool {
        self.traced.is_made_readable && self.edits.now().thresholds == self.traced.document.edited.thresholds
    }

    /// Returns the features kept at the thresholds, each once.
    pub fn kept_features(&self) -> Vec<Feature> {
        let features: BTreeSet<Feature> = self.pruning.kept.node_ids().filter_map(|id| self.feature(id)).collect();
        features.into_iter().collect()
    }

    /// Returns true where another graph holds every node of this one under its id here.
    pub fn goes_on_as(&self, other: &AttributionGraph) -> bool {
        other.has_ids_of(&self.traced.document.graph)
    }

    /// Shows the nodes as [`Circuit::show`] does, where the selected node stood at `was`.
    fn show_from(&mut self, was: Option<Place>, glyphs: &Glyphs) {
        self.traced.kept = match &self.marks.filter {
            Some(filter) => filter.shown(&self.pruning.kept),
            None => Arc::clone(&self.pruning.kept),
        };
        self.arrange(glyphs, self.panes.layout.room);
        if !self.kept().has_node(self.selected())
            && let Some(node) = was.and_then(|place| self.panes.layout.nearest(place)).or(self.answer())
        {
            self.walk.history.go(node, Reached::Freely);
        }
        self.arrive();
    }

    /// Arranges the nodes anew for a pane of `room` cells and lines.
    pub fn arrange(&mut self, glyphs: &Glyphs, room: (u16, u16)) {
        self.panes.layout = GraphLayout::new(&self.traced.document.graph, &self.traced.kept, glyphs, room);
    }

    /// Grows the shown tree anew, where the nodes or links that it grows from changed.
    pub fn grow_tree(&mut self) {
        let selected = (self.selected(), self.connections.side.way());
        self.panes.tree.grow(
            &self.traced.document.graph,
            &self.traced.kept,
            selected,
            &self.connections.listing.without,
        );
    }

    /// Takes over the weighed subgraph of the pinned nodes, with the cursor on the box of the selected node; where that is
    /// in none, the cursor stays on its box.
    pub fn take_subgraph(&mut self, subgraph: Arc<Subgraph>) {
        let here =
            self.panes.subgraph.graph.nodes.get(self.panes.box_at).and_then(|supernode| supernode.members.first());
        let here = here.and_then(|node| subgraph.box_of(*node));
        self.panes.box_at = subgraph.box_of(self.selected()).or(here).unwrap_or(0);
        self.panes.subgraph = subgraph;
    }
}

fn strongest_logit(traced: &Traced) -> Option<NodeId> {
    let probability = |id: &NodeId| traced.document.graph.node(*id).logit().map_or(0.0, |logit| logit.probability);
    traced.document.graph.logit_nodes().max_by(|a, b| probability(a).total_cmp(&probability(b)).then(b.cmp(a)))
}
