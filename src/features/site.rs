//! Features on Neuronpedia: many in one request, each kept on this machine.
//!
//! Which features somebody looks at is known to the site then, so that nothing is asked before the person has said yes.

use crate::features::neuronpedia;
use crate::features::record::Record;
use crate::features::remote::keep;
use crate::features::{FeatureError, folder_name};
use crate::graph::SourceSet;
use crate::hub::Hub;
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Features that are asked for in one request.
pub(super) const BATCH: usize = 32;
/// Contexts of each that are asked for.
const CONTEXTS: usize = 10;

/// A graph's set of features on Neuronpedia.
#[derive(Debug)]
pub struct Site {
    hub: Hub,
    set: SourceSet,
    /// Where what came is kept; `None` keeps nothing.
    kept: Option<PathBuf>,
}

/// What is kept of a feature.
#[derive(Debug)]
pub(super) enum Kept {
    /// It was not asked for.
    Nothing,
    /// The site does not know it.
    Unknown,
    /// What the site knows of it.
    Known(Box<Record>),
}

impl Site {
    /// The features of `set`. What comes is kept below `data`. Nothing is asked yet.
    pub fn new(hub: &Hub, set: &SourceSet, data: Option<&Path>) -> Self {
        let folder = |data: &Path| {
            data.join("features").join("neuronpedia").join(folder_name(&set.model)).join(folder_name(&set.name))
        };
        Self { hub: hub.clone(), set: set.clone(), kept: data.map(folder) }
    }

    /// The set.
    pub fn set(&self) -> &SourceSet {
        &self.set
    }

    /// Its address, for people.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.host(), self.set.model, self.set.name)
    }

    /// Who is asked.
    pub fn host(&self) -> String {
        let shown = self.hub.neuronpedia.shown();
        shown.split_once("://").map_or(shown.clone(), |(_, host)| host.to_owned())
    }

    /// Who forbids the network, if anyone.
    pub fn offline(&self) -> Option<&'static str> {
        self.hub.neuronpedia.offline
    }

    /// Whether it was asked for a feature.
    pub(super) fn knows(&self, layer: Layer, feature: FeatureId) -> bool {
        !matches!(self.kept(layer, feature), Kept::Nothing)
    }

    fn path(&self, layer: Layer, feature: FeatureId) -> Option<PathBuf> {
        Some(self.kept.as_ref()?.join(format!("{layer}/{feature}.json")))
    }

    /// What is kept of a feature: a matter of a millisecond.
    pub(super) fn kept(&self, layer: Layer, feature: FeatureId) -> Kept {
        let bytes = self.path(layer, feature).and_then(|path| fs::read(path).ok());
        match bytes.as_deref().map(str::from_utf8) {
            Some(Ok("null")) => Kept::Unknown,
            Some(Ok(text)) => match neuronpedia::parse(text.as_bytes()) {
                Ok(record) => Kept::Known(Box::new(record)),
                // It is asked for anew.
                Err(_) => Kept::Nothing,
            },
            Some(Err(_)) | None => Kept::Nothing,
        }
    }

    /// Asks for features in one request, and keeps what comes: also that the site does not know a feature.
    ///
    /// # Errors
    /// The network is forbidden or fails, not all that came says what it is of a feature, or the work was stopped.
    pub(super) fn ask(&self, features: &[(Layer, FeatureId)], monitor: &Monitor) -> Result<(), FeatureError> {
        let layer_of = |layer: Layer| format!("{layer}-{}", self.set.name);
        let asked: Vec<Value> = features
            .iter()
            .map(|(layer, feature)| {
                json!({
                    "modelId": self.set.model,
                    "layer": layer_of(*layer),
                    "index": feature,
                    "maxActsToReturn": CONTEXTS,
                })
            })
            .collect();
        let bytes = self.hub.features_of(&Value::Array(asked), monitor)?;
        let wrong = |what: String| FeatureError::Source { file: self.name(), what };
        let answers: Vec<Value> =
            serde_json::from_slice(&bytes).map_err(|e| wrong(format!("its answer is no list of features: {e}")))?;
        // They come in whatever order; what says nothing of any feature that was asked for is left out.
        let (mut came, mut broken) = (Vec::new(), None);
        for answer in answers.iter().filter(|answer| answer.is_object()) {
            let text = answer.to_string();
            match neuronpedia::parse(text.as_bytes()) {
                Ok(Record { named: Some(named), .. })
                    if features.contains(&(named.layer, named.feature))
                        && named.set == format!("{}/{}", self.set.model, layer_of(named.layer)) =>
                {
                    keep(self.path(named.layer, named.feature).as_deref(), text.as_bytes());
                    came.push((named.layer, named.feature));
                }
                Ok(_) => {}
                Err(what) => broken = Some(what),
            }
        }
        // Which feature it was about is not known: it may be any of those that did not come.
        if let Some(what) = broken {
            return Err(wrong(format!("one of its features cannot be read: {what}")));
        }
        for (layer, feature) in features.iter().filter(|feature| !came.contains(feature)) {
            keep(self.path(*layer, *feature).as_deref(), b"null");
        }
        Ok(())
    }
}
