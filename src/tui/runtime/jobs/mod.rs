//! Long work on threads: one thread for each kind of work, the newest request first.

mod job;

use crate::job::{Monitor, Progress};
use crate::service::models::Models;
use crate::service::tracing::Tracer;
use job::{AnyJob, Typed};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use job::Teller;

/// Callback, called from any thread when a result can be taken.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Change to the state, made on the thread of the screen.
pub type Update<S> = Box<dyn FnOnce(&mut S)>;

/// Services that jobs work with.
#[derive(Clone, Default)]
pub struct Services {
    /// Tracer, which also answers for the model; `None` where there is no model.
    pub tracer: Option<Arc<dyn Tracer>>,
    /// Source of models, which lists, loads and fetches them; `None` where there is none.
    pub models: Option<Arc<dyn Models>>,
    /// Data folder of the program, for the sessions of graphs without a file.
    pub data: Option<PathBuf>,
}

impl Services {
    /// Calls `ask` with the tracer and returns its result.
    ///
    /// # Errors
    /// Fails where there is no model, or with the text of the error that `ask` returns.
    pub fn ask<T>(&self, ask: impl FnOnce(&dyn Tracer) -> anyhow::Result<T>) -> Result<T, String> {
        let tracer = self.tracer.as_deref().ok_or("needs the model, which is not loaded")?;
        ask(tracer).map_err(|error| format!("{error:#}"))
    }
}

/// Id of a request, unique in the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// Kind of work. At most one job of a kind runs at a time: a newer one stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobKey {
    name: &'static str,
    answers_all: bool,
    of_graph: bool,
    writes: bool,
}

impl JobKey {
    /// Makes a key of work of which only the newest result counts. `name` is unique, and names the thread.
    pub const fn new(name: &'static str) -> Self {
        Self { name, answers_all: false, of_graph: false, writes: false }
    }

    /// Makes every result count, also that of a job that was stopped for a newer one.
    pub const fn answering_all(self) -> Self {
        Self { answers_all: true, ..self }
    }

    /// Makes the results stop counting once another graph is on the screen.
    pub const fn of_graph(self) -> Self {
        Self { of_graph: true, ..self }
    }

    /// Makes leaving the program wait until a running job has written to its end.
    pub const fn writing(self) -> Self {
        Self { writes: true, ..self }
    }
}

struct Request<S> {
    id: RequestId,
    job: Box<dyn AnyJob<S>>,
    /// True while the request's result is waited for.
    counts: bool,
}

/// Jobs of one kind.
struct Lane<S> {
    key: JobKey,
    running: Option<Request<S>>,
    /// Request that waits for the running one to end.
    next: Option<Request<S>>,
    /// Requests that ended before they began.
    refused: VecDeque<Request<S>>,
    /// Progress of the running job, as last read by [`Jobs::look_at_progress`].
    seen: Option<(RequestId, Progress)>,
}

impl<S> Lane<S> {
    fn new(key: JobKey) -> Self {
        Self { key, running: None, next: None, refused: VecDeque::new(), seen: None }
    }

    /// Returns the request whose result is waited for.
    fn awaited(&self) -> Option<RequestId> {
        self.next.as_ref().or(self.running.as_ref().filter(|request| request.counts)).map(|request| request.id)
    }

    fn refuse_next(&mut self) {
        if let Some(mut request) = self.next.take() {
            request.job.refuse();
            self.refused.push_back(request);
        }
    }

    fn stop_running(&self) {
        if let Some(request) = &self.running {
            request.job.stop();
        }
    }

    fn forget(&mut self) {
        self.next = None;
        self.stop_running();
        if let Some(request) = &mut self.running {
            request.counts = false;
        }
    }

    fn result(&mut self) -> Option<Update<S>> {
        if let Some(mut request) = self.refused.pop_front() {
            return request.job.result();
        }
        let update = self.running.as_mut()?.job.result()?;
        self.running.take().filter(|request| request.counts).map(|_| update)
    }

    fn is_idle(&self) -> bool {
        self.running.is_none() && self.next.is_none() && self.refused.is_empty()
    }
}

/// All jobs of a screen whose state is an `S`. A job begins at the next [`Jobs::start`]; its parts and its result are
/// taken by [`Jobs::told`] and [`Jobs::result`] and applied to the state.
pub struct Jobs<S> {
    /// Services for the jobs that start from now on.
    pub services: Services,
    wake: Wake,
    lanes: Vec<Lane<S>>,
    requests: u64,
}

