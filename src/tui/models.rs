//! What stands between the screen and whoever knows which models there are: the screen itself touches neither the
//! cache nor the network.

use crate::features::Library;
use crate::hub::Offer;
use crate::job::Monitor;
use crate::session::{RecentGraph, recent};
use crate::tui::features::{FeatureSet, Knows};
use crate::tui::tracer::Tracer;
use std::path::Path;
use std::sync::Arc;

/// How many graphs of those that were open last are offered.
const RECENT: usize = 8;

/// How much of a model and its transcoder is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// All of it: it can be traced with.
    Whole,
    /// Some files.
    Partly,
    /// Nothing.
    Nothing,
}

/// A model with a transcoder, to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// A short name; empty where it has none.
    pub name: String,
    /// The model, as `--model` takes it.
    pub model: String,
    /// The transcoder, as `--transcoder` takes it.
    pub transcoder: String,
    /// Bytes that are here.
    pub bytes: u64,
    /// How much of it is here.
    pub here: Here,
}

/// Whoever knows which models there are, and can load and fetch them.
pub trait Models: Send + Sync + 'static {
    /// What can be chosen. Touches no network.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn list(&self) -> anyhow::Result<Vec<Choice>>;

    /// Who would be asked, in a word: the hub's address.
    fn server(&self) -> String;

    /// Asks the hub what is missing of a choice, and how large it is.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn offer(&self, choice: &Choice, monitor: &Monitor) -> anyhow::Result<Offer>;

    /// Downloads what was offered.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn download(&self, offer: &Offer, monitor: &Monitor) -> anyhow::Result<()>;

    /// Loads a choice that is here. Touches no network.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn load(&self, choice: &Choice) -> anyhow::Result<Arc<dyn Tracer>>;

    /// What is known of features on this machine. Touches no network.
    ///
    /// # Errors
    /// A chain that says what went wrong and what to do.
    fn library(&self, _set: &FeatureSet, _monitor: &Monitor) -> anyhow::Result<Arc<dyn Knows>> {
        Ok(Arc::new(Library::default()))
    }
}

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
