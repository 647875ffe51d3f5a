//! Edges split by the attention heads that they pass.
//!
//! The local replacement model is linear, and a source acts on a target over paths that at each attention layer in
//! between either stay in the residual stream or pass one of its heads. So an edge is a sum over such paths, and may be
//! split by the first head on the way or by the last one. Skip connections of transcoders count as residual stream.

use crate::attribution::TraceError;
use crate::attribution::replacement::{FrozenLayer, Replacement};
use crate::attribution::target_row::{ReadSite, TargetRow};
use crate::graph::{EdgeParts, Head, HeadPart};
use crate::job::Cancel;
use candle_core::{DType, Tensor};
use std::collections::HashMap;

/// Head inputs of one layer that come from the source.
struct Below {
    /// Input of each head at each query, of the whole stream, `[heads, P, head_dim]`.
    of_all: Tensor,
    /// Input of each head at each query, of the part of the stream that passed no head so far, `[heads, P, head_dim]`.
    of_stays: Tensor,
}

impl Replacement {
    /// Splits the edge from the source in `column` to `target` by heads.
    ///
    /// # Errors
    /// Fails where decoders cannot be read, or the work was stopped.
    pub(super) fn split(&self, target: &TargetRow, column: usize, cancel: &Cancel) -> Result<EdgeParts, TraceError> {
        let written = self.written(&[vec![(column, 1.0)]], cancel)?;
        self.split_written(target, &written, 0, cancel)
    }

    /// Splits the effect of the `nth` sum of sources on `target` by heads; `written` comes from
    /// [`Replacement::written`].
    ///
    /// # Errors
    /// Fails where a tensor operation failed, or the work was stopped.
    pub(super) fn split_written(
        &self,
        target: &TargetRow,
        written: &[Option<Tensor>],
        nth: usize,
        cancel: &Cancel,
    ) -> Result<EdgeParts, TraceError> {
        let d = self.d_model;
        let added = |layer: usize| written[layer].as_ref().map(|all| all.get(nth)).transpose();
        // What an MLP reads has passed the attention of its own layer, unless the two stand side by side.
        let (layer, site) = self.joins(target);
        let end = layer + usize::from(site == ReadSite::Mlp);
        let mut all = Tensor::zeros((self.n_positions, d), DType::F32, &self.device)?;
        let mut stays = all.clone();
        let mut begun = false;
        let mut below: Vec<Option<Below>> = Vec::with_capacity(end);
        for layer in 0..end {
            cancel.check()?;
            if let Some(added) = added(layer)? {
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
        if let Some(added) = added(end)?.filter(|_| target.layer >= end) {
            (all, stays) = (all.add(&added)?, stays.add(&added)?);
        }
        let read = self.placed(&Tensor::from_slice(&target.read, (1, d), &self.device)?, target.position)?;
        let total = dot(&read, &all)?;
        let mut split = EdgeParts { total, stays: dot(&read, &stays)?, heads: Vec::new() };

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
                    head: Head { layer: layer.into(), head: head as u32 },
                    alone: alone[head],
                    first: first[head],
                    last: last[head],
                }));
            }
            of_all = of_all.add(&self.head_gradients(frozen, &at_heads)?)?;
        }
        split.heads.sort_by_key(|part| part.head);
        Ok(split)
    }

    /// Returns the part of the residual stream in front of layer `end`'s attention that comes from the source in
    /// `column`, `[P, d]`.
    ///
    /// # Errors
    /// Fails where decoders cannot be read, or the work was stopped.
    pub(super) fn carried(&self, column: usize, end: usize, cancel: &Cancel) -> Result<Tensor, TraceError> {
        let written = self.written(&[vec![(column, 1.0)]], cancel)?;
        let mut stream = Tensor::zeros((self.n_positions, self.d_model), DType::F32, &self.device)?;
        for (layer, added) in written.iter().enumerate().take(end + 1) {
            cancel.check()?;
            if let Some(added) = added {
                stream = stream.add(&added.get(0)?)?;
            }
            if layer == end {
                break;
            }
            let frozen = &self.layers[layer];
            let attended = stream.add(&self.head_writes(frozen, &self.head_reads(frozen, &stream)?)?)?;
            stream = match &frozen.skip {
                Some(skip) => attended.add(&skip.over(if self.parallel_residual { &stream } else { &attended })?)?,
                None => attended,
            };
        }
        Ok(stream)
    }

    /// Returns the writes of weighted sums of sources, each a column and its factor, into the residual stream, by the
    /// layer in front of whose attention they then stand: `[sums, P, d]` each.
    ///
    /// # Errors
    /// Fails where decoders cannot be read, or the work was stopped.
    pub(super) fn written(
        &self,
        sums: &[Vec<(usize, f32)>],
        cancel: &Cancel,
    ) -> Result<Vec<Option<Tensor>>, TraceError> {
        let (n, d, p) = (sums.len(), self.d_model, self.n_positions);
        let mut of_column: HashMap<usize, Vec<(usize, f32)>> = HashMap::new();
        for (nth, (column, factor)) in
            sums.iter().enumerate().flat_map(|(nth, sum)| sum.iter().map(move |it| (nth, it)))
        {
            of_column.entry(*column).or_default().push((nth, *factor));
        }
        // By which each row is multiplied in each sum, `[sums, rows]`; nothing where no row is in any.
        let factors = |columns: &[Option<usize>]| {
            let mut all: Option<Vec<f32>> = None;
            for (row, column) in columns.iter().enumerate() {
                for (nth, factor) in column.and_then(|column| of_column.get(&column)).into_iter().flatten() {
                    all.get_or_insert_with(|| vec![0.0; n * columns.len()])[nth * columns.len() + row] = *factor;
                }
            }
            all
        };
        let product = |factors: Vec<f32>, rows: &Tensor| -> Result<Vec<f32>, TraceError> {
            let factors = Tensor::from_vec(factors, (n, rows.dim(0)?), &self.device)?;
            Ok(factors.matmul(rows)?.flatten_all()?.to_vec1()?)
        };
        let tensor = |parts: Vec<(usize, Vec<f32>)>| -> Result<Option<Tensor>, TraceError> {
            if parts.is_empty() {
                return Ok(None);
            }
            let mut all = vec![0.0f32; n * p * d];
            for (position, part) in parts {
                for (nth, row) in part.chunks(d).enumerate() {
                    let start = (nth * p + position) * d;
                    all[start..start + d].copy_from_slice(row);
                }
            }
            Ok(Some(Tensor::from_vec(all, (n, p, d), &self.device)?))
        };
        let mut tokens = Vec::new();
        for position in 0..p {
            if let Some(factors) = factors(&[Some(self.token_column(position))]) {
                tokens.push((position, product(factors, &self.embeddings.narrow(0, position, 1)?)?));
            }
        }
        let mut all = vec![tensor(tokens)?];
        for (layer, frozen) in self.layers.iter().enumerate() {
            cancel.check()?;
            let mut parts = Vec::new();
            for (position, writes) in frozen.writes.iter().enumerate() {
                let Some(writes) = writes else { continue };
                if let Some(factors) = factors(&writes.columns()) {
                    let rows = self.decoders.rows(layer, writes, &frozen.behind, d)?;
                    parts.push((position, product(factors, &rows)?));
                }
            }
            if !parts.is_empty() {
                self.decoders.release(layer);
            }
            all.push(tensor(parts)?);
        }
        Ok(all)
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

fn dot(a: &Tensor, b: &Tensor) -> Result<f32, TraceError> {
    Ok(a.mul(b)?.sum_all()?.to_scalar()?)
}
