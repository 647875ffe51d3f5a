//! Comparison of two graphs on the whole screen: first the choice of the other graph, then what both share and where
//! they differ.

pub mod comparison;
pub mod heads;
mod split;
pub(in crate::tui) mod update;

use crate::graph::Difference;
use crate::text::names::Names;
use crate::tui::dialogs::compare::comparison::Comparison;
use crate::tui::dialogs::compare::heads::ComparedHeads;
use crate::tui::dialogs::{Action, Dialog, ask};
use crate::tui::keymap::{Context, commands};
use crate::tui::runtime::RequestId;
use crate::tui::screen::{key_of, layout};
use crate::tui::state::State;
use crate::tui::ui::frame;
use crate::tui::ui::membership::letter;
use crate::tui::workspace::Circuit;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::{Clear, Widget};
use split::Table;
use std::sync::Arc;

/// Stage of a comparison.
#[derive(Default)]
pub enum Stage {
    /// Choice of the other graph.
    #[default]
    Choose,
    /// Tracing or opening of the other graph, by this request.
    Wait(RequestId),
    /// Overlay of the two graphs being computed.
    Lay,
    /// Overlay on the screen.
    Shown(Box<Laid>),
    /// Reason why there is nothing to show.
    Failed(String),
}

/// Overlay of two graphs, with the names of their nodes.
pub struct Laid {
    /// Comparison of the two graphs.
    pub comparison: Arc<Comparison>,
    /// Names of the nodes of either graph.
    pub names: [Names; 2],
}

/// Comparison of the graph on the screen with another.
#[derive(Default)]
pub struct Compare {
    /// Stage of the comparison.
    pub stage: Stage,
    /// Id of the other graph, once it is there.
    pub other: Option<RequestId>,
    /// Index of the graph that Enter leads to: 0 is the one on the screen.
    pub side: usize,
    /// Difference to which the list is limited; `None` for all nodes.
    pub only: Option<Difference>,
    /// True where the row of what is shared is unfolded.
    pub unfolded: bool,
    /// Heads of the two graphs, where they stand in place of the nodes.
    pub heads: Option<ComparedHeads>,
    row: usize,
}

/// Greatest number of lines of the edges below the list.
const EDGES: u16 = 12;

impl Compare {
    /// Takes the comparison, or the reason why it failed.
    pub fn take(&mut self, result: Result<Arc<Comparison>, String>) {
        self.row = 0;
        self.stage = match result {
            Ok(comparison) => {
                let names = comparison.graphs.clone().map(Names::new);
                Stage::Shown(Box::new(Laid { comparison, names }))
            }
            Err(why) => Stage::Failed(why),
        };
    }

    fn laid(&self) -> Option<&Laid> {
        match &self.stage {
            Stage::Shown(laid) => Some(laid),
            _ => None,
        }
    }

    /// Returns true where the dialog shows nodes of the graph on the screen, or is about to.
    fn holds_nodes(&self) -> bool {
        matches!(self.stage, Stage::Lay | Stage::Shown(_))
    }

    /// Returns the listed nodes. Among all of them, those that both graphs share come last, behind a row of their own,
    /// `None`, in which they are folded.
    fn rows(&self) -> Vec<Option<usize>> {
        let Some(Laid { comparison, .. }) = self.laid() else { return Vec::new() };
        let is = |node: &usize, difference| comparison.differences[*node] == difference;
        let listed = || comparison.listed.iter().copied();
        if let Some(only) = self.only {
            return listed().filter(|node| is(node, only)).map(Some).collect();
        }
        let (shared, others): (Vec<_>, Vec<_>) = listed().partition(|node| is(node, Difference::Shared));
        let fold = (!shared.is_empty()).then_some(None);
        let shared = shared.into_iter().filter(|_| self.unfolded);
        others.into_iter().map(Some).chain(fold).chain(shared.map(Some)).collect()
    }

