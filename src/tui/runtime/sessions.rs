//! Who saves the sessions of the circuits, and what could not be saved.

use crate::session::{Saver, SessionFile};
use crate::tui::runtime::jobs::{RequestId, Wake};
use crossbeam_channel::{Receiver, TryRecvError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What has come of the sessions once the program is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// Why sessions are not saved.
    pub unsaved: Vec<String>,
    /// Where sessions lie that are not where they belong.
    pub elsewhere: Vec<PathBuf>,
}

/// What has come of saving, to be taken note of.
pub enum Saving {
    /// Something that the person has to be told.
    Notice(String),
    /// Why sessions are not saved; empty where all are again.
    Unsaved(Vec<String>),
    /// Everything was saved that could be.
    Tried,
}

/// The savers of all graphs.
pub struct Sessions {
    wake: Wake,
    /// By the id of the graph.
    savers: BTreeMap<RequestId, Saver>,
    /// Those of graphs that are gone, and whether what was left then was tried to be saved.
    parting: Vec<(Saver, Receiver<()>)>,
    /// Those that save before the program is left.
    leaving: Option<Vec<Receiver<()>>>,
    /// What was told of what is not saved.
    told: Vec<String>,
}

impl Sessions {
    /// No saver yet. `wake` is called when something has come of saving.
    pub fn new(wake: Wake) -> Self {
        Self { wake, savers: BTreeMap::new(), parting: Vec::new(), leaving: None, told: Vec::new() }
    }

    /// Saves the session of a graph into `file` from now on.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn begin(&mut self, graph: RequestId, file: SessionFile) -> Result<(), String> {
        let wake = Arc::clone(&self.wake);
        let saver = Saver::start(file, move || wake());
        let saver = saver.map_err(|error| format!("the session cannot be saved: {error}"))?;
        self.savers.insert(graph, saver);
        Ok(())
    }

    /// The saver of a graph.
    pub fn of(&self, graph: RequestId) -> Option<&Saver> {
        self.savers.get(&graph)
    }

    /// Lets go of a graph's saver once it has saved what is left.
    pub fn part(&mut self, graph: RequestId) {
        if let Some(saver) = self.savers.remove(&graph) {
            let tried = saver.flush();
            self.parting.push((saver, tried));
        }
    }

    /// Disconnected once what is left of graphs that are gone was tried to be saved.
    pub fn parted(&self) -> Vec<Receiver<()>> {
        self.parting.iter().map(|(_, tried)| tried.clone()).collect()
    }

    /// Has everything saved now; an answer tells when that was tried.
    pub fn save_all(&mut self) {
        self.leaving = Some(self.flush());
    }

    /// Has everything saved now, and waits until it is, but no longer than `limit`.
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

    /// What has come of saving since this was asked last.
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

    /// Whether nothing was asked for that is still to come.
    pub fn is_idle(&self) -> bool {
        self.leaving.is_none()
    }

    /// Saves what is left a last time.
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
