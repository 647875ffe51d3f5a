//! Why features fire or do not: what is asked of the model, and what it says.

use crate::attribution::{Inactive, Why};
use crate::graph::{FeatureAt, Token};
use crate::ids::Position;
use crate::job::{Cancelled, Monitor};
use crate::tui::features::{Feature, Knows};
use crate::tui::survey::shown;
use std::collections::HashMap;

/// Features listed at most.
pub const LISTED: usize = 100;

/// Features that do not fire on a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Only at this position; `None` for all.
    pub position: Option<Position>,
    /// Only those that fire on this other prompt, at the same token; `None` for all.
    pub fires_in: Option<String>,
}

/// A question about features of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Inquiry {
    /// The prompt.
    pub tokens: Vec<Token>,
    /// What is to be listed, those closest to their threshold first; `None` where there is a list already.
    pub search: Option<Search>,
    /// Of which feature it is asked why it fires or does not; `None` for the first of the list.
    pub about: Option<FeatureAt>,
}

/// The answer to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// What was to be listed.
    pub listed: Option<Vec<Inactive>>,
    /// Why the feature fires or does not; `None` where nothing is listed.
    pub why: Option<Why>,
    /// What the listed features are called, and the one that was asked about.
    pub names: HashMap<Feature, String>,
}

impl Reply {
    /// The same, with what a library calls the features: those of the graph have their names already, these need not be
    /// in it.
    ///
    /// # Errors
    /// The work was stopped.
    pub fn named(mut self, knows: Option<&dyn Knows>, monitor: &Monitor) -> Result<Self, Cancelled> {
        let Some(knows) = knows else { return Ok(self) };
        let listed = self.listed.iter().flatten().chain(self.why.iter().map(|why| &why.margin));
        for at in listed.map(|it| it.at) {
            monitor.cancel().check()?;
            let feature = (at.layer, at.feature);
            let label = knows.label(feature).or_else(|| knows.read_here(feature).label);
            self.names.extend(label.filter(|label| !label.text.is_empty()).map(|label| (feature, shown(&label))));
        }
        Ok(self)
    }
}
