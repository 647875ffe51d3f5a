//! Models and transcoders on this machine: presets and the contents of the hub cache, in pairs, complete or not.

use crate::hub::cache::files_below;
use crate::hub::{Contents, FileSource, Hub, HubError, PRESETS, Reference, Role, Source};
use serde::Serialize;

/// A model or a transcoder, and the parts of it on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Reference, as `--model` and `--transcoder` take it.
    pub reference: String,
    /// Bytes on this machine.
    pub bytes: u64,
    /// Missing files; `None` where nothing of it is on this machine.
    pub missing: Option<Vec<String>>,
}

impl Part {
    /// Returns true where all of it is on this machine.
    pub fn is_complete(&self) -> bool {
        self.missing.as_ref().is_some_and(Vec::is_empty)
    }
}

/// A transcoder with the model that it was trained for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Preset that names it, if one does.
    pub preset: Option<&'static str>,
    /// The model.
    pub model: Part,
    /// The transcoder.
    pub transcoder: Part,
    /// True where both are complete.
    pub ready: bool,
}

/// Models and transcoders on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Pairs: the presets, then those of the cache, by name.
    pub pairs: Vec<Pair>,
}

impl Hub {
    /// Lists the hub cache; no file is read but configurations, and the network is not used.
    ///
    /// # Errors
    /// Fails where the cache exists and cannot be listed.
    pub fn inventory(&self) -> Result<Inventory, HubError> {
        let mut pairs: Vec<Pair> =
            PRESETS.iter().filter_map(|preset| self.look(Some(preset.name), preset.model, preset.transcoder)).collect();
        for transcoder in self.transcoders()? {
            let text = transcoder.to_string();
            if pairs.iter().any(|pair| pair.transcoder.reference == text) {
                continue;
            }
            let (part, model) = self.part(&transcoder, Role::Transcoder);
            // A transcoder that names no model, or none that has a name on the hub, needs --model.
            let Some(model) = model.and_then(|name| Reference::parse(&name)) else { continue };
            pairs.push(Pair::new(None, self.part(&model, Role::Model).0, part));
        }
        Ok(Inventory { pairs })
    }

    fn look(&self, preset: Option<&'static str>, model: &str, transcoder: &str) -> Option<Pair> {
        let (model, transcoder) = (Reference::parse(model)?, Reference::parse(transcoder)?);
        Some(Pair::new(preset, self.part(&model, Role::Model).0, self.part(&transcoder, Role::Transcoder).0))
    }

    /// Returns the parts of a model or transcoder on this machine, and the model that a transcoder names.
    fn part(&self, reference: &Reference, role: Role) -> (Part, Option<String>) {
        let contents = self.place(&Source::Hub(reference.clone())).and_then(|place| Contents::of(&place, role));
        let (bytes, missing, model) = match contents {
            Ok(contents) => (contents.bytes, Some(contents.missing), contents.model_name),
            Err(HubError::NotHere { .. }) => (0, None, None),
            // What cannot be read is not there for tracing; loading it says why.
            Err(error) => (0, Some(vec![error.to_string()]), None),
        };
        (Part { reference: reference.to_string(), bytes, missing }, model)
    }

    /// Returns the transcoders in the cache: repositories, and folders of them, with a `config.yaml`.
    fn transcoders(&self) -> Result<Vec<Reference>, HubError> {
        let mut found = Vec::new();
        for reference in self.cache.references()? {
            let Some(snapshot) = self.cache.find(&reference) else { continue };
            for name in files_below(&snapshot) {
                let Some(folder) = name.strip_suffix("config.yaml") else { continue };
                if folder.is_empty() || folder.ends_with('/') {
                    found.push(reference.with_path(folder.trim_end_matches('/').to_owned()));
                }
            }
        }
        Ok(found)
    }
}

impl Pair {
    fn new(preset: Option<&'static str>, model: Part, transcoder: Part) -> Self {
        let ready = model.is_complete() && transcoder.is_complete();
        Self { preset, model, transcoder, ready }
    }

    /// Returns the bytes of both on this machine.
    pub fn bytes(&self) -> u64 {
        self.model.bytes + self.transcoder.bytes
    }
}

impl FileSource {
    /// Returns the bytes of all files in the folder itself.
    pub fn bytes(&self) -> u64 {
        self.files().unwrap_or_default().iter().filter_map(|name| self.size(name)).sum()
    }
}
