//! What can be wrong with a model or its weights.

use crate::hub::FileSourceError;
use crate::model::DeviceName;
use crate::untrusted::excerpt;
use thiserror::Error;

/// A model that cannot be loaded or run. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// `config.json` is not understood.
    #[error("{path}: {what}")]
    Config {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A weight file is damaged.
    #[error("{path}: {what}; fetch it again")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A tensor is not there.
    #[error(
        "{place}: tensor {} is missing; the files do not hold the model that the configuration describes",
        excerpt(name)
    )]
    NoTensor {
        /// The directory.
        place: String,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape.
    #[error("{path}: tensor {} has shape {}, expected {expected:?}", excerpt(name), excerpt(&format!("{found:?}")))]
    Shape {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// The shape on disk.
        found: Vec<usize>,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// A tensor has a type that is not read.
    #[error("{path}: tensor {} is stored as {dtype}; only F32, BF16 and F16 are read", excerpt(name))]
    Dtype {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// The type on disk.
        dtype: String,
    },
    /// A weight is not a finite number.
    #[error(
        "{path}: tensor {} holds a NaN or an infinity in row {row}; the file is damaged or was trained badly",
        excerpt(name)
    )]
    NotFinite {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// The first row, counted in slices of the first dimension.
        row: usize,
    },
    /// A device is not in this build or not in this machine.
    #[error("device {name} cannot be used: {what}; cpu can be used everywhere")]
    Device {
        /// The device.
        name: DeviceName,
        /// Why not.
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

/// A tensor operation that failed. What candle says of it may go on with a stack of calls; its first line is told.
#[derive(Debug, Error)]
#[error("tensor operation failed: {}", .0.to_string().lines().next().unwrap_or_default())]
pub struct TensorError(candle_core::Error);

impl From<candle_core::Error> for TensorError {
    fn from(error: candle_core::Error) -> Self {
        Self(error)
    }
}

impl TensorError {
    /// Whether the device ran out of memory. Each kind of device says so in its own words, handed on as text.
    pub(crate) fn is_device_full(&self) -> bool {
        let error = self.0.to_string();
        ["OUT_OF_MEMORY", "ALLOC_FAILED", "Failed to create metal resource"].iter().any(|words| error.contains(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As where `RUST_BACKTRACE` asks for the stack.
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
