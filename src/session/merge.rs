//! Merging of two programs' work on the session of one graph.

use crate::ids::{FeatureId, Layer};
use crate::session::NodeKey;
use crate::session::saved::{FeatureLabel, NodeLabel, Saved, SavedGroup};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

/// Returns `theirs`, which another program made of `base`, with the edits from `base` to `ours` made on top of it. An
/// edit of one thing leaves the edits of others; of two edits of the same thing `ours` holds, but both notes are kept.
pub(super) fn merge(base: &Saved, ours: &Saved, theirs: &Saved) -> Saved {
    if theirs == base || theirs == ours {
        return ours.clone();
    }
    if ours == base {
        return theirs.clone();
    }
    let mut merged = Saved {
        version: ours.version,
        graph: ours.graph.clone(),
        thresholds: pick(&base.thresholds, &ours.thresholds, &theirs.thresholds),
        pins: list(&base.pins, &ours.pins, &theirs.pins, Clone::clone),
        groups: groups(&base.groups, &ours.groups, &theirs.groups),
        feature_labels: feature_labels(base, ours, theirs),
        node_labels: node_labels(base, ours, theirs),
        notes: notes(&base.notes, &ours.notes, &theirs.notes),
        selected: pick(&base.selected, &ours.selected, &theirs.selected),
        chosen: pick(&base.chosen, &ours.chosen, &theirs.chosen),
        filters: map(&base.filters, &ours.filters, &theirs.filters),
        filter: pick(&base.filter, &ours.filter, &theirs.filter),
        filter_history: list(&base.filter_history, &ours.filter_history, &theirs.filter_history, Clone::clone),
        marks: map(&base.marks, &ours.marks, &theirs.marks),
        refused: list(&base.refused, &ours.refused, &theirs.refused, Clone::clone),
        screen: map(&base.screen, &ours.screen, &theirs.screen),
        ..theirs.clone()
    };
    let (was, is) = (&base.interventions, &ours.interventions);
    merged.interventions.freeze = pick(&was.freeze, &is.freeze, &theirs.interventions.freeze);
    merged.interventions.layers = pick(&was.layers, &is.layers, &theirs.interventions.layers);
    merged.interventions.list = list(&was.list, &is.list, &theirs.interventions.list, |one| {
        // They hold numbers that are no keys; written down they are.
        serde_json::to_string(one).unwrap_or_default()
    });
    if (&base.walk, base.walk_at) != (&ours.walk, ours.walk_at) {
        (merged.walk, merged.walk_at) = (ours.walk.clone(), ours.walk_at);
    }
    // Members of supernodes are pinned, whoever unpinned them meanwhile.
    let mut pinned: HashSet<NodeKey> = merged.pins.iter().cloned().collect();
    let members = merged.groups.iter().flat_map(|group| &group.members);
    merged.pins.extend(members.filter(|member| pinned.insert((*member).clone())).cloned());
    merged
}

fn pick<T: PartialEq + Clone>(base: &T, ours: &T, theirs: &T) -> T {
    if ours == base { theirs.clone() } else { ours.clone() }
}

/// Returns their list without the items that we removed and with those that we added. Items with equal keys are the
/// same.
fn list<T: Clone, K: Eq + Hash>(base: &[T], ours: &[T], theirs: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let keys = |items: &[T]| items.iter().map(&key).collect::<HashSet<K>>();
    let (was, is) = (keys(base), keys(ours));
    let mut there = HashSet::new();
    let stays = |item: &&T| is.contains(&key(item)) || !was.contains(&key(item));
    let added = ours.iter().filter(|item| !was.contains(&key(item)));
    theirs.iter().filter(stays).chain(added).filter(|item| there.insert(key(item))).cloned().collect()
}

