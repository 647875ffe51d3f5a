//! Dashboards and labels that cannot be had.

use crate::format::FormatError;
use crate::hub::{FileSourceError, HubError};
use crate::ids::{FeatureId, Layer};
use crate::job::Cancelled;
use std::io;
use thiserror::Error;

/// What keeps a feature's dashboard, or all of a source, from being read. Each message names the file and, where it is
/// about one, the feature.
#[derive(Debug, Error)]
pub enum FeatureError {
    /// One feature's record. Others of the same source may be sound.
    #[error("feature {layer}:{feature} of {file}: {what}")]
    Record {
        /// The feature's layer.
        layer: Layer,
        /// The feature within the layer.
        feature: FeatureId,
        /// The file that holds the record.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file that a whole source depends on.
    #[error("{file}: {what}")]
    Source {
        /// The file.
        file: String,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A source that was made for another transcoder.
    #[error("{file} is for another transcoder: {what}; give the dashboards that were made for this one")]
    OtherTranscoder {
        /// The source's file.
        file: String,
        /// What differs.
        what: String,
    },
    /// A file that is read line by line.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// The file.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The system refuses to read it.
    #[error("{file}: {error}")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// A file cannot be written, or a graph's file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A file of a place cannot be had.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// The hub does not give it.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl FeatureError {
    /// Whether it says that the work was stopped, and nothing of a file.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_) | Self::Hub(HubError::Cancelled(_)))
    }
}
