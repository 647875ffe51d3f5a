//! What each feature stands for: the places whose sentences it is active on.

use std::collections::HashMap;

use anyhow::Result;
use candle_core::{DType, Tensor};

use crate::corpus::Sentence;
use crate::corpus::facts::{COUNTRIES, Place, STATES};
use crate::model::{Batch, LAYERS, Llama, WIDTH};
use crate::tokenizer::Vocabulary;
use crate::transcoder::Transcoder;

/// Activations below this share of a feature's maximum are left out of its mass.
const FLOOR: f64 = 0.3;
const CHUNK: usize = 16_384;
/// A feature that stands for a place has at least this share of its mass on it,
pub const PURE: f32 = 0.9;
/// is active on or after at least so many of its cities,
pub const CITIES: usize = 4;
/// and has at most this share of its mass where the capital comes next.
pub const SAYS_CAPITAL: f32 = 0.5;

/// A label of a token, by which the mass of activations is told apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Label {
    /// The sentence is about this place.
    Place(&'static str),
    /// The token is this city or follows it; capitals do not count.
    City(&'static str),
    /// The next word is the capital of this place.
    BeforeCapital(&'static str),
}

/// What the activations of each feature fall on.
pub struct Selectivity {
    /// A layer each: the share of a feature's mass that falls on tokens of each label. [F, labels]
    shares: Vec<Vec<Vec<f32>>>,
    labels: HashMap<Label, usize>,
    /// Features never active over the corpus, by layer.
    pub dead: Vec<usize>,
}

fn places() -> impl Iterator<Item = &'static Place> {
    STATES.iter().chain(&COUNTRIES)
}

fn place(name: &str) -> &'static Place {
    places().find(|place| place.name == name).expect("a sentence is about a place of the tables")
}

/// The labels of each token of a sentence, `<bos>` left out.
fn labels(sentence: &Sentence) -> Vec<Vec<Label>> {
    let words: Vec<&str> = sentence.words().collect();
    let Some(name) = sentence.place else { return vec![Vec::new(); words.len()] };
    let place = place(name);
    let city = words.iter().enumerate().find_map(|(at, word)| Some((at, *place.cities.iter().find(|c| *c == word)?)));
    let of_token = |at: usize| {
        let city = city.filter(|(city_at, _)| *city_at <= at).map(|(_, city)| Label::City(city));
        let says = words.get(at + 1) == Some(&place.capital);
        [Some(Label::Place(name)), city, says.then_some(Label::BeforeCapital(name))].into_iter().flatten().collect()
    };
    (0..words.len()).map(of_token).collect()
}

impl Selectivity {
    /// Runs the model over all sentences that are not held out.
    pub fn measure(
        model: &Llama,
        transcoder: &Transcoder,
        sentences: &[Sentence],
        vocabulary: &Vocabulary,
    ) -> Result<Self> {
        let device = model.device();
        let of_place = |place: &'static Place| {
            let own = [Label::Place(place.name), Label::BeforeCapital(place.name)];
            own.into_iter().chain(place.cities.iter().copied().map(Label::City))
        };
        let numbered: HashMap<Label, usize> = places().flat_map(of_place).enumerate().map(|(i, l)| (l, i)).collect();
        let width = numbered.len();
        let mut inputs: Vec<Vec<Tensor>> = vec![Vec::new(); LAYERS];
        let mut labelled: Vec<f32> = Vec::new();
        let trained: Vec<&Sentence> = sentences.iter().filter(|sentence| !sentence.held_out).collect();
        for chunk in trained.chunks(512) {
            let rows = chunk.iter().map(|s| vocabulary.encode(&s.text)).collect::<Result<Vec<_>>>()?;
            let (_, trace) = model.forward(&Batch::new(&rows, device)?, &mut |_, _, out| Ok(out.clone()))?;
            let mut kept = Vec::new();
            let mut at = 0;
            for (row, sentence) in rows.iter().zip(chunk) {
                kept.extend((at + 1..at + row.len()).map(|i| i as u32));
                at += row.len();
                for labels in labels(sentence) {
                    let start = labelled.len();
                    labelled.resize(start + width, 0.0);
                    labels.iter().for_each(|label| labelled[start + numbered[label]] = 1.0);
                }
            }
            let kept = Tensor::new(kept, device)?;
            for (all, x) in inputs.iter_mut().zip(&trace.mlp_in) {
                all.push(x.index_select(&kept, 0)?);
            }
        }
        let count = labelled.len() / width;
        let labelled = Tensor::from_vec(labelled, (count, width), device)?;
        let mut shares = Vec::new();
        let mut dead = Vec::new();
        for (layer, inputs) in transcoder.layers.iter().zip(inputs) {
            let inputs = Tensor::cat(&inputs, 0)?.reshape((count, WIDTH))?;
            let chunks = || (0..count).step_by(CHUNK).map(|at| (at, CHUNK.min(count - at)));
            let mut highest = Tensor::zeros(layer.encoder.dim(0)?, DType::F32, device)?;
            for (at, size) in chunks() {
                let activations = layer.encode(&inputs.narrow(0, at, size)?)?;
                highest = highest.maximum(&activations.max(0)?)?;
            }
            let mut mass = Tensor::zeros((layer.encoder.dim(0)?, width), DType::F32, device)?;
            let mut total = Tensor::zeros(layer.encoder.dim(0)?, DType::F32, device)?;
            let floor = (&highest * FLOOR)?;
            for (at, size) in chunks() {
                let activations = layer.encode(&inputs.narrow(0, at, size)?)?;
                let strong = activations.broadcast_gt(&floor)?.to_dtype(DType::F32)?;
                let strong = (activations * strong)?;
                mass = (mass + strong.t()?.matmul(&labelled.narrow(0, at, size)?)?)?;
                total = (total + strong.sum(0)?)?;
            }
            dead.push(highest.to_vec1::<f32>()?.iter().filter(|&&x| x == 0.0).count());
            shares.push(mass.broadcast_div(&(total + 1e-12)?.unsqueeze(1)?)?.to_vec2()?);
        }
        Ok(Selectivity { shares, labels: numbered, dead })
    }

    fn of(&self, layer: usize, feature: usize, label: Label) -> f32 {
        self.shares[layer][feature][self.labels[&label]]
    }

    /// The share of a feature's mass that falls on sentences of `place`.
    pub fn share(&self, layer: usize, feature: usize, place: &'static str) -> f32 {
        self.of(layer, feature, Label::Place(place))
    }

    /// Whether a feature stands for `name`: nearly all of its mass falls on that place, several of its cities are among
    /// what it is active on or after, and it is not one that only says the capital.
    pub fn stands_for(&self, layer: usize, feature: usize, name: &'static str) -> bool {
        let cities = place(name).cities.iter().filter(|city| self.of(layer, feature, Label::City(city)) > 0.0);
        self.share(layer, feature, name) >= PURE
            && cities.count() >= CITIES
            && self.of(layer, feature, Label::BeforeCapital(name)) <= SAYS_CAPITAL
    }
}
