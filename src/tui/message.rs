//! What can happen to the state.

use crate::attribution::Promoted;
use crate::features::{Asking, Fetched};
use crate::graph::{Kept, Paths, Proposal, Stability};
use crate::ids::{FeatureId, Layer};
use crate::job::Progress;
use crate::service::browse::Browsed;
use crate::service::explain::ExplainReply;
use crate::service::interventions::{Measured, ModelReply};
use crate::service::labels::{Arrived, FeatureLabels};
use crate::service::library::{Feature, FeatureSet, FeatureSource};
use crate::service::tracing::Reading;
use crate::tui::comparison::Comparison;
use crate::tui::features::Card;
use crate::tui::find::Found;
use crate::tui::keymap::Key;
use crate::tui::models::Brought;
use crate::tui::mouse::Mouse;
use crate::tui::remember::Remembered;
use crate::tui::sift::Sifted;
use crate::tui::subgraph::Subgraph;
use crate::tui::theme::Ground;
use crate::tui::traced::Traced;
use crate::tui::work::Exported;
use crate::verify::Answer;
use std::sync::Arc;

/// Something that happened.
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was typed into a line, by as many keys as it has characters.
    Typed(String),
    /// Something was done with the mouse.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize(u16, u16),
    /// The terminal says what stands behind its text.
    Background(Ground),
    /// Time passed while work goes on; how far what was asked for under these numbers is.
    Tick(Vec<(u64, Progress)>),
    /// A trace went on: the graph of what there is.
    Grown {
        /// Of the question.
        generation: u64,
        /// The graph.
        traced: Box<Traced>,
    },
    /// A trace ended, or the graph of an opened one is made.
    Traced {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Traced, String>,
    },
    /// A pruning ended.
    Pruned {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Arc<Kept>, String>,
    },
    /// An export ended.
    Exported {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Exported, String>,
    },
    /// What is pinned was weighed.
    Weighed {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Arc<Subgraph>, String>,
    },
    /// A session was read.
    Remembered {
        /// Of the circuit.
        generation: u64,
        /// The answer.
        result: Result<Box<Remembered>, String>,
    },
    /// Something that the person has to be told.
    Notice(String),
    /// Why sessions are not saved; empty where all are again.
    Unsaved(Vec<String>),
    /// Everything was saved that could be.
    SavedAll,
    /// What a filter lets through is found.
    Sifted {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Sifted, String>,
    },
    /// The paths between two nodes are found.
    Paths {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Paths, String>,
    },
    /// Features that could be supernodes are found.
    Proposed {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Vec<Proposal>, String>,
    },
    /// A prompt is read.
    Read {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Reading, String>,
    },
    /// What fits what is typed is found.
    Found {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Found, String>,
    },
    /// The tokens that a feature writes are known.
    Promoted {
        /// Of the circuit that asked.
        generation: u64,
        /// The feature's layer.
        layer: Layer,
        /// The feature.
        feature: FeatureId,
        /// The answer.
        result: Result<Promoted, String>,
    },
    /// A library is open.
    Library {
        /// Of whose features.
        set: FeatureSet,
        /// The answer.
        result: Result<Arc<dyn FeatureSource>, String>,
    },
    /// A library was looked through for a graph.
    LookedUp {
        /// Of the circuit.
        generation: u64,
        /// What it says, and whether that is all.
        result: Result<(FeatureLabels, bool), String>,
    },
    /// What a feature fires on was read.
    Feature {
        /// Of the question.
        generation: u64,
        /// Of whose features.
        set: FeatureSet,
        /// The feature.
        feature: Feature,
        /// The answer.
        result: Result<Arc<Card>, String>,
    },
    /// Features were looked through.
    Browsed {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Browsed, String>,
    },
    /// What is not known of features, and who could be asked.
    Missing {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Asking, String>,
    },
    /// Features came.
    Arrived {
        /// Of the question.
        generation: u64,
        /// What they are called now.
        names: Vec<Arrived>,
    },
    /// What was missing of features was fetched, as far as it could be.
    FeaturesFetched {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Fetched, String>,
    },
    /// The hub may be asked for features.
    HubAllowed {
        /// Of whose features.
        set: FeatureSet,
        /// Whether that could be kept.
        result: Result<(), String>,
    },
    /// What interventions change is measured.
    Measured {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Measured, String>,
    },
    /// A reply of the model, or what there is of it so far.
    ModelReply {
        /// Of the question.
        generation: u64,
        /// The answer, as far as it is there.
        result: Result<ModelReply, String>,
    },
    /// Why features fire or do not.
    Explained {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<ExplainReply, String>,
    },
    /// Two graphs were laid over each other.
    Compared {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Arc<Comparison>, String>,
    },
    /// A check ended, or came further.
    Checked {
        /// Of the question.
        generation: u64,
        /// The answer, as far as it is there.
        result: Result<Answer, String>,
        /// Whether that is all.
        ends: bool,
    },
    /// Which parts of a graph hang on the thresholds is known.
    Stability {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Arc<Stability>, String>,
    },
    /// An errand ended.
    Errand {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Brought, String>,
    },
}
