//! Attention heads of two graphs side by side: the influence that each carries in either, as a list and as grids.

use crate::service::attention::{ComparedHead, by_difference};
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::folio::{Line, left, number, wrapped};
use crate::tui::ui::membership::letter;
use crate::tui::ui::{Look, Pen, first_line, folio};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

/// Heads of the two graphs that are compared.
pub enum ComparedHeads {
    /// Heads that are being computed.
    Wait,
    /// Heads.
    Known(HeadTable),
    /// Reason why the heads are not known.
    Failed(String),
}

/// Heads of two graphs, and their order in the list.
pub struct HeadTable {
    /// Heads by layer, then head.
    pub heads: Vec<ComparedHead>,
    /// Places in `heads`, those first that differ most.
    pub order: Vec<usize>,
}

impl HeadTable {
    /// Creates the table of compared heads.
    pub fn new(heads: Vec<ComparedHead>) -> Self {
        Self { order: by_difference(&heads), heads }
    }
}

/// Cells of a head's name, and of a number.
const NAME: usize = 8;
const NUMBER: usize = 10;

/// Cells of the name of a layer in a grid, and between two grids.
const LAYER: u16 = 5;
const GAP: u16 = 3;

/// Title of the difference.
const B_LESS_A: &str = "B - A";

/// Least cells of the list.
const LIST: u16 = 50;

/// Draws the heads, with the cursor on a row of the list.
pub(in crate::tui) fn render(heads: &ComparedHeads, row: usize, state: &State, area: Rect, buf: &mut Buffer) {
    let look = &state.screen.look;
    let table = match heads {
        ComparedHeads::Known(table) => table,
        ComparedHeads::Wait => {
            let line = folio::progress(super::update::COMPARE_HEADS, state);
            return folio::draw(&[line], 0, area, look, buf);
        }
        ComparedHeads::Failed(why) => {
            let lines = wrapped(&look.glyphs.visible(why), usize::from(area.width), look.theme.alert);
            return folio::draw(&lines, 0, area, look, buf);
        }
    };
    let n_heads = table.heads.iter().map(|it| it.head.head + 1).max().unwrap_or(0) as u16;
    let grid = LAYER + n_heads.max(B_LESS_A.len() as u16);
    let n_grids = (area.width.saturating_sub(LIST) / (grid + GAP)).min(3);
    let parts = [Constraint::Fill(1), Constraint::Length(n_grids * (grid + GAP))];
    let [list, grids] = Layout::horizontal(parts).areas(area);
    draw_list(table, row, state, list, buf);
    let chosen = table.order.get(row).copied();
    // Where there is no room for all three, the difference is the one to see.
    for (nth, which) in [Which::A, Which::B, Which::Difference].into_iter().skip(3 - usize::from(n_grids)).enumerate() {
        let x = grids.x + GAP + nth as u16 * (grid + GAP);
        draw_grid(table, which, chosen, Rect { x, width: grid, ..grids }, look, buf);
    }
}

fn draw_list(table: &HeadTable, row: usize, state: &State, area: Rect, buf: &mut Buffer) {
    let look = &state.screen.look;
    let titles = [letter(0), letter(1), B_LESS_A].map(|title| folio::right(title, NUMBER)).concat();
    let head: Line = vec![(left("head", NAME, look) + &titles + "  kind", look.theme.quiet)];
    folio::draw(&[head], 0, area, look, buf);
    let says = format!(
        "influence through each head, after all others on the way; {} lists nodes",
        key_of("compare-heads", state)
    );
    let foot = Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area };
    Pen::new(buf, foot, 0).put(&look.glyphs.fit(&says, usize::from(area.width)), look.theme.quiet);
    let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    let from = first_line(row, usize::from(rows.height), table.order.len());
    for ((at, place), y) in table.order.iter().enumerate().skip(from).zip(rows.top()..rows.bottom()) {
        let it = &table.heads[*place];
        let line = Rect { y, height: 1, ..rows };
        let mut pen = Pen::new(buf, line, 0);
        pen.put(&left(&it.head.to_string(), NAME, look), look.theme.text);
        for value in [it.influence[0], it.influence[1], it.difference()] {
            let (text, style) = number(value, NUMBER, look);
            pen.put(&text, style);
        }
        pen.put(&format!("  {}", kinds(it)), look.theme.quiet);
        if at == row {
            buf.set_style(line, look.theme.selection);
        }
    }
}

/// Names the kind of a head: once where both prompts show the same, else that of either.
fn kinds(it: &ComparedHead) -> String {
    let kind = |graph: usize| it.types[graph].first().map(|kind| (kind.kind.name(), kind.attention));
    let with_figure = |(name, attention): (&str, f64)| format!("{name} {attention:.2}");
    match (kind(0), kind(1)) {
        (None, None) => String::new(),
        (Some((a, of_a)), Some((b, of_b))) if a == b => format!("{a} {of_a:.2}, {of_b:.2}"),
        (a, b) => {
            let part = |graph: usize, kind| format!("{} {}", letter(graph), with_figure(kind));
            let both = [a.map(|kind| part(0, kind)), b.map(|kind| part(1, kind))];
            both.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
    }
}

/// Figure of a grid.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    A,
    B,
    Difference,
}

impl Which {
    fn of(self, it: &ComparedHead) -> f64 {
        match self {
            Self::A => it.influence[0],
            Self::B => it.influence[1],
            Self::Difference => it.difference(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::A => letter(0),
            Self::B => letter(1),
            Self::Difference => B_LESS_A,
        }
    }
}

/// Draws a grid: heads from left to right, layers from the top down to the first; the larger the figure, the darker. All
/// grids share one scale.
fn draw_grid(table: &HeadTable, which: Which, chosen: Option<usize>, area: Rect, look: &Look, buf: &mut Buffer) {
    let theme = &look.theme;
    let most = table.heads.iter().flat_map(|it| it.influence).map(f64::abs).fold(0.0, f64::max);
    let layers: Vec<&[ComparedHead]> = table.heads.chunk_by(|a, b| a.head.layer == b.head.layer).rev().collect();
    let place = chosen.map(|at| table.heads[at].head);
    let row = place.and_then(|head| layers.iter().position(|layer| layer[0].head.layer == head.layer)).unwrap_or(0);
    let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let from = first_line(row, usize::from(rows.height), layers.len());
    Pen::new(buf, area, 0).put(&format!("{:>2$}{}", "", which.title(), usize::from(LAYER)), theme.quiet);
    for (layer, y) in layers.iter().skip(from).zip(rows.top()..rows.bottom()) {
        let mut pen = Pen::new(buf, Rect { y, height: 1, ..rows }, 0);
        pen.put(&format!("{:>3}  ", format!("L{}", layer[0].head.layer)), theme.quiet);
        for it in *layer {
            let value = which.of(it);
            let share = if most > 0.0 { value.abs() / most } else { 0.0 };
            let style = if share > 0.0 { theme.sign(value as f32) } else { theme.faint };
            let style = if place == Some(it.head) { theme.accent } else { style };
            pen.put(look.glyphs.shade(share), style);
        }
    }
}
