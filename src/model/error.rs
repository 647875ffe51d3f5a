//! What can be wrong with a model or its weights.

use crate::hub::PlaceError;
use crate::model::DeviceName;
use thiserror::Error;

/// A model that cannot be loaded or run. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// `config.json` is not understood.
    #[error("{path}: {what}")]
    Config {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A weight file is damaged.
    #[error("{path}: not a complete safetensors file ({what}); fetch it again")]
    Damaged {
        /// The file.
        path: String,
        /// What the reader says.
        what: String,
    },
    /// A tensor is not there.
    #[error("{place}: tensor {name} is missing; the files do not hold the model that the configuration describes")]
    NoTensor {
        /// The directory.
        place: String,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape.
    #[error("{path}: tensor {name} has shape {found:?}, expected {expected:?}")]
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
    #[error("{path}: tensor {name} is stored as {dtype}; only F32, BF16 and F16 are read")]
    Dtype {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// The type on disk.
        dtype: String,
    },
    /// A weight is not a finite number.
    #[error("{path}: tensor {name} holds a NaN or an infinity in row {row}; the file is damaged or was trained badly")]
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
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] crate::job::Cancelled),
}
