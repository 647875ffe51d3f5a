//! What a person changed about the view of a graph, with undo and redo of everything.

use crate::graph::Thresholds;
use crate::ids::NodeId;

/// One change. It is a value: applying it again after an undo does the same again.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Prune at other thresholds.
    SetThresholds(Thresholds),
    /// Pin a node.
    Pin(NodeId),
    /// Unpin a node.
    Unpin(NodeId),
}

/// What the edits so far amount to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edited {
    /// What the graph is pruned at.
    pub thresholds: Thresholds,
    /// The pinned nodes, in the order in which they were pinned.
    pub pins: Vec<NodeId>,
}

impl Edited {
    /// Whether a node is pinned.
    pub fn is_pinned(&self, id: NodeId) -> bool {
        self.pins.contains(&id)
    }

    /// The state after `edit`; `None` where it changes nothing.
    fn after(&self, edit: &Edit) -> Option<Self> {
        let mut next = self.clone();
        match *edit {
            Edit::SetThresholds(thresholds) => next.thresholds = thresholds,
            Edit::Pin(id) if self.is_pinned(id) => {}
            Edit::Pin(id) => next.pins.push(id),
            Edit::Unpin(id) => next.pins.retain(|pin| *pin != id),
        }
        (next != *self).then_some(next)
    }
}

/// The edits of a graph: what they amount to, and how to go back and forth among them, without limit.
///
/// Each step keeps the state before it, which is small, so that no edit needs an inverse of its own.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    now: Edited,
    undone_to: Vec<Step>,
    redone_to: Vec<Step>,
}

/// An edit, and the state on its far side.
#[derive(Clone, Debug)]
struct Step {
    edit: Edit,
    state: Edited,
}

impl Edits {
    /// No edits yet, on top of a state such as a saved one.
    pub fn starting_from(now: Edited) -> Self {
        Self { now, ..Self::default() }
    }

    /// What the edits amount to.
    pub fn now(&self) -> &Edited {
        &self.now
    }

    /// Applies an edit and forgets what had been undone. Returns whether it changed anything; one that does not is
    /// no step to undo.
    pub fn apply(&mut self, edit: Edit) -> bool {
        let Some(next) = self.now.after(&edit) else { return false };
        let state = std::mem::replace(&mut self.now, next);
        self.undone_to.push(Step { edit, state });
        self.redone_to.clear();
        true
    }

    /// Takes the last edit back and returns it; `None` where there is none.
    pub fn undo(&mut self) -> Option<&Edit> {
        Self::step(&mut self.now, &mut self.undone_to, &mut self.redone_to)
    }

    /// Applies the edit again that was last taken back, and returns it; `None` where there is none.
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

    fn any_edit() -> impl Strategy<Value = Edit> {
        prop_oneof![
            (0..5u8).prop_map(|step| {
                let share = f64::from(step) / 4.0;
                Edit::SetThresholds(Thresholds { node: share, edge: share })
            }),
            (0..3u32).prop_map(|id| Edit::Pin(NodeId(id))),
            (0..3u32).prop_map(|id| Edit::Unpin(NodeId(id))),
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
        assert!(edits.apply(Edit::Pin(NodeId(1))));
        assert!(!edits.apply(Edit::Pin(NodeId(1))), "pinning twice changes nothing");
        assert_eq!(edits.undo(), Some(&Edit::Pin(NodeId(1))));
        assert!(edits.apply(Edit::Pin(NodeId(2))));
        assert_eq!(edits.redo(), None);
        assert_eq!(edits.now().pins, [NodeId(2)]);
        assert_eq!((edits.undo().cloned(), edits.undo()), (Some(Edit::Pin(NodeId(2))), None));
    }
}
