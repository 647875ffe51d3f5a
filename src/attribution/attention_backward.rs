//! Gradients carried through the transposed attention pattern, from queries to keys: the one step of the CPU's backward
//! pass that is no large matrix product.

use crate::attribution::TraceError;
use crate::job::Cancel;
use crate::parallel;
use candle_core::{Device, Layout, Storage, Tensor};
use gemm::Parallelism;

/// Prompt length above which the pattern is applied in matrix products of pieces, not entry by entry.
const LONG: usize = 96;

/// Queries, and keys, of a piece of the pattern.
const PIECE: usize = 128;

/// Members whose gradients one thread mixes at a time. They have neighbouring positions, so that little of what is
/// multiplied is padding.
const TOGETHER: usize = 4;

/// Place of a target's gradient in the rows in front of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Spread over positions 1..=p, at this offset in each position's block.
    Spread(usize),
    /// At its own position alone, in this row.
    Unspread(usize),
}

/// A target whose gradient passes attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActiveTarget {
    /// Index of the target.
    pub target: usize,
    /// Its position, at least 1.
    pub position: usize,
    /// Place of its gradient.
    pub source: Source,
}

impl ActiveTarget {
    /// Pairs of a query and a key, not counting key 0, that its gradient passes.
    pub fn pairs(&self) -> usize {
        match self.source {
            Source::Spread(_) => self.position * (self.position + 1) / 2,
            Source::Unspread(_) => self.position,
        }
    }
}

/// Rows in blocks by position 1..P: block k holds the targets whose position is at least k, in one order for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// First row of block k at index k - 1; the number of rows at the end.
    pub offsets: Vec<usize>,
}

impl Blocks {
    /// Builds the blocks of targets at `positions`, which descend.
    pub fn new(n_positions: usize, positions: impl Iterator<Item = usize> + Clone) -> Self {
        let mut offsets = vec![0];
        for k in 1..n_positions {
            let count = positions.clone().take_while(|p| *p >= k).count();
            offsets.push(offsets[k - 1] + count);
        }
        Self { offsets }
    }

    /// Returns the first row and the number of rows of block `k`, from 1.
    pub fn block(&self, k: usize) -> (usize, usize) {
        (self.offsets[k - 1], self.offsets[k] - self.offsets[k - 1])
    }

    /// Returns the number of rows of all blocks.
    pub fn rows(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }
}

/// One layer's attention pattern and head counts.
pub(super) struct Heads<'a> {
    /// Attention pattern `[heads, P, P]` (query, key), norm scales folded in. Contiguous, and on the device of the
    /// gradients.
    pub pattern: &'a Tensor,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub n_positions: usize,
}

/// Carries the gradients at the heads' outputs, `at_queries` `[rows, d_attn]`, to the value vectors:
/// `[merged rows, d_kv]`. `spread` is the layout of the spread members' rows, which the fresh ones follow; `merged`
/// that of all members' rows in the result.
pub(super) fn through_attention(
    heads: &Heads<'_>,
    at_queries: &Tensor,
    members: &[ActiveTarget],
    spread: &Blocks,
    merged: &Blocks,
    cancel: &Cancel,
) -> Result<Tensor, TraceError> {
    mix_with(heads, at_queries, members, spread, merged, LONG, cancel)
}

/// Returns the rows of a member's gradient: (query, row).
fn rows_of(member: &ActiveTarget, spread: &Blocks) -> Vec<(usize, usize)> {
    match member.source {
        Source::Spread(rank) => (1..=member.position).map(|q| (q, spread.block(q).0 + rank)).collect(),
        Source::Unspread(row) => vec![(member.position, spread.rows() + row)],
    }
}

/// [`Heads`] with the pattern as a slice.
struct PlainHeads<'a> {
    pattern: &'a [f32],
    n_heads: usize,
    n_kv_heads: usize,
    n_positions: usize,
}

/// Returns the numbers of a contiguous tensor on the CPU.
fn numbers<'a>(storage: &'a Storage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => Ok(&storage.as_slice::<f32>()?[layout.start_offset()..]),
        _ => Err(candle_core::Error::Msg("the tensor is not on the CPU".to_owned())),
    }
}

