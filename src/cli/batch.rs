//! `circuitscope trace --prompts`: many prompts with the model loaded once, a file for each, whole or in shards.

use crate::attribution::{Engine, Request, TargetChoice, TraceOptions};
use crate::cli::lines::{self, Entry, Line};
use crate::cli::output::{note, print_json_line};
use crate::cli::prompt::{ChatArgs, PromptArgs};
use crate::cli::trace::{self, Start, TraceArgs};
use crate::format::raw::{self, Summary};
use crate::graph::TargetKind;
use crate::untrusted::{self, excerpt};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::borrow::Cow;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Bytes of the largest list of prompts.
const MOST_BYTES: u64 = 1 << 30;

/// Letters of a prompt that its file is called by.
const SLUG: usize = 40;

/// Many prompts in place of one.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct BatchArgs {
    /// Traces many prompts into the directory --out: a prompt a line, or JSON lines with prompt or tokens and, if
    /// wanted, slug, target, target_diff, target_position, chat; - is stdin
    #[arg(long, value_name = "FILE", group = "source")]
    pub prompts: Option<PathBuf>,
    /// Takes every Nth prompt from the Ith on, so that N runs together trace all
    #[arg(long, value_name = "I/N", conflicts_with_all = ["prompt", "tokens", "resume"])]
    shard: Option<Shard>,
}

/// Part `nth` (from 0) of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub nth: usize,
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<usize>().ok();
        match text.split_once('/').and_then(|(i, n)| Some((number(i)?, number(n)?))) {
            Some((i, n)) if 1 <= i && i <= n => Ok(Self { nth: i - 1, of: n }),
            _ => Err("it has to be I/N, two whole numbers with 1 <= I <= N".to_owned()),
        }
    }
}

/// What became of a prompt.
enum Outcome {
    Traced(Value),
    Skipped,
}

/// Traces the prompts of the file one after the other. What cannot be traced is reported, and the others go on.
///
/// # Errors
/// The file, the model or the directory cannot be used; some prompts were not traced; it was stopped.
pub fn run(args: &TraceArgs, prompts: &Path, folder: &Path) -> Result<()> {
    let (all, ignored) = lines::read(&content(prompts)?);
    if all.is_empty() {
        bail!("{} holds no prompt", prompts.display());
    }
    if !ignored.is_empty() {
        let names = ignored.iter().map(|name| excerpt(name)).take(10).collect::<Vec<_>>().join(", ");
        note!("{}: fields that mean nothing here are left alone: {names}", prompts.display());
    }
    fs::create_dir_all(folder).with_context(|| format!("--out {} cannot be a directory", folder.display()))?;
    let engine = Arc::new(args.open(Some(folder), None)?);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("signals cannot be listened to")?;
    }
    let Shard { nth, of } = args.batch.shard.unwrap_or(Shard { nth: 0, of: 1 });
    let (mut traced, mut skipped, mut failed) = (0, 0, 0);
    for (index, line) in all.iter().enumerate().skip(nth).step_by(of) {
        let out = folder.join(file_name(index, line));
        let outcome = one(args, line, &out, &engine);
        let mut result = match outcome {
            Ok(Outcome::Traced(summary)) => {
                traced += 1;
                summary
            }
            Ok(Outcome::Skipped) => {
                skipped += 1;
                note!("{} is there already", out.display());
                json!({ "out": out, "skipped": true })
            }
            Err(error) => {
                failed += 1;
                note!("{}, line {}: {error:#}", prompts.display(), line.number);
                json!({ "error": format!("{error:#}") })
            }
        };
        if args.json {
            result["index"] = index.into();
            result["line"] = line.number.into();
            print_json_line(&result)?;
        }
        if stop.load(Ordering::Relaxed) {
            bail!("stopped; {traced} prompts were traced, run it again to go on");
        }
    }
    note!("{traced} traced, {skipped} there already, {failed} failed, in {}", folder.display());
    if failed > 0 {
        bail!("{failed} of {} prompts were not traced", traced + skipped + failed);
    }
    Ok(())
}

