//! Densities and labels of a graph's features, taken from a library.

use crate::features::label::LabelOrigin;
use crate::features::{FeatureError, Library};
use crate::graph::{Densities, Document, Labelled, NodeKind};
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Phase of looking features up.
const LOOKING: &str = "features";

impl Library {
    /// Adds densities and labels to a graph's features. A dashboard is read only where no summary has the density, and
    /// the hub is not asked. Labels of files that the user named take precedence over those of the graph's own file,
    /// others do not; none is made from contexts.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn inform(&self, document: &mut Document, monitor: &Monitor) -> Result<(), FeatureError> {
        let features: BTreeSet<(Layer, FeatureId)> = document
            .graph
            .nodes()
            .iter()
            .filter_map(|node| match node.kind {
                NodeKind::Feature { layer, feature, .. } => Some((layer, feature)),
                _ => None,
            })
            .collect();
        let total = features.len() as u64;
        let mut densities = Vec::with_capacity(features.len());
        let mut labels = document.labels.as_ref().clone();
        for (nth, (layer, feature)) in features.into_iter().enumerate() {
            monitor.report(LOOKING, nth as u64, total)?;
            let read = || self.read_here(layer, feature).dashboard?.0.density;
            densities.extend(self.density(layer, feature).or_else(read).map(|density| ((layer, feature), density)));
            let Some(label) = self.label(layer, feature) else { continue };
            let what = Labelled::Feature(layer, feature);
            if label.origin < LabelOrigin::Graph || !labels.contains_key(&what) {
                labels.insert(what, label.text);
            }
        }
        document.densities = Arc::new(densities.into_iter().collect::<Densities>());
        document.labels = Arc::new(labels);
        Ok(())
    }
}
