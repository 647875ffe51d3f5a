//! One forward pass of the real model, with everything kept that the local replacement model freezes.

use crate::attribution::{TraceError, sizes};
use crate::job::Monitor;
use crate::model::{Divisors, Transformer};
use crate::transcoder::{Active, FeatureOutput, Transcoder};
use candle_core::Tensor;

/// Positions whose activations and errors count as zero: the leading special token, whose activations are huge and
/// say nothing.
const ZEROED: usize = 1;

/// The same for Gemma-3 instruction models, whose every prompt begins `<bos><start_of_turn>user` and a newline.
const ZEROED_OF_GEMMA_3_IT: usize = 4;

/// What one layer computed for a prompt of `P` tokens.
#[derive(Clone, Debug)]
pub struct CapturedLayer {
    /// Attention pattern `[heads, P, P]` (query, key).
    pub pattern: Tensor,
    /// The norms' divisors, `[P, 1]` each.
    pub divisors: Divisors,
    /// What the layer's features read, `[P, d]`.
    pub feature_input: Tensor,
    /// What they reconstruct, `[P, d]`.
    pub feature_output: Tensor,
    /// Features with a non-zero activation, by position, then feature.
    pub active: Vec<Active>,
}

/// One forward pass.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The prompt, leading special token included, `[P]`.
    pub ids: Vec<u32>,
    /// Positions, from the first, whose activations and errors count as zero.
    pub zeroed: usize,
    /// The layers.
    pub layers: Vec<CapturedLayer>,
    /// The final norm's divisors, `[P, 1]`.
    pub final_divisor: Tensor,
    /// The final norm's output, `[P, d]`.
    pub final_output: Tensor,
}

impl Capture {
    /// Runs `model` on `ids` and encodes each layer's feature input.
    ///
    /// # Errors
    /// Weights cannot be read, a value leaves the range of f32, or the work was stopped.
    pub fn run(
        model: &Transformer,
        transcoder: &Transcoder,
        ids: &[u32],
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        if transcoder.config.is_dictionary() {
            return Err(TraceError::Dictionary(transcoder.name()));
        }
        let n_layers = model.spec.n_layers;
        let zeroed = zeroed_positions(&transcoder.config.model_name).min(ids.len());
        let positions = model.positions(ids.len())?;
        let mut resid = model.start(ids, &positions)?;
        let mut layers = Vec::with_capacity(n_layers);
        for layer in 0..n_layers {
            monitor.report("forward pass", layer as u64, n_layers as u64)?;
            let pass = model.layer(layer, &resid, &positions, None, None, monitor.cancel())?;
            let output = model.mlp(layer, &pass.mlp_in, monitor.cancel())?;
            let (written, after_mlp) = model.after_mlp(layer, output.clone(), None)?;
            let feature_input = transcoder.input().of(&pass).clone();
            let encoded = transcoder.encode(layer, &feature_input, monitor.cancel())?;
            if encoded.pre_activations.iter().any(|x| !x.is_finite()) {
                return Err(TraceError::NotFinite(format!("the transcoder of layer {layer}")));
            }
            resid = pass.resid_mid.add(&written)?;
            monitor.count(sizes::layer_operations(&model.spec, transcoder.n_features(layer), ids.len()));
            layers.push(CapturedLayer {
                active: transcoder.active(layer, &encoded, zeroed),
                pattern: pass.pattern,
                divisors: Divisors {
                    attention: pass.attention_divisor,
                    after_attention: pass.after_attention_divisor,
                    mlp: pass.mlp_divisor,
                    after_mlp,
                },
                feature_input,
                feature_output: match transcoder.output() {
                    FeatureOutput::MlpOut => output,
                    _ => written,
                },
            });
        }
        let norm = model.final_norm()?;
        let final_divisor = norm.divisor(&resid)?;
        let final_output = norm.scale(&norm.divide(&resid, &final_divisor)?)?;
        Ok(Self { ids: ids.to_vec(), zeroed, layers, final_divisor, final_output })
    }

    /// Tokens, `P`.
    pub fn n_positions(&self) -> usize {
        self.ids.len()
    }

    /// Active features of all layers, `A`.
    pub fn n_active(&self) -> usize {
        self.layers.iter().map(|layer| layer.active.len()).sum()
    }
}

/// How many positions count as zero for a transcoder of the model that is called so.
pub(super) fn zeroed_positions(model_name: &str) -> usize {
    if model_name.contains("gemma-3") && model_name.ends_with("-it") { ZEROED_OF_GEMMA_3_IT } else { ZEROED }
}
