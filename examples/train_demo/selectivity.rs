//! What each feature stands for: the places whose sentences it is active on.

use std::collections::HashMap;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use crate::corpus::Sentence;
use crate::corpus::facts::{COUNTRIES, STATES};
use crate::model::{Batch, LAYERS, Llama, WIDTH};
use crate::tokenizer::Vocabulary;
use crate::transcoder::Transcoder;

/// Activations below this share of a feature's maximum are left out of its mass.
const FLOOR: f64 = 0.3;
const CHUNK: usize = 16_384;

/// A layer each: shares of the mass of a feature's activations. [F, places]
pub struct Selectivity {
    shares: Vec<Vec<Vec<f32>>>,
    places: HashMap<&'static str, usize>,
    /// Features never active over the corpus, by layer.
    pub dead: Vec<usize>,
}

impl Selectivity {
    /// Runs the model over the whole corpus.
    pub fn measure(
        model: &Llama,
        transcoder: &Transcoder,
        sentences: &[Sentence],
        vocabulary: &Vocabulary,
    ) -> Result<Self> {
        let places: HashMap<&'static str, usize> =
            STATES.iter().chain(&COUNTRIES).enumerate().map(|(i, place)| (place.name, i)).collect();
        let width = places.len() + 1;
        let mut inputs: Vec<Vec<Tensor>> = vec![Vec::new(); LAYERS];
        let mut place_of_token: Vec<f32> = Vec::new();
        for chunk in sentences.chunks(512) {
            let rows = chunk.iter().map(|s| vocabulary.encode(&s.text)).collect::<Result<Vec<_>>>()?;
            let (_, trace) = model.forward(&Batch::new(&rows)?, &mut |_, _, out| Ok(out.clone()))?;
            let mut kept = Vec::new();
            let mut at = 0;
            for (row, sentence) in rows.iter().zip(chunk) {
                kept.extend((at + 1..at + row.len()).map(|i| i as u32));
                at += row.len();
                let place = sentence.place.map_or(places.len(), |name| places[name]);
                for _ in 1..row.len() {
                    place_of_token.extend((0..width).map(|i| if i == place { 1.0 } else { 0.0 }));
                }
            }
            let kept = Tensor::new(kept, &Device::Cpu)?;
            for (all, x) in inputs.iter_mut().zip(&trace.mlp_in) {
                all.push(x.index_select(&kept, 0)?);
            }
        }
        let count = place_of_token.len() / width;
        let place_of_token = Tensor::from_vec(place_of_token, (count, width), &Device::Cpu)?;
        let mut shares = Vec::new();
        let mut dead = Vec::new();
        for (layer, inputs) in transcoder.layers.iter().zip(inputs) {
            let inputs = Tensor::cat(&inputs, 0)?.reshape((count, WIDTH))?;
            let chunks = || (0..count).step_by(CHUNK).map(|at| (at, CHUNK.min(count - at)));
            let mut highest = Tensor::zeros(layer.encoder.dim(0)?, DType::F32, &Device::Cpu)?;
            for (at, size) in chunks() {
                let activations = layer.encode(&inputs.narrow(0, at, size)?)?;
                highest = highest.maximum(&activations.max(0)?)?;
            }
            let mut mass = Tensor::zeros((layer.encoder.dim(0)?, width), DType::F32, &Device::Cpu)?;
            let floor = (&highest * FLOOR)?;
            for (at, size) in chunks() {
                let activations = layer.encode(&inputs.narrow(0, at, size)?)?;
                let strong = activations.broadcast_gt(&floor)?.to_dtype(DType::F32)?;
                let strong = (activations * strong)?;
                mass = (mass + strong.t()?.matmul(&place_of_token.narrow(0, at, size)?)?)?;
            }
            dead.push(highest.to_vec1::<f32>()?.iter().filter(|&&x| x == 0.0).count());
            let total = (mass.sum_keepdim(1)? + 1e-12)?;
            shares.push(mass.broadcast_div(&total)?.to_vec2()?);
        }
        Ok(Selectivity { shares, places, dead })
    }

    /// The share of a feature's mass that falls on sentences of `place`.
    pub fn share(&self, layer: usize, feature: usize, place: &str) -> f32 {
        self.shares[layer][feature][self.places[place]]
    }
}
