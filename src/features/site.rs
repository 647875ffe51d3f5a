//! Features on Neuronpedia: many in one request, each kept on this machine.
//!
//! The requests disclose to the site which features the user looks at, so that nothing is sent before the user
//! consents.

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

/// Number of features in one request.
pub(super) const BATCH: usize = 32;
/// Number of contexts of each feature that are requested.
const CONTEXTS: usize = 10;

/// Set of a graph's features on Neuronpedia.
#[derive(Debug)]
pub struct Site {
    hub: Hub,
    set: SourceSet,
    /// Folder of kept records; `None` keeps nothing.
    kept: Option<PathBuf>,
}

/// Kept record of a feature.
#[derive(Debug)]
pub(super) enum Kept {
    /// The feature was not requested.
    Nothing,
    /// The site does not have it.
    Unknown,
    /// Record of the site.
    Known(Box<Record>),
}

impl Site {
    /// Refers to the features of `set`. Records are kept below `data`. Nothing is sent yet.
    pub fn new(hub: &Hub, set: &SourceSet, data: Option<&Path>) -> Self {
        let folder = |data: &Path| {
            data.join("features").join("neuronpedia").join(folder_name(&set.model)).join(folder_name(&set.name))
        };
        Self { hub: hub.clone(), set: set.clone(), kept: data.map(folder) }
    }

    /// Returns the set.
    pub fn set(&self) -> &SourceSet {
        &self.set
    }

    /// Returns its address without the scheme.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.host(), self.set.model, self.set.name)
    }

    /// Returns the host of the site.
    pub fn host(&self) -> String {
        let shown = self.hub.neuronpedia.shown();
        shown.split_once("://").map_or(shown.clone(), |(_, host)| host.to_owned())
    }

    /// Returns the setting that forbids the network, if any.
    pub fn offline(&self) -> Option<&'static str> {
        self.hub.neuronpedia.offline
    }

    /// Returns true where the feature was requested before.
    pub(super) fn knows(&self, layer: Layer, feature: FeatureId) -> bool {
        !matches!(self.kept(layer, feature), Kept::Nothing)
    }

    fn path(&self, layer: Layer, feature: FeatureId) -> Option<PathBuf> {
        Some(self.kept.as_ref()?.join(format!("{layer}/{feature}.json")))
    }

    /// Returns the kept record of a feature, within a millisecond.
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

    /// Requests features in one request, and keeps their records: also that the site does not have a feature.
    ///
    /// # Errors
    /// Fails where the network is forbidden or fails, a record does not name its feature, or the work was stopped.
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
