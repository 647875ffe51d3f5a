//! Features of a file: their numbers, and their dictionaries.

use super::kind::{self, Class, Layers};
use super::node::FileNode;
use super::numbering::{Numbered, Numbering};
use crate::graph::{FeatureNumber, FileNames, Node, NodeKind};
use crate::ids::{FeatureId, NodeId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Dictionaries that are told apart, at most; with more names than this, none is.
const MOST_DICTIONARIES: usize = 8;

/// Features of a file, by the indices of its nodes.
#[derive(Default)]
pub(super) struct Features {
    /// Identities by node; `None` where a node is no feature, or does not say which.
    known: Vec<Option<Known>>,
    dictionaries: Vec<String>,
    /// Nodes of the graph that were made of them, with the index in the file.
    nodes: Vec<(usize, NodeId)>,
}

/// Identity of a feature.
#[derive(Clone, Copy, Debug)]
struct Known {
    dictionary: usize,
    /// Number in its dictionary.
    number: u128,
    /// Id that the graph tells it apart by; none of an attention feature, which is of no transcoder.
    id: Option<FeatureId>,
}

/// A feature whose identity is being determined.
struct Found {
    at: usize,
    layer: u32,
    dictionary: usize,
    index: u128,
    number: u128,
}

impl Features {
    /// Determines the identities of a file's features. The numbering is determined for transcoder features and
    /// attention features apart, and for each dictionary.
    pub fn of(file: &[FileNode<'_>], layers: Layers, is_comparison: bool) -> Self {
        let dictionary_of = |node: &FileNode<'_>| -> Option<String> {
            let shape = || node.shape.as_deref().filter(|_| is_comparison);
            node.source_model.as_deref().or_else(shape).map(str::to_owned)
        };
        let is_feature = |node: &&FileNode<'_>| Class::of(node) == Class::Feature || is_attention(node);
        let dictionaries = dictionaries(file.iter().filter(is_feature).filter_map(dictionary_of));
        let mut parts: BTreeMap<(bool, usize), Vec<(usize, Numbered)>> = BTreeMap::new();
        for (at, node) in file.iter().enumerate().filter(|(_, node)| is_feature(node)) {
            let Ok(layer) = kind::layer_number(node) else { continue };
            let number = node.feature.and_then(|number| u128::try_from(number).ok());
            let numbered = Numbered { layer: layer.unwrap_or_default(), number, named: kind::index_in_ids(node) };
            let named = dictionary_of(node);
            let dictionary = named.and_then(|name| dictionaries.iter().position(|it| *it == name)).unwrap_or_default();
            parts.entry((is_attention(node), dictionary)).or_default().push((at, numbered));
        }
        let mut known = vec![None; file.len()];
        let mut found = Vec::new();
        for ((is_attention, dictionary), part) in parts {
            let all: Vec<Numbered> = part.iter().map(|(_, numbered)| *numbered).collect();
            let numbering = Numbering::of(&all);
            for (at, numbered) in part {
                let Some(index) = numbering.index(numbered) else { continue };
                let own = file[at].source_feature.and_then(|number| u128::try_from(number).ok());
                let number = own.unwrap_or(index);
                if is_attention {
                    known[at] = Some(Known { dictionary, number, id: None });
                } else {
                    let layer = layers.layer(&file[at]).ok().flatten().map_or(0, |layer| layer.0);
                    found.push(Found { at, layer, dictionary, index, number });
                }
            }
        }
        for (feature, id) in found.iter().zip(ids(&found)) {
            known[feature.at] = Some(Known { dictionary: feature.dictionary, number: feature.number, id: Some(id) });
        }
        Self { known, dictionaries, nodes: Vec::new() }
    }

    /// Returns the graph's id of the feature at `at` in the file.
    pub fn id(&self, at: usize) -> Option<FeatureId> {
        self.known.get(at).copied().flatten()?.id
    }

    /// Records the graph's node that was made of the one at `at`.
    pub fn found(&mut self, at: usize, id: NodeId) {
        if self.known.get(at).is_some_and(Option::is_some) {
            self.nodes.push((at, id));
        }
    }

    /// Returns the file's names of its nodes, with the `ids` that are given.
    pub fn called(&self, ids: HashMap<NodeId, Box<str>>, nodes: &[Node]) -> FileNames {
        let mut features = HashMap::new();
        for (at, id) in &self.nodes {
            let Some(known) = self.known[*at] else { continue };
            let is_usual = match nodes[id.index()].kind {
                NodeKind::Feature { feature, .. } => u128::from(feature.0) == known.number && known.dictionary == 0,
                _ => false,
            };
            if !is_usual {
                features.insert(*id, FeatureNumber { dictionary: known.dictionary, number: known.number });
            }
        }
        FileNames { ids, dictionaries: self.dictionaries.clone(), features }
    }
}

fn is_attention(node: &FileNode<'_>) -> bool {
    node.kind.as_deref() == Some(kind::ATTENTION_FEATURE)
}

/// Returns the dictionaries in the order in which they are named, but the base model's first; none where there is only
/// one.
fn dictionaries(named: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in named {
        if !all.contains(&name) {
            all.push(name);
        }
        if all.len() > MOST_DICTIONARIES {
            return Vec::new();
        }
    }
    all.sort_by_key(|name| !name.to_lowercase().contains("base"));
    if all.len() > 1 { all } else { Vec::new() }
}

/// Returns the ids that the graph tells features apart by: their indices, and where an earlier dictionary uses those of
/// a later one, these are shifted beyond all used ones. An index that does not fit gets an unused id from the upper
/// end.
fn ids(found: &[Found]) -> Vec<FeatureId> {
    let most = found.iter().map(|feature| feature.dictionary).max().unwrap_or_default();
    let mut shifts = vec![0u128; most + 1];
    let mut taken: HashSet<(u32, u128)> = HashSet::new();
    for (dictionary, shift) in shifts.iter_mut().enumerate() {
        let own = || found.iter().filter(|feature| feature.dictionary == dictionary);
        if own().any(|feature| taken.contains(&(feature.layer, feature.index))) {
            let above = taken.iter().map(|(_, index)| *index).max().unwrap_or_default();
            *shift = (1..38).map(|digits| 10u128.pow(digits)).find(|step| *step > above).unwrap_or(above);
        }
        taken.extend(own().map(|feature| (feature.layer, feature.index.saturating_add(*shift))));
    }
    let mut free = u32::MAX;
    let mut made: HashMap<(u32, u128), FeatureId> = HashMap::new();
    found
        .iter()
        .map(|feature| {
            let wanted = feature.index.saturating_add(shifts[feature.dictionary]);
            *made.entry((feature.layer, wanted)).or_insert_with(|| {
                FeatureId(u32::try_from(wanted).unwrap_or_else(|_| {
                    while taken.contains(&(feature.layer, free.into())) {
                        free -= 1;
                    }
                    free -= 1;
                    free + 1
                }))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_never_collide_and_any_number_finds_an_id() {
        let of = |layer, dictionary, index| Found { at: 0, layer, dictionary, index, number: index };
        let big = 1u128 << 70;
        let max = u128::from(u32::MAX);
        let all = [of(0, 0, 5), of(0, 1, 5), of(0, 1, 7), of(0, 0, big), of(0, 1, big), of(0, 0, max), of(1, 0, big)];
        let ids = ids(&all);
        assert_eq!(ids[0], FeatureId(5));
        let first: HashSet<_> = all.iter().zip(&ids).map(|(it, id)| (it.layer, *id)).collect();
        assert_eq!(first.len(), all.len(), "{ids:?}");
        let same = super::ids(&[of(0, 0, big), of(0, 0, big), of(0, 0, 9)]);
        assert_eq!((same[0] == same[1], same[2]), (true, FeatureId(9)));
    }
}
