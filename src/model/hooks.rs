//! The named points of a forward pass, at which what it computes can be read or replaced.

use crate::model::ModelError;
use candle_core::Tensor;

/// The norms' norm_scales of one layer, `[P, 1]` each.
#[derive(Clone, Debug)]
pub struct NormScales {
    /// Of the norm in front of attention.
    pub attention: Tensor,
    /// Of the norm behind attention, where there is one.
    pub after_attention: Option<Tensor>,
    /// Of the norm in front of the MLP.
    pub mlp: Tensor,
    /// Of the norm behind the MLP, where there is one that was passed.
    pub after_mlp: Option<Tensor>,
}

/// What a layer's MLP reads, on its way there.
#[derive(Clone, Debug)]
pub struct MlpInput {
    /// The residual stream in front of the MLP's norm, `[P, d]`: behind attention, or with a parallel residual in front
    /// of the layer.
    pub resid: Tensor,
    /// The norm's divisor, `[P, 1]`.
    pub divisor: Tensor,
    /// What TransformerLens calls `ln2.hook_normalized`: the stream divided by the norm's divisor, before the norm's
    /// weight; for a LayerNorm after weight and bias. `[P, d]`
    pub normalized: Tensor,
    /// Behind the norm, `[P, d]`.
    pub mlp_in: Tensor,
}

/// Where an MLP's output can be taken. The same, for models without a norm behind the MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlpOutput {
    /// In front of that norm: TransformerLens's `mlp.hook_out`.
    BeforeNorm,
    /// What is added to the residual stream: its `hook_mlp_out`.
    AfterNorm,
}

/// Reads or replaces what a forward pass computes. A method that is not given does nothing and costs nothing. Widths are
/// `[rows, d]`, the rows being those of all prompts of the pass; attention is computed for each `prompt` apart.
#[expect(unused_variables, reason = "a method that does nothing names what it is given")]
pub(crate) trait Hooks {
    /// What can go wrong at a point.
    type Error: From<ModelError>;

    /// Gives what a layer's norms divide by, in place of what they would of what they read.
    fn frozen_norm_scales(&self, layer: usize) -> Option<&NormScales> {
        None
    }

    /// Gives a prompt's attention pattern `[heads, P, P]` in a layer, so that neither queries nor keys are computed; with
    /// a cache, which needs the keys, only [`Hooks::pattern`] replaces it.
    fn frozen_pattern(&self, layer: usize, prompt: usize) -> Option<&Tensor> {
        None
    }

    /// Gives an MLP's output in place of the MLP, which is not computed then.
    fn instead_of_mlp(&mut self, layer: usize, input: &MlpInput) -> Result<Option<(MlpOutput, Tensor)>, Self::Error> {
        Ok(None)
    }

    /// The residual stream in front of a layer.
    fn resid_pre(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Attention scores `[heads, n, P]` (query, key): scaled, capped and masked.
    fn scores(&mut self, layer: usize, prompt: usize, scores: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// An attention pattern `[heads, n, P]` (query, key): the scores' softmax, or what is frozen.
    fn pattern(&mut self, layer: usize, prompt: usize, pattern: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// What attention adds to the residual stream, behind a norm that may follow it.
    fn attention_out(&mut self, layer: usize, written: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The residual stream with attention's output added.
    fn resid_mid(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// What the MLP reads.
    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The MLP's output in front of a norm that may follow it, then behind that norm; what was given in place of the MLP
    /// from the point on for which it was given.
    fn mlp_out(&mut self, layer: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The residual stream behind a layer, and what the layer's norms divided by.
    fn resid_post(&mut self, layer: usize, resid: &mut Tensor, norm_scales: NormScales) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The model's own run.
impl Hooks for () {
    type Error = ModelError;
}
