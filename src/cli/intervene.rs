//! `circuitscope intervene`: what the model does when features are set to values.

use crate::attribution::softmax;
use crate::cli::engine::EngineArgs;
use crate::cli::progress::{WhenStopped, watch};
use crate::cli::prompt::PromptArgs;
use crate::format::tensors::{self, Tensor};
use crate::graph::FeatureAt;
use crate::ids::{FeatureId, Layer, Position};
use crate::intervention::{Change, Mode, Outcome, Value, intervene};
use crate::job::Monitor;
use anyhow::{Context, Result, bail};
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;

/// Tokens named in the JSON of a run.
const NAMED: usize = 10;

/// Runs the model with features set to values and writes what it computes.
#[derive(Clone, Debug, clap::Args)]
pub struct InterveneArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    /// Sets a feature at a position: to a number, or with xN to N times its activation in the base run
    #[arg(long, value_name = "L:POS:F=VALUE", required = true, value_parser = change)]
    set: Vec<Change>,
    /// What stays as it was in the base run
    #[arg(long, value_enum)]
    mode: ModeName,
    /// Layers whose feature outputs stay and are written into, the end exclusive; for the direct mode
    #[arg(long, value_name = "A..B", value_parser = range)]
    layers: Option<Range<usize>>,
    /// Where to write logits, activations and pre_activations
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print the likeliest tokens before and after on stdout as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ModeName {
    /// Attention patterns, norms and feature outputs stay: what the graph's edges say
    Direct,
    /// Attention patterns stay
    FrozenAttention,
    /// Everything downstream is recomputed
    Free,
}

fn change(text: &str) -> Result<Change, String> {
    let wrong = || "it has to be LAYER:POSITION:FEATURE=VALUE, with a number or xN as the value".to_owned();
    let (place, value) = text.split_once('=').ok_or_else(wrong)?;
    let numbers: Vec<u32> = place.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let [layer, position, feature] = numbers[..] else { return Err(wrong()) };
    let number = |text: &str| text.parse::<f32>().map_err(|_| wrong());
    let value = match value.strip_prefix('x') {
        Some(factor) => Value::Times(number(factor)?),
        None => Value::To(number(value)?),
    };
    let feature = FeatureAt { layer: Layer(layer), position: Position(position), feature: FeatureId(feature) };
    Ok(Change { feature, value })
}

fn range(text: &str) -> Result<Range<usize>, String> {
    let wrong = || "it has to be A..B, from layer A up to but not including B".to_owned();
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    let range = start.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if range.is_empty() { Err(wrong()) } else { Ok(range) }
}

/// Loads, runs, writes, and says what changed.
///
/// # Errors
/// Anything that kept the result from being written; no file is left then.
pub fn run(args: &InterveneArgs) -> Result<()> {
    let engine = args.engine.open()?;
    let mode = match (args.mode, &args.layers) {
        (ModeName::Direct, layers) => Mode::Direct(layers.clone().unwrap_or(0..engine.model.spec.n_layers)),
        (_, Some(_)) => bail!("--layers goes with --mode direct; the other modes freeze no layers"),
        (ModeName::FrozenAttention, None) => Mode::FrozenAttention,
        (ModeName::Free, None) => Mode::Free,
    };
    let (_, tokens) = args.prompt.read(&engine)?;
    let changes = args.set.clone();
    let (engine, base, altered) = watch(WhenStopped::Abandon, move |monitor| {
        let capture = engine.capture_tokens(&tokens, monitor)?;
        let pass = |changes: &[Change], mode: &Mode, monitor: &Monitor| {
            intervene(&engine.model, &engine.transcoder, &capture, changes, mode, monitor)
        };
        let base = pass(&[], &Mode::Free, monitor)?;
        let altered = pass(&changes, &mode, monitor)?;
        Ok((engine, base, altered))
    })?;
    write(args, &altered)?;
    let text = |id: usize| engine.tokenizer.text(id as u32);
    report(args, &base, &altered, &engine.warnings, text)
        .context("the result was written, but cannot be reported on stdout")
}

fn write(args: &InterveneArgs, outcome: &Outcome) -> Result<()> {
    let positions = outcome.logits.len();
    let (layers, vocabulary) = (outcome.activations.len(), outcome.logits[0].len());
    let width = outcome.activations[0].len() / positions;
    if outcome.activations.iter().any(|layer| layer.len() != positions * width) {
        bail!("the transcoder's layers have different numbers of features; one tensor cannot hold them");
    }
    let flat = |layers: &'static str, rows: &'_ [Vec<f32>], shape: &[usize]| -> Tensor<'static> {
        let values: Vec<f32> = rows.concat();
        Tensor::new(layers, shape, values)
    };
    let features = [layers, positions, width];
    let all = vec![
        flat("logits", &outcome.logits, &[positions, vocabulary]),
        flat("activations", &outcome.activations, &features),
        flat("pre_activations", &outcome.pre_activations, &features),
    ];
    Ok(tensors::write(&args.out, None, all)?)
}

/// Probabilities at the last position.
fn probabilities(outcome: &Outcome) -> Vec<f64> {
    softmax(outcome.logits.last().map_or(&[], Vec::as_slice))
}

fn report(
    args: &InterveneArgs,
    base: &Outcome,
    altered: &Outcome,
    warnings: &[String],
    text: impl Fn(usize) -> String,
) -> Result<()> {
    let (before, after) = (probabilities(base), probabilities(altered));
    let likeliest = |all: &[f64]| -> Vec<usize> {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|a, b| all[*b].total_cmp(&all[*a]));
        order.truncate(NAMED);
        order
    };
    let entry =
        |id: &usize| serde_json::json!({ "id": id, "text": text(*id), "before": before[*id], "after": after[*id] });
    let (first, now) = (likeliest(&before), likeliest(&after));
    if args.json {
        let list = |ids: &[usize]| ids.iter().map(entry).collect::<Vec<_>>();
        let (before, after) = (list(&first), list(&now));
        let result = serde_json::json!({ "out": args.out, "before": before, "after": after, "warnings": warnings });
        writeln!(io::stdout(), "{result:#}")?;
    } else {
        let was = first.first().map_or_else(String::new, |id| format!("{:?} {:.3}", text(*id), before[*id]));
        let is = now.first().map_or_else(String::new, |id| format!("{:?} {:.3}", text(*id), after[*id]));
        eprintln!("wrote {}: the likeliest token was {was} and is {is}", args.out.display());
    }
    Ok(())
}
