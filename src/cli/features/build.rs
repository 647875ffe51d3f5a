//! `circuitscope features build`: runs the model over a corpus and stores each feature's contexts.

use crate::array::{Claim, Shard};
use crate::attribution::Engine;
use crate::cli::engine::EngineArgs;
use crate::cli::output::{note, print_json_line};
use crate::cli::plan::size;
use crate::cli::progress::{WhenStopped, watch};
use crate::config;
use crate::features::build::{self, BuildError, Built, Corpus, Gathered, Needs, Options, Report, Selection};
use crate::features::own_folder;
use crate::job::Monitor;
use crate::service::library::KnownTranscoder;
use anyhow::{Context, Result, anyhow, bail};
use clap::builder::ValueParser;
use serde_json::{Value, json};
use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Ratio of text to compressed text.
const PACKED: u64 = 3;

/// Name of this command in the records of an array's tasks.
pub(in crate::cli) const WORK: &str = "features build";

/// Run the model over a corpus and keep what each feature fires on, as a store that circuit-tracer's viewer reads too.
///
/// What was gathered is written down every minute and when it is stopped; the same command goes on there. Neither the
/// order of the documents nor shards change a byte of the result.
#[derive(Clone, Debug, clap::Args)]
pub struct BuildArgs {
    #[command(flatten)]
    engine: EngineArgs,
    /// The corpus: files of one document a line, text or JSON lines (.jsonl), packed by gzip or zstd or not; - is stdin
    #[arg(long, value_name = "FILES", num_args = 1.., required = true)]
    corpus: Vec<PathBuf>,
    /// The field of JSON lines that holds the text; `text` by default
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// The folder of the store [default: where it is found for this transcoder without being named]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Look at these features alone: layers as 3 or 3..9, features as 3:17 or 3:20..29, both ends included
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = ValueParser::new(selection))]
    features: Selection,
    /// Look at these layers alone: 3..9, both ends included
    #[arg(long, value_name = "RANGE", value_parser = ValueParser::new(layers), conflicts_with = "features")]
    layers: Option<Selection>,
    /// Contexts among the strongest; of each activation bin there are an eighth as many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    examples: u16,
    /// Tokens of a context
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=256))]
    window: u16,
    /// What draws the contexts of the activation bins
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The most memory that the program may hold, such as 8GiB; what the system has free by default
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
    /// Take every Nth document from the Ith on, so that N runs together read all; `features merge` puts them together
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Print the outcome on stdout as JSON
    #[arg(long)]
    json: bool,
}

fn selection(text: &str) -> Result<Selection, String> {
    text.parse()
}

fn layers(text: &str) -> Result<Selection, String> {
    if text.contains(':') {
        return Err("it has to be layers, such as 3..9; name features by --features".to_owned());
    }
    text.parse()
}

impl BuildArgs {
    fn options(&self) -> Options {
        Options {
            selection: self.layers.clone().unwrap_or_else(|| self.features.clone()),
            examples: self.examples.into(),
            window: self.window.into(),
            seed: self.seed,
            memory: self.max_memory,
            shard: self.shard.unwrap_or(Shard::WHOLE),
            ..Options::default()
        }
    }

    /// Returns the options of model and transcoder.
    pub(in crate::cli) fn engine(&self) -> &EngineArgs {
        &self.engine
    }

    /// Returns the folder of the store.
    ///
    /// # Errors
    /// Fails where none was given, and there is no home directory.
    pub(in crate::cli) fn folder(&self) -> Result<PathBuf> {
        folder(self.out.as_deref(), &self.engine)
    }

    /// Estimates the needs of the whole corpus.
    ///
    /// # Errors
    /// Fails where the corpus does not exist, or is stdin, which tasks cannot share.
    pub(in crate::cli) fn needs(&self, engine: &Engine) -> Result<Needs> {
        let mut bytes = 0;
        for source in Corpus::new(self.corpus.clone(), self.field.clone()).sources()? {
            if source.name == "-" {
                bail!("--corpus -: the tasks of an array cannot share stdin; give files");
            }
            let is_packed = [".gz", ".zst"].iter().any(|ending| source.name.ends_with(ending));
            bytes += source.bytes * if is_packed { PACKED } else { 1 };
        }
        Ok(Needs::new(engine, &self.options(), bytes)?)
    }
}

