//! Download of labels and contexts of many features at once: from Neuronpedia, and for those that it does not know from
//! the transcoder's own store on the hub.

use crate::features::remote::{Piece, Remote};
use crate::features::site::{BATCH, Site};
use crate::features::{FeatureError, Library};
use crate::hub::HubError;
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use serde::Serialize;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Phase of fetching, counted in features.
pub const FETCHING: &str = "fetching labels";
/// Number of requests at once.
const AT_ONCE: usize = 4;

/// Feature: its layer, and its index there.
type Feature = (Layer, FeatureId);

/// Planned download, and what it discloses to which server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Features that lack something a server may have.
    pub missing: Vec<Feature>,
    /// Servers, and what the download discloses to each: a sentence each.
    pub told: Vec<String>,
    /// Setting that forbids the network, if one does.
    pub forbidden: Option<&'static str>,
}

/// Outcome of a download.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Number of features asked for.
    pub asked: usize,
    /// Number of those that have a dashboard or a label now.
    pub known: usize,
    /// Number of those that have a label now.
    pub named: usize,
    /// Errors of the download.
    pub problems: Vec<String>,
}

/// Contents of one request.
enum Request<'a> {
    /// Features on Neuronpedia.
    Site(&'a Site, Vec<Feature>),
    /// Neighbouring records of a file on the hub.
    Hub(&'a Remote, Piece),
}

impl Request<'_> {
    fn n_features(&self) -> usize {
        match self {
            Self::Site(_, features) => features.len(),
            Self::Hub(_, piece) => piece.n_records(),
        }
    }
}

impl Library {
    /// Returns the features that Neuronpedia may have and was not asked for.
    fn of_site(&self, features: &[Feature]) -> Vec<Feature> {
        let unasked = |site: &Site| {
            let asked = |(layer, feature): &&Feature| !site.knows(*layer, *feature);
            features.iter().filter(asked).copied().collect()
        };
        self.site().map_or_else(Vec::new, unasked)
    }

    /// Returns the features that the hub may have contexts of, where none are on this machine.
    fn of_hub(&self, features: &[Feature]) -> Vec<Feature> {
        let unknown = |remote: &Remote| {
            let lacks = |(layer, feature): &&Feature| {
                remote.may_know(*layer, *feature) && !self.has_dashboard(*layer, *feature)
            };
            features.iter().filter(lacks).copied().collect()
        };
        self.remote().map_or_else(Vec::new, unknown)
    }

