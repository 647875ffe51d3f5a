//! Pinned nodes as a circuit: boxes by token and layer, and the edges between them.

use crate::graph::SuperEdge;
use crate::text;
use crate::tui::panes::subgraph;
use crate::tui::panes::subgraph::boxes::{Boxed, Pinned, place};
use crate::tui::panes::subgraph::leading;
use crate::tui::panes::subgraph::routes::{Route, routes};
use crate::tui::screen::has_focus;
use crate::tui::state::State;
use crate::tui::ui::curve::{Curve, Stroke};
use crate::tui::ui::{End, Look, Pen, curve, first_line, free, note};
use crate::tui::workspace::Circuit;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Shares of a box's input from which on an edge is drawn thick, and drawn at all.
const STROKES: (f64, f64) = (0.2, 0.01);

pub(in crate::tui) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    if inner.is_empty() {
        return;
    }
    let subgraph = &circuit.panes.subgraph;
    if subgraph.graph.nodes.is_empty() {
        if circuit.edits.now().pins.is_empty() {
            leading::render(state, circuit, inner, buf);
        }
        return;
    }
    let is_whole = circuit.traced.document.graph.is_whole();
    let [recomputed, recomp] = if is_whole { ["", ""] } else { ["recomputed: ", "recomp: "] };
    let (replacement, completeness) = (subgraph.scores.replacement, subgraph.scores.completeness);
    let scores = format!("{recomputed}replacement {replacement:.3}, completeness {completeness:.3}");
    let short = format!("{recomp}repl {replacement:.3} compl {completeness:.3}");
    let fits = free(area, &state.screen.look, buf);
    let has_scores = !circuit.traced.document.graph.is_cyclic();
    if let Some(scores) = [scores, short].iter().find(|scores| has_scores && text::width(scores) <= fits) {
        let is_stale = subgraph.pinned != Pinned::of(circuit.edits.now());
        note(area, End::Right, &[(scores, if is_stale { theme.faint } else { theme.text })], buf);
    }
    let drawing = room(circuit, inner);
    let boxes = place(circuit, glyphs, (drawing.width, drawing.height));
    let Some(here) = boxes.iter().find(|boxed| boxed.at == circuit.panes.box_at).or(boxes.first()) else { return };
    let canvas = Canvas { look: &state.screen.look, drawing, scroll: scroll(&boxes, circuit, drawing) };
    let routes = routes(&boxes, &drawn(circuit, here.at), drawing.width);
    canvas.edges(&routes, here.at, buf);
    for boxed in &boxes {
        let is_of = |node| subgraph.graph.nodes[boxed.at].members.contains(&node);
        let style = if is_of(circuit.selected()) {
            theme.selection
        } else if boxed.at == here.at && has_focus(state, subgraph::PANE) {
            theme.text.patch(theme.selection_idle)
        } else if subgraph.graph.nodes[boxed.at].group.is_some() {
            theme.strong
        } else {
            theme.text
        };
        canvas.one(boxed, style, buf);
    }
    canvas.weights(&boxes, &routes, here.at, buf);
    let names = Rect { width: drawing.x - inner.x, x: inner.x, ..drawing };
    let mut named = None;
    for boxed in boxes.iter().filter(|_| names.width > 0) {
        let line = i32::from(boxed.y) - canvas.scroll + i32::from(boxed.height / 2);
        if named.replace(boxed.row) != Some(boxed.row)
            && (0..i32::from(names.height)).contains(&line)
            && let Some(name) = subgraph.row_name(&boxes, boxed.row, circuit)
        {
            Pen::new(buf, names, line as u16).put(&name, theme.faint);
        }
    }
    beside(state, circuit, here.at, drawing, inner, buf);
}

