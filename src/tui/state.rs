//! State of the full-screen program.

use crate::tui::dialogs::{Dialog, Dialogs};
use crate::tui::keymap::{Context, Key};
use crate::tui::panes::Pane;
use crate::tui::panes::subgraph::boxes::Weighing;
use crate::tui::runtime::effect::Effect;
use crate::tui::runtime::jobs::{Jobs, RequestId, Update};
use crate::tui::runtime::sessions::Sessions;
use crate::tui::screen::Notice;
use crate::tui::screen::layout::{Panes, Windows, layout};
use crate::tui::ui::theme::Look;
use crate::tui::workspace::circuit::Circuit;
use crate::tui::workspace::features::Features;
use crate::tui::workspace::tabs::Tabs;
use crate::tui::workspace::tracing::ThresholdsAtHand;
use crate::tui::workspace::{Busy, Message};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

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
