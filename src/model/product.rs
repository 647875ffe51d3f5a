//! Products of few rows with a large weight. They are bound by reading the weight, so it is read once, in its type on
//! disk: a piece that stays in the first-level cache is converted and multiplied at once.

use crate::model::Precision;
use pulp::{Arch, Simd, WithSimd};
use safetensors::Dtype;

/// Number of rows above which a plain matrix product of converted blocks is as fast.
pub(super) const FEW: usize = 64;

/// Rows on either side that are multiplied at a time: their sums fill the vector registers.
const TILE: usize = 4;

/// Numbers in the widest vector.
const WIDEST: usize = 16;

/// Rows of a weight stored by input that are converted at a time.
const DEPTH: usize = 16;

/// Outputs of a weight stored by input that are summed at a time.
pub(super) const COLUMNS: usize = 512;

/// Rows of equal width, each padded with zeros to whole vectors, and with a stride that is no power of two, or else the
/// rows of a tile would push each other out of the cache.
pub(super) struct Padded {
    stride: usize,
    width: usize,
    values: Vec<f32>,
}

impl Padded {
    fn zeros(rows: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(WIDEST) + WIDEST;
        Self { stride, width, values: vec![0.0; rows.next_multiple_of(TILE) * stride] }
    }

    /// Lays out `rows` rows that stand one after another.
    pub fn new(rows: usize, width: usize, values: &[f32]) -> Self {
        let mut padded = Self::zeros(rows, width);
        for (row, values) in padded.values.chunks_mut(padded.stride).zip(values.chunks(width.max(1))) {
            row[..width].copy_from_slice(values);
        }
        padded
    }

    fn row(&self, nth: usize) -> &[f32] {
        &self.values[nth * self.stride..nth * self.stride + self.width.next_multiple_of(WIDEST)]
    }
}

/// Bytes of a weight, and the type of its numbers.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    /// Type on disk.
    pub dtype: Dtype,
    /// Precision that they are rounded to.
    pub precision: Precision,
    pub bytes: &'a [u8],
}

impl Stored<'_> {
    /// Converts the numbers from `start` on into `out`.
    #[inline(always)]
    fn convert(self, start: usize, out: &mut [f32]) {
        let size = self.dtype.bitsize() / 8;
        convert(self.dtype, &self.bytes[start * size..(start + out.len()) * size], out);
        self.precision.round(out);
    }
}

/// Multiplies the first `n_rows` rows of `x` by the rows of `weight` `[n, width]`: `[n_rows, n]`.
pub(super) fn by_output(x: &Padded, n_rows: usize, weight: Stored<'_>) -> Vec<f32> {
    let n = weight.bytes.len() / (x.width * weight.dtype.bitsize() / 8).max(1);
    let mut out = vec![0.0; n_rows * n];
    Arch::new().dispatch(ByOutput { x, weight, out: &mut out, n });
    out
}

struct ByOutput<'a> {
    x: &'a Padded,
    weight: Stored<'a>,
    /// Result, `[rows, n]`.
    out: &'a mut [f32],
    n: usize,
}

impl WithSimd for ByOutput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, weight, out, n } = self;
        let mut converted = Padded::zeros(TILE, x.width);
        for tile in 0..n.div_ceil(TILE) {
            let rows = (tile * TILE..n).take(TILE);
            for (row, nth) in converted.values.chunks_mut(converted.stride).zip(rows) {
                weight.convert(nth * x.width, &mut row[..x.width]);
            }
            for (block, out) in out.chunks_mut(TILE * n).enumerate() {
                // A row that is alone, as the last token of a text is, is not multiplied beside rows of zeros.
                let sums = match out.len() / n {
                    1 => [dots::<S, 1>(simd, x, block * TILE, &converted)[0], [0.0; TILE], [0.0; TILE], [0.0; TILE]],
                    _ => dots::<S, TILE>(simd, x, block * TILE, &converted),
                };
                for (out, sums) in out.chunks_mut(n).zip(sums) {
                    out[tile * TILE..].iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
                }
            }
        }
    }
}

