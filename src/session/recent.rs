//! Graphs that were open last, for the start screen.

use crate::format::{FormatError, write_atomically};
use crate::session::file::{MOST_BYTES, move_aside};
use crate::session::lock::Lock;
use crate::untrusted;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Number of graphs remembered.
const MOST: usize = 50;

/// A graph that was open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentGraph {
    /// Path of its file.
    pub path: PathBuf,
    /// Prompt of the graph.
    #[serde(default)]
    pub prompt: String,
    /// Name of the model.
    #[serde(default)]
    pub model: String,
}

/// Returns the graphs that were open last, the last one first. `data` is the folder of the program's own data. A list
/// that cannot be read is moved aside.
pub fn recent(data: &Path) -> Vec<RecentGraph> {
    let path = list(data);
    let Ok(bytes) = untrusted::read(&path, MOST_BYTES) else { return Vec::new() };
    serde_json::from_slice(&bytes).unwrap_or_else(|_| {
        // Where it cannot be moved, it will be written over: it is a convenience.
        let _ = move_aside(&path);
        Vec::new()
    })
}

/// Puts a graph at the head of the list.
///
/// # Errors
/// Fails where the list cannot be written.
pub fn note_recent(data: &Path, graph: RecentGraph) -> Result<(), FormatError> {
    let path = fs::canonicalize(&graph.path).unwrap_or_else(|_| graph.path.clone());
    let graph = RecentGraph { path, ..graph };
    let path = list(data);
    let failed = |error| FormatError::Write { path: list(data), error };
    fs::create_dir_all(data).map_err(failed)?;
    let _lock = Lock::take(&path).map_err(failed)?;
    let mut all = recent(data);
    all.retain(|other| other.path != graph.path);
    all.insert(0, graph);
    all.truncate(MOST);
    write_atomically(&path, |out| serde_json::to_writer_pretty(out, &all).map_err(io::Error::from))
}

fn list(data: &Path) -> PathBuf {
    data.join("recent.json")
}
