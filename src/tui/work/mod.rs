//! Long work on threads of its own, one of a kind at a time, the newest question first.

mod answers;
mod sessions;

use crate::attribution::Promoted;
use crate::features::{Asking, Fetched, Library};
use crate::format;
use crate::graph::{
    Document, Edited, Kept, Paths, Proposal, SimilarityBounds, Stability, Thresholds, paths, proposals, stability,
    usual_grid,
};
use crate::ids::{FeatureId, Layer};
use crate::job::{Monitor, Progress};
use crate::service::browse::Browsed;
use crate::service::explain::ExplainReply;
use crate::service::interventions::{Measured, ModelReply};
use crate::service::labels::{Arrived, FeatureLabels};
use crate::service::library::{Feature, FeatureSet, FeatureSource};
use crate::service::models::Models;
use crate::service::tracing::{Reading, Tracer};
use crate::session::SessionFile;
use crate::tui::comparison::{self, Comparison};
use crate::tui::effect::{Effect, Opening};
use crate::tui::features::Card;
use crate::tui::find::Found;
use crate::tui::models::Brought;
use crate::tui::remember::{self, Remembered};
use crate::tui::sift::Sifted;
use crate::tui::slot::Slot;
use crate::tui::subgraph::Subgraph;
use crate::tui::traced::Traced;
use crate::verify::Answer;
use sessions::Sessions;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use crate::tui::slot::Wake;
pub use sessions::Closing;

/// How many paths are listed.
const PATHS: usize = 50;

/// How long what is being written is waited for when the program is left.
const WRITING: Duration = Duration::from_secs(1);

/// What came of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// It was written.
    Written(PathBuf),
    /// A file of this name is there already, and was left as it is.
    IsThere,
    /// It is to be copied.
    Text(String),
}

/// The newest graph of a trace that goes on, until it is taken; one that was not taken in time is passed over.
struct Growing {
    generation: u64,
    newest: Arc<Mutex<Option<Traced>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who does what the state asks for.
pub struct Workers {
    tracer: Option<Arc<dyn Tracer>>,
    models: Option<Arc<dyn Models>>,
    wake: Wake,
    trace: Slot<u64, Traced>,
    open: Slot<u64, Traced>,
    growing: Option<Growing>,
    /// What the person prunes at, for graphs that are on their way.
    thresholds: Arc<Mutex<Thresholds>>,
    prune: Slot<u64, Arc<Kept>>,
    weigh: Slot<u64, Arc<Subgraph>>,
    promoted: Slot<(u64, Layer, FeatureId), Promoted>,
    reading: Slot<u64, Reading>,
    find: Slot<u64, Found>,
    propose: Slot<u64, Vec<Proposal>>,
    paths: Slot<u64, Paths>,
    filter: Slot<u64, Sifted>,
    export: Slot<u64, Exported>,
    remember: Slot<u64, (Remembered, SessionFile)>,
    /// The folder of what is the program's own.
    data: Option<PathBuf>,
    sessions: Sessions,
    errand: Slot<u64, Brought>,
    library: Slot<FeatureSet, Arc<dyn FeatureSource>>,
    look_up: Slot<u64, (FeatureLabels, bool)>,
    read: Slot<(u64, FeatureSet, Feature), Arc<Card>>,
    allow: Slot<FeatureSet, ()>,
    missing: Slot<u64, Asking>,
    fetch: Slot<u64, Fetched>,
    /// What came of features that are being fetched, until it is taken.
    arriving: Option<(u64, Arc<Mutex<Vec<Arrived>>>)>,
    browse: Slot<u64, Browsed>,
    measure: Slot<u64, Measured>,
    attempt: Slot<u64, ModelReply>,
    explain: Slot<u64, ExplainReply>,
    compare: Slot<u64, Arc<Comparison>>,
    /// What there is of the running request, until it is taken.
    trying: Option<(u64, Arc<Mutex<Option<ModelReply>>>)>,
    check: Slot<u64, Answer>,
    /// What there is of the running check, until it is taken.
    checking: Option<(u64, Arc<Mutex<Option<Answer>>>)>,
    stand: Slot<u64, Arc<Stability>>,
}

impl Workers {
    /// Workers that call `wake` when an answer can be taken.
    pub fn new(tracer: Option<Arc<dyn Tracer>>, wake: Wake) -> Self {
        Self {
            tracer,
            models: None,
            wake,
            trace: Slot::new("trace"),
            open: Slot::new("open"),
            growing: None,
            thresholds: Arc::default(),
            prune: Slot::new("prune"),
            weigh: Slot::new("weigh"),
            promoted: Slot::new("promoted"),
            reading: Slot::new("reading"),
            find: Slot::new("find"),
            propose: Slot::new("propose"),
            paths: Slot::new("paths"),
            filter: Slot::new("filter"),
            export: Slot::new("export"),
            remember: Slot::new("remember"),
            data: None,
            sessions: Sessions::default(),
            errand: Slot::new("errand"),
            library: Slot::new("library"),
            look_up: Slot::new("labels"),
            read: Slot::new("read"),
            allow: Slot::new("allow"),
            missing: Slot::new("missing"),
            fetch: Slot::new("fetch"),
            arriving: None,
            browse: Slot::new("browse"),
            measure: Slot::new("measure"),
            attempt: Slot::new("attempt"),
            explain: Slot::new("explain"),
            compare: Slot::new("compare"),
            trying: None,
            check: Slot::new("check"),
            checking: None,
            stand: Slot::new("stand"),
        }
    }

