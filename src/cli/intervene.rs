//! `circuitscope intervene`: effects of setting features to values.

use crate::attribution::{Engine, Spelling, likeliest, softmax};
use crate::cli::engine::EngineArgs;
use crate::cli::intervention_args::InterventionArgs;
use crate::cli::out::ForceArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::cli::prompt::PromptArgs;
use crate::format::tensors::{self, Tensor};
use crate::graph::{Document, Edited, FeatureAt, Interventions, layer_range};
use crate::ids::{FeatureId, Layer, Position};
use crate::intervention::{ActivationEffect, Baseline, Effects, Outcome, Sweep, TokenEffect};
use crate::text::visible;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Number of tokens and features listed of those that change most.
const NAMED: usize = 10;

/// Runs the model with features set to values, and tells or writes what it computes.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub struct InterveneArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    alter: InterventionArgs,
    /// Layers whose feature outputs stay and are written into, the end exclusive; for the direct mode
    #[arg(long, value_name = "A..B", value_parser = layer_range)]
    layers: Option<Range<usize>>,
    /// Outputs to tell of: a token's text, ~TEXT for the likelier of that and the same behind a space, or id:N [default: the likeliest]
    #[arg(long, value_name = "TOKEN")]
    target: Vec<String>,
    /// Also run it at N doses from A to B, and tell the targets' probabilities: of what is ablated, scaled or swapped
    /// the factor is varied, of what is set or added the value
    #[arg(long, value_name = "A..B:N", value_parser = doses, allow_hyphen_values = true)]
    sweep: Option<Doses>,
    /// Where to write logits, activations and pre_activations
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: ForceArgs,
    /// Print the effects on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Doses of a sweep.
#[derive(Clone, Debug)]
struct Doses(Vec<f32>);

fn doses(text: &str) -> Result<Doses, String> {
    const MOST: usize = 1000;
    let parts = || {
        let (span, count) = text.rsplit_once(':')?;
        let (start, end) = span.split_once("..")?;
        Some((start.parse::<f32>().ok()?, end.parse::<f32>().ok()?, count.parse::<usize>().ok()?))
    };
    match parts() {
        Some((start, end, count)) if (end - start).is_finite() && (2..=MOST).contains(&count) => {
            let step = |nth: usize| nth as f32 / (count - 1) as f32;
            Ok(Doses((0..count).map(|nth| start * (1.0 - step(nth)) + end * step(nth)).collect()))
        }
        _ => Err(format!("it has to be A..B:N, as in 0..2:9: two numbers and 2 to {MOST} doses")),
    }
}

/// Results of the interventions.
struct Found {
    engine: Engine,
    interventions: Interventions,
    graph: Option<(Document, Edited)>,
    altered: Outcome,
    effects: Effects,
    sweep: Option<Sweep>,
}

/// Loads the model, runs the interventions, writes the result, and prints the changes.
///
/// # Errors
/// Fails where any step fails; no file is left then.
pub fn run(args: &InterveneArgs) -> Result<()> {
    if let Some(out) = &args.out {
        args.force.allow(out, args.alter.files())?;
    }
    let asked = args.alter.read()?;
    asked.freeze(args.layers.as_ref())?;
    let engine = args.engine.open()?;
    let (_, tokens) = args.prompt.read(&engine)?;
    let vocabulary = engine.model.spec.vocab_size;
    let spelled = |text: &String| Ok(Spelling::written(text, &engine.tokenizer, vocabulary)?);
    let targets: Vec<Spelling> = args.target.iter().map(spelled).collect::<Result<_>>()?;
    let (layers, doses) = (args.layers.clone(), args.sweep.clone());
    let found = watch(WhenStopped::Abandon, move |monitor| {
        let base = Baseline::run(&engine, &tokens, monitor)?;
        let probabilities = softmax(&base.logits);
        let targets = targets.iter().map(|spelling| Ok(spelling.meant(&probabilities)?.id));
        let targets = targets.collect::<Result<Vec<u32>>>()?;
        let interventions = asked.interventions(&engine, &tokens, &base, layers.as_ref(), monitor)?;
        let altered = base.altered(&engine, &interventions, monitor)?;
        let targets = if targets.is_empty() { likeliest(&probabilities, NAMED, 0.95) } else { targets };
        let features = match &asked.graph {
            Some((document, edited)) => kept_features(document, edited),
            None => most_changed(&base, &altered),
        };
        let effects = Effects::of(&base, &altered, &targets, &features, NAMED);
        let swept = |doses: Doses| base.sweep(&engine, &interventions, None, &doses.0, &targets, monitor);
        let sweep = doses.map(swept).transpose()?;
        Ok(Found { engine, interventions, graph: asked.graph, altered, effects, sweep })
    })?;
    if let Some(out) = &args.out {
        write(out, &found.altered)?;
        if !args.json {
            note!("wrote {}: {}", out.display(), found.answers());
            return Ok(());
        }
    }
    let out = args.out.as_deref();
    tell(args.json, || found.json(out), || found.lines()).context("the effects cannot be told")
}

/// Returns the kept features of a graph.
fn kept_features(document: &Document, edited: &Edited) -> Vec<FeatureAt> {
    let kept = document.prune(edited.thresholds);
    kept.node_ids().filter_map(|id| document.graph.node(id).feature()).collect()
}

