//! The graph on the screen, with its selection and all that is shown of it.

use crate::attribution::Promoted;
use crate::graph::{
    AttributionGraph, Edits, InputTotals, Kept, Labelled, Labels, MainPath, Node, NodeKind, Occurrence, influence_kept,
    input_totals, main_path,
};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use crate::service::labels::{Arrived, FeatureLabels};
use crate::service::library::Feature;
use crate::text::glyph::Glyphs;
use crate::text::names::{Called, Names, label_of};
use crate::tui::features::FeatureDetails;
use crate::tui::filter::Filter;
use crate::tui::graph_layout::{GraphLayout, Place, Step};
use crate::tui::history::{History, Reached};
use crate::tui::intervention_panel::InterventionPanel;
pub use crate::tui::links::{Link, Links, Listed, Listing, Order, Side};
use crate::tui::marks::Marks;
use crate::tui::standing::Standings;
use crate::tui::subgraph::Subgraph;
use crate::tui::traced::Traced;
use crate::tui::tree::Tree;
use crate::tui::verification::VerificationPanel;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Promoted and suppressed tokens of a feature, as far as they are known.
#[derive(Clone, Debug)]
pub enum PromotedTokens {
    /// The tokens are being computed.
    Pending,
    /// The tokens.
    Known(Arc<Promoted>),
    /// Reason why the tokens cannot be computed.
    Failed(String),
}

/// A traced graph with the walk through it and the edits to it.
pub struct Circuit {
    /// Trace with its graph and the kept part of it.
    pub traced: Traced,
    /// Thresholds and pins, with their history.
    pub edits: Edits,
    /// The walk; its end is the selected node.
    pub history: History,
    /// Place of every kept node.
    pub layout: GraphLayout,
    /// The selected node's inputs.
    pub inputs: Links,
    /// The selected node's outputs.
    pub outputs: Links,
    /// Negative inputs of the selected node, kept or not.
    pub inhibitors: Links,
    /// Side of the three that is followed.
    pub side: Side,
    /// Side that is followed where the node has any links there.
    preferred: Side,
    /// Order and kinds of the listed connections.
    pub listing: Listing,
    /// Row under the cursor in the list of `side`.
    pub row: usize,
    /// Tree of a node's circuit, unrolled.
    pub tree: Tree,
    /// Subgraph of the pinned nodes as it was last weighed.
    pub subgraph: Arc<Subgraph>,
    /// Box under the cursor in the drawing of the pinned nodes.
    pub box_at: usize,
    /// Share of all influence that the kept nodes hold.
    pub influence_kept: f64,
    /// Totals of the selected node's inputs.
    pub totals: InputTotals,
    /// Strongest path from the selected node down to a token.
    pub main_path: MainPath,
    /// Promoted tokens of features, by layer and index.
    pub promoted: HashMap<(Layer, FeatureId), PromotedTokens>,
    /// Labels of the graph's file; the labels of `traced.document` are these and those of the library.
    pub file_labels: Arc<Labels>,
    /// The library's labels of the graph's features.
    pub named: FeatureLabels,
    /// Graph for which the library was asked, with the kept part for which all features were looked up.
    pub looked_up: Option<(Arc<AttributionGraph>, Option<Arc<Kept>>)>,
    /// Names of the nodes.
    pub names: Names,
    /// Marks, chosen nodes, filter and search of the user.
    pub marks: Marks,
    /// Effects of interventions.
    pub panel: InterventionPanel,
    /// Verification of the graph by the model, as far as it was asked for.
    pub verification: VerificationPanel,
    /// Parts of the graph that hang on the thresholds.
    pub standings: Standings,
    /// Nodes and edges kept at the thresholds; `traced.kept` is what is shown of them, which a filter may narrow.
    pub pruned: Arc<Kept>,
    goal_x: Option<u16>,
}

