//! Errors of checking a graph.

use crate::attribution::TraceError;
use crate::intervention::InterventionError;
use crate::job::Cancelled;
use crate::model::{ModelError, TensorError};
use crate::transcoder::TranscoderError;
use thiserror::Error;

/// Error of a check. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The graph is of another model, or of another transcoder.
    #[error("the graph was not made with this model and transcoder: {0}; give those that it was made with")]
    OtherModel(String),
    /// The links of the graph's file form a cycle.
    #[error("the links of the graph form a cycle, so that it predicts no effects; trace the prompt anew")]
    Cyclic,
    /// A node to ablate is no feature.
    #[error("{0} is no feature, and only features can be ablated; choose a feature")]
    NoFeature(String),
    /// A node has no value in a run of the model.
    #[error("{0} has no value to compare: choose a feature, or an output that is a token")]
    NoValue(String),
    /// There is nothing to check.
    #[error("{0}")]
    Nothing(String),
    /// The model cannot be run.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The altered run failed.
    #[error(transparent)]
    Intervention(#[from] InterventionError),
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

impl From<candle_core::Error> for VerifyError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}
