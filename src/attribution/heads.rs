//! Edges split by the attention heads that they pass.
//!
//! The local replacement model is linear, and a source acts on a target over paths that at each attention layer in
//! between either stay in the residual stream or pass one of its heads. So an edge is a sum over such paths, and may be
//! split by the first head on the way or by the last one. Skip connections of transcoders count as residual stream.

use crate::attribution::TraceError;
use crate::attribution::backward::TargetRow;
use crate::attribution::replacement::{FrozenLayer, Replacement};
use crate::job::Cancel;
use candle_core::Tensor;

/// Largest share by which half precision and a file's rounding change an edge.
const ROUNDED: f32 = 0.01;

/// Parts of an edge that pass one head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadPart {
    /// Layer of the head.
    pub layer: usize,
    /// Index of the head in its layer.
    pub head: usize,
    /// Part over the path that passes this head and no other.
    pub alone: f32,
    /// Part over all paths whose first head, from the source up, is this one.
    pub first: f32,
    /// Part over all paths whose last head, in front of the target, is this one.
    pub last: f32,
}

impl HeadPart {
    /// Returns the larger of `first` and `last` in absolute value.
    pub fn size(&self) -> f32 {
        self.first.abs().max(self.last.abs())
    }
}

/// Split of an edge by heads. `total = stays + sum of first = stays + sum of last = stays + sum of alone + chained`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadSplit {
    /// Whole edge.
    pub total: f32,
    /// Part that passes no head: 0 unless source and target are at one position.
    pub stays: f32,
    /// Every head between source and target, by layer, then head.
    pub heads: Vec<HeadPart>,
}

impl HeadSplit {
    /// Returns the part that passes two heads or more. 0 where one attention layer lies between.
    pub fn chained(&self) -> f32 {
        self.total - self.stays - self.alone()
    }

    /// Returns the part that passes exactly one head, over all heads.
    pub fn alone(&self) -> f32 {
        self.heads.iter().map(|part| part.alone).sum()
    }

    /// Returns the heads by [`HeadPart::size`], the largest first.
    pub fn strongest(&self) -> Vec<HeadPart> {
        let mut heads = self.heads.clone();
        heads.sort_by(|a, b| b.size().total_cmp(&a.size()));
        heads
    }

    /// Returns true where an edge of this weight, which a file may have rounded, can be the one that was split.
    pub fn is_of(&self, weight: f32) -> bool {
        (weight - self.total).abs() <= ROUNDED * weight.abs().max(self.total.abs())
    }

    /// Returns the number of attention layers between source and target.
    pub fn n_layers(&self) -> usize {
        self.heads.chunk_by(|a, b| a.layer == b.layer).count()
    }
}

/// Head inputs of one layer that come from the source.
struct Below {
    /// Input of each head at each query, of the whole stream, `[heads, P, head_dim]`.
    of_all: Tensor,
    /// Input of each head at each query, of the part of the stream that passed no head so far, `[heads, P, head_dim]`.
    of_stays: Tensor,
}

