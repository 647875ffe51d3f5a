//! Norms whose divisor can be captured and frozen.

use candle_core::{D, Result, Tensor};

/// Norm (x - mean) / divisor * weight + bias, where the root-mean-square kind has no mean and no bias.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Weight as it is multiplied, Gemma's 1 + w included, `[d]`.
    pub weight: Tensor,
    /// Bias, `[d]`.
    pub bias: Option<Tensor>,
    /// True where the mean is subtracted first (LayerNorm).
    pub centres: bool,
    /// Term added to the mean square under the root.
    pub eps: f64,
    /// True where it divides; a norm that does not stands where a model has none, and changes nothing.
    pub divides: bool,
}

impl Norm {
    fn centred(&self, x: &Tensor) -> Result<Tensor> {
        if self.centres { x.broadcast_sub(&x.mean_keepdim(D::Minus1)?) } else { Ok(x.clone()) }
    }

    /// Returns the divisor of each row of `x` `[.., d]`, as `[.., 1]`.
    ///
    /// # Errors
    /// Fails where the shapes do not fit.
    pub fn divisor(&self, x: &Tensor) -> Result<Tensor> {
        let mean_square = self.centred(x)?.sqr()?.mean_keepdim(D::Minus1)?;
        if self.divides { (mean_square + self.eps)?.sqrt() } else { mean_square.ones_like() }
    }

    /// Returns (x - mean) / divisor, before the weight. `[.., d]`
    ///
    /// # Errors
    /// Fails where the shapes do not fit.
    pub fn divide(&self, x: &Tensor, divisor: &Tensor) -> Result<Tensor> {
        self.centred(x)?.broadcast_div(divisor)
    }

    /// Returns `divided` times the weight, plus the bias. `[.., d]`
    ///
    /// # Errors
    /// Fails where the shapes do not fit.
    pub fn scale(&self, divided: &Tensor) -> Result<Tensor> {
        let scaled = divided.broadcast_mul(&self.weight)?;
        match &self.bias {
            Some(bias) => scaled.broadcast_add(bias),
            None => Ok(scaled),
        }
    }

    /// Applies the whole norm.
    ///
    /// # Errors
    /// Fails where the shapes do not fit.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        self.scale(&self.divide(x, &self.divisor(x)?)?)
    }

    /// Carries rows `[n, d]` that read the norm's output to its input, up to the divisor: times the weight, and without
    /// their mean where the norm subtracts the mean.
    ///
    /// # Errors
    /// Fails where the shapes do not fit.
    pub fn pull_back(&self, rows: &Tensor) -> Result<Tensor> {
        self.centred(&rows.broadcast_mul(&self.weight)?)
    }
}