impl<S: 'static> Jobs<S> {
    /// Returns an empty set of jobs. `wake` is called when a result can be taken.
    pub fn new(services: Services, wake: Wake) -> Self {
        Self { services, wake, lanes: Vec::new(), requests: 0 }
    }

    /// Returns a new id, for a request that is about to be submitted.
    pub fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Returns the number of requests so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Submits `work`, in place of older work of this key. Its result is given to `apply`, unless the job was forgotten
    /// meanwhile.
    pub fn submit<T: Send + 'static>(
        &mut self,
        key: JobKey,
        work: impl FnOnce(&Services, &Monitor) -> Result<T, String> + Send + 'static,
        apply: impl FnOnce(&mut S, Result<T, String>) + 'static,
    ) {
        let work = |services: &Services, monitor: &Monitor, _: &Teller<()>| work(services, monitor);
        let id = self.next_request();
        self.submit_telling(id, key, work, |_, ()| {}, apply);
    }

    /// Submits `work` that sends parts of its result on the way, each of which is given to `told`.
    pub fn submit_telling<T: Send + 'static, P: Send + 'static>(
        &mut self,
        id: RequestId,
        key: JobKey,
        work: impl FnOnce(&Services, &Monitor, &Teller<P>) -> Result<T, String> + Send + 'static,
        told: impl Fn(&mut S, P) + 'static,
        apply: impl FnOnce(&mut S, Result<T, String>) + 'static,
    ) {
        let job = Typed::new(Box::new(work), Rc::new(told), Box::new(apply));
        let request = Request { id, job: Box::new(job), counts: true };
        let lane = self.lane(key);
        if key.answers_all {
            lane.refuse_next();
            lane.stop_running();
        } else {
            lane.forget();
        }
        lane.next = Some(request);
    }

    fn lane(&mut self, key: JobKey) -> &mut Lane<S> {
        let at = self.lanes.iter().position(|lane| lane.key.name == key.name).unwrap_or_else(|| {
            self.lanes.push(Lane::new(key));
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    fn find(&self, key: JobKey) -> Option<&Lane<S>> {
        self.lanes.iter().find(|lane| lane.key.name == key.name)
    }

    /// Stops the work of a key. Its result still counts, or the error that it was stopped.
    pub fn stop(&mut self, key: JobKey) {
        let lane = self.lane(key);
        lane.refuse_next();
        lane.stop_running();
    }

    /// Stops the work on one request. Its result still counts, or the error that it was stopped.
    pub fn stop_request(&mut self, id: RequestId) {
        let is_it = |request: &Request<S>| request.id == id;
        for lane in &mut self.lanes {
            if lane.running.as_ref().is_some_and(is_it) {
                lane.stop_running();
            }
            if lane.next.as_ref().is_some_and(is_it) {
                lane.refuse_next();
            }
        }
    }

    /// Stops the work of a key and drops its result.
    pub fn forget(&mut self, key: JobKey) {
        self.lane(key).forget();
    }

    /// Stops all work for the graph on the screen and drops its results.
    pub fn forget_graph(&mut self) {
        self.lanes.iter_mut().filter(|lane| lane.key.of_graph).for_each(Lane::forget);
    }

    /// Returns true where a result of this key is waited for.
    pub fn is_waiting(&self, key: JobKey) -> bool {
        self.find(key).is_some_and(|lane| lane.awaited().is_some())
    }

    /// Returns true where no job runs or waits to run, and no result waits to be taken.
    pub fn is_idle(&self) -> bool {
        self.lanes.iter().all(Lane::is_idle)
    }

    /// Reads the progress of all running jobs.
    pub fn look_at_progress(&mut self) {
        for lane in &mut self.lanes {
            let running = lane.running.as_ref().filter(|request| request.counts);
            lane.seen = running.and_then(|request| Some((request.id, request.job.progress()?)));
        }
    }

    /// Returns the progress, as last read, of the awaited job of a key; `None` where the job has not begun.
    pub fn progress(&self, key: JobKey) -> Option<&Progress> {
        let lane = self.find(key)?;
        lane.seen.as_ref().filter(|(id, _)| Some(*id) == lane.awaited()).map(|(_, progress)| progress)
    }

    /// Returns the progress, as last read, of the job of a request.
    pub fn progress_of(&self, id: RequestId) -> Option<&Progress> {
        let mut seen = self.lanes.iter().filter_map(|lane| lane.seen.as_ref());
        seen.find(|(of, _)| *of == id).map(|(_, progress)| progress)
    }

    /// Returns the number of kinds of work so far; each has a lane, by which its results are taken.
    pub fn n_lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Takes the newest part that the running job of a lane sent.
    pub fn told(&mut self, lane: usize) -> Option<Update<S>> {
        self.lanes[lane].running.as_mut().filter(|request| request.counts)?.job.told()
    }

    /// Takes the next result of a lane.
    pub fn result(&mut self, lane: usize) -> Option<Update<S>> {
        self.lanes[lane].result()
    }

    /// Starts the waiting request of each lane where no job runs any more. Two jobs of a key never run side by side:
    /// holding down a key would otherwise start one after the other.
    pub fn start(&mut self) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.running.is_none()) {
            if let Some(mut request) = lane.next.take() {
                request.job.start(lane.key.name, self.services.clone(), &self.wake);
                lane.running = Some(request);
            }
        }
    }

    /// Waits for the end of jobs that write, no longer than `limit` each.
    pub fn finish_writing(&self, limit: Duration) {
        for lane in self.lanes.iter().filter(|lane| lane.key.writes) {
            if let Some(request) = &lane.running {
                request.job.wait(limit);
            }
        }
    }
}

/// Drops a value on a thread of its own: to free a graph of millions of edges takes longer than a frame may.
pub fn discard<T: Send + 'static>(value: T) {
    // Where no thread can be started, the value is dropped here.
    _ = thread::Builder::new().name("discard".to_owned()).spawn(|| drop(value));
}

#[cfg(test)]
mod tests;
