//! Rotary position embedding (Su et al. 2021), in the half-split form of the Hugging Face models.

use crate::model::ModelSpec;
use candle_core::{D, Device, Result, Tensor};
use std::f64::consts::PI;

/// Cosines and sines of a prompt's positions, each `[P, head_dim]`.
#[derive(Clone, Debug)]
pub struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// The tables of positions `0..positions`.
    ///
    /// # Errors
    /// The device refuses the tensors.
    pub fn new(spec: &ModelSpec, positions: usize, device: &Device) -> Result<Self> {
        let frequencies = frequencies(spec);
        let half = frequencies.len();
        let mut cos = Vec::with_capacity(positions * half * 2);
        let mut sin = Vec::with_capacity(positions * half * 2);
        for position in 0..positions {
            for i in 0..2 * half {
                // The reference computes angles in f32; at long positions its rounding is part of the numbers.
                let angle = position as f32 * frequencies[i % half];
                cos.push(angle.cos());
                sin.push(angle.sin());
            }
        }
        Ok(Self {
            cos: Tensor::from_vec(cos, (positions, 2 * half), device)?,
            sin: Tensor::from_vec(sin, (positions, 2 * half), device)?,
        })
    }

    /// Rotates `x` `[heads, P, head_dim]`.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let half = x.dim(D::Minus1)? / 2;
        let (first, second) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let turned = Tensor::cat(&[second.neg()?, first], D::Minus1)?;
        x.broadcast_mul(&self.cos)? + turned.broadcast_mul(&self.sin)?
    }
}

/// Inverse wavelengths of the `head_dim / 2` pairs, rescaled where the model says so.
fn frequencies(spec: &ModelSpec) -> Vec<f32> {
    let pairs = spec.head_dim / 2;
    (0..pairs)
        .map(|i| {
            let plain = spec.rope_theta.powf(-(2.0 * i as f64) / spec.head_dim as f64);
            let Some(scaling) = &spec.rope_scaling else { return plain as f32 };
            let wavelength = 2.0 * PI / plain;
            let (low, high) = (scaling.low_freq_factor, scaling.high_freq_factor);
            let ratio = scaling.original_max_positions / wavelength;
            let scaled = if ratio < low {
                plain / scaling.factor
            } else if ratio > high {
                plain
            } else {
                let smooth = (ratio - low) / (high - low);
                (1.0 - smooth) * plain / scaling.factor + smooth * plain
            };
            scaled as f32
        })
        .collect()
}
