//! Long work that reports its latest progress and can be stopped. Standard library only.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A flag that asks work to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the work to stop; it does so at its next [`Cancel::check`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns the flag itself, for a signal handler to raise.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Returns true where the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Checks for a request to stop.
    ///
    /// # Errors
    /// Fails with [`Cancelled`] once [`Cancel::cancel`] was called, so that `?` unwinds the work.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

/// Error of work that was stopped on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// Progress of the work: `done` of `total` units of `phase`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Name of the phase, in a word or two.
    pub phase: &'static str,
    /// Units done.
    pub done: u64,
    /// Units in all; 0 where it is not known.
    pub total: u64,
}

/// Cost of a phase of the work, all its stretches together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Name of the phase, as in [`Progress::phase`].
    pub name: &'static str,
    /// Time spent in it.
    pub time: Duration,
    /// Floating-point operations counted in it.
    pub operations: u64,
}

/// The work's handle to report progress and to learn that it should stop. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    course: Arc<Mutex<Course>>,
    cancel: Cancel,
}

/// The phases so far and the latest progress.
#[derive(Debug, Default)]
struct Course {
    latest: Progress,
    /// Phases in the order in which they first began.
    phases: Vec<Phase>,
    /// Index of the running phase, and since when it runs.
    current: Option<(usize, Instant)>,
}

impl Course {
    /// Adds the time since the current phase was entered, or since the last call, to that phase.
    fn settle(&mut self) {
        if let Some((nth, since)) = &mut self.current {
            let now = Instant::now();
            self.phases[*nth].time += now - std::mem::replace(since, now);
        }
    }

    fn enter(&mut self, name: &'static str) {
        self.settle();
        let nth = self.phases.iter().position(|phase| phase.name == name).unwrap_or_else(|| {
            self.phases.push(Phase { name, time: Duration::ZERO, operations: 0 });
            self.phases.len() - 1
        });
        self.current = Some((nth, Instant::now()));
    }
}

impl Monitor {
    /// Creates a monitor that stops when `cancel` is raised, such as by Ctrl-C.
    pub fn with_cancel(cancel: Cancel) -> Self {
        Self { course: Arc::default(), cancel }
    }

    /// Replaces the latest progress. Time counts towards `phase` from here to the next phase's first report.
    ///
    /// # Errors
    /// Fails with [`Cancelled`] where the work was asked to stop, so that each report is also a place to stop.
    pub fn report(&self, phase: &'static str, done: u64, total: u64) -> Result<(), Cancelled> {
        let mut course = lock(&self.course);
        if course.current.is_none() || course.latest.phase != phase {
            course.enter(phase);
        }
        course.latest = Progress { phase, done, total };
        self.cancel.check()
    }

    /// Counts floating-point operations of the phase that was reported last.
    pub fn count(&self, operations: u64) {
        let mut course = lock(&self.course);
        if let Some((nth, _)) = course.current {
            course.phases[nth].operations += operations;
        }
    }

    /// Returns the latest progress.
    pub fn latest(&self) -> Progress {
        lock(&self.course).latest.clone()
    }

    /// Returns the cost of each phase so far, in the order in which they began; of the last one up to now.
    pub fn phases(&self) -> Vec<Phase> {
        let mut course = lock(&self.course);
        course.settle();
        course.phases.clone()
    }

    /// Returns the flag that stops the work.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work on a thread of its own. Dropping the handle asks the work to stop and does not wait for it.
#[derive(Debug)]
pub struct Job<T> {
    monitor: Monitor,
    result: mpsc::Receiver<thread::Result<T>>,
}

impl<T: Send + 'static> Job<T> {
    /// Starts `work` on a new thread and calls `done` there once its result can be taken, to wake a waiting thread.
    pub fn spawn(
        name: &str,
        work: impl FnOnce(&Monitor) -> T + Send + 'static,
        done: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let monitor = Monitor::default();
        let inside = monitor.clone();
        let (sender, result) = mpsc::sync_channel(1);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&inside)));
            // Nobody waiting any more is not a failure of the work.
            let _ = sender.send(outcome);
            done();
        })?;
        Ok(Self { monitor, result })
    }
}

impl<T> Job<T> {
    /// Returns the latest progress.
    pub fn progress(&self) -> Progress {
        self.monitor.latest()
    }

    /// Asks the work to stop; its result still arrives.
    pub fn cancel(&self) {
        self.monitor.cancel().cancel();
    }

    /// Returns true where the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.monitor.cancel().is_cancelled()
    }

    /// Returns the result, once: `None` while the work goes on, `Some(Err)` where it panicked.
    pub fn try_take(&self) -> Option<thread::Result<T>> {
        self.result.try_recv().ok()
    }

    /// Waits at most `limit` for the result.
    pub fn wait(&self, limit: Duration) -> Option<thread::Result<T>> {
        self.result.recv_timeout(limit).ok()
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.monitor.cancel().cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_job_reports_and_gives_its_result_once() {
        let job = Job::spawn("count", |m| m.report("count", 3, 4).map(|()| 7), || {}).unwrap();
        assert_eq!(job.wait(LONG).unwrap().unwrap(), Ok(7));
        assert_eq!(job.progress(), Progress { phase: "count", done: 3, total: 4 });
        assert!(job.try_take().is_none());
    }

    #[test]
    fn time_and_operations_go_to_the_phase_that_was_reported_last() {
        let (monitor, nap) = (Monitor::default(), Duration::from_millis(20));
        monitor.count(1);
        for (phase, operations) in [("a", 1), ("b", 2), ("a", 4)] {
            monitor.report(phase, 0, 0).unwrap();
            monitor.count(operations);
            thread::sleep(nap);
        }
        let phases = monitor.phases();
        assert_eq!(phases.iter().map(|phase| (phase.name, phase.operations)).collect::<Vec<_>>(), [("a", 5), ("b", 2)]);
        assert!(phases[0].time >= 2 * nap && phases[1].time >= nap);
        assert!(monitor.phases()[0].time >= phases[0].time && monitor.phases()[1].time == phases[1].time);
    }

    #[test]
    fn dropping_the_handle_stops_the_work() {
        let (told, hears) = mpsc::channel();
        let job = Job::spawn(
            "spin",
            move |m| {
                while m.report("spin", 0, 0).is_ok() {
                    thread::yield_now();
                }
                told.send(()).unwrap();
            },
            || {},
        )
        .unwrap();
        drop(job);
        hears.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn a_panic_in_the_work_is_a_result() {
        let job = Job::<()>::spawn("fall", |_| panic!("on purpose"), || {}).unwrap();
        assert!(job.wait(LONG).unwrap().is_err());
    }
}
