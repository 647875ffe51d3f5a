//! Details of features beside the graph: the open library of each feature set, and everything read from it.

use crate::features::{Dashboard, Found};
use crate::graph::{Document, FeatureAt, NodeKind};
use crate::ids::{NodeId, Position};
use crate::job::{Cancelled, Monitor};
use crate::service::library::{Feature, FeatureSet, FeatureSource};
use crate::tui::activation_context::ActivationContext;
use crate::tui::runtime::jobs::RequestId;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Contexts in which a feature is about equally active.
pub struct Group {
    /// Name of the group, as the dashboard's writer gave it.
    pub name: String,
    /// Contexts, each with true where it repeats another one.
    pub strips: Vec<(Arc<ActivationContext>, bool)>,
}

/// Details that were read of a feature, made ready to be shown.
#[derive(Default)]
pub struct FeatureDetails {
    /// Findings of the library; the contexts stand in `groups`.
    pub found: Found,
    /// Activation density, from the dashboard, else from the library.
    pub density: Option<f32>,
    /// Contexts, the strongest group first.
    pub groups: Vec<Group>,
    /// Description of further data that the hub could be asked for with the user's consent.
    pub asks_for: Option<String>,
    /// True once the hub was asked too, where it may be.
    pub is_whole: bool,
}

impl FeatureDetails {
    /// Reads a feature; the hub is asked only where it `may_ask`.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn read(
        knows: &dyn FeatureSource,
        feature: Feature,
        may_ask: bool,
        monitor: &Monitor,
    ) -> Result<Self, Cancelled> {
        let mut found = if may_ask { knows.read(feature, monitor)? } else { knows.read_here(feature) };
        let groups = found.dashboard.as_mut().map_or_else(Vec::new, |(dashboard, _)| groups(dashboard, feature));
        let asks_for = if found.hub_may_know { knows.asks_for() } else { None };
        let is_whole = may_ask || found.dashboard.is_some() || asks_for.is_some() || !found.hub_may_know;
        let density = found.dashboard.as_ref().and_then(|(dashboard, _)| dashboard.density);
        let density = density.or_else(|| knows.density(feature));
        Ok(Self { found, density, groups, asks_for, is_whole })
    }

    /// Returns the dashboard, without contexts.
    pub fn dashboard(&self) -> Option<&Dashboard> {
        self.found.dashboard.as_ref().map(|(dashboard, _)| dashboard)
    }

    /// Gathers all contexts of several features, each context once, those that are strongest for their feature first.
    pub fn union(cards: &[(Feature, Arc<Self>)]) -> Self {
        let all = cards.iter().flat_map(|(_, card)| card.groups.iter().flat_map(|group| &group.strips));
        let mut strips: Vec<Arc<ActivationContext>> =
            all.filter(|(_, repeated)| !repeated).map(|(strip, _)| Arc::clone(strip)).collect();
        strips.sort_by(|a, b| b.share().total_cmp(&a.share()));
        let mut seen = HashSet::new();
        let strips = strips.into_iter().map(|strip| {
            let repeated = !seen.insert(strip.text());
            (strip, repeated)
        });
        let group = Group { name: "of all members".to_owned(), strips: strips.collect() };
        Self { groups: vec![group], is_whole: true, ..Self::default() }
    }
}

/// Takes the contexts out of a dashboard, made ready to be shown.
fn groups(dashboard: &mut Dashboard, feature: Feature) -> Vec<Group> {
    let highest = dashboard.examples().flat_map(|example| &example.activations).copied().fold(0.0, f32::max);
    // The maximum in a file may be a default; the contexts' own is exact.
    let most = if highest > 0.0 { highest } else { dashboard.max };
    let spacer = dashboard.spacer();
    let quantiles = std::mem::take(&mut dashboard.quantiles).into_iter().map(|quantile| {
        let mut seen = HashSet::new();
        let strips = quantile.examples.iter().filter_map(|example| {
            let strip = ActivationContext::of(example, spacer, most, Some(feature))?;
            let again = !seen.insert(strip.text());
            Some((Arc::new(strip), again || example.repeated))
        });
        Group { strips: strips.collect(), name: quantile.name }
    });
    quantiles.filter(|group| !group.strips.is_empty()).collect()
}

/// Returns a feature's activation at each position of the prompt, `[P]`, as far as the graph has them.
pub fn on_prompt(document: &Document, feature: Feature) -> Vec<f32> {
    let (layer, feature) = feature;
    let mut activations = vec![0.0; document.graph.tokens().len()];
    if let Some(trace) = &document.trace {
        for (at, activation) in activations.iter_mut().enumerate() {
            let wanted = FeatureAt { layer, position: Position::from(at), feature };
            if let Ok(found) = trace.active.binary_search(&wanted) {
                *activation = trace.activations.get(found).copied().unwrap_or_default();
            }
        }
        return activations;
    }
    for node in document.graph.nodes() {
        if let NodeKind::Feature { layer: its, position, feature: number } = node.kind
            && (its, number) == (layer, feature)
            && let Some(activation) = activations.get_mut(position.index())
        {
            *activation = node.activation.unwrap_or_default();
        }
    }
    activations
}

