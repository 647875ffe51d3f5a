//! What the pane is for, and what is worth pinning, while nothing is pinned.

use crate::text;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::Pen;
use crate::tui::workspace::Circuit;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(state: &State, circuit: &Circuit, room: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let keys = [
        ("propose-circuit", "the whole circuit, proposed"),
        ("pin", "pin the selected node"),
        ("edit-group", "make one box of chosen nodes"),
        ("edit-proposals", "boxes of alike features, proposed"),
    ]
    .map(|(name, does)| (key_of(name, state), does));
    let wide = keys.iter().map(|(key, _)| text::width(key)).max().unwrap_or(0) + 2;
    let mut lines = vec![(String::new(), "What is pinned is drawn here as a circuit", theme.quiet)];
    lines.extend(keys.map(|(key, does)| (format!("{key}{}", " ".repeat(wide - text::width(&key))), does, theme.quiet)));
    if !circuit.overview.leading().is_empty() {
        lines.push((String::new(), "worth pinning, by influence", theme.strong));
    }
    let first = lines.len() as u16;
    for ((key, says, style), at) in lines.iter().zip(0..room.height) {
        let mut pen = Pen::new(buf, room, at);
        pen.put(key, theme.accent);
        pen.put(&glyphs.fit(says, pen.room()), *style);
    }
    let kept = circuit.kept();
    let all: f64 = kept.influence.iter().sum();
    for (node, line) in circuit.overview.leading().iter().zip(first..room.height) {
        // A file's influences are not shares of a sum.
        let is_share = circuit.traced.document.graph.is_whole() && all > 0.0;
        let share = kept.influence.get(node.index()).filter(|_| is_share).map(|own| text::percent(own / all));
        let share = format!("{:>6}  ", share.as_deref().map_or("", str::trim_start));
        let mut pen = Pen::new(buf, room, line);
        pen.put(&share, theme.quiet);
        let name = glyphs.fit(&circuit.name(*node, glyphs), pen.room());
        pen.put(&name, theme.text);
    }
}
