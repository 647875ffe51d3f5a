//! `circuitscope trace`: traces a prompt to a raw graph.

use crate::attribution::{Engine, Plan, Request, Spelling, TargetChoice, TraceOptions, Tracing};
use crate::cli::batch::{self, BatchArgs};
use crate::cli::checkpoint::Checkpoint;
use crate::cli::cost::Cost;
use crate::cli::engine::EngineArgs;
use crate::cli::out::ForceArgs;
use crate::cli::output::{note, print_json};
use crate::cli::plan::{LimitArgs, When, estimate, estimate_json, plan_json};
use crate::cli::progress::{WhenStopped, watch};
use crate::cli::prompt::PromptArgs;
use crate::format::{raw, tensors};
use crate::graph::{AttributionGraph, RawTrace, Settings, Token, influence, scores};
use crate::job::{Monitor, Phase};
use crate::model::most_held;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Traces a prompt and writes the raw graph.
#[derive(Clone, Debug, clap::Args)]
pub struct TraceArgs {
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub batch: BatchArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Say what the trace would take instead of tracing: before the forward pass as a range, or with --plan=full after it
    /// to about 15 %
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "before")]
    plan: Option<When>,
    #[command(flatten)]
    pub targets: TargetArgs,
    /// Go on from a raw graph: one that was stopped, or a finished one with a larger --max-feature-nodes. Prompt, outputs
    /// and settings are the file's; model and transcoder have to be the same
    #[arg(long, value_name = "FILE", group = "source", conflicts_with_all = FROM_THE_FILE)]
    resume: Option<PathBuf>,
    /// Where to write the raw graph; with --resume, that file by default; with --prompts, the directory for all
    #[arg(long, value_name = "FILE|DIR", required_unless_present_any = ["resume", "plan"])]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: ForceArgs,
    /// When stopped by Ctrl-C, write what there is; a long trace is also saved now and then
    #[arg(long)]
    keep_partial: bool,
    /// Print what was traced on stdout as JSON; with --prompts, a line a prompt
    #[arg(long)]
    pub json: bool,
}

/// Which outputs are traced.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    /// An output to trace instead of the likeliest: a text that is one token, ~TEXT for the likelier of the text and the
    /// same behind a space, or id:N
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub target: Vec<String>,
    /// The difference of two tokens' logits, as an output to trace
    #[arg(long, num_args = 2, value_names = ["A", "B"], action = clap::ArgAction::Append, allow_hyphen_values = true)]
    pub target_diff: Vec<String>,
    /// A direction at the final norm's output, as an output to trace: a tensor of a safetensors file
    #[arg(long, value_name = "FILE[:TENSOR]")]
    pub target_vector: Vec<String>,
    /// What --target-diff and --target-vector weigh among the outputs
    #[arg(long, value_name = "W", default_value_t = 1.0)]
    pub target_weight: f32,
}

/// Options that a resumed trace takes from its file.
const FROM_THE_FILE: [&str; 10] = [
    "chat",
    "target_position",
    "target",
    "target_diff",
    "target_vector",
    "target_weight",
    "batch_size",
    "update_interval",
    "max_logits",
    "logit_prob",
];

/// How far a trace goes.
#[derive(Clone, Debug, clap::Args)]
pub struct SettingsArgs {
    /// Features that get a row: a number, or all [default: 7500]
    #[arg(long, value_name = "N|all", value_parser = feature_nodes)]
    max_feature_nodes: Option<FeatureNodes>,
    /// Features a ranking batch; steers which features get a row, not how they are computed
    #[arg(long, value_name = "N", default_value_t = Settings::default().batch_size, value_parser = positive)]
    batch_size: usize,
    /// Batches between two rankings
    #[arg(long, value_name = "N", default_value_t = Settings::default().update_interval, value_parser = positive)]
    update_interval: usize,
    /// At most this many of the likeliest outputs are traced
    #[arg(long, value_name = "N", default_value_t = Settings::default().max_logits, value_parser = positive)]
    max_logits: usize,
    /// The likeliest outputs are traced until their probabilities add up to this
    #[arg(long, value_name = "P", default_value_t = Settings::default().logit_probability, value_parser = probability)]
    logit_prob: f32,
}

