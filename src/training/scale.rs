//! Scales of what a layer's MLP reads and writes, and weights of tokens.

use crate::training::arithmetic::squares;

/// Multiple of the typical squared distance of an output from the mean above which a token is an outlier: it weighs as
/// little as one at that distance does.
const OUTLIER: f32 = 10.0;

/// Scales of one layer, measured on the first tokens and then fixed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// Root mean square of the inputs' numbers.
    pub input: f32,
    /// Root mean square of the outputs' numbers, minus their mean.
    pub output: f32,
    /// Median squared distance of an output from the mean.
    typical: f32,
    /// Mean output, `[d]`.
    mean: Vec<f32>,
}

/// Number of single numbers in [`Scale::numbers`].
const SINGLE: usize = 3;

impl Scale {
    /// Measures inputs and outputs `[N, d]`. Outliers among the outputs are left out of the mean.
    pub fn of(inputs: &[f32], outputs: &[f32], width: usize) -> Self {
        let norms: Vec<f32> = outputs.chunks(width).map(|row| squares(row) as f32).collect();
        let usual = OUTLIER * median(&norms);
        let mut mean = vec![0.0f64; width];
        let inliers: Vec<&[f32]> =
            outputs.chunks(width).zip(&norms).filter(|(_, norm)| **norm <= usual).map(|(row, _)| row).collect();
        for row in &inliers {
            mean.iter_mut().zip(*row).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let mean = mean.iter().map(|sum| (sum / inliers.len() as f64) as f32).collect();
        let mut scale = Self { input: 1.0, output: 1.0, typical: 1.0, mean };
        let distances: Vec<f32> = outputs.chunks(width).map(|row| scale.distance(row)).collect();
        scale.typical = median(&distances);
        let weights: Vec<f32> = distances.iter().map(|distance| scale.weight_at(*distance)).collect();
        let root_mean = |numbers: &mut dyn Iterator<Item = (f64, f32)>| -> f32 {
            let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), (square, weight)| {
                (sum + square * f64::from(weight), count + f64::from(weight))
            });
            let root = (sum / (count * width as f64)).sqrt() as f32;
            if root > 0.0 && root.is_finite() { root } else { 1.0 }
        };
        scale.output = root_mean(&mut distances.iter().map(|x| f64::from(*x)).zip(weights.iter().copied()));
        scale.input = root_mean(&mut inputs.chunks(width).map(squares).zip(weights.iter().copied()));
        scale
    }

    fn distance(&self, output: &[f32]) -> f32 {
        output.iter().zip(&self.mean).map(|(x, mean)| (x - mean) * (x - mean)).sum()
    }

    fn weight_at(&self, distance: f32) -> f32 {
        (OUTLIER * self.typical / distance.max(f32::MIN_POSITIVE)).min(1.0)
    }

    /// Returns the weight of a token by its output, `[d]`, not yet normalised: 1, or less for an outlier.
    pub fn weight(&self, output: &[f32]) -> f32 {
        self.weight_at(self.distance(output))
    }

    /// Returns the mean output, normalised. `[d]`
    pub fn normalized_mean(&self) -> Vec<f32> {
        self.mean.iter().map(|x| x / self.output).collect()
    }

    /// Returns all its numbers, for [`Scale::from_numbers`].
    pub fn numbers(&self) -> Vec<f32> {
        [self.input, self.output, self.typical].into_iter().chain(self.mean.iter().copied()).collect()
    }

    /// Restores a scale; `None` where there are too few numbers.
    pub fn from_numbers(numbers: &[f32]) -> Option<Self> {
        let ([input, output, typical], mean) = numbers.split_first_chunk::<SINGLE>()?;
        Some(Self { input: *input, output: *output, typical: *typical, mean: mean.to_vec() })
    }
}

fn median(numbers: &[f32]) -> f32 {
    let mut sorted = numbers.to_vec();
    if sorted.is_empty() {
        return 0.0;
    }
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::random::Random;

    #[test]
    fn an_outlier_moves_no_scale_and_weighs_as_much_as_the_farthest_of_the_others_may() {
        let (width, n) = (16, 400);
        let mut random = Random::new(9, 0);
        let mut drawn =
            |scale: f32, mean: f32| -> Vec<f32> { (0..width * n).map(|_| mean + scale * random.normal()).collect() };
        let (inputs, mut outputs) = (drawn(3.0, 0.0), drawn(0.5, 2.0));
        let plain = Scale::of(&inputs, &outputs, width);
        assert!((plain.input - 3.0).abs() < 0.1 && (plain.output - 0.5).abs() < 0.02, "{plain:?}");
        outputs[..width].fill(1e4);
        let scale = Scale::of(&inputs, &outputs, width);
        assert!((scale.output - plain.output).abs() < 0.02 && (scale.mean[0] - 2.0).abs() < 0.1);
        assert!(outputs.chunks(width).skip(1).all(|row| scale.weight(row) == 1.0));
        let counted = scale.weight(&outputs[..width]) * scale.distance(&outputs[..width]);
        assert!((counted / (OUTLIER * scale.typical) - 1.0).abs() < 1e-3);
        assert_eq!(Scale::from_numbers(&scale.numbers()), Some(scale));
    }
}
