//! Random numbers that are the same in every version of the program, so that a checkpoint can be continued.

use crate::features::build::bins::mix;

/// Sequence of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Creates the sequence of a seed and of what it is used for.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(mix(seed) ^ purpose))
    }

    fn next(&mut self) -> u64 {
        let number = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        number
    }

    /// Draws a number from 0 to below 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (0.5f64).powi(53)
    }

    /// Draws from the normal distribution of mean 0 and variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }

    /// Returns the numbers below `n` in random order (Fisher and Yates).
    pub fn order(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        for last in (1..n).rev() {
            order.swap(last, (self.uniform() * (last + 1) as f64) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_their_distributions() {
        let mut random = Random::new(1, 2);
        let drawn: Vec<f64> = (0..20_000).map(|_| f64::from(random.normal())).collect();
        let moment = |power: i32| drawn.iter().map(|x| x.powi(power)).sum::<f64>() / drawn.len() as f64;
        assert!(moment(1).abs() < 0.03 && (moment(2) - 1.0).abs() < 0.04 && (moment(4) - 3.0).abs() < 0.3);
        let mut order = random.order(1000);
        assert!(order.iter().zip(0..).filter(|(a, b)| **a == *b).count() < 10);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1000));
    }
}
