//! Matrix products in place, and loops over vectors with the instructions of the processor at hand.

use gemm::Parallelism;
use pulp::Simd;

/// Factors of a product, row after row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Factors<'a> {
    /// `[m, k]` and `[n, k]`, the second transposed.
    ByRows(&'a [f32], &'a [f32]),
    /// `[k, m]` and `[k, n]`, the first transposed.
    ByColumns(&'a [f32], &'a [f32]),
}

/// Adds a product to `sum` `[m, n]`. Each number of it is summed in the same order however many threads work.
///
/// # Panics
/// Panics where the sizes do not fit.
pub(super) fn add_product(sum: &mut [f32], factors: Factors<'_>, [m, n, k]: [usize; 3], parallelism: Parallelism) {
    let ((left, right), (left_strides, right_strides)) = match factors {
        Factors::ByRows(left, right) => ((left, right), ((1, k), (k, 1))),
        Factors::ByColumns(left, right) => ((left, right), ((m, 1), (1, n))),
    };
    assert!(sum.len() == m * n && left.len() == m * k && right.len() == n * k);
    // SAFETY: the three matrices lie within their slices, as was just seen, and the sum overlaps with neither factor.
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
            left_strides.0 as isize,
            left_strides.1 as isize,
            right.as_ptr(),
            right_strides.0 as isize,
            right_strides.1 as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Sums that a scalar product is split into, so that no addition waits for the one before.
const SUMS: usize = 4;

/// Returns the scalar product of two vectors of one length. It has loops over arrays and no closures, which would not be
/// compiled for the processor's vector instructions; so have the functions below.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(a);
    let (others, other_rest) = S::as_simd_f32s(b);
    let others = &others[..vectors.len()];
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    let whole = vectors.len() / SUMS * SUMS;
    let mut at = 0;
    while at < whole {
        for nth in 0..SUMS {
            sums[nth] = simd.mul_add_e_f32s(vectors[at + nth], others[at + nth], sums[nth]);
        }
        at += SUMS;
    }
    while at < vectors.len() {
        sums[0] = simd.mul_add_e_f32s(vectors[at], others[at], sums[0]);
        at += 1;
    }
    let two = [simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3])];
    let mut sum = simd.reduce_sum_f32s(simd.add_f32s(two[0], two[1]));
    for nth in 0..rest.len() {
        sum += rest[nth] * other_rest[nth];
    }
    sum
}

/// Adds `factor` times `x` to `sum`, a vector of the same length.
#[inline(always)]
pub(super) fn add_scaled<S: Simd>(simd: S, factor: f32, x: &[f32], sum: &mut [f32]) {
    let (vectors, rest) = S::as_simd_f32s(x);
    let (sums, sum_rest) = S::as_mut_simd_f32s(sum);
    let sums = &mut sums[..vectors.len()];
    let factors = simd.splat_f32s(factor);
    for nth in 0..vectors.len() {
        sums[nth] = simd.mul_add_e_f32s(factors, vectors[nth], sums[nth]);
    }
    for nth in 0..rest.len() {
        sum_rest[nth] += factor * rest[nth];
    }
}

/// Returns the sum of squares.
pub(super) fn squares(x: &[f32]) -> f64 {
    struct Squares<'a>(&'a [f32]);
    impl pulp::WithSimd for Squares<'_> {
        type Output = f64;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f64 {
            f64::from(dot(simd, self.0, self.0))
        }
    }
    pulp::Arch::new().dispatch(Squares(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::random::Random;

    #[test]
    fn products_are_sums_of_products() {
        let (m, n, k) = (7, 19, 43);
        let mut random = Random::new(3, 0);
        let mut drawn = |size: usize| -> Vec<f32> { (0..size).map(|_| random.normal()).collect() };
        let (left, right, before) = (drawn(m * k), drawn(n * k), drawn(m * n));
        let transposed = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
            (0..columns).flat_map(|column| (0..rows).map(move |row| x[row * columns + column])).collect()
        };
        let [mut by_rows, mut by_columns] = [before.clone(), before.clone()];
        add_product(&mut by_rows, Factors::ByRows(&left, &right), [m, n, k], Parallelism::None);
        let (left_columns, right_columns) = (transposed(&left, m, k), transposed(&right, n, k));
        let factors = Factors::ByColumns(&left_columns, &right_columns);
        add_product(&mut by_columns, factors, [m, n, k], Parallelism::None);
        for at in 0..m * n {
            let (i, j) = (at / n, at % n);
            let wanted: f32 = (0..k).map(|l| left[i * k + l] * right[j * k + l]).sum::<f32>() + before[at];
            assert!((by_rows[at] - wanted).abs() < 1e-4 && (by_columns[at] - wanted).abs() < 1e-4);
        }
        assert!((squares(&left) - left.iter().map(|x| f64::from(x * x)).sum::<f64>()).abs() < 1e-3);
    }
}
