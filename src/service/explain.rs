//! Explanations of why features fire or do not: requests and replies.

use crate::attribution::{Engine, Inactive, Probe, Why, firing};
use crate::graph::{FeatureAt, Token};
use crate::ids::Position;
use crate::job::{Cancelled, Monitor};
use crate::service::interventions::CachedBaseline;
use crate::service::labels::shown;
use crate::service::library::{Feature, FeatureSource};
use anyhow::Result;
use std::collections::HashMap;

/// Most features listed.
const LISTED: usize = 100;

/// Search for features that do not fire on a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Position to search; `None` for all.
    pub position: Option<Position>,
    /// Other prompt on which they have to fire at the same token; `None` for no such condition.
    pub fires_in: Option<String>,
}

/// Request to explain features of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainRequest {
    /// Tokens of the prompt.
    pub tokens: Vec<Token>,
    /// Search for features to list, those closest to their threshold first; `None` where there is a list already.
    pub search: Option<Search>,
    /// Feature to explain; `None` for the first of the list.
    pub about: Option<FeatureAt>,
}

/// Reply to an [`ExplainRequest`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExplainReply {
    /// Listed features.
    pub listed: Option<Vec<Inactive>>,
    /// Explanation of the feature; `None` where nothing is listed.
    pub why: Option<Why>,
    /// Labels of the listed features, and of the explained one.
    pub names: HashMap<Feature, String>,
}

impl ExplainReply {
    /// Adds a library's labels of the features. Those of the graph have their labels already, but these need not be in
    /// it.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn named(mut self, knows: Option<&dyn FeatureSource>, monitor: &Monitor) -> Result<Self, Cancelled> {
        let Some(knows) = knows else { return Ok(self) };
        let listed = self.listed.iter().flatten().chain(self.why.iter().map(|why| &why.margin));
        for at in listed.map(|it| it.at) {
            monitor.cancel().check()?;
            let feature = at.layer_and_feature();
            let label = knows.label(feature).or_else(|| knows.read_here(feature).label);
            self.names.extend(label.filter(|label| !label.text.is_empty()).map(|label| (feature, shown(&label))));
        }
        Ok(self)
    }
}

impl CachedBaseline {
    /// Explains features of a prompt.
    ///
    /// # Errors
    /// Fails where a prompt cannot be read, there is no such feature, or the work was stopped.
    pub fn explain(&self, engine: &Engine, request: &ExplainRequest, monitor: &Monitor) -> Result<ExplainReply> {
        let probe = self.probe(engine, &request.tokens, monitor)?;
        let listed = match &request.search {
            None => None,
            Some(Search { position, fires_in }) => {
                let is_wanted = |at: FeatureAt| position.is_none_or(|position| at.position == position);
                Some(closest(engine, &probe, &request.tokens, fires_in.as_deref(), LISTED, is_wanted, monitor)?)
            }
        };
        let first = listed.iter().flatten().next().map(|inactive| inactive.at);
        let why = request.about.or(first).map(|at| probe.why(at, monitor)).transpose()?;
        Ok(ExplainReply { listed, why, ..ExplainReply::default() })
    }
}

/// Finds the `most` inactive features that come closest to firing on `tokens`, which `probe` has run: of those that
/// `is_wanted` accepts, and, with a prompt `fires_in`, of those that fire on it at the same token.
///
/// # Errors
/// Fails where the other prompt cannot be read, or the work was stopped.
pub fn closest(
    engine: &Engine,
    probe: &Probe<'_>,
    tokens: &[Token],
    fires_in: Option<&str>,
    most: usize,
    is_wanted: impl Fn(FeatureAt) -> bool,
    monitor: &Monitor,
) -> Result<Vec<Inactive>> {
    let fires = match fires_in {
        None => None,
        Some(other) => {
            let others = engine.read(other)?;
            Some(firing(&Probe::new(engine, &others, monitor)?, tokens, &others))
        }
    };
    let is_wanted = |at: FeatureAt| is_wanted(at) && fires.as_ref().is_none_or(|fires| fires.contains(&at));
    Ok(probe.closest(most, is_wanted, monitor)?)
}
