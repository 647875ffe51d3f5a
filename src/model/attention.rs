//! Causal self-attention with grouped key and value heads, whose pattern can be captured and frozen.

use crate::job::Cancel;
use crate::model::rope::Rope;
use crate::model::spec::QueryKeyNorms;
use crate::model::{Linear, ModelError, ModelSpec, Norm};
use candle_core::{D, Device, Tensor};
use std::ops::Range;

/// Projections of one layer's attention, with biases and norms where the model has them.
#[derive(Clone, Debug)]
pub struct AttentionWeights<'a> {
    /// Query weight, `[d_attn, d]`.
    pub query: Linear<'a>,
    /// Key weight, `[d_kv, d]`.
    pub key: Linear<'a>,
    /// Value weight, `[d_kv, d]`.
    pub value: Linear<'a>,
    /// Output weight, `[d, d_attn]`.
    pub output: Linear<'a>,
    /// Norms over the queries and over the keys.
    pub head_norms: Option<(Norm, Norm)>,
}

/// Queries, keys and values of one prompt in one layer.
#[derive(Debug)]
pub(super) struct Heads {
    /// Pattern, or the queries and keys that it is computed from.
    pub looks: Looks,
    /// Values, `[kv_heads, P, head_dim]`.
    pub values: Tensor,
}

/// Attention pattern, or what it is computed from.
#[derive(Debug)]
pub(super) enum Looks {
    /// Frozen pattern, `[heads, P, P]`.
    Frozen(Tensor),
    /// Queries `[heads, n, head_dim]` of the last `n` positions, and keys `[kv_heads, P, head_dim]`; both rotated.
    At { query: Tensor, keys: Tensor },
}

impl AttentionWeights<'_> {
    /// Returns queries, keys and values of a normalized input `x` `[n, d]`, whose pattern may be `frozen`.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub(super) fn heads(
        &self,
        spec: &ModelSpec,
        x: &Tensor,
        rope: Option<&Rope>,
        frozen: Option<Tensor>,
        cancel: &Cancel,
    ) -> Result<Heads, ModelError> {
        let looks = match frozen {
            Some(pattern) => Looks::Frozen(pattern),
            None => {
                let (query, keys) = self.queries_and_keys(spec, x, rope, cancel)?;
                Looks::At { query, keys }
            }
        };
        Ok(Heads { looks, values: heads(&self.value.apply(x, cancel)?, spec.n_kv_heads)? })
    }

    /// Returns rotated queries `[heads, n, head_dim]` and keys `[kv_heads, n, head_dim]` of a normalized input `x` `[n,
    /// d]`.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub(super) fn queries_and_keys(
        &self,
        spec: &ModelSpec,
        x: &Tensor,
        rope: Option<&Rope>,
        cancel: &Cancel,
    ) -> Result<(Tensor, Tensor), ModelError> {
        let turned = |linear: &Linear<'_>, n: usize, norm: Option<&Norm>| -> Result<Tensor, ModelError> {
            let projected = linear.apply(x, cancel)?;
            let projected = match (norm, spec.query_key_norms) {
                (Some(norm), QueryKeyNorms::Whole) => heads(&norm.apply(&projected)?, n)?,
                (Some(norm), _) => norm.apply(&heads(&projected, n)?)?,
                (None, _) => heads(&projected, n)?,
            };
            Ok(match rope {
                Some(rope) => rope.rotate(&projected)?,
                None => projected,
            })
        };
        let (of_queries, of_keys) = self.head_norms.as_ref().map(|(queries, keys)| (queries, keys)).unzip();
        Ok((turned(&self.query, spec.n_heads, of_queries)?, turned(&self.key, spec.n_kv_heads, of_keys)?))
    }

    /// Returns the attention output, `[n, d]`, for values `[kv_heads, P, head_dim]` under a pattern `[heads, n, P]`.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub(super) fn write(
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

/// Returns the masked attention scores `[heads, n, P]` of the last `n` positions, whose queries are `query`
/// `[heads, n, head_dim]`, over `keys` `[kv_heads, P, head_dim]`, in a layer that attends within `window`.
pub(super) fn scores(
    spec: &ModelSpec,
    query: &Tensor,
    keys: &Tensor,
    window: Option<usize>,
) -> Result<Tensor, ModelError> {
    let mut scores = uncapped_scores(spec, query, keys)?;
    if let Some(cap) = spec.attention_softcap {
        scores = softcap(&scores, cap)?;
    }
    let (read, n) = (keys.dim(1)?, query.dim(1)?);
    Ok(scores.broadcast_add(&causal_mask(read - n..read, window, query.device())?)?)
}

/// Returns the attention scores in front of softcap and mask, `[heads, n, P]`; shapes as in [`scores`].
pub(super) fn uncapped_scores(spec: &ModelSpec, query: &Tensor, keys: &Tensor) -> Result<Tensor, ModelError> {
    Ok((query.matmul(&for_each_query_head(keys, spec)?.t()?)? * spec.attention_scale)?)
}

/// Returns cap * tanh(x / cap).
pub(super) fn softcap(x: &Tensor, cap: f64) -> candle_core::Result<Tensor> {
    (x / cap)?.tanh()? * cap
}

/// Reshapes `[P, heads * head_dim]` to `[heads, P, head_dim]`.
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

/// Returns the mask added to the scores of `queries`, over all positions up to the last of them.
fn causal_mask(queries: Range<usize>, window: Option<usize>, device: &Device) -> candle_core::Result<Tensor> {
    let visible = |query: usize, key: usize| key <= query && window.is_none_or(|window| query - key < window);
    let (n, keys) = (queries.len(), queries.end);
    let mask: Vec<f32> = queries
        .flat_map(|query| (0..keys).map(move |key| if visible(query, key) { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Tensor::from_vec(mask, (n, keys), device)
}

/// Returns the attention pattern of masked scores.
pub(super) fn softmax(scores: &Tensor) -> candle_core::Result<Tensor> {
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)
}
