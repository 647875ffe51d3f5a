//! Drawing of a head: its pattern over the tokens, and the parts of its score.

use crate::attribution::HeadType;
use crate::text;
use crate::tui::dialogs::head::parts::{Row, Rows, in_file, rows};
use crate::tui::dialogs::head::{Column, HeadDialog};
use crate::tui::state::State;
use crate::tui::ui::folio::{Line, number, right, wrapped};
use crate::tui::ui::{Look, Pen, first_line, folio};
use crate::tui::workspace::Circuit;
use crate::tui::workspace::heads::LOOK;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;

/// Largest size of the dialog.
const LARGEST: (u16, u16) = (156, 42);

/// Least cells with which the three lists stand beside each other.
const FOR_THREE: u16 = 104;

/// Cells of a contribution, and of a share.
const NUMBER: usize = 9;
const SHARE: usize = 8;

/// Lines of the strip: tokens, their shares of attention, and the marks.
const STRIP: u16 = 3;

/// Least and most cells of a token in the strip.
const TOKEN: (usize, usize) = (4, 14);

/// Draws the dialog.
pub(in crate::tui) fn draw(dialog: &HeadDialog, state: &State, circuit: &Circuit, screen: Rect, buf: &mut Buffer) {
    let look = &state.screen.look;
    let (width, height) = (screen.width.saturating_sub(2).min(LARGEST.0), screen.height.min(LARGEST.1));
    let title = format!("attention head {}", dialog.at.head);
    let area = crate::tui::ui::open(screen, width, height, &title, look, buf);
    if area.is_empty() {
        return;
    }
    let facts = facts(dialog, state, circuit, usize::from(area.width));
    let parts = [
        Constraint::Length(facts.len() as u16),
        Constraint::Length(STRIP + 1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ];
    let [head, pattern, lists, foot] = Layout::vertical(parts).areas(area);
    folio::draw(&facts, 0, head, look, buf);
    strip(dialog, circuit, Rect { height: pattern.height.min(STRIP), ..pattern }, look, buf);
    draw_lists(dialog, circuit, lists, look, buf);
    if let Some(split) = circuit.heads.look(dialog.at).and_then(|view| view.split.as_ref()) {
        let says = format!("the parts miss the whole by {:.1e} of their absolute sum", split.identity_error);
        Pen::new(buf, foot, 0).put(&look.glyphs.fit(&says, usize::from(foot.width)), look.theme.quiet);
    }
}

/// Formats the kinds of a head, each with the figure behind it.
pub(in crate::tui) fn kinds(types: &[HeadType]) -> String {
    let kind = |it: &HeadType| format!("{} ({:.2} of {} queries' attention)", it.kind.name(), it.attention, it.queries);
    types.iter().map(kind).collect::<Vec<_>>().join(", ")
}

/// Builds the lines above the pattern: the head's kinds, its look at the key, and what is split.
fn facts(dialog: &HeadDialog, state: &State, circuit: &Circuit, width: usize) -> Vec<Line> {
    let (theme, glyphs, at) = (&state.screen.look.theme, &state.screen.look.glyphs, dialog.at);
    let pattern = circuit.heads.pattern(at);
    let kind = match pattern.map(|view| kinds(&view.types)) {
        None => String::new(),
        Some(kinds) if kinds.is_empty() => "its pattern on this prompt shows no known kind".to_owned(),
        Some(kinds) => kinds,
    };
    let mut lines = vec![vec![(glyphs.fit(&kind, width), theme.text)]];
    let token = |position| circuit.token_at(position, glyphs);
    let ends = format!("{} {} {}", token(at.query), glyphs.answers, token(at.key));
    let mut says = vec![(ends, theme.strong)];
    let look_at = pattern.and_then(|view| view.looks.iter().find(|look| look.key == at.key));
    if let Some(found) = look_at {
        let share = text::percent(found.pattern.into());
        says.push((format!("   score {:+.4}, {} of its attention", found.score, share.trim_start()), theme.text));
    }
    let split = circuit.heads.look(at).and_then(|view| view.split.as_ref());
    if let Some(split) = split {
        says.push((format!(", scale {:.4}", split.scale), theme.quiet));
    }
    lines.push(says);
    if let Some(split) = split {
        let against = format!("{:+.4} is split: the score against all keys as the pattern weighs them", split.value);
        lines.push(vec![(against, theme.quiet)]);
        if let Some(softcap) = split.softcap {
            let (cap, capped, slope) = (softcap.cap, softcap.capped, softcap.slope);
            let says = format!("softcap {cap}: {capped:+.4} behind it, slope {slope:.4}; it is no part of the split");
            lines.push(vec![(says, theme.quiet)]);
        }
    }
    let is_whole = split.is_some_and(|split| split.pairs.is_some());
    match circuit.heads.look_failed(at) {
        _ if is_whole => {}
        Some(why) => {
            let from_file = split.is_none() && in_file(circuit, at).is_some();
            let says = if from_file { "the split is the file's".to_owned() } else { glyphs.visible(why) };
            lines.extend(wrapped(&says, width, if from_file { theme.quiet } else { theme.alert }));
        }
        None => lines.push(folio::progress(LOOK, state)),
    }
    lines.push(Line::new());
    lines
}

/// Draws the pattern over the tokens that the query sees: their texts tinted by it, and below them its figures, and
/// marks of the key and of the query.
fn strip(dialog: &HeadDialog, circuit: &Circuit, area: Rect, look: &Look, buf: &mut Buffer) {
    let (theme, at) = (&look.theme, dialog.at);
    let looks = circuit.heads.pattern(at).map(|view| view.looks.as_slice()).unwrap_or_default();
    let first = looks.first().map_or(0, |look| look.key.index());
    let cells: Vec<(usize, String)> = (first..=at.query.index())
        .map(|key| (key, look.glyphs.fit(&circuit.token(key.into(), &look.glyphs), TOKEN.1)))
        .collect();
    let width = |(_, token): &(usize, String)| text::width(token).max(TOKEN.0) + 1;
    let room = usize::from(area.width);
    // As many before the key as there is room for, where it would not be seen from the first one on.
    let place = at.key.index().saturating_sub(first).min(cells.len().saturating_sub(1));
    let needs = |cells: &[(usize, String)]| cells.iter().map(width).sum::<usize>();
    let mut from = 0;
    while from < place && needs(&cells[from..=place]) > room {
        from += 1;
    }
    let mut x = area.x;
    for cell @ (key, token) in &cells[from..] {
        let left = usize::from(area.right().saturating_sub(x));
        if width(cell) > left + 1 {
            break;
        }
        let weight = looks.iter().find(|look| look.key.index() == *key).map(|look| look.pattern);
        let is_key = *key == at.key.index();
        let mut style = theme.tint(weight.unwrap_or(0.0));
        if is_key {
            style = style.add_modifier(Modifier::BOLD);
        }
        let lines = [
            (token.clone(), style),
            (weight.map(|weight| format!("{:.0}%", 100.0 * weight)).unwrap_or_default(), theme.text),
            match (is_key, *key == at.query.index()) {
                (true, true) => ("both".to_owned(), theme.accent),
                (true, false) => ("key".to_owned(), theme.accent),
                (false, true) => ("from".to_owned(), theme.quiet),
                (false, false) => (String::new(), theme.text),
            },
        ];
        for ((text, style), y) in lines.iter().zip(area.top()..area.bottom()) {
            buf.set_stringn(x, y, text, left, *style);
        }
        x += width(cell) as u16;
    }
}

/// Draws the lists beside each other, or the one with the cursor where there is little room.
fn draw_lists(dialog: &HeadDialog, circuit: &Circuit, area: Rect, look: &Look, buf: &mut Buffer) {
    let list = |column: Column| rows(circuit, dialog.at, column, &look.glyphs);
    let shown: Vec<(Column, Rect)> = if area.width >= FOR_THREE {
        let parts = [Constraint::Fill(5), Constraint::Fill(7), Constraint::Fill(5)];
        let areas: [Rect; 3] = Layout::horizontal(parts).spacing(2).areas(area);
        Column::ALL.into_iter().zip(areas).collect()
    } else {
        vec![(dialog.column, area)]
    };
    for (column, area) in shown {
        let Some(rows) = list(column) else { continue };
        let cursor = (column == dialog.column).then_some(dialog.row);
        draw_list(title(column, dialog, circuit, look), &rows, cursor, circuit, area, look, buf);
    }
}

fn title(column: Column, dialog: &HeadDialog, circuit: &Circuit, look: &Look) -> String {
    let token = |position| circuit.token_at(position, &look.glyphs);
    match column {
        Column::Queries => format!("queries: what stands at {}", token(dialog.at.query)),
        Column::Pairs => "queries with keys".to_owned(),
        Column::Keys => format!("keys: what stands at {}", token(dialog.at.key)),
    }
}

fn draw_list(
    title: String,
    rows: &Rows,
    cursor: Option<usize>,
    circuit: &Circuit,
    area: Rect,
    look: &Look,
    buf: &mut Buffer,
) {
    let theme = &look.theme;
    if area.height < 2 {
        return;
    }
    let style = if cursor.is_some() { theme.strong } else { theme.text };
    Pen::new(buf, area, 0).put(&look.glyphs.fit(&title, usize::from(area.width)), style);
    let lines = usize::from(area.height - 1 - u16::from(rows.rest.is_some()));
    let from = first_line(cursor.unwrap_or(0), lines, rows.rows.len());
    let mut line = 1;
    for (at, row) in rows.rows.iter().enumerate().skip(from).take(lines) {
        let place = Rect { y: area.y + line, height: 1, ..area };
        draw_row(row, circuit, place, look, buf);
        if cursor == Some(at) {
            buf.set_style(place, theme.selection);
        }
        line += 1;
    }
    if let Some(rest) = rows.rest {
        let mut pen = Pen::new(buf, area, line);
        let (text, style) = number(rest, NUMBER, look);
        pen.put(&text, style);
        pen.put("  all others", theme.quiet);
    }
}

fn draw_row(row: &Row, circuit: &Circuit, area: Rect, look: &Look, buf: &mut Buffer) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    let mut pen = Pen::new(buf, area, 0);
    let (text, style) = number(row.contribution, NUMBER, look);
    pen.put(&text, style);
    if let Some(share) = row.share {
        pen.put(&right(&format!("{:+.1}%", 100.0 * share), SHARE), theme.text);
    }
    pen.skip(2);
    let gap = text::width(glyphs.answers) + 2;
    let n = row.sources.len().max(1);
    let mut room = pen.room().saturating_sub(gap * (n - 1));
    for (nth, source) in row.sources.iter().enumerate() {
        let style = match source.node() {
            Some(node) if circuit.kept().has_node(node) => theme.text,
            _ => theme.faint,
        };
        if nth > 0 {
            pen.put(&format!(" {} ", glyphs.answers), theme.quiet);
        }
        let parts = source.called(circuit, glyphs).fit(room / (n - nth), glyphs);
        for (part, style) in parts.iter().zip([style, theme.quiet, theme.faint]) {
            pen.put(part, style);
            room = room.saturating_sub(text::width(part));
        }
    }
}
