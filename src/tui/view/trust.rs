//! How far the graph can be trusted, and how much of it is shown. Always there.

use super::Pen;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A label and what it says.
type Fact = (&'static str, String, Style);

/// How much is spelled out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Bare,
    Short,
    Full,
}

pub(super) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let width = |facts: &[Fact], gap: usize| -> usize {
        facts.iter().map(|(label, value, _)| text::width(label) + 1 + text::width(value) + gap).sum::<usize>() - gap
    };
    let room = usize::from(line.width);
    let ladder = [(Detail::Full, 4), (Detail::Full, 2), (Detail::Short, 3), (Detail::Short, 2), (Detail::Bare, 1)];
    let fitting = ladder.into_iter().map(|(detail, gap)| (facts(state, circuit, detail), gap));
    let Some((facts, gap)) = fitting.into_iter().find(|(facts, gap)| width(facts, *gap) <= room || *gap == 1) else {
        return;
    };
    let mut pen = Pen::new(buf, line, 0);
    for (label, value, style) in facts {
        pen.put(label, if value.is_empty() { style } else { state.look.theme.quiet });
        if !value.is_empty() {
            pen.skip(1);
            pen.put(&value, style);
        }
        pen.skip(gap as u16);
    }
}

fn facts(state: &State, circuit: &Circuit, detail: Detail) -> Vec<Fact> {
    let theme = &state.look.theme;
    let traced = &circuit.traced;
    let (graph, kept, scores) = (&traced.document.graph, &traced.kept, traced.scores);
    let now = circuit.edits.now();
    // While it is being pruned anew, what is shown are the old counts.
    let counts = if state.pruning.is_some() { theme.faint } else { theme.text };
    let at_least = state.look.glyphs.at_least;
    let label = |full, short, bare| match detail {
        Detail::Full => full,
        Detail::Short => short,
        Detail::Bare => bare,
    };
    let score = |value: f64| match detail {
        Detail::Bare => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    let share = |kept: usize, all: usize, threshold: f64| match detail {
        Detail::Full => format!("{} of {} at threshold {threshold:.2}", text::thousands(kept), text::thousands(all)),
        Detail::Short => format!("{}/{} {at_least}{threshold:.2}", text::compact(kept), text::compact(all)),
        Detail::Bare => format!("{}/{}", text::compact(kept), text::compact(all)),
    };
    let mut facts = Vec::new();
    if graph.is_partial() {
        facts.push((label("partial", "partial", "partial"), String::new(), theme.alert));
    }
    facts.push((label("replacement", "repl", "r"), score(scores.replacement), theme.text));
    facts.push((label("completeness", "compl", "c"), score(scores.completeness), theme.text));
    let nodes = share(kept.n_nodes(), graph.n_nodes(), now.thresholds.node);
    facts.push((label("nodes", "nodes", "n"), nodes, counts));
    let edges = share(kept.n_edges(), graph.n_edges(), now.thresholds.edge);
    facts.push((label("edges", "edges", "e"), edges, counts));
    if !now.pins.is_empty() && detail > Detail::Bare {
        facts.push(("pins", now.pins.len().to_string(), theme.text));
    }
    if !circuit.kit.chosen.is_empty() {
        facts.push((label("chosen", "chosen", "ch"), circuit.kit.chosen.len().to_string(), theme.accent));
    }
    facts
}