/// Multiplies rows `first..first + ROWS` of `x` by the rows of `weight`; each sum is the same however many rows there
/// are. It has loops over arrays and no closures, which would not be compiled for the processor's vector instructions.
#[inline(always)]
fn dots<S: Simd, const ROWS: usize>(simd: S, x: &Padded, first: usize, weight: &Padded) -> [[f32; TILE]; ROWS] {
    let mut rows: [&[S::f32s]; ROWS] = [&[]; ROWS];
    let mut weights: [&[S::f32s]; TILE] = [&[]; TILE];
    let width = S::as_simd_f32s(x.row(first)).0.len();
    for (i, row) in rows.iter_mut().enumerate() {
        *row = &S::as_simd_f32s(x.row(first + i)).0[..width];
    }
    for (j, row) in weights.iter_mut().enumerate() {
        *row = &S::as_simd_f32s(weight.row(j)).0[..width];
    }
    let mut sums = [[simd.splat_f32s(0.0); TILE]; ROWS];
    for k in 0..width {
        for i in 0..ROWS {
            for j in 0..TILE {
                sums[i][j] = simd.mul_add_e_f32s(rows[i][k], weights[j][k], sums[i][j]);
            }
        }
    }
    let mut out = [[0.0; TILE]; ROWS];
    for i in 0..ROWS {
        for j in 0..TILE {
            out[i][j] = simd.reduce_sum_f32s(sums[i][j]);
        }
    }
    out
}

/// Multiplies the first `n_rows` rows of `x` by columns `start..start + n` of a weight `[x.width, all]`, at most
/// [`COLUMNS`] of them: `[n_rows, n]`.
pub(super) fn by_input(x: &Padded, n_rows: usize, weight: Stored<'_>, [all, start, n]: [usize; 3]) -> Vec<f32> {
    let mut out = Padded::zeros(n_rows, n);
    Arch::new().dispatch(ByInput { x, weight, all, start, n, out: &mut out });
    out.values.chunks(out.stride).take(n_rows).flat_map(|row| row[..n].iter().copied()).collect()
}

struct ByInput<'a> {
    x: &'a Padded,
    weight: Stored<'a>,
    all: usize,
    start: usize,
    n: usize,
    out: &'a mut Padded,
}

impl WithSimd for ByInput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, weight, all, start, n, out } = self;
        let mut converted = Padded::zeros(DEPTH, n);
        for depth in (0..x.width).step_by(DEPTH) {
            let inputs = DEPTH.min(x.width - depth);
            for (i, row) in converted.values.chunks_mut(converted.stride).take(inputs).enumerate() {
                weight.convert((depth + i) * all + start, &mut row[..n]);
            }
            for (block, out) in out.values.chunks_mut(TILE * out.stride).enumerate() {
                add_outer(simd, x, [block * TILE, depth, inputs], &converted, out);
            }
        }
    }
}

/// Adds to `out`, TILE rows with the stride of `weight`, the products of rows `first..` of `x`, `inputs` numbers from
/// `depth`, with as many rows of `weight`.
#[inline(always)]
fn add_outer<S: Simd>(simd: S, x: &Padded, [first, depth, inputs]: [usize; 3], weight: &Padded, out: &mut [f32]) {
    let stride = weight.stride;
    for at in (0..weight.width).step_by(S::F32_LANES) {
        let mut sums = [simd.splat_f32s(0.0); TILE];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = S::as_simd_f32s(&out[i * stride + at..i * stride + at + S::F32_LANES]).0[0];
        }
        for k in 0..inputs {
            let from = k * stride + at;
            let weights = S::as_simd_f32s(&weight.values[from..from + S::F32_LANES]).0[0];
            for (i, sum) in sums.iter_mut().enumerate() {
                let factor = simd.splat_f32s(x.values[(first + i) * x.stride + depth + k]);
                *sum = simd.mul_add_e_f32s(factor, weights, *sum);
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            S::as_mut_simd_f32s(&mut out[i * stride + at..i * stride + at + S::F32_LANES]).0[0] = *sum;
        }
    }
}

