//! The selected node's inputs and outputs, strongest first.

use crate::graph::{Flow, StabilityClass};
use crate::ids::NodeId;
use crate::service::attention::EdgeHead;
use crate::text;
use crate::tui::panes::connections;
use crate::tui::screen::hints::key_of;
use crate::tui::state::State;
use crate::tui::ui::{End, Look, Pen, first_line, free, note, stability_style};
use crate::tui::workspace::links::Summed;
use crate::tui::workspace::{Circuit, Link, Listed, Order, Side};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Least lines with which inputs have one for their totals.
const WITH_TOTALS: u16 = 6;

/// Least lines with which two lists stand below each other.
const FOR_TWO: u16 = 14;

/// Least lines with which all three lists do.
const FOR_THREE: u16 = 30;

/// Cells of an edge's weight and of its share, with the gap before either, and of an activation under interventions.
const WEIGHT: usize = 9;
const SHARE: usize = 7;
const MOVED: usize = 12;

/// Cells of the head that an edge passes most, with the share that does.
const HEADS: usize = 12;

pub(in crate::tui) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.workspace.circuit else { return };
    if inner.is_empty() {
        return;
    }
    let name = circuit.name(circuit.selected(), &state.screen.look.glyphs);
    let shown = state.screen.look.glyphs.fit(&name, free(area, &state.screen.look, buf));
    note(area, End::Right, &[(&shown, state.screen.look.theme.accent)], buf);
    for (side, area) in sections(circuit, inner) {
        section(state, circuit, side, area, buf);
    }
}

/// Returns the sides that are listed, with their areas.
fn sections(circuit: &Circuit, inner: Rect) -> Vec<(Side, Rect)> {
    let sides: &[Side] = match (circuit.connections.side, inner.height) {
        (_, FOR_THREE..) => &Side::ALL,
        (Side::Inputs | Side::Outputs, FOR_TWO..) => &[Side::Inputs, Side::Outputs],
        (followed, _) => return vec![(followed, inner)],
    };
    let need = |side: &Side| {
        let links = circuit.connections.links_of(*side);
        (links.kept.len() + links.summed.len()).max(1) as u16 + if *side == Side::Outputs { 1 } else { 2 }
    };
    let needs: Vec<u16> = sides.iter().map(need).collect();
    let mut y = inner.y;
    let place = |(side, height): (&Side, u16)| {
        let area = Rect { y, height, ..inner };
        y += height + 1;
        (*side, area)
    };
    sides.iter().zip(shared(&needs, inner.height - (sides.len() as u16 - 1))).map(place).collect()
}

/// Returns the lines of each list: as many as it needs where there is room, else an even part; the last one takes the
/// rest.
fn shared(needs: &[u16], room: u16) -> Vec<u16> {
    let mut heights = vec![0; needs.len()];
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|at| needs[*at]);
    let mut left = room;
    for (done, at) in order.into_iter().enumerate() {
        heights[at] = needs[at].min(left / (needs.len() - done) as u16);
        left -= heights[at];
    }
    if let Some(last) = heights.last_mut() {
        *last += left;
    }
    heights
}

/// Returns the area of a side's rows, and the index of the first.
fn rows(circuit: &Circuit, side: Side, area: Rect) -> (Rect, usize) {
    let links = circuit.connections.links_of(side);
    let head = 1 + u16::from(has_totals(circuit, side, area)) + links.summed.len() as u16;
    let rows = Rect { y: area.y + head, height: area.height.saturating_sub(head), ..area };
    let cursor = if side == circuit.connections.side { circuit.connections.row } else { 0 };
    (rows, first_line(cursor, usize::from(rows.height), links.kept.len()))
}

fn has_totals(circuit: &Circuit, side: Side, area: Rect) -> bool {
    side != Side::Outputs && circuit.connections.links_of(side).all > 0 && area.height >= WITH_TOTALS
}

/// Returns the connection at a cell of the lists that are drawn in `inner`.
pub(in crate::tui) fn link_at(circuit: &Circuit, inner: Rect, cell: Position) -> Option<(Side, usize)> {
    sections(circuit, inner).into_iter().find_map(|(side, area)| {
        let (rows, from) = rows(circuit, side, area);
        let at = from + usize::from(cell.y.checked_sub(rows.y)?);
        (rows.contains(cell) && at < circuit.connections.links_of(side).kept.len()).then_some((side, at))
    })
}

