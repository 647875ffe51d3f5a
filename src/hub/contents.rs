//! Files of a model or a transcoder, told by the names in its folder and by its small files. The same rules give the
//! files that are missing on this machine and those to be downloaded.

use crate::hub::file_source::is_gguf;
use crate::hub::layout::{self, CONFIG};
use crate::hub::reference::is_inside;
use crate::hub::{FileSource, HubError, Reference, SetOptions};
use crate::untrusted::{excerpt, json_fault};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// Role of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Language model in the Hugging Face layout, or as a GGUF file.
    Model,
    /// Transcoder set, with a `config.yaml` or in a layout without one.
    Transcoder,
}

/// Optional files of a model.
const BESIDE: [&str; 6] = [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
];
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Layers of the deepest model. A file with a higher number is not one of its layers.
const MOST_LAYERS: u16 = 1 << 12;
/// Bytes of the largest configuration that is read.
pub const CONFIG_BYTES: usize = 1 << 20;
/// Bytes of the largest index of shards that is read.
pub(super) const INDEX_BYTES: usize = 64 << 20;

/// Listing of a folder: the names of the files in it and below it, and the content of the small ones.
pub(super) trait FileListing {
    fn has(&self, name: &str) -> bool;
    /// Returns the names in the folder itself.
    fn top(&self) -> Result<Vec<String>, HubError>;
    /// Returns the names of the files in a folder within it, without those in deeper folders; none where there is no
    /// such folder.
    fn files(&self, folder: &str) -> Vec<String>;
    /// Returns the names of the folders in it, or in a folder within it.
    fn folders(&self, within: &str) -> Vec<String>;
    /// Returns a file's content, of at most `most` bytes, and its name for messages.
    fn text(&mut self, name: &str, most: usize) -> Result<(String, String), HubError>;
    /// Returns the name of a file for messages, or of the folder itself where `file` is empty.
    fn name(&self, file: &str) -> String;
    /// Returns the name of one of several sets that the folder holds.
    fn set_name(&self, set: &str) -> String;
    /// Returns true where the files are on this machine, so that reading one asks no server.
    fn is_on_disk(&self) -> bool;
    /// Returns true where a list in the folder may name files anywhere on this machine.
    fn is_own(&self) -> bool;
}

/// Needed files of a model or a transcoder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needed {
    /// Names within the folder.
    pub files: Vec<String>,
    /// Files of other repositories.
    pub elsewhere: Vec<Reference>,
    /// Model that a transcoder was trained for.
    pub model_name: Option<String>,
}

/// Fields of `config.yaml` that name the files of a set.
#[derive(Deserialize)]
struct SetConfig {
    #[serde(default)]
    model_name: Option<String>,
    #[serde(default)]
    model_kind: String,
    #[serde(default)]
    transcoders: Option<Vec<String>>,
}

/// Fields of a shard index that name files.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Role {
    /// Returns the role of a folder with these names in it; `None` where it has neither.
    pub fn of(top: &[String]) -> Option<Self> {
        let has = |name: &str| top.iter().any(|there| there == name);
        match (has(CONFIG), has("config.json")) {
            (true, _) => Some(Self::Transcoder),
            (false, _) if has("params_layer_0.safetensors") => Some(Self::Transcoder),
            (false, true) => Some(Self::Model),
            (false, false) if has("layer_0.safetensors") => Some(Self::Transcoder),
            (false, false) => only_gguf(top).map(|_| Self::Model),
        }
    }

    /// Returns the files that a folder of this role needs, whether they are there or not.
    pub(super) fn needs(self, shelf: &mut dyn FileListing, said: &SetOptions) -> Result<Needed, HubError> {
        match self {
            Self::Model => model(shelf),
            Self::Transcoder => transcoder(shelf, said),
        }
    }
}

