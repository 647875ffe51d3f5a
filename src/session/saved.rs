//! A session in the form of its file, and the conversion to and from it.

use crate::graph::{AttributionGraph, Edit, Edited, Edits, Interventions, Labelled, Labels, Origin, Thresholds};
use crate::ids::{FeatureId, Layer, NodeId};
use crate::session::key::Keys;
use crate::session::{ActiveFilter, NodeKey, Reached, Session, Station};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version that is written, and the newest that is read.
pub(super) const VERSION: u64 = 1;

/// Version of a file, which is read first.
#[derive(Deserialize)]
pub(super) struct Versioned {
    pub version: u64,
}

/// A session in the form of its file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub version: u64,
    /// Graph that it was made on.
    #[serde(default)]
    pub graph: Made,
    #[serde(default)]
    pub thresholds: Option<Shares>,
    #[serde(default)]
    pub pins: Vec<NodeKey>,
    #[serde(default)]
    pub groups: Vec<SavedGroup>,
    #[serde(default)]
    pub feature_labels: Vec<FeatureLabel>,
    #[serde(default)]
    pub node_labels: Vec<NodeLabel>,
    #[serde(default)]
    pub notes: String,
    #[serde(default)]
    pub interventions: Interventions,
    #[serde(default)]
    pub selected: Option<NodeKey>,
    #[serde(default)]
    pub chosen: Vec<NodeKey>,
    #[serde(default)]
    pub filters: BTreeMap<String, String>,
    #[serde(default)]
    pub filter: Option<SavedFilter>,
    #[serde(default)]
    pub filter_history: Vec<String>,
    #[serde(default)]
    pub marks: BTreeMap<char, NodeKey>,
    #[serde(default)]
    pub walk: Vec<SavedStation>,
    #[serde(default)]
    pub walk_at: usize,
    #[serde(default)]
    pub refused: Vec<Vec<NodeKey>>,
    #[serde(default)]
    pub screen: BTreeMap<String, String>,
}

/// Graph that a session was made on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    pub prompt: String,
    pub model: String,
    pub transcoder: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Shares {
    node: f64,
    edge: f64,
    #[serde(default = "all")]
    density: f64,
}

