//! Hooks at the named points of a forward pass, which read or replace its values.

use crate::model::ModelError;
use candle_core::Tensor;

/// Divisors of one layer's norms, `[P, 1]` each.
#[derive(Clone, Debug)]
pub struct NormScales {
    /// Divisor of the norm in front of attention.
    pub attention: Tensor,
    /// Divisor of the norm behind attention, where there is one.
    pub after_attention: Option<Tensor>,
    /// Divisor of the norm in front of the MLP.
    pub mlp: Tensor,
    /// Divisor of the norm behind the MLP, where there is one and it was applied.
    pub after_mlp: Option<Tensor>,
}

/// Input of a layer's MLP at its points.
#[derive(Clone, Debug)]
pub struct MlpInput {
    /// Residual stream in front of the MLP's norm, `[P, d]`: behind attention, or with a parallel residual in front of
    /// the layer.
    pub resid: Tensor,
    /// Divisor of the norm, `[P, 1]`.
    pub divisor: Tensor,
    /// TransformerLens's `ln2.hook_normalized`: the stream divided by the norm's divisor, before the norm's weight; for
    /// a LayerNorm after weight and bias. `[P, d]`
    pub normalized: Tensor,
    /// Output of the norm, `[P, d]`.
    pub mlp_in: Tensor,
}

/// Point of an MLP's output. Both are the same for models without a norm behind the MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlpOutput {
    /// In front of that norm: TransformerLens's `mlp.hook_out`.
    BeforeNorm,
    /// Behind that norm, as added to the residual stream: TransformerLens's `hook_mlp_out`.
    AfterNorm,
}

/// Hooks that read or replace the values of a forward pass. A method that is not given does nothing and costs nothing.
/// Widths are `[rows, d]`, the rows being those of all prompts of the pass; attention is computed for each `prompt`
/// apart.
#[expect(unused_variables, reason = "a method that does nothing names what it is given")]
pub(crate) trait Hooks {
    /// Error of a hook.
    type Error: From<ModelError>;

    /// Returns the divisors that a layer's norms use instead of computing them.
    fn frozen_norm_scales(&self, layer: usize) -> Option<&NormScales> {
        None
    }

    /// Returns a prompt's attention pattern `[heads, P, P]` in a layer, so that neither queries nor keys are computed;
    /// with a cache, which needs the keys, only [`Hooks::pattern`] replaces it.
    fn frozen_pattern(&self, layer: usize, prompt: usize) -> Option<&Tensor> {
        None
    }

    /// Returns an MLP's output to use instead of computing the MLP.
    fn instead_of_mlp(&mut self, layer: usize, input: &MlpInput) -> Result<Option<(MlpOutput, Tensor)>, Self::Error> {
        Ok(None)
    }

    /// Gets the residual stream in front of a layer.
    fn resid_pre(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gets attention scores `[heads, n, P]` (query, key): scaled, capped and masked.
    fn scores(&mut self, layer: usize, prompt: usize, scores: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gets an attention pattern `[heads, n, P]` (query, key): the scores' softmax, or the frozen one.
    fn pattern(&mut self, layer: usize, prompt: usize, pattern: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gets the attention output, behind a norm that may follow it.
    fn attention_out(&mut self, layer: usize, written: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gets the residual stream with the attention output added.
    fn resid_mid(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gets the MLP's input.
    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gets the MLP's output in front of a norm that may follow it, then behind that norm; an output given in place of
    /// the MLP, from the point on for which it was given.
    fn mlp_out(&mut self, layer: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gets the residual stream behind a layer, and the divisors of the layer's norms.
    fn resid_post(&mut self, layer: usize, resid: &mut Tensor, norm_scales: NormScales) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The model's own run.
impl Hooks for () {
    type Error = ModelError;
}
