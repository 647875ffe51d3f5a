//! Forward pass of the real model that keeps everything the local replacement model freezes.

use crate::attribution::replacement::bytes_of;
use crate::attribution::{TraceError, sizes};
use crate::graph::{FeatureAt, Site, Sources};
use crate::ids::{FeatureId, Layer, Position};
use crate::job::Monitor;
use crate::model::{Hooks, MlpInput, MlpOutput, NormScales, Transformer};
use crate::transcoder::{Active, Transcoder};
use candle_core::Tensor;

/// Leading positions whose activations and errors count as zero: the leading special token, whose activations are huge
/// and say nothing.
const ZEROED: usize = 1;

/// Such positions of Gemma-3 instruction models, whose every prompt begins `<bos><start_of_turn>user` and a newline.
const ZEROED_OF_GEMMA_3_IT: usize = 4;

/// Intermediates of one layer for a prompt of `P` tokens.
#[derive(Clone, Debug)]
pub struct CapturedLayer {
    /// Attention pattern `[heads, P, P]` (query, key).
    pub pattern: Tensor,
    /// Norm scales, `[P, 1]` each.
    pub norm_scales: NormScales,
    /// Feature input, `[P, d]`.
    pub feature_input: Tensor,
    /// Feature output, which the features reconstruct, `[P, d]`.
    pub feature_output: Tensor,
    /// Features with a non-zero activation, by position, then feature.
    pub active: Vec<Active>,
}

/// One forward pass.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Ids of the prompt, leading special token included, `[P]`.
    pub ids: Vec<u32>,
    /// Number of leading positions whose activations and errors count as zero.
    pub zeroed: usize,
    /// Layers.
    pub layers: Vec<CapturedLayer>,
    /// The residual stream in front of each layer, `[P, d]` each; none where it was not asked for.
    pub streams: Vec<Tensor>,
    /// Divisor of the final norm, `[P, 1]`.
    pub final_divisor: Tensor,
    /// Output of the final norm, `[P, d]`.
    pub final_output: Tensor,
}

impl Capture {
    /// Runs `model` on `ids` and encodes each layer's feature input.
    ///
    /// # Errors
    /// Fails where weights cannot be read, a value leaves the range of f32, or the work was stopped.
    pub fn run(
        model: &Transformer,
        transcoder: &Transcoder,
        ids: &[u32],
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        Self::recorded(model, transcoder, ids, false, monitor)
    }

    /// The same, with the residual stream in front of each layer.
    ///
    /// # Errors
    /// As [`Capture::run`].
    pub fn with_streams(
        model: &Transformer,
        transcoder: &Transcoder,
        ids: &[u32],
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        Self::recorded(model, transcoder, ids, true, monitor)
    }

    fn recorded(
        model: &Transformer,
        transcoder: &Transcoder,
        ids: &[u32],
        keeps_streams: bool,
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        if transcoder.config.is_dictionary() {
            return Err(TraceError::Dictionary(transcoder.name()));
        }
        let zeroed = zeroed_positions(transcoder.trained_on()).min(ids.len());
        let mut kept = Recorder {
            model,
            transcoder,
            n_positions: ids.len(),
            zeroed,
            keeps_streams,
            monitor,
            streams: Vec::new(),
            patterns: Vec::new(),
            norm_scales: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            active: Vec::new(),
        };
        let resid = model.forward(model.prompt(ids)?, &mut kept, monitor.cancel())?;
        let (final_output, final_divisor) = model.last_normed(&resid, None)?;
        let streams = std::mem::take(&mut kept.streams);
        Ok(Self { ids: ids.to_vec(), zeroed, layers: kept.layers(), streams, final_divisor, final_output })
    }

    /// Returns the number of tokens, `P`.
    pub fn n_positions(&self) -> usize {
        self.ids.len()
    }

