//! Two graphs beside each other on the whole screen: first which, then what they share and where they differ.

use crate::graph::{Difference, NodeKind};
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::comparison::{Compared, Comparison};
use crate::tui::layout;
use crate::tui::name::Names;
use crate::tui::occurs::letter;
use crate::tui::text;
use crate::tui::theme::Look;
use crate::tui::view;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::widgets::{Clear, Widget};
use std::sync::Arc;

/// How far a comparison is.
#[derive(Default)]
pub enum Stage {
    /// The other graph is being chosen.
    #[default]
    Choose,
    /// That graph is being traced or opened, under this number.
    Wait(u64),
    /// The two are being laid over each other: the number of that question.
    Lay(u64),
    /// They are shown.
    Shown(Box<Laid>),
    /// Why there is nothing to show.
    Failed(String),
}

/// Two graphs that were laid over each other, with what their nodes are called.
pub struct Laid {
    /// What was found.
    pub comparison: Arc<Comparison>,
    names: [Names; 2],
}

/// The comparison of the graph on the screen with another.
#[derive(Default)]
pub struct Compare {
    /// How far it is.
    pub stage: Stage,
    /// The number of the other circuit, once that is there.
    pub other: Option<u64>,
    /// Which of the two Enter leads to: 0 is the one on the screen.
    pub side: usize,
    /// Only what stands so is listed; `None` for everything.
    pub only: Option<Difference>,
    row: usize,
}

/// Lines of the edges below the list, at most.
const EDGES: u16 = 12;

impl Compare {
    /// Takes what was found, where that is what is waited for.
    pub fn take(&mut self, generation: u64, result: Result<Arc<Comparison>, String>) -> bool {
        if !matches!(self.stage, Stage::Lay(waited) if waited == generation) {
            return false;
        }
        self.row = 0;
        self.stage = match result {
            Ok(comparison) => {
                let names = comparison.graphs.clone().map(Names::new);
                Stage::Shown(Box::new(Laid { comparison, names }))
            }
            Err(why) => Stage::Failed(why),
        };
        true
    }

    fn laid(&self) -> Option<&Laid> {
        match &self.stage {
            Stage::Shown(laid) => Some(laid),
            _ => None,
        }
    }

    /// Whether it shows nodes of the graph on the screen, or is about to.
    pub fn shows_nodes(&self) -> bool {
        matches!(self.stage, Stage::Lay(_) | Stage::Shown(_))
    }

    /// The listed nodes.
    fn rows(&self) -> Vec<usize> {
        let Some(Laid { comparison, .. }) = self.laid() else { return Vec::new() };
        let stands = |node: &usize| self.only.is_none_or(|only| comparison.differences[*node] == only);
        comparison.listed.iter().copied().filter(stands).collect()
    }

    /// The node under the cursor.
    pub fn chosen(&self) -> Option<usize> {
        self.rows().get(self.row).copied()
    }

    /// The row under the cursor, in the list of what can be chosen.
    pub fn row(&self) -> usize {
        self.row
    }

    /// Moves the cursor; `n_choices` is how many graphs there are to choose from.
    pub fn move_by(&mut self, by: isize, n_choices: usize) {
        let n = if matches!(self.stage, Stage::Choose) { n_choices } else { self.rows().len() };
        self.row = self.row.saturating_add_signed(by).min(n.saturating_sub(1));
    }

    /// Lists only what stands in the next way.
    pub fn turn_kind(&mut self) {
        let at = self.only.and_then(|only| Difference::ALL.iter().position(|it| *it == only));
        self.only = Difference::ALL.get(at.map_or(0, |at| at + 1)).copied();
        self.row = 0;
    }