    /// The same, with someone who knows which models there are.
    pub fn with_models(self, models: Option<Arc<dyn Models>>) -> Self {
        Self { models, ..self }
    }

    /// The same, with the folder of what is the program's own, for the sessions of graphs without a file.
    pub fn with_data(self, data: Option<PathBuf>) -> Self {
        Self { data, ..self }
    }

    /// Starts what an effect asks for; gives it back where it is none for a thread.
    pub fn start(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Trace { generation, prompt } => {
                let run = move |tracer: &dyn Tracer, grown: &mut dyn FnMut(Document), monitor: &Monitor| {
                    tracer.trace(&prompt, grown, monitor)
                };
                self.trace(generation, Thresholds::default(), run);
            }
            Effect::TraceFeature { generation, prompt, tokens, at } => {
                let run = move |tracer: &dyn Tracer, grown: &mut dyn FnMut(Document), monitor: &Monitor| {
                    tracer.trace_feature(&prompt, &tokens, at, grown, monitor)
                };
                self.trace(generation, Thresholds::default(), run);
            }
            Effect::Read { generation, text, is_message } => {
                let tracer = self.tracer.clone();
                let work = move |_: &Monitor| {
                    let tracer = tracer.ok_or("there is no model to read it")?;
                    match is_message.then(|| tracer.in_chat(&text)).flatten() {
                        Some(prompt) => prompt.and_then(|prompt| tracer.read_prompt(&prompt)),
                        None => tracer.read_prompt(&text),
                    }
                };
                self.reading.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Resume { generation, trace, max_feature_nodes, thresholds } => {
                let run = move |tracer: &dyn Tracer, grown: &mut dyn FnMut(Document), monitor: &Monitor| {
                    tracer.resume(&trace, max_feature_nodes, grown, monitor)
                };
                self.trace(generation, thresholds, run);
            }
            Effect::Open { generation, graph } => {
                self.open.ask(generation, Box::new(move |monitor| open(graph, monitor)), &self.wake);
            }
            Effect::StopTrace { generation } => {
                self.trace.stop_one(&generation);
                self.open.stop_one(&generation);
            }
            Effect::Prune { generation, document, thresholds } => {
                *lock(&self.thresholds) = thresholds;
                let work = move |_: &Monitor| Ok(Arc::new(document.prune(thresholds)));
                self.prune.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Weigh { generation, graph, pinned } => {
                let work = move |_: &Monitor| Ok(Arc::new(Subgraph::new(&graph, &pinned)));
                self.weigh.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Remember { generation, document, file } => {
                let (data, parted) = (self.data.clone(), self.sessions.parted());
                let work = move |_: &Monitor| {
                    // It may be the session of a circuit that has just gone: what is left of that is saved first.
                    parted.iter().for_each(|tried| _ = tried.recv());
                    Ok(remember::read(&document, file.as_deref(), data.as_deref()))
                };
                self.remember.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Save { generation, session, graph } => {
                if let Some(saver) = self.sessions.of(generation) {
                    saver.save(*session, graph);
                }
            }
            Effect::Forget { generation } => self.sessions.part(generation),
            Effect::SaveAll => self.sessions.save_all(),
            Effect::Export { generation, document, edited, options, path, overwrites } => {
                let work = move |_: &Monitor| {
                    let kept = document.prune(edited.thresholds);
                    let Some(path) = path else {
                        let mut out = Vec::new();
                        let written = format::export_to(&document, &kept, &edited, &options, &mut out);
                        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
                        return Ok(Exported::Text(String::from_utf8_lossy(&out).into_owned()));
                    };
                    if !overwrites && path.exists() {
                        return Ok(Exported::IsThere);
                    }
                    format::export(&document, &kept, &edited, &options, &path).map_err(|error| error.to_string())?;
                    Ok(Exported::Written(path))
                };
                self.export.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Filter { generation, sift } => {
                self.filter.ask(generation, Box::new(move |_| Ok(sift.run())), &self.wake);
            }
            Effect::FindPaths { generation, graph, kept, from, to } => {
                let work = move |monitor: &Monitor| {
                    let found = paths(&graph, Some(&kept), from, to, PATHS, monitor.cancel());
                    found.map_err(|stop| stop.to_string())
                };
                self.paths.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Propose { generation, graph, kept, edited, refused } => {
                let work = move |monitor: &Monitor| {
                    let found =
                        proposals(&graph, &kept, &edited, &refused, SimilarityBounds::default(), monitor.cancel());
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
            Effect::Measure { generation, experiment } => {
                let tracer = self.tracer.clone();
                let work = move |monitor: &Monitor| match tracer {
                    Some(tracer) => tracer.measure(&experiment, monitor).map_err(|error| format!("{error:#}")),
                    None => Err("needs the model".to_owned()),
                };
                self.measure.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Attempt { generation, tokens, request } => {
                let (tracer, newest, wake) = (self.tracer.clone(), Arc::default(), Arc::clone(&self.wake));
                self.trying = Some((generation, Arc::clone(&newest)));
                let work = move |monitor: &Monitor| {
                    let mut told = |reply| {
                        *lock(&newest) = Some(reply);
                        wake();
                    };
                    let tracer = tracer.ok_or("needs the model")?;
                    tracer.attempt(&tokens, &request, &mut told, monitor).map_err(|error| format!("{error:#}"))
                };
                self.attempt.ask(generation, Box::new(work), &self.wake);
            }
            Effect::StopAttempt => self.attempt.stop(),
            Effect::Explain { generation, request, knows } => {
                let tracer = self.tracer.clone();
                let work = move |monitor: &Monitor| {
                    let tracer = tracer.ok_or("needs the model")?;
                    let reply = tracer.explain(&request, monitor).map_err(|error| format!("{error:#}"))?;
                    reply.named(knows.as_deref(), monitor).map_err(|stop| stop.to_string())
                };
                self.explain.ask(generation, Box::new(work), &self.wake);
            }
            Effect::StopExplaining => self.explain.stop(),
            Effect::Compare { generation, mut sheets } => {
                let work = move |monitor: &Monitor| Comparison::new(&mut sheets, monitor).map(Arc::new);
                self.compare.ask(generation, Box::new(work), &self.wake);
            }
            Effect::StopComparing => self.compare.stop(),
            Effect::Check { generation, graph, question } => {
                let (tracer, newest, wake) = (self.tracer.clone(), Arc::default(), Arc::clone(&self.wake));
                self.checking = Some((generation, Arc::clone(&newest)));
                let work = move |monitor: &Monitor| {
                    let mut told = |answer| {
                        *lock(&newest) = Some(answer);
                        wake();
                    };
                    let tracer = tracer.ok_or("needs the model")?;
                    tracer.check(&graph, &question, &mut told, monitor).map_err(|error| format!("{error:#}"))
                };
                self.check.ask(generation, Box::new(work), &self.wake);
            }
            Effect::StopCheck => self.check.stop(),
            Effect::Stand { generation, graph } => {
                let work = move |monitor: &Monitor| {
                    stability(&graph, &usual_grid(), monitor).map(Arc::new).map_err(|stop| stop.to_string())
                };
                self.stand.ask(generation, Box::new(work), &self.wake);
            }
            Effect::Errand { generation, errand } => {
                let (models, data) = (self.models.clone(), self.data.clone());
                let work = move |monitor: &Monitor| match models {
                    Some(models) => {
                        errand.run(models.as_ref(), data.as_deref(), monitor).map_err(|error| format!("{error:#}"))
                    }
                    None => Err("no models can be chosen here".to_owned()),
                };
                self.errand.ask(generation, Box::new(work), &self.wake);
            }
            Effect::StopErrand => self.errand.stop(),
            Effect::AskWhatIsMissing { generation, knows, features } => {
                self.missing.ask(generation, Box::new(move |_| Ok(knows.asking(&features))), &self.wake);
            }
            Effect::FetchFeatures { generation, knows, features } => {
                let (arrived, wake) = (Arc::<Mutex<Vec<Arrived>>>::default(), Arc::clone(&self.wake));
                self.arriving = Some((generation, Arc::clone(&arrived)));
                let work = move |monitor: &Monitor| {
                    let told = |features: &[Feature]| {
                        let read = features.iter().map(|feature| Arrived::read(knows.as_ref(), *feature));
                        let read: Vec<Arrived> = read.collect();
                        lock(&arrived).extend(read);
                        wake();
                    };
                    knows.fetch(&features, &told, monitor)
                };
                self.fetch.ask(generation, Box::new(work), &self.wake);
            }
            Effect::StopFetching => self.fetch.stop(),
            Effect::OpenLibrary { set } => {
                let (models, of) = (self.models.clone(), set.clone());
                let work = move |monitor: &Monitor| match models {
                    Some(models) => models.library(&of, monitor).map_err(|error| format!("{error:#}")),
                    None => Ok(Arc::new(Library::default()) as Arc<dyn FeatureSource>),
                };
                self.library.ask(set, Box::new(work), &self.wake);
            }
            Effect::LookUpLabels { generation, lookup } => {
                let work = move |monitor: &Monitor| lookup.run(monitor).map_err(|stop| stop.to_string());
                self.look_up.ask(generation, Box::new(work), &self.wake);
            }
            Effect::ReadFeature { generation, set, knows, feature, may_ask } => {
                let work = move |monitor: &Monitor| {
                    let card = Card::read(knows.as_ref(), feature, may_ask, monitor);
                    card.map(Arc::new).map_err(|stop| stop.to_string())
                };
                self.read.ask((generation, set, feature), Box::new(work), &self.wake);
            }
            Effect::StopReading => self.read.stop(),
            Effect::Browse { generation, ask, knows } => {
                let tracer = self.tracer.clone();
                let work = move |monitor: &Monitor| match tracer {
                    Some(tracer) => tracer.browse(&ask, knows.as_ref(), monitor).map_err(|error| format!("{error:#}")),
                    None => Err("It needs the model, which is not loaded".to_owned()),
                };
                self.browse.ask(generation, Box::new(work), &self.wake);
            }
            Effect::StopBrowsing => self.browse.stop(),
            Effect::AllowHub { set, knows } => {
                self.allow.ask(set, Box::new(move |_| knows.allow_hub()), &self.wake);
            }
            // Where there is no thread to be had, it is freed here.
            Effect::Discard(graph) => _ = thread::Builder::new().name("discard".to_owned()).spawn(|| drop(graph)),
            Effect::TraceWith(tracer) => self.tracer = Some(tracer),
            other => return Some(other),
        }
        None
    }

    /// Has sessions saved, and waits until they are, but no longer than `limit`.
    pub fn save_within(&self, limit: Duration) {
        self.sessions.flush_within(limit);
    }

    /// Saves what is left of the sessions, and says what has come of them.
    pub fn close(mut self) -> Closing {
        // Files that are being written are written to their ends.
        self.export.finish(WRITING);
        self.remember.finish(WRITING);
        self.sessions.close()
    }

    /// Lets the tracer `run`, and prunes what it gives at what the person prunes at by then.
    fn trace(
        &mut self,
        generation: u64,
        thresholds: Thresholds,
        run: impl FnOnce(&dyn Tracer, &mut dyn FnMut(Document), &Monitor) -> anyhow::Result<Document> + Send + 'static,
    ) {
        *lock(&self.thresholds) = thresholds;
        let growing = Growing { generation, newest: Arc::default() };
        let (newest, wake, thresholds) =
            (Arc::clone(&growing.newest), Arc::clone(&self.wake), Arc::clone(&self.thresholds));
        self.growing = Some(growing);
        let tracer = self.tracer.clone();
        let work = move |monitor: &Monitor| {
            let traced = |mut document: Document| {
                let thresholds = *lock(&thresholds);
                document.edited = Arc::new(Edited { thresholds, ..document.edited.as_ref().clone() });
                Traced::new(document)
            };
            let mut grown = |document: Document| {
                let traced = traced(document);
                *lock(&newest) = Some(traced);
                wake();
            };
            let tracer = tracer.ok_or("there is no model to trace with")?;
            run(tracer.as_ref(), &mut grown, monitor).map(traced).map_err(|error| format!("{error:#}"))
        };
        // It may be of another graph, which waits for an answer.
        let waits = self.trace.waiting().copied();
        waits.into_iter().for_each(|question| self.trace.stop_one(&question));
        self.trace.ask(generation, Box::new(work), &self.wake);
    }

    /// How far traces, openings and errands are, by the numbers of their questions.
    pub fn progress(&self) -> Vec<(u64, Progress)> {
        let all = [self.trace.progress(), self.open.progress(), self.errand.progress()];
        let all = all.into_iter().chain([self.check.progress(), self.explain.progress(), self.fetch.progress()]);
        let reading = self.read.progress().map(|((generation, ..), progress)| (*generation, progress));
        all.into_iter().flatten().map(|(generation, progress)| (*generation, progress)).chain(reading).collect()
    }

    /// Whether nothing is running.
    pub fn is_idle(&self) -> bool {
        let about_traces =
            self.trace.is_idle() && self.open.is_idle() && self.prune.is_idle() && self.promoted.is_idle();
        let about_nodes = self.reading.is_idle()
            && self.find.is_idle()
            && self.propose.is_idle()
            && self.paths.is_idle()
            && self.filter.is_idle();
        let about_files =
            self.sessions.is_idle() && self.remember.is_idle() && self.export.is_idle() && self.errand.is_idle();
        let about_features =
            self.library.is_idle() && self.look_up.is_idle() && self.read.is_idle() && self.allow.is_idle();
        let about_features = about_features && self.browse.is_idle() && self.missing.is_idle() && self.fetch.is_idle();
        let about_models = self.measure.is_idle() && self.attempt.is_idle() && self.check.is_idle();
        let about_models = about_models && self.explain.is_idle();
        let about_graphs = self.weigh.is_idle() && self.stand.is_idle() && self.compare.is_idle();
        about_traces && about_nodes && about_files && about_features && about_models && about_graphs
    }
}

fn open(graph: Opening, monitor: &Monitor) -> Result<Traced, String> {
    monitor.report("opening", 0, 0).map_err(|cancelled| cancelled.to_string())?;
    let document = match graph {
        Opening::File(path) => format::open(&path).map_err(|error| error.to_string()),
        Opening::Trace(trace) => Document::from_trace(trace).map_err(|error| error.to_string()),
        Opening::Merged(leaves) => comparison::merge(leaves, monitor),
    };
    document.map(Traced::new)
}
