//! Labels and densities of a graph's features, from a library.

use crate::features::{Label, LabelOrigin};
use crate::graph::{AttributionGraph, Densities, Kept, Labelled, Labels, NodeKind, automatic};
use crate::ids::NodeId;
use crate::job::{Cancelled, Monitor};
use crate::service::library::{Feature, FeatureSource};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Labels and densities of a graph's features. Cheap to clone.
#[derive(Clone, Default)]
pub struct FeatureLabels {
    /// Labels of the library.
    pub labels: Arc<HashMap<Feature, Label>>,
    /// Densities.
    pub densities: Arc<Densities>,
    /// Labels of the graph's file merged with these.
    pub merged: Arc<Labels>,
    /// Features whose contexts were read for a label.
    looked_at: Arc<HashSet<Feature>>,
}

/// Lookup of a graph's features in a library: first the library's labels of all of them, then the contexts of those
/// that are kept, in time slices.
pub struct LabelLookup {
    /// Library.
    pub knows: Arc<dyn FeatureSource>,
    /// Graph.
    pub graph: Arc<AttributionGraph>,
    /// Kept nodes of the graph.
    pub kept: Arc<Kept>,
    /// Labels of the graph's own file.
    pub file: Arc<Labels>,
    /// Results of earlier slices.
    pub before: FeatureLabels,
    /// True for the first slice of a graph.
    pub is_new: bool,
}

/// Time that a slice reads contexts.
const A_WHILE: Duration = Duration::from_millis(150);

impl LabelLookup {
    /// Looks up the features of a graph, the contexts of all kept ones included; `file` are the labels of its own file.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn whole(
        knows: &Arc<dyn FeatureSource>,
        graph: &Arc<AttributionGraph>,
        kept: &Arc<Kept>,
        file: &Arc<Labels>,
        monitor: &Monitor,
    ) -> Result<FeatureLabels, Cancelled> {
        let (mut before, mut is_new) = (FeatureLabels::default(), true);
        loop {
            let (knows, graph, kept, file) = (Arc::clone(knows), Arc::clone(graph), Arc::clone(kept), Arc::clone(file));
            let (named, is_all) = Self { knows, graph, kept, file, before, is_new }.run(monitor)?;
            if is_all {
                return Ok(named);
            }
            (before, is_new) = (named, false);
        }
    }

    /// Runs one slice. Returns the results so far, and whether they are complete.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn run(self, monitor: &Monitor) -> Result<(FeatureLabels, bool), Cancelled> {
        let started = Instant::now();
        let feature_of = |id: NodeId| match self.graph.node(id).kind {
            NodeKind::Feature { layer, feature, .. } => Some((layer, feature)),
            _ => None,
        };
        let FeatureLabels { mut labels, mut densities, mut looked_at, .. } = self.before.clone();
        let labels_now = Arc::make_mut(&mut labels);
        let densities_now = Arc::make_mut(&mut densities);
        let looked_at_now = Arc::make_mut(&mut looked_at);
        if self.is_new {
            let all: HashSet<Feature> = self.graph.node_ids().filter_map(feature_of).collect();
            for feature in all {
                if let Some(label) = self.knows.label(feature) {
                    labels_now.insert(feature, label);
                }
                if let Some(density) = self.knows.density(feature) {
                    densities_now.note(feature, density);
                }
            }
        }
        let mut is_all = true;
        for feature in self.kept.ranked().into_iter().filter_map(feature_of) {
            if looked_at_now.contains(&feature) {
                continue;
            }
            monitor.cancel().check()?;
            if started.elapsed() > A_WHILE {
                is_all = false;
                break;
            }
            looked_at_now.insert(feature);
            let found = self.knows.read_here(feature);
            labels_now.extend(found.label.map(|label| (feature, label)));
            if let Some(density) = found.dashboard.and_then(|(dashboard, _)| dashboard.density) {
                densities_now.note(feature, density);
            }
        }
        let merged = Arc::new(merge(&self.file, &labels));
        Ok((FeatureLabels { labels, densities, merged, looked_at }, is_all))
    }
}

/// New label and density of a feature.
pub struct Arrived {
    /// Feature.
    pub feature: Feature,
    /// Label.
    pub label: Option<Label>,
    /// Density: share of tokens on which it fires.
    pub density: Option<f32>,
}

impl Arrived {
    /// Reads the label and density of a feature from this machine.
    pub fn read(knows: &dyn FeatureSource, feature: Feature) -> Self {
        let found = knows.read_here(feature);
        let density = found.dashboard.and_then(|(dashboard, _)| dashboard.density);
        Self { feature, label: found.label, density }
    }
}

impl FeatureLabels {
    /// Returns the labels of the graph's own file, before any library was asked.
    pub fn of_file(file: &Arc<Labels>) -> Self {
        Self { merged: Arc::clone(file), ..Self::default() }
    }

    /// Adds new labels and densities of features.
    pub fn take(&mut self, file: &Labels, arrived: Vec<Arrived>) {
        let (labels, densities) = (Arc::make_mut(&mut self.labels), Arc::make_mut(&mut self.densities));
        for Arrived { feature, label, density } in arrived {
            labels.extend(label.map(|label| (feature, label)));
            if let Some(density) = density {
                densities.note(feature, density);
            }
        }
        self.merged = Arc::new(merge(file, &self.labels));
    }

    /// Adds the label and density of a single feature.
    pub fn note(&mut self, file: &Labels, feature: Feature, label: Option<&Label>, density: Option<f32>) {
        if let Some(density) = density {
            Arc::make_mut(&mut self.densities).note(feature, density);
        }
        if let Some(label) = label
            && self.labels.get(&feature) != Some(label)
        {
            Arc::make_mut(&mut self.labels).insert(feature, label.clone());
            self.merged = Arc::new(merge(file, &self.labels));
        }
    }
}

/// Returns a label's text as it is shown: an automatic one is marked.
pub fn shown(label: &Label) -> String {
    if label.origin == LabelOrigin::Automatic { automatic::mark(&label.text) } else { label.text.clone() }
}

/// Merges the labels of a graph's file with those of a library: precedence depends on the origin of the latter.
fn merge(file: &Labels, library: &HashMap<Feature, Label>) -> Labels {
    let mut merged = file.clone();
    for ((layer, feature), label) in library {
        let what = Labelled::Feature(*layer, *feature);
        let theirs = merged.get(&what).filter(|theirs| !automatic::is_marked(theirs));
        let in_file = theirs.map(|_| LabelOrigin::Graph);
        if in_file.is_none_or(|in_file| label.origin < in_file) && !label.text.is_empty() {
            merged.insert(what, shown(label));
        }
    }
    merged
}
