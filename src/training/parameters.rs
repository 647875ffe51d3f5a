//! Weights of one layer of a transcoder, its features reading and writing normalised streams.

use crate::training::arithmetic::squares;
use crate::training::random::Random;
use crate::training::settings::{Activation, Settings, TranscoderKind};

/// Threshold of a fresh JumpReLU.
const FIRST_THRESHOLD: f32 = 0.1;

/// Length of a fresh decoder where lengths are free.
const FIRST_LENGTH: f32 = 0.3;

/// Numbers for each weight of a layer: the weights themselves, their gradients, or their moments. `F` features, width
/// `d`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameters {
    /// `[F, d]`
    pub encoder: Vec<f32>,
    /// `[F]`
    pub encoder_bias: Vec<f32>,
    /// Decoder into each layer that is written into, its own first, `[F, d]` each.
    pub decoders: Vec<Vec<f32>>,
    /// `[d]`
    pub decoder_bias: Vec<f32>,
    /// Logarithms of the thresholds, `[F]`; empty without.
    pub log_threshold: Vec<f32>,
    /// Linear map from input to output, `[d out, d in]`; empty without.
    pub skip: Vec<f32>,
}

/// Number of a transcoder's feature and width, and what its layers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub n_features: usize,
    pub width: usize,
    /// Number of layers that a feature writes into.
    pub reach: usize,
    pub has_thresholds: bool,
    pub has_skip: bool,
}

impl Shape {
    /// Returns the shape of the `nth` trained layer.
    pub fn new(settings: &Settings, nth: usize, width: usize) -> Self {
        let reach = match settings.kind {
            TranscoderKind::Plt => 1,
            TranscoderKind::Clt => settings.layers.len() - nth,
        };
        Self {
            n_features: settings.features,
            width,
            reach,
            has_thresholds: settings.activation == Activation::JumpRelu,
            has_skip: settings.skip,
        }
    }

    /// Returns the number of weights.
    pub fn n_weights(self) -> usize {
        let Self { n_features, width, reach, has_thresholds, has_skip } = self;
        let optional = usize::from(has_thresholds) * n_features + usize::from(has_skip) * width * width;
        n_features * width * (1 + reach) + n_features + width + optional
    }
}

impl Parameters {
    /// Creates zeros.
    pub fn zeros(shape: Shape) -> Self {
        let Shape { n_features, width, reach, .. } = shape;
        let zeros = |n: usize| vec![0.0; n];
        Self {
            encoder: zeros(n_features * width),
            encoder_bias: zeros(n_features),
            decoders: vec![zeros(n_features * width); reach],
            decoder_bias: zeros(width),
            log_threshold: zeros(if shape.has_thresholds { n_features } else { 0 }),
            skip: zeros(if shape.has_skip { width * width } else { 0 }),
        }
    }

    /// Draws fresh weights: decoders of random directions, the encoder as the own layer's decoder, of rows of length 1,
    /// and the mean output as the decoder's bias.
    pub fn fresh(shape: Shape, settings: &Settings, layer: usize, mean: &[f32]) -> Self {
        let Shape { n_features, width, .. } = shape;
        let mut random = Random::new(settings.seed, 1 + layer as u64);
        let mut fresh = Self::zeros(shape);
        fresh.encoder.fill_with(|| random.normal());
        for row in fresh.encoder.chunks_mut(width) {
            let length = squares(row).sqrt() as f32;
            row.iter_mut().for_each(|x| *x /= length);
        }
        let length = if settings.has_unit_decoders() { 1.0 } else { FIRST_LENGTH };
        fresh.decoders[0] = fresh.encoder.iter().map(|x| x * length).collect();
        fresh.decoder_bias.copy_from_slice(mean);
        fresh.log_threshold.fill(FIRST_THRESHOLD.ln());
        if settings.has_unit_decoders() {
            fresh.normalize_decoders(n_features);
        }
        fresh
    }

    /// Returns all numbers, part by part, in a fixed order.
    pub fn parts(&self) -> Vec<&[f32]> {
        let Self { encoder, encoder_bias, decoders, decoder_bias, log_threshold, skip } = self;
        let decoders = decoders.iter().map(Vec::as_slice);
        [&encoder[..], encoder_bias]
            .into_iter()
            .chain(decoders)
            .chain([&decoder_bias[..], log_threshold, skip])
            .collect()
    }

    /// Returns all numbers to be changed, in the order of [`Parameters::parts`].
    pub fn parts_mut(&mut self) -> Vec<&mut [f32]> {
        let Self { encoder, encoder_bias, decoders, decoder_bias, log_threshold, skip } = self;
        let decoders = decoders.iter_mut().map(Vec::as_mut_slice);
        let first: [&mut [f32]; 2] = [encoder, encoder_bias];
        let last: [&mut [f32]; 3] = [decoder_bias, log_threshold, skip];
        first.into_iter().chain(decoders).chain(last).collect()
    }

    /// Returns the length of each feature's decoder, over all layers that it writes into, `[F]`.
    pub fn decoder_lengths(&self, n_features: usize) -> Vec<f32> {
        let width = self.decoder_bias.len();
        let of = |feature: usize| {
            let row = |decoder: &Vec<f32>| squares(&decoder[feature * width..(feature + 1) * width]);
            self.decoders.iter().map(row).sum::<f64>().sqrt() as f32
        };
        (0..n_features).map(of).collect()
    }

    /// Scales each feature's decoder to length 1.
    pub fn normalize_decoders(&mut self, n_features: usize) {
        let (lengths, width) = (self.decoder_lengths(n_features), self.decoder_bias.len());
        for decoder in &mut self.decoders {
            for (row, length) in decoder.chunks_mut(width).zip(&lengths) {
                let factor = 1.0 / length.max(f32::MIN_POSITIVE);
                row.iter_mut().for_each(|x| *x *= factor);
            }
        }
    }
}
