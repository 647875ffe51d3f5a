//! Why features fire or do not: what is asked of the model, and what it says.

use crate::attribution::{Inactive, Why};
use crate::graph::{FeatureAt, Token};
use crate::ids::Position;

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
}
