//! Layout of a figure, in its own units, which are about a pixel or three quarters of a point.

use super::super::sheet::{Shape, Sheet, quoted};
use crate::graph::SuperEdge;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// Font sizes.
pub(super) const TEXT: f64 = 12.0;
pub(super) const SMALL: f64 = 10.0;
/// Radius of a node's sign.
pub(super) const RADIUS: f64 = 4.5;
const MARGIN: f64 = 24.0;
/// Height of the title above, and of the legend below.
const HEAD: f64 = 46.0;
const FOOT: f64 = 52.0;
const ROW_NAMES: f64 = 48.0;
/// Edges in a grid, at most: more of them hide each other.
const MOST_EDGES: usize = 500;
/// Least share of an edge between boxes.
const LEAST_SHARE: f64 = 0.01;
/// Characters in a line of a box.
const WRAP: usize = 22;
const LEAST_WIDTH: f64 = 560.0;

/// Place of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Spot {
    /// Centre.
    pub x: f64,
    pub y: f64,
    /// Size of a box; 0 for a sign.
    pub width: f64,
    pub height: f64,
    /// Lines of text in a box.
    pub lines: Vec<String>,
}

/// A text outside of the nodes.
#[derive(Clone, Debug)]
pub(super) struct Caption {
    pub x: f64,
    pub y: f64,
    pub text: String,
    pub anchor: Anchor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
    /// Start of a text that rises to the right.
    Slanted,
}

/// A figure's layout.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    /// Places of the drawn nodes, in their order.
    pub spots: Vec<Spot>,
    /// Drawn edges, weakest first, so that the strong ones lie on top.
    pub edges: Vec<SuperEdge>,
    /// Number of edges left out.
    pub edges_left_out: usize,
    /// True for a layout of boxes, whose edges have markers and weights.
    pub is_of_boxes: bool,
    pub captions: Vec<Caption>,
    /// Columns of token positions, as left and right ends.
    pub columns: Vec<(f64, f64)>,
}

/// Lays out columns by token position, as wide as the fullest cell, and rows by layer, tokens at the bottom.
pub(super) fn grid(sheet: &Sheet<'_>) -> Layout {
    const PITCH: f64 = 12.5;
    /// Width of a logit, whose slanted text stands beside the next.
    const OUTPUT_PITCH: f64 = 17.0;
    const ROW: f64 = 28.0;
    const LEAST_COLUMN: f64 = 46.0;
    let first = |at: usize| sheet.drawn.nodes[at].members[0];
    let mut cells: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for at in 0..sheet.drawn.nodes.len() {
        let position = sheet.node(first(at)).position().index();
        cells.entry((sheet.row(first(at)), position)).or_default().push(at);
    }
    let mut widths: BTreeMap<usize, f64> = BTreeMap::new();
    let pitch = |nodes: &[usize]| if sheet.shape(nodes[0]) == Shape::Logit { OUTPUT_PITCH } else { PITCH };
    for (&(_, position), nodes) in &cells {
        let token = width(&token_below(sheet, position), SMALL) + 8.0;
        let room = (nodes.len() as f64 * pitch(nodes)).max(LEAST_COLUMN).max(token.min(90.0));
        let width = widths.entry(position).or_default();
        *width = width.max(room);
    }
    let mut layout = Layout { spots: vec![Spot::default(); sheet.drawn.nodes.len()], ..Layout::default() };
    let mut lefts = BTreeMap::new();
    let mut x = MARGIN + ROW_NAMES;
    for (&position, width) in &widths {
        lefts.insert(position, x);
        layout.columns.push((x, x + width));
        x += width + 10.0;
    }
    let mut rows: Vec<usize> = cells.keys().map(|(row, _)| *row).collect();
    rows.dedup();
    // The texts of outputs stand above them, at a slant.
    let slants = (0..sheet.drawn.nodes.len()).filter(|at| sheet.shape(*at) == Shape::Logit);
    let slant = slants.map(|at| width(&sheet.title(at), SMALL)).fold(0.0, f64::max) * std::f64::consts::FRAC_1_SQRT_2;
    let top = MARGIN + HEAD + slant;
    let y_of = |row: usize| {
        let from_top = rows.len() - 1 - rows.iter().position(|other| *other == row).unwrap_or(0);
        top + ROW / 2.0 + from_top as f64 * ROW
    };
    for (&(row, position), nodes) in &cells {
        let middle = lefts[&position] + widths[&position] / 2.0;
        for (nth, &at) in nodes.iter().enumerate() {
            let x = middle + (nth as f64 - (nodes.len() - 1) as f64 / 2.0) * pitch(nodes);
            layout.spots[at] = Spot { x, y: y_of(row), ..Spot::default() };
            if sheet.shape(at) == Shape::Logit {
                let text = sheet.title(at);
                layout.captions.push(Caption { x, y: y_of(row) - 9.0, text, anchor: Anchor::Slanted });
            }
        }
    }
    for &row in &rows {
        let (x, y) = (MARGIN + ROW_NAMES - 12.0, y_of(row) + 3.5);
        layout.captions.push(Caption { x, y, text: sheet.row_name(row), anchor: Anchor::End });
    }
    let bottom = top + rows.len() as f64 * ROW;
    for (position, width) in &widths {
        let (x, text) = (lefts[position] + width / 2.0, token_below(sheet, *position));
        layout.captions.push(Caption { x, y: bottom + 14.0, text, anchor: Anchor::Middle });
    }
    layout.width = (x - 10.0 + slant + MARGIN).max(LEAST_WIDTH);
    layout.height = bottom + 18.0 + FOOT + MARGIN;
    layout.edges = strongest(&sheet.drawn.edges, 0.0, MOST_EDGES);
    layout.edges_left_out = sheet.drawn.edges.len() - layout.edges.len();
    layout
}