    /// Unfolds or folds what is shared, where the cursor is on its row; returns true where it was.
    pub fn toggle_shared(&mut self) -> bool {
        let is_fold = self.heads.is_none() && self.rows().get(self.row) == Some(&None);
        self.unfolded ^= is_fold;
        is_fold
    }

    /// Returns the node under the cursor.
    pub fn chosen(&self) -> Option<usize> {
        self.rows().get(self.row).copied().flatten()
    }

    /// Returns the index of the row under the cursor, in the list of the graphs to choose from.
    pub fn row(&self) -> usize {
        self.row
    }

    /// Moves the cursor by `by` rows; `n_choices` is the number of graphs to choose from.
    pub fn move_by(&mut self, by: isize, n_choices: usize) {
        let n = match (&self.stage, &self.heads) {
            (Stage::Choose, _) => n_choices,
            (_, Some(ComparedHeads::Known(table))) => table.order.len(),
            (_, Some(_)) => 0,
            (_, None) => self.rows().len(),
        };
        self.row = self.row.saturating_add_signed(by).min(n.saturating_sub(1));
    }

    /// Limits the list to the next difference, or to none.
    pub fn turn_kind(&mut self) {
        let at = self.only.and_then(|only| Difference::ALL.iter().position(|it| *it == only));
        self.only = Difference::ALL.get(at.map_or(0, |at| at + 1)).copied();
        (self.heads, self.row) = (None, 0);
    }

    /// Puts the heads in place of the nodes, or the nodes back; returns true where heads are shown now.
    pub fn turn_heads(&mut self) -> bool {
        self.row = 0;
        self.heads = if self.heads.is_some() { None } else { Some(ComparedHeads::Wait) };
        self.heads.is_some()
    }

    /// Draws the dialog.
    fn draw(&self, state: &State, circuit: &Circuit, buf: &mut Buffer) {
        let (look, screen) = (&state.screen.look, state.screen.dialog_room());
        match &self.stage {
            Stage::Choose => self.choices(state, screen, buf),
            Stage::Wait(id) => {
                let busy = state
                    .workspace
                    .tabs
                    .others()
                    .find_map(|(.., other)| other.busy.as_ref().filter(|busy| busy.id == *id));
                let (says, share) = busy.map_or((String::new(), 0.0), |busy| {
                    let share = busy.progress.done as f64 / (busy.progress.total.max(1)) as f64;
                    (format!("{}: {}", busy.progress.phase, busy.prompt), share)
                });
                ask::render("the other graph", &[says], Some(share), screen, look, state.screen.ticks, buf);
            }
            Stage::Lay => {
                let says = ["laying the graphs over each other".to_owned()];
                ask::render("two graphs", &says, None, screen, look, state.screen.ticks, buf);
            }
            Stage::Failed(why) => {
                ask::render("two graphs", std::slice::from_ref(why), None, screen, look, state.screen.ticks, buf);
            }
            Stage::Shown(laid) => self.split(state, circuit, laid, screen, buf),
        }
    }

    fn choices(&self, state: &State, screen: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
        let mut lines: Vec<String> = state
            .workspace
            .tabs
            .others()
            .map(|(_, place, other)| format!("{place}  {}", glyphs.visible(&other.title())))
            .collect();
        lines.push("a prompt, traced now".to_owned());
        let (width, height) = (screen.width.saturating_sub(4).min(108), (lines.len() as u16 + 2).min(screen.height));
        let area = crate::tui::ui::open(screen, width, height, "compare with", &state.screen.look, buf);
        let (room, from) = (usize::from(area.width), (self.row + 1).saturating_sub(usize::from(area.height)));
        for (y, (at, line)) in (area.top()..area.bottom()).zip(lines.iter().enumerate().skip(from)) {
            buf.set_stringn(area.x, y, glyphs.fit(line, room), room, theme.text);
            if at == self.row {
                buf.set_style(Rect { y, height: 1, ..area }, theme.selection);
            }
        }
    }

