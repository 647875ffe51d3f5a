//! `circuitscope generate`: continuations of a prompt, with and without interventions.

use crate::attribution::Limits;
use crate::cli::engine::EngineArgs;
use crate::cli::intervention_args::InterventionArgs;
use crate::cli::output::{note, print, print_json};
use crate::cli::plan::size;
use crate::cli::prompt::PromptArgs;
use crate::graph::{Freeze, Interventions};
use crate::intervention::{
    Baseline, Continuation, Ended, Generation, InterventionError, Next, Sampling, generate, generate_alone,
};
use crate::job::{Cancel, Monitor};
use crate::model::KeptWeights;
use crate::service::engine::ModelAlone;
use crate::service::interventions::continued;
use crate::text::visible;
use crate::tokens::Tokenizer;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Continues a prompt, without and with interventions.
///
/// Those on positions "from here on" (4..) and on all hold for generated tokens too; scaling and adding are relative to
/// the altered run's own activations there.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").multiple(true))]
pub struct GenerateArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    alter: InterventionArgs,
    /// Tokens to generate at most; a special token ends a continuation too
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_tokens: usize,
    /// What logits are divided by before a token is drawn; with 0 the likeliest is taken
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Draw among the K likeliest tokens only
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw among the likeliest tokens only whose probabilities add up to P
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// What the draws begin with; the same seed gives the same text
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Keep no keys and values: compute everything anew for each token
    #[arg(long)]
    no_cache: bool,
    /// The most memory that the program may hold, such as 8GiB: as many weights stay in it from token to token as fit,
    /// and the others are read again. What the system has free by default
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
    /// Print the continuations on stdout as JSON, when they are done
    #[arg(long)]
    json: bool,
}

/// Loads the model, generates, and streams the text.
///
/// # Errors
/// Fails where the model cannot be loaded, the prompt cannot be read, or the interventions cannot be made.
pub fn run(args: &GenerateArgs) -> Result<()> {
    let asked = args.alter.read()?;
    let stop = Cancel::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.flag()).context("signals cannot be listened to")?;
    }
    let monitor = Monitor::with_cancel(stop.clone());
    let sampling = Sampling { temperature: args.temperature, top_k: args.top_k, top_p: args.top_p, seed: args.seed };
    let generation = Generation { max_tokens: args.max_tokens, sampling, cached: !args.no_cache };
    if args.alter.is_idle()
        && let Some(alone) = args.engine.open_model()?
    {
        return run_alone(args, &alone, &generation, &stop);
    }
    let mut engine = args.engine.open()?;
    engine.limits.memory = args.max_memory;
    let kept = engine.model.keep_weights(engine.limits.room());
    let weights = told(kept.as_ref());
    let (prompt, tokens) = args.prompt.read(&engine)?;
    let base = match Baseline::run(&engine, &tokens, &monitor) {
        Err(_) if stop.is_cancelled() => bail!("stopped; nothing was generated"),
        base => base?,
    };
    let altered = asked.interventions(&engine, &tokens, &base, None, &monitor)?;
    if altered.freeze == Freeze::Direct && !altered.is_idle() {
        return Err(InterventionError::DirectGeneration.into());
    }
    let plain = Interventions::default();
    let mut sides = vec![("without", &plain)];
    sides.extend((!altered.is_idle()).then_some(("with", &altered)));
    let titled = sides.len() > 1;
    let mut continuations = Vec::new();
    for (title, interventions) in sides {
        let mut stream = Stream::new(&engine.tokenizer, &base.capture.ids, args.json);
        if titled {
            stream.tell(&format!("{title} interventions: "));
        }
        let mut each = |next: Next, _: &[f32]| {
            stream.token(next.id);
            if stream.failed.is_some() {
                stop.cancel();
            }
        };
        let continuation = generate(&engine, &base.capture, interventions, &generation, &mut each, &monitor)?;
        stream.finish()?;
        continuations.push(continuation);
        if stop.is_cancelled() {
            break;
        }
    }
    if args.json {
        let side =
            |nth: usize| continuations.get(nth).map(|it| continuation_json(&engine.tokenizer, &base.capture.ids, it));
        let all = json!({
            "prompt": prompt,
            "tokens": tokens,
            "interventions": altered,
            "without": side(0),
            "with": side(1),
            "weights": weights,
        });
        print_json(&all)?;
    }
    if stop.is_cancelled() {
        bail!("stopped; the text ends there");
    }
    Ok(())
}

