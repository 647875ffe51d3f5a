//! A run of the model with transcoders in place of some of its MLPs.

use crate::attribution::{Capture, Engine};
use crate::job::Monitor;
use crate::model::Transformer;
use crate::transcoder::{FeatureOutput, Transcoder};
use crate::verify::VerifyError;
use candle_core::Tensor;

/// What a run is made of. Without anything it is the model's own.
pub(super) struct Pass<'a> {
    pub engine: &'a Engine,
    /// The model's own run on the same prompt.
    pub base: &'a Capture,
    /// By layer, whether the transcoder stands in for the MLP. At zeroed positions, where it is not meant to work, the MLP
    /// stays.
    pub replaced: &'a [bool],
    /// What is added to the transcoder's outputs, by layer `[P, d]`. With them the run is one of the local replacement
    /// model: the MLP stays nowhere, and attention patterns and norm divisors are those of `base`.
    pub errors: Option<&'a [Tensor]>,
    /// What is added at each layer's feature output, by layer `[P, d]`.
    pub added: &'a [Option<Tensor>],
}

/// What a run computed.
pub(super) struct Ran {
    /// The residual stream behind each layer, `[P, d]`.
    pub streams: Vec<Tensor>,
    /// `[P, V]`
    pub logits: Vec<Vec<f32>>,
}

impl Pass<'_> {
    pub fn run(&self, monitor: &Monitor) -> Result<Ran, VerifyError> {
        let (model, transcoder) = (&self.engine.model, &self.engine.transcoder);
        let (n_layers, n_positions) = (model.spec.n_layers, self.base.n_positions());
        let positions = model.positions(n_positions)?;
        let mut stream = model.start(&self.base.ids, &positions)?;
        let mut decoded = Decoded::new(model, transcoder, n_positions);
        let mut ran = Ran { streams: Vec::with_capacity(n_layers), logits: Vec::new() };
        for (layer, captured) in self.base.layers.iter().enumerate() {
            let frozen = self.errors.is_some().then_some(captured);
            let (pattern, divisors) = (frozen.map(|it| &it.pattern), frozen.map(|it| &it.divisors));
            let pass = model.layer(layer, &stream, &positions, pattern, divisors, monitor.cancel())?;
            let input = transcoder.input().of(&pass);
            if transcoder.writes_to(layer).any(|to| self.replaced[to]) {
                let encoded = transcoder.encode(layer, input, monitor.cancel())?;
                for active in transcoder.active(layer, &encoded, self.base.zeroed) {
                    decoded.add(layer, active.position as usize, active.feature as usize, active.activation)?;
                }
                transcoder.release_decoders(layer);
            }
            let reconstruction = if self.replaced[layer] { Some(decoded.at(layer, input)?) } else { None };
            let mut output = match (&reconstruction, self.errors) {
                (Some(made), Some(errors)) => made.add(&errors[layer])?,
                (Some(made), None) => {
                    let real = self.mlp(layer, &pass.mlp_in, monitor)?;
                    let zeroed = self.base.zeroed;
                    let rest = made.narrow(0, zeroed, n_positions - zeroed)?;
                    Tensor::cat(&[&real.narrow(0, 0, zeroed)?, &rest], 0)?
                }
                (None, _) => self.mlp(layer, &pass.mlp_in, monitor)?,
            };
            if let Some(added) = &self.added[layer] {
                output = output.add(added)?;
            }
            let written = match transcoder.output() {
                FeatureOutput::MlpOut => {
                    model.after_mlp(layer, output, divisors.and_then(|it| it.after_mlp.as_ref()))?.0
                }
                _ => output,
            };
            stream = pass.resid_mid.add(&written)?;
            ran.streams.push(stream.clone());
        }
        let norm = model.final_norm()?;
        let divisor = if self.errors.is_some() { self.base.final_divisor.clone() } else { norm.divisor(&stream)? };
        ran.logits = model.logits(&norm.scale(&norm.divide(&stream, &divisor)?)?, monitor.cancel())?;
        Ok(ran)
    }

    /// The real MLP's feature output.
    fn mlp(&self, layer: usize, input: &Tensor, monitor: &Monitor) -> Result<Tensor, VerifyError> {
        let model = &self.engine.model;
        let output = model.mlp(layer, input, monitor.cancel())?;
        Ok(match self.engine.transcoder.output() {
            FeatureOutput::MlpOut => output,
            _ => model.after_mlp(layer, output, None)?.0,
        })
    }
}

/// What active features write, by layer.
pub(super) struct Decoded<'a> {
    model: &'a Transformer,
    transcoder: &'a Transcoder,
    n_positions: usize,
    /// `[P, d]` for each layer that something is written into.
    layers: Vec<Option<Vec<f32>>>,
}

impl<'a> Decoded<'a> {
    pub fn new(model: &'a Transformer, transcoder: &'a Transcoder, n_positions: usize) -> Self {
        Self { model, transcoder, n_positions, layers: vec![None; transcoder.n_layers()] }
    }

    /// Adds what a feature of `layer` writes at an activation.
    pub fn add(&mut self, layer: usize, position: usize, feature: usize, activation: f32) -> Result<(), VerifyError> {
        let d = self.model.spec.d_model;
        let rows = self.transcoder.decoder_rows(layer, feature)?;
        for (to, row) in self.transcoder.writes_to(layer).zip(rows.chunks(d)) {
            let sum = self.layers[to].get_or_insert_with(|| vec![0.0; self.n_positions * d]);
            sum[position * d..(position + 1) * d].iter_mut().zip(row).for_each(|(s, w)| *s += activation * w);
        }
        Ok(())
    }

    /// What was added at each layer.
    pub fn tensors(self) -> Result<Vec<Option<Tensor>>, VerifyError> {
        let shape = (self.n_positions, self.model.spec.d_model);
        let device = self.model.device();
        let tensor = |sum: Option<Vec<f32>>| sum.map(|sum| Tensor::from_vec(sum, shape, device)).transpose();
        Ok(self.layers.into_iter().map(tensor).collect::<Result<_, _>>()?)
    }

    /// The whole reconstruction at a layer: what was added, the decoder's bias, and the skip connection's part of `input`.
    pub fn at(&self, layer: usize, input: &Tensor) -> Result<Tensor, VerifyError> {
        let (d, device) = (self.model.spec.d_model, self.model.device());
        let bias = Tensor::from_vec(self.transcoder.decoder_bias(layer)?, (1, d), device)?;
        let mut made = match &self.layers[layer] {
            Some(sum) => Tensor::from_slice(sum, (self.n_positions, d), device)?.broadcast_add(&bias)?,
            None => bias.broadcast_as((self.n_positions, d))?.contiguous()?,
        };
        if let Some(skip) = self.transcoder.skip(layer, device)? {
            made = made.add(&input.matmul(&skip.t()?)?)?;
        }
        Ok(made)
    }
}
