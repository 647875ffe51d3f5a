//! How often features fire at all, where somebody knows it.

use crate::graph::{Node, NodeKind};
use crate::ids::{FeatureId, Layer};
use std::collections::HashMap;

/// The share of all tokens of a corpus on which features fire, each in `0..=1`. Whoever has a feature store fills it; a
/// feature that is not in it is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Densities(HashMap<(Layer, FeatureId), f32>);

impl Densities {
    /// How often a feature fires.
    pub fn of(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        self.0.get(&(layer, feature)).copied()
    }

    /// Whether nothing is known of any feature.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes note of how often a feature fires.
    pub fn note(&mut self, (layer, feature): (Layer, FeatureId), density: f32) {
        self.0.insert((layer, feature), density);
    }

    /// Whether a node is a feature that is known to fire more often than `most`.
    pub(super) fn exceeds(&self, node: &Node, most: f64) -> bool {
        let density = match node.kind {
            NodeKind::Feature { layer, feature, .. } => self.of(layer, feature),
            _ => None,
        };
        density.is_some_and(|density| f64::from(density) > most)
    }
}

impl FromIterator<((Layer, FeatureId), f32)> for Densities {
    fn from_iter<I: IntoIterator<Item = ((Layer, FeatureId), f32)>>(known: I) -> Self {
        Self(known.into_iter().collect())
    }
}