/// Returns the token under a column, cut where it is long.
fn token_below(sheet: &Sheet<'_>, position: usize) -> String {
    let text = quoted(&sheet.document.graph.tokens()[position].text);
    if text.chars().count() <= 16 { text } else { text.chars().take(14).chain("…”".chars()).collect() }
}

/// Lays out boxes in rows by their mean layer, and within a row by their mean position, as near to it as there is room.
pub(super) fn boxes(sheet: &Sheet<'_>) -> Layout {
    const GAP: f64 = 26.0;
    const BETWEEN_ROWS: f64 = 58.0;
    const LINE: f64 = 14.0;
    let mut layout = Layout::default();
    // The positions that are drawn share the width: most circuits lie at a few of them.
    let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut rows: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (at, node) in sheet.drawn.nodes.iter().enumerate() {
        let mean = |of: &dyn Fn(crate::ids::NodeId) -> usize| {
            node.members.iter().map(|id| of(*id) as f64).sum::<f64>() / node.members.len() as f64
        };
        let row = mean(&|id| sheet.row(id)).round() as usize;
        let position = mean(&|id| sheet.node(id).position().index());
        (first, last) = (first.min(position), last.max(position));
        rows.entry(row).or_default().push((position, at));
        let lines = lines(sheet, at);
        let widest = lines.iter().map(|line| width(line, TEXT)).fold(36.0, f64::max);
        layout.spots.push(Spot {
            width: widest + 16.0,
            height: lines.len() as f64 * LINE + 10.0,
            lines,
            ..Spot::default()
        });
    }
    let row_width =
        |row: &Vec<(f64, usize)>| row.iter().map(|(_, at)| layout.spots[*at].width + GAP).sum::<f64>() - GAP;
    let room = rows.values().map(row_width).fold(LEAST_WIDTH - 2.0 * MARGIN - ROW_NAMES, f64::max);
    let left = MARGIN + ROW_NAMES;
    let mut y = MARGIN + HEAD;
    for (row, mut members) in rows.into_iter().rev() {
        members.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let height = members.iter().map(|(_, at)| layout.spots[*at].height).fold(0.0, f64::max);
        // A group of several layers stands between them, in a row that is none of theirs.
        if members.iter().any(|(_, at)| sheet.drawn.nodes[*at].members.iter().all(|id| sheet.row(*id) == row)) {
            let text = sheet.row_name(row);
            layout.captions.push(Caption { x: left - 14.0, y: y + height / 2.0 + 3.5, text, anchor: Anchor::End });
        }
        let mut from = left;
        for &(position, at) in &members {
            let spot = &mut layout.spots[at];
            let wanted = left + room * (position - first + 0.5) / (last - first + 1.0);
            spot.x = wanted.max(from + spot.width / 2.0);
            spot.y = y + height / 2.0;
            from = spot.x + spot.width / 2.0 + GAP;
        }
        let mut until = left + room;
        for &(_, at) in members.iter().rev() {
            let spot = &mut layout.spots[at];
            spot.x = spot.x.min(until - spot.width / 2.0);
            until = spot.x - spot.width / 2.0 - GAP;
        }
        y += height + BETWEEN_ROWS;
    }
    layout.width = left + room + MARGIN;
    layout.height = y - BETWEEN_ROWS + FOOT + MARGIN;
    layout.edges = strongest(&sheet.drawn.edges, LEAST_SHARE, usize::MAX);
    layout.edges_left_out = sheet.drawn.edges.len() - layout.edges.len();
    layout.is_of_boxes = true;
    layout
}

/// Returns the lines of a box: the title, then the place, or the number of nodes of a group.
fn lines(sheet: &Sheet<'_>, at: usize) -> Vec<String> {
    let node = &sheet.drawn.nodes[at];
    let mut lines = wrapped(&sheet.title(at));
    match sheet.shape(at) {
        Shape::Group => lines.push(match node.members.len() {
            1 => "1 node".into(),
            n => format!("{n} nodes"),
        }),
        Shape::Feature | Shape::Error | Shape::Other => lines.push(sheet.place(node.members[0])),
        Shape::Token | Shape::Logit => {}
    }
    lines
}

/// Wraps a text to at most three lines, between words where it can be.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().map_or(0, |line| line.width());
        if line > 0 && line + 1 + word.width() > WRAP {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let more = lines.len() > 3;
    lines.truncate(3);
    for line in &mut lines {
        if line.width() > WRAP + 6 {
            *line = line.chars().take(WRAP + 4).chain(['…']).collect();
        }
    }
    if more && let Some(last) = lines.last_mut() {
        last.push('…');
    }
    lines
}

/// Returns the strongest edges of at least this share, weakest first.
fn strongest(edges: &[SuperEdge], least: f64, most: usize) -> Vec<SuperEdge> {
    let mut edges: Vec<_> = edges.iter().copied().filter(|edge| edge.weight.abs() >= least).collect();
    edges.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    edges.truncate(most);
    edges.reverse();
    edges
}

/// Estimates the width of a text; only the figure's viewer has the font.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.width() as f64 * size * 0.6
}
