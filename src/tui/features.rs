//! What the screen knows of features beside the graph: which library of them is open, and what was read from it.

use crate::features::{Dashboard, Found};
use crate::graph::{Document, FeatureAt, NodeKind};
use crate::ids::{NodeId, Position};
use crate::job::{Cancelled, Monitor};
use crate::service::library::{Feature, FeatureSet, FeatureSource};
use crate::tui::activation_context::ActivationContext;
use crate::tui::runtime::jobs::RequestId;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Contexts in which a feature fires about equally strongly.
pub struct Group {
    /// As the writer called them.
    pub name: String,
    /// The contexts, and whether each repeats another one.
    pub strips: Vec<(Arc<ActivationContext>, bool)>,
}

/// What was read of a feature, made ready to be shown.
#[derive(Default)]
pub struct FeatureDetails {
    /// What was found; its contexts stand in `groups`.
    pub found: Found,
    /// How often it fires, wherever that is known from.
    pub density: Option<f32>,
    /// Its contexts, the strongest group first.
    pub groups: Vec<Group>,
    /// What of the hub could be asked for more once the person says yes.
    pub asks_for: Option<String>,
    /// Whether the hub was asked too, where it may be.
    pub is_whole: bool,
}

impl FeatureDetails {
    /// Reads a feature; the hub is asked only where it `may_ask`.
    ///
    /// # Errors
    /// The work was stopped.
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

    /// Its dashboard, without contexts.
    pub fn dashboard(&self) -> Option<&Dashboard> {
        self.found.dashboard.as_ref().map(|(dashboard, _)| dashboard)
    }

    /// All contexts of several features, each context once, those that are strongest for their feature first.
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

/// Makes the contexts of a dashboard ready, and takes them out of it.
fn groups(dashboard: &mut Dashboard, feature: Feature) -> Vec<Group> {
    let highest = dashboard.examples().flat_map(|example| &example.activations).copied().fold(0.0, f32::max);
    // What is written in a file as the maximum may be a default; the contexts know better.
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

/// How strongly a feature fires at each position of a prompt, `[P]`, as far as the graph tells.
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

/// What is known of one feature, as far as it was read.
pub enum Reading {
    /// It is being read.
    Pending {
        /// The frame of the sign for work at which it was asked for.
        since: usize,
    },
    /// It was read.
    Known(Arc<FeatureDetails>),
    /// The person stopped it, or it failed.
    Failed(String),
}

/// A transcoder's library.
pub enum Access {
    /// It is being opened.
    Opening,
    /// It is open.
    Open(Arc<dyn FeatureSource>),
    /// It cannot be opened, and why.
    Failed(String),
}

/// A transcoder's library, and what was read from it.
pub struct Known {
    /// The library.
    pub access: Access,
    readings: HashMap<Feature, Reading>,
    /// The features that were read, the last one at the end.
    order: VecDeque<Feature>,
}

/// Features whose contexts are kept at hand.
const AT_HAND: usize = 200;

impl Known {
    /// A library that is being opened.
    pub fn opening() -> Self {
        Self { access: Access::Opening, readings: HashMap::new(), order: VecDeque::new() }
    }

    /// The library, where it is open.
    pub fn open(&self) -> Option<&Arc<dyn FeatureSource>> {
        match &self.access {
            Access::Open(knows) => Some(knows),
            Access::Opening | Access::Failed(_) => None,
        }
    }

    /// What is known of a feature; `None` where it was not asked for.
    pub fn reading(&self, feature: Feature) -> Option<&Reading> {
        self.readings.get(&feature)
    }

    /// What was read of a feature.
    pub fn card(&self, feature: Feature) -> Option<&Arc<FeatureDetails>> {
        match self.readings.get(&feature) {
            Some(Reading::Known(card)) => Some(card),
            Some(Reading::Pending { .. } | Reading::Failed(_)) | None => None,
        }
    }

    /// Whether a feature has to be asked for; the hub too, where it `may_ask`.
    pub fn wants(&self, feature: Feature, may_ask: bool) -> bool {
        match self.readings.get(&feature) {
            None => true,
            Some(Reading::Known(card)) => may_ask && !card.is_whole,
            Some(Reading::Pending { .. } | Reading::Failed(_)) => false,
        }
    }

    /// A feature was asked for, at this frame of the sign for work.
    pub fn ask(&mut self, feature: Feature, since: usize) {
        self.readings.insert(feature, Reading::Pending { since });
    }

    /// Forgets the feature that is being read.
    pub fn pass_over(&mut self) {
        self.readings.retain(|_, reading| !matches!(reading, Reading::Pending { .. }));
    }

    /// The feature that is being read.
    pub fn pending(&self) -> Option<Feature> {
        let mut pending = self.readings.iter().filter(|(_, reading)| matches!(reading, Reading::Pending { .. }));
        pending.next().map(|(feature, _)| *feature)
    }

    /// Takes what was read of a feature, or why it could not be.
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

    /// Forgets what was not found, and what failed: it may be found now.
    pub fn forget_missing(&mut self) {
        self.readings.retain(|_, reading| matches!(reading, Reading::Known(card) if card.found.dashboard.is_some()));
    }
}

/// Libraries by whose features they know, and where in the pane the person is.
#[derive(Default)]
pub struct Features {
    /// What is known of each set of features.
    pub known: HashMap<FeatureSet, Known>,
    /// Where the person is.
    pub sight: Sight,
}

/// Where in what is shown of a feature a person is.
#[derive(Default)]
pub struct Sight {
    /// The id of the graph, and the node that it is about.
    pub about: Option<(RequestId, NodeId)>,
    /// Which member of the supernode is shown, the selected node's feature first; behind the last one all together.
    pub turn: usize,
    /// The first line that is shown.
    pub scroll: usize,
    /// By how many cells contexts are shifted to the left.
    pub shift: isize,
    /// Whether repeated contexts are shown too.
    pub unfolded: bool,
    /// All members together: who they are, how many of them were read, and what is shown.
    pub union: Option<(Vec<Feature>, usize, Arc<FeatureDetails>)>,
}
