//! What can be wrong with a model or its weights.

use crate::hub::PlaceError;
use crate::model::DeviceName;
use crate::untrusted::excerpt;
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
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] crate::job::Cancelled),
}