fn map<K: Ord + Clone, V: PartialEq + Clone>(
    base: &BTreeMap<K, V>,
    ours: &BTreeMap<K, V>,
    theirs: &BTreeMap<K, V>,
) -> BTreeMap<K, V> {
    let mut merged = theirs.clone();
    for key in base.keys().chain(ours.keys()) {
        match ours.get(key) {
            now if now == base.get(key) => {}
            Some(now) => _ = merged.insert(key.clone(), now.clone()),
            None => _ = merged.remove(key),
        }
    }
    merged
}

fn feature_labels(base: &Saved, ours: &Saved, theirs: &Saved) -> Vec<FeatureLabel> {
    let of = |saved: &Saved| -> BTreeMap<(Layer, FeatureId), String> {
        saved.feature_labels.iter().map(|it| ((it.layer, it.feature), it.label.clone())).collect()
    };
    let merged = map(&of(base), &of(ours), &of(theirs));
    merged.into_iter().map(|((layer, feature), label)| FeatureLabel { layer, feature, label }).collect()
}

fn node_labels(base: &Saved, ours: &Saved, theirs: &Saved) -> Vec<NodeLabel> {
    let of = |saved: &Saved| -> BTreeMap<NodeKey, String> {
        saved.node_labels.iter().map(|it| (it.node.clone(), it.label.clone())).collect()
    };
    let merged = map(&of(base), &of(ours), &of(theirs));
    merged.into_iter().map(|(node, label)| NodeLabel { node, label }).collect()
}

/// Merges notes: where both programs wrote, both texts are kept, so that none is lost.
fn notes(base: &str, ours: &str, theirs: &str) -> String {
    match () {
        () if ours == base => theirs.to_owned(),
        () if theirs == base => ours.to_owned(),
        () if theirs.contains(ours) => theirs.to_owned(),
        () if ours.contains(theirs) => ours.to_owned(),
        () => format!("{theirs}\n\n{ours}"),
    }
}

/// Merges supernodes by their members. Each node is in the one where the program that moved it put it, and a name that
/// one side changed is changed for the other's members too.
fn groups(base: &[SavedGroup], ours: &[SavedGroup], theirs: &[SavedGroup]) -> Vec<SavedGroup> {
    let (was, is, others) = (Groups::of(base), Groups::of(ours), Groups::of(theirs));
    let (by_us, by_them) = (is.renamed_since(&was), others.renamed_since(&was));
    // By the names that they had in `base`, being moved is told from being renamed.
    let (is, others) = (is.called(&by_us), others.called(&by_them));
    let mut merged: Vec<(&Called, Vec<NodeKey>)> = Vec::new();
    let mut index: HashMap<&Called, usize> = HashMap::new();
    for name in others.names.iter().chain(&is.names) {
        index.entry(name).or_insert_with(|| {
            merged.push((name, Vec::new()));
            merged.len() - 1
        });
    }
    let mut seen = HashSet::new();
    for node in theirs.iter().chain(ours).flat_map(|group| &group.members).filter(|node| seen.insert(*node)) {
        let wanted = pick(&was.of_node.get(node), &is.of_node.get(node), &others.of_node.get(node));
        if let Some(at) = wanted.and_then(|name| index.get(name)) {
            merged[*at].1.push(node.clone());
        }
    }
    let now = |renamed: &HashMap<Called, Called>, name: &Called| {
        renamed.iter().find(|(_, before)| *before == name).map(|(now, _)| now.0.clone())
    };
    let called = |name: &Called| now(&by_us, name).or_else(|| now(&by_them, name)).unwrap_or_else(|| name.0.clone());
    let merged = merged.into_iter().filter(|(_, members)| !members.is_empty());
    merged.map(|(name, members)| SavedGroup { name: called(name), members }).collect()
}

/// Supernode across states: its name, and the number of earlier ones of the same name.
type Called = (String, usize);

/// Supernodes by name, and the one that each node is in.
struct Groups {
    names: Vec<Called>,
    of_node: BTreeMap<NodeKey, Called>,
}