/// State of reading one feature.
pub enum Reading {
    /// The feature is being read.
    Pending {
        /// Frame of the sign for work at which it was asked for.
        since: usize,
    },
    /// Details that were read.
    Known(Arc<FeatureDetails>),
    /// Reason of the failure; also where the user stopped it.
    Failed(String),
}

/// State of opening a feature set's library.
pub enum Access {
    /// The library is being opened.
    Opening,
    /// Open library.
    Open(Arc<dyn FeatureSource>),
    /// Reason why the library cannot be opened.
    Failed(String),
}

/// Library of a feature set, and the features that were read from it.
pub struct Known {
    /// State of the library.
    pub access: Access,
    readings: HashMap<Feature, Reading>,
    /// Features that were read, the last one at the end.
    order: VecDeque<Feature>,
}

/// Most features whose contexts are kept in memory.
const AT_HAND: usize = 200;

impl Known {
    /// Creates a library that is being opened.
    pub fn opening() -> Self {
        Self { access: Access::Opening, readings: HashMap::new(), order: VecDeque::new() }
    }

    /// Returns the library, where it is open.
    pub fn open(&self) -> Option<&Arc<dyn FeatureSource>> {
        match &self.access {
            Access::Open(knows) => Some(knows),
            Access::Opening | Access::Failed(_) => None,
        }
    }

    /// Returns the state of reading a feature; `None` where it was not asked for.
    pub fn reading(&self, feature: Feature) -> Option<&Reading> {
        self.readings.get(&feature)
    }

    /// Returns the details that were read of a feature.
    pub fn card(&self, feature: Feature) -> Option<&Arc<FeatureDetails>> {
        match self.readings.get(&feature) {
            Some(Reading::Known(card)) => Some(card),
            Some(Reading::Pending { .. } | Reading::Failed(_)) | None => None,
        }
    }

    /// Returns true where a feature has to be asked for; the hub too, where it `may_ask`.
    pub fn wants(&self, feature: Feature, may_ask: bool) -> bool {
        match self.readings.get(&feature) {
            None => true,
            Some(Reading::Known(card)) => may_ask && !card.is_whole,
            Some(Reading::Pending { .. } | Reading::Failed(_)) => false,
        }
    }

    /// Takes note that a feature was asked for, at this frame of the sign for work.
    pub fn ask(&mut self, feature: Feature, since: usize) {
        self.readings.insert(feature, Reading::Pending { since });
    }

    /// Forgets the feature that is being read.
    pub fn pass_over(&mut self) {
        self.readings.retain(|_, reading| !matches!(reading, Reading::Pending { .. }));
    }

    /// Returns the feature that is being read.
    pub fn pending(&self) -> Option<Feature> {
        let mut pending = self.readings.iter().filter(|(_, reading)| matches!(reading, Reading::Pending { .. }));
        pending.next().map(|(feature, _)| *feature)
    }

    /// Takes the details that were read of a feature, or the reason why it could not be read.
    pub fn take(&mut self, feature: Feature, result: Result<Arc<FeatureDetails>, String>) {
        match result {
            Ok(card) => {
                self.readings.insert(feature, Reading::Known(card));
                self.order.retain(|other| *other != feature);
                self.order.push_back(feature);
                while self.order.len() > AT_HAND
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.readings.remove(&oldest);
                }
            }
            Err(why) => _ = self.readings.insert(feature, Reading::Failed(why)),
        }
    }

    /// Forgets features that were not found or failed: they may be found now.
    pub fn forget_missing(&mut self) {
        self.readings.retain(|_, reading| matches!(reading, Reading::Known(card) if card.found.dashboard.is_some()));
    }
}

/// Libraries by feature set, and the view of the feature pane.
#[derive(Default)]
pub struct Features {
    /// Library of each feature set.
    pub known: HashMap<FeatureSet, Known>,
    /// View of the feature pane.
    pub sight: Sight,
}

/// View of the feature pane: the shown member, and the scroll.
#[derive(Default)]
pub struct Sight {
    /// Id of the graph, and the node whose feature is shown.
    pub about: Option<(RequestId, NodeId)>,
    /// Index of the shown member of the supernode, the selected node's feature first; behind the last one all together.
    pub turn: usize,
    /// First line that is shown.
    pub scroll: usize,
    /// Number of cells by which contexts are shifted to the left.
    pub shift: isize,
    /// True where repeated contexts are shown too.
    pub unfolded: bool,
    /// All members together: their features, how many of them were read, and the details that are shown.
    pub union: Option<(Vec<Feature>, usize, Arc<FeatureDetails>)>,
}
