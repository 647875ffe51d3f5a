//! Keys that may follow a key that waits for another.

use crate::text;
use crate::tui::keymap::menu::{TASKS, Task};
use crate::tui::keymap::{Command, Context, all_commands};
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::{Pen, frame};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Draws the keys in the lower right corner, over the panes and above the hint line.
pub(in crate::tui) fn render(state: &State, prefix: Context, buf: &mut Buffer) {
    if prefix == Context::MENU {
        render_menu(state, buf);
        return;
    }
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let rows = rows(state, prefix);
    let keys = rows.iter().map(|(key, _)| text::width(key)).max().unwrap_or(0);
    let widest = rows.iter().map(|(_, what)| keys + 2 + text::width(what)).max().unwrap_or(0);
    let screen = state.screen.dialog_room();
    let (width, height) = ((widest as u16 + 4).min(screen.width), (rows.len() as u16 + 2).min(screen.height));
    let area = Rect { x: screen.right() - width, y: screen.bottom() - height, width, height };
    crate::tui::ui::free_left_edge(area, buf);
    Clear.render(area, buf);
    let title = prefix.prefix().map_or_else(String::new, |name| key_of(name, state));
    let inner = frame(area, &title, true, &state.screen.look, buf);
    for (at, (key, what)) in rows.iter().enumerate().take(usize::from(inner.height)) {
        let mut pen = Pen::new(buf, inner, at as u16);
        pen.skip((keys - text::width(key)) as u16);
        pen.put(key, theme.accent);
        pen.skip(2);
        pen.put(&glyphs.fit(what, pen.room()), theme.text);
    }
}

/// Cells between two columns of the menu.
const GAP: u16 = 3;

/// Draws the menu over the lower part of the screen: its tasks in as many columns as there is room for.
fn render_menu(state: &State, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let tasks = TASKS.iter().map(|task| entries(state, task)).collect::<Vec<_>>();
    let all = || tasks.iter().flatten();
    let keys = all().map(|(key, _)| text::width(key)).max().unwrap_or(0);
    let column = (keys + 1 + all().map(|(_, what)| what.len()).max().unwrap_or(0)) as u16;
    let screen = state.screen.dialog_room();
    let n_columns = ((screen.width.saturating_sub(4) + GAP) / (column + GAP)).max(1);
    let starts = arranged(&tasks.iter().map(|task| task.len() as u16 + 1).collect::<Vec<_>>(), n_columns);
    let bottom = |task: usize| starts[task].1 + tasks[task].len() as u16 + 1;
    let height = ((0..tasks.len()).map(bottom).max().unwrap_or(0) + 2).min(screen.height);
    let width = (n_columns * (column + GAP) - GAP + 4).min(screen.width);
    let area = Rect { x: screen.right() - width, y: screen.bottom() - height, width, height };
    crate::tui::ui::free_left_edge(area, buf);
    Clear.render(area, buf);
    let inner = frame(area, &key_of("menu", state), true, &state.screen.look, buf);
    for ((task, entries), (x, y)) in TASKS.iter().zip(&tasks).zip(starts) {
        let place = Rect { x: inner.x + 1 + x * (column + GAP), width: column, ..inner }.intersection(inner);
        let heading = (task.title, "", theme.strong);
        let lines = entries.iter().map(|(key, what)| (*what, key.as_str(), theme.text));
        for ((what, key, style), y) in std::iter::once(heading).chain(lines).zip(y..inner.height) {
            let mut pen = Pen::new(buf, place, y);
            pen.skip((keys - text::width(key)) as u16);
            pen.put(key, theme.accent);
            pen.skip(1);
            pen.put(&glyphs.fit(what, pen.room()), style);
        }
    }
}

/// Returns the keys of a task's commands, and what they do.
fn entries(state: &State, task: &Task) -> Vec<(String, &'static str)> {
    let charset = state.screen.look.glyphs.charset;
    let keyed = task.commands.iter().filter_map(|(name, what)| {
        let key = state.screen.keymap.first(Command::named(name)?)?;
        Some((key.label(charset), *what))
    });
    keyed.collect()
}

/// Returns the column and the line of each of some blocks of these heights, in as few lines as they take.
fn arranged(heights: &[u16], n_columns: u16) -> Vec<(u16, u16)> {
    let all: u16 = heights.iter().sum();
    let placed = |lines: u16| {
        let (mut column, mut y) = (0, 0);
        let mut starts = Vec::new();
        for height in heights {
            if y > 0 && y + height > lines {
                (column, y) = (column + 1, 0);
            }
            starts.push((column, y));
            y += height;
        }
        (column < n_columns).then_some(starts)
    };
    let tallest = heights.iter().copied().max().unwrap_or(0);
    (tallest..=all).find_map(placed).unwrap_or_default()
}

/// Returns keys and what they lead to: for marks, the marked nodes.
fn rows(state: &State, prefix: Context) -> Vec<(String, String)> {
    let (charset, glyphs) = (state.screen.look.glyphs.charset, &state.screen.look.glyphs);
    let commands = all_commands().filter(|command| command.context == prefix);
    let mut rows: Vec<_> = commands
        .map(|command| (state.screen.keymap.own_labels(command, charset).join(" "), command.doc.to_owned()))
        .collect();
    if let Some(circuit) = &state.workspace.circuit
        && [Context::SET_MARK, Context::TO_MARK].contains(&prefix)
    {
        let marks = circuit.marks.letters.iter();
        rows.extend(marks.map(|(letter, node)| (letter.to_string(), circuit.name(*node, glyphs))));
    }
    if let Some(circuit) = state.workspace.circuit.as_ref().filter(|_| prefix == Context::LOOK) {
        let links = circuit.connections.links().kept.iter().take(9);
        rows.extend((1..).zip(links).map(|(at, link): (usize, _)| (at.to_string(), circuit.name(link.other, glyphs))));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stand_in_order_and_in_no_more_columns_than_there_are() {
        assert_eq!(arranged(&[3, 3, 2], 1), [(0, 0), (0, 3), (0, 6)]);
        assert_eq!(arranged(&[3, 3, 2], 2), [(0, 0), (1, 0), (1, 3)]);
        assert_eq!(arranged(&[3, 3, 2], 9), [(0, 0), (1, 0), (2, 0)]);
    }
}
