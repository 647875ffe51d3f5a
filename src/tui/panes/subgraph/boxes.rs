//! Pinned nodes as boxes in rows: supernodes and lone pinned nodes, tokens at the bottom, outputs on top.

use crate::graph::{AttributionGraph, Edited, Group, Scores, SupernodeGraph, subgraph_scores, supernodes};
use crate::ids::NodeId;
use crate::text;
use crate::text::glyph::Glyphs;
use crate::tui::panes::graph::layout::Step;
use crate::tui::runtime::RequestId;
use crate::tui::workspace::Circuit;
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
    /// Level and position of each box: the means over its members, the level rounded. Tokens lie below the first layer,
    /// outputs above the last.
    places: Vec<(usize, f64)>,
    /// Scores of the subgraph alone.
    pub scores: Scores,
}

impl Subgraph {
    /// Weighs the pinned nodes.
    pub fn new(graph: &AttributionGraph, pinned: &Pinned) -> Self {
        let edited = Edited { pins: pinned.pins.clone(), groups: pinned.groups.clone(), ..Edited::default() };
        let boxes = supernodes(graph, &edited);
        let places: Vec<_> = boxes.nodes.iter().map(|supernode| place_of(graph, &supernode.members)).collect();
        Self { pinned: pinned.clone(), places, graph: boxes, scores: subgraph_scores(graph, &pinned.pins) }
    }

    /// Returns the box of a node.
    pub fn box_of(&self, node: NodeId) -> Option<usize> {
        self.graph.nodes.iter().position(|supernode| supernode.members.contains(&node))
    }

    /// Returns the texts in a box of so many lines: its name and, where there is a line for it, the place of its node or
    /// the number of its members.
    fn texts(&self, at: usize, lines: usize, circuit: &Circuit, glyphs: &Glyphs) -> Vec<String> {
        let supernode = &self.graph.nodes[at];
        let name = self.name(at, circuit, glyphs);
        if lines < 4 {
            return vec![name];
        }
        match supernode.group.and_then(|group| self.pinned.groups.get(group)) {
            Some(group) => vec![glyphs.visible(&group.name), text::counted(supernode.members.len(), "node")],
            None => {
                let called = circuit.called(supernode.members[0], glyphs);
                let node = circuit.node(supernode.members[0]);
                let place = match node.logit() {
                    Some(logit) if called.place.is_empty() => format!("{:.3}", logit.probability),
                    None if node.is_token() && called.place.is_empty() => format!("position {}", node.position),
                    _ => format!("{} {}", called.place, called.number).trim().to_owned(),
                };
                vec![called.what, place]
            }
        }
    }

