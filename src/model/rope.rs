//! Rotary position embedding (Su et al. 2021), in the half-split form of the Hugging Face models.

use crate::model::spec::{RopeScaling, RopeSpec};
use candle_core::{D, Device, Result, Tensor};
use std::f64::consts::PI;
use std::ops::Range;

/// Cosines and sines of positions, `[P, width]` each.
#[derive(Clone, Debug)]
pub struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Computes the tables of these positions, the last of which ends what is read, for heads of which `width` numbers
    /// are rotated.
    ///
    /// # Errors
    /// Fails where the device refuses the tensors.
    pub fn new(spec: &RopeSpec, width: usize, positions: Range<usize>, device: &Device) -> Result<Self> {
        let frequencies = frequencies(spec, width, positions.end);
        let factor = match spec.scaling {
            RopeScaling::LongRope { attention_factor, .. } => attention_factor as f32,
            _ => 1.0,
        };
        let half = frequencies.len();
        let count = positions.len();
        let mut cos = Vec::with_capacity(count * half * 2);
        let mut sin = Vec::with_capacity(count * half * 2);
        for position in positions {
            for i in 0..2 * half {
                // The reference computes angles in f32; at long positions its rounding is part of the numbers.
                let angle = position as f32 * frequencies[i % half];
                cos.push(angle.cos() * factor);
                sin.push(angle.sin() * factor);
            }
        }
        Ok(Self {
            cos: Tensor::from_vec(cos, (count, 2 * half), device)?,
            sin: Tensor::from_vec(sin, (count, 2 * half), device)?,
        })
    }

    /// Rotates the first numbers of each head of `x` `[heads, P, head_dim]`, as many as the tables are wide.
    ///
    /// # Errors
    /// Fails where the shapes do not fit.
    pub fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let (width, rotated) = (x.dim(D::Minus1)?, self.cos.dim(D::Minus1)?);
        if rotated < width {
            let rest = x.narrow(D::Minus1, rotated, width - rotated)?;
            return Tensor::cat(&[self.rotate(&x.narrow(D::Minus1, 0, rotated)?)?, rest], D::Minus1);
        }
        let half = width / 2;
        let (first, second) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let turned = Tensor::cat(&[second.neg()?, first], D::Minus1)?;
        x.broadcast_mul(&self.cos)? + turned.broadcast_mul(&self.sin)?
    }
}

/// Returns the frequencies of the `width / 2` pairs, rescaled where the model says so for so many tokens.
fn frequencies(spec: &RopeSpec, width: usize, length: usize) -> Vec<f32> {
    let plain = (0..width / 2).map(|i| spec.theta.powf(-(2.0 * i as f64) / width as f64));
    plain.enumerate().map(|(pair, frequency)| rescaled(pair, frequency, &spec.scaling, length) as f32).collect()
}

fn rescaled(pair: usize, frequency: f64, scaling: &RopeScaling, length: usize) -> f64 {
    match *scaling {
        RopeScaling::LongRope { ref short, ref long, original_max_positions, .. } => {
            frequency / if length > original_max_positions { long[pair] } else { short[pair] }
        }
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        RopeScaling::Factors(ref factors) => frequency / factors[pair],
        RopeScaling::Llama3 { factor, low_freq_factor: low, high_freq_factor: high, original_max_positions } => {
            let ratio = original_max_positions * frequency / (2.0 * PI);
            if ratio < low {
                frequency / factor
            } else if ratio > high {
                frequency
            } else {
                let smooth = (ratio - low) / (high - low);
                (1.0 - smooth) * frequency / factor + smooth * frequency
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_scaling_is_plain_rotation_at_a_fraction_of_the_position() {
        let spec = |scaling| RopeSpec { theta: 10_000.0, scaling };
        let plain = frequencies(&spec(RopeScaling::None), 8, 1);
        let linear = frequencies(&spec(RopeScaling::Linear { factor: 8.0 }), 8, 1);
        for (plain, linear) in plain.iter().zip(linear) {
            assert!((plain * 3.0 - linear * 24.0).abs() < 1e-6);
        }
    }

    /// Rotates by complex numbers: pair i turns by position / (factor_i * theta^(2i / width)), the factors being the long
    /// ones as soon as more is read than the model was first trained on, and is scaled.
    #[test]
    fn long_rope_turns_by_the_factors_of_the_length_read() {
        let (short, long) = (vec![1.0, 1.05, 1.2, 1.5], vec![1.1, 2.0, 7.5, 31.0]);
        let (theta, original_max_positions, attention_factor) = (10_000.0f64, 16, 1.19);
        let scaling = RopeScaling::LongRope {
            short: short.clone(),
            long: long.clone(),
            original_max_positions,
            attention_factor,
        };
        let spec = RopeSpec { theta, scaling };
        let pairs: Vec<(f64, f64)> = (0..4).map(|i| (0.3 + f64::from(i), 1.7 - 0.4 * f64::from(i))).collect();
        let row: Vec<f32> =
            pairs.iter().map(|pair| pair.0 as f32).chain(pairs.iter().map(|pair| pair.1 as f32)).collect();
        for (positions, factors) in [(3..16, &short), (3..17, &long), (16..17, &long)] {
            let rope = Rope::new(&spec, 8, positions.clone(), &Device::Cpu).unwrap();
            let x = Tensor::from_vec(row.repeat(positions.len()), (1, positions.len(), 8), &Device::Cpu).unwrap();
            let found: Vec<Vec<f32>> = rope.rotate(&x).unwrap().get(0).unwrap().to_vec2().unwrap();
            for (position, found) in positions.zip(found) {
                for (pair, (re, im)) in pairs.iter().enumerate() {
                    let angle = position as f64 / (factors[pair] * theta.powf(pair as f64 / 4.0));
                    let turned = [re * angle.cos() - im * angle.sin(), re * angle.sin() + im * angle.cos()];
                    for (found, turned) in [found[pair], found[pair + 4]].into_iter().zip(turned) {
                        assert!((f64::from(found) - attention_factor * turned).abs() < 1e-5, "{position}, pair {pair}");
                    }
                }
            }
        }
    }
}
