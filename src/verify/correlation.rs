//! Correlation of two lists of numbers.

use std::fmt;

/// Correlation of two lists of numbers. `None` where there are fewer than two pairs, or one of the lists does not vary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Correlation {
    /// Pearson's coefficient of the numbers: 1 where one is a rising linear function of the other.
    pub pearson: Option<f64>,
    /// Spearman's coefficient, of the ranks, ties sharing the mean of theirs: 1 where both lists have the same order.
    pub spearman: Option<f64>,
    /// Number of pairs.
    pub n: usize,
}

impl Correlation {
    /// Computes the correlation of pairs of numbers, all finite.
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        Self { pearson: pearson(&a, &b), spearman: pearson(&ranks(&a), &ranks(&b)), n: a.len() }
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pairs, Spearman {}, Pearson {}", self.n, told(self.spearman), told(self.pearson))
    }
}

/// Formats a coefficient with three decimals; a dash where there is none.
pub fn told(coefficient: Option<f64>) -> String {
    coefficient.map_or_else(|| "-".to_owned(), |coefficient| format!("{coefficient:.3}"))
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (of_a, of_b) = (mean(a), mean(b));
    let sum = |f: fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - of_a, b - of_b)).sum::<f64>();
    let (both, left, right) = (sum(|a, b| a * b), sum(|a, _| a * a), sum(|_, b| b * b));
    (left > 0.0 && right > 0.0).then(|| both / (left.sqrt() * right.sqrt()))
}

/// Returns each number's rank; equal numbers share the mean of theirs.
fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|a, b| x[*a].total_cmp(&x[*b]));
    let mut ranks = vec![0.0; x.len()];
    let mut start = 0;
    for tied in order.chunk_by(|a, b| x[*a] == x[*b]) {
        let mean = start as f64 + (tied.len() - 1) as f64 / 2.0;
        tied.iter().for_each(|at| ranks[*at] = mean);
        start += tied.len();
    }
    ranks
}

/// Returns the Kullback-Leibler divergence of the distribution `other` from `base`, in nats. Both are softmax outputs
/// over one vocabulary.
pub fn kl_divergence(base: &[f64], other: &[f64]) -> f64 {
    let term = |(p, q): (&f64, &f64)| if *p > 0.0 { p * (p / q.max(f64::MIN_POSITIVE)).ln() } else { 0.0 };
    base.iter().zip(other).map(term).sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_worked_out_by_hand() {
        let found = Correlation::of([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]);
        assert!((found.pearson.unwrap() - 1.0).abs() < 1e-12 && (found.spearman.unwrap() - 1.0).abs() < 1e-12);
        // Ranks 0, 1.5, 1.5, 3 against 3, 1, 2, 0: -4.5 over the roots of 4.5 and 5.
        let found = Correlation::of([(0.0, 900.0), (1.0, 2.0), (1.0, 3.0), (9.0, -1.0)]);
        assert!((found.spearman.unwrap() + 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12);
        let nothing = [Correlation::of([]), Correlation::of([(1.0, 2.0)]), Correlation::of([(1.0, 2.0), (1.0, 3.0)])];
        assert!(nothing.iter().all(|found| found.pearson.is_none() && found.spearman.is_none()));
    }

    #[test]
    fn divergence_worked_out_by_hand() {
        assert_eq!(kl_divergence(&[0.5, 0.5], &[0.5, 0.5]), 0.0);
        assert!((kl_divergence(&[1.0, 0.0], &[0.25, 0.75]) - 4f64.ln()).abs() < 1e-12);
        assert!(kl_divergence(&[0.5, 0.5], &[1.0, 0.0]).is_finite());
    }
}
