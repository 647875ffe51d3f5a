//! Nodes of a graph by the keys that a session's file knows them by.

use crate::graph::{AttributionGraph, FeatureAt, NodeKey, Site};
use crate::ids::NodeId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Nodes of a graph by their keys.
pub(super) struct Keys<'a> {
    graph: &'a AttributionGraph,
    nodes: HashMap<NodeKey, NodeId>,
}

impl<'a> Keys<'a> {
    pub fn new(graph: &'a AttributionGraph) -> Self {
        let mut nodes = HashMap::with_capacity(graph.n_nodes());
        for id in graph.node_ids() {
            // A file may hold two nodes of one kind and place under different ids; the second is known by its id.
            match nodes.entry(graph.node(id).key()) {
                Entry::Vacant(place) => drop(place.insert(id)),
                Entry::Occupied(_) => drop(nodes.entry(by_name(graph, id)).or_insert(id)),
            }
        }
        Self { graph, nodes }
    }

    pub fn node(&self, key: &NodeKey) -> Option<NodeId> {
        self.nodes.get(key).copied().or_else(|| match key {
            // Files did not always tell the dictionary, without which features of a layer differ all the same.
            NodeKey::Feature(at) if at.site.is_of_transcoder() => {
                let of = |dictionary: usize| {
                    let site = Site { dictionary: u16::try_from(dictionary).ok()?, ..at.site };
                    self.nodes.get(&NodeKey::Feature(FeatureAt { site, ..*at })).copied()
                };
                (1..self.graph.dictionaries().len()).find_map(of)
            }
            _ => None,
        })
    }

    pub fn key(&self, id: NodeId) -> NodeKey {
        let key = self.graph.node(id).key();
        if self.nodes.get(&key) == Some(&id) { key } else { by_name(self.graph, id) }
    }

    pub fn keys(&self, ids: &[NodeId]) -> Vec<NodeKey> {
        ids.iter().map(|id| self.key(*id)).collect()
    }
}

fn by_name(graph: &AttributionGraph, id: NodeId) -> NodeKey {
    NodeKey::Other { name: graph.node_name(id).into(), position: graph.node(id).position() }
}
