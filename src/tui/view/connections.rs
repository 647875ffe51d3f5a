//! The selected node's inputs and outputs, strongest first.

use super::{Pen, Side as End, first_line, free, note};
use crate::graph::{FeatureAt, NodeKind, Standing};
use crate::ids::NodeId;
use crate::tui::app::{Pane, State};
use crate::tui::circuit::{Circuit, Link, Listed, Order, Side};
use crate::tui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// From this many lines on inputs have one for their totals.
const WITH_TOTALS: u16 = 6;

pub(super) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    if inner.is_empty() {
        return;
    }
    let name = circuit.name(circuit.selected(), &state.look.glyphs);
    let shown = state.look.glyphs.fit(&name, free(area, &state.look, buf));
    note(area, End::Right, &[(&shown, state.look.theme.accent)], buf);
    for (side, area) in sections(circuit, inner) {
        section(state, circuit, side, area, buf);
    }
}

/// Which sides are listed, and where.
fn sections(circuit: &Circuit, inner: Rect) -> Vec<(Side, Rect)> {
    if inner.height < 14 {
        return vec![(circuit.side, inner)];
    }
    // Each side gets what it needs where it can, and the rest goes to the other.
    let need = |side: Side| circuit.links_of(side).kept.len().max(1) as u16 + if side == Side::Inputs { 2 } else { 1 };
    let (inputs, outputs) = (need(Side::Inputs), need(Side::Outputs));
    let room = inner.height - 1;
    let half = room / 2;
    let above = if inputs + outputs <= room || outputs <= half {
        inputs.min(room - outputs.min(half))
    } else if inputs <= half {
        inputs
    } else {
        room - half
    };
    let top = Rect { height: above, ..inner };
    let below = Rect { y: inner.y + above + 1, height: room - above, ..inner };
    vec![(Side::Inputs, top), (Side::Outputs, below)]
}

/// Where the rows of a side are, and the index of the first.
fn rows(circuit: &Circuit, side: Side, area: Rect) -> (Rect, usize) {
    let links = circuit.links_of(side);
    let head = 1 + u16::from(has_totals(circuit, side, area));
    let rows = Rect { y: area.y + head, height: area.height.saturating_sub(head), ..area };
    let cursor = if side == circuit.side { circuit.row } else { 0 };
    (rows, first_line(cursor, usize::from(rows.height), links.kept.len()))
}

fn has_totals(circuit: &Circuit, side: Side, area: Rect) -> bool {
    side == Side::Inputs && circuit.inputs.all > 0 && area.height >= WITH_TOTALS
}

/// The connection at a cell of the lists that are drawn in `inner`.
pub(in crate::tui) fn link_at(circuit: &Circuit, inner: Rect, cell: Position) -> Option<(Side, usize)> {
    sections(circuit, inner).into_iter().find_map(|(side, area)| {
        let (rows, from) = rows(circuit, side, area);
        let at = from + usize::from(cell.y.checked_sub(rows.y)?);
        (rows.contains(cell) && at < circuit.links_of(side).kept.len()).then_some((side, at))
    })
}

fn section(state: &State, circuit: &Circuit, side: Side, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let theme = &state.look.theme;
    let links = circuit.links_of(side);
    let followed = side == circuit.side;
    let mut pen = Pen::new(buf, area, 0);
    let title = match side {
        Side::Inputs => "inputs ",
        Side::Outputs => "outputs ",
    };
    pen.put(title, if followed { theme.strong } else { theme.text });
    let counts = format!(" {} of {} kept", text::thousands(links.n_kept()), text::thousands(links.all));
    pen.put(&counts, theme.quiet);
    if links.left_out > 0 {
        pen.put(&format!(", {} listed", text::thousands(links.kept.len())), theme.accent);
    }
    if circuit.listing.order == Order::Weight {
        pen.put(", by weight", theme.accent);
    }
    let has_note = side == Side::Inputs && links.n_kept() > 0;
    let note = format!("{} of all input", text::percent(links.share).trim_start());
    legend(state, circuit, if has_note { text::width(&note) + 3 } else { 0 }, &mut pen);
    if has_note {
        let gap = pen.room().saturating_sub(text::width(&note));
        if gap >= 3 {
            pen.skip(gap as u16);
            pen.put(&note, theme.quiet);
        }
    }
    if has_totals(circuit, side, area) {
        totals(state, circuit, Rect { y: area.y + 1, height: 1, ..area }, buf);
    }
    let (rows, from) = rows(circuit, side, area);
    let lines = usize::from(rows.height);
    if links.kept.is_empty() {
        let why = match (side, links.all) {
            _ if links.left_out > 0 => "none is of a kind that is listed",
            (Side::Inputs, 0) => "nothing flows into it",
            (Side::Outputs, 0) => "it flows into nothing",
            _ => "none is kept at these thresholds",
        };
        if lines > 0 {
            Pen::new(buf, rows, 0).put(why, theme.faint);
        }
        return;
    }
    let strongest = links.strongest();
    for (line, (at, link)) in links.kept.iter().enumerate().skip(from).take(lines).enumerate() {
        let cut = line + 1 == lines && at + 1 < links.kept.len();
        if cut {
            let more = format!("{} {} more", state.look.glyphs.ellipsis, text::thousands(links.kept.len() - at));
            Pen::new(buf, rows, line as u16).put(&more, theme.faint);
            break;
        }
        row(state, circuit, side, at, link, strongest, Rect { y: rows.y + line as u16, height: 1, ..rows }, buf);
    }
}

