//! Keys of the pane or dialog with the focus, from the command table; or the notice.

use crate::text;
use crate::text::glyph::Charset;
use crate::tui::keymap::{Command, Context, Key, all_commands};
use crate::tui::state::State;
use crate::tui::ui::Pen;
use crate::tui::ui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Commands that work in every pane, in order of use. The last ones are shown at any width: they lead to all others.
const ORDER: [&str; 27] = [
    "jump",
    "follow",
    "intervene",
    "verify",
    "paths",
    "compare",
    "export",
    "search",
    "filter",
    "pin",
    "prompt",
    "tour",
    "propose-circuit",
    "contexts",
    "back",
    "forward",
    "nodes-more",
    "nodes-fewer",
    "edges-more",
    "edges-fewer",
    "edit",
    "undo",
    "zoom",
    "next-pane",
    "menu",
    "help",
    "quit",
];

/// Number of the last hints that are shown at any width.
const TAIL: usize = 3;

/// Cells between two hints.
const GAP: u16 = 2;

pub(in crate::tui) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if let Some(notice) = &state.screen.notice {
        let style = if notice.alert { theme.alert } else { theme.text };
        let shown = glyphs.fit(&glyphs.visible(&notice.text), usize::from(line.width));
        Pen::new(buf, line, 0).put(&shown, style);
        return;
    }
    let hints = hints(state);
    let width = |hint: &(String, &str)| text::width(&hint.0) + 1 + hint.1.len();
    let gap = usize::from(GAP);
    let tail: usize = hints.iter().rev().take(TAIL).map(|hint| width(hint) + gap).sum();
    let head = hints.len().saturating_sub(TAIL);
    let mut full = false;
    let mut pen = Pen::new(buf, line, 0);
    for (at, hint) in hints.iter().enumerate() {
        let needed = width(hint) + if at < head { gap + tail } else { 0 };
        if needed > pen.room() + gap {
            full = true;
        }
        if full && at < head {
            continue;
        }
        put(std::slice::from_ref(hint), &mut pen, theme);
    }
}

/// Returns the hints in lines of at most `room` cells, where the hint line has no room for all of them.
pub(in crate::tui) fn left_out(state: &State, room: usize) -> Vec<Vec<(String, &'static str)>> {
    let hints = hints(state);
    let width = |hint: &(String, &str)| text::width(&hint.0) + 1 + hint.1.len() + usize::from(GAP);
    let line = usize::from(state.screen.size.0.saturating_sub(2) + GAP);
    if hints.iter().map(width).sum::<usize>() <= line {
        return Vec::new();
    }
    let mut lines: Vec<Vec<(String, &str)>> = Vec::new();
    let mut used = 0;
    for hint in hints {
        match lines.last_mut().filter(|_| used + width(&hint) <= room + usize::from(GAP)) {
            Some(line) => {
                used += width(&hint);
                line.push(hint);
            }
            None => {
                used = width(&hint);
                lines.push(vec![hint]);
            }
        }
    }
    lines
}

/// Writes hints.
pub(in crate::tui) fn put(hints: &[(String, &str)], pen: &mut Pen<'_>, theme: &Theme) {
    for (key, word) in hints {
        pen.put(key, theme.accent);
        pen.skip(1);
        pen.put(word, theme.quiet);
        pen.skip(GAP);
    }
}

/// Returns keys and words, those of the pane or dialog first; commands with the same word share an entry.
fn hints(state: &State) -> Vec<(String, &'static str)> {
    let context = state.context();
    let charset = state.screen.look.glyphs.charset;
    let mut commands: Vec<_> = all_commands().filter(|command| context.reaches(command.context)).collect();
    // The sort is stable: the others keep the order of the table.
    commands.sort_by_key(|command| ORDER.iter().position(|name| *name == command.name).map_or(0, |at| at + 1));
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    for command in commands {
        let Some(word) = command.hint else { continue };
        let Some(key) = shown_key(command, context, state, charset) else { continue };
        match hints.iter_mut().find(|(_, other)| *other == word) {
            Some((keys, _)) => {
                // Signs stand close together; names would run into each other.
                let close = text::width(keys) <= 3 && text::width(&key) == 1;
                keys.push_str(if close { "" } else { "/" });
                keys.push_str(&key);
            }
            None => hints.push((key, word)),
        }
    }
    hints
}

/// Returns the key that stands for a command where `context` has the focus, as the screen shows it.
fn shown_key(command: &Command, context: Context, state: &State, charset: Charset) -> Option<String> {
    let keymap = &state.screen.keymap;
    if command.is_run() {
        return keymap.labels(command, charset).pop();
    }
    let works = |key: &&Key| keymap.lookup(context, **key).is_some_and(|found| found.name == command.name);
    let mut labels = keymap.keys(command).iter().filter(works).map(|key| key.label(charset));
    // Key names are long without signs: the shortest key stands for the command.
    match charset {
        Charset::Ascii => labels.min_by_key(String::len),
        Charset::Unicode | Charset::Braille => labels.next(),
    }
}

/// Returns the key of a command, for texts that name it, behind the key that comes before it.
pub(in crate::tui) fn key_of(name: &str, state: &State) -> String {
    let charset = state.screen.look.glyphs.charset;
    let labels = Command::named(name).map(|command| state.screen.keymap.labels(command, charset));
    labels.and_then(|labels| labels.into_iter().next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_names_the_hints_of_all_panes() {
        let everywhere = |command: &&Command| [Context::PANES, Context::ANYWHERE].contains(&command.context);
        let hinted = all_commands().filter(everywhere).filter(|command| command.hint.is_some());
        let (mut hinted, mut order): (Vec<_>, _) = (hinted.map(|command| command.name).collect(), ORDER.to_vec());
        hinted.sort_unstable();
        order.sort_unstable();
        assert_eq!(hinted, order);
    }
}
