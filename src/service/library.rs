//! Sources of a transcoder's dashboards and labels: which features, where to search, and which servers.

use crate::config;
use crate::demo;
use crate::features::remote::Consents;
use crate::features::{Asking, Fetched, Found, Label, Library, Search, Sizes};
use crate::graph::{Origin, SourceSet};
use crate::hub::{FileSource, Hub, HubError, Reference, SetOptions, Source};
use crate::ids::{FeatureId, Layer};
use crate::job::{Cancelled, Monitor};
use crate::service::models::hub;
use crate::transcoder::{TranscoderConfig, feature_counts};
use anyhow::{Result, bail};
use std::path::PathBuf;

/// Feature: its layer, and its index there.
pub type Feature = (Layer, FeatureId);

/// Set of features: a transcoder's, or Neuronpedia's source set where a graph names one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FeatureSet {
    /// Transcoder, as graphs call it.
    pub transcoder: String,
    /// Source set on Neuronpedia.
    pub source_set: Option<SourceSet>,
}

impl FeatureSet {
    /// Returns the set of a graph's features.
    pub fn of(origin: &Origin) -> Self {
        Self { transcoder: origin.transcoder.clone(), source_set: origin.source_set.clone() }
    }
}

/// Source of a transcoder's dashboards and labels. Its methods are not called on the thread that draws.
pub trait FeatureSource: Send + Sync + 'static {
    /// Returns the dashboard and label of a feature on this machine, within milliseconds.
    fn read_here(&self, feature: Feature) -> Found;

    /// Returns the dashboard and label of a feature, and asks the hub for one that is not known here, if allowed.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    fn read(&self, feature: Feature, monitor: &Monitor) -> Result<Found, Cancelled>;

    /// Returns the label of a feature, without its dashboard.
    fn label(&self, feature: Feature) -> Option<Label>;

    /// Returns the density of a feature, as far as it is known without its dashboard.
    fn density(&self, feature: Feature) -> Option<f32>;

    /// Returns the set for which the hub could be asked once the user consents; `None` where it may be asked, or cannot
    /// be.
    fn asks_for(&self) -> Option<String>;

    /// Records the user's consent.
    ///
    /// # Errors
    /// Fails where it cannot be saved; it holds until the program ends.
    fn allow_hub(&self) -> Result<(), String>;

    /// Plans the download of missing dashboards and labels of features, with what it discloses to which server. Only
    /// files are read.
    fn asking(&self, _features: &[Feature]) -> Asking {
        Asking::default()
    }

    /// Fetches missing dashboards and labels of features; `told` is called with features for which something may have
    /// come.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    fn fetch(
        &self,
        _features: &[Feature],
        _told: &(dyn Fn(&[Feature]) + Sync),
        _monitor: &Monitor,
    ) -> Result<Fetched, String> {
        Ok(Fetched::default())
    }

    /// Returns notices of sources that were found and cannot be used.
    fn notices(&self) -> &[String];

    /// Returns true where there is no source, and no server to ask.
    fn is_empty(&self) -> bool;

    /// Returns the library itself, for browsing.
    fn library(&self) -> Option<&Library> {
        None
    }
}

impl FeatureSource for Library {
    fn read_here(&self, feature: Feature) -> Found {
        Self::read_here(self, feature.0, feature.1)
    }

    fn read(&self, feature: Feature, monitor: &Monitor) -> Result<Found, Cancelled> {
        Self::read(self, feature.0, feature.1, monitor)
    }

    fn label(&self, feature: Feature) -> Option<Label> {
        Self::label(self, feature.0, feature.1)
    }

    fn density(&self, feature: Feature) -> Option<f32> {
        Self::density(self, feature.0, feature.1)
    }

    fn asks_for(&self) -> Option<String> {
        Self::asks_for(self).map(ToString::to_string)
    }

    fn allow_hub(&self) -> Result<(), String> {
        Self::allow_hub(self).map_err(|error| error.to_string())
    }

    fn asking(&self, features: &[Feature]) -> Asking {
        Self::asking(self, features)
    }

    fn fetch(
        &self,
        features: &[Feature],
        told: &(dyn Fn(&[Feature]) + Sync),
        monitor: &Monitor,
    ) -> Result<Fetched, String> {
        Self::fetch(self, features, told, monitor).map_err(|error| error.to_string())
    }

