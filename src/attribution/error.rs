//! What can stop a trace.

use crate::job::Cancelled;
use crate::model::ModelError;
use crate::tokens::TokenError;
use crate::transcoder::TranscoderError;
use thiserror::Error;

/// A trace that cannot be made. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The model cannot be read or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The transcoder cannot be read.
    #[error(transparent)]
    Transcoder(#[from] TranscoderError),
    /// The prompt cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// A target cannot be used.
    #[error("target {name}: {what}")]
    Target {
        /// The target.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// The transcoder was trained on chats alone.
    #[error(
        "the prompt does not begin with {prefix:?}, which the transcoder leaves out of every prompt; use --chat, which \
         puts it there"
    )]
    NoChatPrefix {
        /// What it has to begin with.
        prefix: &'static str,
    },
    /// A trace cannot be gone on from.
    #[error("the trace cannot be resumed: {0}; trace the prompt anew")]
    Resume(String),
    /// The forward pass left the range of f32.
    #[error(
        "the forward pass gives NaN or infinity at {0}; the weights are damaged or belong to another configuration"
    )]
    NotFinite(String),
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The work was stopped on request, before there was anything to keep.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl TraceError {
    /// Whether the work was stopped on request, at whatever floor.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled(_)
                | Self::Model(ModelError::Cancelled(_))
                | Self::Transcoder(TranscoderError::Cancelled(_) | TranscoderError::Weights(ModelError::Cancelled(_)))
        )
    }
}
