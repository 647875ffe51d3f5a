//! Place of every kept node in the link graph: token positions across, layers up. Pure arithmetic in cells.

use crate::graph::{AttributionGraph, Kept, NodeKind};
use crate::ids::{Layer, NodeId, Position};
use crate::text;
use crate::text::glyph::Glyphs;
use std::collections::BTreeMap;

/// Direction on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To lower positions.
    Left,
    /// To higher positions.
    Right,
    /// Towards the logits.
    Up,
    /// Towards the tokens.
    Down,
}

/// Column of a token position.
#[derive(Clone, Debug)]
pub struct Column {
    /// First cell.
    pub x: u16,
    /// Number of cells, without the gap to its right.
    pub width: u16,
    /// Token as it is shown.
    pub label: String,
}

/// Level of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Outputs.
    Logits,
    /// Features and errors of a layer.
    Layer(Layer),
    /// Embeddings.
    Tokens,
}

/// Row of nodes, in the order in which Right walks them.
#[derive(Clone, Debug)]
pub struct Row {
    /// Line of the row.
    pub y: u16,
    /// Level of the nodes.
    pub level: Level,
    /// Nodes from left to right.
    pub nodes: Vec<NodeId>,
}

/// Place of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Cell of the node's mark.
    pub x: u16,
    /// Line of the node's mark.
    pub y: u16,
    /// Index of the node's row.
    pub row: u16,
    /// True where the mark has a cell of its own; else the node is counted in a [`Cluster`].
    pub alone: bool,
}

/// Nodes that share a cell for want of room.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// First cell.
    pub x: u16,
    /// Line of the cluster.
    pub y: u16,
    /// Number of cells that the count may take.
    pub width: u16,
    /// Nodes in the cluster.
    pub nodes: Vec<NodeId>,
}

/// Name of an output, with its place.
#[derive(Clone, Debug)]
pub struct LogitLabel {
    /// Output node.
    pub node: NodeId,
    /// First cell of the name: after the output's mark and a space.
    pub x: u16,
    /// Line of the name.
    pub y: u16,
    /// Name and probability.
    pub label: String,
}

/// Layout of one pruned graph for one size of pane. It may be larger than the pane, which then scrolls.
#[derive(Clone, Debug, Default)]
pub struct GraphLayout {
    /// Room that the layout was made for.
    pub room: (u16, u16),
    /// Width in cells.
    pub width: u16,
    /// Height in lines.
    pub height: u16,
    /// Cells left of the first column, for the layers' names.
    pub gutter: u16,
    /// Token positions.
    pub columns: Vec<Column>,
    /// Rows, top first, those without nodes too.
    pub rows: Vec<Row>,
    /// Cells with more nodes than room.
    pub clusters: Vec<Cluster>,
    /// Names of outputs, as far as there is room.
    pub logit_labels: Vec<LogitLabel>,
    places: Vec<Option<Place>>,
}

/// Nodes of each layer at each position that has any, in their order.
type Cells = BTreeMap<(Layer, Position), Vec<NodeId>>;

/// Most that a column may ask for: cells of its label, cells from mark to mark, marks a cell, cells between columns.
struct Demand {
    label: usize,
    pitch: usize,
    marks: usize,
    gap: usize,
}

/// Demands from comfortable to cramped; the first that fits is taken, and the last one scrolls.
const DEMANDS: [Demand; 11] = [
    Demand { label: 16, pitch: 4, marks: usize::MAX, gap: 3 },
    Demand { label: 14, pitch: 3, marks: usize::MAX, gap: 3 },
    Demand { label: 14, pitch: 2, marks: usize::MAX, gap: 3 },
    Demand { label: 12, pitch: 2, marks: usize::MAX, gap: 2 },
    Demand { label: 10, pitch: 2, marks: usize::MAX, gap: 1 },
    Demand { label: 8, pitch: 2, marks: 24, gap: 1 },
    Demand { label: 6, pitch: 2, marks: 16, gap: 1 },
    Demand { label: 6, pitch: 1, marks: 24, gap: 1 },
    Demand { label: 5, pitch: 1, marks: 12, gap: 1 },
    Demand { label: 4, pitch: 1, marks: 8, gap: 1 },
    Demand { label: 3, pitch: 1, marks: 4, gap: 1 },
];

/// Most lines from one row of marks to the next, so that eyes can follow an edge.
const MAX_RISE: u16 = 11;

