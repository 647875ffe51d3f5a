//! What can be wrong with an intervention.

use crate::attribution::TraceError;
use crate::job::Cancelled;
use crate::model::{ModelError, TensorError};
use crate::transcoder::TranscoderError;
use thiserror::Error;

/// An intervention that cannot be made. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum InterventionError {
    /// A feature, a position or a layer that is not there.
    #[error("{what}: {index} is out of range, there are {count} (counted from 0)")]
    OutOfRange {
        /// Layer, position or feature, and of which change.
        what: String,
        /// What was asked for; from the end where negative.
        index: i64,
        /// How many there are.
        count: usize,
    },
    /// A value that is no number.
    #[error("{what}: the value {value} is not a finite number")]
    NotFinite {
        /// Of which change.
        what: String,
        /// The value.
        value: f32,
    },
    /// Positions that are none.
    #[error("{0}: the range holds no position; its end is exclusive")]
    NoPositions(String),
    /// The altered run left the range of f32.
    #[error("the altered run gives NaN or infinity: an activation is set too high for the model; choose a smaller one")]
    NonFinite,
    /// What a continuation is sampled with.
    #[error("{what} is {value}, and it has to be {wanted}")]
    Sampling {
        /// Which setting.
        what: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        wanted: &'static str,
    },
    /// A continuation in a mode that says nothing of tokens to come.
    #[error(
        "direct interventions freeze what the prompt's run computed, and generated tokens have no such run; generate \
         with attention frozen or free"
    )]
    DirectGeneration,
    /// One feature is set twice at a position.
    #[error("{0} is set twice; give one value for a feature at a position")]
    Twice(String),
    /// The layers are no range of the model's.
    #[error("layers {start}..{end} are no range of the model's {count} layers; the end is exclusive")]
    Layers {
        /// First layer.
        start: usize,
        /// One past the last.
        end: usize,
        /// Layers of the model.
        count: usize,
    },
    /// The model or its base run.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The transcoder cannot be read.
    #[error(transparent)]
    Transcoder(#[from] TranscoderError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<candle_core::Error> for InterventionError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}