/// What the marks of edges that hang on the thresholds mean, where there is room for it and `rest` cells more.
fn legend(state: &State, circuit: &Circuit, rest: usize, pen: &mut Pen<'_>) {
    if circuit.standings.marked().is_none() {
        return;
    }
    let of = |standing: Standing| format!("{} {}", state.look.glyphs.standings[standing as usize], standing.name());
    let signs = [Standing::Core, Standing::Contingent, Standing::Noise].map(of).join(" ");
    if text::width(&signs) + 2 + rest <= pen.room() {
        pen.put(&format!("  {signs}"), state.look.theme.quiet);
    }
}

/// How much of the whole input comes from each kind of node, positive and negative, kept or not.
fn totals(state: &State, circuit: &Circuit, area: Rect, buf: &mut Buffer) {
    let theme = &state.look.theme;
    let totals = &circuit.totals;
    let all = totals.absolute();
    let kinds = [
        (["features", "feat"], totals.features, circuit.listing.shows(Listed::Features)),
        (["errors", "err"], totals.errors, circuit.listing.shows(Listed::Errors)),
        (["tokens", "tok"], totals.tokens, circuit.listing.shows(Listed::Tokens)),
        (["others", "oth"], totals.others, true),
    ];
    let share = |weight: f64| text::percent(weight.abs() / all).trim_start().to_owned();
    let pieces = |form: usize| -> Vec<(String, Style)> {
        let mut pieces = Vec::new();
        for (names, flow, listed) in kinds.iter().filter(|(_, flow, _)| flow.absolute() > 0.0) {
            let gap = if pieces.is_empty() { "" } else { "  " };
            pieces.push((format!("{gap}{}", names[form]), if *listed { theme.quiet } else { theme.faint }));
            for (sign, weight, style) in [('+', flow.positive, theme.positive), ('-', flow.negative, theme.negative)] {
                if weight != 0.0 {
                    pieces.push((format!(" {sign}{}", share(weight)), style));
                }
            }
        }
        if totals.left_out > 0.0 {
            pieces.push((format!("  not stored {}", share(totals.left_out)), theme.quiet));
        }
        pieces
    };
    let width = |pieces: &[(String, Style)]| pieces.iter().map(|(text, _)| text::width(text)).sum::<usize>();
    let mut shown = pieces(0);
    if width(&shown) > usize::from(area.width) {
        shown = pieces(1);
    }
    let mut pen = Pen::new(buf, area, 0);
    for (text, style) in shown {
        pen.put(&text, style);
    }
}

/// A feature's activation without and with the interventions; nothing of another node.
fn moved(state: &State, circuit: &Circuit, node: NodeId, pen: &mut Pen<'_>) {
    const ROOM: usize = 13;
    let theme = &state.look.theme;
    let effect = match circuit.node(node).kind {
        NodeKind::Feature { layer, position, feature } => {
            circuit.lab.activation(FeatureAt { layer, position, feature })
        }
        _ => None,
    };
    let Some(effect) = effect else {
        pen.skip(ROOM as u16);
        return;
    };
    let shown = effect.written.unwrap_or(effect.after);
    let figures = format!("{:.2}{}{shown:.2}", effect.before, state.look.glyphs.to_output);
    let change = shown - effect.before;
    let style = if change == 0.0 { theme.faint } else { theme.sign(change) };
    pen.put(&format!("{figures:<ROOM$}"), style);
}

/// Whether an edge hangs on the thresholds.
fn standing(state: &State, standing: Option<Standing>, pen: &mut Pen<'_>) {
    let (theme, signs) = (&state.look.theme, &state.look.glyphs.standings);
    let Some(standing) = standing else { return };
    let style = if standing == Standing::Noise { theme.faint } else { theme.text };
    pen.put(" ", style);
    pen.put(signs[standing as usize], style);
}

#[allow(clippy::too_many_arguments, reason = "a row is what it shows and where")]
fn row(
    state: &State,
    circuit: &Circuit,
    side: Side,
    at: usize,
    link: &Link,
    strongest: f64,
    area: Rect,
    buf: &mut Buffer,
) {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let followed = side == circuit.side;
    let sign = theme.sign(link.edge.weight);
    let bar_room: usize = if area.width >= 50 { 10 } else { 6 };
    let mut pen = Pen::new(buf, area, 0);
    let digit = if followed && at < 9 { (at + 1).to_string() } else { " ".to_owned() };
    pen.put(&digit, theme.accent);
    if circuit.standings.marked().is_some() {
        standing(state, circuit.standings.of_edge(link.edge.id), &mut pen);
    }
    pen.put(&format!(" {:<8}", text::weight(link.edge.weight)), sign);
    pen.put(&format!("{} ", text::percent(link.share)), theme.text);
    let bar = glyphs.bar(link.share / strongest.max(f64::MIN_POSITIVE), bar_room);
    let rest = bar_room - text::width(&bar).min(bar_room);
    pen.put(&bar, sign);
    pen.skip(rest as u16 + 2);
    if circuit.lab.has_activations() {
        moved(state, circuit, link.other, &mut pen);
    }
    let name = circuit.name(link.other, glyphs);
    let style = match circuit.node(link.other) {
        _ if circuit.kit.dims(link.other) => theme.faint,
        node if node.is_error() => theme.quiet,
        _ => theme.text,
    };
    pen.put(&glyphs.fit(&name, pen.room()), style);
    if let Some((label, _)) = circuit.label(link.other) {
        pen.skip(2);
        pen.put(&glyphs.fit(&glyphs.visible(label), pen.room()), theme.quiet);
    }
    if followed && at == circuit.row && state.focus == Pane::Connections {
        buf.set_style(area, theme.selection);
    }
}
