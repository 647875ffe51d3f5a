//! What each feature of the demo stands for: the share of its activations, above 30 % of its maximum over the corpus,
//! that falls on sentences about one place.

use crate::corpus::sentences;
use circuitscope::attribution::Engine;
use circuitscope::job::Monitor;
use rayon::prelude::*;
use std::collections::HashMap;

/// Activations below this share of a feature's maximum do not count.
const FLOOR: f32 = 0.3;

/// What the features stand for, by layer and index.
pub struct Selectivity(HashMap<(usize, usize), Mass>);

/// The mass of a feature's activations.
#[derive(Default)]
struct Mass {
    all: f64,
    by_place: HashMap<&'static str, f64>,
}

impl Selectivity {
    /// Runs the model over the whole corpus.
    pub fn measure(engine: &Engine) -> Self {
        let seen: Vec<(usize, usize, f32, Option<&'static str>)> = sentences()
            .into_par_iter()
            .flat_map_iter(|sentence| {
                let capture = engine.capture(&sentence.text, &Monitor::default()).unwrap();
                let place = sentence.place;
                capture.layers.into_iter().enumerate().flat_map(move |(layer, captured)| {
                    captured.active.into_iter().map(move |a| (layer, a.feature as usize, a.activation, place))
                })
            })
            .collect();
        let mut highest: HashMap<(usize, usize), f32> = HashMap::new();
        for (layer, feature, activation, _) in &seen {
            let most = highest.entry((*layer, *feature)).or_default();
            *most = most.max(*activation);
        }
        let mut masses: HashMap<_, Mass> = HashMap::new();
        for (layer, feature, activation, place) in seen {
            if activation <= FLOOR * highest[&(layer, feature)] {
                continue;
            }
            let mass = masses.entry((layer, feature)).or_default();
            mass.all += f64::from(activation);
            if let Some(place) = place {
                *mass.by_place.entry(place).or_default() += f64::from(activation);
            }
        }
        Self(masses)
    }

    /// The share of a feature's mass that falls on sentences of `place`; 0 for a feature that is never active.
    pub fn share(&self, layer: usize, feature: usize, place: &str) -> f64 {
        let mass = self.0.get(&(layer, feature));
        mass.map_or(0.0, |mass| mass.by_place.get(place).copied().unwrap_or(0.0) / mass.all)
    }
}