/// Returns the box at a cell of a drawing in `inner`.
pub(in crate::tui) fn box_at(state: &State, circuit: &Circuit, inner: Rect, cell: Position) -> Option<usize> {
    let drawing = room(circuit, inner);
    let boxes = place(circuit, &state.screen.look.glyphs, (drawing.width, drawing.height));
    let scroll = scroll(&boxes, circuit, drawing);
    let is_at = |boxed: &&Boxed| {
        let (x, y) = (drawing.x + boxed.x, i32::from(drawing.y) + i32::from(boxed.y) - scroll);
        (y..y + i32::from(boxed.height)).contains(&i32::from(cell.y)) && (x..x + boxed.width).contains(&cell.x)
    };
    boxes.iter().filter(|_| drawing.contains(cell)).find(is_at).map(|boxed| boxed.at)
}

/// Returns the number of lines of the boxes above the drawing.
fn scroll(boxes: &[Boxed], circuit: &Circuit, drawing: Rect) -> i32 {
    let here = boxes.iter().find(|boxed| boxed.at == circuit.panes.box_at).or(boxes.first());
    let last = boxes.iter().map(|boxed| boxed.y + boxed.height).max().unwrap_or(0);
    let line = here.map_or(0, |boxed| usize::from(boxed.y));
    first_line(line, usize::from(drawing.height), usize::from(last)) as i32
}

/// Returns the room for the boxes: left of them stand the names of their layers, and beside or below them the edges of the
/// one under the cursor.
pub(in crate::tui) fn room(circuit: &Circuit, inner: Rect) -> Rect {
    let last = circuit.traced.document.graph.n_layers().saturating_sub(1);
    let names = if inner.width >= NAMED { (text::width(&format!("L{last}")) + 1) as u16 } else { 0 };
    let inner = Rect { x: inner.x + names, width: inner.width - names, ..inner };
    if inner.width + names >= WIDE {
        Rect { width: inner.width - SIDE - 2, ..inner }
    } else {
        Rect { height: inner.height.saturating_sub(if inner.height >= TALL { 3 } else { 0 }), ..inner }
    }
}

/// Least width with which rows are named by their layers.
const NAMED: u16 = 40;

/// Least width with which the edges stand beside the drawing, in a column of `SIDE` cells.
const WIDE: u16 = 84;
const SIDE: u16 = 34;

/// Least height with which they stand below it.
const TALL: u16 = 16;

/// Most edges that are drawn: with more nobody can follow any.
const MOST: usize = 120;

/// Returns the edges that are drawn: those of the box under the cursor first, and the strong ones before the weak.
fn drawn(circuit: &Circuit, here: usize) -> Vec<SuperEdge> {
    let edges = circuit.panes.subgraph.graph.edges.iter().filter(|edge| edge.weight.abs() >= STROKES.1);
    let mut edges: Vec<SuperEdge> = edges.copied().collect();
    edges.sort_by(|a, b| touches(b, here).cmp(&touches(a, here)).then(b.weight.abs().total_cmp(&a.weight.abs())));
    edges.truncate(MOST);
    edges
}

fn touches(edge: &SuperEdge, at: usize) -> bool {
    edge.source == at || edge.target == at
}

/// Area of the boxes and edges.
struct Canvas<'a> {
    look: &'a Look,
    drawing: Rect,
    /// Number of lines above the drawing.
    scroll: i32,
}

