//! Walked path, ending at the selected node.

use crate::text;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::Pen;
use crate::tui::workspace::history::Entry;
use crate::tui::workspace::session::is_demos;
use crate::tui::workspace::{Circuit, Reached};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Most cells of an entry's name.
const LONGEST: usize = 24;

/// Says before the walk begins what the circuit comes to, and on the demo which key takes the tour.
fn gist(state: &State, circuit: &Circuit, pen: &mut Pen<'_>) {
    let theme = &state.screen.look.theme;
    let key = key_of("tour", state);
    let (gap, word) = ("   ", " tour");
    let is_offered = is_demos(&circuit.traced.document) && state.screen.tour.is_none();
    let for_tour = if is_offered { text::width(&key) + gap.len() + word.len() } else { 0 };
    if let Some(says) = answered(state, circuit, pen.room().saturating_sub(for_tour + gap.len())) {
        pen.put(gap, theme.text);
        pen.put(&says, theme.text);
    }
    if is_offered && pen.room() >= for_tour {
        pen.put(gap, theme.text);
        pen.put(&key, theme.accent);
        pen.put(word, theme.quiet);
    }
}

/// Returns what is asked, what the model answers, and through which supernodes, as far as there are any and room for it.
fn answered(state: &State, circuit: &Circuit, room: usize) -> Option<String> {
    let glyphs = &state.screen.look.glyphs;
    let names: Vec<String> = circuit.edits.now().groups.iter().map(|group| glyphs.visible(&group.name)).collect();
    let through = match names.split_last()? {
        (last, []) => last.clone(),
        (last, before) => format!("{} and {last}", before.join(", ")),
    };
    let answer = circuit.node(circuit.answer()?).logit()?;
    let says = format!("says {}, through {through}", glyphs.visible(&answer.text));
    let asked = format!("asked \"{}\" the model {says}", glyphs.visible(&circuit.traced.document.origin.prompt));
    [asked, format!("the model {says}"), says].into_iter().find(|text| text::width(text) <= room)
}

pub(in crate::tui) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
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
    let walked = circuit.walk.history.walked();
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
    if circuit.walk.history.entries().0.len() == 1 {
        gist(state, circuit, &mut pen);
    }
    for entry in circuit.walk.history.ahead() {
        if pen.room() == 0 {
            break;
        }
        for (text, _) in piece(entry, false, theme.faint) {
            pen.put(&text, theme.faint);
        }
    }
}
