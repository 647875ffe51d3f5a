//! The attention pattern, transposed: what gradients at queries give to keys. The one step of the backward pass that
//! is no large matrix product, so the CPU has its own form of it.

use crate::attribution::TraceError;
use crate::parallel;
use candle_core::{Device, Storage, Tensor};

/// Where a target's gradient stands in the rows in front of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Spread over positions 1..=p, this far into each position's block.
    Spread(usize),
    /// At its own position alone, in this row.
    Fresh(usize),
}

/// A target whose gradient passes attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Which target.
    pub target: usize,
    /// Its position, at least 1.
    pub position: usize,
    /// Where its gradient stands.
    pub source: Source,
}

/// Rows in blocks by position 1..P: block k holds the targets whose position is at least k, in one order for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// First row of block k at index k - 1; the number of rows at the end.
    pub offsets: Vec<usize>,
}

impl Blocks {
    /// Blocks for targets at `positions`, which descend.
    pub fn new(n_positions: usize, positions: impl Iterator<Item = usize> + Clone) -> Self {
        let mut offsets = vec![0];
        for k in 1..n_positions {
            let count = positions.clone().take_while(|p| *p >= k).count();
            offsets.push(offsets[k - 1] + count);
        }
        Self { offsets }
    }

    /// First row and number of rows of block `k`, from 1.
    pub fn block(&self, k: usize) -> (usize, usize) {
        (self.offsets[k - 1], self.offsets[k] - self.offsets[k - 1])
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }
}

/// One layer's pattern and how its heads lie.
pub(super) struct Heads<'a> {
    /// `[heads, P, P]` (query, key), divisors folded in.
    pub pattern: &'a [f32],
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub n_positions: usize,
}

/// Carries gradients at what the heads read, `at_queries` `[rows, d_attn]`, to the value vectors: `[merged rows, d_kv]`.
/// `spread` tells where the spread members' rows stand, `merged` where all members' rows go; fresh rows follow the
/// spread ones.
pub(super) fn mix(
    heads: &Heads<'_>,
    at_queries: &Tensor,
    members: &[Member],
    spread: &Blocks,
    merged: &Blocks,
) -> Result<Tensor, TraceError> {
    if at_queries.device().is_cpu() {
        mix_on_cpu(heads, at_queries, members, spread, merged)
    } else {
        mix_anywhere(heads, at_queries, members, spread, merged)
    }
}

/// The rows of a member's gradient: (query, row).
fn rows_of(member: &Member, spread: &Blocks) -> Vec<(usize, usize)> {
    match member.source {
        Source::Spread(rank) => (1..=member.position).map(|q| (q, spread.block(q).0 + rank)).collect(),
        Source::Fresh(row) => vec![(member.position, spread.rows() + row)],
    }
}

fn mix_on_cpu(
    heads: &Heads<'_>,
    at_queries: &Tensor,
    members: &[Member],
    spread: &Blocks,
    merged: &Blocks,
) -> Result<Tensor, TraceError> {
    let at_queries = at_queries.contiguous()?;
    let d_attn = at_queries.dim(1)?;
    let d_kv = d_attn / heads.n_heads * heads.n_kv_heads;
    let mut out = vec![0.0f32; merged.rows() * d_kv];
    {
        let (storage, layout) = at_queries.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            return Err(candle_core::Error::Msg("the tensor is not on the CPU".to_owned()).into());
        };
        let input = &storage.as_slice::<f32>()?[layout.start_offset()..];
        // Each member's rows, one a position: block k gives one row to each of the first members.
        let mut keys: Vec<Vec<&mut [f32]>> = members.iter().map(|m| Vec::with_capacity(m.position)).collect();
        let mut rows = out.chunks_mut(d_kv.max(1));
        for k in 1..heads.n_positions {
            for (keys, row) in keys.iter_mut().zip(rows.by_ref().take(merged.block(k).1)) {
                keys.push(row);
            }
        }
        let kernel = Kernel::detect();
        let work: Vec<_> = keys.iter_mut().zip(members).collect();
        parallel::each(work, merged.rows() * d_attn, |(keys, member)| {
            let queries: Vec<(usize, &[f32])> = rows_of(member, spread)
                .into_iter()
                .map(|(query, row)| (query, &input[row * d_attn..(row + 1) * d_attn]))
                .collect();
            kernel.run(heads, &queries, keys);
        });
    }
    Ok(Tensor::from_vec(out, (merged.rows(), d_kv), &Device::Cpu)?)
}