#[derive(Clone, Copy, Debug)]
struct FeatureNodes(Option<usize>);

fn feature_nodes(text: &str) -> Result<FeatureNodes, String> {
    if text == "all" { Ok(FeatureNodes(None)) } else { positive(text).map(|n| FeatureNodes(Some(n))) }
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "it has to be a whole number above 0".to_owned())
}

fn probability(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|p| *p > 0.0 && *p <= 1.0);
    number.ok_or_else(|| "it has to be a number above 0, at most 1".to_owned())
}

impl SettingsArgs {
    /// Returns the settings to record with a trace of `prompt`.
    pub fn settings(&self, prompt: &str) -> Settings {
        Settings {
            prompt: prompt.to_owned(),
            max_feature_nodes: self.max_feature_nodes.map_or(Settings::default().max_feature_nodes, |nodes| nodes.0),
            batch_size: self.batch_size,
            update_interval: self.update_interval,
            max_logits: self.max_logits,
            logit_probability: self.logit_prob,
        }
    }
}

/// Start of a trace.
pub(super) enum Start {
    /// New trace of a prompt.
    Fresh { tokens: Vec<Token>, options: TraceOptions },
    /// Trace resumed from a file.
    Resumed { from: Box<RawTrace>, max_feature_nodes: Option<usize> },
}

impl TraceArgs {
    /// Loads model and transcoder, for a trace that may resume another one; sets the limits of the command.
    ///
    /// # Errors
    /// Fails where they cannot be found or loaded.
    pub fn open(&self, out: Option<&Path>, from: Option<&RawTrace>) -> Result<Engine> {
        let mut engine = match from {
            Some(from) => self.engine.as_before(&from.provenance.device).open()?,
            None => self.engine.open()?,
        };
        engine.limits = self.limits.limits(out);
        Ok(engine)
    }

    /// Returns the most features that get a row; `None` for all.
    pub fn max_feature_nodes(&self) -> Option<usize> {
        self.settings.settings("").max_feature_nodes
    }
}

impl Start {
    /// Starts at the prompt and the outputs that the command names.
    ///
    /// # Errors
    /// Fails where they cannot be understood.
    pub fn fresh(args: &TraceArgs, engine: &Engine) -> Result<Self> {
        let (prompt, tokens) = args.prompt.read(engine)?;
        let settings = args.settings.settings(&prompt);
        let targets = args.targets.choice(engine, &settings)?;
        Ok(Self::Fresh { tokens, options: TraceOptions { settings, targets, cut: None } })
    }

    /// Resumes `from`, up to the features that the command asks for, or else the file.
    pub fn resumed(args: &TraceArgs, from: RawTrace) -> Self {
        let asked = args.settings.max_feature_nodes.map(|nodes| nodes.0);
        Self::Resumed { max_feature_nodes: asked.unwrap_or(from.settings.max_feature_nodes), from: Box::new(from) }
    }

    /// Returns the tokens of the prompt, and the most features that get a row.
    pub fn size(&self) -> (usize, Option<usize>) {
        match self {
            Self::Fresh { tokens, options } => (tokens.len(), options.settings.max_feature_nodes),
            Self::Resumed { from, max_feature_nodes } => (from.tokens.len(), *max_feature_nodes),
        }
    }

    /// Returns the number of rows that are there already.
    fn held(&self) -> usize {
        match self {
            Self::Fresh { .. } => 0,
            Self::Resumed { from, .. } => from.row_targets.len(),
        }
    }
}

