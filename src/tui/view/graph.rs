//! The link graph: one mark a kept node, and the edges of the selected one.

use super::lines::{self, Curve, Stroke};
use super::window::Window;
use super::{minimap, progress};
use crate::graph::Edge;
use crate::ids::NodeId;
use crate::text;
use crate::tui::app::{Pane, State};
use crate::tui::circuit::{Circuit, Link, Side};
use crate::tui::graph_layout::{GraphLayout, Level};
use crate::tui::history::Reached;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use std::collections::HashMap;

/// Most edges that are drawn on either side of the selected node.
const DRAWN: usize = 8;

/// Most of these edges that a digit leads to.
const RANKED: usize = 9;

/// Most entries of the walk that are joined by lines.
const WALKED: usize = 9;

pub(super) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else {
        progress::alone(state, inner, buf);
        return;
    };
    let fetching = state.fetching.as_ref().map(|(busy, _)| busy);
    if let Some(busy) = state.busy.as_ref().or(fetching) {
        progress::in_frame(state, busy, area, buf);
    }
    if inner.is_empty() {
        return;
    }
    let picture = Picture { state, circuit, look: &state.look, window: Window::new(circuit, inner) };
    picture.draw(buf);
}

/// Mark of a node, by its relation to the selected one.
#[derive(Clone, Copy)]
struct Mark {
    style: Style,
    near: bool,
    digit: Option<usize>,
}

/// Returns the node whose mark, name or count is at a cell of a graph that is drawn in `inner`.
pub(in crate::tui) fn node_at(circuit: &Circuit, inner: Rect, cell: Position) -> Option<NodeId> {
    let window = Window::new(circuit, inner);
    let layout = &circuit.layout;
    let (x, y) = (i32::from(cell.x), i32::from(cell.y));
    if !window.marks.contains(cell) {
        return None;
    }
    let spans = |from: i32, width: usize| (from..from + width as i32).contains(&x);
    let logit_label = layout.logit_labels.iter().find(|logit_label| {
        window.y(0, logit_label.y) == y && spans(window.x(logit_label.x) - 2, text::width(&logit_label.label) + 2)
    });
    let cluster = layout.clusters.iter().find(|cluster| {
        let row = cluster.nodes.first().and_then(|node| layout.place(*node)).map_or(0, |place| place.row);
        window.y(row, cluster.y) == y && spans(window.x(cluster.x), usize::from(cluster.width))
    });
    let token = || {
        let (at, row) = layout.rows.iter().enumerate().next_back()?;
        let column = layout.columns.iter().position(|column| spans(window.x(column.x), usize::from(column.width)))?;
        let stands = |id: &&NodeId| circuit.node(**id).position().index() == column;
        if window.y(at as u16, row.y) == y { row.nodes.iter().find(stands).copied() } else { None }
    };
    // A cell beside a mark is near enough.
    let mark = || {
        let nodes = layout.rows.iter().flat_map(|row| &row.nodes).copied();
        let near = nodes.filter_map(|id| {
            let place = layout.place(id).filter(|place| place.alone)?;
            let (its_x, its_y) = window.cell(place)?;
            (its_y == cell.y && its_x.abs_diff(cell.x) <= 1).then_some((its_x.abs_diff(cell.x), id))
        });
        near.min().map(|(_, id)| id)
    };
    let named =
        logit_label.map(|logit_label| logit_label.node).or(cluster.and_then(|cluster| cluster.nodes.first().copied()));
    named.or_else(token).or_else(mark)
}

struct Picture<'a> {
    state: &'a State,
    circuit: &'a Circuit,
    look: &'a Look,
    window: Window,
}