/// Gathers contexts, and writes the store, or the part of a shard.
///
/// # Errors
/// Fails where the model, the corpus or the folder cannot be used, or it was stopped.
pub fn run(args: &BuildArgs) -> Result<()> {
    let begun = Instant::now();
    let options = args.options();
    let corpus = Corpus::new(args.corpus.clone(), args.field.clone());
    let engine = args.engine.open()?;
    let folder = folder(args.out.as_deref(), &args.engine)?;
    let out = folder.clone();
    let part = build::part_path(&out, options.shard);
    let is_shard = args.shard.is_some();
    let (gathered, built) = watch(WhenStopped::Keep, move |monitor| {
        if is_shard {
            return Ok((gather_shard(&engine, &corpus, &options, &out, monitor)?, None));
        }
        let gathered = build::gather(&engine, &corpus, &options, &out, tell, monitor)?;
        let built = build::finish(&engine, &gathered.part, &out, monitor)?;
        Ok((gathered, Some(built)))
    })?;
    let Gathered { part: found, left_out, was_there } = gathered;
    if let Some(first) = left_out.first {
        note!("{} lines held no document and were left out; {first}", left_out.count);
    }
    let Some(built) = built else {
        let there = if was_there { ", which was there already" } else { "" };
        note!("{} documents, {} tokens: {}{there}", found.course.documents, found.course.tokens, part.display());
        let counts = json!({ "documents": found.course.documents, "tokens": found.course.tokens });
        return print(args.json, counts, &part, left_out.count, begun);
    };
    // The store holds all that the part was kept for.
    fs::remove_file(&part).with_context(|| format!("{} cannot be removed", part.display()))?;
    say(&built, &folder);
    print(args.json, built_json(&built), &folder, left_out.count, begun)
}

/// Gathers one shard of an array, locked against other tasks, and records its progress in the folder.
fn gather_shard(
    engine: &Engine,
    corpus: &Corpus,
    options: &Options,
    out: &Path,
    monitor: &Monitor,
) -> Result<Gathered> {
    fs::create_dir_all(out).with_context(|| format!("--out {} cannot be a directory", out.display()))?;
    let claim = Claim::take(out, options.shard, WORK, monitor.cancel())?;
    let heard = |report: &Report| {
        claim.tell(|record| {
            (record.done, record.tokens) = (report.documents, report.tokens);
            record.tokens_of_run = report.tokens - report.tokens_before;
        });
        tell(report);
    };
    let outcome = build::gather(engine, corpus, options, out, heard, monitor);
    if let Ok(Gathered { part, .. }) = &outcome {
        claim.tell(|record| (record.done, record.tokens) = (part.course.documents, part.course.tokens));
    }
    claim.end(&outcome, BuildError::is_cancelled);
    Ok(outcome?)
}

/// Returns the folder of a store: the given one, or else the default one of this transcoder.
pub(super) fn folder(out: Option<&Path>, engine: &EngineArgs) -> Result<PathBuf> {
    if let Some(out) = out {
        return Ok(out.to_owned());
    }
    let data = config::data_folder().context("there is no home to keep the store in; say where it goes by --out")?;
    Ok(own_folder(&data, &KnownTranscoder::of(engine.places()?.1).name))
}

/// Prints a line whenever the state is saved, for logs; on a terminal a bar shows the progress.
fn tell(report: &Report) {
    if report.is_saved && !stderr().is_terminal() {
        let left = match report.left {
            Some(left) => format!(", {} s left", left.as_secs()),
            None => String::new(),
        };
        note!("{} documents, {} tokens, {:.0} tokens/s{left}", report.documents, report.tokens, report.rate);
    }
}

/// Prints what was built.
pub(super) fn say(built: &Built, out: &Path) {
    let Built { documents, tokens, features, silent } = built;
    note!(
        "{features} features, {silent} of them silent on {tokens} tokens of {documents} documents: {}",
        out.display()
    );
}

/// Returns what was built as JSON.
pub(super) fn built_json(built: &Built) -> Value {
    let Built { documents, tokens, features, silent } = built;
    json!({ "documents": documents, "tokens": tokens, "features": features, "silent": silent })
}

fn print(wanted: bool, mut outcome: Value, out: &Path, left_out: u64, begun: Instant) -> Result<()> {
    if !wanted {
        return Ok(());
    }
    let fields = outcome.as_object_mut().ok_or_else(|| anyhow!("an outcome has fields"))?;
    fields.insert("out".to_owned(), json!(out));
    fields.insert("left_out".to_owned(), left_out.into());
    fields.insert("seconds".to_owned(), begun.elapsed().as_secs_f64().into());
    print_json_line(&outcome)
}