    /// Draws it.
    pub fn render(&self, state: &State, circuit: &Circuit, buf: &mut Buffer) {
        let (look, screen) = (&state.look, view::popup_room(state.size));
        match &self.stage {
            Stage::Choose => self.choices(state, screen, buf),
            Stage::Wait(generation) => {
                let busy = state
                    .shelf
                    .others()
                    .find_map(|(.., other)| other.busy.as_ref().filter(|busy| busy.generation == *generation));
                let (says, share) = busy.map_or((String::new(), 0.0), |busy| {
                    let share = busy.progress.done as f64 / (busy.progress.total.max(1)) as f64;
                    (format!("{}: {}", busy.progress.phase, busy.prompt), share)
                });
                super::ask::render("the other graph", &[says], Some(share), screen, look, state.ticks, buf);
            }
            Stage::Lay(_) => {
                let says = ["laying the graphs over each other".to_owned()];
                super::ask::render("two graphs", &says, None, screen, look, state.ticks, buf);
            }
            Stage::Failed(why) => {
                super::ask::render("two graphs", std::slice::from_ref(why), None, screen, look, state.ticks, buf);
            }
            Stage::Shown(laid) => self.split(state, circuit, laid, screen, buf),
        }
    }

    fn choices(&self, state: &State, screen: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
        let mut lines: Vec<String> = state
            .shelf
            .others()
            .map(|(_, place, other)| format!("{place}  {}", glyphs.visible(&other.title())))
            .collect();
        lines.push("a prompt, traced now".to_owned());
        let (width, height) = (screen.width.saturating_sub(4).min(108), (lines.len() as u16 + 2).min(screen.height));
        let area = super::open(screen, width, height, "compare with", &state.look, buf);
        let (room, from) = (usize::from(area.width), (self.row + 1).saturating_sub(usize::from(area.height)));
        for (y, (at, line)) in (area.top()..area.bottom()).zip(lines.iter().enumerate().skip(from)) {
            buf.set_stringn(area.x, y, glyphs.fit(line, room), room, theme.text);
            if at == self.row {
                buf.set_style(Rect { y, height: 1, ..area }, theme.selection);
            }
        }
    }

    fn split(&self, state: &State, circuit: &Circuit, laid: &Laid, screen: Rect, buf: &mut Buffer) {
        let look = &state.look;
        Clear.render(screen, buf);
        view::frame(screen, "two graphs", true, look, buf);
        let area = layout::inner(screen);
        let edges = EDGES.min(area.height / 3);
        let parts = [
            Constraint::Length(2),
            Constraint::Length(2),
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(edges),
        ];
        let [prompts, tokens, kinds, list, below] = Layout::vertical(parts).areas(area);
        let other = self.other.and_then(|number| state.shelf.circuit(number)).map(|(_, circuit)| circuit);
        let said = |circuit: &Circuit| circuit.traced.document.origin.prompt.clone();
        let titles = [said(circuit), other.map_or_else(String::new, said)];
        for (graph, (prompt, y)) in titles.iter().zip(prompts.top()..prompts.bottom()).enumerate() {
            let style = if graph == self.side { look.theme.strong } else { look.theme.quiet };
            let sign = if graph == self.side { look.glyphs.to_output } else { " " };
            let line = format!("{sign} {}  {}", letter(graph), look.glyphs.visible(prompt));
            let room = usize::from(prompts.width);
            buf.set_stringn(prompts.x, y, look.glyphs.fit(&line, room), room, style);
        }
        let rows = self.rows();
        let chosen = rows.get(self.row).copied();
        let table = Table { laid, circuits: [Some(circuit), other], look, side: self.side };
        table.tokens(chosen, tokens, buf);
        table.kinds(self.only, kinds, buf);
        table.list(&rows, self.row, list, buf);
        if let Some(chosen) = chosen {
            table.edges(chosen, below, buf);
        }
    }
}

/// What is shown of two graphs.
struct Table<'a> {
    laid: &'a Laid,
    circuits: [Option<&'a Circuit>; 2],
    look: &'a Look,
    side: usize,
}

