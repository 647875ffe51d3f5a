//! Root-mean-square norm whose divisor can be captured and frozen.

use candle_core::{D, Result, Tensor};

/// An RMS norm: x / divisor * weight, with divisor = sqrt(mean(x^2) + eps).
#[derive(Clone, Debug)]
pub struct Norm {
    /// `[d]`
    pub weight: Tensor,
    /// Added to the mean square.
    pub eps: f64,
}

impl Norm {
    /// The divisor of each row of `x` `[P, d]`, as `[P, 1]`.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn divisor(&self, x: &Tensor) -> Result<Tensor> {
        (x.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()
    }

    /// x / divisor, before the weight. `[P, d]`
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn divide(&self, x: &Tensor, divisor: &Tensor) -> Result<Tensor> {
        x.broadcast_div(divisor)
    }

    /// What was divided, times the weight. `[P, d]`
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn scale(&self, divided: &Tensor) -> Result<Tensor> {
        divided.broadcast_mul(&self.weight)
    }
}
