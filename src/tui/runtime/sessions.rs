//! Savers of the circuits' sessions, and the reports of sessions that could not be saved.

use crate::session::{Saver, SessionFile};
use crate::tui::runtime::jobs::{RequestId, Wake};
use crossbeam_channel::{Receiver, TryRecvError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Outcome of saving the sessions once the program is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// Reasons why sessions are not saved.
    pub unsaved: Vec<String>,
    /// Paths of sessions that were saved elsewhere than where they belong.
    pub elsewhere: Vec<PathBuf>,
}

/// Report of the savers.
pub enum Saving {
    /// Message for the user.
    Notice(String),
    /// Reasons why sessions are not saved; empty once all are saved again.
    Unsaved(Vec<String>),
    /// End of [`Sessions::save_all`]: every save was tried.
    Tried,
}

/// Savers of all graphs.
pub struct Sessions {
    wake: Wake,
    /// Savers by the id of their graph.
    savers: BTreeMap<RequestId, Saver>,
    /// Savers of closed graphs, each with a receiver that is disconnected once the last save was tried.
    parting: Vec<(Saver, Receiver<()>)>,
    /// Receivers of the saves before the program is left.
    leaving: Option<Vec<Receiver<()>>>,
    /// Reasons that were last reported as [`Saving::Unsaved`].
    told: Vec<String>,
}

impl Sessions {
    /// Returns an empty set of savers. `wake` is called when there is a report.
    pub fn new(wake: Wake) -> Self {
        Self { wake, savers: BTreeMap::new(), parting: Vec::new(), leaving: None, told: Vec::new() }
    }

    /// Saves the session of a graph into `file` from now on.
    ///
    /// # Errors
    /// Fails where the saver cannot be started.
    pub fn begin(&mut self, graph: RequestId, file: SessionFile) -> Result<(), String> {
        let wake = Arc::clone(&self.wake);
        let saver = Saver::start(file, move || wake());
        let saver = saver.map_err(|error| format!("the session cannot be saved: {error}"))?;
        self.savers.insert(graph, saver);
        Ok(())
    }

    /// Returns the saver of a graph.
    pub fn of(&self, graph: RequestId) -> Option<&Saver> {
        self.savers.get(&graph)
    }

    /// Drops a graph's saver once it has saved what is left.
    pub fn part(&mut self, graph: RequestId) {
        if let Some(saver) = self.savers.remove(&graph) {
            let tried = saver.flush();
            self.parting.push((saver, tried));
        }
    }

    /// Returns receivers that are disconnected once the last saves of closed graphs were tried.
    pub fn parted(&self) -> Vec<Receiver<()>> {
        self.parting.iter().map(|(_, tried)| tried.clone()).collect()
    }

    /// Saves all sessions; [`Saving::Tried`] reports the end.
    pub fn save_all(&mut self) {
        self.leaving = Some(self.flush());
    }

    /// Saves all sessions and waits for the end, no longer than `limit`.
    pub fn flush_within(&self, limit: Duration) {
        let end = Instant::now() + limit;
        for tried in self.flush() {
            // Either it was tried, or there is no more time.
            let _ = tried.recv_deadline(end);
        }
    }

    fn flush(&self) -> Vec<Receiver<()>> {
        self.savers.values().chain(self.parting.iter().map(|(saver, _)| saver)).map(Saver::flush).collect()
    }

    /// Takes the reports since the last call.
    pub fn news(&mut self) -> Vec<Saving> {
        let all = || self.savers.values().chain(self.parting.iter().map(|(saver, _)| saver));
        let mut news: Vec<Saving> = all().filter_map(Saver::notice).map(Saving::Notice).collect();
        let unsaved: Vec<String> = all().filter_map(Saver::trouble).collect();
        self.parting.retain(|(saver, tried)| !is_tried(tried) || saver.trouble().is_some());
        if self.told != unsaved {
            self.told.clone_from(&unsaved);
            news.push(Saving::Unsaved(unsaved));
        }
        if self.leaving.take_if(|leaving| leaving.iter().all(is_tried)).is_some() {
            news.push(Saving::Tried);
        }
        news
    }

    /// Returns true where no [`Self::save_all`] is under way.
    pub fn is_idle(&self) -> bool {
        self.leaving.is_none()
    }

    /// Saves all sessions a last time, and returns the outcome.
    pub fn close(&mut self) -> Closing {
        let mut closing = Closing::default();
        let savers = std::mem::take(&mut self.savers).into_values();
        for saver in savers.chain(std::mem::take(&mut self.parting).into_iter().map(|(saver, _)| saver)) {
            match saver.close() {
                Ok(elsewhere) => closing.elsewhere.extend(elsewhere),
                Err(why) => closing.unsaved.push(why),
            }
        }
        closing
    }
}

fn is_tried(tried: &Receiver<()>) -> bool {
    tried.try_recv() == Err(TryRecvError::Disconnected)
}
