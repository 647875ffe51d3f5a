//! How far the graph can be trusted, and how much of it is shown. Always there.

use crate::tui::app::State;
use crate::tui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(super) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let theme = &state.look.theme;
    let traced = &circuit.traced;
    let (graph, kept, scores) = (&traced.graph, &traced.kept, traced.scores);
    let thresholds = circuit.edit.thresholds();
    let at_least = state.look.glyphs.at_least;
    let full = area.width >= 118;
    let count = |n: usize| if full { text::thousands(n) } else { text::compact(n) };
    let label = |long: &'static str, short: &'static str| if area.width >= 100 { long } else { short };
    // What is being pruned anew still shows the old counts.
    let counts = if state.pruning.is_some() { theme.faint } else { theme.text };

    let mut facts: Vec<(String, String, Style)> = vec![
        (label("replacement", "repl").into(), format!("{:.3}", scores.replacement), theme.text),
        (label("completeness", "compl").into(), format!("{:.3}", scores.completeness), theme.text),
        ("nodes".into(), format!("{}/{}", count(kept.n_nodes()), count(graph.n_nodes())), counts),
        ("edges".into(), format!("{}/{}", count(kept.n_edges()), count(graph.n_edges())), counts),
        (
            if full { format!("keeping {at_least}") } else { at_least.into() },
            format!("{:.2} {:.2}", thresholds.node, thresholds.edge),
            theme.text,
        ),
    ];
    if full {
        facts.pop();
        facts.push(("node threshold".into(), format!("{:.2}", thresholds.node), theme.text));
        facts.push(("edge threshold".into(), format!("{:.2}", thresholds.edge), theme.text));
    }
    let n_pins = circuit.edit.pins().count();
    if n_pins > 0 {
        facts.push(("pins".into(), n_pins.to_string(), theme.text));
    }
    if graph.is_partial() {
        facts.insert(0, ("partial".into(), String::new(), theme.alert));
    }

    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let needed = |gap: u16| {
        facts
            .iter()
            .map(|(label, value, _)| text::width(label) + text::width(value) + 1 + usize::from(gap))
            .sum::<usize>()
    };
    let gap = if needed(4) <= usize::from(line.width) { 4 } else { 2 };
    let mut pen = super::Pen::new(buf, line, 0);
    for (label, value, style) in facts {
        if value.is_empty() {
            pen.put(&label, style);
        } else {
            pen.put(&label, theme.quiet);
            pen.skip(1);
            pen.put(&value, style);
        }
        pen.skip(gap);
    }
}
