//! Where a command looks for what is known of features.

use crate::cli::engine::hub;
use crate::config;
use crate::demo;
use crate::features::remote::Consents;
use crate::features::{Library, Search, Sizes};
use crate::graph::{Origin, SourceSet};
use crate::hub::{HubError, PRESETS, Place, Preset, Reference, Source};
use crate::job::Monitor;
use crate::transcoder::{TranscoderConfig, feature_counts};
use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Folders and files that the person names.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NamedArgs {
    /// A folder of feature dashboards: a store of `features build` or of circuit-tracer, or a JSON file for each feature.
    /// It goes before what is found without being named. May be given several times
    #[arg(long = "features", value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// A file of labels: CSV or JSON lines of layer, feature and label, or a graph. May be given several times
    #[arg(long, value_name = "FILE")]
    pub labels: Vec<PathBuf>,
}

impl NamedArgs {
    /// Whether the person named nothing.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.labels.is_empty()
    }
}

/// Whose features.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SetArgs {
    /// The transcoder: a directory in circuit-tracer's layout, or a hub reference, ORG/REPO[/FOLDER][@REVISION]. If none
    /// is given, the embedded demo's; with --features, whichever those are for
    #[arg(long, value_name = "DIR|REF")]
    pub transcoder: Option<PathBuf>,
    /// The transcoder of a published pair
    #[arg(long, value_name = "NAME", conflicts_with = "transcoder",
          value_parser = PossibleValuesParser::new(PRESETS.map(|preset| preset.name)))]
    pub preset: Option<String>,
    /// Ask the hub for features that nothing on this machine knows. Its server then learns which ones are looked at
    #[arg(long)]
    pub download: bool,
    /// Forbid the network, also where the hub may be asked
    #[arg(long)]
    pub offline: bool,
}

/// A transcoder, as far as this machine knows it.
#[derive(Clone, Debug, Default)]
pub struct Set {
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

impl Set {
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

    /// The transcoder behind a directory or a reference. Dashboards can be read where its weights are not here.
    ///
    /// # Errors
    /// The environment or the directory cannot be used.
    pub fn at(source: Source, offline: bool) -> Result<Self> {
        match (hub(offline).place(&source), source) {
            (Ok(place), _) => Ok(Self::of(place)),
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
            Ok(source) => Self::at(source, true),
            Err(_) => Ok(Self { name: name.to_owned(), ..Self::default() }),
        }
    }

    /// The transcoder of a graph, as [`Set::called`], with its features on Neuronpedia where its file names them.
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
    pub fn library(&self, named: &NamedArgs, download: bool, offline: bool, monitor: &Monitor) -> Result<Library> {
        let data = config::data_folder();
        let search = Search {
            folders: &named.folders,
            labels: &named.labels,
            transcoder: self.place.as_ref(),
            name: &self.name,
            sizes: self.sizes.as_ref(),
            data: data.as_deref(),
        };
        let mut library = Library::open(&search, monitor)?;
        if let Some(source_set) = &self.source_set {
            library = library.with_site(&hub(offline), source_set, data.as_deref());
        }
        let Some(reference) = &self.reference else { return Ok(library) };
        let mut consents = Consents::open(config::consents_file());
        if download {
            consents.give_for_now(reference);
        }
        Ok(library.with_hub(&hub(offline), reference, &search, consents))
    }
}

impl SetArgs {
    /// The transcoder that is meant. `is_named` says that dashboards are named, which may be of any.
    ///
    /// # Errors
    /// There is no such directory, and it is no reference either.
    pub fn set(&self, is_named: bool) -> Result<Set> {
        let source = match (&self.transcoder, self.preset.as_deref().and_then(Preset::named)) {
            (Some(path), _) => Source::parse(path)?,
            (None, Some(preset)) => Source::parse(preset.transcoder.as_ref())?,
            (None, None) if is_named => return Ok(Set::default()),
            (None, None) => return Ok(Set::demo()),
        };
        Set::at(source, self.offline)
    }
}
