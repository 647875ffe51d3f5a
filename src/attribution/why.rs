//! Why a feature fires, or does not: what pushes its pre-activation up, and what holds it down.

use crate::attribution::{Asked, Inactive, Probe, ProbeRow, Source, TraceError};
use crate::graph::{FeatureAt, Token, align};
use crate::job::Monitor;
use std::collections::HashSet;

/// Why a feature is as active as it is. What pushes up, what holds down and the constants add up to the pre-activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The feature, and by how much it misses what it has to exceed; above 0 where it exceeds that.
    pub margin: Inactive,
    /// Whether it fires.
    pub active: bool,
    /// What flows from constants: biases and zeroed positions.
    pub constant: f32,
    /// The direct effects that are not 0.
    pub effects: Vec<(Source, f32)>,
}

impl Probe<'_> {
    /// Why a feature fires, or does not.
    ///
    /// # Errors
    /// As [`Probe::row`].
    pub fn why(&self, at: FeatureAt, monitor: &Monitor) -> Result<Why, TraceError> {
        let ProbeRow { constant, effects, .. } = self.row(Asked::Feature(at), monitor)?;
        let (margin, active) = self.margin(at, monitor)?;
        let effects = effects.into_iter().enumerate().filter(|(_, effect)| *effect != 0.0);
        let effects = effects.map(|(column, effect)| (self.source(column), effect)).collect();
        Ok(Why { margin, active, constant, effects })
    }
}

impl Why {
    /// Those that push up (`sign` 1) or hold down (`sign` -1): at most `most`, the strongest first.
    pub fn strongest(&self, sign: f32, most: usize) -> Vec<(Source, f32)> {
        let mut some: Vec<_> = self.effects.iter().copied().filter(|(_, effect)| sign * effect > 0.0).collect();
        some.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        some.truncate(most);
        some
    }

    /// The sum of all that push up (`sign` 1) or hold down (`sign` -1), with its own sign.
    pub fn sum(&self, sign: f32) -> f64 {
        let effects = self.effects.iter().filter(|(_, effect)| sign * effect > 0.0);
        effects.map(|(_, effect)| f64::from(*effect)).sum()
    }
}

/// The features that fire on another prompt, `other` of the tokens `others`, where they would stand in that of `tokens`.
pub fn firing(other: &Probe<'_>, tokens: &[Token], others: &[Token]) -> HashSet<FeatureAt> {
    let aligned = align(tokens, others);
    let here = |at: &FeatureAt| aligned[at.position.index()].map(|place| FeatureAt { position: place.into(), ..*at });
    other.active().iter().filter_map(here).collect()
}
