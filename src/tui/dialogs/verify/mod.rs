//! Verification of the graph against the model: of an edge, a subgraph, or all of it.

mod edge;
mod graph;
mod pairs;
pub mod panel;
mod scatter;
pub(in crate::tui) mod update;

use crate::graph::Extent;
use crate::ids::NodeId;
use crate::text;
use crate::tui::dialogs::Dialog;
use crate::tui::dialogs::verify::panel::{Shown, View};
use crate::tui::keymap::{Context, commands};
use crate::tui::panes::tree;
use crate::tui::screen::{inner, key_of};
use crate::tui::state::State;
use crate::tui::ui::folio;
use crate::tui::ui::folio::Line;
use crate::tui::workspace::Circuit;
use crate::verify::{Answer, Pairs, Question};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Largest size of the dialog.
const LARGEST: (u16, u16) = (132, 38);

/// Size for an edge: smaller, so that more of the graph stays in sight; the same from edge to edge, where that
/// suffices.
const OF_EDGE: (u16, u16) = (104, 19);

/// Lines of the head: the checks, the subject of the chosen one, and an empty line.
const HEAD: u16 = 3;

/// Content of the dialog below its head.
enum Body<'a> {
    Lines(Vec<Line>),
    Pairs(&'a Pairs),
}

/// Dialog of the checks of the graph, which the circuit keeps.
pub struct Verify;

/// Draws the dialog.
fn draw(state: &State, screen: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let (width, height, body) = layout(state, circuit, screen);
    let area = crate::tui::ui::open(screen, width, height, "is it true?", &state.screen.look, buf);
    if area.is_empty() {
        return;
    }
    folio::draw(&head(state, circuit), 0, Rect { height: HEAD.min(area.height), ..area }, &state.screen.look, buf);
    let below = below(area);
    match body {
        Body::Lines(lines) => {
            let from = circuit.verification.row.min(lines.len().saturating_sub(usize::from(below.height)));
            folio::draw(&lines, from, below, &state.screen.look, buf);
        }
        Body::Pairs(found) => pairs::render(circuit, found, below, &state.screen.look, buf),
    }
}