/// Returns the density threshold that keeps all features.
fn all() -> f64 {
    Thresholds::default().density
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedGroup {
    pub name: String,
    pub members: Vec<NodeKey>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FeatureLabel {
    pub layer: Layer,
    pub feature: FeatureId,
    pub label: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeLabel {
    pub node: NodeKey,
    pub label: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedFilter {
    query: String,
    hides: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedStation {
    node: NodeKey,
    reached: Reached,
}

/// Parts of a session's file about nodes that the graph does not have, kept for when it is written again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Absent {
    pins: Vec<NodeKey>,
    groups: Vec<SavedGroup>,
    node_labels: Vec<NodeLabel>,
    marks: BTreeMap<char, NodeKey>,
}

impl Absent {
    /// Returns the number of absent nodes that are pinned, labelled or marked.
    pub fn n_nodes(&self) -> usize {
        let labelled = self.node_labels.iter().map(|label| &label.node);
        let all: std::collections::BTreeSet<_> = self.pins.iter().chain(labelled).chain(self.marks.values()).collect();
        all.len()
    }
}

impl Made {
    pub fn of(origin: &Origin) -> Self {
        Self { prompt: origin.prompt.clone(), model: origin.model.clone(), transcoder: origin.transcoder.clone() }
    }
}

impl Saved {
    /// Converts a session and its absent parts to the form of a file.
    pub fn new(session: &Session, absent: &Absent, graph: &AttributionGraph, made: &Made) -> Self {
        let keys = Keys::new(graph);
        let edited = &session.edited;
        let mut saved = Self {
            version: VERSION,
            graph: made.clone(),
            thresholds: Some(Shares {
                node: edited.thresholds.node,
                edge: edited.thresholds.edge,
                density: edited.thresholds.density,
            }),
            pins: keys.keys(&edited.pins),
            notes: edited.notes.clone(),
            interventions: edited.interventions.clone(),
            selected: session.selected.map(|id| keys.key(id)),
            chosen: keys.keys(&session.chosen),
            filters: session.filters.clone(),
            filter: session.filter.as_ref().map(|on| SavedFilter { query: on.query.clone(), hides: on.hides }),
            filter_history: session.filter_history.clone(),
            marks: session.marks.iter().map(|(letter, id)| (*letter, keys.key(*id))).collect(),
            walk: session
                .walk
                .iter()
                .map(|station| SavedStation { node: keys.key(station.node), reached: station.reached })
                .collect(),
            walk_at: session.walk_at,
            refused: session.refused.iter().map(|members| keys.keys(members)).collect(),
            screen: session.screen.clone(),
            ..Self::default()
        };
        for group in &edited.groups {
            saved.groups.push(SavedGroup { name: group.name.clone(), members: keys.keys(&group.members) });
        }
        for (what, label) in &edited.labels {
            let label = label.clone();
            match *what {
                Labelled::Feature(layer, feature) => saved.feature_labels.push(FeatureLabel { layer, feature, label }),
                Labelled::Node(id) => saved.node_labels.push(NodeLabel { node: keys.key(id), label }),
            }
        }
        saved.take_in(absent);
        saved
    }

    fn take_in(&mut self, absent: &Absent) {
        self.pins.extend(absent.pins.iter().cloned());
        self.node_labels.extend(absent.node_labels.iter().cloned());
        for group in &absent.groups {
            match self.groups.iter_mut().find(|there| there.name == group.name) {
                Some(there) => there.members.extend(group.members.iter().cloned()),
                None => self.groups.push(group.clone()),
            }
        }
        for (letter, key) in &absent.marks {
            self.marks.entry(*letter).or_insert_with(|| key.clone());
        }
    }

    /// Describes its fault; `None` where there is none.
    pub fn wrong(&self) -> Option<String> {
        let shares = self.thresholds.iter().flat_map(|shares| [shares.node, shares.edge, shares.density]);
        let wrong = shares.into_iter().find(|share| !(0.0..=1.0).contains(share))?;
        Some(format!("a threshold is {wrong}, which is no share"))
    }

    /// Converts to the session on a graph, and the parts of it that the graph does not have.
    pub fn on(self, graph: &AttributionGraph) -> (Session, Absent) {
        let keys = Keys::new(graph);
        let mut absent = Absent::default();
        // Edits keep what a session may not: a node in two groups, a member that is not pinned.
        let mut edits = Edits::starting_from(Edited {
            thresholds: self.thresholds.map_or_else(Thresholds::default, |shares| Thresholds {
                node: shares.node,
                edge: shares.edge,
                density: shares.density,
            }),
            notes: self.notes,
            interventions: self.interventions,
            labels: self
                .feature_labels
                .into_iter()
                .map(|it| (Labelled::Feature(it.layer, it.feature), it.label))
                .collect::<Labels>(),
            ..Edited::default()
        });
        let (pins, gone) = split(&keys, self.pins);
        edits.apply(Edit::Pin(pins));
        absent.pins = gone;
        for SavedGroup { name, members } in self.groups {
            let (members, gone) = split(&keys, members);
            if !gone.is_empty() {
                absent.groups.push(SavedGroup { name: name.clone(), members: gone });
            }
            edits.apply(Edit::Group { name, members });
        }
        for NodeLabel { node, label } in self.node_labels {
            match keys.node(&node) {
                Some(id) => {
                    edits.apply(Edit::Label(Labelled::Node(id), label));
                }
                None => absent.node_labels.push(NodeLabel { node, label }),
            }
        }
        let mut marks = BTreeMap::new();
        for (letter, key) in self.marks {
            match keys.node(&key) {
                Some(id) => {
                    marks.insert(letter, id);
                }
                None => {
                    absent.marks.insert(letter, key);
                }
            }
        }
        // A walk leads over the stations that are left.
        let mut walk = Vec::new();
        let mut walk_at = 0;
        for (at, station) in self.walk.into_iter().enumerate() {
            if let Some(node) = keys.node(&station.node) {
                walk_at = if at <= self.walk_at { walk.len() } else { walk_at };
                walk.push(Station { node, reached: station.reached });
            }
        }
        let session = Session {
            edited: edits.now().clone(),
            selected: self.selected.and_then(|key| keys.node(&key)),
            chosen: split(&keys, self.chosen).0,
            filters: self.filters,
            filter: self.filter.map(|on| ActiveFilter { query: on.query, hides: on.hides }),
            filter_history: self.filter_history,
            marks,
            walk,
            walk_at,
            refused: self.refused.into_iter().map(|members| split(&keys, members).0).collect(),
            screen: self.screen,
        };
        (session, absent)
    }
}

/// Splits keys into the nodes that the graph has, and the keys of those that it has not.
fn split(keys: &Keys<'_>, all: Vec<NodeKey>) -> (Vec<NodeId>, Vec<NodeKey>) {
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    for key in all {
        match keys.node(&key) {
            Some(id) => there.push(id),
            None => gone.push(key),
        }
    }
    (there, gone)
}
