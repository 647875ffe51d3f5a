//! Scores of how far the graph can be trusted, and counts of the kept part. Always shown.

use super::Pen;
use crate::graph::{Extent, InfluenceOf};
use crate::text;
use crate::tui::act::PRUNE;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::subgraph::Pinned;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Label, value and style of a fact.
type Fact = (&'static str, String, Style);

/// Length of the facts' wording.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Bare,
    Tight,
    Brief,
    Short,
    Medium,
    Full,
}

pub(super) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let width = |facts: &[Fact], gap: usize| -> usize {
        let one =
            |(label, value, _): &Fact| text::width(label) + usize::from(!value.is_empty()) + text::width(value) + gap;
        facts.iter().map(one).sum::<usize>() - gap
    };
    let room = usize::from(line.width);
    let ladder = [
        (Detail::Full, 4),
        (Detail::Full, 2),
        (Detail::Medium, 3),
        (Detail::Medium, 2),
        (Detail::Short, 3),
        (Detail::Short, 2),
        (Detail::Brief, 2),
        (Detail::Tight, 1),
        (Detail::Bare, 1),
    ];
    let fitting = ladder.into_iter().map(|(detail, gap)| (facts(state, circuit, detail), gap, detail));
    let fits =
        |(facts, gap, detail): &(Vec<Fact>, usize, Detail)| width(facts, *gap) <= room || *detail == Detail::Bare;
    let Some((facts, gap, _)) = fitting.into_iter().find(fits) else {
        return;
    };
    let mut pen = Pen::new(buf, line, 0);
    for (label, value, style) in facts {
        let is_mark = value.is_empty() || style == state.look.theme.alert;
        pen.put(label, if is_mark { style } else { state.look.theme.quiet });
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
    // While the graph is being pruned anew, the counts are old.
    let counts = if state.jobs.is_waiting(PRUNE) { theme.faint } else { theme.text };
    let label = |full, short, bare| match detail {
        Detail::Full | Detail::Medium => full,
        Detail::Short | Detail::Brief => short,
        Detail::Tight | Detail::Bare => bare,
    };
    let score = |value: f64| match detail {
        Detail::Tight | Detail::Bare => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    // Computed influences are shares held, and kept nodes have at least the threshold; where a file gives influence, at
    // most.
    let (at_least, at_most) = (state.look.glyphs.at_least, state.look.glyphs.at_most);
    let is_of_file = matches!(graph.influence_of(), InfluenceOf::File(_));
    let share = |kept: usize, all: usize, threshold: f64, is: &str| match detail {
        Detail::Full => format!("{} of {} at threshold {threshold:.2}", text::thousands(kept), text::thousands(all)),
        Detail::Medium => format!("{} of {} {is}{threshold:.2}", text::thousands(kept), text::thousands(all)),
        Detail::Short => format!("{}/{} {is}{threshold:.2}", text::compact(kept), text::compact(all)),
        // The counts themselves show that everything is kept.
        Detail::Tight if threshold < 1.0 => {
            let threshold = format!("{threshold:.2}");
            format!("{}/{}{is}{}", text::compact(kept), text::compact(all), threshold.trim_start_matches('0'))
        }
        Detail::Brief | Detail::Tight | Detail::Bare => format!("{}/{}", text::compact(kept), text::compact(all)),
    };
    let percent = |share: f64| match detail {
        Detail::Tight | Detail::Bare => format!("{:.0}%", 100.0 * share),
        _ => text::percent(share).trim_start().to_owned(),
    };
    let mut facts: Vec<Fact> =
        marks(circuit, detail).into_iter().map(|(mark, value)| (mark, value, theme.alert)).collect();
    // Scores computed on a graph that was pruned before are not those of the whole, and stand apart under a name of
    // their own.
    let is_whole = graph.is_whole();
    let computed = [
        (label("replacement", "repl", "r"), score(scores.replacement), theme.text),
        (label("completeness", "compl", "c"), score(scores.completeness), theme.text),
    ];
    if is_whole {
        facts.extend(computed.clone());
    }
    let nodes =
        share(kept.n_nodes(), graph.n_nodes(), now.thresholds.node, if is_of_file { at_most } else { at_least });
    facts.push((label("nodes", "nodes", "n"), nodes, counts));
    let edges = share(kept.n_edges(), graph.n_edges(), now.thresholds.edge, at_least);
    facts.push((label("edges", "edges", "e"), edges, counts));
    if now.thresholds.density < 1.0 {
        // Without densities, no node is left out for its density.
        let (note, style) = if traced.document.densities.is_empty() { (" unknown", theme.alert) } else { ("", counts) };
        let density = format!("{}{}{note}", label("at most ", "", ""), now.thresholds.density);
        facts.push((label("density", "dens", "d"), density, style));
    }
    let influence = (label("influence", "infl", "i"), percent(circuit.influence_kept), counts);
    if is_whole {
        facts.push(influence.clone());
    }
    if let Some(errors) = circuit.error_share() {
        facts.push((label("errors", "err", "x"), percent(errors), theme.text));
    }
    if !is_whole && !graph.is_cyclic() {
        facts.push((label("recomputed:", "recomp:", "re:"), String::new(), theme.quiet));
        facts.extend(computed.into_iter().chain([influence]));
    }
    if !now.pins.is_empty() {
        let subgraph = &circuit.subgraph;
        let is_known = subgraph.pinned == Pinned::of(now);
        let scores = [subgraph.scores.replacement, subgraph.scores.completeness]
            .map(|value| if is_known { score(value) } else { state.look.glyphs.ellipsis.to_owned() });
        let of_scores = if graph.is_cyclic() { String::new() } else { format!(" {}/{}", scores[0], scores[1]) };
        facts.push((label("pins", "pins", "p"), format!("{}{of_scores}", now.pins.len()), theme.text));
    }
    if let (Some(filter), true) =
        (circuit.marks.filter.as_ref().filter(|filter| !filter.is_off), detail > Detail::Tight)
    {
        let filter_text = state.look.glyphs.fit(&state.look.glyphs.visible(&filter.text), 24);
        facts.push((if filter.hides { "only" } else { "filter" }, filter_text, theme.accent));
    }
    if !circuit.marks.chosen.is_empty() {
        facts.push((label("chosen", "chosen", "ch"), circuit.marks.chosen.len().to_string(), theme.accent));
    }
    facts
}

/// Returns the warnings that a reader must know before believing the numbers.
fn marks(circuit: &Circuit, detail: Detail) -> Vec<(&'static str, String)> {
    let document = &circuit.traced.document;
    let mut marks = Vec::new();
    match document.origin.extent {
        Extent::Whole if !document.graph.is_partial() => {}
        Extent::Whole | Extent::Partial => marks.push(("partial", String::new())),
        Extent::PrePruned { node, edge } => {
            let at: Vec<String> =
                [node, edge].into_iter().flatten().map(|threshold| format!("{threshold:.2}")).collect();
            let at =
                if at.is_empty() || detail < Detail::Medium { String::new() } else { format!("at {}", at.join("/")) };
            marks.push(("pre-pruned", at));
        }
    }
    if document.graph.is_cyclic() {
        let says = if detail < Detail::Medium { "" } else { "its links form a cycle: no scores" };
        marks.push(("cyclic", says.to_owned()));
    }
    let is_warned = document.trace.as_ref().is_some_and(|trace| !trace.provenance.warnings.is_empty());
    if is_warned || !document.foreign.warnings.is_empty() {
        marks.push((if detail > Detail::Tight { "warned" } else { "!" }, String::new()));
    }
    if is_half(&document.origin.dtype) {
        marks.push((if detail < Detail::Medium { "half" } else { "half precision" }, String::new()));
    }
    marks
}

/// Returns true where a type, however it is written, has sixteen bits or fewer.
fn is_half(dtype: &str) -> bool {
    let dtype = dtype.to_ascii_lowercase();
    ["bf16", "bfloat16", "f16", "float16", "half", "f8", "float8"].iter().any(|half| dtype.ends_with(half))
}