impl Circuit {
    /// Creates the circuit of a trace with its most probable output selected, or the node that was selected when its
    /// file was saved; `None` where no node is kept.
    pub fn new(traced: Traced) -> Option<Self> {
        let clicked = traced.document.foreign.clicked.filter(|node| traced.kept.has_node(*node));
        let first = clicked.or_else(|| strongest_logit(&traced)).or_else(|| traced.kept.node_ids().next())?;
        let mut this = Self {
            edits: Edits::starting_from(traced.document.edited.as_ref().clone()),
            history: History::new(first),
            layout: GraphLayout::default(),
            inputs: Links::default(),
            outputs: Links::default(),
            inhibitors: Links::default(),
            side: Side::Inputs,
            preferred: Side::Inputs,
            listing: Listing::default(),
            row: 0,
            tree: Tree::new(first),
            subgraph: Arc::default(),
            box_at: 0,
            influence_kept: influence_kept(&traced.kept),
            totals: InputTotals::default(),
            main_path: MainPath::default(),
            promoted: HashMap::new(),
            file_labels: Arc::clone(&traced.document.labels),
            named: FeatureLabels::of_file(&traced.document.labels),
            looked_up: None,
            names: Names::new(Arc::clone(&traced.document.graph)),
            marks: Marks::default(),
            panel: InterventionPanel::default(),
            verification: VerificationPanel::default(),
            standings: Standings::default(),
            pruned: Arc::clone(&traced.kept),
            goal_x: None,
            traced,
        };
        this.arrive();
        Some(this)
    }

