//! What can stop the making of a store.

use crate::attribution::{TraceError, apart};
use crate::format::FormatError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A store that cannot be made. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A file of the corpus cannot be read.
    #[error("the corpus {} cannot be read: {error}", path.display())]
    Corpus {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The corpus holds no document.
    #[error("the corpus holds no document{}", .0.as_ref().map(|what| format!(": {what}")).unwrap_or_default())]
    Empty(Option<String>),
    /// The list of features names what is not there.
    #[error("{0}")]
    Selection(String),
    /// The model cannot be run.
    #[error(transparent)]
    Engine(#[from] TraceError),
    /// A file cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// What was kept of an earlier run, or of another shard, cannot be used.
    #[error("{}: {what}", path.display())]
    Part {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The contexts take more memory than may be held.
    #[error(
        "the contexts take {}; allow more (--max-memory), keep fewer --examples or look at fewer layers at a time{}",
        apart(*needed, "of memory", *limit, "may be held"),
        if *kept { "; what has come is kept, and the next run goes on there" } else { "" }
    )]
    Memory {
        /// What they take, in bytes.
        needed: u64,
        /// What may be held.
        limit: u64,
        /// Whether the next run goes on.
        kept: bool,
    },
    /// The work was stopped on request.
    #[error("stopped after {tokens} tokens of {documents} documents; the same command goes on there")]
    Stopped {
        /// Documents that were looked at in full.
        documents: u64,
        /// Tokens that were looked at.
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

    /// Whether the work was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
            Self::Engine(error) => error.is_cancelled(),
            _ => false,
        }
    }
}
