//! The user's edits of a graph, each of which can be undone and redone.

use crate::graph::{Interventions, Thresholds};
use crate::ids::{FeatureId, Layer, NodeId};
use std::collections::BTreeMap;

/// Subject of a label: a feature has one label at every position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Labelled {
    /// A feature, wherever it is active.
    Feature(Layer, FeatureId),
    /// A node of another kind.
    Node(NodeId),
}

/// Labels by their subject.
pub type Labels = BTreeMap<Labelled, String>;

/// A supernode: nodes that are drawn and weighed as one (Ameisen et al. 2025, "Understanding, labeling & grouping
/// features").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name of the supernode.
    pub name: String,
    /// Members, in the order in which they were added; at least one, and none is in another group.
    pub members: Vec<NodeId>,
}

/// One edit. It is a value: applying it again after an undo does the same again.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Set the pruning thresholds.
    SetThresholds(Thresholds),
    /// Pin nodes.
    Pin(Vec<NodeId>),
    /// Unpin nodes; they leave their groups.
    Unpin(Vec<NodeId>),
    /// Make a supernode of nodes. They are pinned, and leave their earlier groups.
    Group {
        /// Name of the supernode.
        name: String,
        /// Members of the supernode.
        members: Vec<NodeId>,
    },
    /// Make these supernodes and pin these nodes, in place of all pins and supernodes.
    Circuit {
        /// Supernodes.
        groups: Vec<Group>,
        /// Other pinned nodes.
        pins: Vec<NodeId>,
    },
    /// Add nodes to the group of this index, as [`Edit::Group`] does.
    AddToGroup(usize, Vec<NodeId>),
    /// Take nodes out of their groups; they stay pinned, and a group without members is removed.
    Ungroup(Vec<NodeId>),
    /// Rename the group of this index.
    RenameGroup(usize, String),
    /// Label a feature or a node; an empty label removes the present one.
    Label(Labelled, String),
    /// Replace the notes on the graph.
    SetNotes(String),
    /// Replace the interventions.
    SetInterventions(Interventions),
}

/// State of the user's work after the edits so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edited {
    /// Pruning thresholds.
    pub thresholds: Thresholds,
    /// Pinned nodes, in the order in which they were pinned. Members of groups are among them.
    pub pins: Vec<NodeId>,
    /// Supernodes.
    pub groups: Vec<Group>,
    /// The user's labels.
    pub labels: Labels,
    /// Notes on the graph.
    pub notes: String,
    /// Interventions to be made on the model.
    pub interventions: Interventions,
}

impl Edited {
    /// Returns true where a node is pinned.
    pub fn is_pinned(&self, id: NodeId) -> bool {
        self.pins.contains(&id)
    }

    /// Returns the index of the group that a node is in.
    pub fn group_of(&self, id: NodeId) -> Option<usize> {
        self.groups.iter().position(|group| group.members.contains(&id))
    }

    /// Returns the state after `edit`; `None` where it changes nothing.
    fn after(&self, edit: &Edit) -> Option<Self> {
        let mut next = self.clone();
        match edit {
            Edit::SetThresholds(thresholds) => next.thresholds = *thresholds,
            Edit::Pin(nodes) => next.pin(nodes),
            Edit::Unpin(nodes) => {
                next.pins.retain(|pin| !nodes.contains(pin));
                next.ungroup(nodes);
            }
            Edit::Group { name, members } => {
                let mut group = Group { name: name.clone(), members: Vec::new() };
                push_new(&mut group.members, members);
                if !group.members.is_empty() {
                    next.ungroup(members);
                    next.pin(members);
                    next.groups.push(group);
                }
            }
            Edit::Circuit { groups, pins } => {
                next.pins.clear();
                next.groups.clone_from(groups);
                next.pin(pins);
                groups.iter().for_each(|group| next.pin(&group.members));
            }
            Edit::AddToGroup(index, members) => {
                let mut joined = next.groups.get(*index)?.members.clone();
                push_new(&mut joined, members);
                for group in &mut next.groups {
                    group.members.retain(|member| !members.contains(member));
                }
                next.groups[*index].members = joined;
                next.groups.retain(|group| !group.members.is_empty());
                next.pin(members);
            }
            Edit::Ungroup(nodes) => next.ungroup(nodes),
            Edit::RenameGroup(index, name) => next.groups.get_mut(*index)?.name.clone_from(name),
            Edit::Label(what, label) if label.is_empty() => {
                next.labels.remove(what);
            }
            Edit::Label(what, label) => {
                next.labels.insert(*what, label.clone());
            }
            Edit::SetNotes(notes) => next.notes.clone_from(notes),
            Edit::SetInterventions(interventions) => next.interventions.clone_from(interventions),
        }
        (next != *self).then_some(next)
    }

    fn pin(&mut self, nodes: &[NodeId]) {
        push_new(&mut self.pins, nodes);
    }

    fn ungroup(&mut self, nodes: &[NodeId]) {
        for group in &mut self.groups {
            group.members.retain(|member| !nodes.contains(member));
        }
        self.groups.retain(|group| !group.members.is_empty());
    }
}

/// Appends the nodes that are not in the list yet.
fn push_new(list: &mut Vec<NodeId>, nodes: &[NodeId]) {
    for node in nodes {
        if !list.contains(node) {
            list.push(*node);
        }
    }
}

/// Edits of a graph: the present state, and the steps to undo and redo, without limit.
///
/// Each step keeps the state before it, which is small, so that no edit needs an inverse of its own.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    now: Edited,
    undone_to: Vec<Step>,
    redone_to: Vec<Step>,
}

