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
    /// Computes the tables of these positions, for heads of which `width` numbers are rotated.
    ///
    /// # Errors
    /// Fails where the device refuses the tensors.
    pub fn new(spec: &RopeSpec, width: usize, positions: Range<usize>, device: &Device) -> Result<Self> {
        let frequencies = frequencies(spec, width);
        let half = frequencies.len();
        let count = positions.len();
        let mut cos = Vec::with_capacity(count * half * 2);
        let mut sin = Vec::with_capacity(count * half * 2);
        for position in positions {
            for i in 0..2 * half {
                // The reference computes angles in f32; at long positions its rounding is part of the numbers.
                let angle = position as f32 * frequencies[i % half];
                cos.push(angle.cos());
                sin.push(angle.sin());
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

/// Returns the frequencies of the `width / 2` pairs, rescaled where the model says so.
fn frequencies(spec: &RopeSpec, width: usize) -> Vec<f32> {
    let plain = (0..width / 2).map(|i| spec.theta.powf(-(2.0 * i as f64) / width as f64));
    plain.enumerate().map(|(pair, frequency)| rescaled(pair, frequency, &spec.scaling) as f32).collect()
}

fn rescaled(pair: usize, frequency: f64, scaling: &RopeScaling) -> f64 {
    match *scaling {
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
        let plain = frequencies(&spec(RopeScaling::None), 8);
        let linear = frequencies(&spec(RopeScaling::Linear { factor: 8.0 }), 8);
        for (plain, linear) in plain.iter().zip(linear) {
            assert!((plain * 3.0 - linear * 24.0).abs() < 1e-6);
        }
    }
}
