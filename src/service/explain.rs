//! Why features fire or do not: what is asked of the model, and what it says.

use crate::attribution::{Engine, Inactive, Probe, Why, firing};
use crate::graph::{FeatureAt, Token};
use crate::ids::Position;
use crate::job::{Cancelled, Monitor};
use crate::service::interventions::CachedBaseline;
use crate::service::labels::shown;
use crate::service::library::{Feature, FeatureSource};
use anyhow::Result;
use std::collections::HashMap;

/// Features listed at most.
const LISTED: usize = 100;

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
pub struct ExplainRequest {
    /// The prompt.
    pub tokens: Vec<Token>,
    /// What is to be listed, those closest to their threshold first; `None` where there is a list already.
    pub search: Option<Search>,
    /// Of which feature it is asked why it fires or does not; `None` for the first of the list.
    pub about: Option<FeatureAt>,
}

/// The answer to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExplainReply {
    /// What was to be listed.
    pub listed: Option<Vec<Inactive>>,
    /// Why the feature fires or does not; `None` where nothing is listed.
    pub why: Option<Why>,
    /// What the listed features are called, and the one that was asked about.
    pub names: HashMap<Feature, String>,
}

impl ExplainReply {
    /// The same, with what a library calls the features: those of the graph have their names already, these need not be
    /// in it.
    ///
    /// # Errors
    /// The work was stopped.
    pub fn named(mut self, knows: Option<&dyn FeatureSource>, monitor: &Monitor) -> Result<Self, Cancelled> {
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

impl CachedBaseline {
    /// Explains features of a prompt.
    ///
    /// # Errors
    /// A prompt cannot be read, there is no such feature, or the work was stopped.
    pub fn explain(&self, engine: &Engine, request: &ExplainRequest, monitor: &Monitor) -> Result<ExplainReply> {
        let base = self.baseline(engine, &request.tokens, monitor)?;
        let probe = Probe::of(engine, base.capture.clone(), monitor)?;
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

/// Finds the `most` features that come closest to firing on `tokens`, which `probe` has run, and do not: of those that are
/// wanted, and where a prompt `fires_in` is given, of those that fire on it at the same token.
///
/// # Errors
/// The other prompt cannot be read, or the work was stopped.
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