/// An edit, and the state that its undo or redo leads to.
#[derive(Clone, Debug)]
struct Step {
    edit: Edit,
    state: Edited,
}

impl Edits {
    /// Creates an empty history on top of a state such as a saved one.
    pub fn starting_from(now: Edited) -> Self {
        Self { now, ..Self::default() }
    }

    /// Replaces the thresholds throughout, where no edit has set them.
    pub fn start_at(&mut self, thresholds: Thresholds) {
        if !self.made().any(|edit| matches!(edit, Edit::SetThresholds(_))) {
            self.now.thresholds = thresholds;
            let steps = self.undone_to.iter_mut().chain(&mut self.redone_to);
            steps.for_each(|step| step.state.thresholds = thresholds);
        }
    }

    /// Returns the present state.
    pub fn now(&self) -> &Edited {
        &self.now
    }

    /// Iterates over the edits that hold, in the order in which they were made.
    pub fn made(&self) -> impl Iterator<Item = &Edit> {
        self.undone_to.iter().map(|step| &step.edit)
    }

    /// Applies an edit and forgets the undone ones. Returns true where it changed anything; one that does not is no
    /// step to undo.
    pub fn apply(&mut self, edit: Edit) -> bool {
        let Some(next) = self.now.after(&edit) else { return false };
        let state = std::mem::replace(&mut self.now, next);
        self.undone_to.push(Step { edit, state });
        self.redone_to.clear();
        true
    }

    /// Undoes the last edit and returns it; `None` where there is none.
    pub fn undo(&mut self) -> Option<&Edit> {
        Self::step(&mut self.now, &mut self.undone_to, &mut self.redone_to)
    }

    /// Redoes the edit that was undone last and returns it; `None` where there is none.
    pub fn redo(&mut self) -> Option<&Edit> {
        Self::step(&mut self.now, &mut self.redone_to, &mut self.undone_to)
    }

    fn step<'a>(now: &mut Edited, from: &mut Vec<Step>, to: &'a mut Vec<Step>) -> Option<&'a Edit> {
        let Step { edit, state } = from.pop()?;
        to.push(Step { edit, state: std::mem::replace(now, state) });
        to.last().map(|step| &step.edit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_nodes() -> impl Strategy<Value = Vec<NodeId>> {
        proptest::collection::vec((0..5u32).prop_map(NodeId), 0..4)
    }

    fn any_edit() -> impl Strategy<Value = Edit> {
        prop_oneof![
            (0..5u8).prop_map(|step| {
                let share = f64::from(step) / 4.0;
                Edit::SetThresholds(Thresholds { node: share, edge: share, ..Thresholds::default() })
            }),
            any_nodes().prop_map(Edit::Pin),
            any_nodes().prop_map(Edit::Unpin),
            any_nodes().prop_map(|members| Edit::Group { name: "group".into(), members }),
            (0..3usize, any_nodes()).prop_map(|(group, members)| Edit::AddToGroup(group, members)),
            any_nodes().prop_map(Edit::Ungroup),
            (0..3usize, "[ab]").prop_map(|(group, name)| Edit::RenameGroup(group, name)),
            (0..3u32, "[ab]?").prop_map(|(id, label)| Edit::Label(Labelled::Node(NodeId(id)), label)),
            "[ab]?".prop_map(Edit::SetNotes),
            (0..3usize).prop_map(|end| {
                Edit::SetInterventions(Interventions { layers: Some(0..end), ..Interventions::default() })
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_edit_is_undone_and_redone(list in proptest::collection::vec(any_edit(), 0..40), back in 0..40usize) {
            let mut edits = Edits::default();
            let mut states = vec![edits.now().clone()];
            for edit in list {
                if edits.apply(edit) {
                    states.push(edits.now().clone());
                }
                let now = edits.now();
                let members: Vec<_> = now.groups.iter().flat_map(|group| &group.members).collect();
                prop_assert!(now.groups.iter().all(|group| !group.members.is_empty()));
                prop_assert!(members.iter().all(|member| now.is_pinned(**member)), "members of groups are pinned");
                let once: std::collections::BTreeSet<_> = members.iter().collect();
                prop_assert_eq!(once.len(), members.len(), "a node is in one group at most");
            }
            let steps = back.min(states.len() - 1);
            for state in states.iter().rev().skip(1).take(steps) {
                let edit = edits.undo().cloned();
                prop_assert!(edit.is_some());
                prop_assert_eq!(edits.now(), state);
            }
            let undone = edits.now().clone();
            for state in &states[states.len() - steps..] {
                prop_assert!(edits.redo().is_some());
                prop_assert_eq!(edits.now(), state);
            }
            prop_assert!(edits.redo().is_none());
            for _ in 0..steps {
                edits.undo();
            }
            prop_assert_eq!(edits.now(), &undone);
        }
    }

    #[test]
    fn a_new_edit_ends_what_could_be_redone() {
        let mut edits = Edits::default();
        assert!(edits.apply(Edit::Pin(vec![NodeId(1)])));
        assert!(!edits.apply(Edit::Pin(vec![NodeId(1)])), "pinning twice changes nothing");
        assert_eq!(edits.undo(), Some(&Edit::Pin(vec![NodeId(1)])));
        assert!(edits.apply(Edit::Pin(vec![NodeId(2)])));
        assert_eq!(edits.redo(), None);
        assert_eq!(edits.now().pins, [NodeId(2)]);
        assert_eq!((edits.undo().cloned(), edits.undo()), (Some(Edit::Pin(vec![NodeId(2)])), None));
    }
}
