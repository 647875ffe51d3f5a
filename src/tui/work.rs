//! Long work on threads of its own, one of a kind at a time, the newest question first.

use crate::format;
use crate::graph::{Document, Kept, Likeness, Proposal, proposals, prune};
use crate::ids::{FeatureId, Layer};
use crate::job::{Job, Monitor, Progress};
use crate::tui::app::{Effect, Opening};
use crate::tui::find::Found;
use crate::tui::tracer::{Promoted, Traced, Tracer};
use crate::tui::update::Msg;
use std::any::Any;
use std::sync::Arc;

type Work<T> = Box<dyn FnOnce(&Monitor) -> Result<T, String> + Send>;

/// What runs for an effect, and what waits for it to end.
struct Slot<Q, T> {
    name: &'static str,
    running: Option<(Q, Job<Result<T, String>>)>,
    next: Option<(Q, Work<T>)>,
    /// A question that no thread could be had for.
    failed: Option<(Q, String)>,
}

impl<Q, T: Send + 'static> Slot<Q, T> {
    fn new(name: &'static str) -> Self {
        Self { name, running: None, next: None, failed: None }
    }

    /// Starts `work`, or lets it wait for what runs, which is stopped for it. Two of a kind never run side by side:
    /// a key that is held down would otherwise start one after the other.
    fn ask(&mut self, question: Q, work: Work<T>, wake: &Wake) {
        self.stop();
        self.next = Some((question, work));
        self.start_next(wake);
    }

    fn stop(&mut self) {
        self.next = None;
        if let Some((_, job)) = &self.running {
            job.cancel();
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
                Err(error) => self.failed = Some((question, format!("no thread for it could be started: {error}"))),
            }
        }
    }

    /// The answer, where there is one; what waited is started.
    fn take(&mut self, wake: &Wake) -> Option<(Q, Result<T, String>)> {
        if let Some((question, why)) = self.failed.take() {
            return Some((question, Err(why)));
        }
        let result = self.running.as_ref()?.1.try_take()?;
        let (question, _) = self.running.take()?;
        self.start_next(wake);
        Some((question, result.unwrap_or_else(|panic| Err(panic_text(panic.as_ref())))))
    }

    fn is_idle(&self) -> bool {
        self.running.is_none() && self.failed.is_none()
    }
}

/// Called from any thread when an answer can be taken.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who does what the state asks for.
pub struct Workers {
    tracer: Option<Arc<dyn Tracer>>,
    wake: Wake,
    trace: Slot<u64, Traced>,
    prune: Slot<u64, Arc<Kept>>,
    promoted: Slot<(u64, Layer, FeatureId), Promoted>,
    find: Slot<u64, Found>,
    propose: Slot<u64, Vec<Proposal>>,
}

impl Workers {
    /// Workers that call `wake` when an answer can be taken.
    pub fn new(tracer: Option<Arc<dyn Tracer>>, wake: Wake) -> Self {
        Self {
            tracer,
            wake,
            trace: Slot::new("trace"),
            prune: Slot::new("prune"),
            promoted: Slot::new("promoted"),
            find: Slot::new("find"),
            propose: Slot::new("propose"),
        }
    }

    /// Starts what an effect asks for; gives it back where it is none for a thread.
    pub fn start(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Trace { generation, prompt } => {
                let tracer = self.tracer.clone();
                let work = move |monitor: &Monitor| match tracer {
                    Some(tracer) => tracer.trace(&prompt, monitor).map_err(|error| format!("{error:#}")),
                    None => Err("there is no model to trace with".to_owned()),
                };
                self.trace.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Open { generation, graph } => {
                self.trace.ask(generation, Box::new(move |monitor| open(graph, monitor)), &self.wake);
            }
            Effect::StopTrace => self.trace.stop(),
            Effect::Prune { generation, graph, thresholds } => {
                let work = move |_: &Monitor| Ok(Arc::new(prune(&graph, thresholds)));
                self.prune.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Propose { generation, graph, kept, edited, refused } => {
                let work = move |monitor: &Monitor| {
                    let found = proposals(&graph, &kept, &edited, &refused, Likeness::default(), monitor.cancel());
                    found.map_err(|stop| stop.to_string())
                };
                self.propose.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Find { generation, haystack, query } => {
                let work = move |monitor: &Monitor| haystack.find(&query, monitor).map_err(|stop| stop.to_string());
                self.find.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Promoted { generation, layer, feature } => {
                let tracer = self.tracer.clone();
                let work = move |monitor: &Monitor| match tracer {
                    Some(tracer) => tracer.promoted(layer, feature, monitor).map_err(|error| format!("{error:#}")),
                    None => Err("needs the model".to_owned()),
                };
                self.promoted.ask((generation, layer, feature), Box::new(work), &self.wake);
            }
            other => return Some(other),
        }
        None
    }

    /// The answers that are there.
    pub fn answers(&mut self) -> Vec<Msg> {
        let mut answers = Vec::new();
        while let Some((generation, result)) = self.trace.take(&self.wake) {
            answers.push(Msg::Traced { generation, result });
        }
        while let Some((generation, result)) = self.prune.take(&self.wake) {
            answers.push(Msg::Pruned { generation, result });
        }
        while let Some(((generation, layer, feature), result)) = self.promoted.take(&self.wake) {
            answers.push(Msg::Promoted { generation, layer, feature, result });
        }
        while let Some((generation, result)) = self.find.take(&self.wake) {
            answers.push(Msg::Found { generation, result });
        }
        while let Some((generation, result)) = self.propose.take(&self.wake) {
            answers.push(Msg::Proposed { generation, result });
        }
        answers
    }

    /// How far the running trace is.
    pub fn progress(&self) -> Option<Progress> {
        self.trace.running.as_ref().map(|(_, job)| job.progress())
    }

    /// Whether nothing is running.
    pub fn is_idle(&self) -> bool {
        let about_traces = self.trace.is_idle() && self.prune.is_idle() && self.promoted.is_idle();
        about_traces && self.find.is_idle() && self.propose.is_idle()
    }
}

fn open(graph: Opening, monitor: &Monitor) -> Result<Traced, String> {
    monitor.report("opening", 0, 0).map_err(|cancelled| cancelled.to_string())?;
    let document = match graph {
        Opening::File(path) => format::open(&path).map_err(|error| error.to_string()),
        Opening::Trace(trace) => Document::from_trace(trace).map_err(|error| error.to_string()),
    };
    document.map(Traced::new)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("this is a fault of the program: {}", said.unwrap_or("no reason was given"))
}
