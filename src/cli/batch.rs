//! `circuitscope trace --prompts`: many prompts with the model loaded once, a file for each, all of them or a shard.

use crate::array::{Claim, Shard};
use crate::attribution::{Engine, Request, TargetChoice, TraceOptions};
use crate::cli::lines::{self, Entry, Line};
use crate::cli::output::{note, print_json_line};
use crate::cli::prompt::{ChatArgs, PromptArgs};
use crate::cli::trace::{self, Start, TraceArgs};
use crate::format::raw::{self, Summary};
use crate::graph::{Provenance, TargetKind};
use crate::job::Cancel;
use crate::untrusted::{self, excerpt};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Bytes of the largest list of prompts.
const MOST_BYTES: u64 = 1 << 30;

/// Letters of a prompt in its file's name.
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

/// Name of this command in the records of an array's tasks.
pub(super) const WORK: &str = "trace";

/// Outcome of a prompt, with its number of tokens.
enum Outcome {
    Traced(Value, usize),
    Skipped(usize),
}

/// Error of a run that was stopped before its last prompt.
#[derive(Debug, thiserror::Error)]
#[error("stopped; {traced} prompts were traced, run it again to go on")]
struct Stopped {
    traced: usize,
}

/// Traces the prompts of the file one after the other. Failures are reported, and the other prompts are still traced.
///
/// # Errors
/// Fails where the file, the model or the directory cannot be used, some prompts were not traced, or it was stopped.
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
    let stop = Cancel::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.flag()).context("signals cannot be listened to")?;
    }
    let Some(shard) = args.batch.shard else { return all_of(args, prompts, folder, &all, &engine, None, &stop) };
    let claim = Claim::take(folder, shard, WORK, &stop)?;
    let outcome = all_of(args, prompts, folder, &all, &engine, Some(&claim), &stop);
    claim.end(&outcome, |error| error.is::<Stopped>());
    outcome
}

/// Traces the prompts of one shard, or all of them, and reports progress to the claim.
fn all_of(
    args: &TraceArgs,
    prompts: &Path,
    folder: &Path,
    all: &[Line],
    engine: &Arc<Engine>,
    claim: Option<&Claim>,
    stop: &Cancel,
) -> Result<()> {
    let shard = args.batch.shard.unwrap_or(Shard::WHOLE);
    let own: Vec<(usize, &Line)> = all.iter().enumerate().filter(|(index, _)| shard.has(*index as u64)).collect();
    let (mut traced, mut skipped, mut failed) = (0, 0, 0);
    if let Some(claim) = claim {
        claim.tell(|record| record.total = Some(own.len() as u64));
    }
    for (index, line) in own {
        let out = folder.join(file_name(index, line));
        let (mut result, tokens, tokens_now) = match one(args, line, &out, engine) {
            Ok(Outcome::Traced(summary, tokens)) => {
                traced += 1;
                (summary, tokens, tokens)
            }
            Ok(Outcome::Skipped(tokens)) => {
                skipped += 1;
                note!("{} is there already", out.display());
                (json!({ "out": out, "skipped": true }), tokens, 0)
            }
            // Of what was asked to stop no prompt is to blame.
            Err(_) if stop.is_cancelled() => return Err(Stopped { traced }.into()),
            Err(error) => {
                failed += 1;
                note!("{}, line {}: {error:#}", prompts.display(), line.number);
                (json!({ "error": format!("{error:#}") }), 0, 0)
            }
        };
        if let Some(claim) = claim {
            claim.tell(|record| {
                record.done = (traced + skipped) as u64;
                record.tokens += tokens as u64;
                record.tokens_of_run += tokens_now as u64;
            });
        }
        if args.json {
            result["index"] = index.into();
            result["line"] = line.number.into();
            print_json_line(&result)?;
        }
        if stop.is_cancelled() {
            return Err(Stopped { traced }.into());
        }
    }
    note!("{traced} traced, {skipped} there already, {failed} failed, in {}", folder.display());
    if failed > 0 {
        bail!("{failed} of {} prompts were not traced", traced + skipped + failed);
    }
    Ok(())
}

