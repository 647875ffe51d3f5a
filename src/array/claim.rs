//! A task's claim on its shard, and the record of its progress.
//!
//! A running task holds the file `shard-3-of-8.run` under a lock of the operating system, which ends with the task
//! however it ends, and every few seconds writes there who it is and how far it has come. Where a shared disk does not
//! carry locks from one machine to another, a file that goes on changing tells as much, if later: clocks are not
//! compared.

use crate::array::Shard;
use crate::job::{Cancel, Cancelled};
use crate::untrusted;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Time between two writes of a task's record.
const BEAT: Duration = Duration::from_secs(4);

/// Time without a write after which a task of another machine counts as ended.
const SILENCE: Duration = Duration::from_secs(14);

/// Time that is longer than reading a record takes.
const LOOK: Duration = Duration::from_millis(500);

/// Time between two checks for a request to stop, or of a lock.
const TICK: Duration = Duration::from_millis(50);

/// Bytes of a record, padded with spaces, so that one is written over another in one go.
const LENGTH: usize = 2048;

/// Characters kept of an error message.
const MOST_FAULT: usize = 600;

/// State of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Working, or ended without a chance to say so.
    #[default]
    Running,
    /// Stopped on request; the next task of the shard goes on there.
    Stopped,
    /// Failed with an error.
    Failed,
    /// Done with all of the shard.
    Done,
}

/// Record that a task writes about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Command, such as `features build`.
    pub work: String,
    /// Version of the program.
    pub program: String,
    /// Name of the machine.
    pub host: String,
    /// Id of the process on it.
    pub process: u32,
    /// Scheduler's name of the task, such as `1234_5` for task 5 of Slurm's job 1234.
    pub job: Option<String>,
    /// State of the task.
    pub state: State,
    /// Items done, documents or prompts, those of earlier runs included.
    pub done: u64,
    /// Items in all, where that is known.
    pub total: Option<u64>,
    /// Tokens of the items done.
    pub tokens: u64,
    /// Tokens of this run.
    pub tokens_of_run: u64,
    /// Seconds since this run began.
    pub seconds: f64,
    /// Error that ended it, a sentence.
    pub fault: Option<String>,
    /// Number of times the record was written.
    beat: u64,
}

impl Record {
    fn of_this_process(work: &str) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let slurm = || Some(format!("{}_{}", variable("SLURM_ARRAY_JOB_ID")?, variable("SLURM_ARRAY_TASK_ID")?));
        Self {
            work: work.to_owned(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            host: host(),
            process: std::process::id(),
            job: slurm().or_else(|| variable("SLURM_JOB_ID")),
            ..Self::default()
        }
    }

    /// Returns the tokens a second of this run.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.tokens_of_run as f64 / self.seconds } else { 0.0 }
    }

    /// Returns job, process and machine of the task, for the user to find it.
    pub fn task(&self) -> String {
        let job = self.job.as_ref().map(|job| format!("job {job}, ")).unwrap_or_default();
        format!("{job}process {} on {}", self.process, self.host)
    }

    /// Reads a record and whether its task is running; `None` where there is none.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn read(path: &Path) -> io::Result<Option<(Self, bool)>> {
        let mut file = match untrusted::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let is_locked = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        let record = get(&mut file)?.unwrap_or_default();
        // A task of another machine may hold a lock that is not seen here.
        let is_elsewhere = record.host != host() && record.state == State::Running;
        let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
        let is_running = is_locked || is_elsewhere && age < SILENCE;
        Ok(Some((record, is_running)))
    }
}

/// Returns the path in `folder` of the record of a shard's task.
pub fn record_path(folder: &Path, shard: Shard) -> PathBuf {
    folder.join(shard.file_name("run"))
}

