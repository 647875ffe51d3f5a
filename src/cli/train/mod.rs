//! `circuitscope train`: trains a transcoder for a model that has none.

mod merge;
mod report;

use crate::attribution::memory;
use crate::cli::engine::{DeviceArgs, EngineArgs};
use crate::cli::output::{note, tell};
use crate::cli::plan::size;
use crate::cli::progress::{WhenStopped, watch};
use crate::features::build::Corpus;
use crate::training::{self, Activation, LayerRange, Needs, Options, Settings, Subject, TranscoderKind};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use clap::builder::ValueParser;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time between two saves of the state.
const EVERY: Duration = Duration::from_secs(180);

/// Default weight of the penalty on active features, by activation function; of cross-layer transcoders for either.
const SPARSITY: [(Activation, f32); 2] = [(Activation::Relu, 0.05), (Activation::JumpRelu, 0.003)];
const CROSS_LAYER_SPARSITY: f32 = 0.02;

/// Train a transcoder on what a model's MLPs read and write, and write it in circuit-tracer's layout.
///
/// The state is saved every few minutes and when it is stopped; the same command with --resume goes on there, bit for bit.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TrainArgs {
    #[command(subcommand)]
    command: Option<TrainCommand>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum TrainCommand {
    Merge(merge::MergeArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct RunArgs {
    /// The model: a Hugging Face directory, a GGUF file, or a hub reference, ORG/REPO[@REVISION]; the embedded demo's by
    /// default
    #[arg(long, value_name = "DIR|FILE|REF")]
    model: Option<PathBuf>,
    /// The documents to train on: files of one a line, text or JSON lines (.jsonl), packed by gzip or zstd or not. They
    /// are read again where they hold fewer than --tokens
    #[arg(long, value_name = "FILES", num_args = 1.., required = true)]
    corpus: Vec<PathBuf>,
    /// Documents that are not trained on, to measure on at the end
    #[arg(long, value_name = "FILES", num_args = 1..)]
    eval: Vec<PathBuf>,
    /// The field of JSON lines that holds the text; `text` by default
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// The folder of the transcoder, which is made
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// What features write into: plt, their own layer's MLP output alone; clt, those of all later layers too
    #[arg(long, value_enum, default_value_t = KindName::Plt)]
    kind: KindName,
    /// Features of a layer
    #[arg(long, value_name = "N", default_value_t = 4096)]
    features: usize,
    /// The activation function: topk:K keeps K features a token; batchtopk:K as many on average, and is saved as JumpReLU;
    /// relu and jumprelu keep what --sparsity leaves [default: topk:32; of a cross-layer transcoder jumprelu]
    #[arg(long, value_name = "NAME", value_parser = ValueParser::new(activation))]
    activation: Option<Activation>,
    /// Add a linear map from MLP input to MLP output
    #[arg(long)]
    skip: bool,
    /// Train these layers alone: 0..10, both ends included; `train merge` puts folders together [default: all]
    #[arg(long, value_name = "RANGE", value_parser = ValueParser::new(layers))]
    layers: Option<LayerRange>,
    /// Tokens to train on, such as 500k or 2M
    #[arg(long, value_name = "N", default_value = "2M", value_parser = count)]
    tokens: u64,
    /// Tokens that the model reads at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    context: usize,
    /// Tokens of a step
    #[arg(long, value_name = "N", default_value_t = 1024)]
    batch: usize,
    /// The learning rate
    #[arg(long, value_name = "RATE", default_value_t = 2e-3)]
    lr: f32,
    /// The weight of the penalty on active features [default: 0.05 for relu, 0.003 for jumprelu, 0.02 across layers]
    #[arg(long, value_name = "LAMBDA")]
    sparsity: Option<f32>,
    /// Tokens without being active after which a feature is dead, and is trained on what is left of the error [default:
    /// 200k, but no more than a tenth of --tokens]
    #[arg(long, value_name = "N", value_parser = count)]
    dead_after: Option<u64>,
    /// What draws the first weights and the order of tokens
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The most memory that the program may hold, such as 8GiB; what the system has free by default
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
    /// Go on where a run into the same folder was stopped
    #[arg(long, conflicts_with = "plan")]
    resume: bool,
    /// Say what memory, time and room on disk it takes, and stop
    #[arg(long)]
    plan: bool,
    /// Print the outcome on stdout as JSON
    #[arg(long)]
    json: bool,
    /// Download from the hub what is not on this machine; otherwise the network is not touched
    #[arg(long)]
    download: bool,
    /// Forbid the network, also where --download asks for it
    #[arg(long)]
    offline: bool,
    /// Refuse a model whose config.json holds an option that is not known here, instead of a warning
    #[arg(long)]
    strict: bool,
    // `Cli::read` takes it from the command line, since it has to be known before any thread is.
    /// Threads to compute on; as many as there are cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Kind of transcoder as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KindName {
    /// Per layer.
    Plt,
    /// Across layers.
    Clt,
}

fn activation(text: &str) -> Result<Activation, String> {
    text.parse()
}

fn layers(text: &str) -> Result<LayerRange, String> {
    text.parse()
}

/// Reads a number of tokens: 2M, 500k, 1024.
fn count(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.to_ascii_lowercase() {
        text if text.ends_with('k') => (text[..text.len() - 1].to_owned(), 1e3),
        text if text.ends_with('m') => (text[..text.len() - 1].to_owned(), 1e6),
        text if text.ends_with('b') => (text[..text.len() - 1].to_owned(), 1e9),
        text => (text, 1.0),
    };
    let count = number.parse::<f64>().ok().map(|number| number * factor);
    let count = count.filter(|count| (1.0..1e15).contains(count));
    count.map(|count| count as u64).ok_or_else(|| "it has to be a number of tokens, such as 500k or 2M".to_owned())
}

impl RunArgs {
    fn settings(&self, n_layers: usize) -> Settings {
        let kind = match self.kind {
            KindName::Plt => TranscoderKind::Plt,
            KindName::Clt => TranscoderKind::Clt,
        };
        let usual = if kind == TranscoderKind::Clt { Activation::JumpRelu } else { Activation::TopK(32) };
        let activation = self.activation.unwrap_or(usual);
        let sparsity = match kind {
            TranscoderKind::Clt => CROSS_LAYER_SPARSITY,
            TranscoderKind::Plt => SPARSITY.iter().find(|(of, _)| *of == activation).map_or(0.0, |(_, weight)| *weight),
        };
        Settings {
            kind,
            features: self.features,
            activation,
            skip: self.skip,
            layers: self.layers.clone().map_or_else(|| (0..n_layers).collect(), |layers| layers.0.collect()),
            tokens: self.tokens,
            context: self.context,
            batch: self.batch,
            buffer: 1,
            rate: self.lr,
            sparsity: self.sparsity.unwrap_or(sparsity),
            dead_after: self.dead_after.unwrap_or(200_000.min(self.tokens / 10).max(1)),
            seed: self.seed,
        }
    }

    fn engine(&self) -> EngineArgs {
        EngineArgs {
            model: self.model.clone(),
            download: self.download,
            offline: self.offline,
            strict: self.strict,
            threads: self.threads,
            device: self.device.clone(),
            ..EngineArgs::default()
        }
    }

    /// Returns the corpus of these files, which exist.
    fn corpus(&self, files: &[PathBuf], option: &str) -> Result<Corpus> {
        let corpus = Corpus::new(files.to_vec(), self.field.clone());
        if corpus.sources()?.iter().any(|source| source.name == "-") {
            bail!("{option} -: stdin can be read only once, and a run may read its documents again; give files");
        }
        Ok(corpus)
    }
}

/// Trains, or puts together what was trained.
///
/// # Errors
/// Fails where the model, the corpus or the folder cannot be used, the settings do not go together, or it was stopped.
pub fn run(args: &TrainArgs) -> Result<()> {
    match &args.command {
        Some(TrainCommand::Merge(args)) => merge::run(args),
        None => train(&args.run),
    }
}

fn train(args: &RunArgs) -> Result<()> {
    let begun = Instant::now();
    let out = args.out.clone().context("--out is missing")?;
    let corpus = args.corpus(&args.corpus, "--corpus")?;
    let held_out = (!args.eval.is_empty()).then(|| args.corpus(&args.eval, "--eval")).transpose()?;
    let engine = args.engine();
    let place = engine.model_source()?;
    let alone = engine.open_model_of(&place)?;
    let spec = &alone.model.spec;
    let mut settings = args.settings(spec.n_layers);
    settings.check(spec.n_layers)?;
    let needs = Needs::fit(spec, &mut settings, args.max_memory)?;
    if args.plan {
        let rate = training::product_rate();
        return tell(args.json, || report::plan_json(&needs, rate), || report::plan(&needs, rate));
    }
    let model = json!(place.hashes(&[])?);
    let options = Options { resume: args.resume, every: EVERY, model, held_out };
    let folder = out.clone();
    let trained = watch(WhenStopped::Keep, move |monitor| {
        let subject = Subject::new(&alone.model, &alone.tokenizer)?;
        let mut lines = report::Lines::new();
        Ok(training::train(&subject, &corpus, settings, &folder, &options, |report| lines.tell(report), monitor)?)
    })?;
    if let Some(first) = &trained.left_out.first {
        note!("{} lines held no document and were left out; {first}", trained.left_out.count);
    }
    tell(
        args.json,
        || report::json(&trained.record, &out, begun.elapsed()),
        || report::text(&trained.record, &out, memory::peak()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_tokens_are_read() {
        for (text, tokens) in [("2M", 2_000_000), ("1.5k", 1500), ("17", 17)] {
            assert_eq!(count(text), Ok(tokens));
        }
        for text in ["", "k", "0", "-3", "many", "1e99"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
