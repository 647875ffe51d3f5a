//! Paths of the session of a graph.

use crate::graph::{Document, NodeKind, TargetKind};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Paths of the session of a graph: beside its file, or among the program's own data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPlace {
    /// Wanted path.
    pub(super) first: Option<PathBuf>,
    /// Path where the wanted one cannot be written.
    pub(super) second: Option<PathBuf>,
}

impl SessionPlace {
    /// Returns the place beside the file of a graph: its name and `.session.json`. `data` is the folder of the
    /// program's own data, for a graph in a folder that cannot be written to.
    pub fn beside(graph: &Path, data: Option<&Path>) -> Self {
        let mut name = graph.file_name().unwrap_or_default().to_owned();
        name.push(".session.json");
        // The same file gives the same place from everywhere.
        let whole = std::fs::canonicalize(graph).unwrap_or_else(|_| graph.to_owned());
        let key = hash([whole.as_os_str().as_encoded_bytes()]);
        Self { first: Some(graph.with_file_name(name)), second: data.map(|data| own(data, &key)) }
    }

    /// Returns the place of a graph without a file: among the program's own data, under a name made of the trace's
    /// origin. A trace that is extended keeps its place.
    pub fn of_trace(document: &Document, data: Option<&Path>) -> Self {
        let (origin, graph) = (&document.origin, &document.graph);
        let targets = graph.nodes().iter().filter_map(|node| match node.kind {
            NodeKind::Logit { id, .. } => Some(id),
            _ => None,
        });
        let ids: Vec<u8> =
            graph.tokens().iter().map(|token| token.id).chain(targets).flat_map(u32::to_le_bytes).collect();
        let texts = [&origin.model, &origin.transcoder, &origin.prompt].map(|text| text.as_bytes());
        // Outputs that are no tokens are numbered anew in every trace: their names tell them apart.
        let others = document.trace.iter().flat_map(|trace| &trace.targets);
        let others = others.filter(|target| target.kind != TargetKind::Token).map(|target| target.text.as_bytes());
        let key = hash(texts.into_iter().chain([ids.as_slice()]).chain(others));
        Self { first: data.map(|data| own(data, &key)), second: None }
    }

    /// Iterates over the paths in the order in which they are tried.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.first.iter().chain(&self.second)
    }
}

fn own(data: &Path, key: &str) -> PathBuf {
    data.join("sessions").join(format!("{key}.session.json"))
}

/// Returns a name made of some texts; each is hashed with its length, so that no two lists of texts run into one.
fn hash<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
