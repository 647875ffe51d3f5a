//! Explanation of a feature's pre-activation: the direct effects that raise it and those that lower it.

use crate::attribution::{Asked, Inactive, Probe, ProbeRow, Source, TraceError};
use crate::graph::{FeatureAt, Token, align};
use crate::job::Monitor;
use std::collections::HashSet;

/// Explanation of a feature's pre-activation, which is the sum of all effects and the constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// Feature and its distance from the threshold; above 0 where it exceeds that.
    pub margin: Inactive,
    /// True where it is active.
    pub active: bool,
    /// Sum of what flows from constants: biases and zeroed positions.
    pub constant: f32,
    /// Direct effects that are not 0.
    pub effects: Vec<(Source, f32)>,
}

impl Probe<'_> {
    /// Explains why a feature is active, or is not.
    ///
    /// # Errors
    /// Fails as [`Probe::row`] does.
    pub fn why(&self, at: FeatureAt, monitor: &Monitor) -> Result<Why, TraceError> {
        let ProbeRow { constant, effects, .. } = self.row(Asked::Feature(at), monitor)?;
        let (margin, active) = self.margin(at, monitor)?;
        let effects = effects.into_iter().enumerate().filter(|(_, effect)| *effect != 0.0);
        let effects = effects.map(|(column, effect)| (self.source(column), effect)).collect();
        Ok(Why { margin, active, constant, effects })
    }
}

impl Why {
    /// Returns the effects that raise (`sign` 1) or lower (`sign` -1) the pre-activation: at most `most`, the strongest
    /// first.
    pub fn strongest(&self, sign: f32, most: usize) -> Vec<(Source, f32)> {
        let mut some: Vec<_> = self.effects.iter().copied().filter(|(_, effect)| sign * effect > 0.0).collect();
        some.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        some.truncate(most);
        some
    }

    /// Returns the sum of all effects that raise (`sign` 1) or lower (`sign` -1) it, with its own sign.
    pub fn sum(&self, sign: f32) -> f64 {
        let effects = self.effects.iter().filter(|(_, effect)| sign * effect > 0.0);
        effects.map(|(_, effect)| f64::from(*effect)).sum()
    }
}

/// Returns the active features of another prompt, `other` of the tokens `others`, at their places in the prompt of
/// `tokens`.
pub fn firing(other: &Probe<'_>, tokens: &[Token], others: &[Token]) -> HashSet<FeatureAt> {
    let aligned = align(tokens, others);
    let here = |at: &FeatureAt| aligned[at.position.index()].map(|place| FeatureAt { position: place.into(), ..*at });
    other.active().iter().filter_map(here).collect()
}
