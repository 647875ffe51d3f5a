//! State of the full-screen program.

use crate::job::Progress;
use crate::tui::act::ThresholdsAtHand;
use crate::tui::circuit::Circuit;
use crate::tui::dialogs::{Dialog, Dialogs};
use crate::tui::effect::Effect;
use crate::tui::features::Features;
use crate::tui::keymap::{Context, Key};
use crate::tui::layout::{Panes, Windows, layout};
use crate::tui::runtime::jobs::{Jobs, RequestId, Update};
use crate::tui::runtime::sessions::Sessions;
use crate::tui::subgraph::Weighing;
use crate::tui::tabs::Tabs;
use crate::tui::theme::Look;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Panes that can have the focus, in the order in which Tab visits them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The link graph.
    #[default]
    Graph,
    /// The list of connections.
    Connections,
    /// Description of the selected node.
    Detail,
    /// Tree of a node's circuit, unrolled.
    Tree,
    /// Drawing of the pinned nodes.
    Subgraph,
    /// Activations and contexts of the selected feature.
    Feature,
}

impl Pane {
    /// All panes.
    pub const ALL: [Self; 6] =
        [Self::Graph, Self::Connections, Self::Detail, Self::Tree, Self::Subgraph, Self::Feature];

    /// Returns the context in which the pane's own keys work.
    pub fn context(self) -> Context {
        match self {
            Self::Graph => Context::GRAPH,
            Self::Connections => Context::CONNECTIONS,
            Self::Detail => Context::DETAIL,
            Self::Tree => Context::TREE,
            Self::Subgraph => Context::SUBGRAPH,
            Self::Feature => Context::FEATURE,
        }
    }

    /// Returns the title in the pane's frame.
    pub fn title(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Connections => "connections",
            Self::Detail => "detail",
            Self::Tree => "tree",
            Self::Subgraph => "subgraph",
            Self::Feature => "contexts",
        }
    }
}

/// Line for the user, shown until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Text of the line.
    pub text: String,
    /// True where something went wrong.
    pub alert: bool,
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
    pub fn hear(&mut self, progress: Progress, now: Instant) {
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

/// Whole state of the program. Only `update` and what it calls change it.
pub struct State {
    /// Colours and signs.
    pub look: Look,
    /// Cells and lines of the terminal.
    pub size: (u16, u16),
    /// Jobs on threads, and the services that they use.
    pub jobs: Jobs<Self>,
    /// Writer of sessions.
    pub sessions: Sessions,
    /// The graph on the screen.
    pub circuit: Option<Circuit>,
    /// Trace or opening that is under way.
    pub busy: Option<Busy>,
    /// Message that was traced last: it is edited where its prompt is to be edited.
    pub message: Option<Message>,
    /// Pane that has the focus.
    pub focus: Pane,
    /// Arrangement of the panes, and whether one is zoomed.
    pub windows: Windows,
    /// True where the mouse works here. Else the terminal has it, and its own selection of text works.
    pub mouse: bool,
    /// First line of the detail that is shown.
    pub detail_scroll: usize,
    /// Details of features, as far as they were read.
    pub features: Features,
    /// Dialogs over the panes.
    pub dialogs: Dialogs,
    /// Context in which the second key of two is looked up, once the first was pressed.
    pub prefix: Option<Context>,
    /// The filters that were applied, oldest first.
    pub filter_history: Vec<String>,
    /// The graphs that are open and not on the screen.
    pub tabs: Tabs,
    /// File that the graph on the screen is, or was to be, opened from, where several were given.
    pub file: Option<PathBuf>,
    /// True where sessions are read and saved.
    pub remembers: bool,
    /// Keys that wait for a session that is being read.
    pub held: Vec<Key>,
    /// The files of the graphs that were opened, by the graph's id.
    pub files: HashMap<RequestId, PathBuf>,
    /// Ids among `files` of graphs picked from the list of recent ones: the model at hand may be another.
    pub picked: HashSet<RequestId>,
    /// Reasons why sessions are not saved; empty where all are.
    pub unsaved: Vec<String>,
    /// Line for the user.
    pub notice: Option<Notice>,
    /// Count of the frames of the sign for work that goes on.
    pub ticks: usize,
    /// Thresholds at which graphs are pruned.
    pub thresholds: ThresholdsAtHand,
    /// Labels and contexts that are being fetched, and the id of the graph whose features these are.
    pub fetching: Option<(Busy, RequestId)>,
    /// Request for the weight of the pinned nodes that was made last.
    pub weighing: Option<Weighing>,
    /// The id of the graph on the screen.
    pub graph_id: RequestId,
    /// A graph that has to wait until a dialog about the one on the screen is closed.
    pub held_back: Option<Update<Self>>,
    /// Effects to be applied to the terminal, in order.
    pub effects: Vec<Effect>,
    /// True where the screen does not show the present state.
    pub dirty: bool,
}

impl State {
    /// Creates the state of an empty screen.
    pub fn new(look: Look, size: (u16, u16), jobs: Jobs<Self>, sessions: Sessions) -> Self {
        Self {
            look,
            size,
            jobs,
            sessions,
            circuit: None,
            busy: None,
            message: None,
            focus: Pane::Graph,
            windows: Windows::default(),
            mouse: false,
            detail_scroll: 0,
            features: Features::default(),
            dialogs: Dialogs::default(),
            prefix: None,
            filter_history: Vec::new(),
            tabs: Tabs::default(),
            file: None,
            remembers: false,
            held: Vec::new(),
            files: HashMap::new(),
            picked: HashSet::new(),
            unsaved: Vec::new(),
            notice: None,
            ticks: 0,
            thresholds: ThresholdsAtHand::default(),
            fetching: None,
            weighing: None,
            graph_id: RequestId::default(),
            held_back: None,
            effects: Vec::new(),
            dirty: true,
        }
    }

    /// Returns the context in which keys are looked up.
    pub fn context(&self) -> Context {
        if let Some(prefix) = self.prefix {
            return prefix;
        }
        self.dialogs.top().map_or_else(|| self.focus.context(), Dialog::context)
    }

    /// Returns the areas of the panes; `None` on a terminal that is too small for any.
    pub fn panes(&self) -> Option<Panes> {
        layout(self.size, self.focus, &self.windows)
    }

    /// Shows the user a line.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), alert: false });
    }

    /// Shows the user a line that says that something went wrong.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), alert: true });
    }

    /// Returns true where a dialog holds nodes of the graph on the screen, or answers about it: another graph waits
    /// until it is closed.
    pub fn shows_nodes(&self) -> bool {
        self.dialogs.top().is_some_and(Dialog::shows_nodes)
    }
}
