//! Pinned nodes as a small layered drawing.

use super::lines::{self, Curve, Stroke};
use super::{Pen, Side as End, free, has_focus, hints, note};
use crate::text;
use crate::tui::app::{Pane, State};
use crate::tui::circuit::Circuit;
use crate::tui::subgraph::{Boxed, Pinned, place};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Shares of a box's input from which on an edge is drawn thick, and drawn at all.
const STROKES: (f64, f64) = (0.2, 0.01);

pub(super) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    if inner.is_empty() {
        return;
    }
    let subgraph = &circuit.subgraph;
    if subgraph.graph.nodes.is_empty() {
        let mut pen = Pen::new(buf, inner, 0);
        if circuit.edits.now().pins.is_empty() {
            pen.put("nothing is pinned; ", theme.faint);
            pen.put(&hints::key_of("pin", state), theme.accent);
            pen.put(" pins the selected node", theme.faint);
        }
        return;
    }
    let is_whole = circuit.traced.document.graph.is_whole();
    let [recomputed, recomp] = if is_whole { ["", ""] } else { ["recomputed: ", "recomp: "] };
    let (replacement, completeness) = (subgraph.scores.replacement, subgraph.scores.completeness);
    let scores = format!("{recomputed}replacement {replacement:.3}, completeness {completeness:.3}");
    let short = format!("{recomp}repl {replacement:.3} compl {completeness:.3}");
    let fits = free(area, &state.look, buf);
    let has_scores = !circuit.traced.document.graph.is_cyclic();
    if let Some(scores) = [scores, short].iter().find(|scores| has_scores && text::width(scores) <= fits) {
        let is_stale = subgraph.pinned != Pinned::of(circuit.edits.now());
        note(area, End::Right, &[(scores, if is_stale { theme.faint } else { theme.text })], buf);
    }
    let drawing = room(inner);
    let boxes = place(circuit, glyphs, (drawing.width, drawing.height));
    let Some(here) = boxes.iter().find(|boxed| boxed.at == circuit.box_at).or(boxes.first()) else { return };
    let scroll = scroll(&boxes, circuit, drawing);
    let line_of = |boxed: &Boxed| i32::from(drawing.y) + i32::from(boxed.y) - scroll;
    lines::draw(&curves(state, circuit, &boxes, here, drawing, line_of), drawing, glyphs, buf);
    let selected = subgraph.box_of(circuit.selected());
    for boxed in &boxes {
        let y = line_of(boxed);
        if y < i32::from(drawing.y) || y >= i32::from(drawing.bottom()) {
            continue;
        }
        let is_here = boxed.at == here.at && has_focus(state, Pane::Subgraph);
        let style = if is_here {
            theme.selection
        } else if selected == Some(boxed.at) {
            theme.accent
        } else if subgraph.graph.nodes[boxed.at].group.is_some() {
            theme.strong
        } else {
            theme.text
        };
        let x = drawing.x + boxed.x;
        let room = usize::from(drawing.right().saturating_sub(x));
        for cell in x..(x + text::width(&boxed.text) as u16).min(drawing.right()) {
            buf[(cell, y as u16)].reset();
        }
        buf.set_stringn(x, y as u16, &boxed.text, room, style);
    }
    beside(state, circuit, here.at, drawing, inner, buf);
}

/// Returns the box at a cell of a drawing in `inner`.
pub(in crate::tui) fn box_at(state: &State, circuit: &Circuit, inner: Rect, cell: Position) -> Option<usize> {
    let drawing = room(inner);
    let boxes = place(circuit, &state.look.glyphs, (drawing.width, drawing.height));
    let scroll = scroll(&boxes, circuit, drawing);
    let is_at = |boxed: &&Boxed| {
        let x = drawing.x + boxed.x;
        i32::from(drawing.y) + i32::from(boxed.y) - scroll == i32::from(cell.y)
            && (x..x + text::width(&boxed.text) as u16).contains(&cell.x)
    };
    boxes.iter().filter(|_| drawing.contains(cell)).find(is_at).map(|boxed| boxed.at)
}

/// Returns the number of lines of the boxes above the drawing.
fn scroll(boxes: &[Boxed], circuit: &Circuit, drawing: Rect) -> i32 {
    let here = boxes.iter().find(|boxed| boxed.at == circuit.box_at).or(boxes.first());
    let last = boxes.iter().map(|boxed| boxed.y).max().unwrap_or(0);
    let line = here.map_or(0, |boxed| usize::from(boxed.y));
    super::first_line(line, usize::from(drawing.height), usize::from(last) + 1) as i32
}

