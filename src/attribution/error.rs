//! Errors of a trace.

use crate::job::Cancelled;
use crate::model::{ModelError, TensorError};
use crate::tokens::TokenError;
use crate::transcoder::TranscoderError;
use thiserror::Error;

/// Error of a trace. Each message says what, where, and what to do.
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
        /// Name of the target.
        name: String,
        /// Fault of the target.
        what: String,
    },
    /// A head's attention cannot be asked for.
    #[error("{name}: {what}")]
    Attention {
        /// The head, or the position.
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
        /// Required beginning of the prompt.
        prefix: &'static str,
    },
    /// A dictionary of one residual stream.
    #[error(
        "{0} reads and writes one residual stream: it replaces no MLP, so there is nothing to trace; give a transcoder, or \
         look at its features with `circuitscope features`"
    )]
    Dictionary(String),
    /// The trace cannot be resumed.
    #[error("the trace cannot be resumed: {0}; trace the prompt anew")]
    Resume(String),
    /// The trace does not fit into memory.
    #[error(
        "the trace needs at least {}; allow more (--max-memory), shorten the prompt or trace fewer features",
        apart(*needed, "of memory", *limit, "may be held")
    )]
    Memory {
        /// Least that the trace would hold, in bytes.
        needed: u64,
        /// Allowed memory, in bytes.
        limit: u64,
    },
    /// The parts of an attention score do not fit into memory.
    #[error(
        "splitting an attention score needs at least {}; free some or shorten the prompt",
        apart(*needed, "of memory", *limit, "may be held")
    )]
    ScoreMemory {
        /// Least that the process would hold, in bytes.
        needed: u64,
        /// Allowed memory, in bytes.
        limit: u64,
    },
    /// The trace does not fit into the memory of the device.
    #[error(
        "the trace needs at least {}; free some, shorten the prompt, or use --dtype bf16 or --device cpu",
        apart(*needed, "of the device's memory", *free, "are free there")
    )]
    DeviceMemory {
        /// Least that the trace would hold there, in bytes.
        needed: u64,
        /// Free memory there, in bytes.
        free: u64,
    },
    /// The device ran out of memory despite the plan.
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
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The work was stopped on request, before there was anything to keep.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<candle_core::Error> for TraceError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

impl TraceError {
    /// Returns true where the work was stopped on request, at whatever level of the error's sources.
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
    /// Returns true where the device ran out of memory, at whatever level of the error's sources.
    pub(super) fn is_device_full(&self) -> bool {
        match self {
            Self::Tensor(error)
            | Self::Model(ModelError::Tensor(error))
            | Self::Transcoder(TranscoderError::Tensor(error) | TranscoderError::Weights(ModelError::Tensor(error))) => {
                error.is_device_full()
            }
            _ => false,
        }
    }

    /// Replaces an error that means a full device by [`TraceError::DeviceFull`].
    pub(super) fn explained(self) -> Self {
        if self.is_device_full() { Self::DeviceFull } else { self }
    }
}

/// Formats two numbers of bytes, each with its description, in the largest unit in which they are above 1, and with as
/// many digits as tell them apart.
pub(crate) fn apart(needed: u64, of: &str, limit: u64, is: &str) -> String {
    const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("bytes", 0)];
    let largest = needed.max(limit);
    let (unit, shift) = UNITS.into_iter().find(|(_, shift)| largest >> shift > 0).unwrap_or(UNITS[3]);
    let written = |bytes: u64, decimals: usize| format!("{:.decimals$}", bytes as f64 / 2f64.powi(shift as i32));
    let most = if shift == 0 { 0 } else { 9 };
    let decimals = (2.min(most)..most).find(|decimals| written(needed, *decimals) != written(limit, *decimals));
    let [needed, limit] = [needed, limit].map(|bytes| written(bytes, decimals.unwrap_or(most)));
    format!("{needed} {unit} {of}, and {limit} {unit} {is}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_and_what_there_is_are_told_apart() {
        let told = |needed, limit| apart(needed, "of memory", limit, "may be held");
        assert_eq!(told(3 << 30, 1 << 30), "3.00 GiB of memory, and 1.00 GiB may be held");
        assert_eq!(told(15 << 20, 14 << 20), "15.00 MiB of memory, and 14.00 MiB may be held");
        assert_eq!(told((8 << 30) + (1 << 20), 8 << 30), "8.001 GiB of memory, and 8.000 GiB may be held");
        assert_eq!(told(7, 1), "7 bytes of memory, and 1 bytes may be held");
        for (needed, limit) in [(1 << 40, (1 << 40) - 4096), ((1 << 30) + 1, 1 << 30), (12_345, 12_344), (2, 0)] {
            let words = told(needed, limit).replace(" and ", " ");
            let numbers: Vec<&str> = words.split(' ').filter(|word| word.starts_with(char::is_numeric)).collect();
            assert!(numbers.len() == 2 && numbers[0] != numbers[1], "{words}");
        }
    }
}