/// Loads the model, traces the prompt, writes the graph, and prints a summary.
///
/// # Errors
/// Fails where any step fails; no file is left then.
pub fn run(args: &TraceArgs) -> Result<()> {
    let begun = Instant::now();
    if let Some(when) = args.plan {
        return tell(args, when);
    }
    // Clap asks for one of the two.
    let Some(out) = args.out.as_deref().or(args.resume.as_deref()) else { bail!("give --out FILE") };
    if let Some(prompts) = &args.batch.prompts {
        return batch::run(args, prompts, out);
    }
    // A resumed trace goes on in its own file where no other is named.
    if args.out.is_some() {
        args.force.allow(out, [])?;
    }
    let from = args.resume.as_deref().map(raw::read).transpose()?;
    let engine = Arc::new(args.open(Some(out), from.as_ref())?);
    let start = match from {
        Some(from) => Start::resumed(args, from),
        None => Start::fresh(args, &engine)?,
    };
    let (trace, cost) = write(args, out, &engine, start, begun)?;
    report(args, out, &trace, &cost).context("the graph was written, but cannot be reported on stdout")
}

/// Prints the estimated cost of a trace.
fn tell(args: &TraceArgs, when: When) -> Result<()> {
    if args.batch.prompts.is_some() {
        bail!("--plan is for one prompt; give it with --prompt");
    }
    let from = args.resume.as_deref().map(raw::read).transpose()?;
    let engine = args.open(args.out.as_deref(), from.as_ref())?;
    let start = match from {
        Some(from) => Start::resumed(args, from),
        None => Start::fresh(args, &engine)?,
    };
    let estimate = estimate(&engine, start.size())?;
    note!("{estimate}");
    let plan = match when {
        When::Before => estimate_json(&estimate),
        When::Full => watch(WhenStopped::Abandon, move |monitor| Ok(begin(&engine, start, monitor)?.1))?,
    };
    if args.json {
        print_json(&plan)?;
    }
    Ok(())
}

/// Computes the forward pass and the rows of the outputs, or takes them from a file; returns the plan for the rest too.
fn begin<'a>(engine: &'a Engine, start: Start, monitor: &Monitor) -> Result<(Tracing<'a>, Value)> {
    let mut plan = Value::Null;
    let planned = |made: &Plan| {
        note!("{made}");
        plan = plan_json(made);
    };
    let tracing = match start {
        Start::Fresh { tokens, options } => engine.begin(tokens, &options, planned, monitor)?,
        Start::Resumed { from, max_feature_nodes } => engine.resume(*from, max_feature_nodes, planned, monitor)?,
    };
    Ok((tracing, plan))
}

/// Traces and writes the graph; `begun` is the time that its work began.
///
/// # Errors
/// Fails where any step fails; no file is left then.
pub(super) fn write(
    args: &TraceArgs,
    out: &Path,
    engine: &Arc<Engine>,
    start: Start,
    begun: Instant,
) -> Result<(RawTrace, Cost)> {
    let (engine, held) = (Arc::clone(engine), start.held());
    note!("{}", estimate(&engine, start.size())?);
    let stopped = if args.keep_partial { WhenStopped::Keep } else { WhenStopped::Abandon };
    let mut checkpoint = args.keep_partial.then(|| Checkpoint::new(out, held));
    let opened = begun.elapsed();
    let device = engine.model.device().clone();
    let (trace, plan, worked) = watch(stopped, move |monitor| {
        let (mut tracing, plan) = begin(&engine, start, monitor)?;
        let seen = |trace: &RawTrace| checkpoint.iter_mut().for_each(|checkpoint| checkpoint.seen(trace));
        tracing.run(seen, monitor)?;
        Ok((tracing.into_trace(), plan, monitor.phases()))
    })?;
    if trace.is_partial() && trace.row_targets.len() <= held {
        bail!("stopped before there were more rows than the file has; nothing was written");
    }
    let writing = Instant::now();
    raw::write(out, &trace)?;
    let phase = |name, time| Phase { name, time, operations: 0 };
    let phases = [vec![phase("opening", opened)], worked, vec![phase("writing", writing.elapsed())]].concat();
    let rows = trace.row_targets.len().saturating_sub(held);
    let cost = Cost { plan, time: begun.elapsed(), phases, rows, on_device: most_held(&device) };
    Ok((trace, cost))
}

