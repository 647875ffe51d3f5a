//! Errors of building a store.

use crate::attribution::{TraceError, apart};
use crate::format::FormatError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Error of building a store. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A file of the corpus cannot be read.
    #[error("the corpus {} cannot be read: {error}", path.display())]
    Corpus {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        error: io::Error,
    },
    /// The corpus holds no document.
    #[error("the corpus holds no document{}", .0.as_ref().map(|what| format!(": {what}")).unwrap_or_default())]
    Empty(Option<String>),
    /// The list of features names some that do not exist.
    #[error("{0}")]
    Selection(String),
    /// The model cannot be run.
    #[error(transparent)]
    Engine(#[from] TraceError),
    /// A file cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The saved state of an earlier run, or of another shard, cannot be used.
    #[error("{}: {what}", path.display())]
    Part {
        /// Path of the file.
        path: PathBuf,
        /// Fault of the file, and what to do.
        what: String,
    },
    /// The contexts take more memory than may be held.
    #[error(
        "the contexts take {}; allow more (--max-memory), keep fewer --examples or look at fewer layers at a time{}",
        apart(*needed, "of memory", *limit, "may be held"),
        if *kept { "; what has come is kept, and the next run goes on there" } else { "" }
    )]
    Memory {
        /// Memory of the contexts, in bytes.
        needed: u64,
        /// Allowed memory, in bytes.
        limit: u64,
        /// True where the next run continues this one.
        kept: bool,
    },
    /// The work was stopped on request.
    #[error("stopped after {tokens} tokens of {documents} documents; the same command goes on there")]
    Stopped {
        /// Documents that were processed in full.
        documents: u64,
        /// Tokens that were processed.
        tokens: u64,
    },
}

impl BuildError {
    pub(super) fn corpus(path: &Path, error: io::Error) -> Self {
        Self::Corpus { path: path.to_owned(), error }
    }

    pub(super) fn part(path: &Path, what: impl Into<String>) -> Self {
        Self::Part { path: path.to_owned(), what: what.into() }
    }

    /// Returns true where the work was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
            Self::Engine(error) => error.is_cancelled(),
            _ => false,
        }
    }
}