impl GraphLayout {
    /// Arranges the kept nodes of `graph` for a pane of `room` cells and lines.
    pub fn new(graph: &AttributionGraph, kept: &Kept, glyphs: &Glyphs, room: (u16, u16)) -> Self {
        let n_layers = graph.n_layers();
        // A map by layer and position, since a file may claim any number of either.
        let mut cells: Cells = BTreeMap::new();
        let mut tokens = Vec::new();
        let mut logits = Vec::new();
        for (id, node) in graph.nodes().iter().enumerate().map(|(at, node)| (NodeId::from(at), node)) {
            if !kept.has_node(id) {
                continue;
            }
            match node.kind {
                NodeKind::Feature { layer, position, .. } | NodeKind::Error { layer, position } => {
                    cells.entry((layer, position)).or_default().push(id);
                }
                NodeKind::Other { layer, position, .. } => {
                    cells.entry((layer.unwrap_or_default(), position)).or_default().push(id);
                }
                NodeKind::Token { .. } => tokens.push(id),
                NodeKind::Logit { probability, .. } => logits.push((id, probability)),
            }
        }
        logits.sort_by(|a, b| b.1.total_cmp(&a.1));

        let gutter = (text::width(&format!("L{}", n_layers.saturating_sub(1))) + 2) as u16;
        let mut this = Self { room, gutter, places: vec![None; graph.n_nodes()], ..Self::default() };
        let (marks_cap, pitch) = this.place_columns(graph, glyphs, &cells);
        this.place_logits(graph, glyphs, &logits);
        this.place_layers(n_layers);
        for ((layer, position), nodes) in &cells {
            this.place_cell(this.rows.len() - 2 - layer.index(), *position, nodes, marks_cap, pitch);
        }
        let row = this.rows.len() - 1;
        for id in tokens {
            let column = &this.columns[graph.node(id).position().index()];
            let place = Place { x: column.x + column.width / 2, y: this.rows[row].y, row: row as u16, alone: true };
            this.places[id.index()] = Some(place);
            this.rows[row].nodes.push(id);
        }
        this
    }

    /// Returns the place of a node; `None` where it is not kept.
    pub fn place(&self, node: NodeId) -> Option<Place> {
        self.places.get(node.index()).copied().flatten()
    }

    /// Returns the column of a token position.
    pub fn column(&self, position: Position) -> Option<&Column> {
        self.columns.get(position.index())
    }

    /// Returns the node that a step from `node` leads to; vertical steps aim at `goal_x`.
    pub fn step(&self, node: NodeId, step: Step, goal_x: u16) -> Option<NodeId> {
        let here = self.place(node)?;
        let row = usize::from(here.row);
        match step {
            Step::Left => self.along(node, row, -1).or_else(|| self.aside(here, |x| x < here.x)),
            Step::Right => self.along(node, row, 1).or_else(|| self.aside(here, |x| x > here.x)),
            Step::Up => (0..row).rev().find_map(|row| self.nearest_in(row, goal_x)),
            Step::Down => (row + 1..self.rows.len()).find_map(|row| self.nearest_in(row, goal_x)),
        }
    }

    /// Returns the kept node nearest to `place`.
    pub fn nearest(&self, place: Place) -> Option<NodeId> {
        self.rows
            .iter()
            .flat_map(|row| &row.nodes)
            .copied()
            .min_by_key(|id| self.place(*id).map(|at| distance(at, place)))
    }

    fn along(&self, node: NodeId, row: usize, by: isize) -> Option<NodeId> {
        let nodes = &self.rows[row].nodes;
        let at = nodes.iter().position(|id| *id == node)?;
        nodes.get(at.checked_add_signed(by)?).copied()
    }

    fn aside(&self, here: Place, on_that_side: impl Fn(u16) -> bool) -> Option<NodeId> {
        self.rows
            .iter()
            .flat_map(|row| &row.nodes)
            .filter_map(|id| self.place(*id).map(|place| (*id, place)))
            .filter(|(_, place)| on_that_side(place.x))
            .min_by_key(|(_, place)| distance(*place, here))
            .map(|(id, _)| id)
    }

    fn nearest_in(&self, row: usize, x: u16) -> Option<NodeId> {
        let nodes = &self.rows[row].nodes;
        nodes.iter().copied().min_by_key(|id| self.place(*id).map(|place| place.x.abs_diff(x)))
    }

    /// Places columns as wide as they need to be, and spreads the rest of the room between them.
    fn place_columns(&mut self, graph: &AttributionGraph, glyphs: &Glyphs, cells: &Cells) -> (usize, usize) {
        let n_positions = graph.tokens().len();
        let labels: Vec<_> = graph.tokens().iter().map(|token| glyphs.visible(&token.text)).collect();
        let mut most = vec![0; n_positions];
        for ((_, position), nodes) in cells {
            most[position.index()] = nodes.len().max(most[position.index()]);
        }
        let need = |demand: &Demand, position: usize| {
            let label = text::width(&labels[position]).min(demand.label);
            let marks = most[position].min(demand.marks) * demand.pitch;
            label.max(marks).max(1)
        };
        let room = usize::from(self.room.0.saturating_sub(self.gutter));
        let total = |demand: &Demand| {
            (0..n_positions).map(|position| need(demand, position) + demand.gap).sum::<usize>() - demand.gap
        };
        let demand = DEMANDS.iter().find(|demand| total(demand) <= room).unwrap_or(&DEMANDS[DEMANDS.len() - 1]);
        let spare = room.saturating_sub(total(demand));
        let share = |position: usize| spare * position / n_positions.max(1);
        let mut x = usize::from(self.gutter);
        for (position, label) in labels.iter().enumerate() {
            let width = need(demand, position) + share(position + 1) - share(position);
            let label = glyphs.fit(label, width);
            // A prompt that is wider than a screen can address is cut off there rather than wrapped around.
            let fits = u16::try_from(x + width).is_ok_and(|end| end < u16::MAX);
            let at = if fits { x as u16 } else { u16::MAX - 1 };
            self.columns.push(Column { x: at, width: if fits { width as u16 } else { 1 }, label });
            x += width + demand.gap;
        }
        self.width = u16::try_from(x.saturating_sub(demand.gap)).unwrap_or(u16::MAX);
        (demand.marks, demand.pitch)
    }

