//! A projection whose weight stays on disk.

use crate::job::Cancel;
use crate::model::{ModelError, Precision, Weights};
use candle_core::{Device, Tensor};
use std::ops::Range;

/// y = x W^T + b. The weight is read anew each time that it is used.
#[derive(Clone, Debug)]
pub struct Linear<'a> {
    pub(super) weights: &'a Weights,
    pub(super) device: &'a Device,
    pub(super) precision: Precision,
    pub(super) name: String,
    pub(super) kept: Kept,
    /// `[out]`
    pub bias: Option<Tensor>,
}

/// How a weight lies on disk.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// `[out, in]`
    ByOutput([usize; 2]),
    /// `[in, all]`, of which the columns are the outputs: GPT-2.
    ByInput([usize; 2], Range<usize>),
}

impl Linear<'_> {
    /// The weight, `[out, in]`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn weight(&self) -> Result<Tensor, ModelError> {
        match &self.kept {
            Kept::ByOutput(shape) => self.weights.tensor(&self.name, shape, self.device),
            Kept::ByInput(shape, columns) => {
                let all = self.weights.tensor(&self.name, shape, self.device)?;
                Ok(all.narrow(1, columns.start, columns.len())?.t()?.contiguous()?)
            }
        }
    }

    /// `x` `[P, in]` to `[P, out]`.
    ///
    /// # Errors
    /// The weight cannot be read, or the work was stopped.
    pub fn apply(&self, x: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        cancel.check()?;
        let y = if self.device.is_cpu() {
            let (weights, name, precision) = (self.weights, &self.name, self.precision);
            let (y, outputs) = match &self.kept {
                Kept::ByOutput(shape) => (weights.product(name, shape, x, precision, cancel)?, shape[0]),
                Kept::ByInput(shape, columns) => {
                    let y = weights.product_by_input(name, shape, columns.clone(), x, precision, cancel)?;
                    (y, columns.len())
                }
            };
            Tensor::from_vec(y, (x.dim(0)?, outputs), self.device)?
        } else {
            self.precision.product(x, &self.precision.weight(&self.weight()?)?.t()?)?
        };
        Ok(match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }
}
