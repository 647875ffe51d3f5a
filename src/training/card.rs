//! Card of a set: what it is and how good it is, for people.

use crate::training::record::Record;
use crate::training::settings::TranscoderKind;
use std::fmt::Write as _;

/// Size of the drawing.
const SIZE: [f64; 2] = [640.0, 320.0];
/// Room around the curves.
const MARGIN: f64 = 44.0;

/// Returns the card in Markdown.
pub(super) fn markdown(record: &Record) -> String {
    let Record { settings, model_name, .. } = record;
    let kind = match settings.kind {
        TranscoderKind::Plt => "Per-layer transcoder",
        TranscoderKind::Clt => "Cross-layer transcoder",
    };
    let mut text = format!("# {kind} for {}\n\n", model_name.replace(['\n', '\r'], " "));
    let skip = if settings.skip { ", with a skip connection" } else { "" };
    let rows = [
        ("features a layer", settings.features.to_string()),
        ("activation", format!("{}{skip}", settings.activation)),
        ("reads, writes", "`mlp.hook_in`, `hook_mlp_out`".to_owned()),
        ("tokens trained on", record.tokens.to_string()),
        ("times that the corpus was read to its end", record.epochs.to_string()),
        ("hash of the corpus", format!("`{}`", record.corpus)),
        ("tokens of a step, of a context", format!("{}, {}", settings.batch, settings.context)),
        ("learning rate, sparsity, seed", format!("{}, {}, {}", settings.rate, settings.sparsity, settings.seed)),
        ("trained by", format!("circuitscope {}", record.program)),
    ];
    text += "| | |\n| --- | --- |\n";
    rows.iter().for_each(|(name, value)| text += &format!("| {name} | {value} |\n"));
    match &record.evaluation {
        Some(evaluation) => {
            let _ = writeln!(
                text,
                "\n## By layer, on {} held-out tokens\n\nExplained variance is the share of the variance of the MLP's output \
                 that is reconstructed; outliers, such as a first token, are left out of the first column. A feature is \
                 silent if it was active at none of these tokens.\n\n\
                 | layer | explained variance | with outliers | active features a token | silent features |\n\
                 | --- | --- | --- | --- | --- |",
                evaluation.tokens
            );
            for layer in &evaluation.layers {
                let _ = writeln!(
                    text,
                    "| {} | {:.3} | {:.3} | {:.1} | {:.1} % |",
                    layer.layer,
                    layer.explained_variance,
                    layer.explained_variance_with_outliers,
                    layer.l0,
                    100.0 * layer.silent
                );
            }
        }
        None => {
            text += "\n## By layer, at the last step\n\n| layer | explained variance | active features a token | dead features |\n\
                     | --- | --- | --- | --- |\n";
            for layer in &record.layers {
                let (explained, dead) = (1.0 - layer.error, 100.0 * layer.dead);
                let _ = writeln!(text, "| {} | {explained:.3} | {:.1} | {dead:.1} % |", layer.layer, layer.l0);
            }
        }
    }
    if !record.course.is_empty() {
        text += "\n![Explained variance while it was trained](curves.svg)\n";
    }
    text
}

/// Returns a drawing of the explained variance of each layer over the steps, in SVG.
pub(super) fn curves(record: &Record) -> String {
    let [width, height] = SIZE;
    let last = record.course.last().map_or(1, |moment| moment.step).max(1) as f64;
    let at = |step: u64, explained: f64| {
        let x = MARGIN + step as f64 / last * (width - 2.0 * MARGIN);
        (x, height - MARGIN - explained.clamp(0.0, 1.0) * (height - 2.0 * MARGIN))
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for tenth in [0, 5, 10] {
        let explained = f64::from(tenth) / 10.0;
        let ((left, y), (right, _)) = (at(0, explained), at(last as u64, explained));
        let _ = writeln!(svg, "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#ccc\"/>");
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{explained}</text>", left - 6.0, y + 4.0);
    }
    let n = record.settings.layers.len();
    for (nth, layer) in record.settings.layers.iter().enumerate() {
        let points: String = record
            .course
            .iter()
            .filter_map(|moment| Some((moment.step, 1.0 - f64::from(*moment.errors.get(nth)?))))
            .map(|(step, explained)| at(step, explained))
            .fold(String::new(), |all, (x, y)| all + &format!("{x:.1},{y:.1} "));
        // From blue in the first layer to red in the last.
        let hue = 240.0 * (1.0 - nth as f64 / (n.max(2) - 1) as f64);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"hsl({hue:.0},70%,45%)\"><title>layer {layer}</title></polyline>",
            points.trim_end()
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"20\">explained variance by layer (blue: first, red: last)</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{last} steps</text>\n</svg>",
        width - MARGIN,
        height - 16.0
    );
    svg
}
