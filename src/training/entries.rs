//! Sparse activations of a batch.

use crate::training::settings::Activation;
use std::ops::Range;

/// Width of the window around a JumpReLU's threshold in which a pre-activation moves it (Rajamanoharan et al. 2024).
pub(super) const WINDOW: f32 = 0.5;

/// Dead features that stand in for a token's error.
const AUXILIARY: usize = 64;

/// Share of the last token's k-th largest pre-activation above which the next one's k largest are looked for first.
const LIKELY: f32 = 0.8;

/// Activations of some features for each token, one token after another. With JumpReLU features just below their
/// threshold are among them, with activation 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entries {
    /// Start of each token's entries, and their end, `[N + 1]`.
    starts: Vec<usize>,
    /// Index of the feature.
    pub features: Vec<u32>,
    /// Its pre-activation.
    pub pre_activations: Vec<f32>,
    /// Its activation.
    pub activations: Vec<f32>,
}

impl Entries {
    fn new() -> Self {
        Self { starts: vec![0], ..Self::default() }
    }

    fn push(&mut self, feature: usize, pre_activation: f32, activation: f32) {
        self.features.push(feature as u32);
        self.pre_activations.push(pre_activation);
        self.activations.push(activation);
    }

    fn end_token(&mut self) {
        self.starts.push(self.features.len());
    }