impl Replacement<'_> {
    /// Splits the edge from the source in `column` to `target` by heads.
    ///
    /// # Errors
    /// Fails where decoders cannot be read, or the work was stopped.
    pub(super) fn split(&self, target: &TargetRow, column: usize, cancel: &Cancel) -> Result<HeadSplit, TraceError> {
        let (n_layers, d) = (self.layers.len(), self.d_model);
        let (position, mut written) = self.written_by(column)?;
        // What it reads has passed the attention of its own layer, unless the two stand side by side.
        let end = (target.layer + usize::from(!self.parallel_residual)).min(n_layers);
        let mut all = Tensor::zeros((self.n_positions, d), candle_core::DType::F32, &self.device)?;
        let mut stays = all.clone();
        let mut begun = false;
        let mut below: Vec<Option<Below>> = Vec::with_capacity(end);
        for layer in 0..end {
            cancel.check()?;
            if let Some(row) = take(&mut written, layer) {
                let added = self.placed(&row, position)?;
                (all, stays) = (all.add(&added)?, stays.add(&added)?);
                begun = true;
            }
            let frozen = &self.layers[layer];
            let before = (all.clone(), stays.clone());
            if begun {
                let reads =
                    Below { of_all: self.head_reads(frozen, &all)?, of_stays: self.head_reads(frozen, &stays)? };
                all = all.add(&self.head_writes(frozen, &reads.of_all)?)?;
                below.push(Some(reads));
            } else {
                below.push(None);
            }
            if layer == target.layer {
                break;
            }
            if let Some(skip) = &frozen.skip {
                let (of_all, of_stays) = if self.parallel_residual { before } else { (all.clone(), stays.clone()) };
                all = all.add(&skip.over(&of_all)?)?;
                stays = stays.add(&skip.over(&of_stays)?)?;
            }
        }
        if let Some(row) = take(&mut written, end).filter(|_| target.layer >= end) {
            let added = self.placed(&row, position)?;
            (all, stays) = (all.add(&added)?, stays.add(&added)?);
        }
        let read = Tensor::from_slice(&target.read, (1, d), &self.device)?;
        let read = self.placed(&read, target.position)?;
        let total = dot(&read, &all)?;
        let mut split = HeadSplit { total, stays: dot(&read, &stays)?, heads: Vec::new() };

        // The gradient behind each attention layer: over all paths, and over those that pass no head above it.
        let (mut of_all, mut of_stays) = (read.clone(), read);
        for layer in (0..end).rev() {
            cancel.check()?;
            let frozen = &self.layers[layer];
            let behind = (of_all.clone(), of_stays.clone());
            if layer < target.layer
                && let Some(skip) = &frozen.skip
            {
                of_all = of_all.add(&skip.back(&of_all)?)?;
                of_stays = of_stays.add(&skip.back(&of_stays)?)?;
            }
            let (at_all, at_stays) = if self.parallel_residual { behind } else { (of_all.clone(), of_stays.clone()) };
            let at_heads = self.at_heads(frozen, &at_all)?;
            if let Some(below) = &below[layer] {
                let last = self.at_heads(frozen, &at_stays)?;
                let of =
                    |a: &Tensor, b: &Tensor| -> Result<Vec<f32>, TraceError> { Ok(a.mul(b)?.sum((1, 2))?.to_vec1()?) };
                let alone = of(&last, &below.of_stays)?;
                let (first, last) = (of(&at_heads, &below.of_stays)?, of(&last, &below.of_all)?);
                split.heads.extend((0..self.n_heads).map(|head| HeadPart {
                    layer,
                    head,
                    alone: alone[head],
                    first: first[head],
                    last: last[head],
                }));
            }
            of_all = of_all.add(&self.head_gradients(frozen, &at_heads)?)?;
        }
        split.heads.sort_by_key(|part| (part.layer, part.head));
        Ok(split)
    }

    /// Returns the position of a source and the rows `[1, d]` that it writes into the residual stream, each with the
    /// layer in front of whose attention it is added.
    fn written_by(&self, column: usize) -> Result<(usize, Vec<(usize, Tensor)>), TraceError> {
        let first_token = self.n_columns() - self.n_positions;
        if column >= first_token {
            let position = column - first_token;
            return Ok((position, vec![(0, self.embeddings.narrow(0, position, 1)?)]));
        }
        let (mut at, mut written) = (0, Vec::new());
        for (layer, frozen) in self.layers.iter().enumerate() {
            for (position, writes) in frozen.writes.iter().enumerate() {
                let Some(writes) = writes else { continue };
                let of_feature = writes.segments.iter().find_map(|segment| {
                    let nth = column.checked_sub(segment.column).filter(|nth| *nth < segment.count)?;
                    Some(segment.row + nth)
                });
                let of_error = (writes.error == Some(column)).then(|| writes.n_rows() - 2);
                if let Some(row) = of_feature.or(of_error) {
                    let rows = self.decoders.rows(layer, writes, &frozen.behind, self.d_model)?;
                    written.push((layer + 1, rows.narrow(0, row, 1)?));
                    at = position;
                }
            }
        }
        Ok((at, written))
    }

    /// Returns `[P, d]` with `row` `[1, d]` at `position` and zeros elsewhere.
    fn placed(&self, row: &Tensor, position: usize) -> Result<Tensor, TraceError> {
        let zeros = |n: usize| Tensor::zeros((n, self.d_model), row.dtype(), &self.device);
        Ok(Tensor::cat(&[&zeros(position)?, row, &zeros(self.n_positions - position - 1)?], 0)?)
    }

    /// Returns the pattern-weighted values of each head for a stream `[P, d]`: `[heads, P, head_dim]`.
    fn head_reads(&self, frozen: &FrozenLayer, stream: &Tensor) -> Result<Tensor, TraceError> {
        let values = self.precision.product(stream, &frozen.value.t()?)?;
        let head_dim = values.dim(1)? / self.n_kv_heads;
        let group = self.n_heads / self.n_kv_heads;
        let values = values.reshape((self.n_positions, self.n_kv_heads, 1, head_dim))?;
        let values = values.expand((self.n_positions, self.n_kv_heads, group, head_dim))?;
        let values = values.reshape((self.n_positions, self.n_heads, head_dim))?.transpose(0, 1)?.contiguous()?;
        Ok(frozen.pattern.matmul(&values)?)
    }

    /// Returns the attention output of all heads for `reads`: `[P, d]`.
    fn head_writes(&self, frozen: &FrozenLayer, reads: &Tensor) -> Result<Tensor, TraceError> {
        let joined = reads.transpose(0, 1)?.contiguous()?.flatten_from(1)?;
        Ok(self.precision.product(&joined, &frozen.output.t()?)?)
    }

    /// Carries gradients at the attention output `[P, d]` to each head: `[heads, P, head_dim]`.
    fn at_heads(&self, frozen: &FrozenLayer, gradients: &Tensor) -> Result<Tensor, TraceError> {
        let joined = self.precision.product(gradients, &frozen.output)?;
        let head_dim = joined.dim(1)? / self.n_heads;
        Ok(joined.reshape((self.n_positions, self.n_heads, head_dim))?.transpose(0, 1)?.contiguous()?)
    }

    /// Carries gradients at each head to the stream in front of attention: `[P, d]`.
    fn head_gradients(&self, frozen: &FrozenLayer, at_heads: &Tensor) -> Result<Tensor, TraceError> {
        let head_dim = at_heads.dim(2)?;
        let group = self.n_heads / self.n_kv_heads;
        let at_values = frozen.pattern.transpose(1, 2)?.contiguous()?.matmul(at_heads)?;
        let at_values = at_values.reshape((self.n_kv_heads, group, self.n_positions, head_dim))?.sum(1)?;
        let joined = at_values.transpose(0, 1)?.contiguous()?.flatten_from(1)?;
        Ok(self.precision.product(&joined, &frozen.value)?)
    }
}

fn take(written: &mut Vec<(usize, Tensor)>, layer: usize) -> Option<Tensor> {
    let at = written.iter().position(|(before, _)| *before == layer)?;
    Some(written.swap_remove(at).1)
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f32, TraceError> {
    Ok(a.mul(b)?.sum_all()?.to_scalar()?)
}
