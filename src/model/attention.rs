//! Causal self-attention with grouped key and value heads, whose pattern can be captured and frozen.

use crate::job::Cancel;
use crate::model::rope::Rope;
use crate::model::{Linear, ModelError, ModelSpec, Norm};
use candle_core::{D, Device, Tensor};
use std::ops::Range;

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
        let key = self.keys(spec, x, rope, cancel)?;
        self.pattern_over(spec, x, &key, rope, window, cancel)
    }

    /// The keys `[kv_heads, P, head_dim]` of a normalized input `x` `[P, d]`, rotated.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub(super) fn keys(
        &self,
        spec: &ModelSpec,
        x: &Tensor,
        rope: Option<&Rope>,
        cancel: &Cancel,
    ) -> Result<Tensor, ModelError> {
        let key = heads(&self.key.apply(x, cancel)?, spec.n_kv_heads)?;
        let key = match &self.head_norms {
            Some((_, of_keys)) => of_keys.apply(&key)?,
            None => key,
        };
        Ok(match rope {
            Some(rope) => rope.rotate(&key)?,
            None => key,
        })
    }

    /// The values `[kv_heads, P, head_dim]` of a normalized input `x` `[P, d]`.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub(super) fn values(&self, spec: &ModelSpec, x: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        Ok(heads(&self.value.apply(x, cancel)?, spec.n_kv_heads)?)
    }

    /// The pattern `[heads, n, P]` of the last `n` positions, whose normalized input is `x` `[n, d]`, over `keys`
    /// `[kv_heads, P, head_dim]`; `rope` is theirs.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub(super) fn pattern_over(
        &self,
        spec: &ModelSpec,
        x: &Tensor,
        keys: &Tensor,
        rope: Option<&Rope>,
        window: Option<usize>,
        cancel: &Cancel,
    ) -> Result<Tensor, ModelError> {
        let mut query = heads(&self.query.apply(x, cancel)?, spec.n_heads)?;
        if let Some((of_queries, _)) = &self.head_norms {
            query = of_queries.apply(&query)?;
        }
        if let Some(rope) = rope {
            query = rope.rotate(&query)?;
        }
        let keys = for_each_query_head(keys, spec)?;
        let mut scores = (query.matmul(&keys.t()?)? * spec.attention_scale)?;
        if let Some(cap) = spec.attention_softcap {
            scores = softcap(&scores, cap)?;
        }
        let (read, n) = (keys.dim(1)?, x.dim(0)?);
        Ok(softmax(&scores.broadcast_add(&causal_mask(read - n..read, window, x.device())?)?)?)
    }

    /// What the heads write, `[P, d]`, for a normalized input `x` `[P, d]` under `pattern`.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub fn write(&self, spec: &ModelSpec, x: &Tensor, pattern: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        self.write_values(spec, &self.values(spec, x, cancel)?, pattern, cancel)
    }

    /// What the heads write, `[n, d]`, for values `[kv_heads, P, head_dim]` under a pattern `[heads, n, P]`.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub(super) fn write_values(
        &self,
        spec: &ModelSpec,
        values: &Tensor,
        pattern: &Tensor,
        cancel: &Cancel,
    ) -> Result<Tensor, ModelError> {
        let read = pattern.matmul(&for_each_query_head(values, spec)?)?.transpose(0, 1)?.contiguous()?;
        self.output.apply(&read.reshape((pattern.dim(1)?, spec.d_attn()))?, cancel)
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

/// What is added to the scores of `queries`, over all positions up to the last of them.
fn causal_mask(queries: Range<usize>, window: Option<usize>, device: &Device) -> candle_core::Result<Tensor> {
    let visible = |query: usize, key: usize| key <= query && window.is_none_or(|window| query - key < window);
    let (n, keys) = (queries.len(), queries.end);
    let mask: Vec<f32> = queries
        .flat_map(|query| (0..keys).map(move |key| if visible(query, key) { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Tensor::from_vec(mask, (n, keys), device)
}

fn softmax(scores: &Tensor) -> candle_core::Result<Tensor> {
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)
}