fn section(state: &State, circuit: &Circuit, side: Side, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let theme = &state.screen.look.theme;
    let links = circuit.connections.links_of(side);
    let followed = side == circuit.connections.side;
    let mut pen = Pen::new(buf, area, 0);
    pen.put(&format!("{} ", side.title()), if followed { theme.strong } else { theme.text });
    let counts = format!(" {} of {} kept", text::thousands(links.n_kept()), text::thousands(links.all));
    pen.put(&counts, theme.quiet);
    if links.left_out > 0 {
        pen.put(&format!(", {} listed", text::thousands(links.kept.len())), theme.accent);
    }
    if circuit.connections.listing.order == Order::Weight && side != Side::Inhibitors {
        pen.put(", by weight", theme.accent);
    }
    let share = match side {
        Side::Inputs => (links.n_kept() > 0).then_some(links.share),
        // The count is of all edges, listed or not.
        Side::Inhibitors => {
            (!links.is_empty()).then(|| -circuit.connections.totals.negative() / circuit.connections.totals.absolute())
        }
        Side::Outputs => None,
    };
    let note = share.map(|share| format!("{} of all input", text::percent(share).trim_start()));
    legend(state, circuit, note.as_ref().map_or(0, |note| text::width(note) + 3), &mut pen);
    if let Some(note) = note {
        let gap = pen.room().saturating_sub(text::width(&note));
        if gap >= 3 {
            pen.skip(gap as u16);
            pen.put(&note, theme.quiet);
        }
    }
    if has_totals(circuit, side, area) {
        totals(state, circuit, side, Rect { y: area.y + 1, height: 1, ..area }, buf);
    }
    let (rows, from) = rows(circuit, side, area);
    for (line, summed) in links.summed.iter().enumerate() {
        let y = rows.y.saturating_sub((links.summed.len() - line) as u16);
        if (area.y + 1..area.bottom()).contains(&y) {
            summed_row(state, summed, links.strongest(), Rect { y, height: 1, ..rows }, buf);
        }
    }
    let lines = usize::from(rows.height);
    if links.kept.is_empty() && links.summed.is_empty() {
        let why = match (side, links.all) {
            _ if links.left_out > 0 => "none is of a kind that is listed",
            (Side::Inputs, 0) => "nothing flows into it",
            (Side::Outputs, 0) => "it flows into nothing",
            (Side::Inhibitors, _) => "nothing restrains it",
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
            let more = format!("{} {} more", state.screen.look.glyphs.ellipsis, text::thousands(links.kept.len() - at));
            Pen::new(buf, rows, line as u16).put(&more, theme.faint);
            break;
        }
        row(state, circuit, side, at, link, strongest, Rect { y: rows.y + line as u16, height: 1, ..rows }, buf);
    }
}

/// Writes the meaning of the marks of edges that hang on the thresholds, where there is room for it and `rest` cells
/// more.
fn legend(state: &State, circuit: &Circuit, rest: usize, pen: &mut Pen<'_>) {
    if circuit.pruning.stability.marked().is_none() {
        return;
    }
    let of = |class: StabilityClass| format!("{} {}", state.screen.look.glyphs.stability[class as usize], class.name());
    let signs = [StabilityClass::Core, StabilityClass::Contingent, StabilityClass::Noise].map(of).join(" ");
    if text::width(&signs) + 2 + rest <= pen.room() {
        pen.put(&format!("  {signs}"), state.screen.look.theme.quiet);
    }
}