    /// Plans the download for some features. Nothing is sent; only files are read.
    pub fn asking(&self, features: &[Feature]) -> Asking {
        let (mut asking, of_site, of_hub) = (Asking::default(), self.of_site(features), self.of_hub(features));
        let mut ask = |offline: Option<&'static str>, features: Vec<Feature>, told: String| match offline {
            _ if features.is_empty() => {}
            Some(because) => asking.forbidden = Some(because),
            None => {
                asking.missing.extend(features);
                asking.told.push(told);
            }
        };
        if let Some(site) = self.site() {
            let (n, set) = (of_site.len(), site.set());
            let requests = n.div_ceil(BATCH);
            let told = format!(
                "{} is told the model {}, the source set {} and the numbers of {n} features, in {requests} requests",
                site.host(),
                set.model,
                set.name
            );
            ask(site.offline(), of_site, told);
        }
        if let Some(remote) = self.remote() {
            let only = if self.site().is_some() { ", if the other does not know them" } else { "" };
            let (host, set, n) = (remote.host(), remote.set(), of_hub.len());
            ask(remote.offline(), of_hub, format!("{host} is asked for the parts of {set} about {n} features{only}"));
        }
        asking.missing.sort();
        asking.missing.dedup();
        asking
    }

    /// Fetches and keeps what is missing of some features. `told` is called, from any thread, with features for which
    /// something may have come. Failures are part of the outcome; features that came are not asked for again.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn fetch(
        &self,
        features: &[Feature],
        told: &(dyn Fn(&[Feature]) + Sync),
        monitor: &Monitor,
    ) -> Result<Fetched, FeatureError> {
        let mut asked: BTreeSet<Feature> = BTreeSet::new();
        let mut problems = Vec::new();
        let of_site = self.of_site(features);
        if let Some(site) = self.site().filter(|site| site.offline().is_none()) {
            let requests = of_site.chunks(BATCH).map(|batch| Request::Site(site, batch.to_vec())).collect();
            problems.extend(Run::new(told, monitor, of_site.len()).all(requests)?);
            asked.extend(of_site);
        }
        let of_hub = self.of_hub(features);
        if let Some(remote) = self.remote().filter(|remote| remote.offline().is_none() && !of_hub.is_empty()) {
            let run = Run::new(told, monitor, of_hub.len());
            match remote.pieces(&of_hub, monitor) {
                Ok(pieces) => {
                    let requests = pieces.into_iter().map(|piece| Request::Hub(remote, piece)).collect();
                    problems.extend(run.all(requests)?);
                }
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => problems.push(error.to_string()),
            }
            asked.extend(of_hub);
        }
        let mut fetched = Fetched { asked: asked.len(), problems, ..Fetched::default() };
        for (layer, feature) in asked {
            let found = self.read_here(layer, feature);
            fetched.known += usize::from(found.dashboard.is_some() || found.label.is_some());
            fetched.named += usize::from(found.label.is_some());
        }
        Ok(fetched)
    }
}

/// Requests that are sent in parallel.
struct Run<'a> {
    told: &'a (dyn Fn(&[Feature]) + Sync),
    monitor: &'a Monitor,
    done: AtomicU64,
    total: u64,
}

impl<'a> Run<'a> {
    fn new(told: &'a (dyn Fn(&[Feature]) + Sync), monitor: &'a Monitor, total: usize) -> Self {
        Self { told, monitor, done: AtomicU64::new(0), total: total as u64 }
    }

    /// Sends all requests, a few at once; returns each error once. After an error of the server itself, requests not
    /// sent yet are dropped.
    fn all(&self, requests: Vec<Request<'_>>) -> Result<BTreeSet<String>, FeatureError> {
        self.monitor.report(FETCHING, 0, self.total)?;
        let waiting = Mutex::new(VecDeque::from(requests));
        let failed: Mutex<Vec<FeatureError>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    let next = || lock(&waiting).pop_front();
                    while let Some(request) = next() {
                        if let Err(error) = self.one(&request) {
                            if is_of_server(&error) {
                                lock(&waiting).clear();
                            }
                            lock(&failed).push(error);
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.monitor.cancel().check()?;
        Ok(failed.iter().map(ToString::to_string).collect())
    }

    fn one(&self, request: &Request<'_>) -> Result<(), FeatureError> {
        self.monitor.cancel().check()?;
        let features = match request {
            Request::Site(site, features) => {
                site.ask(features, self.monitor)?;
                features.clone()
            }
            Request::Hub(remote, piece) => remote.take(piece, self.monitor)?,
        };
        let n = request.n_features() as u64;
        let done = self.done.fetch_add(n, Ordering::Relaxed) + n;
        self.monitor.report(FETCHING, done, self.total)?;
        (self.told)(&features);
        match request {
            Request::Hub(remote, _) if (features.len() as u64) < n => {
                let what = format!("{} records that came are damaged", n - features.len() as u64);
                Err(FeatureError::Source { file: remote.set().to_string(), what })
            }
            Request::Site(..) | Request::Hub(..) => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns true where any other request to the same server would fail too.
fn is_of_server(error: &FeatureError) -> bool {
    match error {
        FeatureError::Cancelled(_) => true,
        FeatureError::Hub(error) => !matches!(error, HubError::NotFound { .. } | HubError::Refused { .. }),
        _ => false,
    }
}
