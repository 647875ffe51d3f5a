//! Walked path, ending at the selected node.

use super::Pen;
use crate::text;
use crate::tui::app::State;
use crate::tui::history::{Entry, Reached};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Most cells of an entry's name.
const LONGEST: usize = 24;

pub(super) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let piece = |entry: &Entry, first: bool, style: Style| {
        let (sign, sign_style) = match entry.reached {
            Reached::AsInput(weight) => (glyphs.to_input, theme.sign(weight)),
            Reached::AsOutput(weight) => (glyphs.to_output, theme.sign(weight)),
            Reached::Freely => (glyphs.elsewhere, theme.faint),
        };
        let lead = if first { String::new() } else { format!(" {sign} ") };
        let mut called = circuit.called(entry.node, glyphs);
        called.what = glyphs.fit(&called.what, LONGEST);
        [(lead, sign_style), (called.short(), style)]
    };
    let width = |piece: &[(String, Style); 2]| -> usize { piece.iter().map(|(text, _)| text::width(text)).sum() };
    let walked = circuit.history.walked();
    let last = walked.len() - 1;
    // The newest entries stay when not all fit; the one where the walk is stands there in any case.
    let mut room = usize::from(line.width);
    let mut pieces = Vec::new();
    for (at, entry) in walked.iter().enumerate().rev() {
        let piece = piece(entry, at == 0, if at == last { theme.accent } else { theme.quiet });
        let needed = width(&piece) + usize::from(at > 0);
        if at < last && needed > room {
            break;
        }
        // Room for the sign that there are more is only needed as long as there are.
        room = room.saturating_sub(needed - usize::from(at > 0));
        pieces.push(piece);
    }
    let mut pen = Pen::new(buf, line, 0);
    if pieces.len() < walked.len() {
        pen.put(glyphs.ellipsis, theme.faint);
    }
    for (text, style) in pieces.iter().rev().flatten() {
        pen.put(text, *style);
    }
    for entry in circuit.history.ahead() {
        if pen.room() == 0 {
            break;
        }
        for (text, _) in piece(entry, false, theme.faint) {
            pen.put(&text, theme.faint);
        }
    }
}
