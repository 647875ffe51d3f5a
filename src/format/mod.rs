//! Files that hold graphs: the raw trace, and its exports. Knows nothing of models.

pub mod dense;
pub mod json;
pub mod raw;
pub(crate) mod svg;
pub mod tensors;
pub mod torch;

mod atomic;
mod export;
mod open;

pub use atomic::write_atomically;
pub use export::{Format, Options, Theme, export, export_to};
pub(crate) use export::{clean, inline, xml};
pub use open::{model_of, open};

use crate::graph::{GraphError, RawTrace};
use std::io;
use std::path::{Path, PathBuf};

/// Error of reading or writing a file.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// File that the system refuses to read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// File that the system refuses to write.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Full disk.
    #[error("cannot write {}: no space is left on its disk; make room or write it elsewhere", path.display())]
    DiskFull {
        /// Path of the file.
        path: PathBuf,
    },
    /// File of another kind.
    #[error("{} is not {wanted}: {found}", path.display())]
    Other {
        /// Path of the file.
        path: PathBuf,
        /// Kind of file that it should be.
        wanted: &'static str,
        /// Description of the file as found.
        found: String,
    },
    /// File of a version that this program does not know.
    #[error(
        "{} is a raw graph of format version {found}, and this program reads version {known}; update the program or \
         trace again", path.display()
    )]
    Version {
        /// Path of the file.
        path: PathBuf,
        /// Version of the file.
        found: u64,
        /// Version that is known.
        known: u64,
    },
    /// File whose parts do not fit each other.
    #[error("{} is damaged: {what}; make it again", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Description of the fault.
        what: String,
    },
    /// Export of nothing, or of more than the format takes.
    #[error("{what}")]
    Unexportable {
        /// Description of the obstacle, and the remedy.
        what: String,
    },
    /// Trace that is not sound enough to be written.
    #[error("cannot write {}: {error}", path.display())]
    Unsound {
        /// Path of the file.
        path: PathBuf,
        /// Fault of the trace.
        error: GraphError,
    },
}

impl FormatError {
    pub(crate) fn writing(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, error },
        }
    }
}

/// Returns the features that have rows, as ascending indices into the active ones.
fn selected_features(trace: &RawTrace) -> Vec<u32> {
    let mut selected: Vec<u32> = trace.visit_order().collect();
    selected.sort_unstable();
    selected
}
