//! The filter that a circuit is seen through.

use crate::graph::query::{Lacking, Query};
use crate::graph::{Edited, Kept, Labels};
use crate::ids::NodeId;
use crate::tui::filter_job::{Filtered, is_about_selection};
use std::sync::Arc;

/// A filter and what it lets through, as far as that is known.
pub struct Filter {
    /// As it was typed.
    pub text: String,
    /// What it says.
    pub query: Arc<Query>,
    /// Whether what does not match is hidden; else it stands back.
    pub hides: bool,
    /// Whether it is put aside for a while.
    pub is_off: bool,
    /// The newest answer.
    pub filtered: Option<Arc<Filtered>>,
    /// What was asked about last.
    asked: Option<About>,
    /// Whether that question has its answer.
    answered: bool,
    /// Whether the person was told what it lets through.
    pub told: bool,
}

/// What an answer depends on.
#[derive(Clone)]
pub struct About {
    /// What is kept at the thresholds.
    pub kept: Arc<Kept>,
    /// Labels of the graph's file and of the library.
    pub labels: Arc<Labels>,
    /// What the person did to the graph.
    pub edited: Edited,
    /// The selected node.
    pub selected: NodeId,
    /// Of how many features it is known what they write.
    pub written: usize,
}

impl Filter {
    /// A filter that has let nothing through yet.
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

    /// Whether it has to be asked anew about this; takes note that it is.
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
        // What features write comes in one by one: each waits for the answer about the one before.
        let learned = self.answered && self.lacks(Lacking::PromotedTokens) && asked.written != about.written;
        let named = !Arc::ptr_eq(&asked.labels, &about.labels);
        moved || learned || named || !Arc::ptr_eq(&asked.kept, &about.kept) || asked.edited != about.edited
    }

    /// Takes the answer; whether it is still asked for.
    pub fn take(&mut self, filtered: &Arc<Filtered>) -> bool {
        let is_asked = self.asked.is_some();
        if is_asked {
            self.filtered = Some(Arc::clone(filtered));
            self.answered = true;
        }
        is_asked
    }

    /// Forgets its answers, which are about another graph.
    pub fn forget(&mut self) {
        self.filtered = None;
        self.ask_anew();
    }

    /// Lets the newest question be asked again: its answer may have been missed.
    pub fn ask_anew(&mut self) {
        self.asked = None;
        self.answered = false;
    }

    /// Whether something that it needs was not known at the last answer.
    pub fn lacks(&self, what: Lacking) -> bool {
        self.filtered.as_ref().is_some_and(|filtered| filtered.matches.lacking.contains(&what))
    }

    /// Whether it hides something.
    pub fn is_hiding(&self) -> bool {
        self.hides && !self.is_off && self.filtered.is_some()
    }

    /// Whether it makes a node stand back.
    pub fn dims(&self, node: NodeId) -> bool {
        let filtered = self.filtered.as_ref().filter(|_| !self.is_off && !self.hides);
        filtered.is_some_and(|filtered| !filtered.matches.has_node(node))
    }

    /// What is shown of what is kept: all of it where nothing is hidden.
    pub fn shown(&self, kept: &Arc<Kept>) -> Arc<Kept> {
        match &self.filtered {
            Some(filtered) if self.is_hiding() => Arc::clone(&filtered.left),
            _ => Arc::clone(kept),
        }
    }
}
