//! What each feature of the demo stands for: the share of its activations, above 30 % of its maximum over the corpus,
//! that falls on sentences about one place, and the cities that these are on or follow.

use crate::corpus::facts::{COUNTRIES, Place, STATES};
use crate::corpus::{Sentence, sentences, unknown_cities};
use circuitscope::attribution::Engine;
use circuitscope::graph::FeatureAt;
use circuitscope::job::Monitor;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// Activations below this share of a feature's maximum do not count.
const FLOOR: f32 = 0.3;
/// A feature that stands for a place has at least this share of its mass on it,
const PURE: f64 = 0.9;
/// is active on or after at least so many of its cities,
const CITIES: usize = 4;
/// and has at most this share of its mass where the capital comes next.
const SAYS_CAPITAL: f64 = 0.5;

/// What the features stand for, by layer and index.
pub struct Selectivity(HashMap<(usize, usize), Mass>);

/// The mass of a feature's activations.
#[derive(Default)]
struct Mass {
    all: f64,
    by_place: HashMap<&'static str, f64>,
    before_capital: f64,
    /// Cities that it is active on or after, capitals left out.
    cities: BTreeSet<&'static str>,
}

/// What there is to say about a token of a sentence about a place.
#[derive(Clone, Copy)]
struct Spot {
    place: &'static str,
    /// The city that the token is or follows.
    city: Option<&'static str>,
    before_capital: bool,
}

/// Returns the spots of a sentence's tokens, `<bos>` first; empty where the sentence is about no place.
fn spots(sentence: &Sentence) -> Vec<Spot> {
    let is_about = |place: &&Place| Some(place.name) == sentence.place;
    let Some(place) = STATES.iter().chain(&COUNTRIES).find(is_about) else { return Vec::new() };
    let words: Vec<&str> = ["<bos>"].into_iter().chain(sentence.words()).collect();
    let mut city = None;
    let spot = |(at, word): (usize, &&str)| {
        city = place.cities.iter().copied().find(|city| city == word).or(city);
        Spot { place: place.name, city, before_capital: words.get(at + 1) == Some(&place.capital) }
    };
    words.iter().enumerate().map(spot).collect()
}

impl Selectivity {
    /// Returns that of the demo's features; measures it once.
    pub fn of_demo() -> &'static Self {
        static MEASURED: LazyLock<Selectivity> = LazyLock::new(|| Selectivity::measure(&crate::engine()));
        &MEASURED
    }

    /// Runs the model over all sentences that are not held out.
    fn measure(engine: &Engine) -> Self {
        let seen: Vec<(usize, usize, f32, Option<Spot>)> = [sentences(), unknown_cities()]
            .concat()
            .into_par_iter()
            .filter(|sentence| !sentence.held_out)
            .flat_map_iter(|sentence| {
                let capture = engine.capture(&sentence.text, &Monitor::default()).unwrap();
                let spots = spots(&sentence);
                let layers = capture.layers.into_iter().enumerate();
                let active = layers.flat_map(|(layer, captured)| captured.active.into_iter().map(move |a| (layer, a)));
                let spot = move |position: u32| spots.get(position as usize).copied();
                active.map(move |(layer, a)| (layer, a.feature as usize, a.activation, spot(a.position)))
            })
            .collect();
        let mut highest: HashMap<(usize, usize), f32> = HashMap::new();
        for (layer, feature, activation, _) in &seen {
            let most = highest.entry((*layer, *feature)).or_default();
            *most = most.max(*activation);
        }
        let mut masses: HashMap<_, Mass> = HashMap::new();
        for (layer, feature, activation, spot) in seen {
            if activation <= FLOOR * highest[&(layer, feature)] {
                continue;
            }
            let mass = masses.entry((layer, feature)).or_default();
            mass.all += f64::from(activation);
            if let Some(spot) = spot {
                *mass.by_place.entry(spot.place).or_default() += f64::from(activation);
                mass.cities.extend(spot.city);
                mass.before_capital += if spot.before_capital { f64::from(activation) } else { 0.0 };
            }
        }
        Self(masses)
    }

    /// The share of a feature's mass that falls on sentences of `place`; 0 for a feature that is never active.
    pub fn share(&self, layer: usize, feature: usize, place: &str) -> f64 {
        let mass = self.0.get(&(layer, feature));
        mass.map_or(0.0, |mass| mass.by_place.get(place).copied().unwrap_or(0.0) / mass.all)
    }

    /// Whether a feature stands for `place`: nearly all of its mass falls on that place, several of its cities are among
    /// what it is active on or after, and it is not one that only says the capital.
    pub fn stands_for(&self, at: FeatureAt, place: &str) -> bool {
        let key = (at.layer().index(), at.feature.index());
        let own = |city: &&&str| STATES.iter().chain(&COUNTRIES).any(|p| p.name == place && p.cities.contains(city));
        self.share(key.0, key.1, place) >= PURE
            && self.0.get(&key).is_some_and(|mass| {
                mass.cities.iter().filter(own).count() >= CITIES && mass.before_capital <= SAYS_CAPITAL * mass.all
            })
    }
}
