//! Requests about models off the UI thread, and their results.

use crate::hub::Offer;
use crate::job::Monitor;
use crate::service::models::{Choice, Models};
use crate::service::tracing::Tracer;
use crate::session::{RecentGraph, recent};
use std::path::Path;
use std::sync::Arc;

/// Most recent graphs that are offered.
const RECENT: usize = 8;

/// Request to [`Models`], off the UI thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Lists the models and graphs that can be chosen.
    List,
    /// Finds the files that would have to be downloaded.
    Offer(Choice),
    /// Downloads them.
    Download(Offer),
    /// Loads a model that is here.
    Load(Choice),
}

/// Result of a request.
pub enum Brought {
    /// Models and graphs that can be chosen.
    List {
        /// Recent graphs that are still there, the last one first.
        graphs: Vec<RecentGraph>,
        /// Models to choose from.
        choices: Vec<Choice>,
        /// Server that would be asked for those that are not here.
        server: String,
    },
    /// Files that would have to be downloaded.
    Offer(Offer),
    /// The download is complete.
    Downloaded,
    /// Loaded model, which traces.
    Loaded(Arc<dyn Tracer>),
}

impl Errand {
    /// Runs the request. `data` is the folder of the program's own data.
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
