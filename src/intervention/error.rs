//! Errors of interventions.

use crate::attribution::TraceError;
use crate::job::Cancelled;
use crate::model::{ModelError, TensorError};
use crate::transcoder::TranscoderError;
use thiserror::Error;

/// Error of an intervention. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum InterventionError {
    /// A feature, a position or a layer does not exist.
    #[error("{what}: {index} is out of range, there are {count} (counted from 0)")]
    OutOfRange {
        /// Layer, position or feature, with the change that names it.
        what: String,
        /// Requested index; from the end where negative.
        index: i64,
        /// Number of those that exist.
        count: usize,
    },
    /// A value is not a finite number.
    #[error("{what}: the value {value} is not a finite number")]
    NotFinite {
        /// Change that has the value.
        what: String,
        /// Value.
        value: f32,
    },
    /// A range holds no positions.
    #[error("{0}: the range holds no position; its end is exclusive")]
    NoPositions(String),
    /// The altered run left the range of f32.
    #[error("the altered run gives NaN or infinity: an activation is set too high for the model; choose a smaller one")]
    NonFinite,
    /// A setting of the sampling is out of range.
    #[error("{what} is {value}, and it has to be {wanted}")]
    Sampling {
        /// Name of the setting.
        what: &'static str,
        /// Value of the setting.
        value: f64,
        /// Allowed values.
        wanted: &'static str,
    },
    /// A continuation was asked for in direct mode, which is not defined for tokens to come.
    #[error(
        "direct interventions freeze what the prompt's run computed, and generated tokens have no such run; generate \
         with attention frozen or free"
    )]
    DirectGeneration,
    /// One feature is set twice at a position.
    #[error("{0} is set twice; give one value for a feature at a position")]
    Twice(String),
    /// The layers are not a range of the model's.
    #[error("layers {start}..{end} are no range of the model's {count} layers; the end is exclusive")]
    Layers {
        /// First layer.
        start: usize,
        /// One past the last.
        end: usize,
        /// Number of layers of the model.
        count: usize,
    },
    /// The model cannot be run.
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