impl Canvas<'_> {
    /// Returns the cell of the screen of a cell of the drawing.
    fn at(&self, (x, y): (i32, i32)) -> (i32, i32) {
        (i32::from(self.drawing.x) + x, i32::from(self.drawing.y) + y - self.scroll)
    }

    fn edges(&self, routes: &[Route], here: usize, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let curves = routes.iter().rev().flat_map(|route| {
            let weight = route.edge.weight as f32;
            let style = if touches(&route.edge, here) { theme.sign(weight) } else { theme.sign_faint(weight) };
            let stroke = if route.edge.weight.abs() >= STROKES.0 { Stroke::Thick } else { Stroke::Thin };
            route.stretches.iter().map(move |stretch| Curve {
                from: self.at(stretch.from),
                to: self.at(stretch.to),
                negative: weight < 0.0,
                stroke,
                style,
            })
        });
        curve::draw(&curves.collect::<Vec<_>>(), self.drawing, &self.look.glyphs, buf);
    }

    /// Draws a box: on one line, or framed.
    fn one(&self, boxed: &Boxed, style: Style, buf: &mut Buffer) {
        let (x, y) = self.at((i32::from(boxed.x), i32::from(boxed.y)));
        let (top, bottom) = (i32::from(self.drawing.y), i32::from(self.drawing.bottom()));
        let framed = boxed.height > 1;
        let [top_left, top_right, bottom_left, bottom_right, level, upright] = self.look.glyphs.frame;
        let inner = usize::from(boxed.width.saturating_sub(2));
        let side = |left: &str, right: &str| format!("{left}{}{right}", level.repeat(inner));
        let text = |at: usize| boxed.lines.get(at).map_or("", |line| line.as_str());
        for line in 0..i32::from(boxed.height) {
            if y + line < top || y + line >= bottom {
                continue;
            }
            let shown = match line {
                _ if !framed => text(0).to_owned(),
                0 => side(top_left, top_right),
                line if line + 1 == i32::from(boxed.height) => side(bottom_left, bottom_right),
                line => {
                    let text = text(line as usize - 1);
                    let pad = " ".repeat(inner.saturating_sub(text::width(text) + 1));
                    format!("{upright} {text}{pad}{upright}")
                }
            };
            let room = usize::from(self.drawing.right().saturating_sub(x as u16)).min(usize::from(boxed.width));
            for cell in 0..room as u16 {
                buf[(x as u16 + cell, (y + line) as u16)].reset();
            }
            buf.set_stringn(x as u16, (y + line) as u16, shown, room, style);
        }
    }

    /// Writes the weights beside the edges where there is room, those of the box under the cursor first.
    fn weights(&self, boxes: &[Boxed], routes: &[Route], here: usize, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let mut taken: Vec<Rect> = boxes
            .iter()
            .filter_map(|boxed| {
                let (x, y) = self.at((i32::from(boxed.x), i32::from(boxed.y)));
                Some(Rect { x: x.try_into().ok()?, y: y.try_into().ok()?, width: boxed.width, height: boxed.height })
            })
            .collect();
        for route in routes {
            let weight = route.edge.weight;
            let says = format!("{}{:.0}%", if weight < 0.0 { '-' } else { '+' }, 100.0 * weight.abs());
            let wide = text::width(&says) as u16;
            // Near the target first: there it is clearest whose weight it is.
            let bends = route.stretches.iter().rev().filter(|stretch| !stretch.passes);
            let mut places = bends.flat_map(|stretch| {
                let (from, to) = (self.at(stretch.from), self.at(stretch.to));
                [0.7, 0.5, 0.3].map(|t| {
                    let (x, y) = curve::bend(floats((from.0, from.1 - 1)), floats((to.0, to.1 + 1)), t);
                    (x.round() as i32, y.round() as i32, from.1, to.1)
                })
            });
            let area = |(x, y, below, above): (i32, i32, i32, i32)| {
                let x = u16::try_from(x - i32::from(wide / 2)).ok()?.max(self.drawing.x);
                let area = Rect { x, y: u16::try_from(y).ok()?, width: wide, height: 1 };
                let is_inside = self.drawing.intersection(area) == area && y < below && y > above;
                let around = Rect { x: x.saturating_sub(1), width: wide + 2, ..area };
                (is_inside && !taken.iter().any(|other| other.intersects(around))).then_some(area)
            };
            let Some(area) = places.find_map(area) else { continue };
            let sign = weight as f32;
            let style = if touches(&route.edge, here) { theme.sign(sign) } else { theme.sign_faint(sign) };
            for cell in area.positions() {
                buf[cell].reset();
            }
            buf.set_string(area.x, area.y, says, style);
            taken.push(area);
        }
    }
}

fn floats((x, y): (i32, i32)) -> (f64, f64) {
    (f64::from(x), f64::from(y))
}

/// Writes the edges of the box under the cursor in words.
fn beside(state: &State, circuit: &Circuit, here: usize, drawing: Rect, inner: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let subgraph = &circuit.panes.subgraph;
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