/// Draws the share of the whole input from each kind of node, positive and negative, kept or not; of inhibitors only
/// the negative.
fn totals(state: &State, circuit: &Circuit, side: Side, area: Rect, buf: &mut Buffer) {
    let theme = &state.screen.look.theme;
    let totals = &circuit.connections.totals;
    let all = totals.absolute();
    let kinds = [
        (["features", "feat"], totals.features, circuit.connections.listing.shows(Listed::Features)),
        (["errors", "err"], totals.errors, circuit.connections.listing.shows(Listed::Errors)),
        (["tokens", "tok"], totals.tokens, circuit.connections.listing.shows(Listed::Tokens)),
        (["others", "oth"], totals.others, true),
    ];
    let pieces = |form: usize, is_short: bool| -> Vec<(String, Style)> {
        let share = |weight: f64| match weight.abs() / all {
            share if is_short => format!("{:.0}%", 100.0 * share),
            share => text::percent(share).trim_start().to_owned(),
        };
        let mut pieces = Vec::new();
        let restrains = side == Side::Inhibitors;
        let flows = |flow: &Flow| if restrains { flow.negative < 0.0 } else { flow.absolute() > 0.0 };
        for (names, flow, listed) in kinds.iter().filter(|(_, flow, _)| flows(flow)) {
            let gap = if pieces.is_empty() { "" } else { "  " };
            pieces.push((format!("{gap}{}", names[form]), if *listed { theme.quiet } else { theme.faint }));
            for (sign, weight, style) in [('+', flow.positive, theme.positive), ('-', flow.negative, theme.negative)] {
                if weight != 0.0 && !(restrains && sign == '+') {
                    pieces.push((format!(" {sign}{}", share(weight)), style));
                }
            }
        }
        if totals.left_out > 0.0 && !restrains {
            pieces.push((format!("  not stored {}", share(totals.left_out)), theme.quiet));
        }
        pieces
    };
    let width = |pieces: &[(String, Style)]| pieces.iter().map(|(text, _)| text::width(text)).sum::<usize>();
    let forms = [(0, false), (1, false), (1, true)].map(|(form, is_short)| pieces(form, is_short));
    let fits = |pieces: &Vec<(String, Style)>| width(pieces) <= usize::from(area.width);
    let shown = forms.iter().find(|pieces| fits(pieces)).unwrap_or(&forms[2]);
    let mut pen = Pen::new(buf, area, 0);
    for (text, style) in shown {
        pen.put(text, *style);
    }
}

/// Writes a feature's activation without and with the interventions; nothing of another node.
fn moved(state: &State, circuit: &Circuit, node: NodeId, pen: &mut Pen<'_>) {
    let theme = &state.screen.look.theme;
    let effect = circuit.node(node).feature().and_then(|feature| circuit.panel.activation(feature));
    let Some(effect) = effect else {
        pen.skip(MOVED as u16);
        return;
    };
    let shown = effect.written.unwrap_or(effect.after);
    let figures = format!("{:.2}{}{shown:.2}", effect.before, state.screen.look.glyphs.to_output);
    let change = shown - effect.before;
    let style = if change == 0.0 { theme.faint } else { theme.sign(change) };
    pen.put(&format!("{figures:>MOVED$}"), style);
}

/// Returns the head that an edge passes most, with the share of the edge that does; a stroke where it passes none.
fn passed(circuit: &Circuit, ends: (NodeId, NodeId)) -> String {
    match circuit.heads.edge(ends) {
        None => String::new(),
        Some(None) => "-".to_owned(),
        Some(Some(EdgeHead { head, share })) => format!("{head} {:.0}%", 100.0 * share),
    }
}

/// Writes the mark of an edge's stability class, where that is known.
fn stability_mark(state: &State, class: Option<StabilityClass>, pen: &mut Pen<'_>) {
    let Some(class) = class else { return };
    let style = stability_style(class, &state.screen.look);
    pen.put(" ", style);
    pen.put(state.screen.look.glyphs.stability[class as usize], style);
}

/// Draws the row of edges that are listed together: `errors at 12 places 31 %`, and the key that lists them one by one.
fn summed_row(state: &State, summed: &Summed, strongest: f64, area: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let of = summed.kind.name();
    let text = format!("{of} at {}", text::counted(summed.n_edges, "place"));
    let opens = format!("{} opens", key_of(&format!("list-{of}"), state));
    let figures = Figures::of(state, area.width);
    let mut pen = Pen::new(buf, area, 0);
    pen.put("  ", theme.text);
    let room = pen.room().saturating_sub(figures.width());
    let with_key = text::width(&text) + 2 + text::width(&opens) <= room;
    pen.put(&glyphs.fit(&text, room), theme.quiet);
    let mut used = text::width(&text).min(room);
    if with_key {
        pen.put("  ", theme.text);
        pen.put(&opens, theme.faint);
        used += 2 + text::width(&opens);
    }
    pen.skip((room - used) as u16);
    if figures.activations {
        pen.skip(MOVED as u16 + 1);
    }
    if figures.heads {
        pen.skip(HEADS as u16);
    }
    figures.write(summed.weight as f32, summed.share, strongest, &state.screen.look, &mut pen);
}

