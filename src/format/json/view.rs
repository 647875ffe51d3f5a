//! The user's work in a file: pins, groups, labels, thresholds.

use super::metadata::{Metadata, QParams};
use super::names::Names;
use super::nodes::Nodes;
use crate::graph::{Edited, Group, Labelled, Labels, NodeKind, Thresholds};
use crate::ids::NodeId;
use std::collections::{HashMap, HashSet};

/// The user's work in a file.
pub(super) struct View {
    /// Labels of the file itself.
    pub labels: Labels,
    /// Pins, groups and thresholds.
    pub edited: Edited,
    /// Node that was selected.
    pub clicked: Option<NodeId>,
}

/// Reads the user's work in a file. Names of no node are left out: a viewer keeps the pins of nodes that it pruned
/// away.
pub(super) fn read(q_params: &QParams, metadata: &Metadata, nodes: &Nodes<'_>, names: &Names<'_>) -> View {
    let mut labels = Labels::new();
    // What the label of an output says is its text, its probability and its supernode; Neuronpedia's of a token quotes it.
    let is_label = |(at, label): &(usize, &str)| match nodes.nodes[*at].kind {
        NodeKind::Logit { .. } => false,
        NodeKind::Token { .. } => !label.is_empty() && !label.starts_with("Emb: \""),
        _ => !label.is_empty(),
    };
    for (at, label) in nodes.labels.iter().map(|label| label.as_ref()).enumerate().filter(is_label) {
        labels.entry(labelled(nodes, NodeId::from(at))).or_insert_with(|| label.to_string());
    }
    let finder = Finder::new(nodes, names);
    let mut pins: Vec<NodeId> = q_params.pinned.iter().flat_map(|id| finder.nodes(id)).collect();
    let mut taken = HashSet::new();
    let mut groups = Vec::new();
    for list in &q_params.supernodes {
        let Some((name, members)) = list.split_first() else { continue };
        let members = members.iter().flat_map(|id| finder.nodes(id)).filter(|node| taken.insert(*node));
        let members: Vec<NodeId> = members.collect();
        if !members.is_empty() {
            groups.push(Group { name: name.clone(), members });
        }
    }
    // An output's label may say its supernode where the list does not.
    for (node, name) in nodes.groups.iter().filter(|(node, _)| !taken.contains(node)) {
        match groups.iter_mut().find(|group| group.name == *name) {
            Some(group) => group.members.push(*node),
            None => groups.push(Group { name: name.clone(), members: vec![*node] }),
        }
    }
    pins.extend(groups.iter().flat_map(|group| group.members.iter().copied()));
    let mut seen = HashSet::new();
    pins.retain(|node| seen.insert(*node));
    let mut own = Labels::new();
    for pair in &q_params.labels {
        if let [key, label, ..] = &pair[..]
            && !label.is_empty()
        {
            own.extend(finder.labelled(key).into_iter().map(|what| (what, label.clone())));
        }
    }
    // It says at which influence nodes were dropped; where it has none, nothing more is dropped here.
    let has_influence = nodes.scores.iter().any(Option::is_some);
    let opens_at = metadata.opens_at().filter(|share| has_influence && (0.0..=1.0).contains(share));
    let thresholds = Thresholds {
        node: q_params.pruning_threshold.or(opens_at).unwrap_or(1.0),
        edge: q_params.edge_threshold.unwrap_or(1.0),
        density: q_params.density_threshold.unwrap_or(1.0),
    };
    let clicked = q_params.clicked.as_ref().and_then(|id| finder.nodes(id).first().copied());
    let notes = metadata.description.clone();
    View { labels, edited: Edited { thresholds, pins, groups, labels: own, notes, ..Edited::default() }, clicked }
}

fn labelled(nodes: &Nodes<'_>, id: NodeId) -> Labelled {
    Labelled::of(id, &nodes.nodes[id.index()])
}

/// Finder of nodes by any name that the programs give them.
struct Finder<'n, 'a> {
    nodes: &'n Nodes<'a>,
    names: &'n Names<'a>,
    /// Nodes by `jsNodeId`, by which Anthropic's front end pins.
    by_js_id: HashMap<&'n str, Vec<NodeId>>,
    /// Nodes by feature number, by which circuit-tracer's page labels.
    by_number: HashMap<i128, Vec<NodeId>>,
}

impl<'n, 'a> Finder<'n, 'a> {
    fn new(nodes: &'n Nodes<'a>, names: &'n Names<'a>) -> Self {
        let (mut by_js_id, mut by_number) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (at, node) in nodes.nodes.iter().enumerate() {
            if let Some(js_id) = &nodes.js_ids[at] {
                by_js_id.entry(js_id.as_ref()).or_default().push(at.into());
            }
            if let (Some(number), true) = (nodes.numbers[at], node.is_feature()) {
                by_number.entry(number).or_default().push(at.into());
            }
        }
        Self { nodes, names, by_js_id, by_number }
    }

    /// Returns the node with this id; of several the first, which is the feature. Else every node with this `jsNodeId`.
    fn nodes(&self, id: &str) -> Vec<NodeId> {
        let mut named = self.names.find(id);
        named.truncate(1);
        if named.is_empty() { self.by_js_id.get(id).cloned().unwrap_or_default() } else { named }
    }

    fn labelled(&self, key: &str) -> Vec<Labelled> {
        let mut found = self.nodes(key);
        if found.is_empty() {
            let number = key.trim_start_matches('🤖').parse().ok();
            found = number.and_then(|number| self.by_number.get(&number)).cloned().unwrap_or_default();
        }
        let mut labelled: Vec<Labelled> = found.into_iter().map(|id| labelled(self.nodes, id)).collect();
        labelled.dedup();
        labelled
    }
}
