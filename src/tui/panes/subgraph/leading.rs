//! What the pane is for, and what is worth pinning, while nothing is pinned.

use crate::graph::InfluenceOf;
use crate::text;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::{Pen, wrap};
use crate::tui::workspace::Circuit;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(state: &State, circuit: &Circuit, room: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let width = usize::from(room.width).max(1);
    let [pin, group, propose] = ["pin", "edit-group", "edit-proposals"].map(|name| key_of(name, state));
    let says = format!(
        "What is pinned is drawn here as a circuit: {pin} pins the selected node, {group} groups chosen nodes, {propose} \
         proposes groups"
    );
    let mut lines: Vec<_> = wrap(&says, width).into_iter().map(|line| (line, theme.quiet)).collect();
    if !circuit.overview.leading().is_empty() {
        lines.push(("worth pinning, by influence".to_owned(), theme.strong));
    }
    let first = lines.len() as u16;
    for ((line, style), at) in lines.iter().zip(0..room.height) {
        Pen::new(buf, room, at).put(line, *style);
    }
    let kept = circuit.kept();
    let all: f64 = kept.influence.iter().sum();
    for (node, line) in circuit.overview.leading().iter().zip(first..room.height) {
        // A file's influences are not shares of a sum.
        let is_share = matches!(circuit.traced.document.graph.influence_of(), InfluenceOf::Whole) && all > 0.0;
        let share = kept.influence.get(node.index()).filter(|_| is_share).map(|own| text::percent(own / all));
        let share = format!("{:>6}  ", share.as_deref().map_or("", str::trim_start));
        let mut pen = Pen::new(buf, room, line);
        pen.put(&share, theme.quiet);
        let name = glyphs.fit(&circuit.name(*node, glyphs), pen.room());
        pen.put(&name, theme.text);
    }
}
