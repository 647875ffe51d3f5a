//! Check of a subgraph: its features ablated one by one, as a table and as a scatter plot.

use super::caveat;
use super::scatter::{self, Set};
use crate::tui::circuit::Circuit;
use crate::tui::theme::Look;
use crate::tui::ui::folio::{self, Line, left, number, right};
use crate::verify::{Pair, Pairs};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

/// Cells of a number.
const NUMBER: usize = 10;

/// Least width at which the plot stands beside the table.
const BESIDE: u16 = 108;

/// Width of the plot beside the table, in percent.
const PLOT: u16 = 40;

pub(super) fn render(circuit: &Circuit, found: &Pairs, area: Rect, look: &Look, buf: &mut Buffer) {
    let (beside, draws) = (area.width >= BESIDE, circuit.verification.draws);
    let [table, plot] = if beside {
        let shares = [Constraint::Fill(1), Constraint::Percentage(PLOT)];
        Layout::horizontal(shares).spacing(2).areas(area)
    } else {
        [area, area]
    };
    if beside || !draws {
        render_table(circuit, found, table, look, buf);
    }
    if beside || draws {
        render_plot(circuit, found, plot, look, buf);
    }
}

fn render_table(circuit: &Circuit, found: &Pairs, area: Rect, look: &Look, buf: &mut Buffer) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    let width = usize::from(area.width);
    let room = width.saturating_sub(3 * NUMBER + 2) / 2;
    let mut head: Vec<Line> = caveat(circuit).map_or_else(Vec::new, |says| folio::wrapped(says, width, theme.alert));
    head.push(vec![("at features: ".to_owned(), theme.quiet), (found.features.to_string(), theme.text)]);
    head.push(vec![("at outputs:  ".to_owned(), theme.quiet), (found.outputs.to_string(), theme.text)]);
    head.push(Line::new());
    let names = format!("{}  {}", left("ablated, worst first", room, look), left("at", room, look));
    head.push(vec![(
        names + &["predicted", "observed", "off by"].map(|head| right(head, NUMBER)).concat(),
        theme.quiet,
    )]);
    folio::draw(&head, 0, area, look, buf);

    let rows = Rect {
        y: area.y.saturating_add(head.len() as u16),
        height: area.height.saturating_sub(head.len() as u16),
        ..area
    };
    if rows.is_empty() {
        return;
    }
    let row = circuit.verification.row.min(found.all.len().saturating_sub(1));
    let from = (row + 1).saturating_sub(usize::from(rows.height));
    let line = |pair: &Pair| {
        let name = |id| left(&circuit.name(id, glyphs), room, look);
        let (off, _) = number(pair.observed - pair.predicted, NUMBER, look);
        vec![
            (format!("{}  {}", name(pair.source), name(pair.target)), theme.text),
            number(pair.predicted, NUMBER, look),
            number(pair.observed, NUMBER, look),
            (off, theme.quiet),
        ]
    };
    let lines: Vec<Line> = found.all.iter().skip(from).take(usize::from(rows.height)).map(line).collect();
    folio::draw(&lines, 0, rows, look, buf);
    if row - from < lines.len() {
        buf.set_style(Rect { y: rows.y + (row - from) as u16, height: 1, ..rows }, theme.selection);
    }
}

fn render_plot(circuit: &Circuit, found: &Pairs, area: Rect, look: &Look, buf: &mut Buffer) {
    let points = |of_outputs: bool| {
        let of = found.all.iter().filter(|pair| circuit.node(pair.target).is_logit() == of_outputs);
        of.map(|pair| (pair.predicted, pair.observed)).collect()
    };
    let at_features = Set { name: "at features", sign: None, style: look.theme.positive, points: points(false) };
    let at_outputs = Set { name: "at outputs", sign: Some('+'), style: look.theme.accent, points: points(true) };
    scatter::draw(["predicted", "observed"], &[at_features, at_outputs], area, look, buf);
}
