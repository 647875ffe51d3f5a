//! Requests: a model with its transcoder, to be traced with, or repositories, to be downloaded.

use crate::hub::{Contents, FileSource, FileSourceError, Hub, HubError, Preset, Reference, Role, SetOptions, Source};
use std::fmt;

/// Request for a model and a transcoder, or for repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Model and transcoder.
    Pair {
        /// Model; where none is given, the one that the transcoder was trained for.
        model: Option<Source>,
        /// Transcoder.
        transcoder: Source,
        /// Options of the transcoder.
        said: SetOptions,
    },
    /// Repositories, or folders of them, of any role, and options of the transcoders among them.
    Each(Vec<Reference>, SetOptions),
}

impl Request {
    /// Returns the pair of a preset.
    pub fn preset(preset: &Preset) -> Self {
        // The table's references are references: a test reads them all.
        let source = |text: &str| Reference::parse(text).map(Source::Hub);
        match (source(preset.model), source(preset.transcoder)) {
            (model, Some(transcoder)) => Self::Pair { model, transcoder, said: preset.said() },
            (_, None) => Self::Each(Vec::new(), SetOptions::default()),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |source: &Source| match source {
            Source::Directory(path) => path.display().to_string(),
            Source::Hub(reference) => reference.to_string(),
        };
        let names: Vec<String> = match self {
            Self::Pair { model, transcoder, .. } => model.iter().chain([transcoder]).map(name).collect(),
            Self::Each(references, _) => references.iter().map(Reference::to_string).collect(),
        };
        f.write_str(&names.join(" and "))
    }
}

impl Hub {
    /// Returns the files behind a directory or a reference, if they are on this machine, complete or not.
    ///
    /// # Errors
    /// Fails with [`HubError::NotHere`] where they are not.
    pub fn place(&self, source: &Source) -> Result<FileSource, HubError> {
        let reference = match source {
            Source::Directory(path) => return Ok(FileSource::directory(path)?.with_cache(&self.cache)),
            Source::Hub(reference) => reference,
        };
        match self.cache.find(reference).filter(|path| path.is_dir()) {
            Some(path) => Ok(FileSource::snapshot(reference.clone(), path, &self.cache)),
            None => Err(HubError::NotHere { reference: reference.clone(), cache: self.cache.root().to_owned() }),
        }
    }

    /// Returns the files of a model and of a transcoder with the options `said`, on this machine. Only files that the
    /// hub could give are looked for; others that a directory lacks are reported when it is loaded.
    ///
    /// # Errors
    /// Fails where one is not there or not complete, or the transcoder does not name its model.
    pub fn pair(
        &self,
        model: Option<&Source>,
        transcoder: &Source,
        said: &SetOptions,
    ) -> Result<(FileSource, FileSource), HubError> {
        let transcoder = self.transcoder(transcoder, said)?;
        let model = match model {
            Some(model) => self.model(model)?,
            None => {
                let name = Contents::of(&transcoder, Role::Transcoder)?.model_name;
                self.model(&model_of(&transcoder.name(), name.as_deref())?)?
            }
        };
        Ok((model, transcoder))
    }

    /// Returns the files of a transcoder alone, with the options `said`, on this machine, as [`Hub::pair`].
    ///
    /// # Errors
    /// Fails where it is not there or not complete.
    pub fn transcoder(&self, source: &Source, said: &SetOptions) -> Result<FileSource, HubError> {
        self.complete(self.place(source)?.with_options(said), Role::Transcoder)
    }

    /// Returns the files of a model alone on this machine, as [`Hub::pair`].
    ///
    /// # Errors
    /// Fails where it is not there or not complete.
    pub fn model(&self, source: &Source) -> Result<FileSource, HubError> {
        self.complete(self.place(source)?, Role::Model)
    }

    fn complete(&self, place: FileSource, role: Role) -> Result<FileSource, HubError> {
        let missing = Contents::of(&place, role)?.missing;
        match (place.reference(), missing.iter().find_map(|name| elsewhere(name))) {
            (Some(reference), _) if !missing.is_empty() => {
                Err(HubError::Incomplete { reference: reference.clone(), files: missing })
            }
            (None, Some(file)) => {
                Err(FileSourceError::Elsewhere { place: place.name(), reference: file.to_string() }.into())
            }
            _ => Ok(place),
        }
    }
}

/// Returns the file of another repository for which a missing file stands.
pub(super) fn elsewhere(name: &str) -> Option<Reference> {
    Reference::parse(name).filter(|_| name.starts_with("hf://"))
}

/// Returns the model that a transcoder names.
pub(super) fn model_of(transcoder: &str, name: Option<&str>) -> Result<Source, HubError> {
    let unusable = |what: String| HubError::NoModel { transcoder: transcoder.to_owned(), what };
    let name = name.ok_or_else(|| unusable("does not say for which model it was trained".to_owned()))?;
    Source::parse(name.as_ref())
        .map_err(|_| unusable(format!("was trained for {name:?}, which is neither a directory nor a hub reference")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::PRESETS;

    #[test]
    fn every_preset_names_two_repositories() {
        for preset in PRESETS {
            let Request::Pair { model: Some(Source::Hub(model)), transcoder: Source::Hub(transcoder), .. } =
                Request::preset(&preset)
            else {
                panic!("{preset:?}");
            };
            assert_eq!(
                (model.to_string().as_str(), transcoder.to_string().as_str()),
                (preset.model, preset.transcoder)
            );
        }
    }
}
