//! `circuitscope submit`: the script that runs a job as an array on a cluster.

use crate::array::Shard;
use crate::attribution::Engine;
use crate::cli::engine::EngineArgs;
use crate::cli::output::{note, print};
use crate::cli::trace::TraceArgs;
use crate::cli::{Cli, Command, batch, features, plan};
use anyhow::{Context, Result, bail};
use clap::Parser;
use std::path::Path;
use std::sync::Arc;

/// Script to print, with the job between two lines [`MARK`].
const FEATURES: &str = include_str!("../../examples/cluster/slurm-features.sh");
const TRACE: &str = include_str!("../../examples/cluster/slurm-trace.sh");
const MARK: &str = "# --- the job ---\n";

/// Floating-point operations a second to expect: of a processor's core, and of a card.
const CORE: f64 = 5e9;
const CARD: f64 = 5e12;

/// Seconds that a task should take, where the number of tasks is not given.
const TASK: f64 = 3600.0;

/// Most tasks of an array, where their number is not given.
const MOST_TASKS: u64 = 256;

/// Ratio of a task's time limit to its expected time. Out of time it keeps its part and is queued again.
const PATIENCE: f64 = 4.0;

/// Granularity of time limits, in seconds; the limit is at most a day.
const STEP: u64 = 1800;
const LONGEST: u64 = 24 * 3600;

const GIB: u64 = 1 << 30;

/// Print the script that runs a job as an array on a cluster, sized by what the job takes. It runs nothing itself.
///
/// The job is a `features build` or a `trace --prompts` as it would be on one machine:
/// `circuitscope submit --slurm --shards 64 features build --corpus corpus.jsonl --out store > job.sh`, and then `bash job.sh`.
#[derive(Clone, Debug, clap::Args)]
pub struct SubmitArgs {
    /// For Slurm
    #[arg(long, required = true)]
    slurm: bool,
    /// Tasks; as many as take an hour each by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=Shard::MOST))]
    shards: Option<u64>,
    /// Cores of a task
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    cpus: u16,
    /// What a task takes beside, as Slurm's --gres [default: gpu:1 where the job names a card by --device]
    #[arg(long, value_name = "LIST")]
    gres: Option<String>,
    /// The partition, where it is not the cluster's default
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// The job: a subcommand and its options
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    job: Vec<String>,
}

/// Needs of a job.
struct Job {
    /// Bytes of memory of a task, weights included.
    memory: u64,
    /// Bytes of memory of the job behind the array.
    memory_behind: u64,
    operations: f64,
    /// Number of items that can be shared out, where known.
    items: Option<u64>,
    has_card: bool,
}

/// Prints the script.
///
/// # Errors
/// Fails where the job cannot be an array, or cannot be planned.
pub fn run(args: &SubmitArgs) -> Result<()> {
    let words = std::iter::once("circuitscope").chain(args.job.iter().map(String::as_str));
    let job = Cli::try_parse_from(words).map_err(|error| anyhow::anyhow!("the job cannot be understood: {error}"))?;
    // What the array decides stands in the script.
    let own = without(&args.job, &["--out", "--threads", "--max-memory"], &["--json", "--keep-partial"]);
    if own.iter().any(|word| word == "--shard" || word.starts_with("--shard=")) {
        bail!("the array makes the shards; say how many by `submit --shards N` and leave --shard out of the job");
    }
    let script = match &job.command {
        Some(Command::Features(job)) => {
            let Some(job) = job.build() else { bail!("of `features`, only `features build` can be an array") };
            features_script(args, job, &own)?
        }
        Some(Command::Trace(job)) => trace_script(args, job, &own)?,
        _ => bail!("only `features build` and `trace --prompts` can be an array"),
    };
    print(&script)
}

