//! What the state wants done outside of it.

use crate::format::Options;
use crate::graph::{AttributionGraph, Document, Edited, FeatureAt, Kept, RawTrace, Thresholds, Token};
use crate::ids::{FeatureId, Layer, NodeId};
use crate::service::browse::Ask;
use crate::service::explain::ExplainRequest;
use crate::service::interventions::{Experiment, ModelRequest};
use crate::service::labels::LabelLookup;
use crate::service::library::{Feature, FeatureSet, FeatureSource};
use crate::service::tracing::Tracer;
use crate::session::Session;
use crate::tui::comparison::{Leaf, Sheet};
use crate::tui::find::Haystack;
use crate::tui::models::Errand;
use crate::tui::sift::Sift;
use crate::tui::subgraph::Pinned;
use crate::tui::traced::Traced;
use crate::verify::Question;
use std::path::PathBuf;
use std::sync::Arc;

/// A graph that is to be opened.
#[derive(Clone, Debug)]
pub enum Opening {
    /// It is in a file.
    File(PathBuf),
    /// It is that of a trace.
    Trace(Arc<RawTrace>),
    /// It is made of these.
    Merged(Vec<Leaf>),
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
    /// Read a prompt as the model will.
    Read {
        /// Comes back with the answer.
        generation: u64,
        /// What is typed.
        text: String,
        /// Whether that is a message for the chat template.
        is_message: bool,
    },
    /// Trace what a feature's pre-activation comes from.
    TraceFeature {
        /// Comes back with the answer.
        generation: u64,
        /// The prompt.
        prompt: String,
        /// As it is read.
        tokens: Vec<Token>,
        /// The feature, active or not.
        at: FeatureAt,
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
        /// What is asked for.
        request: ModelRequest,
    },
    /// Stop the running request.
    StopAttempt,
    /// Ask why features fire or do not.
    Explain {
        /// Comes back with the answer.
        generation: u64,
        /// What is asked.
        request: ExplainRequest,
        /// Who may know what the features are called.
        knows: Option<Arc<dyn FeatureSource>>,
    },
    /// Stop asking that.
    StopExplaining,
    /// Lay two graphs over each other.
    Compare {
        /// Comes back with the answer.
        generation: u64,
        /// The graphs.
        sheets: Box<[Sheet; 2]>,
    },
    /// Stop doing that.
    StopComparing,
    /// Check a graph against the model.
    Check {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        graph: Arc<AttributionGraph>,
        /// What is asked of it.
        question: Question,
    },
    /// Stop the running check.
    StopCheck,
    /// Find which parts of a graph hang on the thresholds.
    Stand {
        /// Comes back with the answer.
        generation: u64,
        /// The graph.
        graph: Arc<AttributionGraph>,
    },
    /// Ask whoever knows which models there are.
    Errand {
        /// Comes back with the answer.
        generation: u64,
        /// What is asked.
        errand: Errand,
    },
    /// Open what is known of features.
    OpenLibrary {
        /// Whose features.
        set: FeatureSet,
    },
    /// See what is not known of features, and who could be asked.
    AskWhatIsMissing {
        /// Comes back with the answer.
        generation: u64,
        /// The library.
        knows: Arc<dyn FeatureSource>,
        /// The features.
        features: Vec<Feature>,
    },
    /// Fetch what is missing of features.
    FetchFeatures {
        /// Comes back with the answer.
        generation: u64,
        /// The library.
        knows: Arc<dyn FeatureSource>,
        /// The features.
        features: Vec<Feature>,
    },
    /// Stop fetching features.
    StopFetching,
    /// Look what a library says of a graph's features.
    LookUpLabels {
        /// Comes back with the answer: the number of the circuit.
        generation: u64,
        /// The graph and the library.
        lookup: LabelLookup,
    },
    /// Read what a feature fires on.
    ReadFeature {
        /// The number of the question.
        generation: u64,
        /// Whose features; comes back with the answer.
        set: FeatureSet,
        /// The library.
        knows: Arc<dyn FeatureSource>,
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
        knows: Arc<dyn FeatureSource>,
    },
    /// Stop looking through features.
    StopBrowsing,
    /// Keep that the hub may be asked for features.
    AllowHub {
        /// Whose features; comes back with the answer.
        set: FeatureSet,
        /// The library.
        knows: Arc<dyn FeatureSource>,
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
    /// Save everything that is not saved yet, before the program is left.
    SaveAll,
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
        /// Where to; `None` is into the clipboard.
        path: Option<PathBuf>,
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
