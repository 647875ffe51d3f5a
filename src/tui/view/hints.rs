//! Keys of the pane or dialog with the focus, from the command table; or the notice.

use super::Pen;
use crate::text;
use crate::text::glyph::Charset;
use crate::tui::app::State;
use crate::tui::command::all_commands;
use crate::tui::keymap::Key;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if let Some(notice) = &state.notice {
        let style = if notice.alert { theme.alert } else { theme.text };
        let shown = glyphs.fit(&glyphs.visible(&notice.text), usize::from(line.width));
        Pen::new(buf, line, 0).put(&shown, style);
        return;
    }
    let hints = hints(state);
    // The last two, help and leave, are worth more than the ones before them.
    let width = |hint: &(String, &str)| text::width(&hint.0) + 1 + hint.1.len();
    let tail: usize = hints.iter().rev().take(2).map(|hint| width(hint) + 3).sum();
    let head = hints.len().saturating_sub(2);
    let mut full = false;
    let mut pen = Pen::new(buf, line, 0);
    for (at, hint) in hints.iter().enumerate() {
        let needed = width(hint) + if at < head { 3 + tail } else { 0 };
        if needed > pen.room() + 3 {
            full = true;
        }
        if full && at < head {
            continue;
        }
        pen.put(&hint.0, theme.accent);
        pen.skip(1);
        pen.put(hint.1, theme.quiet);
        pen.skip(3);
    }
}

/// Returns keys and words; commands with the same word share an entry.
fn hints(state: &State) -> Vec<(String, &'static str)> {
    let context = state.context();
    let charset = state.look.glyphs.charset;
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    for command in all_commands().filter(|command| context.reaches(command.context)) {
        let Some(word) = command.hint else { continue };
        let labels = command.key_labels(charset);
        // Key names are long without signs: the shortest key stands for the command.
        let key = match charset {
            Charset::Ascii => labels.into_iter().min_by_key(|label| label.len()),
            Charset::Unicode | Charset::Braille => labels.into_iter().next(),
        };
        let Some(key) = key else { continue };
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

/// Returns the key of a command, for texts that name it.
pub(in crate::tui) fn key_of(name: &str, state: &State) -> String {
    let command = all_commands().find(|command| command.name == name);
    let key = command.and_then(|command| command.keys.first()).and_then(|key| Key::parse(key));
    key.map_or_else(String::new, |key| key.label(state.look.glyphs.charset))
}
