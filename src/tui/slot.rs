//! A thread for a kind of work, the newest question first.

use crate::job::{Job, Monitor, Progress};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// Called from any thread when an answer can be taken.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What is done on the thread.
pub type Work<T> = Box<dyn FnOnce(&Monitor) -> Result<T, String> + Send>;

/// What runs for an effect, and what waits for it to end.
pub struct Slot<Q, T> {
    name: &'static str,
    running: Option<(Q, Job<Result<T, String>>)>,
    next: Option<(Q, Work<T>)>,
    /// Questions that nothing was done about, and why.
    failed: Vec<(Q, String)>,
}

impl<Q: PartialEq, T: Send + 'static> Slot<Q, T> {
    pub fn new(name: &'static str) -> Self {
        Self { name, running: None, next: None, failed: Vec::new() }
    }

    /// Starts `work`, or lets it wait for what runs, which is stopped for it. Two of a kind never run side by side:
    /// a key that is held down would otherwise start one after the other.
    pub fn ask(&mut self, question: Q, work: Work<T>, wake: &Wake) {
        self.stop();
        self.next = Some((question, work));
        self.start_next(wake);
    }

    pub fn stop(&mut self) {
        self.next = None;
        if let Some((_, job)) = &self.running {
            job.cancel();
        }
    }

    /// Stops the work on one question. It is answered all the same.
    pub fn stop_one(&mut self, question: &Q) {
        if let Some((_, job)) = self.running.as_ref().filter(|(running, _)| running == question) {
            job.cancel();
        }
        let waited = self.next.take_if(|(waits, _)| waits == question);
        self.failed.extend(waited.map(|(question, _)| (question, "it was stopped before it began".to_owned())));
    }

    /// The question that is worked on, and how far that is.
    pub fn progress(&self) -> Option<(&Q, Progress)> {
        self.running.as_ref().map(|(question, job)| (question, job.progress()))
    }

    /// The question that waits for the running one to end.
    pub fn waiting(&self) -> Option<&Q> {
        self.next.as_ref().map(|(question, _)| question)
    }

    /// Waits for what runs to end, but no longer than `limit`.
    pub fn finish(&self, limit: Duration) {
        if let Some((_, job)) = &self.running {
            // Its answer comes too late to be of use.
            let _ = job.wait(limit);
        }
    }

    fn start_next(&mut self, wake: &Wake) {
        if self.running.is_some() {
            return;
        }
        if let Some((question, work)) = self.next.take() {
            let wake = Arc::clone(wake);
            match Job::spawn(self.name, work, move || wake()) {
                Ok(job) => self.running = Some((question, job)),
                Err(error) => self.failed.push((question, format!("no thread for it could be started: {error}"))),
            }
        }
    }

    /// The answer, where there is one; what waited is started.
    pub fn take(&mut self, wake: &Wake) -> Option<(Q, Result<T, String>)> {
        if let Some((question, why)) = self.failed.pop() {
            return Some((question, Err(why)));
        }
        let result = self.running.as_ref()?.1.try_take()?;
        let (question, _) = self.running.take()?;
        self.start_next(wake);
        Some((question, result.unwrap_or_else(|panic| Err(panic_text(panic.as_ref())))))
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.failed.is_empty()
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("this is a fault of the program: {}", said.unwrap_or("no reason was given"))
}
