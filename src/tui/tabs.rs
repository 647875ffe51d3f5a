//! The graphs that are open and not on the screen.

use crate::tui::app::Busy;
use crate::tui::circuit::Circuit;
use crate::tui::runtime::jobs::RequestId;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// A graph that is put aside.
pub struct Tab {
    /// What there is of it.
    pub graph: TabContent,
    /// The trace of it that is under way.
    pub busy: Option<Busy>,
}

/// What there is of a graph that is put aside.
pub enum TabContent {
    /// It keeps its state.
    Circuit {
        /// The circuit.
        circuit: Box<Circuit>,
        /// Its id.
        id: RequestId,
        /// Its thresholds changed, and it was not pruned at them yet.
        prunes: bool,
    },
    /// It is opened when it is turned to.
    File(PathBuf),
    /// Nothing came of it, or nothing yet.
    Nothing,
}

impl Tab {
    /// A file that is opened when it is turned to.
    pub fn file(path: PathBuf) -> Self {
        Self { graph: TabContent::File(path), busy: None }
    }

    /// A place without a graph.
    fn nothing() -> Self {
        Self { graph: TabContent::Nothing, busy: None }
    }

    /// What it is called: its prompt, or its file's name.
    pub fn title(&self) -> String {
        match (&self.graph, &self.busy) {
            (_, Some(busy)) => busy.prompt.clone(),
            (TabContent::Circuit { circuit, .. }, None) => circuit.traced.document.origin.prompt.clone(),
            (TabContent::File(path), None) => name_of(path),
            (TabContent::Nothing, None) => String::new(),
        }
    }
}

/// A file's name without its folders.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A ring of graphs, one of which is on the screen.
#[derive(Default)]
pub struct Tabs {
    /// Those after it, in their order; the last one is followed by the first.
    others: VecDeque<Tab>,
    at: usize,
}

impl Tabs {
    /// A ring of the graph on the screen and of others after it.
    pub fn new(others: impl IntoIterator<Item = Tab>) -> Self {
        Self { others: others.into_iter().collect(), at: 0 }
    }

    /// The place of the graph on the screen, from 1, and how many there are; `None` where it is the only one.
    pub fn place(&self) -> Option<(usize, usize)> {
        (!self.others.is_empty()).then(|| (self.at + 1, self.others.len() + 1))
    }

    /// The others, each with the number of turns that lead to it and its place in the ring, from 1.
    pub fn others(&self) -> impl Iterator<Item = (usize, usize, &Tab)> {
        let n = self.others.len() + 1;
        self.others.iter().zip(1..).map(move |(other, turns)| (turns, (self.at + turns) % n + 1, other))
    }

    /// The place of the graph on the screen, from 1.
    pub fn at(&self) -> usize {
        self.at + 1
    }

    /// The one to which so many turns lead.
    pub fn get_mut(&mut self, turns: usize) -> Option<&mut Tab> {
        self.others.get_mut(turns.checked_sub(1)?)
    }

    /// The circuit of this id, and the number of turns that lead to it.
    pub fn circuit(&self, wanted: RequestId) -> Option<(usize, &Circuit)> {
        self.others.iter().zip(1..).find_map(|(other, turns)| match &other.graph {
            TabContent::Circuit { circuit, id, .. } if *id == wanted => Some((turns, circuit.as_ref())),
            _ => None,
        })
    }

    /// Adds a graph that is next to the one on the screen.
    pub fn add(&mut self, new: Tab) {
        self.others.push_front(new);
    }

    /// Gives up the request of another one. A place that has nothing else goes with it.
    pub fn give_up(&mut self, id: RequestId) {
        let Some((place, tab)) = self.traced(id) else { return };
        tab.busy = None;
        if matches!(tab.graph, TabContent::Nothing) {
            let (n, at) = (self.others.len() + 1, self.at);
            self.others.remove((place + n - 2 - at) % n);
            // Those behind it move up.
            self.at -= usize::from(place <= at);
        }
    }

    /// The one that waits for this request, and its place in the ring, from 1.
    pub fn traced(&mut self, id: RequestId) -> Option<(usize, &mut Tab)> {
        let (n, at) = (self.others.len() + 1, self.at);
        let mut others = self.others.iter_mut().zip(1..);
        let is_it = |other: &Tab| other.busy.as_ref().is_some_and(|busy| busy.id == id);
        others.find(|(other, _)| is_it(other)).map(|(other, turns)| ((at + turns) % n + 1, other))
    }

    /// What is under way for the others.
    pub fn busy(&mut self) -> impl Iterator<Item = &mut Busy> {
        self.others.iter_mut().filter_map(|other| other.busy.as_mut())
    }

    /// Whether anything is under way for another one.
    pub fn is_busy(&self) -> bool {
        self.others.iter().any(|other| other.busy.is_some())
    }

    /// Puts `here` aside for the next one, or for the one before; gives it back where it is the only one.
    pub fn turn(&mut self, here: Tab, forward: bool) -> Tab {
        let n = self.others.len() + 1;
        if forward {
            self.others.push_back(here);
            self.at = (self.at + 1) % n;
            self.others.pop_front().unwrap_or_else(Tab::nothing)
        } else {
            self.others.push_front(here);
            self.at = (self.at + n - 1) % n;
            self.others.pop_back().unwrap_or_else(Tab::nothing)
        }
    }

    /// Puts `here` aside for a graph that is new in the ring and comes after it.
    pub fn insert(&mut self, here: Tab) {
        self.others.push_back(here);
        self.at += 1;
    }

    /// Takes the graph on the screen out of the ring; gives the one that takes its place, if there is one.
    pub fn close(&mut self) -> Option<Tab> {
        let next = self.others.pop_front()?;
        // The last one is followed by the first.
        self.at %= self.others.len() + 1;
        Some(next)
    }
}
