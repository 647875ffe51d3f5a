//! Causal self-attention with grouped key and value heads, whose pattern can be captured and frozen.

use crate::model::rope::Rope;
use crate::model::{ModelError, ModelSpec, Weights};
use candle_core::{D, Device, Result, Tensor};

/// The projections of one layer's attention, `[out, in]`, with their biases where the model has them.
#[derive(Clone, Debug)]
pub struct AttentionWeights {
    /// `[d_attn, d]`
    pub query: Linear,
    /// `[d_kv, d]`
    pub key: Linear,
    /// `[d_kv, d]`
    pub value: Linear,
    /// `[d, d_attn]`
    pub output: Linear,
}

/// y = x W^T + b.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out, in]`
    pub weight: Tensor,
    /// `[out]`
    pub bias: Option<Tensor>,
}

impl Linear {
    /// `x` `[P, in]` to `[P, out]`.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

impl AttentionWeights {
    /// Reads the projections of `layer`.
    ///
    /// # Errors
    /// A tensor is missing, has another shape, or is not finite.
    pub fn read(
        weights: &Weights,
        spec: &ModelSpec,
        layer: usize,
        device: &Device,
    ) -> std::result::Result<Self, ModelError> {
        let linear = |which: &str, out: usize, input: usize| -> std::result::Result<Linear, ModelError> {
            let name = format!("model.layers.{layer}.self_attn.{which}_proj");
            let bias = spec.attention_bias.then(|| weights.tensor(&format!("{name}.bias"), &[out], device));
            Ok(Linear {
                weight: weights.tensor(&format!("{name}.weight"), &[out, input], device)?,
                bias: bias.transpose()?,
            })
        };
        Ok(Self {
            query: linear("q", spec.d_attn(), spec.d_model)?,
            key: linear("k", spec.d_kv(), spec.d_model)?,
            value: linear("v", spec.d_kv(), spec.d_model)?,
            output: linear("o", spec.d_model, spec.d_attn())?,
        })
    }

    /// The attention pattern `[heads, P, P]` (query, key) for a normalized input `x` `[P, d]`.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn pattern(&self, spec: &ModelSpec, x: &Tensor, rope: &Rope) -> Result<Tensor> {
        let query = rope.rotate(&heads(&self.query.apply(x)?, spec.n_heads)?)?;
        let key = rope.rotate(&heads(&self.key.apply(x)?, spec.n_kv_heads)?)?;
        let key = for_each_query_head(&key, spec)?;
        let scores = (query.matmul(&key.t()?)? / (spec.head_dim as f64).sqrt())?;
        softmax(&scores.broadcast_add(&causal_mask(x.dim(0)?, x.device())?)?)
    }

    /// What the heads write, `[P, d]`, for a normalized input `x` `[P, d]` under `pattern`.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn write(&self, spec: &ModelSpec, x: &Tensor, pattern: &Tensor) -> Result<Tensor> {
        let value = for_each_query_head(&heads(&self.value.apply(x)?, spec.n_kv_heads)?, spec)?;
        let read = pattern.matmul(&value)?.transpose(0, 1)?.contiguous()?;
        self.output.apply(&read.reshape((x.dim(0)?, spec.d_attn()))?)
    }
}

/// `[P, heads * head_dim]` to `[heads, P, head_dim]`.
fn heads(x: &Tensor, n: usize) -> Result<Tensor> {
    let (positions, width) = x.dims2()?;
    x.reshape((positions, n, width / n))?.transpose(0, 1)?.contiguous()
}

/// Repeats key or value heads `[kv_heads, P, head_dim]` to `[heads, P, head_dim]`.
fn for_each_query_head(x: &Tensor, spec: &ModelSpec) -> Result<Tensor> {
    let (kv, positions, width) = x.dims3()?;
    let group = spec.n_heads / spec.n_kv_heads;
    x.unsqueeze(1)?.expand((kv, group, positions, width))?.contiguous()?.reshape((kv * group, positions, width))
}

fn causal_mask(positions: usize, device: &Device) -> Result<Tensor> {
    let mask: Vec<f32> = (0..positions)
        .flat_map(|query| (0..positions).map(move |key| if key <= query { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Tensor::from_vec(mask, (positions, positions), device)
}

fn softmax(scores: &Tensor) -> Result<Tensor> {
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)
}