/// Error of claiming a shard.
#[derive(Debug, Error)]
pub enum ClaimError {
    /// Shard of another task.
    #[error(
        "{}: shard {shard} is worked on already, by {by}; end one of the two tasks, or give this one another --shard or --out",
        path.display()
    )]
    Held {
        /// Record of the other task.
        path: PathBuf,
        /// The shard.
        shard: Shard,
        /// The other task.
        by: String,
    },
    /// Record that cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// Path of the record.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Request to stop, while waiting for a sign of the other task.
    #[error("stopped before it began")]
    Stopped(#[from] Cancelled),
}

/// Claim of this task on its shard. Dropping it gives the shard back, as stopped unless [`Claim::end`] said otherwise.
#[derive(Debug)]
pub struct Claim {
    shared: Arc<Mutex<Shared>>,
    /// Sender that ends the writing thread when it is dropped.
    stop: Option<mpsc::Sender<()>>,
    beats: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    begun: Instant,
    record: Record,
}

impl Claim {
    /// Claims a shard of the `work` that is done in `folder`, which has to exist. Where another machine's task may
    /// still have it, waits for a sign of that task.
    ///
    /// # Errors
    /// Fails with [`ClaimError::Held`] where another task has it; where the record cannot be written; where it was
    /// stopped.
    pub fn take(folder: &Path, shard: Shard, work: &str, cancel: &Cancel) -> Result<Self, ClaimError> {
        let path = record_path(folder, shard);
        let fault = |error| ClaimError::Write { path: path.clone(), error };
        let held = |record: Option<Record>| {
            let by = record.map_or_else(|| "another task".to_owned(), |record| record.task());
            ClaimError::Held { path: path.clone(), shard, by }
        };
        let options = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        match fs::metadata(&path) {
            Ok(there) if !there.is_file() => {
                return Err(fault(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
            }
            _ => {}
        }
        let mut file = options().map_err(fault)?;
        let begun = Instant::now();
        let is_locked = loop {
            match file.try_lock() {
                Ok(()) => break true,
                // Whoever looks at a record holds it for a moment.
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOOK => thread::sleep(TICK),
                Err(TryLockError::WouldBlock) => return Err(held(get(&mut file).map_err(fault)?)),
                // The disk knows no locks.
                Err(TryLockError::Error(_)) => break false,
            }
        };
        let own = Record::of_this_process(work);
        if let Some(before) = get(&mut file).map_err(fault)?
            && before.state == State::Running
            && (before.host != own.host || !is_locked)
        {
            let begun = Instant::now();
            while begun.elapsed() < SILENCE {
                cancel.check()?;
                thread::sleep(TICK);
            }
            // Opened anew, since a disk that is shared may look at what has changed elsewhere only then.
            let now = Record::read(&path).map_err(fault)?.map(|(record, _)| record);
            if now.as_ref().is_some_and(|now| now.beat != before.beat || now.process != before.process) {
                return Err(held(now));
            }
        }
        let shared = Arc::new(Mutex::new(Shared { file, begun: Instant::now(), record: own }));
        lock(&shared).write().map_err(fault)?;
        let (stop, stopped) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let beat = move || {
            while stopped.recv_timeout(BEAT) == Err(mpsc::RecvTimeoutError::Timeout) {
                // A disk that is full for a moment is no reason to end the work.
                let _ = lock(&theirs).write();
            }
        };
        let beats = thread::Builder::new().name("beats".to_owned()).spawn(beat).map_err(fault)?;
        Ok(Self { shared, stop: Some(stop), beats: Some(beats) })
    }

    /// Updates the record, for the next time that it is written.
    pub fn tell(&self, update: impl FnOnce(&mut Record)) {
        update(&mut lock(&self.shared).record);
    }

    /// Records how the task ended.
    pub fn end<T, E: std::fmt::Display>(self, outcome: &Result<T, E>, is_stopped: impl FnOnce(&E) -> bool) {
        self.tell(|record| match outcome {
            Ok(_) => record.state = State::Done,
            Err(error) if is_stopped(error) => record.state = State::Stopped,
            Err(error) => {
                record.state = State::Failed;
                record.fault = Some(format!("{error:#}").chars().take(MOST_FAULT).collect());
            }
        });
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(beats) = self.beats.take() {
            let _ = beats.join();
        }
        let mut shared = lock(&self.shared);
        if shared.record.state == State::Running {
            shared.record.state = State::Stopped;
        }
        // What cannot be written now is told by the lock, which ends here.
        let _ = shared.write();
    }
}

impl Shared {
    fn write(&mut self) -> io::Result<()> {
        self.record.seconds = self.begun.elapsed().as_secs_f64();
        self.record.beat += 1;
        let mut text = serde_json::to_string(&self.record)?;
        if text.len() >= LENGTH {
            // Names may be long; what went wrong stands in the task's own output too.
            text = serde_json::to_string(&Record { fault: None, job: None, ..self.record.clone() })?;
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(format!("{text:<width$}\n", width = LENGTH - 1).as_bytes())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the record in a file; `None` where there is no whole one, as in a file that was never filled.
fn get(file: &mut File) -> io::Result<Option<Record>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LENGTH as u64).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Returns this machine's name; empty where it has none.
#[cfg(unix)]
fn host() -> String {
    let mut name = [0; 256];
    // SAFETY: the call fills at most so many bytes of the array as it is said to have.
    let outcome = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    if outcome == 0 { String::from_utf8_lossy(&name[..end]).into_owned() } else { String::new() }
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: Shard = Shard { nth: 2, of: 3 };

    fn take(folder: &Path) -> Result<Claim, ClaimError> {
        Claim::take(folder, SHARD, "count", &Cancel::default())
    }

    fn read(folder: &Path) -> (Record, bool) {
        Record::read(&record_path(folder, SHARD)).unwrap().unwrap()
    }

    #[test]
    fn a_shard_is_one_task_s_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(Record::read(&record_path(folder, SHARD)).unwrap(), None);
        let claim = take(folder).unwrap();
        let said = take(folder).unwrap_err().to_string();
        assert!(said.contains("shard 2 of 3") && said.contains(&format!("process {}", std::process::id())), "{said}");
        let other = Claim::take(folder, Shard { nth: 3, of: 3 }, "count", &Cancel::default());
        assert!(other.is_ok(), "another shard is free");
        assert!(read(folder).1);
        claim.tell(|record| (record.done, record.tokens) = (3, 40));
        claim.end(&Err::<(), _>("the disk is gone"), |_| false);
        let (record, is_running) = read(folder);
        assert_eq!((record.state, record.done, record.tokens, is_running), (State::Failed, 3, 40, false));
        assert_eq!(record.fault.as_deref(), Some("the disk is gone"));
        drop(take(folder).unwrap());
        assert_eq!(read(folder).0.state, State::Stopped);
        take(folder).unwrap().end(&Ok::<_, String>(()), |_| false);
        assert_eq!(read(folder).0.state, State::Done);
    }

    /// Writes the record of a task of another machine, whose lock is not seen here.
    fn from_elsewhere(folder: &Path, beat: u64) {
        let record = Record { host: "elsewhere".to_owned(), process: 7, beat, ..Record::default() };
        fs::write(record_path(folder, SHARD), serde_json::to_vec(&record).unwrap()).unwrap();
    }

    #[test]
    fn a_task_elsewhere_is_known_by_its_signs() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        from_elsewhere(folder, 1);
        assert!(read(folder).1, "it was heard of just now");
        let said = thread::scope(|scope| {
            let waits = scope.spawn(|| take(folder).map(drop));
            thread::sleep(BEAT);
            from_elsewhere(folder, 2);
            waits.join().unwrap().unwrap_err().to_string()
        });
        assert!(said.contains("process 7 on elsewhere"), "{said}");
        // Now it is silent.
        take(folder).unwrap();
        let cancel = Cancel::default();
        cancel.cancel();
        from_elsewhere(folder, 3);
        assert!(matches!(Claim::take(folder, SHARD, "count", &cancel), Err(ClaimError::Stopped(_))));
    }
}