fn features_script(args: &SubmitArgs, job: &features::build::BuildArgs, own: &[String]) -> Result<String> {
    let engine = job.engine().on_processor().open()?;
    let (needs, weights) = (job.needs(&engine)?, weights(job.engine(), &engine)?);
    let store = job.folder()?;
    let taken = Job {
        memory: needs.memory_bytes + weights,
        memory_behind: needs.memory_bytes + needs.context_bytes + weights,
        operations: needs.operations as f64,
        items: None,
        has_card: job.engine().wants_card(),
    };
    let merge: Vec<String> = ["features", "merge"].map(str::to_owned).into_iter().chain(job.engine().words()).collect();
    let sized = taken.sized(args);
    let mut parts = store.clone().into_os_string();
    parts.push(".parts");
    let lines = [
        format!("# About {} tokens of text.", needs.tokens),
        sized.shards(),
        format!("parts={}", quoted_path(Path::new(&parts))?),
        sized.command("build", own)?,
        format!("merge=({} --out {})", program(&merge)?, quoted_path(&store)?),
        sized.needs("task_needs", taken.memory, args)?,
        sized.needs("merge_needs", taken.memory_behind, args)?,
    ];
    filled(FEATURES, &lines)
}

fn trace_script(args: &SubmitArgs, job: &TraceArgs, own: &[String]) -> Result<String> {
    let (Some(prompts), Some(graphs)) = (&job.batch.prompts, &job.out) else {
        bail!("an array traces many prompts; give the job --prompts FILE and --out DIR");
    };
    let mut planned = job.clone();
    planned.engine = job.engine.on_processor();
    let engine = Arc::new(planned.open(None, None)?);
    let (longest, count) = batch::sizes(&planned, prompts, &engine)?;
    let estimate = plan::estimate(&engine, (longest, job.max_feature_nodes()))?;
    note!("{count} prompts, the longest of {estimate}");
    let memory = estimate.memory_bytes[1] + weights(&job.engine, &engine)?;
    let taken = Job {
        memory,
        memory_behind: memory,
        operations: estimate.operations[1] as f64 * count as f64,
        items: Some(count as u64),
        has_card: job.engine.wants_card(),
    };
    let sized = taken.sized(args);
    let graphs = quoted_path(graphs)?;
    let lines = [
        format!("# {count} prompts, the longest of {longest} tokens."),
        sized.shards(),
        format!("graphs={graphs}"),
        sized.command("trace", own)?,
        format!("status=(\"${{CIRCUITSCOPE:-circuitscope}}\" status {graphs})"),
        sized.needs("task_needs", taken.memory, args)?,
    ];
    filled(TRACE, &lines)
}

/// Returns the bytes of the files of weights.
fn weights(args: &EngineArgs, engine: &Engine) -> Result<u64> {
    let (model, transcoder) = args.places_here()?;
    let size = |name: &String| match name.split_once('/') {
        Some(("model", name)) => model.size(name),
        Some((_, name)) => transcoder.size(name),
        None => None,
    };
    Ok(engine.file_hashes().keys().filter_map(size).sum())
}

/// Division of a job into tasks.
struct Sized {
    shards: u64,
    seconds: u64,
    memory: u64,
    has_card: bool,
}

impl Job {
    fn sized(&self, args: &SubmitArgs) -> Sized {
        let speed = if self.has_card { CARD } else { CORE * f64::from(args.cpus) };
        let all = self.operations / speed;
        let most = self.items.unwrap_or(u64::MAX).clamp(1, MOST_TASKS);
        let shards = args.shards.unwrap_or(((all / TASK).ceil() as u64).clamp(1, most));
        let patient = (all / shards as f64 * PATIENCE) as u64;
        let seconds = patient.div_ceil(STEP).max(1).saturating_mul(STEP).min(LONGEST);
        Sized { shards, seconds, memory: self.memory, has_card: self.has_card }
    }
}

impl Sized {
    fn shards(&self) -> String {
        format!("shards={}", self.shards)
    }