/// The widest vector instructions that this processor has.
#[derive(Clone, Copy)]
enum Kernel {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Plain
    }

    fn run(self, heads: &Heads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
        match self {
            Self::Plain => accumulate(heads, queries, keys),
            // SAFETY: `detect` saw the instructions on this processor.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { accumulate_avx2(heads, queries, keys) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { accumulate_avx512(heads, queries, keys) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn accumulate_avx2(heads: &Heads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
    accumulate(heads, queries, keys);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn accumulate_avx512(heads: &Heads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
    accumulate(heads, queries, keys);
}

/// keys[k] += pattern[h, q, k] * queries[q] for each head h, into the key-value head that it reads. Inlined into its
/// callers, so that each is compiled for its own instructions.
#[inline(always)]
fn accumulate(heads: &Heads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
    let (n, group) = (heads.n_positions, heads.n_heads / heads.n_kv_heads);
    let width = queries.first().map_or(0, |(_, row)| row.len() / heads.n_heads);
    for head in 0..heads.n_heads {
        let to = head / group * width;
        for (query, row) in queries {
            let row = &row[head * width..(head + 1) * width];
            let pattern = &heads.pattern[(head * n + query) * n..(head * n + query + 1) * n];
            for (key, weight) in keys.iter_mut().zip(&pattern[1..=*query]) {
                for (out, x) in key[to..to + width].iter_mut().zip(row) {
                    *out += weight * x;
                }
            }
        }
    }
}

/// The same out of tensor operations alone, for any device: rows are laid out in full, padded with zeros, and each
/// head's pattern is one batched product.
fn mix_anywhere(
    heads: &Heads<'_>,
    at_queries: &Tensor,
    members: &[Member],
    spread: &Blocks,
    merged: &Blocks,
) -> Result<Tensor, TraceError> {
    let device = at_queries.device();
    let (rows, d_attn) = at_queries.dims2()?;
    let (n, count, width) = (heads.n_positions, members.len(), d_attn / heads.n_heads);
    let (kv, group) = (heads.n_kv_heads, heads.n_heads / heads.n_kv_heads);
    let mut full = vec![rows as u32; n * count];
    for (i, member) in members.iter().enumerate() {
        for (query, row) in rows_of(member, spread) {
            full[query * count + i] = row as u32;
        }
    }
    let padded = Tensor::cat(&[at_queries, &Tensor::zeros((1, d_attn), at_queries.dtype(), device)?], 0)?;
    let full = padded.index_select(&Tensor::from_vec(full, n * count, device)?, 0)?;
    // [P, members, heads, width] to [heads, P, members * width]
    let by_head = full.reshape((n, count, heads.n_heads, width))?.permute((2, 0, 1, 3))?.contiguous()?;
    let by_head = by_head.reshape((heads.n_heads, n, count * width))?;
    let pattern = Tensor::from_slice(heads.pattern, (heads.n_heads, n, n), device)?;
    let at_keys = pattern.transpose(1, 2)?.contiguous()?.matmul(&by_head)?;
    let at_keys = at_keys.reshape((kv, group, n, count, width))?.sum(1)?;
    let at_keys = at_keys.permute((1, 2, 0, 3))?.contiguous()?.reshape((n * count, kv * width))?;
    let ragged: Vec<u32> =
        (1..n).flat_map(|k| (0..merged.block(k).1).map(move |rank| (k * count + rank) as u32)).collect();
    Ok(at_keys.index_select(&Tensor::from_vec(ragged, merged.rows(), device)?, 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_form_equals_the_one_out_of_tensor_operations() {
        let (n_positions, n_heads, n_kv_heads, width) = (5, 4, 2, 3);
        let noise = |i: usize| ((i as f32 * 12.9898).sin() * 43758.547).fract();
        let pattern: Vec<f32> = (0..n_heads * n_positions * n_positions)
            .map(|i| if i % n_positions <= i / n_positions % n_positions { noise(i) } else { 0.0 })
            .collect();
        let heads = Heads { pattern: &pattern, n_heads, n_kv_heads, n_positions };
        let spread = Blocks::new(n_positions, [4, 2].into_iter());
        let members = [
            Member { target: 0, position: 4, source: Source::Spread(0) },
            Member { target: 1, position: 3, source: Source::Fresh(0) },
            Member { target: 2, position: 2, source: Source::Spread(1) },
            Member { target: 3, position: 1, source: Source::Fresh(1) },
        ];
        let merged = Blocks::new(n_positions, members.iter().map(|m| m.position));
        let rows = spread.rows() + 2;
        let input: Vec<f32> = (0..rows * n_heads * width).map(|i| noise(i + 999)).collect();
        let input = Tensor::from_vec(input, (rows, n_heads * width), &Device::Cpu).unwrap();
        let fast = mix_on_cpu(&heads, &input, &members, &spread, &merged).unwrap();
        let plain = mix_anywhere(&heads, &input, &members, &spread, &merged).unwrap();
        let (fast, plain) = (fast.to_vec2::<f32>().unwrap(), plain.to_vec2::<f32>().unwrap());
        assert_eq!(fast.len(), 4 + 3 + 2 + 1);
        for (a, b) in fast.iter().flatten().zip(plain.iter().flatten()) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
