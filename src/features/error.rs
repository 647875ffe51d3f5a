//! Errors of reading dashboards and labels.

use crate::format::FormatError;
use crate::hub::{FileSourceError, HubError};
use crate::ids::{FeatureId, Layer};
use crate::job::Cancelled;
use std::io;
use thiserror::Error;

/// Error of reading a feature's dashboard, or a whole source. Each message names the file and, where it is about one,
/// the feature.
#[derive(Debug, Error)]
pub enum FeatureError {
    /// One feature's record is bad. Others of the same source may be sound.
    #[error("feature {layer}:{feature} of {file}: {what}")]
    Record {
        /// Layer of the feature.
        layer: Layer,
        /// Index of the feature within the layer.
        feature: FeatureId,
        /// File that holds the record.
        file: String,
        /// Fault of the record.
        what: String,
    },
    /// A file is bad that a whole source depends on.
    #[error("{file}: {what}")]
    Source {
        /// Path of the file.
        file: String,
        /// Fault of the file, and what to do.
        what: String,
    },
    /// A source was made for another transcoder.
    #[error("{file} is for another transcoder: {what}; give the dashboards that were made for this one")]
    OtherTranscoder {
        /// File of the source.
        file: String,
        /// Difference.
        what: String,
    },
    /// A line of a file is bad.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// Path of the file.
        file: String,
        /// Line number, counted from 1.
        line: u64,
        /// Fault of the line.
        what: String,
    },
    /// The system refuses to read a file.
    #[error("{file}: {error}")]
    Read {
        /// Path of the file.
        file: String,
        /// Error of the system.
        error: io::Error,
    },
    /// A file cannot be written, or a graph's file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A file of a model or transcoder cannot be had.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// The hub does not deliver a file.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl FeatureError {
    /// Returns true where the work was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_) | Self::Hub(HubError::Cancelled(_)))
    }
}
