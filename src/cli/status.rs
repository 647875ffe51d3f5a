//! `circuitscope status`: progress of an array of tasks.

use crate::array::{Record, Shard, State, record_path};
use crate::cli::features::build::WORK as BUILD;
use crate::cli::output::tell;
use crate::features::build::{About, PART, Part, part_path};
use crate::untrusted::excerpt;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// File ending of a task's record.
const RECORD: &str = "run";

/// Show how far an array of tasks is: which shards are done, running, stopped or missing, and tokens a second.
///
/// It looks at the folder alone, on any machine that sees it, and asks no scheduler.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// The --out of the tasks: where `features build --shard` puts its parts, or `trace --prompts --shard` its graphs
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print it on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Stage of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Done,
    Running,
    /// Begun and not finished; the next task of the shard continues it.
    Stopped,
    Failed,
    Missing,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Done, Self::Running, Self::Stopped, Self::Failed, Self::Missing];

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

/// State of a shard.
#[derive(Clone, Debug)]
struct Task {
    shard: Shard,
    stage: Stage,
    /// Record that its last task wrote.
    record: Option<Record>,
    /// Number of documents or prompts that are done.
    done: u64,
    tokens: u64,
}

/// Shards of one array.
#[derive(Clone, Debug)]
struct Array {
    work: String,
    tasks: Vec<Task>,
}

/// Reads the folder, and prints the state of its arrays.
///
/// # Errors
/// Fails where the folder cannot be read, or holds no files of an array.
pub fn run(args: &StatusArgs) -> Result<()> {
    let folder = &args.folder;
    let mut problems = Vec::new();
    let arrays: Vec<Array> = sizes(folder)?.into_iter().map(|of| array(folder, of, &mut problems)).collect();
    if arrays.is_empty() {
        bail!(
            "{} holds no shard of an array; give the --out of `features build --shard` or `trace --prompts --shard`",
            folder.display()
        );
    }
    let all = || json!({ "arrays": arrays.iter().map(Array::json).collect::<Vec<_>>(), "problems": problems });
    tell(args.json, all, || {
        let problems = problems.iter().map(|problem| format!("problem: {problem}"));
        arrays.iter().flat_map(Array::lines).chain(problems).collect()
    })
}

/// Returns the numbers of shards of the arrays that have files in the folder.
fn sizes(folder: &Path) -> Result<BTreeSet<u64>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut sizes = BTreeSet::new();
    for entry in entries {
        let name = entry.with_context(|| format!("{} cannot be read", folder.display()))?.file_name();
        let name = name.to_string_lossy();
        let shard = [PART, RECORD].into_iter().find_map(|ending| Shard::of_file(&name, ending));
        sizes.extend(shard.map(|shard| shard.of));
    }
    Ok(sizes)
}

/// Reads the state of an array of so many shards from the folder.
fn array(folder: &Path, of: u64, problems: &mut Vec<String>) -> Array {
    let mut first: Option<(PathBuf, About)> = None;
    let mut tasks = Vec::new();
    let mut works: BTreeMap<String, usize> = BTreeMap::new();
    for nth in 1..=of {
        let shard = Shard { nth, of };
        let path = part_path(folder, shard);
        let about = path.is_file().then(|| Part::read_about(&path));
        let record = Record::read(&record_path(folder, shard)).unwrap_or_else(|error| {
            problems.push(format!("{} cannot be read: {error}", record_path(folder, shard).display()));
            None
        });
        let part = match about {
            Some(Ok(about)) => Some(about),
            Some(Err(error)) => {
                problems.push(error.to_string());
                None
            }
            None => None,
        };
        if let Some(about) = &part {
            *works.entry(BUILD.to_owned()).or_default() += 1;
            if about.shard != shard {
                problems.push(format!("{}: it is of shard {} by what it holds", path.display(), about.shard));
            } else if let Some((other, first)) = &first {
                if let Some(what) = about.difference(first) {
                    problems.push(format!("{}: it was made with {what} than {}", path.display(), other.display()));
                }
            } else {
                first = Some((path, about.clone()));
            }
        } else if let Some((record, _)) = &record {
            *works.entry(record.work.clone()).or_default() += 1;
        }
        tasks.push(task(shard, part.as_ref(), record));
    }
    let work = works.into_iter().max_by_key(|(_, count)| *count).map_or_else(String::new, |(work, _)| work);
    Array { work: excerpt(&work).into_owned(), tasks }
}