/// Returns the room for the boxes: beside or below them stand the edges of the one under the cursor.
pub(in crate::tui) fn room(inner: Rect) -> Rect {
    if inner.width >= WIDE {
        Rect { width: inner.width - SIDE - 2, ..inner }
    } else {
        Rect { height: inner.height.saturating_sub(if inner.height >= 9 { 3 } else { 0 }), ..inner }
    }
}

/// Least width with which the edges stand beside the drawing, in a column of `SIDE` cells.
const WIDE: u16 = 84;
const SIDE: u16 = 34;

fn curves(
    state: &State,
    circuit: &Circuit,
    boxes: &[Boxed],
    here: &Boxed,
    drawing: Rect,
    line_of: impl Fn(&Boxed) -> i32,
) -> Vec<Curve> {
    let theme = &state.look.theme;
    let mut edges: Vec<_> = circuit.subgraph.graph.edges.iter().filter(|edge| edge.weight.abs() >= STROKES.1).collect();
    // The edges of the box under the cursor over the others, the strong ones over the weak.
    let is_here = |edge: &crate::graph::SuperEdge| edge.source == here.at || edge.target == here.at;
    edges.sort_by(|a, b| is_here(a).cmp(&is_here(b)).then(a.weight.abs().total_cmp(&b.weight.abs())));
    let find = |at: usize| boxes.iter().find(|boxed| boxed.at == at);
    let curve = |edge: &crate::graph::SuperEdge| {
        let (from, to) = (find(edge.source)?, find(edge.target)?);
        let end = |boxed: &Boxed| (i32::from(drawing.x + boxed.middle()), line_of(boxed));
        let weight = edge.weight as f32;
        let style = if is_here(edge) { theme.sign(weight) } else { theme.sign_faint(weight) };
        let stroke = if edge.weight.abs() >= STROKES.0 { Stroke::Thick } else { Stroke::Thin };
        Some(Curve { from: end(from), to: end(to), negative: weight < 0.0, stroke, style })
    };
    edges.into_iter().filter_map(curve).collect()
}

/// Writes the edges of the box under the cursor in words.
fn beside(state: &State, circuit: &Circuit, here: usize, drawing: Rect, inner: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let subgraph = &circuit.subgraph;
    let mut edges: Vec<_> =
        subgraph.graph.edges.iter().filter(|edge| edge.source == here || edge.target == here).collect();
    edges.sort_by(|a, b| (a.source == here).cmp(&(b.source == here)).then(b.weight.abs().total_cmp(&a.weight.abs())));
    let pieces = edges.into_iter().map(|edge| {
        let (sign, other) =
            if edge.target == here { (glyphs.to_input, edge.source) } else { (glyphs.to_output, edge.target) };
        let share =
            format!("{}{}", if edge.weight < 0.0 { '-' } else { '+' }, text::percent(edge.weight.abs()).trim_start());
        (format!("{sign} "), subgraph.name(other, circuit, glyphs), share, theme.sign(edge.weight as f32))
    });
    let title = (subgraph.name(here, circuit, glyphs), theme.strong);
    if inner.width >= WIDE {
        let column = Rect { x: inner.right() - SIDE, width: SIDE, ..inner };
        Pen::new(buf, column, 0).put(&glyphs.fit(&title.0, usize::from(SIDE)), title.1);
        for (line, (sign, name, share, style)) in (1..column.height).zip(pieces) {
            let mut pen = Pen::new(buf, column, line);
            pen.put(&sign, style);
            pen.put(&glyphs.fit(&name, pen.room().saturating_sub(text::width(&share) + 1)), theme.text);
            pen.put(&format!(" {share}"), style);
        }
    } else if drawing.height < inner.height {
        // Two lines of pieces under a line of air.
        let first = drawing.height + 1;
        let mut pieces = pieces.peekable();
        for line in first..inner.height {
            let mut pen = Pen::new(buf, inner, line);
            let width = |(sign, name, share, _): &(String, String, String, Style)| {
                text::width(sign) + text::width(name).min(NARROW) + text::width(share) + 1
            };
            while let Some((sign, name, share, style)) = pieces.next_if(|piece| pen.room() >= width(piece)) {
                pen.put(&sign, style);
                pen.put(&glyphs.fit(&name, NARROW), theme.text);
                pen.put(&format!(" {share}  "), style);
            }
        }
    }
}

/// Cells of a name in a line of edges.
const NARROW: usize = 16;