impl Picture<'_> {
    fn draw(&self, buf: &mut Buffer) {
        let marks = self.marks();
        self.row_labels(buf);
        self.lattice(buf);
        lines::draw(&self.curves(), self.line_area(), &self.look.glyphs, buf);
        self.tokens(&marks, buf);
        self.logit_labels(&marks, buf);
        self.nodes(&marks, buf);
        self.clusters(&marks, buf);
        self.digits(&marks, buf);
        if let Some(area) = minimap::place(self.circuit, self.window.inner, |area| self.covered_by(area)) {
            minimap::render(self.circuit, &self.window.seen(), area, self.look, buf);
        }
    }

    /// Returns the number of marks that a map in `area` would cover; the selected one counts for all.
    fn covered_by(&self, area: Rect) -> usize {
        let nodes = self.layout().rows.iter().flat_map(|row| &row.nodes);
        let places = nodes.filter_map(|id| self.layout().place(*id).map(|place| (*id, place)));
        let covered = places.filter(|(_, place)| self.window.cell(*place).is_some_and(|at| area.contains(at.into())));
        covered.map(|(id, _)| if id == self.circuit.selected() { self.layout().rows.len() * 1000 } else { 1 }).sum()
    }

    fn layout(&self) -> &GraphLayout {
        &self.circuit.layout
    }

    /// Returns the area of lines, which cross neither the outputs' names nor the tokens.
    fn line_area(&self) -> Rect {
        let marks = self.window.marks;
        Rect { y: marks.y + 1.min(marks.height), height: marks.height.saturating_sub(2), ..marks }
    }

    /// Iterates over the links that are drawn on a side: the strongest, and the one under the cursor.
    fn drawn(&self, side: Side) -> impl Iterator<Item = &Link> {
        let cursor = (side == self.circuit.side && self.state.focus == Pane::Connections).then_some(self.circuit.row);
        let links = &self.circuit.links_of(side).kept;
        links.iter().enumerate().filter(move |(at, _)| *at < DRAWN || Some(*at) == cursor).map(|(_, link)| link)
    }

    fn marks(&self) -> HashMap<NodeId, Mark> {
        let theme = &self.look.theme;
        let mut marks = HashMap::new();
        let walked = self.circuit.history.walked().iter().map(|entry| entry.node);
        for node in walked.chain(self.circuit.edits.now().pins.iter().copied()) {
            marks.insert(node, Mark { style: theme.text, near: true, digit: None });
        }
        for edge in &self.circuit.main_path.edges {
            marks.insert(edge.source, Mark { style: theme.text, near: true, digit: None });
        }
        for side in self.sides() {
            for link in &self.circuit.links_of(side).kept {
                marks.insert(link.other, Mark { style: theme.quiet, near: true, digit: None });
            }
            for (at, link) in self.circuit.links_of(side).kept.iter().enumerate().take(RANKED) {
                let digit = (side == self.circuit.side).then_some(at + 1);
                marks.insert(link.other, Mark { style: theme.sign(link.edge.weight), near: true, digit });
            }
        }
        if let Some(link) = self.under_cursor() {
            let digit = marks.get(&link.other).and_then(|mark| mark.digit);
            marks.insert(link.other, Mark { style: theme.accent, near: true, digit });
        }
        if let Some(filter) = &self.circuit.marks.filter {
            for (node, mark) in &mut marks {
                if filter.dims(*node) {
                    *mark = Mark { style: theme.faint, near: false, ..*mark };
                }
            }
        }
        for node in &self.circuit.marks.path {
            let digit = marks.get(node).and_then(|mark| mark.digit);
            marks.insert(*node, Mark { style: theme.accent, near: true, digit });
        }
        for node in &self.circuit.marks.chosen {
            let mark = marks.entry(*node).or_insert(Mark { style: theme.text, near: true, digit: None });
            mark.style = mark.style.patch(theme.selection_idle);
        }
        marks.insert(self.circuit.selected(), Mark { style: theme.selection, near: true, digit: None });
        marks
    }

    /// Iterates over the sides whose links are drawn, the followed one last and so on top.
    fn sides(&self) -> impl Iterator<Item = Side> + use<> {
        let followed = self.circuit.side;
        let drawn = [Side::Outputs, Side::Inputs].into_iter().filter(move |side| *side != followed);
        drawn.chain([followed])
    }

    fn under_cursor(&self) -> Option<&Link> {
        (self.state.focus == Pane::Connections).then(|| self.circuit.links().kept.get(self.circuit.row)).flatten()
    }

    /// Returns the curves of all edges, faint ones first and the strongest last, which are on top.
    fn curves(&self) -> Vec<Curve> {
        let theme = &self.look.theme;
        let mut curves = Vec::new();
        let mut push = |edge: Edge, stroke: Stroke, style: Style| {
            let place = |node| self.layout().place(node);
            if let (Some(from), Some(to)) = (place(edge.source), place(edge.target)) {
                let (from, to) = (self.window.at(from), self.window.at(to));
                curves.push(Curve { from, to, negative: edge.weight < 0.0, stroke, style });
            }
        };
        let main_path = self.circuit.main_path.edges.iter().copied();
        for edge in self.pinned_edges().chain(self.walked_edges()).chain(main_path) {
            push(edge, Stroke::Thin, theme.sign_faint(edge.weight));
        }
        // Where rows stand close, thick lines would run into each other.
        let airy = usize::from(self.window.inner.height) >= 2 * self.layout().rows.len();
        for side in self.sides() {
            let links: Vec<&Link> = self.drawn(side).collect();
            let strongest = self.circuit.links_of(side).strongest();
            for link in links.into_iter().rev() {
                let weight = link.edge.weight;
                let (stroke, style) = match link.share / strongest {
                    part if part >= 0.6 && airy => (Stroke::Thick, theme.sign(weight)),
                    part if part >= 0.2 => (Stroke::Thin, theme.sign(weight)),
                    _ => (Stroke::Thin, theme.sign_faint(weight)),
                };
                push(link.edge, stroke, style);
            }
        }
        for edge in self.edges_along(&self.circuit.marks.path) {
            push(edge, if airy { Stroke::Thick } else { Stroke::Thin }, theme.accent);
        }
        if let Some(link) = self.under_cursor() {
            push(link.edge, Stroke::Thin, theme.accent);
        }
        curves
    }

    /// Iterates over the kept edges of a path.
    fn edges_along(&self, path: &[NodeId]) -> impl Iterator<Item = Edge> {
        let (graph, kept) = (&self.circuit.traced.document.graph, self.circuit.kept());
        path.windows(2).filter_map(move |pair| kept.incoming(graph, pair[1]).find(|edge| edge.source == pair[0]))
    }

    fn pinned_edges(&self) -> impl Iterator<Item = Edge> {
        let (graph, kept) = (&self.circuit.traced.document.graph, self.circuit.kept());
        let pins = self.circuit.edits.now().pins.iter().copied().filter(|pin| kept.has_node(*pin));
        let edges = pins.flat_map(|pin| kept.incoming(graph, pin));
        edges.filter(|edge| self.circuit.is_pinned(edge.source))
    }

    fn walked_edges(&self) -> impl Iterator<Item = Edge> {
        let (graph, kept) = (&self.circuit.traced.document.graph, self.circuit.kept());
        // The last stretch: what lies further back is in the breadcrumb, and would only be in the way.
        let walked = self.circuit.history.walked();
        walked[walked.len().saturating_sub(WALKED)..].windows(2).filter_map(|pair| {
            let (source, target) = match pair[1].reached {
                Reached::AsInput(_) => (pair[1].node, pair[0].node),
                Reached::AsOutput(_) => (pair[0].node, pair[1].node),
                Reached::Freely => return None,
            };
            let mut edges = kept.has_node(target).then(|| kept.incoming(graph, target)).into_iter().flatten();
            edges.find(|edge| edge.source == source)
        })
    }

    fn row_labels(&self, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let here = self.layout().place(self.circuit.selected()).map(|place| place.row);
        for (at, row) in self.layout().rows.iter().enumerate() {
            let Level::Layer(layer) = row.level else { continue };
            let y = self.window.y(at as u16, row.y);
            if self.window.shows_row(at as u16, y) {
                let style = if here == Some(at as u16) { theme.accent } else { theme.faint };
                let room = usize::from(self.window.gutter);
                buf.set_stringn(self.window.inner.x, y as u16, format!("L{layer}"), room, style);
            }
        }
    }

    /// Draws a faint dot where a position crosses a layer, so that empty places can be located too.
    fn lattice(&self, buf: &mut Buffer) {
        for (at, row) in self.layout().rows.iter().enumerate() {
            let y = self.window.y(at as u16, row.y);
            if matches!(row.level, Level::Layer(_)) && self.window.shows_row(at as u16, y) {
                let mut empty = vec![true; self.layout().columns.len()];
                for node in &row.nodes {
                    empty[self.circuit.node(*node).position().index()] = false;
                }
                let columns = self.layout().columns.iter().zip(empty);
                for column in columns.filter_map(|(column, empty)| empty.then_some(column)) {
                    let x = self.window.x(column.x + column.width / 2);
                    self.window.write(x, y, self.look.glyphs.lattice, self.look.theme.frame, buf);
                }
            }
        }
    }

    fn tokens(&self, marks: &HashMap<NodeId, Mark>, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let Some((at, row)) = self.layout().rows.iter().enumerate().next_back() else { return };
        let y = self.window.y(at as u16, row.y);
        if !self.window.shows_row(at as u16, y) {
            return;
        }
        let here = self.circuit.node(self.circuit.selected()).position();
        for (position, column) in self.layout().columns.iter().enumerate() {
            let node = row.nodes.iter().find(|id| self.circuit.node(**id).position().index() == position);
            let mark = node.and_then(|node| marks.get(node));
            let style = match mark {
                Some(mark) => mark.style,
                None if here.index() == position => theme.accent,
                None => theme.quiet,
            };
            let pinned = node.is_some_and(|node| self.circuit.is_pinned(*node));
            let style = if pinned { style.add_modifier(Modifier::UNDERLINED) } else { style };
            let x = self.window.x(column.x) + (i32::from(column.width) - text::width(&column.label) as i32) / 2;
            self.window.write(x, y, &column.label, style, buf);
        }
    }

    fn logit_labels(&self, marks: &HashMap<NodeId, Mark>, buf: &mut Buffer) {
        let theme = &self.look.theme;
        for (at, logit_label) in self.layout().logit_labels.iter().enumerate() {
            let style = if logit_label.node == self.circuit.selected() {
                theme.selection
            } else if at == 0 {
                theme.strong
            } else {
                marks.get(&logit_label.node).map_or(theme.quiet, |mark| mark.style)
            };
            self.window.write(
                self.window.x(logit_label.x),
                self.window.y(0, logit_label.y),
                &logit_label.label,
                style,
                buf,
            );
        }
    }

    fn nodes(&self, marks: &HashMap<NodeId, Mark>, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let layers = self.layout().rows.iter().filter(|row| row.level != Level::Tokens);
        for id in layers.flat_map(|row| &row.nodes) {
            let Some(place) = self.layout().place(*id).filter(|place| place.alone) else { continue };
            let Some((x, y)) = self.window.cell(place) else { continue };
            let node = self.circuit.node(*id);
            let mark = marks.get(id);
            let sign = if self.circuit.is_pinned(*id) {
                glyphs.pin
            } else if node.is_logit() {
                glyphs.logit
            } else if node.is_error() {
                glyphs.error
            } else if let Some(kind) = node.other_kind() {
                glyphs.of_other(kind)
            } else {
                let [near, far] = match self.dictionary(*id) {
                    0 => [glyphs.feature, glyphs.feature_far],
                    _ => glyphs.adapter,
                };
                if mark.is_some_and(|mark| mark.near) { near } else { far }
            };
            let far = match self.dictionary(*id) {
                0 if node.is_logit() => theme.quiet,
                0 => theme.faint,
                at => theme.dictionary(at),
            };
            let (sign, style) = self.occurring(*id, sign, mark.map_or(far, |mark| mark.style));
            buf[(x, y)].reset();
            buf[(x, y)].set_symbol(sign).set_style(style);
        }
    }

    /// Returns the dictionary that a feature is of, 0 where that is the model's own.
    fn dictionary(&self, node: NodeId) -> usize {
        self.circuit.traced.document.graph.dictionary_of(node).unwrap_or_default()
    }

    /// Returns the sign and the tint of a node's occurrence in a graph that was merged of several. There lines show the
    /// sign of weights, not marks.
    fn occurring(&self, node: NodeId, sign: &'static str, style: Style) -> (&'static str, Style) {
        let Some((occurrence, n_graphs)) = self.circuit.occurrence(node) else { return (sign, style) };
        let pinned = self.circuit.is_pinned(node);
        let sign = self.look.glyphs.occurrence(occurrence).filter(|_| !pinned).unwrap_or(sign);
        let keeps = node == self.circuit.selected() || self.circuit.marks.dims(node);
        (sign, if keeps { style } else { style.patch(self.look.theme.occurrence(occurrence, n_graphs)) })
    }

    fn clusters(&self, marks: &HashMap<NodeId, Mark>, buf: &mut Buffer) {
        let theme = &self.look.theme;
        for cluster in &self.layout().clusters {
            let Some(place) = cluster.nodes.first().and_then(|node| self.layout().place(*node)) else { continue };
            let y = self.window.y(place.row, cluster.y);
            if !self.window.shows_row(place.row, y) {
                continue;
            }
            // The selected node's place in the count is shown, else the count.
            let selected = cluster.nodes.iter().position(|node| *node == self.circuit.selected());
            let near = cluster.nodes.iter().filter_map(|node| marks.get(node)).max_by_key(|mark| mark.digit.is_some());
            let style = match (selected, near) {
                (Some(_), _) => theme.selection,
                (None, Some(mark)) => mark.style,
                (None, None) => theme.faint,
            };
            let all = cluster.nodes.len();
            let forms = [
                selected.map(|at| format!("{}/{all}", at + 1)),
                Some(format!("{}{all}", self.look.glyphs.times)),
                Some(all.to_string()),
            ];
            let room = usize::from(cluster.width);
            let count = forms.into_iter().flatten().find(|form| text::width(form) <= room);
            let count = count.unwrap_or_else(|| self.look.glyphs.ellipsis.to_owned());
            self.window.write(self.window.x(cluster.x), y, &count, style, buf);
        }
    }

    /// Draws rank digits right of their marks where that cell is free, left of outputs, above tokens, else in place of
    /// the mark.
    fn digits(&self, marks: &HashMap<NodeId, Mark>, buf: &mut Buffer) {
        let taken: std::collections::HashSet<(u16, u16)> = self
            .layout()
            .rows
            .iter()
            .flat_map(|row| &row.nodes)
            .filter_map(|id| self.layout().place(*id).and_then(|place| self.window.cell(place)))
            .collect();
        for (node, mark) in marks {
            let Some(digit) = mark.digit else { continue };
            let Some(place) = self.layout().place(*node) else { continue };
            let Some((x, y)) = self.window.cell(place) else { continue };
            let beside = if self.circuit.node(*node).is_token() {
                let above = (x, y.saturating_sub(1));
                let label = self.layout().column(self.circuit.node(*node).position());
                let left = label.map_or(0, |column| (text::width(&column.label) / 2 + 1) as u16);
                if taken.contains(&above) { (x.saturating_sub(left), y) } else { above }
            } else if place.alone && place.row > 0 {
                (x + 1, y)
            } else {
                (x.saturating_sub(1), y)
            };
            let free = !taken.contains(&beside) && self.window.marks.contains(beside.into());
            let at = if free { beside } else { (x, y) };
            buf[at].reset();
            buf[at].set_symbol(&digit.to_string()).set_style(mark.style);
        }
    }
}