    /// Returns the bytes of its tensors.
    pub fn bytes(&self) -> u64 {
        let of_layer = |layer: &CapturedLayer| {
            let tensors = [&layer.pattern, &layer.feature_input, &layer.feature_output];
            tensors.map(bytes_of).iter().sum::<u64>() + size_of_val(&*layer.active) as u64
        };
        let streams = self.streams.iter().chain([&self.final_output]).map(bytes_of);
        streams.sum::<u64>() + self.layers.iter().map(of_layer).sum::<u64>()
    }

    /// Returns the sources of direct effects: the active features, the errors of all MLPs, the tokens.
    pub fn sources(&self) -> Sources {
        let layers = || self.layers.iter().enumerate().map(|(layer, captured)| (Layer::from(layer), captured));
        let features = layers().flat_map(|(layer, captured)| {
            captured.active.iter().map(move |a| FeatureAt::mlp(layer, Position(a.position), FeatureId(a.feature)))
        });
        Sources::new(features.collect(), layers().map(|(layer, _)| Site::mlp(layer)), self.n_positions())
    }

    /// Returns the number of active features of all layers, `A`.
    pub fn n_active(&self) -> usize {
        self.layers.iter().map(|layer| layer.active.len()).sum()
    }
}

/// Hooks that record a pass, layer by layer.
struct Recorder<'a> {
    model: &'a Transformer,
    transcoder: &'a Transcoder,
    n_positions: usize,
    zeroed: usize,
    keeps_streams: bool,
    monitor: &'a Monitor,
    streams: Vec<Tensor>,
    patterns: Vec<Tensor>,
    norm_scales: Vec<NormScales>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    active: Vec<Vec<Active>>,
}

impl Recorder<'_> {
    fn layers(self) -> Vec<CapturedLayer> {
        let features = self.inputs.into_iter().zip(self.outputs).zip(self.active);
        let layer = |((pattern, norm_scales), ((feature_input, feature_output), active))| CapturedLayer {
            pattern,
            norm_scales,
            feature_input,
            feature_output,
            active,
        };
        self.patterns.into_iter().zip(self.norm_scales).zip(features).map(layer).collect()
    }
}

impl Hooks for Recorder<'_> {
    type Error = TraceError;

    fn resid_pre(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), TraceError> {
        if self.keeps_streams {
            self.streams.push(resid.clone());
        }
        Ok(self.monitor.report("forward pass", layer as u64, self.model.spec.n_layers as u64)?)
    }

    fn pattern(&mut self, _: usize, _: usize, pattern: &mut Tensor) -> Result<(), TraceError> {
        self.patterns.push(pattern.clone());
        Ok(())
    }

    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), TraceError> {
        let input = self.transcoder.input().of(input);
        let encoded = self.transcoder.encode(layer, input, self.monitor.cancel())?;
        if encoded.pre_activations.iter().any(|x| !x.is_finite()) {
            return Err(TraceError::NotFinite(format!("the transcoder of layer {layer}")));
        }
        self.active.push(self.transcoder.active(layer, &encoded, self.zeroed));
        self.inputs.push(input.clone());
        Ok(())
    }

    fn mlp_out(&mut self, _: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), TraceError> {
        if at == self.transcoder.output().of_mlp() {
            self.outputs.push(output.clone());
        }
        Ok(())
    }

    fn resid_post(&mut self, layer: usize, _: &mut Tensor, norm_scales: NormScales) -> Result<(), TraceError> {
        self.norm_scales.push(norm_scales);
        let (spec, n_features) = (&self.model.spec, self.transcoder.n_features(layer));
        self.monitor.count(sizes::layer_operations(spec, n_features, self.n_positions));
        Ok(())
    }
}

/// Returns how many leading positions count as zero for a transcoder of the model of this name.
pub(super) fn zeroed_positions(model_name: &str) -> usize {
    if model_name.contains("gemma-3") && model_name.ends_with("-it") { ZEROED_OF_GEMMA_3_IT } else { ZEROED }
}