/// Converts little-endian numbers of a type that `Weights::expect` lets pass. Inlined, so that its loops are compiled
/// for the instructions of its caller.
#[inline(always)]
pub(super) fn convert(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        Dtype::F32 => convert_each::<4>(bytes, out, f32::from_le_bytes),
        Dtype::BF16 => convert_each::<2>(bytes, out, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
        _ => convert_each::<2>(bytes, out, |b| from_half(u16::from_le_bytes(b))),
    }
}

#[inline(always)]
fn convert_each<const N: usize>(bytes: &[u8], out: &mut [f32], one: impl Fn([u8; N]) -> f32) {
    let (chunks, _) = bytes.as_chunks::<N>();
    for (value, chunk) in out.iter_mut().zip(chunks) {
        *value = one(*chunk);
    }
}

/// Converts a half-precision number without a branch: exponent and fraction are moved into place, then scaled by the
/// difference of the exponents' biases, which also makes the subnormal ones right.
#[inline(always)]
fn from_half(bits: u16) -> f32 {
    const BIASES: f32 = f32::from_bits((127 + 127 - 15) << 23);
    let magnitude = u32::from(bits & 0x7fff);
    let not_finite = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    let scaled = f32::from_bits(magnitude << 13) * BIASES;
    f32::from_bits(scaled.to_bits() | not_finite | u32::from(bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn every_half_precision_number_is_read() {
        for bits in 0..=u16::MAX {
            let (found, expected) = (from_half(bits), f16::from_bits(bits).to_f32());
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{bits:#x}: {found} {expected}");
            assert_eq!(found.is_sign_negative(), expected.is_sign_negative());
        }
    }

    /// Compares every remainder of rows, outputs and width with plain sums, in each type and both layouts.
    #[test]
    fn products_are_those_of_plain_sums() {
        let noise = |i: usize| ((i as f32 * 12.9898).sin() * 43758.547).fract();
        for (m, n, width) in [(1, 1, 1), (3, 5, 7), (4, 8, 16), (12, 37, 130), (9, 600, 33)] {
            let x: Vec<f32> = (0..m * width).map(noise).collect();
            let padded = Padded::new(m, width, &x);
            for dtype in [Dtype::F32, Dtype::BF16, Dtype::F16] {
                let bytes: Vec<u8> = (0..n * width)
                    .flat_map(|i| match dtype {
                        Dtype::F32 => noise(i + 77).to_le_bytes().to_vec(),
                        Dtype::BF16 => bf16::from_f32(noise(i + 77)).to_le_bytes().to_vec(),
                        _ => f16::from_f32(noise(i + 77)).to_le_bytes().to_vec(),
                    })
                    .collect();
                let mut weight = vec![0.0; n * width];
                convert(dtype, &bytes, &mut weight);
                let expect = |found: &[f32], at: &dyn Fn(usize, usize) -> f32| {
                    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                        let sum: f64 = (0..width).map(|k| f64::from(x[i * width + k]) * f64::from(at(j, k))).sum();
                        assert!((f64::from(found[i * n + j]) - sum).abs() < 1e-4, "{m} {n} {width} {dtype:?}");
                    }
                };
                let stored = Stored { dtype, precision: Precision::F32, bytes: &bytes };
                let together = by_output(&padded, m, stored);
                expect(&together, &|j, k| weight[j * width + k]);
                let alone = by_output(&Padded::new(1, width, &x[..width]), 1, stored);
                assert_eq!(alone, together[..n], "a row's products do not depend on its company");
                // The same bytes as a weight [width, n], from its second column on where it has one.
                let from = usize::from(n > 1);
                let some = (n - from).min(COLUMNS);
                let found = by_input(&padded, m, stored, [n, from, some]);
                let mut full = vec![0.0; m * n];
                for i in 0..m {
                    for j in 0..n {
                        full[i * n + j] = if (from..from + some).contains(&j) {
                            found[i * some + j - from]
                        } else {
                            (0..width).map(|k| x[i * width + k] * weight[k * n + j]).sum()
                        };
                    }
                }
                expect(&full, &|j, k| weight[k * n + j]);
            }
        }
    }
}