/// Returns the size of the dialog and its content.
fn layout<'a>(state: &State, circuit: &'a Circuit, screen: Rect) -> (u16, u16, Body<'a>) {
    let is_of_edge = circuit.verification.view == View::Edge;
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

/// Returns the last pair that can be chosen, or the last line that can stand on top.
pub(in crate::tui) fn last_row(state: &State) -> usize {
    let Some(circuit) = &state.workspace.circuit else { return 0 };
    let (width, height, body) = layout(state, circuit, state.screen.dialog_room());
    let below = below(inner(Rect { x: 0, y: 0, width, height }));
    match body {
        Body::Lines(lines) => lines.len().saturating_sub(usize::from(below.height)),
        Body::Pairs(found) => found.all.len().saturating_sub(1),
    }
}

/// Returns the pairs on the screen.
pub(in crate::tui) fn pairs(circuit: &Circuit) -> Option<&Pairs> {
    match circuit.verification.shown() {
        Shown::Known(Some(Answer::Subgraph(pairs)), _) => Some(pairs),
        _ => None,
    }
}

/// Builds the head: the checks, and the subject of the chosen one.
fn head(state: &State, circuit: &Circuit) -> Vec<Line> {
    let (theme, glyphs, panel) = (&state.screen.look.theme, &state.screen.look.glyphs, &circuit.verification);
    let mut tabs = Line::new();
    for view in View::ALL {
        let name = view.name();
        tabs.push(if view == panel.view {
            (format!("[{name}] "), theme.strong)
        } else {
            (format!(" {name}  "), theme.quiet)
        });
    }
    let about = match panel.question() {
        Some(Question::Edge { source, target }) => {
            if state.screen.focus != tree::PANE {
                let (side, links) = (circuit.connections.side.name(), circuit.connections.links().kept.len());
                tabs.push((format!("  {side} {} of {links}", circuit.connections.row + 1), theme.quiet));
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

/// Describes the features that are ablated.
fn features(circuit: &Circuit, sources: &[NodeId]) -> String {
    if sources.iter().any(|id| circuit.is_pinned(*id)) {
        format!("{} pinned", text::counted(sources.len(), "feature"))
    } else if sources.len() < circuit.verification.top {
        format!("all {} that are kept", text::counted(sources.len(), "feature"))
    } else {
        format!("the {} most influential features", sources.len())
    }
}

/// Builds the result of the check, or the message in its place.
fn body<'a>(state: &State, circuit: &'a Circuit, width: u16) -> Body<'a> {
    let (look, width) = (&state.screen.look, usize::from(width));
    let (answer, waits) = match circuit.verification.shown() {
        Shown::Why(why) => {
            let says = format!("{}; {} checks it again", look.glyphs.visible(why), key_of("verify-again", state));
            let says = if circuit.verification.question().is_some() { says } else { look.glyphs.visible(why) };
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
    lines.extend(waits.then(|| folio::progress(update::CHECK, state)));
    Body::Lines(lines)
}

/// Returns the caveat that a reader must know before believing a prediction.
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

const VERIFY: Context = Context::dialog("verify");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "verify-down", Test, VERIFY, ["Down", "j"], Some("scroll"), |s, _| update::move_in_verification(s, 1), "To the next pair, or a line further";
    "verify-up", Test, VERIFY, ["Up", "k"], Some("scroll"), |s, _| update::move_in_verification(s, -1), "To the pair before, or a line back";
    "verify-view", Test, VERIFY, ["Tab"], Some("view"), |s, _| update::turn_verification(s, 1), "From the edge to the subgraph, and to the graph";
    "verify-view-back", Test, VERIFY, ["Shift-Tab"], None, |s, _| update::turn_verification(s, -1), "From the graph back to the subgraph and the edge";
    "verify-next", Test, VERIFY, ["Right", "l"], Some("edge"), |s, _| update::turn_link(s, 1), "To the node's next connection";
    "verify-previous", Test, VERIFY, ["Left", "h"], Some("edge"), |s, _| update::turn_link(s, -1), "To the node's connection before";
    "verify-go", Test, VERIFY, ["Enter"], Some("go"), |s, _| update::go_to_ablated(s), "To the node that was ablated";
    "verify-mode", Test, VERIFY, ["m"], Some("mode"), |s, _| update::turn_verification_mode(s), "What stays frozen: direct, frozen attention, free";
    "verify-more", Test, VERIFY, ["+", "="], Some("features"), |s, _| update::ablate_more(s, 1), "Ablate five features more where none is pinned";
    "verify-fewer", Test, VERIFY, ["-"], Some("features"), |s, _| update::ablate_more(s, -1), "Ablate five features fewer where none is pinned";
    "verify-draw", Test, VERIFY, ["d"], Some("draw"), |s, _| update::toggle_plot(s), "The scatter plot for the table, where room is short";
    "verify-again", Test, VERIFY, ["r"], None, |s, _| update::check_again(s), "Check it again";
    "verify-page-down", Test, VERIFY, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| update::move_in_verification(s, 10), "Ten pairs or lines further";
    "verify-page-up", Test, VERIFY, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| update::move_in_verification(s, -10), "Ten pairs or lines back";
    "verify-first", Test, VERIFY, ["g", "Home"], None, |s, _| update::move_in_verification(s, isize::MIN), "To the worst disagreement, or the top";
    "verify-last", Test, VERIFY, ["G", "End"], None, |s, _| update::move_in_verification(s, isize::MAX), "To the best agreement, or the end";
    "verify-close", Test, VERIFY, ["Esc", "q"], Some("back"), |s, _| update::close_verification(s), "Leave it, and stop what is still being checked";
}

impl Dialog for Verify {
    fn context(&self) -> Context {
        VERIFY
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        draw(state, screen, buf);
        None
    }
}
