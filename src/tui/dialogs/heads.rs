//! Split of a connection by the attention heads that it passes.

use crate::attribution::{HeadPart, HeadSplit};
use crate::ids::NodeId;
use crate::text;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::layout::inner;
use crate::tui::ui::folio::{self, Line, left, number, right};
use crate::tui::verification::Shown;
use crate::tui::view::dialog_room;
use crate::verify::{Answer, Question};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Largest size of the dialog.
const LARGEST: (u16, u16) = (96, 34);

/// Cells of a number.
const NUMBER: usize = 10;

/// Cells of a head's name.
const NAME: usize = 12;

/// Dialog that splits the chosen connection by attention heads.
pub struct Heads;

/// Draws the split.
fn draw(state: &State, screen: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let (width, height) = size(screen);
    let lines = lines(state, circuit, width);
    let height = height.min(lines.len() as u16 + 2).max(5);
    let area = crate::tui::ui::open(screen, width, height, "attention heads", &state.look, buf);
    let from = circuit.verification.row.min(lines.len().saturating_sub(usize::from(area.height)));
    folio::draw(&lines, from, area, &state.look, buf);
}

fn size(screen: Rect) -> (u16, u16) {
    (screen.width.saturating_sub(4).min(LARGEST.0), screen.height.min(LARGEST.1))
}

/// Returns the last line that can stand on top.
pub(in crate::tui) fn overflow(state: &State) -> usize {
    let Some(circuit) = &state.circuit else { return 0 };
    let (width, height) = size(dialog_room(state.size));
    let room = inner(Rect { x: 0, y: 0, width, height }).height;
    lines(state, circuit, width).len().saturating_sub(usize::from(room))
}

fn lines(state: &State, circuit: &Circuit, width: u16) -> Vec<Line> {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let width = usize::from(inner(Rect { x: 0, y: 0, width, height: 3 }).width);
    let mut lines = Vec::new();
    let Some(Question::Heads { source, target }) = circuit.verification.question() else {
        if let Shown::Why(why) = circuit.verification.shown() {
            lines.extend(folio::wrapped(&glyphs.visible(why), width, theme.alert));
        }
        return lines;
    };
    let name = |id: &NodeId| circuit.name(*id, glyphs);
    let ends = format!("{} {} {}", name(source), glyphs.to_output, name(target));
    lines.push(vec![(ends, theme.strong)]);
    match circuit.verification.shown() {
        Shown::Why(why) => lines.extend(folio::wrapped(&glyphs.visible(why), width, theme.alert)),
        Shown::Known(Some(Answer::Heads(split)), _) => {
            let graph = &circuit.traced.document.graph;
            let edge = graph.outgoing(*source).find(|edge| edge.target == *target);
            if let Some(edge) = edge.filter(|edge| !split.is_of(edge.weight)) {
                let says = format!(
                    "The graph's edge weighs {}, and with this model and transcoder {}: are they those that it was made \
                     with?",
                    text::weight(edge.weight),
                    text::weight(split.total)
                );
                lines.extend(folio::wrapped(&says, width, theme.alert));
            }
            lines.extend(parts(split, width, state));
        }
        Shown::Known(_, waits) => lines.extend(waits.then(|| folio::progress(state))),
    }
    lines
}

fn parts(split: &HeadSplit, width: usize, state: &State) -> Vec<Line> {
    let (theme, look) = (&state.look.theme, &state.look);
    let part = |value: f32, says: &str| vec![number(value.into(), NUMBER, look), (format!("  {says}"), theme.text)];
    let mut lines = vec![
        Line::new(),
        part(split.stays, "through no head, along the residual stream"),
        part(split.alone(), "through one head alone"),
        part(split.chained(), "through two heads or more"),
        vec![number(split.total.into(), NUMBER, look), ("  the edge, their sum".to_owned(), theme.strong)],
        Line::new(),
    ];
    let heads = split.strongest();
    let Some(largest) = heads.first().map(HeadPart::size) else {
        lines.push(vec![("No attention layer lies between source and target.".to_owned(), theme.quiet)]);
        return lines;
    };
    let titles = ["alone", "first", "last"].map(|title| right(title, NUMBER)).concat();
    lines.push(vec![(left("layer.head", NAME, look) + &titles, theme.quiet)]);
    let room = width.saturating_sub(NAME + 3 * NUMBER + 2);
    for head in &heads {
        let larger = if head.first.abs() >= head.last.abs() { head.first } else { head.last };
        let share = f64::from(head.size()) / f64::from(largest.max(f32::MIN_POSITIVE));
        let mut line = vec![(left(&format!("{}.{}", head.layer, head.head), NAME, look), theme.text)];
        line.extend([head.alone, head.first, head.last].map(|value| number(value.into(), NUMBER, look)));
        line.push((format!("  {}", look.glyphs.bar(share, room)), theme.sign(larger)));
        lines.push(line);
    }
    lines.push(Line::new());
    let sum = |of: fn(&HeadPart) -> f32| split.stays + heads.iter().map(of).sum::<f32>();
    let sums = [sum(|head| head.first), sum(|head| head.last)].map(text::weight);
    let says = format!(
        "First, and last, is what passes a head before, or after, all others on the way; with what passes none, all that is \
         first adds up to {}, and all that is last to {}.",
        sums[0], sums[1]
    );
    lines.extend(folio::wrapped(&says, width, theme.quiet));
    if split.n_layers() == 1 {
        let says = "One attention layer lies between, so that each head's part is exact by itself.";
        lines.extend(folio::wrapped(says, width, theme.quiet));
    }
    lines
}

const HEADS: Context = Context::dialog("heads");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "heads-down", Test, HEADS, ["Down", "j"], Some("scroll"), |s, _| act::move_in_verification(s, 1), "A head further";
    "heads-up", Test, HEADS, ["Up", "k"], Some("scroll"), |s, _| act::move_in_verification(s, -1), "A head back";
    "heads-next", Test, HEADS, ["Right", "l"], Some("edge"), |s, _| act::turn_link(s, 1), "Split the node's next connection";
    "heads-previous", Test, HEADS, ["Left", "h"], Some("edge"), |s, _| act::turn_link(s, -1), "Split the node's connection before";
    "heads-page-down", Test, HEADS, ["PageDown"], None, |s, _| act::move_in_verification(s, 10), "Ten heads further";
    "heads-page-up", Test, HEADS, ["PageUp"], None, |s, _| act::move_in_verification(s, -10), "Ten heads back";
    "heads-close", Test, HEADS, ["Esc", "q"], Some("back"), |s, _| act::close_verification(s), "Leave the heads";
}

impl Dialog for Heads {
    fn context(&self) -> Context {
        HEADS
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        draw(state, screen, buf);
        None
    }
}
