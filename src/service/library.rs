//! What is known of a transcoder's features: whose they are, where to look, and who is asked.

use crate::config;
use crate::demo;
use crate::features::remote::Consents;
use crate::features::{Asking, Fetched, Found, Label, Library, Search, Sizes};
use crate::graph::{Origin, SourceSet};
use crate::hub::{Hub, HubError, Place, Reference, SetOptions, Source};
use crate::ids::{FeatureId, Layer};
use crate::job::{Cancelled, Monitor};
use crate::service::models::hub;
use crate::transcoder::{TranscoderConfig, feature_counts};
use anyhow::{Result, bail};
use std::path::PathBuf;

/// A feature: its layer, and its index there.
pub type Feature = (Layer, FeatureId);

/// Whose features: a transcoder's, and where a graph says which set of Neuronpedia's they are, that set's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FeatureSet {
    /// The transcoder, as graphs call it.
    pub transcoder: String,
    /// Its features on Neuronpedia.
    pub source_set: Option<SourceSet>,
}

impl FeatureSet {
    /// The features of a graph.
    pub fn of(origin: &Origin) -> Self {
        Self { transcoder: origin.transcoder.clone(), source_set: origin.source_set.clone() }
    }
}

/// Whoever knows what a transcoder's features fire on. Nothing here is called on the thread that draws.
pub trait FeatureSource: Send + Sync + 'static {
    /// What is known of a feature on this machine: a matter of milliseconds.
    fn read_here(&self, feature: Feature) -> Found;

    /// The same, and where nothing is known here, what the hub knows, if it may be asked.
    ///
    /// # Errors
    /// The work was stopped.
    fn read(&self, feature: Feature, monitor: &Monitor) -> Result<Found, Cancelled>;

    /// What a feature is called, without its dashboard.
    fn label(&self, feature: Feature) -> Option<Label>;

    /// How often a feature fires, as far as it is known without its dashboard.
    fn density(&self, feature: Feature) -> Option<f32>;

    /// What of the hub could be asked once the person says yes; `None` where it may be asked, or cannot be.
    fn asks_for(&self) -> Option<String>;

    /// The person said yes.
    ///
    /// # Errors
    /// That cannot be kept; it holds until the program ends.
    fn allow_hub(&self) -> Result<(), String>;

    /// What is missing of features, and who would learn what by being asked for it. Files are looked at.
    fn asking(&self, _features: &[Feature]) -> Asking {
        Asking::default()
    }

    /// Fetches what is missing of features; `told` hears of those of which something may have come.
    ///
    /// # Errors
    /// The work was stopped.
    fn fetch(
        &self,
        _features: &[Feature],
        _told: &(dyn Fn(&[Feature]) + Sync),
        _monitor: &Monitor,
    ) -> Result<Fetched, String> {
        Ok(Fetched::default())
    }

    /// What has to be said of sources that were found and cannot be used.
    fn notices(&self) -> &[String];

    /// Whether nothing is known, and nobody can be asked.
    fn is_empty(&self) -> bool;

    /// The library itself, to be looked through.
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

/// Dashboards and labels that the person named, which go before what is found.
#[derive(Clone, Debug, Default)]
pub struct FeatureFiles {
    /// Folders of dashboards.
    pub folders: Vec<PathBuf>,
    /// Files of labels.
    pub labels: Vec<PathBuf>,
}

impl FeatureFiles {
    /// Whether the person named nothing.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.labels.is_empty()
    }
}

/// A transcoder, as far as this machine knows it.
#[derive(Clone, Debug, Default)]
pub struct KnownTranscoder {
    /// Its files.
    pub place: Option<Place>,
    /// What it is called.
    pub name: String,
    /// How many features it has.
    pub sizes: Option<Sizes>,
    /// Where the hub keeps it.
    pub reference: Option<Reference>,
    /// Its features on Neuronpedia.
    pub source_set: Option<SourceSet>,
}

impl KnownTranscoder {
    /// The transcoder in a place.
    pub fn of(place: Place) -> Self {
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

    /// The transcoder behind a directory or a reference, of which something is `said`. Dashboards can be read where its
    /// weights are not here.
    ///
    /// # Errors
    /// The environment or the directory cannot be used.
    pub fn at(source: Source, said: &SetOptions, hub: &Hub) -> Result<Self> {
        match (hub.place(&source), source) {
            (Ok(place), _) => Ok(Self::of(place.with_options(said))),
            (Err(HubError::NotHere { .. }), Source::Hub(reference)) => {
                Ok(Self { name: reference.to_string(), reference: Some(reference), ..Self::default() })
            }
            (Err(error), _) => bail!(error),
        }
    }

    /// The transcoder that a graph says it was traced with: the demo's, one on this machine, or one that is known by
    /// its name alone.
    ///
    /// # Errors
    /// The environment cannot be understood.
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

    /// The transcoder of a graph, as [`KnownTranscoder::called`], with its features on Neuronpedia where its file names them.
    ///
    /// # Errors
    /// The environment cannot be understood.
    pub fn of_graph(origin: &Origin) -> Result<Self> {
        Ok(Self { source_set: origin.source_set.clone(), ..Self::called(&origin.transcoder)? })
    }

    /// The transcoder of the embedded demo.
    pub fn demo() -> Self {
        Self { reference: None, ..Self::of(demo::places().1) }
    }

    /// What is known of its features. With `download` the hub may be asked for now, without it where the person said so
    /// before.
    ///
    /// # Errors
    /// What the person named cannot be used, or the environment cannot be understood.
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
