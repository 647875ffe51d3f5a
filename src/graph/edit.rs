use crate::graph::Thresholds;
use crate::ids::NodeId;
use std::collections::BTreeSet;
#[derive(Clone, Debug)]
pub struct EditState {
    now: (Thresholds, BTreeSet<NodeId>),
    undo: Vec<(Thresholds, BTreeSet<NodeId>)>,
    redo: Vec<(Thresholds, BTreeSet<NodeId>)>,
}
impl EditState {
    pub fn new(t: Thresholds) -> Self {
        Self { now: (t, BTreeSet::new()), undo: vec![], redo: vec![] }
    }
    pub fn thresholds(&self) -> Thresholds {
        self.now.0
    }
    pub fn pins(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.now.1.iter().copied()
    }
    pub fn is_pinned(&self, n: NodeId) -> bool {
        self.now.1.contains(&n)
    }
    fn push(&mut self) {
        self.undo.push(self.now.clone());
        self.redo.clear();
    }
    pub fn set_thresholds(&mut self, t: Thresholds) {
        self.push();
        self.now.0 = t;
    }
    pub fn toggle_pin(&mut self, n: NodeId) {
        self.push();
        if !self.now.1.remove(&n) {
            self.now.1.insert(n);
        }
    }
    pub fn undo(&mut self) -> bool {
        match self.undo.pop() {
            Some(x) => {
                self.redo.push(std::mem::replace(&mut self.now, x));
                true
            }
            None => false,
        }
    }
    pub fn redo(&mut self) -> bool {
        match self.redo.pop() {
            Some(x) => {
                self.undo.push(std::mem::replace(&mut self.now, x));
                true
            }
            None => false,
        }
    }
}