/// Columns of figures in a row.
struct Figures {
    /// Cells of the bar; 0 for none.
    bar: usize,
    /// True where there is room for the weight.
    weight: bool,
    /// True where activations under interventions are shown.
    activations: bool,
    /// True where the heads of edges are shown.
    heads: bool,
}

impl Figures {
    /// Returns the columns for which a row of this width has room. The bar repeats the share beside it: where there is
    /// little room it gives way to columns that repeat nothing.
    fn of(state: &State, width: u16) -> Self {
        let activations = state.workspace.circuit.as_ref().is_some_and(|circuit| circuit.panel.has_activations());
        let bar = match width {
            84.. => 10,
            64.. => 6,
            _ => 0,
        };
        let heads = state.panes.connections.heads;
        let bar = if heads { 0 } else { bar };
        Self { bar, weight: width >= if activations || heads { 52 } else { 38 }, activations, heads }
    }

    /// Writes weight, share and bar, as far as there is room for them; the bar of `strongest` is full.
    fn write(&self, weight: f32, share: f64, strongest: f64, look: &Look, pen: &mut Pen<'_>) {
        let sign = look.theme.sign(weight);
        if self.weight {
            pen.put(&format!("{:>WEIGHT$}", text::weight(weight)), sign);
        }
        pen.put(&format!("{:>SHARE$}", text::percent(share)), look.theme.text);
        if self.bar > 0 {
            pen.put(" ", look.theme.text);
            pen.put(&look.glyphs.bar(share / strongest.max(f64::MIN_POSITIVE), self.bar), sign);
        }
    }

    /// Returns the cells of all columns.
    fn width(&self) -> usize {
        let weight = if self.weight { WEIGHT } else { 0 };
        let bar = if self.bar > 0 { self.bar + 1 } else { 0 };
        weight + SHARE + bar + if self.activations { MOVED + 1 } else { 0 } + if self.heads { HEADS } else { 0 }
    }
}

#[expect(clippy::too_many_arguments, reason = "a row is what it shows and where")]
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
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let followed = side == circuit.connections.side;
    let figures = Figures::of(state, area.width);
    let mut pen = Pen::new(buf, area, 0);
    let digit = if followed && at < 9 { (at + 1).to_string() } else { " ".to_owned() };
    pen.put(&digit, theme.accent);
    if circuit.pruning.stability.marked().is_some() {
        stability_mark(state, circuit.pruning.stability.of_edge(link.edge.id), &mut pen);
    }
    pen.put(" ", theme.text);
    let stands = circuit.kept().has_node(link.other);
    if let Some((occurrence, n_graphs)) = circuit.occurrence(link.other) {
        let sign = glyphs.occurrence(occurrence).unwrap_or(" ");
        pen.put(&format!("{sign} "), theme.occurrence(occurrence, n_graphs));
    }
    if !circuit.kept().has_edge(link.edge.id) {
        pen.put(if stands { "cut " } else { "dropped " }, theme.faint);
    }
    let style = match circuit.node(link.other) {
        _ if circuit.marks.dims(link.other) || !stands => theme.faint,
        node if node.is_error() => theme.quiet,
        _ => theme.text,
    };
    let room = pen.room().saturating_sub(figures.width());
    let parts = circuit.called(link.other, glyphs).fit(room, glyphs);
    let used: usize = parts.iter().map(|part| text::width(part)).sum();
    for (part, style) in parts.iter().zip([style, theme.quiet, theme.faint]) {
        pen.put(part, style);
    }
    pen.skip(room.saturating_sub(used) as u16);
    if figures.activations {
        pen.put(" ", theme.text);
        moved(state, circuit, link.other, &mut pen);
    }
    if figures.heads {
        let ends = (link.edge.source, link.edge.target);
        pen.put(&format!("{:>HEADS$}", passed(circuit, ends)), theme.quiet);
    }
    figures.write(link.edge.weight, link.share, strongest, &state.screen.look, &mut pen);
    if followed && at == circuit.connections.row && state.screen.focus == connections::PANE {
        buf.set_style(area, theme.selection);
    }
}