/// Continues with a model alone, which has no transcoder for interventions.
fn run_alone(args: &GenerateArgs, alone: &ModelAlone, generation: &Generation, stop: &Cancel) -> Result<()> {
    let (prompt, tokens) = args.prompt.read(alone)?;
    let limits = Limits { memory: args.max_memory, ..Limits::default() };
    let kept = alone.model.keep_weights(limits.room());
    let weights = told(kept.as_ref());
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let ModelAlone { model, tokenizer, .. } = alone;
    let mut stream = Stream::new(tokenizer, &ids, args.json);
    let mut each = |next: Next, _: &[f32]| {
        stream.token(next.id);
        if stream.failed.is_some() {
            stop.cancel();
        }
    };
    let monitor = Monitor::with_cancel(stop.clone());
    let continuation = generate_alone(model, tokenizer, &ids, generation, &limits, &mut each, &monitor)?;
    stream.finish()?;
    if args.json {
        print_json(&json!({
            "prompt": prompt,
            "tokens": tokens,
            "interventions": Interventions::default(),
            "without": continuation_json(tokenizer, &ids, &continuation),
            "with": null,
            "weights": weights,
        }))?;
    }
    if stop.is_cancelled() {
        bail!("stopped; the text ends there");
    }
    Ok(())
}

/// Returns which weights stay as JSON, and says so where not all of them do.
fn told(kept: Option<&KeptWeights<'_>>) -> Value {
    let Some(plan) = kept.map(KeptWeights::plan) else { return Value::Null };
    if plan.streamed_bytes > 0 {
        note!("{plan}");
    }
    json!({ "kept_bytes": plan.kept_bytes, "streamed_bytes": plan.streamed_bytes })
}

/// Text streamed to stdout.
struct Stream<'a> {
    tokenizer: &'a Tokenizer,
    /// Ids of the prompt and the generated tokens.
    ids: Vec<u32>,
    /// Bytes of their text that belong to the prompt or were printed.
    told: usize,
    quiet: bool,
    failed: Option<anyhow::Error>,
}

impl<'a> Stream<'a> {
    fn new(tokenizer: &'a Tokenizer, prompt: &[u32], quiet: bool) -> Self {
        Self { tokenizer, ids: prompt.to_vec(), told: tokenizer.joined(prompt).len(), quiet, failed: None }
    }

    fn token(&mut self, id: u32) {
        self.ids.push(id);
        let text = self.tokenizer.joined(&self.ids);
        // A character may be spread over several tokens; until it is whole, nothing is told.
        if let Some(new) = text.get(self.told..).filter(|new| !new.ends_with(char::REPLACEMENT_CHARACTER)) {
            let piece = shown(new);
            self.told = text.len();
            self.tell(&piece);
        }
    }

    fn tell(&mut self, text: &str) {
        if self.quiet || self.failed.is_some() {
            return;
        }
        self.failed = print(text).err();
    }

    fn finish(mut self) -> Result<()> {
        self.tell("\n");
        self.failed.map_or(Ok(()), Err)
    }
}

/// Escapes text for the terminal, keeping spaces and line ends.
fn shown(text: &str) -> String {
    let line = |line: &str| {
        let inside = line.trim_matches(' ');
        let (lead, trail) =
            (line.len() - line.trim_start_matches(' ').len(), line.len() - line.trim_end_matches(' ').len());
        if inside.is_empty() {
            line.to_owned()
        } else {
            format!("{}{}{}", " ".repeat(lead), visible(inside), " ".repeat(trail))
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn continuation_json(tokenizer: &Tokenizer, prompt: &[u32], continuation: &Continuation) -> Value {
    let ids: Vec<u32> = continuation.tokens.iter().map(|token| token.id).collect();
    let tokens = continuation
        .tokens
        .iter()
        .map(|token| json!({ "id": token.id, "text": tokenizer.text(token.id), "probability": token.probability }));
    json!({
        "text": continued(tokenizer, prompt, &ids),
        "tokens": tokens.collect::<Vec<_>>(),
        "ended": match continuation.ended {
            Ended::Long => "max_tokens",
            Ended::Full => "context",
            Ended::Special => "special",
            Ended::Stopped => "stopped",
        },
    })
}
