//! Place of every kept node in the link graph: token positions across, layers up. Pure arithmetic in cells.

use crate::graph::{AttributionGraph, Kept};
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

/// Layers without nodes, for which there is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Index of the row above them; the next row is the one below.
    pub below: u16,
    /// Number of layers.
    pub n_layers: usize,
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
    /// Rows, top first: outputs, the layers that have nodes, tokens.
    pub rows: Vec<Row>,
    /// Layers between the rows that have no nodes, top first.
    pub folds: Vec<Fold>,
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

/// Returns the lines from one row to the next where `n_rows` rows share `lines` lines, one of which stays free above the
/// tokens: their rank digits stand there.
fn rise(n_rows: u16, lines: u16) -> u16 {
    (lines.saturating_sub(2) / n_rows.saturating_sub(1).max(1)).max(1)
}

/// Returns the lines that `n_rows` evenly spaced rows take of `lines`; more than that where there are more rows.
pub fn lines_of(n_rows: u16, lines: u16) -> u16 {
    n_rows.saturating_sub(1).saturating_mul(rise(n_rows, lines)).saturating_add(2)
}

impl GraphLayout {
    /// Arranges the kept nodes of `graph` for a pane of `room` cells and lines.
    pub fn new(graph: &AttributionGraph, kept: &Kept, glyphs: &Glyphs, room: (u16, u16)) -> Self {
        let n_layers = graph.n_layers();
        // A map by layer and position, since a file may claim any number of either.
        let mut cells: Cells = BTreeMap::new();
        let mut tokens = Vec::new();
        let mut logits = Vec::new();
        for id in graph.listed().filter(|id| kept.has_node(*id)) {
            let node = graph.node(id);
            if let Some(logit) = node.logit() {
                logits.push((id, logit.probability));
            } else if node.is_token() {
                tokens.push(id);
            } else {
                cells.entry((node.layer().unwrap_or_default(), node.position)).or_default().push(id);
            }
        }
        logits.sort_by(|a, b| b.1.total_cmp(&a.1));

        let gutter = (text::width(&format!("L{}", n_layers.saturating_sub(1))) + 2) as u16;
        let mut this = Self { room, gutter, places: vec![None; graph.n_nodes()], ..Self::default() };
        let (marks_cap, pitch) = this.place_columns(graph, glyphs, &cells);
        this.place_logits(graph, glyphs, &logits);
        let mut layers: Vec<Layer> = cells.keys().map(|(layer, _)| *layer).collect();
        layers.dedup();
        this.place_layers(&layers, n_layers);
        for ((layer, position), nodes) in &cells {
            // Layers are sorted from below, rows from above, behind that of the outputs.
            let row = layers.len() - layers.partition_point(|lower| lower < layer);
            this.place_cell(row, *position, nodes, marks_cap, pitch);
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
            // Outputs are a row of their own, which only Up and Down leave and reach.
            Step::Left if row == 0 => self.along(node, row, -1),
            Step::Right if row == 0 => self.along(node, row, 1),
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
            .skip(1)
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

    /// Places outputs in a line over everything, each with its name: the most probable one above the last token's column,
    /// the others to its left, the less probable the further.
    fn place_logits(&mut self, graph: &AttributionGraph, glyphs: &Glyphs, logits: &[(NodeId, f32)]) {
        const GAP: usize = 3;
        const COUNT: usize = 4;
        let right = usize::from(self.width);
        let left = right.saturating_sub(usize::from(self.room.0)) + usize::from(self.gutter);
        let above = self.columns.last().map_or(left, |column| usize::from(column.x + column.width / 2));
        // The first cell that is taken, from the right.
        let mut taken = right + GAP;
        let mut named = 0;
        for (at, (id, probability)) in logits.iter().enumerate() {
            let Some(logit) = graph.node(*id).logit() else { continue };
            let label = format!("{} {probability:.3}", glyphs.fit(&glyphs.visible(&logit.text), 16));
            let least = left + if at + 1 < logits.len() { COUNT + GAP } else { 0 };
            let x = taken.saturating_sub(GAP + 2 + text::width(&label));
            let x = if at == 0 { x.min(above).max(least) } else { x };
            if x < least {
                break;
            }
            self.places[id.index()] = Some(Place { x: x as u16, y: 0, row: 0, alone: true });
            self.logit_labels.push(LogitLabel { node: *id, x: (x + 2) as u16, y: 0, label });
            (taken, named) = (x, at + 1);
        }
        let cluster: Vec<NodeId> = logits[named..].iter().rev().map(|(id, _)| *id).collect();
        if !cluster.is_empty() {
            let x = taken.saturating_sub(GAP + COUNT) as u16;
            for id in &cluster {
                self.places[id.index()] = Some(Place { x, y: 0, row: 0, alone: false });
            }
            self.clusters.push(Cluster { x, y: 0, width: COUNT as u16, nodes: cluster });
        }
        let nodes = logits.iter().rev().map(|(id, _)| *id).collect();
        self.rows.push(Row { y: 0, level: Level::Logits, nodes });
    }

    /// Places the layers that have nodes, sorted from below, and tokens under the outputs: evenly, with what is left over
    /// on either side of them.
    fn place_layers(&mut self, layers: &[Layer], n_layers: usize) {
        let gaps = u16::try_from(layers.len() + 1).unwrap_or(u16::MAX);
        let rise = rise(gaps.saturating_add(1), self.room.1).min(MAX_RISE);
        let spread = gaps.saturating_mul(rise);
        let spare = if rise == MAX_RISE { 0 } else { self.room.1.saturating_sub(1).saturating_sub(spread) };
        let mut above = n_layers;
        for (at, layer) in layers.iter().rev().enumerate() {
            self.fold(above.saturating_sub(layer.index() + 1));
            let y = (spare / 2).saturating_add(rise.saturating_mul((at as u16).saturating_add(1)));
            self.rows.push(Row { y, level: Level::Layer(*layer), nodes: Vec::new() });
            above = layer.index();
        }
        self.fold(above);
        let y = spread.saturating_add(spare);
        self.rows.push(Row { y, level: Level::Tokens, nodes: Vec::new() });
        self.height = y.saturating_add(1);
    }

    /// Leaves out layers below the last row.
    fn fold(&mut self, n_layers: usize) {
        if n_layers > 0 {
            self.folds.push(Fold { below: (self.rows.len() - 1) as u16, n_layers });
        }
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
