//! Drawing of the pane.

use crate::text;
use crate::tui::panes::attention::PANE;
use crate::tui::panes::attention::rows::{Row, rows};
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::folio::{left, right, wrapped};
use crate::tui::ui::{End, Pen, first_line, folio, free, note};
use crate::tui::workspace::Circuit;
use crate::tui::workspace::heads::READS;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Cells of a head's name, of a share of attention, and of a share of influence.
const NAME: usize = 6;
const PATTERN: usize = 6;
const SHARE: usize = 10;

/// Cells of a token that is read.
const TOKEN: usize = 12;

pub(super) fn render(state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.workspace.circuit else { return };
    if room.is_empty() {
        return;
    }
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let here = circuit.token_at(circuit.node(circuit.selected()).position(), glyphs);
    let shown = glyphs.fit(&format!("at {here}"), free(frame, &state.screen.look, buf));
    note(frame, End::Right, &[(&shown, theme.accent)], buf);
    let rows = rows(state);
    let mut head = message(state, circuit, &rows, usize::from(room.width));
    if !rows.is_empty() {
        let titles = left("head", NAME, &state.screen.look) + &left("reads", TOKEN + 1, &state.screen.look);
        let figures = right("weight", PATTERN) + &right("influence", SHARE) + "  kind";
        head.push(vec![(titles + &figures, theme.quiet)]);
    }
    folio::draw(&head, 0, room, &state.screen.look, buf);
    let list = list(room, head.len());
    let from = first_line(state.panes.attention.row, usize::from(list.height), rows.len());
    for ((at, row), y) in rows.iter().enumerate().skip(from).zip(list.top()..list.bottom()) {
        let line = Rect { y, height: 1, ..list };
        draw_row(row, state, circuit, line, buf);
        if at == state.panes.attention.row && state.screen.focus == PANE {
            buf.set_style(line, theme.selection);
        }
    }
}

fn list(room: Rect, head: usize) -> Rect {
    let head = (head as u16).min(room.height);
    Rect { y: room.y + head, height: room.height - head, ..room }
}

/// Returns the row at a cell.
pub(super) fn row_at(state: &State, room: Rect, cell: Position) -> Option<usize> {
    let circuit = state.workspace.circuit.as_ref()?;
    let rows = rows(state);
    let head = message(state, circuit, &rows, usize::from(room.width)).len() + usize::from(!rows.is_empty());
    let list = list(room, head);
    let from = first_line(state.panes.attention.row, usize::from(list.height), rows.len());
    let at = from + usize::from(cell.y.checked_sub(list.y)?);
    (list.contains(cell) && at < rows.len()).then_some(at)
}

/// Builds the lines above the rows: what they are, or why there are none.
fn message(state: &State, circuit: &Circuit, rows: &[Row], width: usize) -> Vec<folio::Line> {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let plain = |says: &str| wrapped(says, width, theme.quiet);
    match (circuit.reads(), circuit.reads_failed()) {
        _ if state.workspace.is_growing() => plain("It shows what heads read here once the trace has ended."),
        (Some(reads), _) if reads.flows.is_none() => vec![folio::progress(READS, state)],
        (Some(reads), _) => {
            let turns = key_of("read-all", state);
            let influence = reads.flows.as_ref().map_or(0.0, |flows| flows.influence);
            match (state.panes.attention.all, rows.is_empty()) {
                (true, _) => plain(&format!("all heads, by attention; {turns} lists those that carry kept influence")),
                (false, false) => {
                    plain(&format!("heads that carry kept influence here, {influence:.3}; {turns} lists all"))
                }
                (false, true) => plain(&format!("No head carries kept influence to this position; {turns} lists all.")),
            }
        }
        (None, Some(_)) if !rows.is_empty() => plain("what the file holds of heads that read here"),
        (None, Some(why)) => {
            let held = circuit.traced.document.foreign.attention.heads.first();
            let held =
                held.map(|it| format!("; the file holds head {} at {}", it.head, circuit.token_at(it.query, glyphs)));
            wrapped(&format!("{}{}", glyphs.visible(why), held.unwrap_or_default()), width, theme.alert)
        }
        (None, None) => vec![folio::progress(READS, state)],
    }
}

fn draw_row(row: &Row, state: &State, circuit: &Circuit, area: Rect, buf: &mut Buffer) {
    let look = &state.screen.look;
    let theme = &look.theme;
    let mut pen = Pen::new(buf, area, 0);
    pen.put(&left(&row.head.to_string(), NAME, look), theme.text);
    let token = circuit.token_at(row.key, &look.glyphs);
    let shown = look.glyphs.fit(&token, TOKEN);
    pen.put(&shown, theme.tint(row.pattern.unwrap_or(0.0)));
    pen.skip((TOKEN + 1 - text::width(&shown)) as u16);
    let pattern = row.pattern.map_or_else(String::new, |pattern| format!("{:.0}%", 100.0 * pattern));
    pen.put(&right(&pattern, PATTERN), theme.text);
    let share = row.share.map_or_else(String::new, |share| format!("{:+.1}%", 100.0 * share));
    pen.put(&right(&share, SHARE), row.share.map_or(theme.text, |share| theme.sign(share as f32)));
    if let Some(kind) = row.kind {
        pen.put(&format!("  {} {:.2}", kind.kind.name(), kind.attention), theme.quiet);
    }
}
