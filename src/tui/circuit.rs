//! The graph on the screen, and where in it a person is.

use crate::graph::{Edits, Kept, Labelled, Node, NodeKind};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use crate::tui::arrange::{Arrangement, Place, Step};
use crate::tui::glyph::Glyphs;
use crate::tui::kit::Kit;
pub use crate::tui::links::{Link, Links, Listed, Listing, Order, Side};
use crate::tui::name::{Names, label_of, labelled};
use crate::tui::tracer::{Promoted, Traced};
use crate::tui::trail::{Reached, Trail};
use crate::tui::tree::Tree;
use std::collections::HashMap;
use std::sync::Arc;

/// What a feature writes for and against, as far as that is known.
#[derive(Clone, Debug)]
pub enum Writes {
    /// It is being computed.
    Pending,
    /// It is known.
    Known(Arc<Promoted>),
    /// It cannot be had, and why.
    Failed(String),
}

/// A traced graph with the walk through it and the edits to it.
pub struct Circuit {
    /// The trace, the graph, and what is kept of it.
    pub traced: Traced,
    /// Thresholds and pins, with their history.
    pub edits: Edits,
    /// The walk; its end is the selected node.
    pub trail: Trail,
    /// Where every node stands.
    pub arrangement: Arrangement,
    /// The selected node's inputs.
    pub inputs: Links,
    /// The selected node's outputs.
    pub outputs: Links,
    /// Which of the two is followed.
    pub side: Side,
    /// Which of the two is to be followed where the node has both.
    preferred: Side,
    /// How connections are listed.
    pub listing: Listing,
    /// The row under the cursor in the list of that side.
    pub row: usize,
    /// The circuit of a node, unrolled.
    pub tree: Tree,
    /// The strongest way from the selected node down to a token, errors passed over: a first answer to "why".
    pub spine: Vec<Link>,
    /// What features write, by layer and index.
    pub writes: HashMap<(Layer, FeatureId), Writes>,
    /// What its nodes are called.
    pub names: Names,
    /// What the person carries along.
    pub kit: Kit,
    ranks: HashMap<NodeId, usize>,
    goal_x: Option<u16>,
}

impl Circuit {
    /// The circuit of a trace with its most probable output selected; `None` where nothing is kept that could be.
    pub fn new(traced: Traced) -> Option<Self> {
        let first = strongest_logit(&traced).or_else(|| traced.kept.node_ids().next())?;
        let mut this = Self {
            edits: Edits::starting_from(traced.document.edited.as_ref().clone()),
            trail: Trail::new(first),
            arrangement: Arrangement::default(),
            inputs: Links::default(),
            outputs: Links::default(),
            side: Side::Inputs,
            preferred: Side::Inputs,
            listing: Listing::default(),
            row: 0,
            tree: Tree::new(first),
            spine: Vec::new(),
            writes: HashMap::new(),
            names: Names::new(Arc::clone(&traced.document.graph)),
            kit: Kit::default(),
            ranks: HashMap::new(),
            goal_x: None,
            traced,
        };
        this.rank();
        this.arrive();
        Some(this)
    }

    /// The selected node.
    pub fn selected(&self) -> NodeId {
        self.trail.node()
    }

    /// A node of the graph.
    pub fn node(&self, id: NodeId) -> &Node {
        self.traced.document.graph.node(id)
    }

    /// What is kept.
    pub fn kept(&self) -> &Kept {
        &self.traced.kept
    }

    /// Whether a node is pinned.
    pub fn is_pinned(&self, node: NodeId) -> bool {
        self.edits.now().is_pinned(node)
    }

    /// The links of the side that is followed.
    pub fn links(&self) -> &Links {
        self.links_of(self.side)
    }

    /// The links of a side.
    pub fn links_of(&self, side: Side) -> &Links {
        match side {
            Side::Inputs => &self.inputs,
            Side::Outputs => &self.outputs,
        }
    }

    /// The node's rank by influence among all nodes, from 1.
    pub fn rank_of(&self, node: NodeId) -> Option<usize> {
        self.ranks.get(&node).copied()
    }

    /// The share of the selected node's input that comes from errors; `None` where it has no input.
    pub fn error_share(&self) -> Option<f64> {
        let graph = &self.traced.document.graph;
        let total = graph.input_total(self.selected());
        let errors: f64 = graph
            .incoming(self.selected())
            .filter(|edge| graph.node(edge.source).is_error())
            .map(|edge| f64::from(edge.weight.abs()))
            .sum();
        // An empty sum is minus zero.
        (total > 0.0).then(|| errors.abs() / total)
    }

    /// The selected feature, where it is one.
    pub fn selected_feature(&self) -> Option<(Layer, FeatureId)> {
        match self.node(self.selected()).kind {
            NodeKind::Feature { layer, feature, .. } => Some((layer, feature)),
            _ => None,
        }
    }

    /// A token's text as it is shown.
    pub fn token(&self, position: Position, glyphs: &Glyphs) -> String {
        self.names.token(position, glyphs)
    }

    /// A token with its position beside it where its text stands more than once in the prompt.
    pub fn token_at(&self, position: Position, glyphs: &Glyphs) -> String {
        self.names.token_at(position, glyphs)
    }

    /// What a node is called: `L2 #345 @is`.
    pub fn name(&self, node: NodeId, glyphs: &Glyphs) -> String {
        self.names.name(node, glyphs)
    }

    /// What a label of a node stands on.
    pub fn labelled(&self, node: NodeId) -> Labelled {
        labelled(&self.traced.document.graph, node)
    }

    /// What a node was labelled: by the person, else by the file; whether by the person.
    pub fn label(&self, node: NodeId) -> Option<(&str, bool)> {
        label_of(&self.traced.document, self.edits.now(), node)
    }

