//! Open graphs: their tabs, and the state of the one on the screen.

use crate::job::Progress;
use crate::tui::runtime::RequestId;
use crate::tui::workspace::tracing::SharedThresholds;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(in crate::tui) mod arrival;
pub mod circuit;
pub(in crate::tui) mod copy;
pub(in crate::tui) mod edits;
pub mod features;
pub mod filter;
pub mod heads;
pub mod history;
pub mod links;
pub mod marks;
pub mod overview;
pub mod preview;
pub mod promoted;
pub mod session;
pub mod stability;
pub(in crate::tui) mod supernodes;
pub mod tabs;
pub mod traced;
pub mod tracing;
pub(in crate::tui) mod walking;

pub use circuit::Circuit;
pub(in crate::tui) use edits::{apply, prune_anew};
pub use filter::Filter;
pub use history::Reached;
pub use links::{Link, Links, Listed, Listing, Order, Side};
pub use overview::Overview;
pub use promoted::PromotedTokens;
pub(in crate::tui) use promoted::model_fits;
pub(in crate::tui) use supernodes::{at_hand, choose_none};
pub use tabs::{Tab, TabContent, Tabs};
pub use traced::{Opening, Traced};
pub(in crate::tui) use walking::{follow, go_along, go_to};

/// The open graphs, one of which is on the screen.
#[derive(Default)]
pub struct Workspace {
    /// The graph on the screen.
    pub circuit: Option<Circuit>,
    /// Id of the graph on the screen.
    pub graph_id: RequestId,
    /// The graphs that are open and not on the screen.
    pub tabs: Tabs,
    /// Trace or opening that is under way for the graph on the screen.
    pub busy: Option<Busy>,
    /// What was written to be traced, oldest first.
    pub prompts: Vec<Written>,
    /// Message that was traced last: it is edited where its prompt is to be edited.
    pub message: Option<Message>,
    /// Thresholds at which graphs are pruned.
    pub thresholds: SharedThresholds,
    /// The filters that were applied, oldest first.
    pub filter_history: Vec<String>,
    /// File that the graph on the screen is, or was to be, opened from, where several were given.
    pub file: Option<PathBuf>,
    /// The files of the graphs that were opened, by the graph's id.
    pub files: HashMap<RequestId, PathBuf>,
    /// Ids among `files` of graphs picked from the list of recent ones: the model at hand may be another.
    pub picked: HashSet<RequestId>,
}

impl Workspace {
    /// Returns true where the graph on the screen is still being traced.
    pub fn is_growing(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| busy.graph() == self.graph_id)
    }

    /// Returns true where the screen waits for the graph of this request.
    pub fn waits_for(&self, id: RequestId) -> bool {
        self.busy.as_ref().is_some_and(|busy| busy.id == id)
    }
}

/// Text that was written to be traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Text as written.
    pub text: String,
    /// True where it is a message for the chat template.
    pub is_message: bool,
}

/// Message, and the prompt that the chat template made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Message as typed.
    pub typed: String,
    /// Prompt as traced.
    pub prompt: String,
}

/// Trace or opening of a graph that is under way.
pub struct Busy {
    /// The request.
    pub id: RequestId,
    /// Prompt that is traced.
    pub prompt: String,
    /// Progress as last reported.
    pub progress: Progress,
    /// Units done in a second; `None` until that can be told.
    pub rate: Option<f64>,
    /// True once the work was asked to stop.
    pub stopping: bool,
    /// Id of the graph that the work goes on with.
    continues: Option<RequestId>,
    /// Time at which the present count began, and the count at that time.
    since: Option<(Instant, u64)>,
}

impl Busy {
    /// Creates work that has just been asked for.
    pub fn new(id: RequestId, prompt: String) -> Self {
        Self { id, prompt, progress: Progress::default(), rate: None, stopping: false, continues: None, since: None }
    }

    /// Creates work that goes on with the graph of this id.
    pub fn going_on(id: RequestId, prompt: String, graph: RequestId) -> Self {
        Self { continues: Some(graph), ..Self::new(id, prompt) }
    }

    /// Returns the id of the graph that the work makes or goes on with: that of the request that made the graph.
    pub fn graph(&self) -> RequestId {
        self.continues.unwrap_or(self.id)
    }

    /// Takes note of the progress at `now`, and computes the rate.
    pub fn note_progress(&mut self, progress: Progress, now: Instant) {
        match self.since {
            // Rows and rankings take turns in one count; other phases begin anew.
            Some((since, done)) if progress.total == self.progress.total && progress.done >= self.progress.done => {
                let passed = now.duration_since(since);
                // Less than a second gives no reliable rate.
                if passed >= Duration::from_secs(1) && progress.done > done {
                    self.rate = Some((progress.done - done) as f64 / passed.as_secs_f64());
                }
            }
            _ => {
                self.since = Some((now, progress.done));
                self.rate = None;
            }
        }
        self.progress = progress;
    }
}
