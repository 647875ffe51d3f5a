//! Models to trace with: list, download and loading.

use crate::demo;
use crate::features::Library;
use crate::graph::Settings;
use crate::hub::{FileSource, Hub, Offer, Pair, Preset, Reference, Request, SetOptions, Source};
use crate::job::Monitor;
use crate::service::engine::EngineOptions;
use crate::service::library::{FeatureFiles, FeatureSet, FeatureSource, KnownTranscoder};
use crate::service::tracing::{LocalTracer, Tracer};
use anyhow::{Context, Result};
use std::sync::Arc;

/// Returns the hub that this process's environment describes.
pub fn hub(offline: bool) -> Hub {
    Hub::from_env(&|name| std::env::var_os(name), offline)
}

/// Availability of a model and its transcoder on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// All files: it can be traced with.
    Whole,
    /// Some files.
    Partly,
    /// No files.
    Nothing,
}

/// Model with a transcoder, to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Short name; empty where it has none.
    pub name: String,
    /// Model, as `--model` takes it.
    pub model: String,
    /// Transcoder, as `--transcoder` takes it.
    pub transcoder: String,
    /// Bytes on this machine.
    pub bytes: u64,
    /// Availability on this machine.
    pub here: Here,
}

impl Choice {
    /// What has to be said of its transcoder.
    fn said(&self) -> SetOptions {
        Preset::named(&self.name).map(Preset::said).unwrap_or_default()
    }
}

/// Source of models, which lists, loads and fetches them. Errors are chains that say what went wrong and what to do.
pub trait Models: Send + Sync + 'static {
    /// Returns the choices. Touches no network.
    fn list(&self) -> anyhow::Result<Vec<Choice>>;

    /// Returns the hub's address.
    fn server(&self) -> String;

    /// Asks the hub for the missing files of a choice, and their sizes.
    fn offer(&self, choice: &Choice, monitor: &Monitor) -> anyhow::Result<Offer>;

    /// Downloads the files of an offer.
    fn download(&self, offer: &Offer, monitor: &Monitor) -> anyhow::Result<()>;

    /// Loads a choice that is on this machine. Touches no network.
    fn load(&self, choice: &Choice) -> anyhow::Result<Arc<dyn Tracer>>;

    /// Returns the dashboards and labels on this machine. Touches no network.
    fn library(&self, _set: &FeatureSet, _monitor: &Monitor) -> anyhow::Result<Arc<dyn FeatureSource>> {
        Ok(Arc::new(Library::default()))
    }
}

/// Models of this machine and of the hub.
pub struct LocalModels {
    /// Options of computing.
    pub options: EngineOptions,
    /// Transcoder that the user named, whose features are looked up by its own files.
    pub transcoder: Option<FileSource>,
    /// Dashboards and labels that the user named.
    pub files: FeatureFiles,
    /// Settings of traces.
    pub settings: Settings,
    /// True where the network is forbidden.
    pub offline: bool,
}

impl LocalModels {
    /// Returns the transcoder that graphs call `name`: the one that the user named, else the one of that name.
    fn transcoder(&self, name: &str) -> Result<KnownTranscoder> {
        let named = self.transcoder.clone().map(KnownTranscoder::of);
        named.filter(|named| named.name == name).map_or_else(|| KnownTranscoder::called(name), Ok)
    }
}

impl Models for LocalModels {
    fn list(&self) -> Result<Vec<Choice>> {
        let (model, transcoder) = demo::places();
        let demo = Choice {
            name: demo::NAME.to_owned(),
            model: "part of the program".to_owned(),
            transcoder: String::new(),
            bytes: model.bytes() + transcoder.bytes(),
            here: Here::Whole,
        };
        let choice = |pair: Pair| Choice {
            name: pair.preset.unwrap_or_default().to_owned(),
            bytes: pair.bytes(),
            here: match (pair.ready, pair.bytes()) {
                (true, _) => Here::Whole,
                (false, 0) => Here::Nothing,
                (false, _) => Here::Partly,
            },
            model: pair.model.reference,
            transcoder: pair.transcoder.reference,
        };
        let mut choices: Vec<Choice> = hub(self.offline).inventory()?.pairs.into_iter().map(choice).collect();
        // What can be traced now stands first.
        choices.sort_by_key(|choice| choice.here != Here::Whole);
        choices.insert(0, demo);
        Ok(choices)
    }

    fn server(&self) -> String {
        hub(self.offline).access.shown()
    }

    fn offer(&self, choice: &Choice, monitor: &Monitor) -> Result<Offer> {
        let source = |text: &str| Reference::parse(text).map(Source::Hub).context("this pair has no place on the hub");
        let (model, transcoder) = (Some(source(&choice.model)?), source(&choice.transcoder)?);
        let request = Request::Pair { model, transcoder, said: choice.said() };
        Ok(hub(self.offline).offer(&request, false, monitor)?)
    }

    fn download(&self, offer: &Offer, monitor: &Monitor) -> Result<()> {
        Ok(hub(self.offline).fetch(offer, monitor)?)
    }

    fn load(&self, choice: &Choice) -> Result<Arc<dyn Tracer>> {
        let places = || {
            if choice.transcoder.is_empty() {
                return Ok(demo::places());
            }
            let source = |text: &str| Source::parse(text.as_ref());
            let (model, transcoder) = (source(&choice.model)?, source(&choice.transcoder)?);
            Ok(hub(true).pair(Some(&model), &transcoder, &choice.said())?)
        };
        Ok(Arc::new(LocalTracer::new(self.options.open(places)?, self.settings.clone())))
    }

    fn library(&self, features: &FeatureSet, monitor: &Monitor) -> Result<Arc<dyn FeatureSource>> {
        let of = self.transcoder(&features.transcoder)?;
        let of = KnownTranscoder { source_set: features.source_set.clone(), ..of };
        Ok(Arc::new(of.library(&self.files, false, &hub(self.offline), monitor)?))
    }
}