/// Does what [`through_attention`] does, in matrix products where prompts are longer than `long`.
fn mix_with(
    heads: &Heads<'_>,
    at_queries: &Tensor,
    members: &[ActiveTarget],
    spread: &Blocks,
    merged: &Blocks,
    long: usize,
    cancel: &Cancel,
) -> Result<Tensor, TraceError> {
    let at_queries = at_queries.contiguous()?;
    let d_attn = at_queries.dim(1)?;
    let d_kv = d_attn / heads.n_heads * heads.n_kv_heads;
    let mut out = vec![0.0f32; merged.rows() * d_kv];
    {
        let (of_input, of_pattern) = (at_queries.storage_and_layout(), heads.pattern.storage_and_layout());
        let input = numbers(&of_input.0, of_input.1)?;
        let heads = &PlainHeads {
            pattern: numbers(&of_pattern.0, of_pattern.1)?,
            n_heads: heads.n_heads,
            n_kv_heads: heads.n_kv_heads,
            n_positions: heads.n_positions,
        };
        // Each member's rows, one a position: block k gives one row to each of the first members.
        let mut keys: Vec<Vec<&mut [f32]>> = members.iter().map(|m| Vec::with_capacity(m.position)).collect();
        let mut rows = out.chunks_mut(d_kv.max(1));
        for k in 1..heads.n_positions {
            for (keys, row) in keys.iter_mut().zip(rows.by_ref().take(merged.block(k).1)) {
                keys.push(row);
            }
        }
        let kernel = Kernel::detect();
        let queries = |member: &ActiveTarget| -> Vec<(usize, &[f32])> {
            let rows = rows_of(member, spread).into_iter();
            rows.map(|(query, row)| (query, &input[row * d_attn..(row + 1) * d_attn])).collect()
        };
        let is_long = |member: &ActiveTarget| heads.n_positions > long && matches!(member.source, Source::Spread(_));
        let (long, short): (Vec<_>, Vec<_>) = keys.iter_mut().zip(members).partition(|(_, member)| is_long(member));
        parallel::each(short, merged.rows() * d_attn, |(keys, member)| kernel.run(heads, &queries(member), keys));
        let mut long = long.into_iter();
        let mut together: Vec<Vec<_>> = Vec::new();
        while !long.as_slice().is_empty() {
            together.push(long.by_ref().take(TOGETHER).collect());
        }
        parallel::each(together, merged.rows() * d_attn, |mut some| {
            let all: Vec<Vec<(usize, &[f32])>> = some.iter().map(|(_, member)| queries(member)).collect();
            let mut keys: Vec<&mut Vec<&mut [f32]>> = some.iter_mut().map(|(keys, _)| &mut **keys).collect();
            mix_by_products(heads, &all, &mut keys, cancel);
        });
        cancel.check()?;
    }
    Ok(Tensor::from_vec(out, (merged.rows(), d_kv), &Device::Cpu)?)
}

/// Adds the mixed `queries` of some members, which all have every position from 1 on, to their `keys`: one matrix
/// product over all members for each piece of the pattern. Returns halfway when it is cancelled.
fn mix_by_products(
    heads: &PlainHeads<'_>,
    queries: &[Vec<(usize, &[f32])>],
    keys: &mut [&mut Vec<&mut [f32]>],
    cancel: &Cancel,
) {
    let (n, group) = (heads.n_positions, heads.n_heads / heads.n_kv_heads);
    let width = queries.iter().flatten().next().map_or(0, |(_, row)| row.len() / heads.n_heads);
    let last = queries.iter().map(Vec::len).max().unwrap_or(0);
    let all = queries.len() * width;
    let mut packed = vec![vec![0.0f32; last * all]; group];
    let mut sum = vec![0.0f32; PIECE * all];
    for to in 0..heads.n_kv_heads {
        for (nth, packed) in packed.iter_mut().enumerate() {
            let from = (to * group + nth) * width;
            for (at, member) in queries.iter().enumerate() {
                for ((_, row), packed) in member.iter().zip(packed.chunks_mut(all)) {
                    packed[at * width..(at + 1) * width].copy_from_slice(&row[from..from + width]);
                }
            }
        }
        for first_key in (1..=last).step_by(PIECE) {
            if cancel.is_cancelled() {
                return;
            }
            let n_keys = PIECE.min(last + 1 - first_key);
            let sum = &mut sum[..n_keys * all];
            sum.fill(0.0);
            for (nth, packed) in packed.iter().enumerate() {
                // No query sees a later key, so that pieces above the diagonal hold nothing.
                for first_query in (first_key..=last).step_by(PIECE) {
                    let n_queries = PIECE.min(last + 1 - first_query);
                    let head = to * group + nth;
                    let pattern = &heads.pattern[(head * n + first_query) * n + first_key..];
                    let rows = &packed[(first_query - 1) * all..];
                    add_product(sum, (pattern, n), (rows, all), [n_keys, all, n_queries]);
                }
            }
            for (at, keys) in keys.iter_mut().enumerate() {
                for (key, sum) in keys.iter_mut().skip(first_key - 1).zip(sum.chunks(all)) {
                    let out = &mut key[to * width..(to + 1) * width];
                    out.iter_mut().zip(&sum[at * width..]).for_each(|(out, x)| *out += x);
                }
            }
        }
    }
}

