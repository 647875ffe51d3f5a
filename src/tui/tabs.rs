//! Open graphs that are not on the screen.

use crate::tui::app::Busy;
use crate::tui::circuit::Circuit;
use crate::tui::runtime::jobs::RequestId;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Graph that is put aside.
pub struct Tab {
    /// Content of the tab.
    pub graph: TabContent,
    /// Trace of the graph that is under way.
    pub busy: Option<Busy>,
}

/// Content of a tab that is put aside.
pub enum TabContent {
    /// Circuit with its whole state.
    Circuit {
        /// The circuit.
        circuit: Box<Circuit>,
        /// Id of the graph.
        id: RequestId,
        /// True where its thresholds changed and it was not pruned at them yet.
        prunes: bool,
    },
    /// File that is opened when the tab is turned to.
    File(PathBuf),
    /// Nothing: the trace failed, or has no graph yet.
    Nothing,
}

impl Tab {
    /// Creates the tab of a file that is opened when it is turned to.
    pub fn file(path: PathBuf) -> Self {
        Self { graph: TabContent::File(path), busy: None }
    }

    /// Creates a tab without a graph.
    fn nothing() -> Self {
        Self { graph: TabContent::Nothing, busy: None }
    }

    /// Returns the title: the prompt, or the file's name.
    pub fn title(&self) -> String {
        match (&self.graph, &self.busy) {
            (_, Some(busy)) => busy.prompt.clone(),
            (TabContent::Circuit { circuit, .. }, None) => circuit.traced.document.origin.prompt.clone(),
            (TabContent::File(path), None) => name_of(path),
            (TabContent::Nothing, None) => String::new(),
        }
    }
}

/// Returns a file's name without its folders.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Ring of graphs, one of which is on the screen.
#[derive(Default)]
pub struct Tabs {
    /// Graphs after the one on the screen, in their order; the last one is followed by the first.
    others: VecDeque<Tab>,
    at: usize,
}

impl Tabs {
    /// Creates a ring of the graph on the screen and of others after it.
    pub fn new(others: impl IntoIterator<Item = Tab>) -> Self {
        Self { others: others.into_iter().collect(), at: 0 }
    }

    /// Returns the place of the graph on the screen, from 1, and how many there are; `None` where it is the only one.
    pub fn place(&self) -> Option<(usize, usize)> {
        (!self.others.is_empty()).then(|| (self.at + 1, self.others.len() + 1))
    }

    /// Iterates over the other graphs, each with the number of turns that lead to it and its place in the ring, from 1.
    pub fn others(&self) -> impl Iterator<Item = (usize, usize, &Tab)> {
        let n = self.others.len() + 1;
        self.others.iter().zip(1..).map(move |(other, turns)| (turns, (self.at + turns) % n + 1, other))
    }

    /// Returns the place of the graph on the screen, from 1.
    pub fn at(&self) -> usize {
        self.at + 1
    }

    /// Returns the graph to which so many turns lead.
    pub fn get_mut(&mut self, turns: usize) -> Option<&mut Tab> {
        self.others.get_mut(turns.checked_sub(1)?)
    }

    /// Returns the circuit of this id, and the number of turns that lead to it.
    pub fn circuit(&self, wanted: RequestId) -> Option<(usize, &Circuit)> {
        self.others.iter().zip(1..).find_map(|(other, turns)| match &other.graph {
            TabContent::Circuit { circuit, id, .. } if *id == wanted => Some((turns, circuit.as_ref())),
            _ => None,
        })
    }

    /// Adds a graph right after the one on the screen.
    pub fn add(&mut self, new: Tab) {
        self.others.push_front(new);
    }

    /// Gives up the request of another graph. A tab that has nothing else is removed.
    pub fn give_up(&mut self, id: RequestId) {
        let Some((place, tab)) = self.traced(id) else { return };
        tab.busy = None;
        if matches!(tab.graph, TabContent::Nothing) {
            let (n, at) = (self.others.len() + 1, self.at);
            self.others.remove((place + n - 2 - at) % n);
            // The tabs behind it move up.
            self.at -= usize::from(place <= at);
        }
    }

    /// Returns the tab that waits for this request, and its place in the ring, from 1.
    pub fn traced(&mut self, id: RequestId) -> Option<(usize, &mut Tab)> {
        let (n, at) = (self.others.len() + 1, self.at);
        let mut others = self.others.iter_mut().zip(1..);
        let is_it = |other: &Tab| other.busy.as_ref().is_some_and(|busy| busy.id == id);
        others.find(|(other, _)| is_it(other)).map(|(other, turns)| ((at + turns) % n + 1, other))
    }

    /// Iterates over the work under way for the other graphs.
    pub fn busy(&mut self) -> impl Iterator<Item = &mut Busy> {
        self.others.iter_mut().filter_map(|other| other.busy.as_mut())
    }

    /// Returns true where work is under way for another graph.
    pub fn is_busy(&self) -> bool {
        self.others.iter().any(|other| other.busy.is_some())
    }

    /// Puts `here` aside, and returns the next tab or the one before; returns `here` where it is the only one.
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

    /// Removes the graph on the screen from the ring; returns the tab that takes its place, if there is one.
    pub fn close(&mut self) -> Option<Tab> {
        let next = self.others.pop_front()?;
        // The last one is followed by the first.
        self.at %= self.others.len() + 1;
        Some(next)
    }
}