impl Groups {
    fn of(saved: &[SavedGroup]) -> Self {
        let mut times: HashMap<&str, usize> = HashMap::new();
        let mut groups = Self { names: Vec::new(), of_node: BTreeMap::new() };
        for group in saved {
            let before = times.entry(&group.name).or_default();
            let name = (group.name.clone(), *before);
            *before += 1;
            groups.of_node.extend(group.members.iter().map(|node| (node.clone(), name.clone())));
            groups.names.push(name);
        }
        groups
    }

    /// Returns the former names of supernodes with a new name whose members were together under one that is gone.
    fn renamed_since(&self, before: &Self) -> HashMap<Called, Called> {
        let names = |groups: &Self| groups.names.iter().cloned().collect::<HashSet<Called>>();
        let (now, then) = (names(self), names(before));
        let mut gone: HashSet<&Called> = before.names.iter().filter(|name| !now.contains(*name)).collect();
        let mut renamed = HashMap::new();
        for (node, name) in self.of_node.iter().filter(|(_, name)| !then.contains(*name)) {
            if !renamed.contains_key(name)
                && let Some(old) = before.of_node.get(node)
                && gone.remove(old)
            {
                renamed.insert(name.clone(), old.clone());
            }
        }
        renamed
    }

    /// Renames the supernodes as `renamed` gives.
    fn called(self, renamed: &HashMap<Called, Called>) -> Self {
        let name = |name: Called| renamed.get(&name).cloned().unwrap_or(name);
        Self {
            names: self.names.into_iter().map(name).collect(),
            of_node: self.of_node.into_iter().map(|(node, its)| (node, name(its))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Position;
    use proptest::prelude::*;

    fn node(at: u32) -> NodeKey {
        NodeKey::Feature { layer: Layer(0), feature: FeatureId(at), position: Position(0) }
    }

    /// Act of one program.
    #[derive(Clone, Debug)]
    enum Act {
        Pin(u32),
        Unpin(u32),
        Put(u32, u8),
        Rename(u8, u8),
        Label(u32, u8),
        Mark(u8, u32),
    }

    /// Generates acts on nodes, names and letters of one program's own, and so apart from those of another.
    fn acts(own: u8) -> impl Strategy<Value = Vec<Act>> {
        let node = move || (0..4u32).prop_map(move |at| u32::from(own) * 4 + at);
        let name = move || (0..3u8).prop_map(move |at| own * 3 + at);
        let act = prop_oneof![
            node().prop_map(Act::Pin),
            node().prop_map(Act::Unpin),
            (node(), name()).prop_map(|(node, name)| Act::Put(node, name)),
            (name(), name()).prop_map(|(from, to)| Act::Rename(from, to)),
            (node(), 0..3u8).prop_map(|(node, label)| Act::Label(node, label)),
            (name(), node()).prop_map(|(letter, node)| Act::Mark(letter, node)),
        ];
        proptest::collection::vec(act, 0..8)
    }

    fn after(saved: &Saved, acts: &[Act]) -> Saved {
        let mut saved = saved.clone();
        for act in acts {
            let leave = |saved: &mut Saved, at: &u32| {
                saved.groups.iter_mut().for_each(|group| group.members.retain(|member| *member != node(*at)));
                saved.groups.retain(|group| !group.members.is_empty());
            };
            match act {
                Act::Pin(at) if !saved.pins.contains(&node(*at)) => saved.pins.push(node(*at)),
                Act::Pin(_) => {}
                Act::Unpin(at) => {
                    saved.pins.retain(|pin| *pin != node(*at));
                    leave(&mut saved, at);
                }
                Act::Put(at, name) => {
                    leave(&mut saved, at);
                    let name = name.to_string();
                    match saved.groups.iter_mut().find(|group| group.name == name) {
                        Some(group) => group.members.push(node(*at)),
                        None => saved.groups.push(SavedGroup { name, members: vec![node(*at)] }),
                    }
                    if !saved.pins.contains(&node(*at)) {
                        saved.pins.push(node(*at));
                    }
                }
                Act::Rename(from, to) if !saved.groups.iter().any(|group| group.name == to.to_string()) => {
                    let group = saved.groups.iter_mut().find(|group| group.name == from.to_string());
                    group.into_iter().for_each(|group| group.name = to.to_string());
                }
                Act::Rename(..) => {}
                Act::Label(at, label) => {
                    saved.node_labels.retain(|it| it.node != node(*at));
                    saved.node_labels.push(NodeLabel { node: node(*at), label: label.to_string() });
                }
                Act::Mark(letter, at) => _ = saved.marks.insert(char::from(b'a' + letter), node(*at)),
            }
        }
        saved
    }

    /// Returns a state without the order of its items.
    fn contents(saved: &Saved) -> impl PartialEq + std::fmt::Debug + use<> {
        let mut pins = saved.pins.clone();
        pins.sort();
        let of_node = saved.groups.iter().flat_map(|group| {
            group.members.iter().map(|member| (member.clone(), group.name.clone())).collect::<Vec<_>>()
        });
        let labels = saved.node_labels.iter().map(|it| (it.node.clone(), it.label.clone()));
        (
            pins,
            of_node.collect::<BTreeMap<_, _>>(),
            labels.collect::<BTreeMap<_, _>>(),
            saved.marks.clone(),
            saved.notes.clone(),
        )
    }

    proptest! {
        #[test]
        fn what_two_did_to_different_things_is_as_if_one_had_waited_for_the_other(
            before in (acts(0), acts(1)),
            ours in acts(0),
            theirs in acts(1),
        ) {
            let base = after(&after(&Saved::default(), &before.0), &before.1);
            let (here, there) = (after(&base, &ours), after(&base, &theirs));
            let merged = merge(&base, &here, &there);
            prop_assert_eq!(contents(&merged), contents(&after(&there, &ours)));
            prop_assert_eq!(contents(&merge(&base, &there, &here)), contents(&merged));
            prop_assert_eq!(merge(&base, &here, &base), here);
            prop_assert_eq!(merge(&base, &base, &there), there);
        }

        #[test]
        fn of_what_two_did_to_the_same_things_ours_holds(before in acts(0), ours in acts(0), theirs in acts(0)) {
            let base = after(&Saved::default(), &before);
            let (here, there) = (after(&base, &ours), after(&base, &theirs));
            let merged = merge(&base, &here, &there);
            for pin in &here.pins {
                prop_assert!(base.pins.contains(pin) || merged.pins.contains(pin), "what we pinned stays pinned");
            }
            for member in merged.groups.iter().flat_map(|group| &group.members) {
                prop_assert!(merged.pins.contains(member), "members of supernodes are pinned");
                let times = merged.groups.iter().flat_map(|group| &group.members).filter(|it| *it == member).count();
                prop_assert_eq!(times, 1, "a node is in one supernode at most");
            }
            for (letter, at) in &here.marks {
                prop_assert!(base.marks.get(letter) == Some(at) || merged.marks.get(letter) == Some(at));
            }
        }
    }

    #[test]
    fn a_renamed_supernode_takes_in_what_another_program_adds_to_it() {
        let group = |name: &str, members: &[u32]| SavedGroup {
            name: name.into(),
            members: members.iter().copied().map(node).collect(),
        };
        let merged = groups(&[group("a", &[1, 2])], &[group("b", &[1, 2])], &[group("a", &[1, 2, 3])]);
        assert_eq!(merged, [group("b", &[1, 2, 3])]);
        let merged = groups(&[group("a", &[1, 2])], &[group("a", &[1, 2, 3])], &[group("b", &[1, 2])]);
        assert_eq!(merged, [group("b", &[1, 2, 3])]);
    }

    #[test]
    fn notes_of_both_stand_there() {
        assert_eq!(notes("", "ours", "theirs"), "theirs\n\nours");
        assert_eq!(notes("a", "a b", "a"), "a b");
        assert_eq!(notes("a", "a", ""), "");
        assert_eq!(notes("a", "", "a"), "");
        assert_eq!(notes("a", "a b", "a b"), "a b");
        assert_eq!(notes("a", "b", ""), "b");
    }
}
