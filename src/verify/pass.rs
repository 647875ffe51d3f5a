//! Run of the model with transcoders in place of some of its MLPs.

use crate::attribution::{Capture, CapturedLayer, Engine};
use crate::job::{Cancel, Monitor};
use crate::model::{Hooks, MlpInput, MlpOutput, NormScales, Transformer};
use crate::transcoder::Transcoder;
use crate::verify::VerifyError;
use candle_core::Tensor;

/// Settings of a run. With none it is the model's own.
pub(super) struct Pass<'a> {
    pub engine: &'a Engine,
    /// Model's own run on the same prompt.
    pub base: &'a Capture,
    /// True for each layer whose MLP the transcoder replaces. At zeroed positions, where it is not meant to work, the
    /// MLP stays.
    pub replaced: &'a [bool],
    /// Error vectors added to the transcoder's outputs, by layer `[P, d]`. With them the run is one of the local
    /// replacement model: the MLP stays nowhere, and attention patterns and norm divisors are those of `base`.
    pub errors: Option<&'a [Tensor]>,
    /// Vectors added at each layer's feature output, by layer `[P, d]`.
    pub added: &'a [Option<Tensor>],
}

/// Results of a run.
pub(super) struct Ran {
    /// Residual stream behind each layer, `[P, d]`.
    pub streams: Vec<Tensor>,
    /// Logits, `[P, V]`.
    pub logits: Vec<Vec<f32>>,
}

impl Pass<'_> {
    pub fn run(&self, monitor: &Monitor) -> Result<Ran, VerifyError> {
        let (model, base) = (&self.engine.model, self.base);
        let decoded = Decoded::new(model, &self.engine.transcoder, base.n_positions());
        let streams = Vec::with_capacity(model.spec.n_layers);
        let mut running = Running { pass: self, decoded, made: None, streams, cancel: monitor.cancel() };
        let resid = model.forward(model.prompt(&base.ids)?, &mut running, monitor.cancel())?;
        let (last, _) = model.last_normed(&resid, self.errors.is_some().then_some(&base.final_divisor))?;
        Ok(Ran { streams: running.streams, logits: model.logits(&last, monitor.cancel())? })
    }
}

/// Run in progress.
struct Running<'a> {
    pass: &'a Pass<'a>,
    decoded: Decoded<'a>,
    /// Reconstruction at the current layer, where the transcoder replaces the MLP.
    made: Option<Tensor>,
    streams: Vec<Tensor>,
    cancel: &'a Cancel,
}

impl Running<'_> {
    /// Returns the capture of a layer, where it is frozen.
    fn frozen(&self, layer: usize) -> Option<&CapturedLayer> {
        self.pass.errors.is_some().then_some(&self.pass.base.layers[layer])
    }
}

impl Hooks for Running<'_> {
    type Error = VerifyError;

    fn frozen_norm_scales(&self, layer: usize) -> Option<&NormScales> {
        self.frozen(layer).map(|layer| &layer.norm_scales)
    }

    fn frozen_pattern(&self, layer: usize, _: usize) -> Option<&Tensor> {
        self.frozen(layer).map(|layer| &layer.pattern)
    }

    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), VerifyError> {
        let (transcoder, replaced) = (&self.pass.engine.transcoder, self.pass.replaced);
        let input = transcoder.input().of(input);
        if transcoder.writes_to(layer).any(|to| replaced[to]) {
            let encoded = transcoder.encode(layer, input, self.cancel)?;
            for active in transcoder.active(layer, &encoded, self.pass.base.zeroed) {
                self.decoded.add(layer, active.position as usize, active.feature as usize, active.activation)?;
            }
            transcoder.release_decoders(layer);
        }
        self.made = if replaced[layer] { Some(self.decoded.at(layer, input)?) } else { None };
        Ok(())
    }

    fn instead_of_mlp(&mut self, layer: usize, _: &MlpInput) -> Result<Option<(MlpOutput, Tensor)>, VerifyError> {
        let (Some(made), Some(errors)) = (&self.made, self.pass.errors) else { return Ok(None) };
        Ok(Some((self.pass.engine.transcoder.output().of_mlp(), made.add(&errors[layer])?)))
    }

    fn mlp_out(&mut self, layer: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), VerifyError> {
        if at != self.pass.engine.transcoder.output().of_mlp() {
            return Ok(());
        }
        if let (Some(made), None) = (&self.made, self.pass.errors) {
            let zeroed = self.pass.base.zeroed;
            let rest = made.narrow(0, zeroed, made.dim(0)? - zeroed)?;
            *output = Tensor::cat(&[&output.narrow(0, 0, zeroed)?, &rest], 0)?;
        }
        if let Some(added) = &self.pass.added[layer] {
            *output = output.add(added)?;
        }
        Ok(())
    }

    fn resid_post(&mut self, _: usize, resid: &mut Tensor, _: NormScales) -> Result<(), VerifyError> {
        self.streams.push(resid.clone());
        Ok(())
    }
}

/// Reconstruction by active features, by layer.
pub(super) struct Decoded<'a> {
    model: &'a Transformer,
    transcoder: &'a Transcoder,
    n_positions: usize,
    /// Sum of decoder rows `[P, d]` of each layer that is written into.
    layers: Vec<Option<Vec<f32>>>,
}

impl<'a> Decoded<'a> {
    pub fn new(model: &'a Transformer, transcoder: &'a Transcoder, n_positions: usize) -> Self {
        Self { model, transcoder, n_positions, layers: vec![None; transcoder.n_layers()] }
    }

    /// Adds the decoder rows of a feature of `layer`, times its activation.
    pub fn add(&mut self, layer: usize, position: usize, feature: usize, activation: f32) -> Result<(), VerifyError> {
        let d = self.model.spec.d_model;
        let rows = self.transcoder.decoder_rows(layer, feature)?;
        for (to, row) in self.transcoder.writes_to(layer).zip(rows.chunks(d)) {
            let sum = self.layers[to].get_or_insert_with(|| vec![0.0; self.n_positions * d]);
            sum[position * d..(position + 1) * d].iter_mut().zip(row).for_each(|(s, w)| *s += activation * w);
        }
        Ok(())
    }

    /// Returns the sum at each layer.
    pub fn tensors(self) -> Result<Vec<Option<Tensor>>, VerifyError> {
        let shape = (self.n_positions, self.model.spec.d_model);
        let device = self.model.device();
        let tensor = |sum: Option<Vec<f32>>| sum.map(|sum| Tensor::from_vec(sum, shape, device)).transpose();
        Ok(self.layers.into_iter().map(tensor).collect::<Result<_, _>>()?)
    }

    /// Returns the whole reconstruction at a layer: the sum of the features, the decoder's bias, and the skip
    /// connection's output for `input`.
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