    fn notices(&self) -> &[String] {
        Self::notices(self)
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn library(&self) -> Option<&Library> {
        Some(self)
    }
}

/// Dashboards and labels that the user named, which take precedence over those found.
#[derive(Clone, Debug, Default)]
pub struct FeatureFiles {
    /// Folders of dashboards.
    pub folders: Vec<PathBuf>,
    /// Files of labels.
    pub labels: Vec<PathBuf>,
}

impl FeatureFiles {
    /// Returns true where the user named nothing.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.labels.is_empty()
    }
}

/// Transcoder, as far as this machine knows it.
#[derive(Clone, Debug, Default)]
pub struct KnownTranscoder {
    /// Files.
    pub place: Option<FileSource>,
    /// Name.
    pub name: String,
    /// Number of features of each layer.
    pub sizes: Option<Sizes>,
    /// Reference on the hub.
    pub reference: Option<Reference>,
    /// Source set on Neuronpedia.
    pub source_set: Option<SourceSet>,
}

impl KnownTranscoder {
    /// Returns the transcoder in a place.
    pub fn of(place: FileSource) -> Self {
        let scan = TranscoderConfig::read(&place).map(|config| config.scan).unwrap_or_default();
        let reference = place.reference().cloned().or_else(|| Reference::parse(&scan));
        // Without a name of its own it is called by where it lies, the same from everywhere.
        let path = || place.directory_path().filter(|_| place.reference().is_none())?.canonicalize().ok();
        let name = match path() {
            _ if !scan.is_empty() => scan,
            Some(path) => path.display().to_string(),
            None => place.name(),
        };
        Self { sizes: feature_counts(&place).ok(), name, reference, place: Some(place), source_set: None }
    }

    /// Returns the transcoder behind a directory or a reference, with the options `said`. Dashboards can be read where
    /// its weights are not here.
    ///
    /// # Errors
    /// Fails where the environment or the directory cannot be used.
    pub fn at(source: Source, said: &SetOptions, hub: &Hub) -> Result<Self> {
        match (hub.place(&source), source) {
            (Ok(place), _) => Ok(Self::of(place.with_options(said))),
            (Err(HubError::NotHere { .. }), Source::Hub(reference)) => {
                Ok(Self { name: reference.to_string(), reference: Some(reference), ..Self::default() })
            }
            (Err(error), _) => bail!(error),
        }
    }

    /// Returns the transcoder that a graph names: the demo's, one on this machine, or one that is known by its name
    /// alone.
    ///
    /// # Errors
    /// Fails where the environment cannot be understood.
    pub fn called(name: &str) -> Result<Self> {
        let demo = Self::demo();
        if name == demo.name {
            return Ok(demo);
        }
        match Source::parse(name.as_ref()) {
            Ok(source) => Self::at(source, &SetOptions::default(), &hub(true)),
            Err(_) => Ok(Self { name: name.to_owned(), ..Self::default() }),
        }
    }

    /// Returns the transcoder that a graph names, as [`KnownTranscoder::called`], with the source set on Neuronpedia
    /// where its file names one.
    ///
    /// # Errors
    /// Fails where the environment cannot be understood.
    pub fn of_graph(origin: &Origin) -> Result<Self> {
        Ok(Self { source_set: origin.source_set.clone(), ..Self::called(&origin.transcoder)? })
    }

    /// Returns the transcoder of the embedded demo.
    pub fn demo() -> Self {
        Self { reference: None, ..Self::of(demo::places().1) }
    }

    /// Opens the library of its features. With `download` the hub may be asked now, without it where the user consented
    /// before.
    ///
    /// # Errors
    /// Fails where a file or folder that the user named cannot be used, or the environment cannot be understood.
    pub fn library(&self, files: &FeatureFiles, download: bool, hub: &Hub, monitor: &Monitor) -> Result<Library> {
        let data = config::data_folder();
        let search = Search {
            folders: &files.folders,
            labels: &files.labels,
            transcoder: self.place.as_ref(),
            name: &self.name,
            sizes: self.sizes.as_ref(),
            data: data.as_deref(),
        };
        let mut library = Library::open(&search, monitor)?;
        if let Some(source_set) = &self.source_set {
            library = library.with_site(hub, source_set, data.as_deref());
        }
        let Some(reference) = &self.reference else { return Ok(library) };
        let mut consents = Consents::open(config::consents_file());
        if download {
            consents.give_for_now(reference);
        }
        Ok(library.with_hub(hub, reference, &search, consents))
    }
}