impl Table<'_> {
    fn comparison(&self) -> &Comparison {
        &self.laid.comparison
    }

    /// A token's text; nothing where the graph has no such column.
    fn token(&self, column: usize, graph: usize) -> String {
        let position = self.comparison().columns[column][graph];
        position.map_or_else(String::new, |position| self.laid.names[graph].token(position, &self.look.glyphs))
    }

    /// The tokens of one prompt below those of the other, from where the chosen column is seen.
    fn tokens(&self, chosen: Option<usize>, area: Rect, buf: &mut Buffer) {
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

    /// How many stand in each way, and which are listed.
    fn kinds(&self, only: Option<Difference>, area: Rect, buf: &mut Buffer) {
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

    fn list(&self, rows: &[usize], row: usize, area: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        if rows.is_empty() {
            buf.set_stringn(area.x, area.y, "none", usize::from(area.width), theme.quiet);
        }
        let lines = usize::from(area.height);
        let from = view::first_line(row, lines, rows.len());
        let half = area.width.saturating_sub(3) / 2;
        for (y, (at, node)) in (area.top()..area.bottom()).zip(rows.iter().enumerate().skip(from)) {
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

    /// A node as one of the graphs has it.
    fn cell(&self, node: usize, graph: usize, area: Rect, buf: &mut Buffer) {
        let (theme, room) = (&self.look.theme, usize::from(area.width));
        let Some(name) = self.name_in(node, graph) else { return };
        let value = self.comparison().value(node, graph).map_or_else(String::new, |value| format!("{value:.3}"));
        let style = theme.difference(self.comparison().differences[node]);
        let (x, _) = buf.set_stringn(area.x, area.y, format!("{value:>8}  "), room, theme.text);
        let room = usize::from(area.right().saturating_sub(x));
        buf.set_stringn(x, area.y, self.look.glyphs.fit(&name, room), room, style);
    }

    /// What a graph calls a node, with its label.
    fn name_in(&self, node: usize, graph: usize) -> Option<String> {
        let id = self.comparison().node(node, graph)?;
        let name = self.laid.names[graph].name(id, &self.look.glyphs);
        // It may have grown since, and its nodes have other ids then.
        let there = self.circuits[graph]
            .filter(|circuit| Arc::ptr_eq(&circuit.traced.document.graph, &self.comparison().graphs[graph]));
        let label = there.and_then(|circuit| circuit.label(id)).map(|(label, _)| label);
        Some(match label.or_else(|| self.comparison().label(node, graph)) {
            Some(label) => format!("{name}  {}", self.look.glyphs.visible(label)),
            None => name,
        })
    }

    /// The edges of a node in either graph: what flows in, and out.
    fn edges(&self, node: usize, area: Rect, buf: &mut Buffer) {
        let columns: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).spacing(3).areas(area);
        for (column, (title, out)) in columns.into_iter().zip([("flows in", false), ("flows out", true)]) {
            if column.height < 2 {
                continue;
            }
            let head = Rect { y: column.y, height: 1, ..column };
            let says = format!("{:>6} {:>6}    {title}", letter(0), letter(1));
            buf.set_stringn(head.x, head.y, says, usize::from(head.width), self.look.theme.strong);
            let edges = self.comparison().edges(node, out);
            if edges.is_empty() {
                buf.set_stringn(column.x, column.y + 1, "nothing", usize::from(column.width), self.look.theme.faint);
            }
            for (edge, y) in edges.iter().zip(column.top() + 1..column.bottom()) {
                self.edge(edge, Rect { y, height: 1, ..column }, buf);
            }
        }
    }

    /// An edge's share of what flows into its target, in either graph.
    fn edge(&self, edge: &Compared, area: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let mut x = area.x;
        let left = |x: u16| usize::from(area.right().saturating_sub(x));
        for share in edge.shares {
            let says = share.map_or_else(|| format!("{:>6} ", "-"), |share| format!("{:>+5.1}% ", 100.0 * share));
            let style = share.map_or(theme.faint, |share| theme.sign(share as f32));
            (x, _) = buf.set_stringn(x, area.y, says, left(x), style);
        }
        let sign = format!("{} ", glyphs.difference(edge.difference));
        (x, _) = buf.set_stringn(x, area.y, sign, left(x), theme.difference(edge.difference));
        let graph = usize::from(self.comparison().node(edge.other, 0).is_none());
        let name = self.name_in(edge.other, graph).unwrap_or_default();
        let kind = self.comparison().node(edge.other, graph).map(|id| &self.comparison().graphs[graph].node(id).kind);
        let style = if matches!(kind, Some(NodeKind::Error { .. })) { theme.quiet } else { theme.text };
        buf.set_stringn(x, area.y, glyphs.fit(&name, left(x)), left(x), style);
    }
}
