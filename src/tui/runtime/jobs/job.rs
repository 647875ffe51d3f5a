//! One job, whatever its result is.

use super::{Services, Update, Wake};
use crate::job::{Job, Monitor, Progress};
use std::any::Any;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Sender of parts of a result before the whole result is there.
pub struct Teller<P> {
    newest: Arc<Mutex<Option<P>>>,
    wake: Wake,
}

impl<P> Teller<P> {
    /// Sends `part`, in place of an earlier part that is not taken yet.
    pub fn tell(&self, part: P) {
        self.change(|newest| *newest = Some(part));
    }

    /// Changes the part that was sent and is not taken yet.
    pub fn change(&self, change: impl FnOnce(&mut Option<P>)) {
        change(&mut lock(&self.newest));
        (self.wake)();
    }

    /// Removes the part that was sent and is not taken yet.
    pub fn take_back(&self) {
        *lock(&self.newest) = None;
    }
}

pub(super) type Work<T, P> = Box<dyn FnOnce(&Services, &Monitor, &Teller<P>) -> Result<T, String> + Send>;
pub(super) type Told<S, P> = Rc<dyn Fn(&mut S, P)>;
pub(super) type Apply<S, T> = Box<dyn FnOnce(&mut S, Result<T, String>)>;

/// Job with any type of result.
pub(super) trait AnyJob<S> {
    fn start(&mut self, name: &'static str, services: Services, wake: &Wake);
    /// Ends the job before it began.
    fn refuse(&mut self);
    fn told(&mut self) -> Option<Update<S>>;
    fn result(&mut self) -> Option<Update<S>>;
    fn progress(&self) -> Option<Progress>;
    fn stop(&self);
    fn wait(&self, limit: Duration);
}

pub(super) struct Typed<S, T, P> {
    work: Option<Work<T, P>>,
    job: Option<Job<Result<T, String>>>,
    /// Reason why there is no job.
    failed: Option<String>,
    newest: Arc<Mutex<Option<P>>>,
    told: Told<S, P>,
    apply: Option<Apply<S, T>>,
}

impl<S, T, P> Typed<S, T, P> {
    /// Makes a job of its parts, to be started.
    pub fn new(work: Work<T, P>, told: Told<S, P>, apply: Apply<S, T>) -> Self {
        Self { work: Some(work), job: None, failed: None, newest: Arc::default(), told, apply: Some(apply) }
    }
}

impl<S: 'static, T: Send + 'static, P: Send + 'static> AnyJob<S> for Typed<S, T, P> {
    fn start(&mut self, name: &'static str, services: Services, wake: &Wake) {
        let Some(work) = self.work.take() else { return };
        let teller = Teller { newest: Arc::clone(&self.newest), wake: Arc::clone(wake) };
        let wake = Arc::clone(wake);
        match Job::spawn(name, move |monitor| work(&services, monitor, &teller), move || wake()) {
            Ok(job) => self.job = Some(job),
            Err(error) => self.failed = Some(format!("no thread for it could be started: {error}")),
        }
    }

    fn refuse(&mut self) {
        self.failed = Some("it was stopped before it began".to_owned());
    }

    fn told(&mut self) -> Option<Update<S>> {
        let part = lock(&self.newest).take()?;
        let told = Rc::clone(&self.told);
        Some(Box::new(move |state| told(state, part)))
    }

    fn result(&mut self) -> Option<Update<S>> {
        let result = match self.failed.take() {
            Some(why) => Err(why),
            None => self.job.as_ref()?.try_take()?.unwrap_or_else(|panic| Err(panic_text(panic.as_ref()))),
        };
        let apply = self.apply.take()?;
        Some(Box::new(move |state| apply(state, result)))
    }

    fn progress(&self) -> Option<Progress> {
        self.job.as_ref().map(Job::progress)
    }

    fn stop(&self) {
        if let Some(job) = &self.job {
            job.cancel();
        }
    }

    fn wait(&self, limit: Duration) {
        if let Some(job) = &self.job {
            // Its result comes too late to be of use.
            let _ = job.wait(limit);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("this is a fault of the program: {}", said.unwrap_or("no reason was given"))
}
