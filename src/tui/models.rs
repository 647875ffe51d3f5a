//! What the screen asks about models, off the UI thread, and what comes of it.

use crate::hub::Offer;
use crate::job::Monitor;
use crate::service::models::{Choice, Models};
use crate::service::tracing::Tracer;
use crate::session::{RecentGraph, recent};
use std::path::Path;
use std::sync::Arc;

/// How many graphs of those that were open last are offered.
const RECENT: usize = 8;

/// What is asked of [`Models`], off the UI thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// What can be chosen.
    List,
    /// What would have to be downloaded.
    Offer(Choice),
    /// Download it.
    Download(Offer),
    /// Load what is here.
    Load(Choice),
}

/// What comes of an errand.
pub enum Brought {
    /// What can be chosen.
    List {
        /// Graphs that were open and are still there, the last one first.
        graphs: Vec<RecentGraph>,
        /// The choices.
        choices: Vec<Choice>,
        /// Who would be asked for those that are not here.
        server: String,
    },
    /// What would have to be downloaded.
    Offer(Offer),
    /// It is downloaded.
    Downloaded,
    /// A model that traces.
    Loaded(Arc<dyn Tracer>),
}

impl Errand {
    /// Does it. `data` is the folder of what is the program's own.
    pub(super) fn run(self, models: &dyn Models, data: Option<&Path>, monitor: &Monitor) -> anyhow::Result<Brought> {
        Ok(match self {
            Self::List => {
                let graphs = data.map(recent).unwrap_or_default().into_iter().filter(|graph| graph.path.exists());
                let graphs = graphs.take(RECENT).collect();
                Brought::List { graphs, choices: models.list()?, server: models.server() }
            }
            Self::Offer(choice) => Brought::Offer(models.offer(&choice, monitor)?),
            Self::Download(offer) => models.download(&offer, monitor).map(|()| Brought::Downloaded)?,
            Self::Load(choice) => Brought::Loaded(models.load(&choice)?),
        })
    }
}
