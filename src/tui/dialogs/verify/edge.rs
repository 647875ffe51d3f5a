//! Check of an edge: its source is ablated in every mode.

use crate::tui::circuit::Circuit;
use crate::tui::theme::Look;
use crate::tui::ui::folio::{self, Line, left, number, right};
use crate::verify::{EdgeAnswer, PREDICTED, Pair, UNIT};

/// Cells of a number.
const NUMBER: usize = 10;

/// Cells of a probability before and after.
const CHANCE: usize = 14;

/// Cells of a name, at least and at most.
const NAME: (usize, usize) = (10, 44);

pub(super) fn lines(circuit: &Circuit, found: &[EdgeAnswer], width: usize, look: &Look) -> Vec<Line> {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    let room = width.saturating_sub(3 * NUMBER + CHANCE + 2).clamp(NAME.0, NAME.1);
    let mut lines = Vec::new();
    if let (Some(first), Some(source)) = (found.first(), found.first().map(|first| first.check.pair.source)) {
        let name = circuit.name(source, glyphs);
        let effect = number(first.check.weight.into(), 0, look);
        lines.push(vec![
            ("direct effect ".to_owned(), theme.quiet),
            effect,
            (format!("; {name} is set to 0"), theme.quiet),
        ]);
        lines.push(Line::new());
    }
    let heads = ["predicted", "observed", "off by"].map(|head| right(head, NUMBER));
    let chance = right("probability", CHANCE);
    lines.push(vec![(format!("{}  {}{chance}", left("", room, look), heads.concat()), theme.quiet)]);
    for EdgeAnswer { freeze, check, likeliest } in found {
        let [before, after] = [&likeliest[0], &likeliest[1]].map(|token| glyphs.visible(token));
        let (says, style) = if check.likeliest.0 == check.likeliest.1 {
            (format!("{before} stays the likeliest"), theme.text)
        } else {
            (format!("{before} gives way to {after}"), theme.accent)
        };
        lines.push(vec![
            (freeze.name().to_owned(), theme.strong),
            (format!(": divergence {:.4} nats, ", check.divergence), theme.quiet),
            (says, style),
        ]);
        let row = |pair: &Pair| {
            let name = circuit.name(pair.target, glyphs);
            let off = pair.observed - pair.predicted;
            let (off, _) = number(off, NUMBER, look);
            vec![
                (format!("  {}", left(&name, room, look)), theme.text),
                number(pair.predicted, NUMBER, look),
                number(pair.observed, NUMBER, look),
                (off, theme.quiet),
            ]
        };
        if !circuit.node(check.pair.target).is_logit() {
            lines.push(row(&check.pair));
        }
        for output in &check.outputs {
            let mut line = row(&output.pair);
            let chance = format!("{:.3}{}{:.3}", output.before, glyphs.to_output, output.after);
            line.push((right(&chance, CHANCE), theme.text));
            lines.push(line);
        }
    }
    lines.push(Line::new());
    lines.extend(folio::wrapped(&format!("{PREDICTED} {UNIT}"), width, theme.quiet));
    lines
}
