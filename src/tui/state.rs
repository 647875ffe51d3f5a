//! State of the full-screen program.

use crate::tui::dialogs::{Dialog, Dialogs};
use crate::tui::keymap::{Context, Key};
use crate::tui::panes::PaneStates;
use crate::tui::runtime::jobs::{Jobs, Update};
use crate::tui::runtime::sessions::Sessions;
use crate::tui::screen::Screen;
use crate::tui::ui::Look;
use crate::tui::workspace::Workspace;
use crate::tui::workspace::features::Features;

/// Whole state of the program. Only `update` and what it calls change it.
pub struct State {
    /// The terminal's screen: its size and look, the arrangement of the panes, and the focus.
    pub screen: Screen,
    /// State of each pane that is not of one graph.
    pub panes: PaneStates,
    /// Dialogs over the panes.
    pub dialogs: Dialogs,
    /// The open graphs, one of which is on the screen.
    pub workspace: Workspace,
    /// Details of features, as far as they were read.
    pub features: Features,
    /// Jobs on threads, and the services that they use.
    pub jobs: Jobs<Self>,
    /// Savers of sessions.
    pub sessions: Sessions,
    /// Input and results that have to wait.
    pub deferred: Deferred,
}

/// Input and results that have to wait.
#[derive(Default)]
pub struct Deferred {
    /// Keys that wait for a session that is being read.
    pub keys: Vec<Key>,
    /// A graph that has to wait until a dialog about the one on the screen is closed.
    pub update: Option<Update<State>>,
}

impl State {
    /// Creates the state of an empty screen.
    pub fn new(look: Look, size: (u16, u16), jobs: Jobs<Self>, sessions: Sessions) -> Self {
        Self {
            screen: Screen::new(look, size),
            panes: PaneStates::default(),
            dialogs: Dialogs::default(),
            workspace: Workspace::default(),
            features: Features::default(),
            jobs,
            sessions,
            deferred: Deferred::default(),
        }
    }

    /// Returns the context in which keys are looked up.
    pub fn context(&self) -> Context {
        if let Some(prefix) = self.screen.prefix {
            return prefix;
        }
        self.dialogs.top().map_or_else(|| self.screen.focus.context(), Dialog::context)
    }

    /// Returns true where a dialog holds nodes of the graph on the screen, or answers about it: another graph waits
    /// until it is closed.
    pub fn shows_nodes(&self) -> bool {
        self.dialogs.show_nodes()
    }
}
