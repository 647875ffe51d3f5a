//! The filter that a circuit is seen through.

use crate::graph::query::{Lacking, Query};
use crate::graph::{Edited, Kept, Labels};
use crate::ids::NodeId;
use crate::tui::filter_job::{Filtered, is_about_selection};
use std::sync::Arc;

/// Filter and its result, as far as that is known.
pub struct Filter {
    /// Text as typed.
    pub text: String,
    /// Query that the text was parsed into.
    pub query: Arc<Query>,
    /// True where nodes that do not match are hidden; else they are dimmed.
    pub hides: bool,
    /// True while the filter is put aside.
    pub is_off: bool,
    /// Newest result.
    pub filtered: Option<Arc<Filtered>>,
    /// Inputs of the result that was asked for last.
    asked: Option<About>,
    /// True once that result has arrived.
    answered: bool,
    /// True once the user was told how many nodes match.
    pub told: bool,
}

/// Inputs of a filter's result.
#[derive(Clone)]
pub struct About {
    /// Nodes and edges kept at the thresholds.
    pub kept: Arc<Kept>,
    /// Labels of the graph's file and of the library.
    pub labels: Arc<Labels>,
    /// The user's edits to the graph.
    pub edited: Edited,
    /// The selected node.
    pub selected: NodeId,
    /// Number of features whose promoted tokens are known.
    pub written: usize,
}

impl Filter {
    /// Creates a filter without a result.
    pub fn new(text: String, query: Query, hides: bool) -> Self {
        Self {
            text,
            query: Arc::new(query),
            hides,
            is_off: false,
            filtered: None,
            asked: None,
            answered: false,
            told: false,
        }
    }

    /// Returns true where the result has to be asked for with these inputs, and takes note that it is.
    pub fn ask(&mut self, about: &About) -> bool {
        let anew = self.asked.as_ref().is_none_or(|asked| self.differs(asked, about));
        if anew {
            self.asked = Some(about.clone());
            self.answered = false;
        }
        anew
    }

    fn differs(&self, asked: &About, about: &About) -> bool {
        let moved = asked.selected != about.selected && is_about_selection(self.query.expr());
        // Promoted tokens arrive one by one: each waits for the result with those before.
        let learned = self.answered && self.lacks(Lacking::PromotedTokens) && asked.written != about.written;
        let named = !Arc::ptr_eq(&asked.labels, &about.labels);
        moved || learned || named || !Arc::ptr_eq(&asked.kept, &about.kept) || asked.edited != about.edited
    }

    /// Takes the result; returns true where it is still asked for.
    pub fn take(&mut self, filtered: &Arc<Filtered>) -> bool {
        let is_asked = self.asked.is_some();
        if is_asked {
            self.filtered = Some(Arc::clone(filtered));
            self.answered = true;
        }
        is_asked
    }

    /// Forgets the result, which is of another graph.
    pub fn forget(&mut self) {
        self.filtered = None;
        self.ask_anew();
    }

    /// Lets the result be asked for again: it may have been missed.
    pub fn ask_anew(&mut self) {
        self.asked = None;
        self.answered = false;
    }

    /// Returns true where the last result lacked data of this kind.
    pub fn lacks(&self, what: Lacking) -> bool {
        self.filtered.as_ref().is_some_and(|filtered| filtered.matches.lacking.contains(&what))
    }

    /// Returns true where the filter hides nodes.
    pub fn is_hiding(&self) -> bool {
        self.hides && !self.is_off && self.filtered.is_some()
    }

    /// Returns true where the filter dims a node.
    pub fn dims(&self, node: NodeId) -> bool {
        let filtered = self.filtered.as_ref().filter(|_| !self.is_off && !self.hides);
        filtered.is_some_and(|filtered| !filtered.matches.has_node(node))
    }

    /// Returns the part of `kept` that is shown: all of it where the filter does not hide.
    pub fn shown(&self, kept: &Arc<Kept>) -> Arc<Kept> {
        match &self.filtered {
            Some(filtered) if self.is_hiding() => Arc::clone(&filtered.left),
            _ => Arc::clone(kept),
        }
    }
}