fn model(shelf: &mut dyn FileListing) -> Result<Needed, HubError> {
    if let Some(gguf) = only_gguf(&shelf.top()?) {
        return Ok(Needed { files: vec![gguf], ..Needed::default() });
    }
    let mut files = vec!["config.json".to_owned(), "tokenizer.json".to_owned()];
    files.extend(BESIDE.iter().filter(|name| shelf.has(name)).map(|name| (*name).to_owned()));
    if !shelf.has(SINGLE) && shelf.has(INDEX) {
        let (text, path) = shelf.text(INDEX, INDEX_BYTES)?;
        let unreadable = |what: String| HubError::Unreadable { path: path.clone(), what };
        let index: Index = serde_json::from_str(&text).map_err(|e| unreadable(json_fault(&e)))?;
        let mut shards: Vec<String> = index.weight_map.into_values().collect();
        shards.sort();
        shards.dedup();
        if let Some(outside) = shards.iter().find(|shard| !is_inside(shard)) {
            return Err(unreadable(format!("{:?} leads out of the model's folder", excerpt(outside))));
        }
        files.push(INDEX.to_owned());
        files.extend(shards);
    } else if !shelf.has(SINGLE) {
        let weights: Vec<String> = shelf.top()?.into_iter().filter(|name| name.ends_with(".safetensors")).collect();
        files.extend(if weights.is_empty() { vec![SINGLE.to_owned()] } else { weights });
    } else {
        files.push(SINGLE.to_owned());
    }
    Ok(Needed { files, ..Needed::default() })
}

/// Returns the GGUF file among these names, where there is one and no other weights.
fn only_gguf(top: &[String]) -> Option<String> {
    if top.iter().any(|name| name.ends_with(".safetensors") || name == INDEX) {
        return None;
    }
    let mut files = top.iter().filter(|name| is_gguf(name));
    files.next().filter(|_| files.next().is_none()).cloned()
}

fn transcoder(shelf: &mut dyn FileListing, said: &SetOptions) -> Result<Needed, HubError> {
    let has_config = shelf.has(CONFIG);
    let (config, path): (SetConfig, String) = match layout::config(shelf, said) {
        // A folder of the hub of which this machine has a part; the server knows the rest.
        Err(HubError::NoLayout { .. }) if shelf.is_on_disk() && !shelf.is_own() => {
            return Ok(Needed { files: vec![CONFIG.to_owned()], ..Needed::default() });
        }
        found => found?,
    };
    let mut needed = Needed::default();
    if has_config {
        needed.files.push(CONFIG.to_owned());
    }
    let unreadable = |what: String| HubError::Unreadable { path: path.clone(), what };
    needed.model_name = config.model_name.filter(|name| !name.is_empty());
    if let Some(mut list) = config.transcoders {
        drop_repeated(&mut list);
        for entry in &list {
            let listed = Listed::parse(entry, shelf.is_own())
                .ok_or_else(|| unreadable(format!("transcoders: {:?} names no file", excerpt(entry))))?;
            match listed.elsewhere {
                Some(reference) if !shelf.has(&listed.beside) => needed.elsewhere.push(reference),
                _ => needed.files.push(listed.beside),
            }
        }
        if !has_config {
            let mut beside: Vec<String> = list.iter().map(|file| layout::beside(file)).collect();
            beside.dedup();
            needed.files.extend(beside.into_iter().filter(|file| shelf.has(file)));
        }
        return Ok(needed);
    }
    let cross_layer = config.model_kind == "cross_layer_transcoder";
    let prefixes: &[&str] = if cross_layer { &["W_enc_", "W_dec_"] } else { &["layer_"] };
    let number = |name: &str, prefix: &str| {
        let number = name.strip_prefix(prefix)?.strip_suffix(".safetensors")?.parse::<u16>().ok();
        number.filter(|layer| *layer < MOST_LAYERS)
    };
    let top = shelf.top()?;
    let last = top.iter().filter_map(|name| prefixes.iter().find_map(|prefix| number(name, prefix))).max().unwrap_or(0);
    let layers = (0..=last).flat_map(|layer| prefixes.iter().map(move |prefix| format!("{prefix}{layer}.safetensors")));
    needed.files.extend(layers);
    Ok(needed)
}

/// Removes the last of a list's files where it is named twice, as in the lists of Gemma Scope 2's cross-layer
/// transcoders.
pub fn drop_repeated(list: &mut Vec<String>) {
    if let [.., one, other] = list.as_slice()
        && one == other
    {
        list.pop();
    }
}

/// Entry of the list in a `config.yaml`.
pub(super) struct Listed {
    /// File beside `config.yaml` that stands for it.
    pub beside: String,
    /// File of the repository that it names.
    pub elsewhere: Option<Reference>,
}