    /// Returns the command of a task; its memory limit is a little below what it requests.
    fn command(&self, name: &str, own: &[String]) -> Result<String> {
        let gib = gib(self.memory) - 1;
        Ok(format!("{name}=({} --max-memory {gib}GiB)", program(own)?))
    }

    fn needs(&self, name: &str, memory: u64, args: &SubmitArgs) -> Result<String> {
        let time = format!("--time={:02}:{:02}:00", self.seconds / 3600, self.seconds / 60 % 60);
        let mut words = vec![format!("--cpus-per-task={}", args.cpus), format!("--mem={}G", gib(memory)), time];
        let gres = args.gres.clone().or_else(|| self.has_card.then(|| "gpu:1".to_owned()));
        words.extend(gres.map(|gres| format!("--gres={gres}")));
        words.extend(args.partition.iter().map(|partition| format!("--partition={partition}")));
        Ok(format!("{name}=({})", quoted(&words)?))
    }
}

/// Returns the GiB to request, with a quarter to spare and one for the program itself.
fn gib(memory: u64) -> u64 {
    (memory + memory / 4).div_ceil(GIB) + 2
}

/// Returns the job without these options that take a value, and these that take none.
fn without(words: &[String], with_value: &[&str], alone: &[&str]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, has_value) = word.split_once('=').map_or((word.as_str(), false), |(option, _)| (option, true));
        if with_value.contains(&option) {
            if !has_value {
                words.next();
            }
        } else if !alone.contains(&option) {
            kept.push(word.clone());
        }
    }
    kept
}

/// Returns a command of this program; `CIRCUITSCOPE` names one that is not on the path.
fn program(words: &[String]) -> Result<String> {
    Ok(format!("\"${{CIRCUITSCOPE:-circuitscope}}\" {}", quoted(words)?))
}

fn quoted(words: &[String]) -> Result<String> {
    shlex::try_join(words.iter().map(String::as_str)).context("a word of the job cannot stand in a script")
}

fn quoted_path(path: &Path) -> Result<String> {
    let text =
        path.to_str().with_context(|| format!("{} cannot stand in a script: it is not UTF-8", path.display()))?;
    quoted(&[text.to_owned()])
}

/// Returns the script with these lines for its job.
fn filled(script: &str, lines: &[String]) -> Result<String> {
    let mut parts = script.split(MARK);
    let (Some(before), Some(_), Some(after)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("the script has no place for the job; this is a bug, please report it");
    };
    Ok(format!("{before}{MARK}{}\n{MARK}{after}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_the_array_decides_is_left_out_of_the_job() {
        let job = words("trace --out a --prompts --out=b --json c --max-memory 8GiB --threads=2 -x");
        assert_eq!(without(&job, &["--out", "--max-memory", "--threads"], &["--json"]), words("trace --prompts c -x"));
    }

    #[test]
    fn each_script_has_one_place_for_its_job() {
        for script in [FEATURES, TRACE] {
            let filled = filled(script, &["shards=3".to_owned()]).unwrap();
            assert!(filled.contains("shards=3\n") && !filled.contains("gemma"), "{filled}");
        }
    }

    #[test]
    fn a_job_is_cut_into_hours() {
        let args = SubmitArgs { slurm: true, shards: None, cpus: 2, gres: None, partition: None, job: Vec::new() };
        let job = |operations: f64, items| {
            Job { memory: 3 * GIB, memory_behind: 4 * GIB, operations, items, has_card: false }.sized(&args)
        };
        let hour = TASK * CORE * 2.0;
        assert_eq!((job(hour / 10.0, None).shards, job(hour / 10.0, None).seconds), (1, STEP));
        assert_eq!((job(hour * 40.0, None).shards, job(hour * 40.0, None).seconds), (40, 4 * 3600));
        assert_eq!((job(hour * 1e4, None).shards, job(hour * 1e4, Some(7)).shards), (MOST_TASKS, 7));
        assert_eq!(job(hour * 1e6, None).seconds, LONGEST);
    }
}
