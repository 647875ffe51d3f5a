//! Two graphs beside each other: their tokens, the nodes of either, and the edges of one node in both.

use crate::graph::Difference;
use crate::text;
use crate::text::names::Called;
use crate::tui::dialogs::compare::Laid;
use crate::tui::dialogs::compare::comparison::{Compared, Comparison};
use crate::tui::ui::membership::letter;
use crate::tui::ui::{Look, first_line};
use crate::tui::workspace::Circuit;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use std::sync::Arc;

/// View of two graphs.
pub(in crate::tui) struct Table<'a> {
    pub laid: &'a Laid,
    pub circuits: [Option<&'a Circuit>; 2],
    pub look: &'a Look,
    pub side: usize,
}

impl Table<'_> {
    fn comparison(&self) -> &Comparison {
        &self.laid.comparison
    }

    /// Returns a token's text; an empty one where the graph has no such column.
    fn token(&self, column: usize, graph: usize) -> String {
        let position = self.comparison().columns[column][graph];
        position.map_or_else(String::new, |position| self.laid.names[graph].token(position, &self.look.glyphs))
    }

    /// Draws the tokens of one prompt below those of the other, scrolled so that the chosen column is seen.
    pub fn tokens(&self, chosen: Option<usize>, area: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let columns = self.comparison().columns.len();
        let width = |column: usize| text::width(&self.token(column, 0)).max(text::width(&self.token(column, 1))) + 1;
        let at = chosen.map_or(0, |node| self.comparison().nodes[node].column);
        let room = usize::from(area.width.saturating_sub(2));
        // As many before it as there is room for: prompts may be long.
        let (mut from, mut used) = (at, width(at));
        while from > 0 && used + width(from - 1) <= room {
            from -= 1;
            used += width(from);
        }
        for (graph, y) in (0..2).zip(area.top()..area.bottom()) {
            let mut x = area.x + 2;
            buf.set_stringn(area.x, y, letter(graph), 1, theme.quiet);
            for column in (from..columns).take(room) {
                let differs = self.token(column, 0) != self.token(column, 1);
                let style = if differs { theme.difference(Difference::ALL[2 + graph]) } else { theme.quiet };
                let style = if column == at { style.add_modifier(Modifier::UNDERLINED) } else { style };
                let left = usize::from(area.right().saturating_sub(x));
                let shown = self.look.glyphs.fit(&self.token(column, graph), left);
                buf.set_stringn(x, y, shown, left, style);
                x = x.saturating_add(width(column) as u16).min(area.right());
            }
        }
    }

    /// Draws the number of nodes of each difference, and marks the listed one.
    pub fn kinds(&self, only: Option<Difference>, area: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let all = (None, "all".to_owned(), self.comparison().listed.len(), theme.text);
        let each = Difference::ALL.map(|it| {
            let name = format!("{} {}", glyphs.difference(it), it.name());
            (Some(it), name, self.comparison().count(it), theme.difference(it))
        });
        let mut x = area.x;
        for (kind, name, count, style) in std::iter::once(all).chain(each) {
            let chosen = kind == only;
            let says = if chosen { format!("[{name} {count}]") } else { format!(" {name} {count} ") };
            let style = if chosen { style.add_modifier(Modifier::BOLD) } else { style };
            (x, _) = buf.set_stringn(x, area.y, says, usize::from(area.right().saturating_sub(x)), style);
            x = (x + 1).min(area.right());
        }
    }

    /// Draws the rows; `fold` says whether what is shared is unfolded, and which key turns it.
    pub fn list(&self, rows: &[Option<usize>], row: usize, fold: (bool, &str), area: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        if rows.is_empty() {
            buf.set_stringn(area.x, area.y, "none", usize::from(area.width), theme.quiet);
        }
        let lines = usize::from(area.height);
        let from = first_line(row, lines, rows.len());
        let half = area.width.saturating_sub(3) / 2;
        for (y, (at, node)) in (area.top()..area.bottom()).zip(rows.iter().enumerate().skip(from)) {
            let Some(node) = node else {
                let line = Rect { y, height: 1, ..area };
                self.fold(fold, line, buf);
                if at == row {
                    buf.set_style(line, theme.selection);
                }
                continue;
            };
            let difference = self.comparison().differences[*node];
            let style = theme.difference(difference);
            let middle = area.x + half + 1;
            buf.set_stringn(middle, y, glyphs.difference(difference), 1, style.add_modifier(Modifier::BOLD));
            for graph in 0..2usize {
                let x = if graph == 0 { area.x } else { middle + 2 };
                let cell = Rect { x, y, width: half.min(area.right().saturating_sub(x)), height: 1 };
                self.cell(*node, graph, cell, buf);
                if at == row {
                    let style = if graph == self.side { theme.selection } else { theme.selection_idle };
                    buf.set_style(cell, style);
                }
            }
        }
    }

    /// Draws the row in which the nodes are folded that both graphs share.
    fn fold(&self, (unfolded, key): (bool, &str), area: Rect, buf: &mut Buffer) {
        let sign = self.look.glyphs.difference(Difference::Shared);
        let nodes = text::counted(self.comparison().count(Difference::Shared), "node");
        let does = if unfolded { "folds" } else { "opens" };
        let says = format!("{sign} {nodes} shared; {key} {does}");
        buf.set_stringn(area.x, area.y, says, usize::from(area.width), self.look.theme.quiet);
    }

    /// Draws a node as one of the graphs has it, and its value at the end.
    fn cell(&self, node: usize, graph: usize, area: Rect, buf: &mut Buffer) {
        let Some(name) = self.name_in(node, graph) else {
            // It may be as active there, and only matter less.
            if let Some(value) = self.comparison().dropped(node, graph) {
                let says = format!("not kept  {value:.3}");
                let at = area.right().saturating_sub(text::width(&says) as u16).max(area.x);
                buf.set_stringn(at, area.y, says, usize::from(area.right() - at), self.look.theme.quiet);
            }
            return;
        };
        let value = self.comparison().value(node, graph).map_or_else(String::new, |value| format!("{value:.3}"));
        let style = self.look.theme.difference(self.comparison().differences[node]);
        let room = usize::from(area.width).saturating_sub(text::width(&value) + 1);
        let (mut x, mut style) = (area.x, style);
        for part in name.fit(room, &self.look.glyphs) {
            (x, _) = buf.set_stringn(x, area.y, part, usize::from(area.right().saturating_sub(x)), style);
            style = self.look.theme.quiet;
        }
        let at = area.right().saturating_sub(text::width(&value) as u16).max(area.x);
        buf.set_stringn(at, area.y, value, usize::from(area.right() - at), self.look.theme.text);
    }

    /// Returns a graph's name of a node.
    fn name_in(&self, node: usize, graph: usize) -> Option<Called> {
        let id = self.comparison().node(node, graph)?;
        // The tab may hold another graph by now.
        let there = self.circuits[graph]
            .filter(|circuit| Arc::ptr_eq(&circuit.traced.document.graph, &self.comparison().graphs[graph]));
        let label = there.and_then(|circuit| circuit.label(id)).map(|(label, _)| label);
        let label = label.or_else(|| self.comparison().label(node, graph));
        Some(self.laid.names[graph].called(id, label, &self.look.glyphs))
    }

    /// Draws the edges of a node in either graph, in and out.
    pub fn edges(&self, node: usize, area: Rect, buf: &mut Buffer) {
        let columns: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).spacing(3).areas(area);
        for (column, (title, out)) in columns.into_iter().zip([("flows in", false), ("flows out", true)]) {
            if column.height < 2 {
                continue;
            }
            let head = Rect { y: column.y, height: 1, ..column };
            buf.set_stringn(head.x, head.y, title, usize::from(head.width), self.look.theme.strong);
            let says = format!("{:>6} {:>6}", letter(0), letter(1));
            let x = head.x + head.width.saturating_sub(SHARES);
            buf.set_stringn(x, head.y, says, usize::from(head.right() - x), self.look.theme.strong);
            let edges = self.comparison().edges(node, out);
            if edges.is_empty() {
                buf.set_stringn(column.x, column.y + 1, "nothing", usize::from(column.width), self.look.theme.faint);
            }
            for (edge, y) in edges.iter().zip(column.top() + 1..column.bottom()) {
                self.edge(edge, Rect { y, height: 1, ..column }, buf);
            }
        }
    }

    /// Draws the other end of an edge, and its share of what flows into its target, in either graph.
    fn edge(&self, edge: &Compared, area: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let graph = usize::from(self.comparison().node(edge.other, 0).is_none());
        let other = self.comparison().node(edge.other, graph);
        let is_error = other.is_some_and(|id| self.comparison().graphs[graph].node(id).is_error());
        let style = if is_error { theme.quiet } else { theme.text };
        let room = area.width.saturating_sub(SHARES);
        if let Some(name) = self.name_in(edge.other, graph) {
            let (mut x, mut style) = (area.x, style);
            for part in name.fit(usize::from(room.saturating_sub(1)), glyphs) {
                (x, _) = buf.set_stringn(x, area.y, part, usize::from(area.right().saturating_sub(x)), style);
                style = theme.quiet;
            }
        }
        let mut x = area.x + room;
        let left = |x: u16| usize::from(area.right().saturating_sub(x));
        for share in edge.shares {
            let says = share.map_or_else(|| format!("{:>6} ", "-"), |share| format!("{:>+5.1}% ", 100.0 * share));
            let style = share.map_or(theme.faint, |share| theme.sign(share as f32));
            (x, _) = buf.set_stringn(x, area.y, says, left(x), style);
        }
        buf.set_stringn(x, area.y, glyphs.difference(edge.difference), left(x), theme.difference(edge.difference));
    }
}

/// Cells of an edge's shares in two graphs, and of the sign between them.
const SHARES: u16 = 15;