impl Listed {
    /// Parses `hf://org/repo/path?revision=…`, or a path within the set's own folder; in a folder of the user also an
    /// absolute path.
    pub fn parse(entry: &str, is_own: bool) -> Option<Self> {
        if !entry.starts_with("hf://") {
            let is_absolute = |entry: &str| Path::new(entry).is_absolute() && !entry.contains(char::is_control);
            let is_file = is_inside(entry) || is_own && is_absolute(entry);
            return is_file.then(|| Self { beside: entry.to_owned(), elsewhere: None });
        }
        let reference = Reference::parse(entry).filter(|reference| !reference.path().is_empty())?;
        Some(Self { beside: reference.path().to_owned(), elsewhere: Some(reference) })
    }
}

impl FileSource {
    /// Returns the file for an entry of the list in this transcoder's `config.yaml`: the one beside it, else the one in
    /// the hub cache. `None` where the entry names no file, or, in a set from the hub, one outside the folder.
    pub fn listed(&self, entry: &str) -> Option<String> {
        let listed = Listed::parse(entry, self.reference().is_none())?;
        match listed.elsewhere {
            Some(reference) if self.size(&listed.beside).is_none() => Some(reference.uri()),
            _ => Some(listed.beside),
        }
    }

    /// Returns this transcoder's `config.yaml`, or the one that its layout implies, with the user's options in place of
    /// its values; and its name for messages.
    ///
    /// # Errors
    /// Fails where it is damaged, or the folder is in none of the layouts.
    pub fn set_config<T: DeserializeOwned>(&self) -> Result<(T, String), HubError> {
        layout::config(&mut OnDisk(self), self.said())
    }

    /// Returns true where it has a `config.yaml`, or the user's options give the hooks.
    pub fn says_hooks(&self) -> bool {
        self.size(CONFIG).is_some()
            || (self.said().says("feature_input_hook") && self.said().says("feature_output_hook"))
    }
}

/// Contents of a model or transcoder on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Role of the folder.
    pub role: Role,
    /// Bytes of the files that are there.
    pub bytes: u64,
    /// Missing files; those of other repositories as `hf://…`.
    pub missing: Vec<String>,
    /// Model that a transcoder was trained for.
    pub model_name: Option<String>,
}

impl Contents {
    /// Lists the contents; nothing large is read.
    ///
    /// # Errors
    /// Fails where the folder cannot be listed, or a file that names further files is damaged.
    pub fn of(place: &FileSource, role: Role) -> Result<Self, HubError> {
        let needed = role.needs(&mut OnDisk(place), place.said())?;
        let names = needed.files.into_iter().chain(needed.elsewhere.iter().map(Reference::uri));
        let mut contents = Self { role, bytes: 0, missing: Vec::new(), model_name: needed.model_name };
        for name in names {
            match place.size(&name) {
                Some(bytes) => contents.bytes += bytes,
                None => contents.missing.push(name),
            }
        }
        Ok(contents)
    }
}

/// Listing of a folder on this machine.
struct OnDisk<'a>(&'a FileSource);

impl FileListing for OnDisk<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.size(name).is_some()
    }

    fn top(&self) -> Result<Vec<String>, HubError> {
        Ok(self.0.files()?)
    }

    fn files(&self, folder: &str) -> Vec<String> {
        self.0.entries(folder, false)
    }

    fn folders(&self, within: &str) -> Vec<String> {
        self.0.entries(within, true)
    }

    fn name(&self, file: &str) -> String {
        if file.is_empty() { self.0.name() } else { self.0.path(file) }
    }

    fn set_name(&self, set: &str) -> String {
        match self.0.reference() {
            Some(reference) => reference.join(set).to_string(),
            None => format!("{} {set}", self.0.short_name()),
        }
    }

    fn is_on_disk(&self) -> bool {
        true
    }

    fn is_own(&self) -> bool {
        self.0.reference().is_none()
    }

    fn text(&mut self, name: &str, most: usize) -> Result<(String, String), HubError> {
        let path = self.0.path(name);
        let blob = self.0.open_within(name, most, "the folder holds no model and no transcoder without it")?;
        match std::str::from_utf8(&blob) {
            Ok(text) => Ok((text.to_owned(), path)),
            Err(_) => Err(HubError::Unreadable { path, what: "it is not UTF-8".to_owned() }),
        }
    }
}