/// Returns the tokens of the longest readable prompt, and the number of those; unreadable ones are named on stderr.
///
/// # Errors
/// Fails where the file, or every prompt of it, cannot be used.
pub(super) fn sizes(args: &TraceArgs, prompts: &Path, engine: &Arc<Engine>) -> Result<(usize, usize)> {
    if prompts == Path::new("-") {
        bail!("--prompts -: the tasks of an array cannot share stdin; give a file");
    }
    let (all, _) = lines::read(&content(prompts)?);
    let mut longest = 0;
    for line in &all {
        let start = line.entry.as_ref().map_err(|why| anyhow!("{why}"));
        match start.and_then(|entry| Start::fresh(&for_entry(args, entry), engine)) {
            Ok(start) => longest = start.size().0.max(longest),
            Err(error) => note!("{}, line {}: {error:#}", prompts.display(), line.number),
        }
    }
    if longest == 0 {
        bail!("{} holds no prompt that can be traced", prompts.display());
    }
    Ok((longest, all.len()))
}

/// Reads the content of the file, or of stdin.
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
        if let Some(other) = difference(&there, options, engine) {
            bail!("{} was made {other}; give --force or another --out", out.display());
        }
        if !there.is_partial {
            return Ok(Outcome::Skipped(there.n_positions));
        }
        start = Start::resumed(&args, raw::read(out)?);
    }
    let (traced, cost) = trace::write(&args, out, engine, start, begun)?;
    if !args.json {
        trace::report(&args, out, &traced, &cost)?;
    }
    Ok(Outcome::Traced(trace::summary(out, &traced, &cost)?, traced.tokens.len()))
}

/// Returns how a graph was made differently, as far as its header tells; `None` where it was not.
fn difference(there: &Summary, options: &TraceOptions, engine: &Engine) -> Option<String> {
    let same_targets = match &options.targets {
        TargetChoice::Likeliest { .. } => there.targets.iter().all(|(kind, _)| *kind == TargetKind::Token),
        TargetChoice::Given(requests) => {
            let may_be = |(request, (_, text)): (&Request, &(TargetKind, String))| request.may_be(text);
            requests.len() == there.targets.len() && requests.iter().zip(&there.targets).all(may_be)
        }
    };
    let Provenance { program_version, model, transcoder, file_hashes, .. } = &there.provenance;
    match () {
        () if *model != engine.model.spec.name => Some(format!("with another model ({})", excerpt(model))),
        () if *transcoder != engine.transcoder.name() => {
            Some(format!("with another transcoder ({})", excerpt(transcoder)))
        }
        () if file_hashes != engine.file_hashes() => Some("with other files of the model or the transcoder".to_owned()),
        () if program_version != env!("CARGO_PKG_VERSION") => {
            Some(format!("by version {} of this program", excerpt(program_version)))
        }
        () if !same_targets || there.settings != options.settings => {
            Some("from another prompt, or with other options".to_owned())
        }
        () => None,
    }
}

/// Returns the arguments of the command for this prompt alone.
fn for_entry(args: &TraceArgs, entry: &Entry) -> TraceArgs {
    let mut own = args.clone();
    own.prompt = PromptArgs {
        prompt: entry.prompt.clone(),
        tokens: entry.tokens.clone(),
        chat: ChatArgs { chat: entry.chat.unwrap_or(args.prompt.chat.chat) },
        target_position: entry.target_position.or(args.prompt.target_position),
    };
    if !(entry.targets.is_empty() && entry.target_diffs.is_empty()) {
        own.targets.target = entry.targets.clone();
        own.targets.target_diff = entry.target_diffs.clone();
        own.targets.target_vector = Vec::new();
    }
    own
}

/// Returns the index with five digits, followed by a slug of ASCII letters and digits.
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
}