    /// Returns the name of a row of boxes: its layer, where all members of one of them are in it.
    pub fn row_name(&self, boxes: &[Boxed], row: usize, circuit: &Circuit) -> Option<String> {
        let level = boxes.iter().find(|boxed| boxed.row == row).map(|boxed| self.places[boxed.at].0)?;
        let is_in_it = |node: &NodeId| circuit.node(*node).layer().is_some_and(|layer| layer.index() + 1 == level);
        let mut here = boxes.iter().filter(|boxed| boxed.row == row);
        let is_named = here.any(|boxed| self.graph.nodes[boxed.at].members.iter().all(is_in_it));
        is_named.then(|| format!("L{}", level - 1))
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
    /// First line, counted from that of the first row.
    pub y: u16,
    /// Cells, the sides included.
    pub width: u16,
    /// Lines: one, or three and more with a frame.
    pub height: u16,
    /// Texts: in a box of one line with its sides.
    pub lines: Vec<String>,
}

impl Boxed {
    /// Returns the middle cell of the box.
    pub fn middle(&self) -> u16 {
        self.x + self.width / 2
    }
}

/// Cells between boxes of a row.
const GAP: usize = 2;

/// Least lines between rows of framed boxes: for the edges and their weights.
const BETWEEN: usize = 2;

/// Least cells of a name with which another box stands beside it.
const LEAST_NAME: usize = 10;

/// Places the boxes of a subgraph in a pane of `room` cells and lines: rows by layer, outputs on top, and in a row each
/// box as near to the column of its token as there is room. They may take more lines than there are.
pub fn place(circuit: &Circuit, glyphs: &Glyphs, room: (u16, u16)) -> Vec<Boxed> {
    let subgraph = &circuit.panes.subgraph;
    let (width, height) = (usize::from(room.0), usize::from(room.1));
    let mut order: Vec<usize> = (0..subgraph.places.len()).collect();
    order.sort_by(|a, b| {
        let ((above, left), (below, right)) = (subgraph.places[*a], subgraph.places[*b]);
        below.cmp(&above).then(left.total_cmp(&right)).then(a.cmp(b))
    });
    let at_most = (width + GAP) / (LEAST_NAME + 4 + GAP);
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match rows.last_mut() {
            Some(row) if subgraph.places[row[0]].0 == subgraph.places[at].0 && row.len() < at_most.max(1) => {
                row.push(at)
            }
            _ => rows.push(vec![at]),
        }
    }
    // As much of a box as there are lines for: its name alone, its name in a frame, its place too.
    let fits = |lines: &usize| rows.len() * (lines + BETWEEN) <= height + BETWEEN;
    let tall = [4, 3].into_iter().find(fits).unwrap_or(1);
    let sides = if tall > 1 { 4 } else { 2 };
    let gaps = rows.len().saturating_sub(1).max(1);
    let spread = height.saturating_sub(tall).max(gaps * if tall > 1 { tall + BETWEEN } else { 2 });
    let positions = subgraph.places.iter().map(|(_, position)| *position);
    let (first, last) = positions.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), at| (a.min(at), b.max(at)));
    let mut boxes = Vec::new();
    for (row, members) in rows.iter().enumerate() {
        let y = (row * spread / gaps) as u16;
        let texts: Vec<Vec<String>> = members.iter().map(|at| subgraph.texts(*at, tall, circuit, glyphs)).collect();
        let wide = |texts: &Vec<String>| texts.iter().map(|text| text::width(text)).max().unwrap_or(0);
        let wanted: Vec<usize> = texts.iter().map(wide).collect();
        let widths = shared(&wanted, (width + GAP).saturating_sub(members.len() * (sides + GAP)));
        let (mut x, mut behind) = (0, widths.iter().map(|wide| wide + sides + GAP).sum::<usize>());
        for ((at, texts), name) in members.iter().zip(texts).zip(widths) {
            let wide = name + sides;
            let middle = width as f64 * (subgraph.places[*at].1 - first + 0.5) / (last - first + 1.0);
            x = (middle as usize).saturating_sub(wide / 2).min((width + GAP).saturating_sub(behind)).max(x);
            let lines = texts.iter().map(|text| glyphs.fit(text, name));
            let lines = match subgraph.graph.nodes[*at].group {
                _ if tall > 1 => lines.collect(),
                Some(_) => lines.map(|line| format!("[{line}]")).collect(),
                None => lines.map(|line| format!("({line})")).collect(),
            };
            boxes.push(Boxed { at: *at, row, x: x as u16, y, width: wide as u16, height: tall as u16, lines });
            x += wide + GAP;
            behind -= wide + GAP;
        }
    }
    boxes
}

/// Shares `room` cells out among names that want so many: the longest are cut first.
fn shared(wanted: &[usize], room: usize) -> Vec<usize> {
    let total = |most: usize| wanted.iter().map(|wide| (*wide).min(most)).sum::<usize>();
    let longest = wanted.iter().copied().max().unwrap_or(0);
    let most = (1..=longest).rev().find(|most| total(*most) <= room).unwrap_or(1);
    wanted.iter().map(|wide| (*wide).min(most)).collect()
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

fn place_of(graph: &AttributionGraph, members: &[NodeId]) -> (usize, f64) {
    let level = |id: &NodeId| match graph.node(*id) {
        node if node.is_logit() => graph.n_layers() + 1,
        node => node.layer().map_or(0, |layer| layer.index() + 1),
    };
    let n = members.len().max(1);
    let position = |id: &NodeId| graph.node(*id).position().index() as f64;
    ((members.iter().map(level).sum::<usize>() + n / 2) / n, members.iter().map(position).sum::<f64>() / n as f64)
}
