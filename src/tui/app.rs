//! What the screen shows: all of its state.

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

/// The panes that can have the focus, in the order in which Tab visits them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The link graph.
    #[default]
    Graph,
    /// The list of connections.
    Connections,
    /// What the selected node is.
    Detail,
    /// The circuit of a node, unrolled.
    Tree,
    /// What is pinned.
    Subgraph,
    /// What the selected feature fires on.
    Feature,
}

impl Pane {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Graph, Self::Connections, Self::Detail, Self::Tree, Self::Subgraph, Self::Feature];

    /// Where its own keys work.
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

    /// What its frame says.
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

/// A line for the person, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it says.
    pub text: String,
    /// Whether something went wrong.
    pub alert: bool,
}

/// A message, and the prompt that the chat template made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// As it was typed.
    pub typed: String,
    /// As it is traced.
    pub prompt: String,
}

/// A trace, or the opening of one, that is under way.
pub struct Busy {
    /// The request.
    pub id: RequestId,
    /// What is traced.
    pub prompt: String,
    /// How far it is.
    pub progress: Progress,
    /// Units done in a second, once that can be told.
    pub rate: Option<f64>,
    /// It was asked to stop.
    pub stopping: bool,
    /// The graph that it goes on with.
    continues: Option<RequestId>,
    /// When its count began, and where.
    since: Option<(Instant, u64)>,
}

impl Busy {
    /// Work that has just been asked for.
    pub fn new(id: RequestId, prompt: String) -> Self {
        Self { id, prompt, progress: Progress::default(), rate: None, stopping: false, continues: None, since: None }
    }

    /// Work that goes on with the graph of this id.
    pub fn going_on(id: RequestId, prompt: String, graph: RequestId) -> Self {
        Self { continues: Some(graph), ..Self::new(id, prompt) }
    }

    /// The id of the graph that it makes, or goes on with: that of the request that made it.
    pub fn graph(&self) -> RequestId {
        self.continues.unwrap_or(self.id)
    }

    /// Takes note of how far it is at `now`.
    pub fn hear(&mut self, progress: Progress, now: Instant) {
        match self.since {
            // Rows and rankings take turns in one count; other phases begin anew.
            Some((since, done)) if progress.total == self.progress.total && progress.done >= self.progress.done => {
                let passed = now.duration_since(since);
                // Less than a second says little.
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

/// All of it. Only `update` and what it calls change it.
pub struct State {
    /// Colours and signs.
    pub look: Look,
    /// Cells and lines of the terminal.
    pub size: (u16, u16),
    /// Work on threads, and what it works with.
    pub jobs: Jobs<Self>,
    /// Who saves sessions.
    pub sessions: Sessions,
    /// The graph on the screen.
    pub circuit: Option<Circuit>,
    /// What is under way.
    pub busy: Option<Busy>,
    /// The last message that was traced: what to edit where its prompt is to be edited.
    pub message: Option<Message>,
    /// Which pane has the focus.
    pub focus: Pane,
    /// Who shares a place with whom, and who has all of the room.
    pub windows: Windows,
    /// Whether the mouse works here. Else the terminal has it, and its own selection of text works.
    pub mouse: bool,
    /// The first line of the detail that is shown.
    pub detail_scroll: usize,
    /// What features fire on, as far as it is known.
    pub features: Features,
    /// What lies over the panes.
    pub dialogs: Dialogs,
    /// The first key of two was pressed: where the second is looked up.
    pub prefix: Option<Context>,
    /// The filters that were applied, oldest first.
    pub filter_history: Vec<String>,
    /// The graphs that are open and not on the screen.
    pub tabs: Tabs,
    /// The file that the graph on the screen is, or was to be, opened from, where it was one of several.
    pub file: Option<PathBuf>,
    /// Whether sessions are read and saved.
    pub remembers: bool,
    /// Keys that wait for a session that is being read.
    pub held: Vec<Key>,
    /// The files of the graphs that were opened, by the graph's id.
    pub files: HashMap<RequestId, PathBuf>,
    /// Those of them that were picked from the list of recent ones: the model at hand may be another.
    pub picked: HashSet<RequestId>,
    /// Why sessions are not saved; empty where all are.
    pub unsaved: Vec<String>,
    /// A line for the person.
    pub notice: Option<Notice>,
    /// Counts the frames of the sign for work that goes on.
    pub ticks: usize,
    /// What the person prunes at.
    pub thresholds: ThresholdsAtHand,
    /// Labels and contexts that are being fetched, and the id of the graph whose features these are.
    pub fetching: Option<(Busy, RequestId)>,
    /// What was asked to be weighed last.
    pub weighing: Option<Weighing>,
    /// The id of the graph on the screen.
    pub graph_id: RequestId,
    /// A graph that has to wait until a dialog about the one on the screen is closed.
    pub held_back: Option<Update<Self>>,
    /// What is to be done to the terminal, in order.
    pub effects: Vec<Effect>,
    /// The screen shows something else than the state.
    pub dirty: bool,
}

impl State {
    /// An empty screen.
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

    /// Where keys go.
    pub fn context(&self) -> Context {
        if let Some(prefix) = self.prefix {
            return prefix;
        }
        self.dialogs.top().map_or_else(|| self.focus.context(), Dialog::context)
    }

    /// Where the panes are; `None` on a terminal that is too small for any.
    pub fn panes(&self) -> Option<Panes> {
        layout(self.size, self.focus, &self.windows)
    }

    /// Says something to the person.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), alert: false });
    }

    /// Says that something went wrong.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), alert: true });
    }

    /// Whether a dialog holds nodes of the graph on the screen, or answers about it: another graph waits until it is closed.
    pub fn shows_nodes(&self) -> bool {
        self.dialogs.top().is_some_and(Dialog::shows_nodes)
    }
}
