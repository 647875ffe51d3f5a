//! Queries and keys of one head as linear maps of the residual stream.

use crate::attribution::{Capture, TraceError};
use crate::graph::Head;
use crate::job::Cancel;
use crate::model::{Linear, Norm, QueryKeyNorms, Rope, Transformer};
use candle_core::Tensor;

/// Maps from the residual stream in front of a layer to one head's queries and keys, with the divisors of all norms
/// frozen.
#[derive(Debug)]
pub(crate) struct FrozenHead {
    pub query: FrozenProjection,
    pub key: FrozenProjection,
    /// Factor of the product of a query and a key.
    pub scale: f64,
}

/// Map of the residual stream at each position: `rotate((x W / divisor + b) / head divisor + c)`.
#[derive(Debug)]
pub(crate) struct FrozenProjection {
    /// Weight, `[d, head_dim]`: the norm in front of it and the weight of a norm over the head folded in.
    weight: Tensor,
    /// Bias, `[1, head_dim]`, that of the norm in front of the projection included.
    bias: Tensor,
    /// Bias of a norm over the head, `[1, head_dim]`.
    after: Option<Tensor>,
    /// Divisor of the norm in front of attention, `[P, 1]`.
    divisor: Tensor,
    /// Divisor of a norm over the head, `[P, 1]`; ones without one.
    head_divisor: Tensor,
    /// Rotary tables by position.
    ropes: Vec<Option<Rope>>,
}

impl FrozenHead {
    /// Freezes a head, which must exist, at the run `capture`, which must hold the residual streams.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub fn new(model: &Transformer, capture: &Capture, head: Head, cancel: &Cancel) -> Result<Self, TraceError> {
        cancel.check()?;
        let (layer, head, spec) = (head.layer.index(), head.head as usize, &model.spec);
        let (norm, weights) = (model.attention_norm(layer)?, model.attention(layer)?);
        let (of_queries, of_keys) = weights.head_norms.as_ref().map(|(queries, keys)| (queries, keys)).unzip();
        let frozen = |linear: &Linear<'_>, head: usize, head_norm: Option<&Norm>| {
            FrozenProjection::new(model, capture, layer, linear, (&norm, head_norm), head)
        };
        Ok(Self {
            query: frozen(&weights.query, head, of_queries)?,
            key: frozen(&weights.key, head / (spec.n_heads / spec.n_kv_heads), of_keys)?,
            scale: spec.attention_scale,
        })
    }

    /// Returns the scores of a query with all keys up to it, for a residual stream `[P, d]` in front of the layer.
    ///
    /// # Errors
    /// Fails where a tensor operation failed.
    pub fn scores(&self, stream: &Tensor, query: usize) -> Result<Vec<f64>, TraceError> {
        let queries = self.query.of(stream)?;
        let keys = self.key.of(stream)?;
        let product = |key: &Vec<f32>| {
            let products = queries[query].iter().zip(key).map(|(u, w)| f64::from(*u) * f64::from(*w));
            self.scale * products.sum::<f64>()
        };
        Ok(keys[..=query].iter().map(product).collect())
    }
}

