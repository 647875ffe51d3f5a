//! Errors of a model and its weights.

use crate::hub::FileSourceError;
use crate::model::DeviceName;
use crate::untrusted::excerpt;
use thiserror::Error;

/// Error of loading or running a model. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// `config.json` is not understood.
    #[error("{path}: {what}")]
    Config {
        /// Path of the file.
        path: String,
        /// Fault of the file.
        what: String,
    },
    /// A weight file is damaged.
    #[error("{path}: {what}; fetch it again")]
    Damaged {
        /// Path of the file.
        path: String,
        /// Fault of the file.
        what: String,
    },
    /// A tensor is not there.
    #[error(
        "{place}: tensor {} is missing; the files do not hold the model that the configuration describes",
        excerpt(name)
    )]
    NoTensor {
        /// Directory or file of the model.
        place: String,
        /// Name of the tensor.
        name: String,
    },
    /// A tensor has another shape.
    #[error("{path}: tensor {} has shape {}, expected {expected:?}", excerpt(name), excerpt(&format!("{found:?}")))]
    Shape {
        /// Path of the file.
        path: String,
        /// Name of the tensor.
        name: String,
        /// Shape on disk.
        found: Vec<usize>,
        /// Shape that the configuration requires.
        expected: Vec<usize>,
    },
    /// A tensor has a type that is not supported.
    #[error("{path}: tensor {} is stored as {dtype}; only F32, BF16 and F16 are read", excerpt(name))]
    Dtype {
        /// Path of the file.
        path: String,
        /// Name of the tensor.
        name: String,
        /// Type on disk.
        dtype: String,
    },
    /// A weight is not a finite number.
    #[error(
        "{path}: tensor {} holds a NaN or an infinity in row {row}; the file is damaged or was trained badly",
        excerpt(name)
    )]
    NotFinite {
        /// Path of the file.
        path: String,
        /// Name of the tensor.
        name: String,
        /// First such row, counted in slices of the first dimension.
        row: usize,
    },
    /// A device is not in this build or not in this machine.
    #[error("device {name} cannot be used: {what}; cpu can be used everywhere")]
    Device {
        /// Name of the device.
        name: DeviceName,
        /// Reason.
        what: String,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] crate::job::Cancelled),
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

/// Failed tensor operation. candle's message may continue with a stack trace, so only its first line is shown.
#[derive(Debug, Error)]
#[error("tensor operation failed: {}", .0.to_string().lines().next().unwrap_or_default())]
pub struct TensorError(candle_core::Error);

impl From<candle_core::Error> for TensorError {
    fn from(error: candle_core::Error) -> Self {
        Self(error)
    }
}

impl TensorError {
    /// Returns true where the device ran out of memory. Each kind of device has its own message, handed on as text.
    pub(crate) fn is_device_full(&self) -> bool {
        let error = self.0.to_string();
        ["OUT_OF_MEMORY", "ALLOC_FAILED", "Failed to create metal resource"].iter().any(|words| error.contains(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a message with a stack trace, as `RUST_BACKTRACE` adds it.
    #[test]
    fn a_stack_of_calls_is_not_told() {
        let inner = Box::new(candle_core::Error::Msg("shapes differ".to_owned()));
        let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
        let error = candle_core::Error::WithBacktrace { inner, backtrace };
        assert!(error.to_string().lines().count() > 1);
        let error = anyhow::Error::from(ModelError::from(error));
        assert_eq!(format!("{error:#}"), "tensor operation failed: shapes differ");
    }
}
