//! Causal self-attention with grouped key and value heads, whose pattern can be captured and frozen.

use crate::job::Cancel;
use crate::model::rope::Rope;
use crate::model::{Linear, ModelError, ModelSpec, Norm};
use candle_core::{D, Device, Tensor};

/// The projections of one layer's attention, with biases and norms where the model has them.
#[derive(Clone, Debug)]
pub struct AttentionWeights<'a> {
    /// `[d_attn, d]`
    pub query: Linear<'a>,
    /// `[d_kv, d]`
    pub key: Linear<'a>,
    /// `[d_kv, d]`
    pub value: Linear<'a>,
    /// `[d, d_attn]`
    pub output: Linear<'a>,
    /// Norms over each head of the queries and of the keys.
    pub head_norms: Option<(Norm, Norm)>,
}

impl AttentionWeights<'_> {
    /// The attention pattern `[heads, P, P]` (query, key) of a layer that attends within `window`, for a normalized
    /// input `x` `[P, d]`.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub fn pattern(
        &self,
        spec: &ModelSpec,
        x: &Tensor,
        rope: Option<&Rope>,
        window: Option<usize>,
        cancel: &Cancel,
    ) -> Result<Tensor, ModelError> {
        let mut query = heads(&self.query.apply(x, cancel)?, spec.n_heads)?;
        let mut key = heads(&self.key.apply(x, cancel)?, spec.n_kv_heads)?;
        if let Some((of_queries, of_keys)) = &self.head_norms {
            (query, key) = (of_queries.apply(&query)?, of_keys.apply(&key)?);
        }
        if let Some(rope) = rope {
            (query, key) = (rope.rotate(&query)?, rope.rotate(&key)?);
        }
        let key = for_each_query_head(&key, spec)?;
        let mut scores = (query.matmul(&key.t()?)? * spec.attention_scale)?;
        if let Some(cap) = spec.attention_softcap {
            scores = softcap(&scores, cap)?;
        }
        Ok(softmax(&scores.broadcast_add(&causal_mask(x.dim(0)?, window, x.device())?)?)?)
    }

    /// What the heads write, `[P, d]`, for a normalized input `x` `[P, d]` under `pattern`.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub fn write(&self, spec: &ModelSpec, x: &Tensor, pattern: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        let value = for_each_query_head(&heads(&self.value.apply(x, cancel)?, spec.n_kv_heads)?, spec)?;
        let read = pattern.matmul(&value)?.transpose(0, 1)?.contiguous()?;
        self.output.apply(&read.reshape((x.dim(0)?, spec.d_attn()))?, cancel)
    }
}

/// cap * tanh(x / cap).
pub(super) fn softcap(x: &Tensor, cap: f64) -> candle_core::Result<Tensor> {
    (x / cap)?.tanh()? * cap
}

/// `[P, heads * head_dim]` to `[heads, P, head_dim]`.
fn heads(x: &Tensor, n: usize) -> candle_core::Result<Tensor> {
    let (positions, width) = x.dims2()?;
    x.reshape((positions, n, width / n))?.transpose(0, 1)?.contiguous()
}

/// Repeats key or value heads `[kv_heads, P, head_dim]` to `[heads, P, head_dim]`.
fn for_each_query_head(x: &Tensor, spec: &ModelSpec) -> candle_core::Result<Tensor> {
    let (kv, positions, width) = x.dims3()?;
    let group = spec.n_heads / spec.n_kv_heads;
    x.unsqueeze(1)?.expand((kv, group, positions, width))?.contiguous()?.reshape((kv * group, positions, width))
}

fn causal_mask(positions: usize, window: Option<usize>, device: &Device) -> candle_core::Result<Tensor> {
    let visible = |query: usize, key: usize| key <= query && window.is_none_or(|window| query - key < window);
    let mask: Vec<f32> = (0..positions)
        .flat_map(|query| (0..positions).map(move |key| if visible(query, key) { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Tensor::from_vec(mask, (positions, positions), device)
}

fn softmax(scores: &Tensor) -> candle_core::Result<Tensor> {
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)
}
