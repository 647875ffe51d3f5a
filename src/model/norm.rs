//! Norms whose divisor can be captured and frozen.

use candle_core::{D, Result, Tensor};

/// (x - mean) / divisor * weight + bias, where the root-mean-square kind has no mean and no bias.
#[derive(Clone, Debug)]
pub struct Norm {
    /// `[d]`, what is multiplied with: Gemma's 1 + w included.
    pub weight: Tensor,
    /// `[d]`
    pub bias: Option<Tensor>,
    /// Whether the mean is taken off first (LayerNorm).
    pub centres: bool,
    /// Added to the mean square under the root.
    pub eps: f64,
    /// Whether it divides; one that does not stands where a model has no norm, and changes nothing.
    pub divides: bool,
}

impl Norm {
    fn centred(&self, x: &Tensor) -> Result<Tensor> {
        if self.centres { x.broadcast_sub(&x.mean_keepdim(D::Minus1)?) } else { Ok(x.clone()) }
    }

    /// The divisor of each row of `x` `[.., d]`, as `[.., 1]`.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn divisor(&self, x: &Tensor) -> Result<Tensor> {
        let mean_square = self.centred(x)?.sqr()?.mean_keepdim(D::Minus1)?;
        if self.divides { (mean_square + self.eps)?.sqrt() } else { mean_square.ones_like() }
    }

    /// (x - mean) / divisor, before the weight. `[.., d]`
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn divide(&self, x: &Tensor, divisor: &Tensor) -> Result<Tensor> {
        self.centred(x)?.broadcast_div(divisor)
    }

    /// What was divided, times the weight, plus the bias. `[.., d]`
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn scale(&self, divided: &Tensor) -> Result<Tensor> {
        let scaled = divided.broadcast_mul(&self.weight)?;
        match &self.bias {
            Some(bias) => scaled.broadcast_add(bias),
            None => Ok(scaled),
        }
    }

    /// The whole norm.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        self.scale(&self.divide(x, &self.divisor(x)?)?)
    }

    /// Rows `[n, d]` that read the norm's output, as rows that read its input up to the divisor: times the weight, and
    /// without their mean where the norm takes off the mean.
    ///
    /// # Errors
    /// The tensors do not fit.
    pub fn pull_back(&self, rows: &Tensor) -> Result<Tensor> {
        self.centred(&rows.broadcast_mul(&self.weight)?)
    }
}