impl FrozenProjection {
    fn new(
        model: &Transformer,
        capture: &Capture,
        layer: usize,
        linear: &Linear<'_>,
        (norm, head_norm): (&Norm, Option<&Norm>),
        head: usize,
    ) -> Result<Self, TraceError> {
        let (width, n) = (model.spec.head_dim, capture.n_positions());
        let own_rows = head * width..(head + 1) * width;
        // A norm over all heads at once divides by what it finds in all of them.
        let is_whole = head_norm.is_some() && model.spec.query_key_norms == QueryKeyNorms::Whole;
        let all = linear.weight()?;
        let read = if is_whole { 0..all.dim(0)? } else { own_rows.clone() };
        let rows = all.narrow(0, read.start, read.len())?.contiguous()?;
        let mut bias = Tensor::zeros((1, read.len()), rows.dtype(), rows.device())?;
        if let Some(own) = &norm.bias {
            bias = bias.add(&own.unsqueeze(0)?.matmul(&rows.t()?)?)?;
        }
        if let Some(own) = &linear.bias {
            bias = bias.add(&own.narrow(0, read.start, read.len())?.unsqueeze(0)?)?;
        }
        let mut weight = norm.pull_back(&rows)?.t()?.contiguous()?;
        let divisor = capture.layers[layer].norm_scales.attention.clone();
        let mut head_divisor = divisor.ones_like()?;
        let mut after = None;
        if let Some(head_norm) = head_norm {
            let plain = capture.streams[layer].matmul(&weight)?.broadcast_div(&divisor)?.broadcast_add(&bias)?;
            head_divisor = head_norm.divisor(&plain)?;
            let undivided = |x: &Tensor| -> Result<Tensor, TraceError> {
                let ones = Tensor::ones((x.dim(0)?, 1), x.dtype(), x.device())?;
                Ok(head_norm.divide(x, &ones)?.broadcast_mul(&head_norm.weight)?)
            };
            (weight, bias) = (undivided(&weight)?, undivided(&bias)?);
            after = head_norm.bias.as_ref().map(|own| own.unsqueeze(0)).transpose()?;
        }
        if is_whole {
            let own = |x: &Tensor| x.narrow(1, own_rows.start, own_rows.len())?.contiguous();
            (weight, bias) = (own(&weight)?, own(&bias)?);
            after = after.as_ref().map(own).transpose()?;
        }
        let ropes = (0..n).map(|position| model.rope(layer, position..position + 1)).collect::<Result<_, _>>()?;
        Ok(Self { weight, bias, after, divisor, head_divisor, ropes })
    }

    /// Returns the factor of the residual stream at a position, `[head_dim, d]`, row after row, and the constant added,
    /// `[head_dim]`.
    ///
    /// # Errors
    /// Fails where a tensor operation failed.
    pub fn reads(&self, position: usize) -> Result<(Vec<f32>, Vec<f32>), TraceError> {
        let divided = |x: &Tensor, by: &Tensor| x.broadcast_div(&by.get(position)?);
        let weight = divided(&divided(&self.weight, &self.divisor)?, &self.head_divisor)?;
        let bias = self.with_after(divided(&self.bias, &self.head_divisor)?)?;
        let weight = self.rotated(&weight, position)?.t()?.contiguous()?;
        Ok((weight.flatten_all()?.to_vec1()?, self.rotated(&bias, position)?.flatten_all()?.to_vec1()?))
    }

    /// Returns the queries or keys of a residual stream `[P, d]`, by position.
    ///
    /// # Errors
    /// Fails where a tensor operation failed.
    pub fn of(&self, stream: &Tensor) -> Result<Vec<Vec<f32>>, TraceError> {
        let plain = stream.matmul(&self.weight)?.broadcast_div(&self.divisor)?.broadcast_add(&self.bias)?;
        let normed = self.with_after(plain.broadcast_div(&self.head_divisor)?)?;
        let rotated = |position: usize| -> Result<Vec<f32>, TraceError> {
            Ok(self.rotated(&normed.narrow(0, position, 1)?, position)?.flatten_all()?.to_vec1()?)
        };
        (0..stream.dim(0)?).map(rotated).collect()
    }

    fn with_after(&self, x: Tensor) -> Result<Tensor, TraceError> {
        Ok(match &self.after {
            Some(after) => x.broadcast_add(after)?,
            None => x,
        })
    }

    /// Rotates rows `[n, head_dim]` by one position.
    fn rotated(&self, rows: &Tensor, position: usize) -> Result<Tensor, TraceError> {
        Ok(match &self.ropes[position] {
            Some(rope) => rope.rotate(rows)?,
            None => rows.clone(),
        })
    }
}