/// Returns the features that were set, and those whose activations change most.
fn most_changed(base: &Baseline, altered: &Outcome) -> Vec<FeatureAt> {
    let positions = base.capture.n_positions();
    let mut changed: Vec<(f32, FeatureAt)> = Vec::new();
    for (layer, (after, captured)) in altered.activations.iter().zip(&base.capture.layers).enumerate() {
        let width = after.len() / positions;
        let mut before = vec![0.0f32; after.len()];
        for active in &captured.active {
            before[active.position as usize * width + active.feature as usize] = active.activation;
        }
        let moved = before.iter().zip(after).enumerate().filter(|(_, (before, after))| before != after);
        changed.extend(moved.map(|(place, (before, after))| {
            let (position, feature) = (Position::from(place / width), FeatureId::from(place % width));
            ((after - before).abs(), FeatureAt::mlp(Layer::from(layer), position, feature))
        }));
    }
    changed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let written = || altered.written.iter().map(|(feature, _)| *feature);
    let others = changed.into_iter().map(|(_, feature)| feature).filter(|feature| written().all(|set| set != *feature));
    written().take(NAMED).chain(others.take(NAMED)).collect()
}

fn write(out: &Path, outcome: &Outcome) -> Result<()> {
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
    Ok(tensors::write(out, None, all)?)
}

impl Found {
    fn text(&self, id: u32) -> String {
        self.engine.tokenizer.text(id)
    }

    /// Formats the likeliest tokens in a sentence.
    fn answers(&self) -> String {
        let named = |token: Option<&TokenEffect>, at: usize| {
            token.map_or_else(String::new, |token| format!("{:?} {:.3}", self.text(token.id), token.probabilities[at]))
        };
        let (was, is) = (named(self.effects.before.first(), 0), named(self.effects.after.first(), 1));
        format!("the likeliest token was {was} and is {is}")
    }

    /// Returns a feature's label in the given graph.
    fn node_name(&self, at: FeatureAt) -> Option<String> {
        let (document, _) = self.graph.as_ref()?;
        let mut ids = document.graph.node_ids();
        Some(document.graph.node_name(ids.find(|id| document.graph.node(*id).feature() == Some(at))?))
    }

    fn json(&self, out: Option<&Path>) -> Value {
        let token = |token: &TokenEffect| {
            json!({
                "id": token.id,
                "text": self.text(token.id),
                "before": token.probabilities[0],
                "after": token.probabilities[1],
                "logit_before": token.logits[0],
                "logit_after": token.logits[1],
            })
        };
        let tokens = |list: &[TokenEffect]| list.iter().map(token).collect::<Vec<_>>();
        let feature = |effect: &ActivationEffect| {
            let mut entry = json!({
                "layer": effect.feature.layer(),
                "position": effect.feature.position,
                "feature": effect.feature.feature,
                "before": effect.before,
                "after": effect.after,
                "written": effect.written,
            });
            if let Some(name) = self.node_name(effect.feature) {
                entry["node"] = json!(name);
            }
            entry
        };
        let effects = &self.effects;
        let mut all = json!({
            "out": out,
            "warnings": self.engine.warnings,
            "interventions": self.interventions,
            "targets": tokens(&effects.targets),
            "before": tokens(&effects.before),
            "after": tokens(&effects.after),
            "rising": tokens(&effects.rising),
            "falling": tokens(&effects.falling),
            "rising_logits": tokens(&effects.rising_logits),
            "falling_logits": tokens(&effects.falling_logits),
            "features": effects.features.iter().map(feature).collect::<Vec<_>>(),
        });
        if let Some(sweep) = &self.sweep {
            let rows = sweep.tokens.iter().zip(&sweep.probabilities);
            let rows = rows.map(|(id, row)| json!({ "id": id, "text": self.text(*id), "probabilities": row }));
            all["sweep"] = json!({ "doses": sweep.doses, "tokens": rows.collect::<Vec<_>>() });
        }
        all
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.answers()];
        let mut table = |title: &str, list: &[TokenEffect]| {
            lines.extend((!list.is_empty()).then(|| format!("{title}:")));
            lines.extend(list.iter().map(|token| {
                let [before, after] = token.probabilities;
                let logit = token.of_logit();
                format!("  {before:.3} -> {after:.3}  logit {logit:+.2}  {}", visible(&self.text(token.id)))
            }));
        };
        table("outputs", &self.effects.targets);
        table("rising", &self.effects.rising);
        table("falling", &self.effects.falling);
        if !self.effects.features.is_empty() {
            lines.push("activations:".to_owned());
        }
        lines.extend(self.effects.features.iter().map(|effect| {
            let set = effect.written.map_or_else(String::new, |value| format!("  (set to {value})"));
            format!("  {:.3} -> {:.3}  {}{set}", effect.before, effect.after, effect.feature)
        }));
        if let Some(sweep) = &self.sweep {
            for (at, dose) in sweep.doses.iter().enumerate() {
                let tokens = sweep.tokens.iter().zip(&sweep.probabilities);
                let shares = tokens.map(|(id, row)| format!("{} {:.3}", visible(&self.text(*id)), row[at]));
                lines.push(format!("dose {dose}: {}", shares.collect::<Vec<_>>().join("  ")));
            }
        }
        lines
    }
}
