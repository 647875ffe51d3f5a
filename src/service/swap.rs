//! Swaps of a position's features for another prompt's.

use crate::attribution::Engine;
use crate::graph::{Action, Intervention, Positions, Site};
use crate::ids::{FeatureId, Layer, Position};
use crate::intervention::{Baseline, donors, sites_at};
use crate::job::Monitor;
use anyhow::{Context, Result, anyhow, bail};
use std::str::FromStr;

/// Swap as it is typed: `POS=PROMPT[@POS]`, or of a few features `POS[LAYER:FEATURE,...]=PROMPT[@POS]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Swap {
    text: String,
    position: i32,
    /// Features to swap; all where there are none.
    only: Vec<(Layer, FeatureId)>,
    prompt: String,
    from: Option<i32>,
}

impl FromStr for Swap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, prompt) = text.split_once('=').ok_or("it has to be POSITION=PROMPT or POSITION=PROMPT@POSITION")?;
        let (position, list) = match place.strip_suffix(']').and_then(|place| place.split_once('[')) {
            Some((position, list)) => (position, list.split(',').collect()),
            None => (place, Vec::new()),
        };
        let only = list.into_iter().map(|feature| match feature.parse()? {
            Site { layer, feature, positions: Positions::All } => Ok((layer, feature)),
            Site { .. } => Err("a feature of the list has to be LAYER:FEATURE".to_owned()),
        });
        let only = only.collect::<Result<_, String>>()?;
        let position = position.parse().map_err(|_| format!("{position:?} is no position"))?;
        let at = prompt.rsplit_once('@').and_then(|(prompt, at)| Some((prompt, at.parse().ok()?)));
        let (prompt, from) = at.map_or((prompt, None), |(prompt, at)| (prompt, Some(at)));
        Ok(Self { text: text.to_owned(), position, only, prompt: prompt.to_owned(), from })
    }
}

impl Swap {
    /// Returns the intervention, on the prompt of `base`.
    ///
    /// # Errors
    /// Fails where the other prompt cannot be read, there is no such position or feature, or the work was stopped.
    pub fn on(&self, engine: &Engine, base: &Baseline, monitor: &Monitor) -> Result<Intervention> {
        let other = engine.capture(&self.prompt, monitor)?;
        let to = place(self.position, base.capture.n_positions())?;
        let from = place(self.from.unwrap_or(self.position), other.n_positions()).context("of the other prompt")?;
        let taken = |layer, feature| self.only.is_empty() || self.only.contains(&(layer, feature));
        let mut sites = sites_at(&base.capture, to);
        sites.retain(|site| taken(site.layer, site.feature));
        let mut features = donors(&other, from, to);
        features.retain(|donor| taken(donor.at.layer, donor.at.feature));
        if sites.is_empty() && features.is_empty() {
            bail!("swap {:?}: no such feature is active there, in neither prompt", self.text);
        }
        let action = Action::Swap { features, factor: 1.0 };
        Ok(Intervention { name: format!("swap {}", self.text), sites, action, muted: false })
    }
}

/// Returns a position of a prompt of `count` tokens.
fn place(position: i32, count: usize) -> Result<Position> {
    let counted = if position < 0 { i64::from(position) + count as i64 } else { i64::from(position) };
    let there = usize::try_from(counted).ok().filter(|at| *at < count);
    let there = there.ok_or_else(|| anyhow!("position {position} is not there: the prompt has {count} tokens"))?;
    Ok(Position::from(there))
}
