//! Check of a graph: correlation of influence and effects, transcoders in place of the MLPs, and perturbations of the
//! local replacement model.

use crate::tui::circuit::Circuit;
use crate::tui::theme::Look;
use crate::tui::ui::folio::{self, Line, left, right};
use crate::verify::{Correlation, Effect, GraphAnswer, Predictor, told};

/// Cells of a number.
const NUMBER: usize = 10;

/// Cells of a row's name.
const NAME: usize = 32;

pub(super) fn lines(circuit: &Circuit, found: &GraphAnswer, width: usize, look: &Look) -> Vec<Line> {
    let mut lines = faithfulness(circuit, found, width, look);
    lines.extend(replacements(found, width, look));
    lines.extend(perturbations(found, width, look));
    lines
}

/// Builds the head of a section: a title, and what was measured, in sentences.
fn section(title: &str, says: &str, width: usize, look: &Look) -> Vec<Line> {
    let mut lines = vec![vec![(title.to_owned(), look.theme.strong)]];
    lines.extend(folio::wrapped(says, width, look.theme.quiet));
    lines
}

/// Formats a row of a table.
fn row(name: &str, numbers: &[String]) -> String {
    format!("  {name}{}", numbers.iter().map(|number| right(number, NUMBER)).collect::<String>())
}

fn heads<const N: usize>(name: &str, heads: [&str; N], look: &Look) -> Line {
    vec![(row(&left(name, NAME, look), &heads.map(str::to_owned)), look.theme.quiet)]
}

fn faithfulness(circuit: &Circuit, found: &GraphAnswer, width: usize, look: &Look) -> Vec<Line> {
    let Some(found) = &found.faithfulness else { return Vec::new() };
    let all = circuit.traced.document.graph.feature_nodes().count();
    let says = format!(
        "{} of {all} features of the graph were set to 0, one at a time; what foretells the effect on the answer?",
        found.features.len()
    );
    let mut lines = section("Node faithfulness", &says, width, look);
    for effect in Effect::ALL {
        lines.push(vec![(row(effect.name(), &[]), look.theme.text)]);
        lines.push(heads("", ["Spearman", "Pearson"], look));
        for predictor in Predictor::ALL {
            let Correlation { spearman, pearson, .. } = found.correlation(predictor, effect);
            let name = left(predictor.name(), NAME, look);
            let style = if predictor == Predictor::Influence { look.theme.accent } else { look.theme.text };
            lines.push(vec![(row(&name, &[told(spearman), told(pearson)]), style)]);
        }
    }
    lines.push(Line::new());
    lines
}

fn replacements(found: &GraphAnswer, width: usize, look: &Look) -> Vec<Line> {
    let Some(found) = &found.replacements else { return Vec::new() };
    let says = "Transcoders in place of the MLPs, errors left out: the share of positions whose likeliest next token stays, \
                and the mean divergence of the next-token distribution from the model's in nats.";
    let mut lines = section("The replacement model", says, width, look);
    let column = |name: &str| left(name, NUMBER - 2, look);
    let titles = ["alone", "nats", "up to it", "nats", "last nats"].map(str::to_owned);
    lines.push(vec![(row(&column("layer"), &titles), look.theme.quiet)]);
    for (layer, (alone, up_to)) in found.alone.iter().zip(&found.up_to).enumerate() {
        let numbers = [
            format!("{:.3}", alone.share),
            format!("{:.4}", alone.divergence),
            format!("{:.3}", up_to.share),
            format!("{:.4}", up_to.divergence),
            format!("{:.4}", up_to.last_divergence),
        ];
        let last = if up_to.last_agrees { "  the same token" } else { "  another token" };
        let style = if up_to.last_agrees { look.theme.quiet } else { look.theme.accent };
        lines.push(vec![(row(&column(&layer.to_string()), &numbers), look.theme.text), (last.to_owned(), style)]);
    }
    lines.push(Line::new());
    lines
}

fn perturbations(found: &GraphAnswer, width: usize, look: &Look) -> Vec<Line> {
    let Some(found) = &found.perturbations else { return Vec::new() };
    let says = "What features write is taken away in the local replacement model and in the model; the change of the residual \
                stream is compared: the mean cosine, and the norm of the difference as a share of the model's change.";
    let mut lines = section("Perturbations", says, width, look);
    let column = |name: &str| left(name, NUMBER + 8, look);
    let titles = ["features", "cosine", "error"].map(str::to_owned);
    lines.push(vec![(row(&column("layers downstream"), &titles), look.theme.quiet)]);
    for reach in &found.by_distance {
        let numbers = [reach.n.to_string(), format!("{:.3}", reach.cosine), format!("{:.3}", reach.error)];
        lines.push(vec![(row(&column(&reach.layers.to_string()), &numbers), look.theme.text)]);
    }
    lines
}
