//! Files that hold graphs: the raw trace, and what it is exported to. Knows nothing of models.

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

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The system refuses to read it.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The system refuses to write it.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There is no room for it.
    #[error("cannot write {}: no space is left on its disk; make room or write it elsewhere", path.display())]
    DiskFull {
        /// Which file.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{} is not {wanted}: {found}", path.display())]
    Other {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
        /// What it is instead.
        found: String,
    },
    /// It is of a version that this program does not know.
    #[error(
        "{} is a raw graph of format version {found}, and this program reads version {known}; update the program or \
         trace again", path.display()
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version that is known.
        known: u64,
    },
    /// Its parts do not fit each other.
    #[error("{} is damaged: {what}; make it again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is nothing to export, or more than the format takes.
    #[error("{what}")]
    Unexportable {
        /// What is in the way, and what to do.
        what: String,
    },
    /// What was to be written is not sound.
    #[error("cannot write {}: {error}", path.display())]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
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

/// The features that have rows, as ascending indices into the active ones.
fn selected_features(trace: &RawTrace) -> Vec<u32> {
    let mut selected: Vec<u32> = trace.visit_order().collect();
    selected.sort_unstable();
    selected
}