/// Adds the transpose of `left` `[k, m]` times `right` `[k, n]` to `sum` `[m, n]`; the strides are of rows.
fn add_product(
    sum: &mut [f32],
    (left, left_stride): (&[f32], usize),
    (right, right_stride): (&[f32], usize),
    [m, n, k]: [usize; 3],
) {
    assert!(sum.len() >= m * n && left.len() >= (k - 1) * left_stride + m && right.len() >= (k - 1) * right_stride + n);
    // SAFETY: the rows lie within the slices, as was just seen, and the sum overlaps with neither.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            sum.as_mut_ptr(),
            1,
            n as isize,
            true,
            left.as_ptr(),
            left_stride as isize,
            1,
            right.as_ptr(),
            1,
            right_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Widest vector instructions of this processor.
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

    fn run(self, heads: &PlainHeads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
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
fn accumulate_avx2(heads: &PlainHeads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
    accumulate(heads, queries, keys);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn accumulate_avx512(heads: &PlainHeads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
    accumulate(heads, queries, keys);
}

/// Adds pattern[h, q, k] * queries[q] to keys[k] for each head h, into the key-value head that it reads. Inlined into
/// its callers, so that each is compiled for its own instructions.
#[inline(always)]
fn accumulate(heads: &PlainHeads<'_>, queries: &[(usize, &[f32])], keys: &mut [&mut [f32]]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns noise in [-1, 1].
    fn noise(i: usize) -> f32 {
        ((i as f32 * 12.9898).sin() * 43758.547).fract()
    }

    /// Computes the same by tensor operations alone: rows are laid out in full, padded with zeros, and each head's
    /// pattern is one batched product.
    fn mix_by_tensors(
        heads: &Heads<'_>,
        at_queries: &Tensor,
        members: &[ActiveTarget],
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
        let at_keys = heads.pattern.transpose(1, 2)?.contiguous()?.matmul(&by_head)?;
        let at_keys = at_keys.reshape((kv, group, n, count, width))?.sum(1)?;
        let at_keys = at_keys.permute((1, 2, 0, 3))?.contiguous()?.reshape((n * count, kv * width))?;
        let ragged: Vec<u32> =
            (1..n).flat_map(|k| (0..merged.block(k).1).map(move |rank| (k * count + rank) as u32)).collect();
        Ok(at_keys.index_select(&Tensor::from_vec(ragged, merged.rows(), device)?, 0)?)
    }

    /// Compares both forms with [`mix_by_tensors`], for members at `positions`, every third of them fresh.
    fn compare(n_positions: usize, positions: &[usize]) {
        let (n_heads, n_kv_heads, width) = (4, 2, 3);
        let pattern: Vec<f32> = (0..n_heads * n_positions * n_positions)
            .map(|i| if i % n_positions <= i / n_positions % n_positions { noise(i) } else { 0.0 })
            .collect();
        let pattern = Tensor::from_vec(pattern, (n_heads, n_positions, n_positions), &Device::Cpu).unwrap();
        let heads = Heads { pattern: &pattern, n_heads, n_kv_heads, n_positions };
        let (mut members, mut of_spread, mut fresh) = (Vec::new(), Vec::new(), 0);
        for (target, position) in positions.iter().copied().enumerate() {
            let source = if target % 3 == 1 {
                fresh += 1;
                Source::Unspread(fresh - 1)
            } else {
                of_spread.push(position);
                Source::Spread(of_spread.len() - 1)
            };
            members.push(ActiveTarget { target, position, source });
        }
        let spread = Blocks::new(n_positions, of_spread.into_iter());
        let merged = Blocks::new(n_positions, positions.iter().copied());
        let rows = spread.rows() + fresh;
        let input: Vec<f32> = (0..rows * n_heads * width).map(|i| noise(i + 999)).collect();
        let input = Tensor::from_vec(input, (rows, n_heads * width), &Device::Cpu).unwrap();
        let plain = mix_by_tensors(&heads, &input, &members, &spread, &merged).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(plain.len(), positions.iter().sum::<usize>());
        for long in [0, usize::MAX] {
            let found = mix_with(&heads, &input, &members, &spread, &merged, long, &Cancel::default()).unwrap();
            let found = found.to_vec2::<f32>().unwrap();
            for (a, b) in found.iter().flatten().zip(plain.iter().flatten()) {
                assert!((a - b).abs() < 1e-6 * n_positions as f32, "{a} {b}");
            }
        }
    }

    #[test]
    fn both_forms_equal_the_one_out_of_tensor_operations() {
        compare(5, &[4, 3, 2, 1]);
        compare(300, &[299, 280, 257, 256, 256, 200, 129, 128, 40, 1]);
    }
}
