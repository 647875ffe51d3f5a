//! Keys that may follow a key that waits for another.

use super::{Pen, frame};
use crate::text;
use crate::tui::app::State;
use crate::tui::command::all_commands;
use crate::tui::keymap::Context;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Draws the keys in the lower right corner, over the panes and above the hint line.
pub(super) fn render(state: &State, prefix: Context, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let rows = rows(state, prefix);
    let keys = rows.iter().map(|(key, _)| text::width(key)).max().unwrap_or(0);
    let widest = rows.iter().map(|(_, what)| keys + 2 + text::width(what)).max().unwrap_or(0);
    let screen = super::dialog_room(state.size);
    let (width, height) = ((widest as u16 + 4).min(screen.width), (rows.len() as u16 + 2).min(screen.height));
    let area = Rect { x: screen.right() - width, y: screen.bottom() - height, width, height };
    crate::tui::ui::free_left_edge(area, buf);
    Clear.render(area, buf);
    let title = prefix.prefix().map_or_else(String::new, |name| super::hints::key_of(name, state));
    let inner = frame(area, &title, true, &state.look, buf);
    for (at, (key, what)) in rows.iter().enumerate().take(usize::from(inner.height)) {
        let mut pen = Pen::new(buf, inner, at as u16);
        pen.skip((keys - text::width(key)) as u16);
        pen.put(key, theme.accent);
        pen.skip(2);
        pen.put(&glyphs.fit(what, pen.room()), theme.text);
    }
}

/// Returns keys and what they lead to: for marks, the marked nodes.
fn rows(state: &State, prefix: Context) -> Vec<(String, String)> {
    let (charset, glyphs) = (state.look.glyphs.charset, &state.look.glyphs);
    let commands = all_commands().filter(|command| command.context == prefix);
    let mut rows: Vec<_> =
        commands.map(|command| (command.own_key_labels(charset).join(" "), command.doc.to_owned())).collect();
    if let Some(circuit) = &state.circuit
        && [Context::SET_MARK, Context::TO_MARK].contains(&prefix)
    {
        let marks = circuit.marks.letters.iter();
        rows.extend(marks.map(|(letter, node)| (letter.to_string(), circuit.name(*node, glyphs))));
    }
    rows
}
