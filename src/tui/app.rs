//! What the screen shows: all of its state, and what it wants done elsewhere.

use crate::format::Options;
use crate::graph::{AttributionGraph, Document, Edited, Kept, RawTrace, Thresholds, Token};
use crate::ids::{FeatureId, Layer, NodeId};
use crate::job::Progress;
use crate::session::Session;
use crate::tui::browse::Ask;
use crate::tui::circuit::Circuit;
use crate::tui::features::{Feature, Features, Knows};
use crate::tui::find::Haystack;
use crate::tui::keymap::{Context, Key};
use crate::tui::lab::{Experiment, Trial};
use crate::tui::layout::{Panes, Windows, layout};
use crate::tui::models::Errand;
use crate::tui::popup::{
    browse::Browse, contexts::Contexts, export::Export, filter::FilterPrompt, help::Help, notes::Notes, paths::Paths,
    picker::Picker, prompt::Prompt, proposals::Proposals, question::Question, start::Start,
};
use crate::tui::shelf::Shelf;
use crate::tui::sift::Sift;
use crate::tui::subgraph::{Pinned, Weighing};
use crate::tui::survey::Survey;
use crate::tui::theme::Look;
use crate::tui::tracer::{Traced, Tracer};
use crate::tui::update::Msg;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
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
            Self::Graph => Context::Graph,
            Self::Connections => Context::Connections,
            Self::Detail => Context::Detail,
            Self::Tree => Context::Tree,
            Self::Subgraph => Context::Subgraph,
            Self::Feature => Context::Feature,
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

/// What lies over the panes.
pub enum Popup {
    /// The prompt, being edited.
    Prompt(Prompt),
    /// Every key.
    Help(Help),
    /// A list from which something is picked.
    Picker(Picker),
    /// A question that is answered in a line.
    Question(Question),
    /// The notes on the graph.
    Notes(Notes),
    /// Supernodes that are proposed.
    Proposals(Proposals),
    /// Paths between two nodes.
    Paths(Paths),
    /// The filter, being written.
    Filter(FilterPrompt),
    /// An export, being chosen.
    Export(Box<Export>),
    /// The models to choose from.
    Start(Start),
    /// What a feature fires on, on the whole screen.
    Contexts(Contexts),
    /// Features without a graph.
    Browse(Box<Browse>),
    /// May the hub be asked for single features?
    Consent {
        /// Of which transcoder, as the graph calls it.
        transcoder: String,
        /// As a part of what.
        set: String,
    },
    /// The interventions on the graph.
    Interventions,
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
    /// Tells its answer from stale ones.
    pub generation: u64,
    /// What is traced.
    pub prompt: String,
    /// How far it is.
    pub progress: Progress,
    /// Units done in a second, once that can be told.
    pub rate: Option<f64>,
    /// It was asked to stop.
    pub stopping: bool,
    /// The number of the circuit that it goes on with.
    continues: Option<u64>,
    /// When its count began, and where.
    since: Option<(Instant, u64)>,
}

impl Busy {
    /// Work that has just been asked for.
    pub fn new(generation: u64, prompt: String) -> Self {
        Self {
            generation,
            prompt,
            progress: Progress::default(),
            rate: None,
            stopping: false,
            continues: None,
            since: None,
        }
    }

    /// Work that goes on with the circuit of this number.
    pub fn going_on(generation: u64, prompt: String, circuit: u64) -> Self {
        Self { continues: Some(circuit), ..Self::new(generation, prompt) }
    }

