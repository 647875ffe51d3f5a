//! What is pinned, as boxes in rows: supernodes and lone pinned nodes, tokens at the bottom, outputs on top.

use crate::graph::{AttributionGraph, Edited, Group, NodeKind, Scores, SupernodeGraph, subgraph_scores, supernodes};
use crate::ids::NodeId;
use crate::tui::arrange::Step;
use crate::tui::circuit::Circuit;
use crate::tui::glyph::Glyphs;
use crate::tui::text;
use std::sync::Arc;

/// What a subgraph is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// The pinned nodes.
    pub pins: Vec<NodeId>,
    /// The supernodes among them.
    pub groups: Vec<Group>,
}

impl Pinned {
    /// What is pinned now.
    pub fn of(edited: &Edited) -> Self {
        Self { pins: edited.pins.clone(), groups: edited.groups.clone() }
    }
}

/// A question for the weight of what is pinned.
pub struct Weighing {
    /// Comes back with the answer.
    pub generation: u64,
    /// The number of the circuit that it is about.
    pub circuit: u64,
    /// Its graph, which may grow.
    pub graph: Arc<AttributionGraph>,
    /// What is pinned of it.
    pub pinned: Pinned,
}

/// A subgraph with what it takes a walk over the whole graph to know.
#[derive(Clone, Debug, Default)]
pub struct Subgraph {
    /// What it was made of.
    pub pinned: Pinned,
    /// Its boxes and the signed edges between them.
    pub graph: SupernodeGraph,
    /// How much of the model it explains alone.
    pub scores: Scores,
}

impl Subgraph {
    /// Weighs what is pinned.
    pub fn new(graph: &AttributionGraph, pinned: &Pinned) -> Self {
        let edited = Edited { pins: pinned.pins.clone(), groups: pinned.groups.clone(), ..Edited::default() };
        Self { pinned: pinned.clone(), graph: supernodes(graph, &edited), scores: subgraph_scores(graph, &pinned.pins) }
    }

    /// Follows the nodes into a graph in which each has the id that `to` gives.
    pub fn renumber(&mut self, to: impl Fn(NodeId) -> NodeId) {
        let grouped = self.pinned.groups.iter_mut().flat_map(|group| &mut group.members);
        let boxed = self.graph.nodes.iter_mut().flat_map(|supernode| &mut supernode.members);
        self.pinned.pins.iter_mut().chain(grouped).chain(boxed).for_each(|node| *node = to(*node));
    }

    /// The box that a node is in.
    pub fn box_of(&self, node: NodeId) -> Option<usize> {
        self.graph.nodes.iter().position(|supernode| supernode.members.contains(&node))
    }

    /// What a box is called: its supernode's name, else the label of its node, else what that is and where.
    pub fn name(&self, at: usize, circuit: &Circuit, glyphs: &Glyphs) -> String {
        let supernode = &self.graph.nodes[at];
        match supernode.group.and_then(|group| self.pinned.groups.get(group)) {
            Some(group) => {
                let name = glyphs.visible(&group.name);
                format!("{name} {}{}", glyphs.times, supernode.members.len())
            }
            None => match circuit.label(supernode.members[0]) {
                Some((label, _)) => glyphs.visible(label),
                None => circuit.name(supernode.members[0], glyphs),
            },
        }
    }
}

/// Where a box stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boxed {
    /// The index of its supernode.
    pub at: usize,
    /// Its row, from the top.
    pub row: usize,
    /// Its first cell.
    pub x: u16,
    /// Its line, counted from that of the first row.
    pub y: u16,
    /// What stands in it, its sides included.
    pub text: String,
}

impl Boxed {
    /// The middle of its line.
    pub fn middle(&self) -> u16 {
        self.x + (text::width(&self.text) / 2) as u16
    }
}

/// A name is cut off after so many cells.
const NAME: usize = 22;

/// The boxes of a subgraph in a pane of `room` cells and lines, top row first. They may be more than the lines.
pub fn place(circuit: &Circuit, glyphs: &Glyphs, room: (u16, u16)) -> Vec<Boxed> {
    let subgraph = &circuit.subgraph;
    let width = usize::from(room.0);
    let mut order: Vec<(usize, (usize, usize))> =
        subgraph.graph.nodes.iter().enumerate().map(|(at, node)| (at, height_of(circuit, &node.members))).collect();
    order.sort_by_key(|(at, (level, position))| (std::cmp::Reverse(*level), *position, *at));

    let mut rows: Vec<(usize, Vec<(usize, String)>)> = Vec::new();
    let mut used = 0;
    for (at, (level, _)) in order {
        let name = glyphs.fit(&subgraph.name(at, circuit, glyphs), NAME.min(width.saturating_sub(2)));
        let [left, right] = if subgraph.graph.nodes[at].group.is_some() { ["[", "]"] } else { ["(", ")"] };
        let text = format!("{left}{name}{right}");
        let wide = text::width(&text) + 2;
        match rows.last_mut() {
            Some((its, row)) if *its == level && used + wide <= width + 2 => {
                row.push((at, text));
                used += wide;
            }
            _ => {
                rows.push((level, vec![(at, text)]));
                used = wide;
            }
        }
    }
    // Rows are spread over the height, with a line at least between them for the edges.
    let gaps = rows.len().saturating_sub(1).max(1);
    let spread = usize::from(room.1.saturating_sub(1)).max(2 * gaps);
    let mut boxes = Vec::new();
    for (row, (_, texts)) in rows.into_iter().enumerate() {
        let filled: usize = texts.iter().map(|(_, text)| text::width(text)).sum();
        let air = width.saturating_sub(filled) / (texts.len() + 1);
        let mut x = 0;
        for (at, text) in texts {
            x += air;
            let wide = text::width(&text);
            boxes.push(Boxed { at, row, x: x as u16, y: (row * spread / gaps) as u16, text });
            x += wide;
        }
    }
    boxes
}

/// The box that a step from box `at` leads to.
pub fn step(boxes: &[Boxed], at: usize, step: Step) -> Option<usize> {
    let here = boxes.iter().find(|boxed| boxed.at == at)?;
    let row = match step {
        Step::Left | Step::Right => here.row,
        Step::Up => here.row.checked_sub(1)?,
        Step::Down => here.row + 1,
    };
    let is_there = |boxed: &&Boxed| match step {
        Step::Left => boxed.x < here.x,
        Step::Right => boxed.x > here.x,
        Step::Up | Step::Down => true,
    };
    let there = boxes.iter().filter(|boxed| boxed.row == row).filter(is_there);
    there.min_by_key(|boxed| boxed.middle().abs_diff(here.middle())).map(|boxed| boxed.at)
}

/// The level and the position of a box: the rounded means over its members. Tokens lie below the first layer, outputs
/// above the last.
fn height_of(circuit: &Circuit, members: &[NodeId]) -> (usize, usize) {
    let n_layers = circuit.traced.document.graph.n_layers();
    let level = |id: &NodeId| match circuit.node(*id).kind {
        NodeKind::Token { .. } => 0,
        NodeKind::Logit { .. } => n_layers + 1,
        _ => circuit.node(*id).layer().map_or(0, |layer| layer.index() + 1),
    };
    let mean = |sum: usize| (sum + members.len() / 2) / members.len().max(1);
    let position = |id: &NodeId| circuit.node(*id).position().index();
    (mean(members.iter().map(level).sum()), mean(members.iter().map(position).sum()))
}