    /// The most probable output.
    pub fn answer(&self) -> Option<NodeId> {
        strongest_logit(&self.traced)
    }

    /// The token under the selected node.
    pub fn token_below(&self) -> Option<NodeId> {
        let position = self.node(self.selected()).position();
        self.traced.document.graph.token_nodes().find(|id| self.node(*id).position() == position)
    }

    /// Selects `node`, and keeps the way there.
    pub fn go(&mut self, node: NodeId, reached: Reached) {
        self.trail.go(node, reached);
        self.goal_x = None;
        self.arrive();
    }

    /// Selects `node` from far away: a station of its own, so that going back leads to where the walk was.
    pub fn leap(&mut self, node: NodeId) {
        self.trail.leap(node);
        self.goal_x = None;
        self.arrive();
    }

    /// One step across the screen; vertical steps remember the column they started from.
    pub fn step(&mut self, step: Step) {
        let Some(here) = self.arrangement.place(self.selected()) else { return };
        let goal_x = self.goal_x.unwrap_or(here.x);
        let Some(node) = self.arrangement.step(self.selected(), step, goal_x) else { return };
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

    /// Along the link with this index on the side that is followed; whether there is one.
    pub fn follow(&mut self, index: usize) -> bool {
        let Some(link) = self.links().kept.get(index).copied() else { return false };
        self.walk(&[link], self.side);
        true
    }

    /// Along links of one side, each from where the one before led.
    pub fn walk(&mut self, way: &[Link], side: Side) {
        for link in way {
            let reached = match side {
                Side::Inputs => Reached::AsInput(link.edge.weight),
                Side::Outputs => Reached::AsOutput(link.edge.weight),
            };
            self.trail.go(link.other, reached);
        }
        self.goal_x = None;
        self.arrive();
    }

    /// Back along the walk; whether there was anywhere to go.
    pub fn back(&mut self) -> bool {
        let kept = Arc::clone(&self.traced.kept);
        let moved = self.trail.back(|node| kept.has_node(node));
        self.goal_x = None;
        self.arrive();
        moved
    }

    /// Forward along the walk; whether there was anywhere to go.
    pub fn forward(&mut self) -> bool {
        let kept = Arc::clone(&self.traced.kept);
        let moved = self.trail.forward(|node| kept.has_node(node));
        self.goal_x = None;
        self.arrive();
        moved
    }

    /// Takes over another pruning of the same graph. Where the selected node fell, the nearest that stands is selected.
    pub fn take_kept(&mut self, kept: Arc<Kept>, glyphs: &Glyphs) {
        let was: Option<Place> = self.arrangement.place(self.selected());
        self.traced.kept = kept;
        self.arrange(glyphs, self.arrangement.room);
        if !self.kept().has_node(self.selected())
            && let Some(node) = was.and_then(|place| self.arrangement.nearest(place)).or(self.answer())
        {
            self.trail.go(node, Reached::Freely);
        }
        self.arrive();
    }

    /// Arranges the nodes anew for a pane of `room` cells and lines.
    pub fn arrange(&mut self, glyphs: &Glyphs, room: (u16, u16)) {
        self.arrangement = Arrangement::new(&self.traced.document.graph, &self.traced.kept, glyphs, room);
    }

    fn rank(&mut self) {
        let influence = &self.traced.kept.influence;
        let mut order: Vec<NodeId> =
            self.traced.document.graph.node_ids().filter(|id| influence[id.index()] > 0.0).collect();
        order.sort_by(|a, b| influence[b.index()].total_cmp(&influence[a.index()]));
        self.ranks = order.into_iter().enumerate().map(|(at, id)| (id, at + 1)).collect();
    }

    fn find_spine(&self) -> Vec<Link> {
        let mut spine = Vec::new();
        let mut node = self.selected();
        let strongest = |node: NodeId| {
            let inputs = self.kept().incoming(&self.traced.document.graph, node);
            let explained = inputs.filter(|edge| !self.node(edge.source).is_error());
            explained.max_by(|a, b| a.weight.abs().total_cmp(&b.weight.abs()))
        };
        while let Some(edge) = strongest(node) {
            spine.push(Link::new(&self.traced.document.graph, edge, Side::Inputs));
            node = edge.source;
        }
        spine
    }

    /// Grows the tree that is seen, where what it grows from changed.
    pub fn grow_tree(&mut self) {
        let selected = (self.selected(), self.side);
        self.tree.grow(&self.traced.document.graph, &self.traced.kept, selected, &self.listing.without);
    }

    /// Lists the connections of the selected node in another way.
    pub fn list(&mut self, change: impl FnOnce(&mut Listing)) {
        change(&mut self.listing);
        self.relist();
    }

    fn relist(&mut self) {
        let links = |side| Links::new(&self.traced.document.graph, self.kept(), self.selected(), side, &self.listing);
        (self.inputs, self.outputs) = (links(Side::Inputs), links(Side::Outputs));
        self.row = 0;
    }

    fn arrive(&mut self) {
        self.relist();
        self.spine = self.find_spine();
        // A token has no inputs and an answer no outputs: what is followed is the side that leads somewhere.
        let leads = |side: Side| self.links_of(side).n_kept() > 0;
        let preferred = self.preferred;
        self.side = if !leads(preferred) && leads(preferred.other()) { preferred.other() } else { preferred };
    }
}

fn strongest_logit(traced: &Traced) -> Option<NodeId> {
    let probability = |id: &NodeId| match traced.document.graph.node(*id).kind {
        NodeKind::Logit { probability, .. } => probability,
        _ => 0.0,
    };
    traced.document.graph.logit_nodes().max_by(|a, b| probability(a).total_cmp(&probability(b)).then(b.cmp(a)))
}