fn task(shard: Shard, part: Option<&About>, record: Option<(Record, bool)>) -> Task {
    let is_of_store = part.is_some() || record.as_ref().is_some_and(|(record, _)| record.work == BUILD);
    let stage = match (part, &record) {
        (Some(part), _) if part.course.done => Stage::Done,
        (_, Some((_, true))) => Stage::Running,
        (_, Some((record, false))) => match record.state {
            State::Failed => Stage::Failed,
            // Of a store, what counts is the part.
            State::Done if is_of_store => Stage::Missing,
            State::Done => Stage::Done,
            State::Running | State::Stopped => Stage::Stopped,
        },
        (Some(_), None) => Stage::Stopped,
        (None, None) => Stage::Missing,
    };
    let record = record.map(|(record, _)| record);
    // The record of a task that runs is newer than what it last wrote down.
    let (done, tokens) = match (part, &record) {
        (Some(part), Some(record)) => (part.course.documents.max(record.done), part.course.tokens.max(record.tokens)),
        (Some(part), None) => (part.course.documents, part.course.tokens),
        (None, Some(record)) => (record.done, record.tokens),
        (None, None) => (0, 0),
    };
    Task { shard, stage, record, done, tokens }
}

impl Task {
    /// Returns the tokens a second, where it runs.
    fn rate(&self) -> Option<f64> {
        self.record.as_ref().filter(|_| self.stage == Stage::Running).map(Record::rate)
    }

    fn json(&self) -> Value {
        let record = self.record.as_ref();
        json!({
            "shard": self.shard.nth,
            "state": self.stage.name(),
            "done": self.done,
            "total": record.and_then(|record| record.total),
            "tokens": self.tokens,
            "tokens_per_second": self.rate(),
            "task": record.map(Record::task),
            "fault": record.filter(|_| self.stage == Stage::Failed).and_then(|record| record.fault.clone()),
        })
    }

    /// Returns a line on the shard, where there is more to say than its number.
    fn line(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        let total = record.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let how_far = format!("{}{total} done, {} tokens", self.done, self.tokens);
        let task = record.task();
        let task = excerpt(&task);
        match self.stage {
            Stage::Running => {
                Some(format!("  shard {}: {how_far}, {:.0} tokens/s, {task}", self.shard.nth, record.rate()))
            }
            Stage::Stopped => Some(format!("  shard {}: stopped at {how_far}, was {task}", self.shard.nth)),
            Stage::Failed => {
                let fault = excerpt(record.fault.as_deref().unwrap_or_default());
                Some(format!("  shard {}: failed at {how_far}, was {task}: {fault}", self.shard.nth))
            }
            Stage::Done | Stage::Missing => None,
        }
    }
}

impl Array {
    fn at(&self, stage: Stage) -> Vec<u64> {
        self.tasks.iter().filter(|task| task.stage == stage).map(|task| task.shard.nth).collect()
    }

    fn tokens(&self) -> u64 {
        self.tasks.iter().map(|task| task.tokens).sum()
    }

    fn rate(&self) -> f64 {
        // The sum of no numbers is -0.
        self.tasks.iter().filter_map(Task::rate).fold(0.0, |sum, rate| sum + rate)
    }

    fn json(&self) -> Value {
        let mut all = json!({
            "work": self.work,
            "shards": self.tasks.len(),
            "tokens": self.tokens(),
            "tokens_per_second": self.rate(),
            "tasks": self.tasks.iter().map(Task::json).collect::<Vec<_>>(),
        });
        for stage in Stage::ALL {
            all[stage.name()] = json!(self.at(stage));
        }
        all
    }

    fn lines(&self) -> Vec<String> {
        let stages = Stage::ALL.map(|stage| (stage.name(), self.at(stage)));
        let stages = stages.iter().filter(|(_, shards)| !shards.is_empty()).map(|(name, shards)| match *name {
            "done" => format!("{} done", shards.len()),
            _ => format!("{} {name} ({})", shards.len(), ranges(shards)),
        });
        let stages = stages.collect::<Vec<_>>().join(", ");
        let head = format!("{}, {} shards: {stages}", self.work, self.tasks.len());
        let sum = format!("  {} tokens, {:.0} tokens/s", self.tokens(), self.rate());
        [head, sum].into_iter().chain(self.tasks.iter().filter_map(Task::line)).collect()
    }
}

/// Formats ascending numbers as a scheduler takes them: `1-3,7`.
fn ranges(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == *number => *end = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let range = |(from, to): (u64, u64)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    ranges.into_iter().map(range).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn numbers_are_written_as_a_scheduler_takes_them() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3,7,9-10");
        assert_eq!(ranges(&[]), "");
    }
}