    fn split(&self, state: &State, circuit: &Circuit, laid: &Laid, screen: Rect, buf: &mut Buffer) {
        let look = &state.screen.look;
        Clear.render(screen, buf);
        frame(screen, "two graphs", true, look, buf);
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
        let other = self.other.and_then(|number| state.workspace.tabs.circuit(number)).map(|(_, circuit)| circuit);
        let said = |circuit: &Circuit| circuit.traced.document.origin.prompt.clone();
        let titles = [said(circuit), other.map_or_else(String::new, said)];
        for (graph, (prompt, y)) in titles.iter().zip(prompts.top()..prompts.bottom()).enumerate() {
            let style = if graph == self.side { look.theme.strong } else { look.theme.quiet };
            let sign = if graph == self.side { look.glyphs.to_output } else { " " };
            let line = format!("{sign} {}  {}", letter(graph), look.glyphs.visible(prompt));
            let room = usize::from(prompts.width);
            buf.set_stringn(prompts.x, y, look.glyphs.fit(&line, room), room, style);
        }
        if let Some(found) = &self.heads {
            let below =
                Rect { y: prompts.bottom() + 1, height: area.bottom().saturating_sub(prompts.bottom() + 1), ..area };
            heads::render(found, self.row, state, below, buf);
            return;
        }
        let rows = self.rows();
        let chosen = rows.get(self.row).copied().flatten();
        let table = Table { laid, circuits: [Some(circuit), other], look, side: self.side };
        table.tokens(chosen, tokens, buf);
        table.kinds(self.only, kinds, buf);
        let opens = key_of("compare-take", state);
        table.list(&rows, self.row, (self.unfolded, &opens), list, buf);
        if let Some(chosen) = chosen {
            table.edges(chosen, below, buf);
        }
    }
}

const COMPARE: Context = Context::dialog("compare");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "compare-down", Compare, COMPARE, ["Down", "j"], Some("choose"), |s, _| update::move_in_compare(s, 1), "To the next row";
    "compare-up", Compare, COMPARE, ["Up", "k"], Some("choose"), |s, _| update::move_in_compare(s, -1), "To the row before";
    "compare-page-down", Compare, COMPARE, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| update::move_in_compare(s, 10), "Ten rows further";
    "compare-page-up", Compare, COMPARE, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| update::move_in_compare(s, -10), "Ten rows back";
    "compare-take", Compare, COMPARE, ["Enter"], Some("go"), |s, _| update::take_compared(s), "Take this graph; go to this node; open what is shared";
    "compare-side", Compare, COMPARE, ["Tab"], Some("A/B"), |s, _| update::turn_compared_side(s), "To A or to B";
    "compare-kind", Compare, COMPARE, ["f"], Some("kind"), |s, _| update::turn_compared_kind(s), "List all, shared, changed, only A, only B";
    "compare-heads", Compare, COMPARE, ["h"], Some("heads"), |s, _| update::turn_compared_heads(s), "The attention heads of both, or the nodes again";
    "compare-merge", Compare, COMPARE, ["m"], Some("merge"), |s, _| update::open_merged(s), "Open the two as one graph";
    "compare-union", Compare, COMPARE, ["u"], Some("all open"), |s, _| update::open_union(s), "Open all open graphs as one";
    "compare-first", Compare, COMPARE, ["g", "Home"], None, |s, _| update::move_in_compare(s, isize::MIN), "To the first row";
    "compare-last", Compare, COMPARE, ["G", "End"], None, |s, _| update::move_in_compare(s, isize::MAX), "To the last row";
    "compare-close", Compare, COMPARE, ["Esc", "q"], Some("back"), |s, _| update::close_compare(s), "Leave the comparison";
}

impl Dialog for Compare {
    fn context(&self) -> Context {
        COMPARE
    }

    fn render(&self, state: &State, _: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(circuit) = &state.workspace.circuit {
            self.draw(state, circuit, buf);
        }
        None
    }

    fn shows_nodes(&self) -> bool {
        self.holds_nodes()
    }

    fn cancel(&self) -> Action {
        update::close_compare
    }
}
