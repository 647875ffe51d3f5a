//! `circuitscope why`: explains why a feature did not fire.

use crate::attribution::{Inactive, Probe, Request, Source, TargetChoice, Why};
use crate::cli::engine::EngineArgs;
use crate::cli::graph_args::traced;
use crate::cli::out::ForceArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::cli::prompt::PromptArgs;
use crate::format::raw;
use crate::graph::{FeatureAt, Settings, Token};
use crate::service::explain::closest;
use crate::text::visible;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Tells why a feature fires or does not: what pushes its pre-activation up, and what holds it down.
#[derive(Clone, Debug, clap::Args)]
pub struct WhyArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    /// The feature, active or not
    #[arg(value_name = "L:POS:F", value_parser = str::parse::<FeatureAt>, required_unless_present_any = ["closest", "fires_in"])]
    feature: Option<FeatureAt>,
    /// List the features that came closest to firing and did not
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10", conflicts_with = "feature")]
    closest: Option<usize>,
    /// List the features that fire on this prompt, at the same token, and not on the other
    #[arg(long, value_name = "TEXT", conflicts_with = "feature", allow_hyphen_values = true)]
    fires_in: Option<String>,
    /// List only features of this layer
    #[arg(long, value_name = "N")]
    layer: Option<u32>,
    /// List only features at this position
    #[arg(long, value_name = "N")]
    position: Option<u32>,
    /// How many effects to list each way
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Trace what the pre-activation comes from, and write it as a raw graph whose output it is, to be walked
    #[arg(long, value_name = "FILE", requires = "feature")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: ForceArgs,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Loads the model, explains the feature, and prints the explanation.
///
/// # Errors
/// Fails where the model cannot be loaded, the prompt cannot be read, or there is no such feature.
pub fn run(args: &WhyArgs) -> Result<()> {
    if let Some(out) = &args.out {
        args.force.allow(out, [])?;
    }
    let engine = args.engine.open()?;
    let (text, tokens) = args.prompt.read(&engine)?;
    let wanted = args.clone();
    let told = watch(WhenStopped::Abandon, move |monitor| {
        let probe = Probe::new(&engine, &tokens, monitor)?;
        let Some(at) = wanted.feature else {
            let is_wanted = |at: FeatureAt| {
                wanted.layer.is_none_or(|layer| at.layer.0 == layer)
                    && wanted.position.is_none_or(|position| at.position.0 == position)
            };
            let most = wanted.closest.unwrap_or(usize::MAX);
            let found = closest(&engine, &probe, &tokens, wanted.fires_in.as_deref(), most, is_wanted, monitor)?;
            return Ok(Told::Listed(tokens.clone(), found));
        };
        let why = probe.why(at, monitor)?;
        if let Some(out) = &wanted.out {
            let target = TargetChoice::Given(vec![Request::Feature(at)]);
            let settings = Settings { prompt: text.clone(), ..Settings::default() };
            let document = traced(&engine, settings, tokens.clone(), target, monitor)?;
            if let Some(trace) = &document.trace {
                raw::write(out, trace)?;
            }
        }
        Ok(Told::Asked(Box::new(Answer { tokens: tokens.clone(), why })))
    })?;
    match told {
        Told::Listed(tokens, list) => tell(
            args.json,
            || json!({ "features": list.iter().map(|it| inactive(&tokens, it)).collect::<Vec<_>>() }),
            || {
                let line = |it: &Inactive| {
                    let FeatureAt { layer, position, feature } = it.at;
                    let token = visible(&tokens[position.index()].text);
                    let name = format!("{layer}:{position}:{feature}");
                    format!("{name:<16} {token:<12} {:+10.4}  {:+10.4}", it.pre_activation, it.margin)
                };
                let head = format!("{:<16} {:<12} {:>10}  {:>10}", "feature", "at", "value", "margin");
                std::iter::once(head).chain(list.iter().map(line)).collect()
            },
        ),
        Told::Asked(answer) => {
            tell(args.json, || answer.json(args.top), || answer.lines(args.top))?;
            if let Some(out) = &args.out {
                note!("wrote {}; circuitscope open walks it", out.display());
            }
            Ok(())
        }
    }
}

/// Result to print.
enum Told {
    Listed(Vec<Token>, Vec<Inactive>),
    Asked(Box<Answer>),
}

/// Explanation of a feature's pre-activation on a prompt.
struct Answer {
    tokens: Vec<Token>,
    why: Why,
}

impl Answer {
    fn json(&self, top: usize) -> Value {
        let list = |sign: f32| {
            let entry =
                |(source, effect): (Source, f32)| json!({ "source": source.id(&self.tokens), "effect": effect });
            self.why.strongest(sign, top).into_iter().map(entry).collect::<Vec<_>>()
        };
        let mut all = inactive(&self.tokens, &self.why.margin);
        all["active"] = json!(self.why.active);
        all["constant"] = json!(self.why.constant);
        all["pushed_up"] = json!(self.why.sum(1.0));
        all["held_down"] = json!(self.why.sum(-1.0));
        all["up"] = json!(list(1.0));
        all["down"] = json!(list(-1.0));
        all
    }

    fn lines(&self, top: usize) -> Vec<String> {
        let FeatureAt { layer, position, feature } = self.why.margin.at;
        let token = visible(&self.tokens[position.index()].text);
        let is = if self.why.active { "fires" } else { "does not fire" };
        let side = if self.why.margin.margin > 0.0 { "above" } else { "below" };
        let mut lines = vec![
            format!("{layer}:{position}:{feature} {is} at {token}"),
            format!(
                "pre-activation {:+.4}, {:.4} {side} what it has to exceed",
                self.why.margin.pre_activation,
                self.why.margin.margin.abs()
            ),
            format!(
                "           = {:+.4} pushed up {:+.4} held down {:+.4} from constants",
                self.why.sum(1.0),
                self.why.sum(-1.0),
                self.why.constant
            ),
        ];
        for (title, sign) in [("what pushes it up", 1.0), ("what holds it down", -1.0)] {
            lines.push(format!("\n{title}"));
            let line = |(source, effect): (Source, f32)| {
                let (id, text) = (source.id(&self.tokens), visible(&self.tokens[source.position().index()].text));
                format!("{effect:+10.4}  {id:<16} {text}")
            };
            lines.extend(self.why.strongest(sign, top).into_iter().map(line));
        }
        lines
    }
}

fn inactive(tokens: &[Token], it: &Inactive) -> Value {
    let FeatureAt { layer, position, feature } = it.at;
    json!({
        "layer": layer,
        "position": position,
        "feature": feature,
        "token": tokens[position.index()].text,
        "pre_activation": it.pre_activation,
        "margin": it.margin.is_finite().then_some(it.margin),
    })
}