    /// Returns the selected node.
    pub fn selected(&self) -> NodeId {
        self.history.node()
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

    /// Returns the links of the side that is followed.
    pub fn links(&self) -> &Links {
        self.links_of(self.side)
    }

    /// Returns the links of a side.
    pub fn links_of(&self, side: Side) -> &Links {
        match side {
            Side::Inputs => &self.inputs,
            Side::Outputs => &self.outputs,
            Side::Inhibitors => &self.inhibitors,
        }
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

    /// Returns the share of the selected node's input that comes from errors; `None` where the node has no input.
    pub fn error_share(&self) -> Option<f64> {
        let all = self.totals.absolute();
        (all > 0.0).then(|| self.totals.errors.absolute() / all)
    }

    /// Returns the feature of the selected node, where that is a feature.
    pub fn selected_feature(&self) -> Option<(Layer, FeatureId)> {
        self.feature(self.selected())
    }

    /// Returns the feature of a node, where that is a feature.
    pub fn feature(&self, node: NodeId) -> Option<(Layer, FeatureId)> {
        match self.node(node).kind {
            NodeKind::Feature { layer, feature, .. } => Some((layer, feature)),
            _ => None,
        }
    }

    /// Iterates over the features whose promoted tokens are known.
    pub fn written(&self) -> impl Iterator<Item = ((Layer, FeatureId), &Arc<Promoted>)> {
        self.promoted.iter().filter_map(|(feature, promoted)| match promoted {
            PromotedTokens::Known(promoted) => Some((*feature, promoted)),
            PromotedTokens::Pending | PromotedTokens::Failed(_) => None,
        })
    }

    /// Returns a token's text as it is shown.
    pub fn token(&self, position: Position, glyphs: &Glyphs) -> String {
        self.names.token(position, glyphs)
    }

    /// Returns a token with its position beside it where its text stands more than once in the prompt.
    pub fn token_at(&self, position: Position, glyphs: &Glyphs) -> String {
        self.names.token_at(position, glyphs)
    }

    /// Returns a node's name, place and number.
    pub fn called(&self, node: NodeId, glyphs: &Glyphs) -> Called {
        self.names.called(node, self.label(node).map(|(label, _)| label), glyphs)
    }

    /// Returns a node's name and place: `~Houston, El-Paso L2 @is`.
    pub fn name(&self, node: NodeId, glyphs: &Glyphs) -> String {
        self.called(node, glyphs).short()
    }

    /// Returns the subject of a node's label.
    pub fn labelled(&self, node: NodeId) -> Labelled {
        Labelled::of(node, self.node(node))
    }

    /// Returns a node's label, the user's else the file's; true where it is the user's.
    pub fn label(&self, node: NodeId) -> Option<(&str, bool)> {
        label_of(&self.traced.document, self.edits.now(), node)
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
        let row = self.layout.place(node).map(|place| usize::from(place.row));
        let nodes = row.and_then(|row| self.layout.rows.get(row)).map_or(&[][..], |row| &row.nodes);
        nodes.iter().copied().filter(|other| self.node(*other).position() == position).collect()
    }

    /// Selects `node`, and adds it to the walk.
    pub fn go(&mut self, node: NodeId, reached: Reached) {
        self.history.go(node, reached);
        self.goal_x = None;
        self.arrive();
    }

    /// Selects `node` from far away: an entry of its own, so that going back leads to where the walk was.
    pub fn leap(&mut self, node: NodeId) {
        self.history.leap(node);
        self.goal_x = None;
        self.arrive();
    }

    /// Steps across the screen; vertical steps remember the column they started from.
    pub fn step(&mut self, step: Step) {
        let Some(here) = self.layout.place(self.selected()) else { return };
        let goal_x = self.goal_x.unwrap_or(here.x);
        let Some(node) = self.layout.step(self.selected(), step, goal_x) else { return };
        self.go(node, Reached::Freely);
        self.goal_x = matches!(step, Step::Up | Step::Down).then_some(goal_x);
    }

    /// Numbers and follows another side, here and from here on.
    pub fn set_side(&mut self, side: Side) {
        self.preferred = side;
        if side != self.side {
            self.side = side;
            self.row = 0;
        }
    }

    /// Follows the link with this index on the followed side; returns true where there is one.
    pub fn follow(&mut self, index: usize) -> bool {
        let Some(link) = self.links().kept.get(index).copied() else { return false };
        self.walk(&[link], self.side);
        true
    }

    /// Follows links of one side, each from where the one before led.
    pub fn walk(&mut self, way: &[Link], side: Side) {
        for link in way {
            let reached = match side {
                Side::Inputs | Side::Inhibitors => Reached::AsInput(link.edge.weight),
                Side::Outputs => Reached::AsOutput(link.edge.weight),
            };
            self.history.go(link.other, reached);
        }
        self.goal_x = None;
        self.arrive();
    }

    /// Goes back along the walk; returns true where there was anywhere to go.
    pub fn back(&mut self) -> bool {
        let kept = Arc::clone(&self.traced.kept);
        let moved = self.history.back(|node| kept.has_node(node));
        self.goal_x = None;
        self.arrive();
        moved
    }

    /// Goes forward along the walk; returns true where there was anywhere to go.
    pub fn forward(&mut self) -> bool {
        let kept = Arc::clone(&self.traced.kept);
        let moved = self.history.forward(|node| kept.has_node(node));
        self.goal_x = None;
        self.arrive();
        moved
    }

    /// Takes over another pruning of the same graph.
    pub fn take_kept(&mut self, kept: Arc<Kept>, glyphs: &Glyphs) {
        self.pruned = kept;
        self.influence_kept = influence_kept(&self.pruned);
        // The filter's answer about this pruning is yet to be found.
        if !self.marks.filter.as_ref().is_some_and(Filter::is_hiding) {
            self.show(glyphs);
        }
    }

    /// Shows the kept nodes that pass the filter. Where the selected node does not, the nearest that does is selected.
    pub fn show(&mut self, glyphs: &Glyphs) {
        let was: Option<Place> = self.layout.place(self.selected());
        self.show_from(was, glyphs);
    }

    /// Replaces the graph by one of the same trace, further on, that holds all its nodes and more. `to` gives their ids
    /// there; the walk, the selection and the edits follow them. Returns the trace that was replaced.
    pub fn grow(&mut self, traced: Traced, to: &[NodeId], glyphs: &Glyphs) -> Traced {
        let was = self.layout.place(self.selected());
        // The cursor stays at the top until it is moved; then it stays with its link.
        let chosen = self.links().kept.get(self.row).filter(|_| self.row > 0).map(|link| to[link.other.index()]);
        self.edits.renumber(|node| to[node.index()]);
        self.history.renumber(|node| to[node.index()]);
        self.tree.renumber(|node| to[node.index()]);
        self.marks.renumber(|node| to[node.index()]);
        self.verification.forget();
        self.standings.found = None;
        self.names = Names::new(Arc::clone(&traced.document.graph));
        Arc::make_mut(&mut self.subgraph).renumber(|node| to[node.index()]);
        self.pruned = Arc::clone(&traced.kept);
        self.influence_kept = influence_kept(&self.pruned);
        let before = std::mem::replace(&mut self.traced, traced);
        self.file_labels = Arc::clone(&self.traced.document.labels);
        if self.looked_up.is_some() {
            self.take_named(self.named.clone());
        } else {
            self.named = FeatureLabels::of_file(&self.file_labels);
        }
        self.show_from(was, glyphs);
        let row = self.links().kept.iter().position(|link| Some(link.other) == chosen);
        self.row = row.unwrap_or(0);
        before
    }

    /// Takes over the library's labels of the graph's features.
    pub fn take_named(&mut self, named: FeatureLabels) {
        self.traced.document.labels = Arc::clone(&named.merged);
        self.traced.document.densities = Arc::clone(&named.densities);
        self.named = named;
    }

    /// Forgets which features were looked up in the library: not all were, or the answer may have been missed.
    pub fn look_up_labels_anew(&mut self) {
        if let Some((_, kept)) = &mut self.looked_up {
            *kept = None;
        }
    }

    /// Takes over the details that were read of a feature.
    pub fn note_details(&mut self, feature: Feature, card: &FeatureDetails) {
        let mut named = std::mem::take(&mut self.named);
        named.note(&self.file_labels, feature, card.found.label.as_ref(), card.density);
        self.take_named(named);
    }

    /// Takes over labels and densities of features as they arrive.
    pub fn note_arrived(&mut self, arrived: Vec<Arrived>) {
        let mut named = std::mem::take(&mut self.named);
        named.take(&self.file_labels, arrived);
        self.take_named(named);
    }

    /// Returns the features kept at the thresholds, each once.
    pub fn kept_features(&self) -> Vec<Feature> {
        let features: BTreeSet<Feature> = self.pruned.node_ids().filter_map(|id| self.feature(id)).collect();
        features.into_iter().collect()
    }

    /// Returns the ids that this graph's nodes have in another graph of the same trace; `None` where one is missing
    /// there.
    pub fn nodes_in(&self, other: &AttributionGraph) -> Option<Vec<NodeId>> {
        // Both list their nodes in the same order.
        let mut rest = other.nodes().iter().enumerate();
        let mine = self.traced.document.graph.nodes().iter();
        mine.map(|node| rest.find(|(_, its)| its.kind == node.kind).map(|(at, _)| NodeId::from(at))).collect()
    }

    /// Shows the nodes as [`Circuit::show`] does, where the selected node stood at `was`.
    fn show_from(&mut self, was: Option<Place>, glyphs: &Glyphs) {
        self.traced.kept = match &self.marks.filter {
            Some(filter) => filter.shown(&self.pruned),
            None => Arc::clone(&self.pruned),
        };
        self.arrange(glyphs, self.layout.room);
        if !self.kept().has_node(self.selected())
            && let Some(node) = was.and_then(|place| self.layout.nearest(place)).or(self.answer())
        {
            self.history.go(node, Reached::Freely);
        }
        self.arrive();
    }

    /// Arranges the nodes anew for a pane of `room` cells and lines.
    pub fn arrange(&mut self, glyphs: &Glyphs, room: (u16, u16)) {
        self.layout = GraphLayout::new(&self.traced.document.graph, &self.traced.kept, glyphs, room);
    }

    /// Grows the shown tree anew, where the nodes or links that it grows from changed.
    pub fn grow_tree(&mut self) {
        let selected = (self.selected(), self.side.way());
        self.tree.grow(&self.traced.document.graph, &self.traced.kept, selected, &self.listing.without);
    }

    /// Takes over the weighed subgraph of the pinned nodes. The cursor stays on its box; at first it is on that of the
    /// selected node.
    pub fn take_subgraph(&mut self, subgraph: Arc<Subgraph>) {
        let here = self.subgraph.graph.nodes.get(self.box_at).and_then(|supernode| supernode.members.first());
        let here = here.copied().unwrap_or_else(|| self.selected());
        self.box_at = subgraph.box_of(here).unwrap_or(0);
        self.subgraph = subgraph;
    }

    /// Lists the connections of the selected node in another way.
    pub fn list(&mut self, change: impl FnOnce(&mut Listing)) {
        change(&mut self.listing);
        self.relist();
    }

    fn relist(&mut self) {
        let links = |side| Links::new(&self.traced.document.graph, self.kept(), self.selected(), side, &self.listing);
        [self.inputs, self.outputs, self.inhibitors] = Side::ALL.map(links);
        self.row = 0;
    }

    fn arrive(&mut self) {
        self.relist();
        self.totals = input_totals(&self.traced.document.graph, self.selected());
        self.main_path = main_path(&self.traced.document.graph, self.kept(), self.selected());
        // A token has no inputs and an answer no outputs: the side that has links is followed.
        let leads = |side: &Side| !self.links_of(*side).is_empty();
        let sides = [self.preferred, Side::Inputs, Side::Outputs];
        self.side = sides.into_iter().find(leads).unwrap_or(self.preferred);
    }
}

fn strongest_logit(traced: &Traced) -> Option<NodeId> {
    let probability = |id: &NodeId| match traced.document.graph.node(*id).kind {
        NodeKind::Logit { probability, .. } => probability,
        _ => 0.0,
    };
    traced.document.graph.logit_nodes().max_by(|a, b| probability(a).total_cmp(&probability(b)).then(b.cmp(a)))
}