/// The content of the file, or of stdin.
fn content(prompts: &Path) -> Result<Vec<u8>> {
    if prompts == Path::new("-") {
        let mut content = Vec::new();
        io::stdin().take(MOST_BYTES + 1).read_to_end(&mut content).context("the prompts on stdin cannot be read")?;
        if content.len() as u64 > MOST_BYTES {
            bail!("the prompts on stdin have more than {MOST_BYTES} bytes; give them in parts");
        }
        return Ok(content);
    }
    untrusted::read(prompts, MOST_BYTES).with_context(|| format!("{} cannot be read", prompts.display()))
}

fn one(args: &TraceArgs, line: &Line, out: &Path, engine: &Arc<Engine>) -> Result<Outcome> {
    let begun = Instant::now();
    let entry = line.entry.as_ref().map_err(|why| anyhow!("{why}"))?;
    let args = for_entry(args, entry);
    let mut start = Start::fresh(&args, engine)?;
    if let (false, true, Start::Fresh { options, .. }) = (args.force.force, out.exists(), &start) {
        let there = raw::summary(out)?;
        if !is_made_by(&there, options, engine) {
            bail!("{} was made from something else; give --force or another --out", out.display());
        }
        if !there.is_partial {
            return Ok(Outcome::Skipped);
        }
        start = Start::resumed(&args, raw::read(out)?);
    }
    let (traced, cost) = trace::write(&args, out, engine, start, begun)?;
    if !args.json {
        trace::report(&args, out, &traced, &cost)?;
    }
    Ok(Outcome::Traced(trace::summary(out, &traced, &cost)?))
}

/// Whether a graph is what would be made now, as far as its header tells.
fn is_made_by(there: &Summary, options: &TraceOptions, engine: &Engine) -> bool {
    let same_targets = match &options.targets {
        TargetChoice::Likeliest { .. } => there.targets.iter().all(|(kind, _)| *kind == TargetKind::Token),
        TargetChoice::Given(requests) => {
            requests.iter().map(Request::name).eq(there.targets.iter().map(|(_, text)| Cow::from(text)))
        }
    };
    let made_from = &there.provenance;
    same_targets
        && there.settings == options.settings
        && made_from.model == engine.model.spec.name
        && made_from.transcoder == engine.transcoder.name()
}

/// The command as it would be for this prompt alone.
fn for_entry(args: &TraceArgs, entry: &Entry) -> TraceArgs {
    let mut own = args.clone();
    own.prompt = PromptArgs {
        prompt: entry.prompt.clone(),
        tokens: entry.tokens.clone(),
        chat: ChatArgs { chat: entry.chat.unwrap_or(args.prompt.chat.chat) },
        target_position: entry.target_position.or(args.prompt.target_position),
    };
    if !(entry.targets.is_empty() && entry.target_diffs.is_empty()) {
        own.target = entry.targets.clone();
        own.target_diff = entry.target_diffs.clone();
        own.target_vector = Vec::new();
    }
    own
}

/// The index with five digits, and a slug of plain letters.
fn file_name(index: usize, line: &Line) -> String {
    let named = line.entry.as_ref().ok().and_then(|entry| entry.slug.as_ref().or(entry.prompt.as_ref()));
    let slug = slug(named.map_or("", String::as_str));
    let dash = if slug.is_empty() { "" } else { "-" };
    format!("{index:05}{dash}{slug}.safetensors")
}

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() || (c == '_' && !slug.is_empty()) {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_plain_and_cannot_lead_elsewhere() {
        assert_eq!(slug("The capital of France is"), "the-capital-of-france-is");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("你好 🙂"), "");
        assert_eq!(slug(&"long ".repeat(40)).len(), 39);
    }

    #[test]
    fn a_shard_is_one_of_several() {
        assert_eq!("2/3".parse(), Ok(Shard { nth: 1, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