    /// Places outputs in a line over everything, each with its name, the most probable one above the last column's
    /// right end.
    fn place_logits(&mut self, graph: &AttributionGraph, glyphs: &Glyphs, logits: &[(NodeId, f32)]) {
        const GAP: usize = 3;
        let room = usize::from(self.width.min(self.room.0).saturating_sub(self.gutter));
        let mut logit_labels: Vec<(NodeId, String, usize)> = Vec::new();
        let mut used = 0;
        for (at, (id, probability)) in logits.iter().enumerate() {
            let NodeKind::Logit { text: name, .. } = &graph.node(*id).kind else { continue };
            let label = format!("{} {probability:.3}", glyphs.fit(&glyphs.visible(name), 16));
            let width = 2 + text::width(&label);
            let rest = if at + 1 < logits.len() { GAP + 4 } else { 0 };
            if at > 0 && used + width + rest > room {
                break;
            }
            used += width + GAP;
            logit_labels.push((*id, label, width));
        }
        let cluster: Vec<NodeId> = logits[logit_labels.len()..].iter().map(|(id, _)| *id).collect();
        let tail = if cluster.is_empty() { 0 } else { 4 + GAP };
        let total = (used + tail).saturating_sub(GAP);
        let mut x = usize::from(self.gutter) + room.saturating_sub(total);
        let mut nodes = Vec::with_capacity(logits.len());
        for (id, label, width) in logit_labels {
            self.places[id.index()] = Some(Place { x: x as u16, y: 0, row: 0, alone: true });
            self.logit_labels.push(LogitLabel { node: id, x: (x + 2) as u16, y: 0, label });
            nodes.push(id);
            x += width + GAP;
        }
        for id in &cluster {
            self.places[id.index()] = Some(Place { x: x as u16, y: 0, row: 0, alone: false });
            nodes.push(*id);
        }
        if !cluster.is_empty() {
            self.clusters.push(Cluster { x: x as u16, y: 0, width: 4, nodes: cluster });
        }
        self.rows.push(Row { y: 0, level: Level::Logits, nodes });
    }

    /// Places layers and tokens below the outputs, spread over the height.
    fn place_layers(&mut self, n_layers: usize) {
        let gaps = n_layers as u16 + 1;
        let height = self.room.1.saturating_sub(1);
        let spread = height.min(gaps.saturating_mul(MAX_RISE)).max(gaps);
        // The gap above the tokens comes first where lines are few: their rank digits stand there.
        let last = u16::from(spread > gaps);
        for gap in 0..gaps {
            let y = if gap + 1 == gaps { spread } else { ((spread - last) * (gap + 1)).div_ceil(gaps) };
            let level = match n_layers.checked_sub(1 + usize::from(gap)) {
                Some(layer) => Level::Layer(Layer::from(layer)),
                None => Level::Tokens,
            };
            self.rows.push(Row { y, level, nodes: Vec::new() });
        }
        self.height = spread + 1;
    }

    fn place_cell(&mut self, row: usize, position: Position, nodes: &[NodeId], marks_cap: usize, pitch: usize) {
        if nodes.is_empty() {
            return;
        }
        let column = &self.columns[position.index()];
        let y = self.rows[row].y;
        let most = marks_cap.min(usize::from(column.width).div_ceil(pitch)).max(1);
        let alone = nodes.len() <= most;
        let span = if alone { (nodes.len() - 1) * pitch + 1 } else { usize::from(column.width.min(4)) };
        let x = column.x + (usize::from(column.width).saturating_sub(span) / 2) as u16;
        for (at, id) in nodes.iter().enumerate() {
            let x = if alone { x + (at * pitch) as u16 } else { x };
            self.places[id.index()] = Some(Place { x, y, row: row as u16, alone });
            self.rows[row].nodes.push(*id);
        }
        if !alone {
            self.clusters.push(Cluster { x, y, width: column.width.min(4), nodes: nodes.to_vec() });
        }
    }
}

/// Returns the distance of two places. Lines count twice: a cell is about twice as high as it is wide.
fn distance(a: Place, b: Place) -> u32 {
    u32::from(a.x.abs_diff(b.x)) + 2 * u32::from(a.y.abs_diff(b.y))
}