    /// Returns the number of tokens.
    pub fn n_tokens(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the places of a token's entries.
    pub fn of(&self, token: usize) -> Range<usize> {
        self.starts[token]..self.starts[token + 1]
    }

    /// Returns the places of the entries of tokens.
    pub fn of_all(&self, tokens: Range<usize>) -> Range<usize> {
        self.starts[tokens.start]..self.starts[tokens.end]
    }

    /// Returns the number of activations other than 0.
    pub fn n_active(&self) -> usize {
        self.activations.iter().filter(|x| **x != 0.0).count()
    }

    /// Returns the feature of each activation other than 0.
    pub fn active_features(&self) -> impl Iterator<Item = usize> {
        let all = self.features.iter().zip(&self.activations);
        all.filter(|(_, activation)| **activation != 0.0).map(|(feature, _)| *feature as usize)
    }

    /// Selects the activations of pre-activations `[N, F]`, row after row.
    pub fn select(pre_activations: &[f32], n_features: usize, rule: Rule<'_>) -> Self {
        let mut entries = Self::new();
        let mut likely = f32::NEG_INFINITY;
        let (mut found, mut values) = (Vec::new(), Vec::new());
        for row in pre_activations.chunks(n_features) {
            match rule {
                Rule::Largest(k) => {
                    likely = largest(row, k, likely, &mut found, &mut values);
                    found.iter().for_each(|feature| {
                        entries.push(*feature as usize, row[*feature as usize], row[*feature as usize])
                    });
                }
                Rule::Above(bound) => {
                    for (feature, x) in row.iter().enumerate() {
                        if *x > bound {
                            entries.push(feature, *x, *x);
                        }
                    }
                }
                Rule::Jump(thresholds) => {
                    for (feature, (x, threshold)) in row.iter().zip(thresholds).enumerate() {
                        if *x > threshold - WINDOW / 2.0 || *x > *threshold {
                            entries.push(feature, *x, if *x > *threshold { *x } else { 0.0 });
                        }
                    }
                }
            }
            entries.end_token();
        }
        entries
    }

    /// Selects for each token the largest positive pre-activations among those of `dead` features.
    pub fn select_dead(pre_activations: &[f32], n_features: usize, dead: &[u32]) -> Self {
        let mut entries = Self::new();
        let (mut row_of_dead, mut found, mut values) = (vec![0.0; dead.len()], Vec::new(), Vec::new());
        for row in pre_activations.chunks(n_features) {
            for (x, feature) in row_of_dead.iter_mut().zip(dead) {
                *x = row[*feature as usize];
            }
            largest(&row_of_dead, AUXILIARY, f32::NEG_INFINITY, &mut found, &mut values);
            for nth in &found {
                let (feature, x) = (dead[*nth as usize], row_of_dead[*nth as usize]);
                if x > 0.0 {
                    entries.push(feature as usize, x, x);
                }
            }
            entries.end_token();
        }
        entries
    }
}

/// Rule by which activations are selected.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule<'a> {
    /// The k largest of a token.
    Largest(usize),
    /// All above a bound.
    Above(f32),
    /// Those above their feature's threshold, and those in the window below it. `[F]`
    Jump(&'a [f32]),
}

impl<'a> Rule<'a> {
    /// Returns the rule of an activation function, for a layer's `thresholds` where it has them and pre-activations
    /// `[N, F]` of a batch.
    pub fn of(activation: Activation, thresholds: &'a [f32], pre_activations: &[f32], n_tokens: usize) -> Self {
        match activation {
            Activation::TopK(k) => Self::Largest(k),
            Activation::BatchTopK(k) => Self::Above(bound_of_batch(pre_activations, k * n_tokens)),
            Activation::Relu => Self::Above(0.0),
            Activation::JumpRelu => Self::Jump(thresholds),
        }
    }
}

/// Returns the bound above which at most `n` of the pre-activations lie; 0 where no more are positive.
fn bound_of_batch(pre_activations: &[f32], n: usize) -> f32 {
    let mut positive: Vec<f32> = pre_activations.iter().copied().filter(|x| *x > 0.0).collect();
    if positive.len() <= n {
        return 0.0;
    }
    let (_, bound, _) = positive.select_nth_unstable_by(n, |a, b| b.total_cmp(a));
    *bound
}

/// Finds the k largest of a row, ascending by index; of several equal to the k-th the first ones. Returns a bound below
/// which the next row's k-th largest will hardly be. `likely` is what the last row gave.
fn largest(row: &[f32], k: usize, likely: f32, found: &mut Vec<u32>, values: &mut Vec<f32>) -> f32 {
    found.clear();
    if k >= row.len() {
        found.extend(0..row.len() as u32);
        return f32::NEG_INFINITY;
    }
    values.clear();
    values.extend(row.iter().filter(|x| **x > likely));
    if values.len() < k {
        values.clear();
        values.extend(row);
    }
    let (_, kth, _) = values.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let kth = *kth;
    let mut room = k - values.iter().filter(|x| **x > kth).count();
    for (feature, x) in row.iter().enumerate() {
        if *x > kth {
            found.push(feature as u32);
        } else if *x == kth && room > 0 {
            room -= 1;
            found.push(feature as u32);
        }
    }
    kth - (1.0 - LIKELY) * kth.abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::random::Random;
    use crate::transcoder;

    /// Compares with the activation functions that saved sets are run with.
    #[test]
    fn what_is_selected_is_what_the_saved_set_activates() {
        let (n_features, n_tokens) = (50, 40);
        let mut random = Random::new(5, 5);
        // Few different numbers, so that some are equal.
        let pre: Vec<f32> = (0..n_features * n_tokens).map(|_| (random.normal() * 4.0).round() / 4.0).collect();
        let thresholds: Vec<f32> = (0..n_features).map(|_| random.uniform() as f32).collect();
        let bound = bound_of_batch(&pre, 3 * n_tokens);
        assert!(pre.iter().filter(|x| **x > bound).count() <= 3 * n_tokens);
        for (rule, saved) in [
            (Rule::Largest(7), transcoder::Activation::TopK(7)),
            (Rule::Largest(50), transcoder::Activation::TopK(50)),
            (Rule::Above(0.0), transcoder::Activation::Relu),
            (Rule::Above(bound), transcoder::Activation::JumpRelu(vec![bound; n_features])),
            (Rule::Jump(&thresholds), transcoder::Activation::JumpRelu(thresholds.clone())),
        ] {
            let entries = Entries::select(&pre, n_features, rule);
            assert_eq!(entries.n_tokens(), n_tokens);
            for (token, row) in pre.chunks(n_features).enumerate() {
                let mut wanted = row.to_vec();
                saved.apply(&mut wanted);
                let mut found = vec![0.0; n_features];
                entries.of(token).for_each(|at| found[entries.features[at] as usize] = entries.activations[at]);
                assert_eq!(found, wanted, "{rule:?}");
            }
        }
        let dead = [4, 9, 30];
        let entries = Entries::select_dead(&pre, n_features, &dead);
        assert!(entries.features.iter().all(|feature| dead.contains(feature)));
        let wanted = pre.chunks(n_features).flat_map(|row| dead.map(|f| row[f as usize])).filter(|x| *x > 0.0).count();
        assert_eq!(entries.n_active(), wanted);
    }
}
