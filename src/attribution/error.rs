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
    /// A dictionary of one residual stream.
    #[error(
        "{0} reads and writes one residual stream: it replaces no MLP, so there is nothing to trace; give a transcoder, or \
         look at its features with `circuitscope features`"
    )]
    Dictionary(String),
    /// A trace cannot be gone on from.
    #[error("the trace cannot be resumed: {0}; trace the prompt anew")]
    Resume(String),
    /// It does not fit into memory.
    #[error(
        "the trace needs at least {:.2} GiB of memory, and {:.2} GiB may be held; allow more (--max-memory), shorten the \
         prompt or trace fewer features",
        gib(*needed),
        gib(*limit)
    )]
    Memory {
        /// The least that it would hold, in bytes.
        needed: u64,
        /// What may be held.
        limit: u64,
    },
    /// It does not fit into the memory of the device.
    #[error(
        "the trace needs at least {:.2} GiB of the device's memory, and {:.2} GiB are free there; free some, shorten the \
         prompt, or use --dtype bf16 or --device cpu",
        gib(*needed),
        gib(*free)
    )]
    DeviceMemory {
        /// The least that it would hold there, in bytes.
        needed: u64,
        /// What is free there.
        free: u64,
    },
    /// The device ran out of memory all the same.
    #[error(
        "the device ran out of memory, and smaller blocks do not help; free some there, shorten the prompt, or use --dtype \
         bf16 or --device cpu"
    )]
    DeviceFull,
    /// Rows that do not fit into memory cannot be kept in a file either.
    #[error(
        "the rows do not fit into memory, and the temporary file for them cannot be written: {0}; make room on that disk"
    )]
    Spill(std::io::Error),
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

impl TraceError {
    /// Whether the device ran out of memory. Each kind of device says so in its own words, handed on as text.
    pub(super) fn is_device_full(&self) -> bool {
        let error = match self {
            Self::Tensor(error)
            | Self::Model(ModelError::Tensor(error))
            | Self::Transcoder(TranscoderError::Tensor(error) | TranscoderError::Weights(ModelError::Tensor(error))) => {
                error.to_string()
            }
            _ => return false,
        };
        ["OUT_OF_MEMORY", "ALLOC_FAILED", "Failed to create metal resource"].iter().any(|words| error.contains(words))
    }

    /// The same, in a sentence where it is that the device ran out of memory.
    pub(super) fn explained(self) -> Self {
        if self.is_device_full() { Self::DeviceFull } else { self }
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}