    /// The number of the circuit that it makes, or goes on with.
    pub fn circuit(&self) -> u64 {
        self.continues.unwrap_or(self.generation)
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

/// A graph that is to be opened.
#[derive(Clone, Debug)]
pub enum Opening {
    /// It is in a file.
    File(PathBuf),
    /// It is that of a trace.
    Trace(Arc<RawTrace>),
}

impl From<PathBuf> for Opening {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<Arc<RawTrace>> for Opening {
    fn from(trace: Arc<RawTrace>) -> Self {
        Self::Trace(trace)
    }
}

/// Something to be done outside the state.
pub enum Effect {
    /// Trace a prompt.
    Trace {
        /// Comes back with the answer.
        generation: u64,
        /// The prompt.
        prompt: String,
    },
    /// Go on from a trace.
    Resume {
        /// Comes back with the answer.
        generation: u64,
        /// The trace.
        trace: Arc<RawTrace>,
        /// Features that get a row, `None` for all.
        max_feature_nodes: Option<usize>,
        /// How much of its graph to keep.
        thresholds: Thresholds,
    },
    /// Open a graph.
    Open {
        /// Comes back with the answer.
        generation: u64,
        /// Where it is.
        graph: Opening,
    },
    /// Stop a trace, or an opening.
    StopTrace {
        /// The number of its question.
        generation: u64,
    },
    /// Prune a graph.
    Prune {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        document: Document,
        /// How much of it to keep.
        thresholds: Thresholds,
    },
    /// Weigh what is pinned.
    Weigh {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        graph: Arc<AttributionGraph>,
        /// What is pinned of it.
        pinned: Pinned,
    },
    /// Look for the strongest paths between two nodes.
    FindPaths {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        graph: Arc<AttributionGraph>,
        /// What is kept of it.
        kept: Arc<Kept>,
        /// Where they begin.
        from: NodeId,
        /// Where they end.
        to: NodeId,
    },
    /// Look for features that could be supernodes.
    Propose {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        graph: Arc<AttributionGraph>,
        /// What is kept of it.
        kept: Arc<Kept>,
        /// What is grouped already.
        edited: Edited,
        /// What was refused.
        refused: Vec<Vec<NodeId>>,
    },
    /// Find what a filter lets through.
    Filter {
        /// Comes back with the answer.
        generation: u64,
        /// The filter, and what it asks about.
        sift: Sift,
    },
    /// Find what fits what is typed.
    Find {
        /// Comes back with the answer.
        generation: u64,
        /// What is looked through.
        haystack: Haystack,
        /// What is typed.
        query: String,
    },
    /// Find the tokens that a feature writes for and against.
    Promoted {
        /// Comes back with the answer.
        generation: u64,
        /// The feature's layer.
        layer: Layer,
        /// The feature.
        feature: FeatureId,
    },
    /// Measure what interventions change.
    Measure {
        /// Comes back with the answer.
        generation: u64,
        /// What is done, and what is looked at.
        experiment: Box<Experiment>,
    },
    /// Try something else on the model.
    Attempt {
        /// Comes back with the answer.
        generation: u64,
        /// The graph's prompt.
        tokens: Vec<Token>,
        /// What is tried.
        trial: Trial,
    },
    /// Stop the running trial.
    StopAttempt,
    /// Ask whoever knows which models there are.
    Errand {
        /// Comes back with the answer.
        generation: u64,
        /// What is asked.
        errand: Errand,
    },
    /// Open what is known of a transcoder's features.
    OpenLibrary {
        /// The transcoder, as graphs call it.
        transcoder: String,
    },
    /// Look what a library says of a graph's features.
    Survey {
        /// Comes back with the answer: the number of the circuit.
        generation: u64,
        /// The graph and the library.
        survey: Survey,
    },
    /// Read what a feature fires on.
    ReadFeature {
        /// The number of the question.
        generation: u64,
        /// Comes back with the answer.
        transcoder: String,
        /// The library.
        knows: Arc<dyn Knows>,
        /// Comes back with the answer.
        feature: Feature,
        /// Whether the hub may be asked, where the person said yes to that.
        may_ask: bool,
    },
    /// Stop reading.
    StopReading,
    /// Look through the features of the transcoder that traces.
    Browse {
        /// Comes back with the answer.
        generation: u64,
        /// What is asked.
        ask: Ask,
        /// The library.
        knows: Arc<dyn Knows>,
    },
    /// Stop looking through features.
    StopBrowsing,
    /// Keep that the hub may be asked for features.
    AllowHub {
        /// Comes back with the answer.
        transcoder: String,
        /// The library.
        knows: Arc<dyn Knows>,
    },
    /// Stop the running errand.
    StopErrand,
    /// Have another model trace from now on.
    TraceWith(Arc<dyn Tracer>),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Read the session of a graph.
    Remember {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        document: Document,
        /// Its file, where it has one.
        file: Option<PathBuf>,
    },
    /// Save the session of a circuit.
    Save {
        /// The circuit.
        generation: u64,
        /// Its session.
        session: Box<Session>,
        /// Its graph.
        graph: Arc<AttributionGraph>,
    },
    /// Save what is left of a circuit's session, and no more after it.
    Forget {
        /// The circuit.
        generation: u64,
    },
    /// Write a part of a graph for other programs.
    Export {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        document: Document,
        /// What the person did to it.
        edited: Edited,
        /// What of it, and how.
        options: Options,
        /// Where to.
        path: PathBuf,
        /// Whether a file that is there is written over.
        overwrites: bool,
    },
    /// Let go of a graph: to free one of millions of edges takes longer than a frame may.
    Discard(Box<Traced>),
    /// Put a text into the terminal's clipboard.
    Copy(String),
    /// Give the terminal back and stop until continued.
    Suspend,
    /// Draw everything, whatever the screen is thought to show.
    Redraw,
    /// Leave.
    Quit,
}

/// All of it. Only `update` and what it calls change it.
pub struct State {
    /// Colours and signs.
    pub look: Look,
    /// Cells and lines of the terminal.
    pub size: (u16, u16),
    /// Who traces; `None` where there is no model.
    pub tracer: Option<Arc<dyn Tracer>>,
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
    pub popup: Option<Popup>,
    /// The first key of two was pressed: where the second is looked up.
    pub prefix: Option<Context>,
    /// The filters that were applied, oldest first.
    pub filter_history: Vec<String>,
    /// The graphs that are open and not on the screen.
    pub shelf: Shelf,
    /// The file that the graph on the screen is, or was to be, opened from, where it was one of several.
    pub file: Option<PathBuf>,
    /// Whether sessions are read and saved.
    pub remembers: bool,
    /// The number of the session that is being read.
    pub remembering: Option<u64>,
    /// Keys that wait for it.
    pub held: Vec<Key>,
    /// The files of the graphs that were opened, by the number of their circuit.
    pub files: HashMap<u64, PathBuf>,
    /// Those of them that were picked from the list of recent ones: the model at hand may be another.
    pub picked: HashSet<u64>,
    /// A line for the person.
    pub notice: Option<Notice>,
    /// Counts the frames of the sign for work that goes on.
    pub ticks: usize,
    /// The number of the newest answer that is waited for, of any kind.
    pub generation: u64,
    /// The number of the pruning that is waited for; `None` when what is shown is what was asked for.
    pub pruning: Option<u64>,
    /// What was asked to be weighed last.
    pub weighing: Option<Weighing>,
    /// The number of the circuit on the screen; answers about another are stale.
    pub circuit_generation: u64,
    /// A graph that has to wait until a popup about the one on the screen is closed.
    pub held_back: Option<Msg>,
    /// What is to be done outside, in order.
    pub effects: Vec<Effect>,
    /// The screen shows something else than the state.
    pub dirty: bool,
}

impl State {
    /// An empty screen.
    pub fn new(look: Look, size: (u16, u16), tracer: Option<Arc<dyn Tracer>>) -> Self {
        Self {
            look,
            size,
            tracer,
            circuit: None,
            busy: None,
            message: None,
            focus: Pane::Graph,
            windows: Windows::default(),
            mouse: false,
            detail_scroll: 0,
            features: Features::default(),
            popup: None,
            prefix: None,
            filter_history: Vec::new(),
            shelf: Shelf::default(),
            file: None,
            remembers: false,
            remembering: None,
            held: Vec::new(),
            files: HashMap::new(),
            picked: HashSet::new(),
            notice: None,
            ticks: 0,
            generation: 0,
            pruning: None,
            weighing: None,
            circuit_generation: 0,
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
        match &self.popup {
            Some(Popup::Prompt(_)) => Context::Prompt,
            Some(Popup::Help(_)) => Context::Help,
            Some(Popup::Picker(_)) => Context::Picker,
            Some(Popup::Question(_)) => Context::Question,
            Some(Popup::Notes(_)) => Context::Notes,
            Some(Popup::Proposals(_)) => Context::Proposals,
            Some(Popup::Paths(_)) => Context::Paths,
            Some(Popup::Filter(_)) => Context::Filter,
            Some(Popup::Export(_)) => Context::Export,
            Some(Popup::Start(start)) => start.context(),
            Some(Popup::Contexts(contexts)) => contexts.context(),
            Some(Popup::Browse(browse)) => browse.context(),
            Some(Popup::Consent { .. }) => Context::Ask,
            Some(Popup::Interventions) => Context::Interventions,
            None => self.focus.context(),
        }
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

    /// A number for a new question.
    pub fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}