impl TargetArgs {
    /// The outputs, as many of the likeliest as `settings` say where none is named.
    ///
    /// # Errors
    /// One cannot be understood.
    pub fn choice(&self, engine: &Engine, settings: &Settings) -> Result<TargetChoice> {
        let vocab_size = engine.model.spec.vocab_size;
        let token = |text: &String| Spelling::written(text, &engine.tokenizer, vocab_size);
        let weight = self.target_weight;
        let mut requests = Vec::new();
        for text in &self.target {
            requests.push(Request::written(text, &engine.tokenizer, vocab_size)?);
        }
        for pair in self.target_diff.chunks_exact(2) {
            requests.push(Request::Difference { plus: token(&pair[0])?, minus: token(&pair[1])?, weight });
        }
        for reference in &self.target_vector {
            requests.push(Request::Vector { name: reference.clone(), vector: direction(reference)?, weight });
        }
        Ok(if requests.is_empty() { TargetChoice::likeliest(settings) } else { TargetChoice::Given(requests) })
    }
}

/// Reads the tensor that FILE or FILE:TENSOR names.
fn direction(reference: &str) -> Result<Vec<f32>> {
    let (path, name) = match reference.rsplit_once(':') {
        Some((path, name)) if !Path::new(reference).exists() => (path, Some(name)),
        _ => (reference, None),
    };
    let mut file = tensors::Reader::open(Path::new(path))?;
    let names = file.names();
    let name = match (name, names.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, several) => bail!("{path} holds the tensors {}; say which: {path}:NAME", several.join(", ")),
    };
    Ok(file.read::<f32>(&name, &[None])?)
}

/// Prints a summary of the trace: in a line on stderr, or as JSON on stdout.
///
/// # Errors
/// Fails where the trace contradicts itself, or stdout is closed.
pub(super) fn report(args: &TraceArgs, out: &Path, trace: &RawTrace, cost: &Cost) -> Result<()> {
    let result = summary(out, trace, cost)?;
    if args.json {
        return print_json(&result);
    }
    let outputs: Vec<String> = trace.targets.iter().map(|t| format!("{:?} {:.3}", t.text, t.probability)).collect();
    let score = |name: &str| result[name].as_f64().unwrap_or(f64::NAN);
    note!(
        "wrote {}{}: {} rows over {} active features in {:.1} s; replacement {:.3}, completeness {:.3}; {}",
        out.display(),
        if trace.is_partial() { " (partial)" } else { "" },
        trace.row_targets.len(),
        trace.sources.features.len(),
        cost.time.as_secs_f64(),
        score("replacement_score"),
        score("completeness_score"),
        outputs.join(", "),
    );
    note!("{cost}");
    Ok(())
}

/// Returns the summary of a trace as JSON.
///
/// # Errors
/// Fails where the trace contradicts itself.
pub(super) fn summary(out: &Path, trace: &RawTrace, cost: &Cost) -> Result<Value> {
    let graph = AttributionGraph::from_trace(trace)?;
    let scores = scores(&graph, &influence(&graph));
    Ok(json!({
        "out": out,
        "partial": trace.is_partial(),
        "prompt": trace.settings.prompt,
        "tokens": trace.tokens,
        "targets": trace.targets,
        "active_features": trace.sources.features.len(),
        "feature_rows": trace.visit_order().count(),
        "nodes": graph.n_nodes(),
        "edges": graph.n_edges(),
        "replacement_score": scores.replacement,
        "completeness_score": scores.completeness,
        "warnings": trace.provenance.warnings,
        "cost": cost.json(trace),
    }))
}
