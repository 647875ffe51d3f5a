//! Errors of training.

use crate::features::build::BuildError;
use crate::format::FormatError;
use crate::model::{ModelError, TensorError};
use crate::tokens::TokenError;
use crate::transcoder::TranscoderError;
use thiserror::Error;

/// Error of training. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum TrainError {
    /// Settings that do not go together, or not with the model.
    #[error("{0}")]
    Settings(String),
    /// The corpus cannot be read, or holds too little.
    #[error("{0}")]
    Corpus(String),
    /// A file of the corpus cannot be read.
    #[error(transparent)]
    Documents(#[from] BuildError),
    /// The loss is no number any more.
    #[error(
        "the loss of layer {layer} is no number any more at step {step}; give a lower --lr than {rate}, and begin anew"
    )]
    NotFinite {
        /// Layer of the model.
        layer: usize,
        /// Number of the step.
        step: u64,
        /// Learning rate.
        rate: f32,
    },
    /// The model's own MLPs give no numbers.
    #[error(
        "layer {0}'s MLP gives a NaN or an infinity for this corpus; the model is damaged or its precision too low"
    )]
    Model(usize),
    /// Sets that do not go together.
    #[error("{0}")]
    Merge(String),
    /// Memory that does not suffice.
    #[error("{0}")]
    Memory(String),
    /// The saved state of an earlier run cannot be used.
    #[error("{0}")]
    Checkpoint(String),
    /// The model cannot be run.
    #[error(transparent)]
    Run(#[from] ModelError),
    /// A document cannot be tokenized.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// What was trained cannot be read again.
    #[error(transparent)]
    Transcoder(#[from] TranscoderError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The work was stopped on request.
    #[error("stopped after {done} of {tokens} tokens; the same command with --resume goes on there")]
    Stopped {
        /// Tokens trained on.
        done: u64,
        /// Tokens wanted.
        tokens: u64,
    },
    /// The work was stopped before there was anything to keep.
    #[error("stopped before the first step; nothing was written")]
    Cancelled(#[from] crate::job::Cancelled),
}

impl From<candle_core::Error> for TrainError {
    fn from(error: candle_core::Error) -> Self {
        Self::Run(ModelError::Tensor(TensorError::from(error)))
    }
}

impl TrainError {
    /// Returns true where the work was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::Cancelled(_) | Self::Run(ModelError::Cancelled(_)))
    }
}
