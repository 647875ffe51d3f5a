//! Whether the graph is true: an edge, a subgraph, or all of it, against what the model does.

mod edge;
mod graph;
mod pairs;

use super::folio::{self, Line};
use crate::graph::Extent;
use crate::ids::NodeId;
use crate::text;
use crate::tui::app::{Pane, State};
use crate::tui::circuit::Circuit;
use crate::tui::layout::inner;
use crate::tui::truth::{Shown, View};
use crate::tui::view::{key_of, popup_room};
use crate::verify::{Answer, Pairs, Question};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The largest popup.
const LARGEST: (u16, u16) = (132, 38);

/// An edge takes less, so that more of the graph stays in sight; and as much from edge to edge, where that suffices.
const OF_EDGE: (u16, u16) = (104, 19);

/// Lines of the head: what can be checked, what is, and an empty one.
const HEAD: u16 = 3;

/// What the popup holds below its head.
enum Body<'a> {
    Lines(Vec<Line>),
    Pairs(&'a Pairs),
}

/// Draws the popup.
pub fn render(state: &State, screen: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let (width, height, body) = layout(state, circuit, screen);
    let area = super::open(screen, width, height, "is it true?", &state.look, buf);
    if area.is_empty() {
        return;
    }
    folio::draw(&head(state, circuit), 0, Rect { height: HEAD.min(area.height), ..area }, &state.look, buf);
    let below = below(area);
    match body {
        Body::Lines(lines) => {
            let from = circuit.truth.row.min(lines.len().saturating_sub(usize::from(below.height)));
            folio::draw(&lines, from, below, &state.look, buf);
        }
        Body::Pairs(found) => pairs::render(circuit, found, below, &state.look, buf),
    }
}

/// How large the popup is, and what it holds.
fn layout<'a>(state: &State, circuit: &'a Circuit, screen: Rect) -> (u16, u16, Body<'a>) {
    let is_of_edge = circuit.truth.view == View::Edge;
    let width = screen.width.saturating_sub(4).min(if is_of_edge { OF_EDGE.0 } else { LARGEST.0 });
    let body = body(state, circuit, inner(Rect { x: 0, y: 0, width, height: 3 }).width);
    let height = match &body {
        Body::Lines(lines) if is_of_edge => (lines.len() as u16).saturating_add(HEAD + 2).clamp(OF_EDGE.1, LARGEST.1),
        _ => LARGEST.1,
    };
    (width, height.min(screen.height), body)
}

fn below(area: Rect) -> Rect {
    Rect { y: area.y.saturating_add(HEAD), height: area.height.saturating_sub(HEAD), ..area }
}

/// The last pair that can be chosen, or the last line that can stand on top.
pub(in crate::tui) fn last_row(state: &State) -> usize {
    let Some(circuit) = &state.circuit else { return 0 };
    let (width, height, body) = layout(state, circuit, popup_room(state.size));
    let below = below(inner(Rect { x: 0, y: 0, width, height }));
    match body {
        Body::Lines(lines) => lines.len().saturating_sub(usize::from(below.height)),
        Body::Pairs(found) => found.all.len().saturating_sub(1),
    }
}

/// The pairs that are shown.
pub(in crate::tui) fn pairs(circuit: &Circuit) -> Option<&Pairs> {
    match circuit.truth.shown() {
        Shown::Known(Some(Answer::Subgraph(pairs)), _) => Some(pairs),
        _ => None,
    }
}

/// What can be checked, and what is.
fn head(state: &State, circuit: &Circuit) -> Vec<Line> {
    let (theme, glyphs, truth) = (&state.look.theme, &state.look.glyphs, &circuit.truth);
    let mut tabs = Line::new();
    for view in View::ALL {
        let name = view.name();
        tabs.push(if view == truth.view {
            (format!("[{name}] "), theme.strong)
        } else {
            (format!(" {name}  "), theme.quiet)
        });
    }
    let about = match truth.question() {
        Some(Question::Edge { source, target }) => {
            if state.focus != Pane::Tree {
                let (side, links) = (circuit.side.name(), circuit.links().kept.len());
                tabs.push((format!("  {side} {} of {links}", circuit.row + 1), theme.quiet));
            }
            let name = |id: NodeId| circuit.name(id, glyphs);
            format!("{} {} {}", name(*source), glyphs.to_output, name(*target))
        }
        Some(Question::Subgraph { sources, freeze }) => {
            tabs.push((format!("  mode: {}", freeze.name()), theme.quiet));
            format!("{}, each set to 0 by itself", features(circuit, sources))
        }
        Some(Question::Graph { sources, freeze, .. }) => {
            tabs.push((format!("  mode: {}", freeze.name()), theme.quiet));
            format!("all of the graph; perturbations of {}", features(circuit, sources))
        }
        Some(Question::Heads { .. }) | None => String::new(),
    };
    vec![tabs, vec![(about, theme.text)], Line::new()]
}

/// Which features are meant, in words.
fn features(circuit: &Circuit, sources: &[NodeId]) -> String {
    if sources.iter().any(|id| circuit.is_pinned(*id)) {
        format!("{} pinned", text::counted(sources.len(), "feature"))
    } else if sources.len() < circuit.truth.top {
        format!("all {} that are kept", text::counted(sources.len(), "feature"))
    } else {
        format!("the {} most influential features", sources.len())
    }
}

/// What is found, or said in place of that.
fn body<'a>(state: &State, circuit: &'a Circuit, width: u16) -> Body<'a> {
    let (look, width) = (&state.look, usize::from(width));
    let (answer, waits) = match circuit.truth.shown() {
        Shown::Why(why) => {
            let says = format!("{}; {} checks it again", look.glyphs.visible(why), key_of("verify-again", state));
            let says = if circuit.truth.question().is_some() { says } else { look.glyphs.visible(why) };
            return Body::Lines(folio::wrapped(&says, width, look.theme.alert));
        }
        Shown::Known(answer, waits) => (answer, waits),
    };
    let mut lines = match answer {
        Some(Answer::Subgraph(found)) => return Body::Pairs(found),
        Some(Answer::Edge(found)) => edge::lines(circuit, found, width, look),
        Some(Answer::Graph(found)) => graph::lines(circuit, found, width, look),
        Some(Answer::Heads(_)) | None => Vec::new(),
    };
    if answer.is_some()
        && let Some(caveat) = caveat(circuit)
    {
        lines.splice(0..0, folio::wrapped(caveat, width, look.theme.alert));
    }
    lines.extend(waits.then(|| folio::progress(state)));
    Body::Lines(lines)
}

/// What a reader must know before believing a prediction.
fn caveat(circuit: &Circuit) -> Option<&'static str> {
    let document = &circuit.traced.document;
    match document.origin.extent {
        Extent::PrePruned { .. } => {
            Some("The graph was pruned before it was written: sums over its paths lack what was left out.")
        }
        _ if document.graph.is_partial() => {
            Some("The trace is partial: sums over its paths lack those that pass features without a row.")
        }
        Extent::Whole | Extent::Partial => None,
    }
}
