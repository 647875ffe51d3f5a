//! Split of a connection by the attention heads that it passes.

use crate::graph::{EdgeParts, HeadPart};
use crate::ids::NodeId;
use crate::text;
use crate::tui::dialogs::Dialog;
use crate::tui::dialogs::head::update::open_head_of_edge;
use crate::tui::dialogs::verify::panel::Shown;
use crate::tui::dialogs::verify::update::{CHECK, close_verification, move_in_verification, turn_link};
use crate::tui::keymap::{Context, commands};
use crate::tui::screen::inner;
use crate::tui::state::State;
use crate::tui::ui::folio;
use crate::tui::ui::folio::{Line, left, number, right};
use crate::tui::workspace::Circuit;
use crate::verify::{Answer, Question};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::ops::Range;

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
    let Some(circuit) = &state.workspace.circuit else { return };
    let (width, height) = size(screen);
    let (lines, heads) = lines(state, circuit, width);
    let height = height.min(lines.len() as u16 + 2).max(5);
    let area = crate::tui::ui::open(screen, width, height, "attention heads", &state.screen.look, buf);
    let (row, room) = (circuit.verification.row, usize::from(area.height));
    // The last head brings what stands below it along.
    let chosen = heads.start + row;
    let most = lines.len().saturating_sub(room);
    let from = if row + 1 >= heads.len() && row > 0 { most } else { (chosen + 1).saturating_sub(room).min(most) };
    folio::draw(&lines, from, area, &state.screen.look, buf);
    if let Some(line) = chosen.checked_sub(from).filter(|line| heads.contains(&chosen) && *line < room) {
        let line = Rect { y: area.y + line as u16, height: 1, ..area };
        buf.set_style(line, state.screen.look.theme.selection);
    }
}

fn size(screen: Rect) -> (u16, u16) {
    (screen.width.saturating_sub(4).min(LARGEST.0), screen.height.min(LARGEST.1))
}

/// Returns the index of the last head that can be chosen.
pub(in crate::tui) fn last_head(state: &State) -> usize {
    match state.workspace.circuit.as_ref().map(|circuit| circuit.verification.shown()) {
        Some(Shown::Known(Some(Answer::Heads(split)), _)) => split.heads.len().saturating_sub(1),
        _ => 0,
    }
}

/// Builds the lines, and returns which of them are heads.
fn lines(state: &State, circuit: &Circuit, width: u16) -> (Vec<Line>, Range<usize>) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let width = usize::from(inner(Rect { x: 0, y: 0, width, height: 3 }).width);
    let (mut lines, mut heads) = (Vec::new(), 0..0);
    let Some(Question::Heads { source, target }) = circuit.verification.question() else {
        if let Shown::Why(why) = circuit.verification.shown() {
            lines.extend(folio::wrapped(&glyphs.visible(why), width, theme.alert));
        }
        return (lines, heads);
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
            let before = lines.len();
            let (parts, of_parts) = parts(split, width, state);
            lines.extend(parts);
            heads = before + of_parts.start..before + of_parts.end;
        }
        Shown::Known(_, waits) => lines.extend(waits.then(|| folio::progress(CHECK, state))),
    }
    (lines, heads)
}

fn parts(split: &EdgeParts, width: usize, state: &State) -> (Vec<Line>, Range<usize>) {
    let (theme, look) = (&state.screen.look.theme, &state.screen.look);
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
        return (lines, 0..0);
    };
    let titles = ["alone", "first", "last"].map(|title| right(title, NUMBER)).concat();
    lines.push(vec![(left("layer.head", NAME, look) + &titles, theme.quiet)]);
    let room = width.saturating_sub(NAME + 3 * NUMBER + 2);
    let first = lines.len();
    for head in &heads {
        let larger = if head.first.abs() >= head.last.abs() { head.first } else { head.last };
        let share = f64::from(head.size()) / f64::from(largest.max(f32::MIN_POSITIVE));
        let mut line = vec![(left(&head.head.to_string(), NAME, look), theme.text)];
        line.extend([head.alone, head.first, head.last].map(|value| number(value.into(), NUMBER, look)));
        line.push((format!("  {}", look.glyphs.bar(share, room)), theme.sign(larger)));
        lines.push(line);
    }
    let last = lines.len();
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
    (lines, first..last)
}

const HEADS: Context = Context::dialog("heads");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "heads-down", Test, HEADS, ["Down", "j"], Some("choose"), |s, _| move_in_verification(s, 1), "A head further";
    "heads-up", Test, HEADS, ["Up", "k"], Some("choose"), |s, _| move_in_verification(s, -1), "A head back";
    "heads-next", Test, HEADS, ["Right", "l"], Some("edge"), |s, _| turn_link(s, 1), "Split the node's next connection";
    "heads-previous", Test, HEADS, ["Left", "h"], Some("edge"), |s, _| turn_link(s, -1), "Split the node's connection before";
    "heads-open", Test, HEADS, ["Enter"], Some("why it looks"), |s, _| open_head_of_edge(s), "Open this head: where it looks, and why";
    "heads-page-down", Test, HEADS, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| move_in_verification(s, 10), "Ten heads further";
    "heads-page-up", Test, HEADS, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| move_in_verification(s, -10), "Ten heads back";
    "heads-first", Test, HEADS, ["g", "Home"], None, |s, _| move_in_verification(s, isize::MIN), "To the head that carries most";
    "heads-last", Test, HEADS, ["G", "End"], None, |s, _| move_in_verification(s, isize::MAX), "To the last head";
    "heads-close", Test, HEADS, ["Esc", "q"], Some("back"), |s, _| close_verification(s), "Leave the heads";
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
