//! Graphs of Neuronpedia that are kept on this machine, each with the state of the link that it was opened by.

use crate::hub::{GraphLink, Hub, HubError, SITE};
use crate::job::Monitor;
use crate::untrusted::json_fault;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Folder of these graphs, below the folder of the program's own data.
const FOLDER: &str = "graphs";

/// A graph that a link leads to, on this machine or still on Neuronpedia.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The link.
    pub link: GraphLink,
    /// Path of its file as downloaded, which need not exist.
    plain: PathBuf,
    /// Path of the file with the state of the link.
    linked: PathBuf,
}

impl Published {
    /// Creates the graph that a link leads to. `data` is the folder of the program's own data.
    pub fn new(link: GraphLink, data: &Path) -> Self {
        let folder = data.join(FOLDER).join(name(&link.model));
        let slug = name(&link.slug);
        let hash = hash(link.state.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]));
        let [plain, linked] = [format!("{slug}.json"), format!("{slug}.{hash}.json")].map(|file| folder.join(file));
        Self { link, plain, linked }
    }

    /// Returns true where its file is on this machine, so that no server is asked.
    pub fn is_here(&self) -> bool {
        self.plain.is_file()
    }

    /// Returns its file with the state of the link; asks Neuronpedia where it is not on this machine, or where `anew`
    /// is set.
    ///
    /// # Errors
    /// Fails where it cannot be fetched, is no graph, or cannot be written.
    pub fn file(&self, hub: &Hub, anew: bool, monitor: &Monitor) -> Result<PathBuf, HubError> {
        let (bytes, comes) = if self.is_here() && !anew {
            let read = fs::read(&self.plain).map_err(|error| HubError::Write { path: self.plain.clone(), error })?;
            (read, false)
        } else {
            (hub.graph_of(&self.link, monitor)?, true)
        };
        let mut graph = self.parsed(&bytes)?;
        if comes {
            write(&self.plain, &bytes)?;
        }
        if !self.apply(&mut graph) {
            return Ok(self.plain.clone());
        }
        let linked = Value::Object(graph).to_string().into_bytes();
        if fs::read(&self.linked).ok().as_ref() != Some(&linked) {
            write(&self.linked, &linked)?;
        }
        Ok(self.linked.clone())
    }

    /// Adds to a graph the state in the link that the graph lacks; returns true where there was any.
    fn apply(&self, graph: &mut Map<String, Value>) -> bool {
        let GraphLink { model, slug, state } = &self.link;
        let metadata = graph.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        let said = metadata["info"]["neuronpedia_link"].as_str().and_then(|link| GraphLink::parse(link, SITE));
        let leads_here = match &said {
            Some(said) => (&said.model, &said.slug) == (model, slug),
            None => metadata["scan"] == **model && metadata["slug"] == **slug,
        };
        // Neuronpedia's name of a graph need not be the one that stands in its file.
        if let Some(metadata) = metadata.as_object_mut().filter(|_| !leads_here) {
            let link = GraphLink { state: Vec::new(), ..self.link.clone() }.to_string();
            match metadata.entry("info").or_insert_with(|| Value::Object(Map::new())) {
                Value::Object(info) => _ = info.insert("neuronpedia_link".to_owned(), Value::from(link)),
                info => *info = serde_json::json!({ "neuronpedia_link": link }),
            }
        }
        if !state.is_empty() {
            // As circuit-tracer's page saves it: what stood in the address, as it stood there.
            let state = state.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
            let state = std::iter::once(("linkType".to_owned(), Value::from("both"))).chain(state);
            graph.insert("qParams".to_owned(), Value::Object(state.collect()));
        }
        !leads_here || !state.is_empty()
    }

    /// Parses the graph's JSON.
    fn parsed(&self, bytes: &[u8]) -> Result<Map<String, Value>, HubError> {
        let refused = |what: String| HubError::Refused { url: self.link.to_string(), what };
        let graph: Value =
            serde_json::from_slice(bytes).map_err(|e| refused(format!("of the graph's file, {}", json_fault(&e))))?;
        match graph {
            Value::Object(graph) if graph.contains_key("nodes") => Ok(graph),
            _ => Err(refused("what came in place of a graph holds no nodes".to_owned())),
        }
    }
}

/// Returns a name that a file can have, the same for no two texts.
fn name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = text.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    if name == text && !name.starts_with('.') { name } else { format!("-{name}-{}", hash([text])) }
}

/// Returns a short name for some texts, no two lists of which run into one.
fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), HubError> {
    let wrong = |error| HubError::Write { path: path.to_owned(), error };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(wrong)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(wrong)?;
    file.write_all(bytes).map_err(wrong)?;
    file.persist(path).map_err(|refused| wrong(refused.error))?;
    Ok(())
}
