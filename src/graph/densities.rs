//! Densities of features, where a feature store gives them.

use crate::graph::{Node, NodeKind};
use crate::ids::{FeatureId, Layer};
use std::collections::HashMap;

/// Share of all tokens of a corpus on which each feature fires, in `0..=1`, from a feature store; of a feature that is
/// not in it, the density is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Densities(HashMap<(Layer, FeatureId), f32>);

impl Densities {
    /// Returns a feature's density.
    pub fn of(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        self.0.get(&(layer, feature)).copied()
    }

    /// Returns true where no density is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records a feature's density.
    pub fn note(&mut self, (layer, feature): (Layer, FeatureId), density: f32) {
        self.0.insert((layer, feature), density);
    }

    /// Returns true where a node is a feature of a known density above `most`.
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
