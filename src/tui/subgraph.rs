//! Pinned nodes as boxes in rows: supernodes and lone pinned nodes, tokens at the bottom, outputs on top.

use crate::graph::{AttributionGraph, Edited, Group, NodeKind, Scores, SupernodeGraph, subgraph_scores, supernodes};
use crate::ids::NodeId;
use crate::text;
use crate::text::glyph::Glyphs;
use crate::tui::circuit::Circuit;
use crate::tui::columns::columns;
use crate::tui::graph_layout::Step;
use crate::tui::runtime::jobs::RequestId;
use std::sync::Arc;

/// Parts of a subgraph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// Pinned nodes.
    pub pins: Vec<NodeId>,
    /// Supernodes among them.
    pub groups: Vec<Group>,
}

impl Pinned {
    /// Returns the pinned nodes and supernodes of these edits.
    pub fn of(edited: &Edited) -> Self {
        Self { pins: edited.pins.clone(), groups: edited.groups.clone() }
    }
}

/// Request for the weights of the pinned subgraph.
pub struct Weighing {
    /// Id of the circuit.
    pub circuit: RequestId,
    /// Graph of the circuit, which may grow.
    pub graph: Arc<AttributionGraph>,
    /// Pinned nodes and supernodes.
    pub pinned: Pinned,
}

/// Subgraph with its edges and scores, which take a walk over the whole graph to compute.
#[derive(Clone, Debug, Default)]
pub struct Subgraph {
    /// Pinned nodes and supernodes that it was made of.
    pub pinned: Pinned,
    /// Boxes and the signed edges between them.
    pub graph: SupernodeGraph,
    /// Level and position of each box: the rounded means over its members. Tokens lie below the first layer, outputs
    /// above the last.
    places: Vec<(usize, usize)>,
    /// Middle of each box as a share of the width.
    middles: Vec<f64>,
    /// Scores of the subgraph alone.
    pub scores: Scores,
}

impl Subgraph {
    /// Weighs the pinned nodes.
    pub fn new(graph: &AttributionGraph, pinned: &Pinned) -> Self {
        let edited = Edited { pins: pinned.pins.clone(), groups: pinned.groups.clone(), ..Edited::default() };
        let boxes = supernodes(graph, &edited);
        let places: Vec<_> = boxes.nodes.iter().map(|supernode| place_of(graph, &supernode.members)).collect();
        Self {
            pinned: pinned.clone(),
            middles: columns(&places, &boxes.edges),
            places,
            graph: boxes,
            scores: subgraph_scores(graph, &pinned.pins),
        }
    }

    /// Replaces every node by its id in another graph, which `to` gives.
    pub fn renumber(&mut self, to: impl Fn(NodeId) -> NodeId) {
        let grouped = self.pinned.groups.iter_mut().flat_map(|group| &mut group.members);
        let boxed = self.graph.nodes.iter_mut().flat_map(|supernode| &mut supernode.members);
        self.pinned.pins.iter_mut().chain(grouped).chain(boxed).for_each(|node| *node = to(*node));
    }

    /// Returns the box of a node.
    pub fn box_of(&self, node: NodeId) -> Option<usize> {
        self.graph.nodes.iter().position(|supernode| supernode.members.contains(&node))
    }

    /// Returns the name of a box: its supernode's name, else the label of its node, else the node's own name and place.
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

/// Box with its place in the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boxed {
    /// Index of the box's supernode.
    pub at: usize,
    /// Row, from the top.
    pub row: usize,
    /// First cell.
    pub x: u16,
    /// Line, counted from that of the first row.
    pub y: u16,
    /// Text of the box, its sides included.
    pub text: String,
}

impl Boxed {
    /// Returns the middle cell of the box.
    pub fn middle(&self) -> u16 {
        self.x + (text::width(&self.text) / 2) as u16
    }
}

/// Cells after which a name is cut off.
const NAME: usize = 22;

/// Places the boxes of a subgraph in a pane of `room` cells and lines, top row first. They may take more lines than
/// there are.
pub fn place(circuit: &Circuit, glyphs: &Glyphs, room: (u16, u16)) -> Vec<Boxed> {
    let subgraph = &circuit.subgraph;
    let width = usize::from(room.0);
    let mut order: Vec<(usize, (usize, usize))> = subgraph.places.iter().copied().enumerate().collect();
    order.sort_by(|(a, (above, _)), (b, (below, _))| {
        below.cmp(above).then(subgraph.middles[*a].total_cmp(&subgraph.middles[*b])).then(a.cmp(b))
    });

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
        let wide: Vec<usize> = texts.iter().map(|(_, text)| text::width(text)).collect();
        // Each box as near to its middle as can be, but behind the one before it, and with room for those after it.
        let (mut x, mut behind) = (0, wide.iter().map(|wide| wide + 2).sum::<usize>());
        for ((at, text), wide) in texts.into_iter().zip(wide) {
            let wanted = ((subgraph.middles[at] * width as f64) as usize).saturating_sub(wide / 2);
            x = wanted.min((width + 2).saturating_sub(behind)).max(x);
            boxes.push(Boxed { at, row, x: x as u16, y: (row * spread / gaps) as u16, text });
            x += wide + 2;
            behind -= wide + 2;
        }
    }
    boxes
}

/// Returns the box that a step from box `at` leads to.
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

fn place_of(graph: &AttributionGraph, members: &[NodeId]) -> (usize, usize) {
    let level = |id: &NodeId| match graph.node(*id).kind {
        NodeKind::Token { .. } => 0,
        NodeKind::Logit { .. } => graph.n_layers() + 1,
        _ => graph.node(*id).layer().map_or(0, |layer| layer.index() + 1),
    };
    let mean = |sum: usize| (sum + members.len() / 2) / members.len().max(1);
    let position = |id: &NodeId| graph.node(*id).position().index();
    (mean(members.iter().map(level).sum()), mean(members.iter().map(position).sum()))
}
