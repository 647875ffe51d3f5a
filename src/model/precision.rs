//! Types of number that a model's weights are multiplied in.

use candle_core::{DType, Device, Result, Tensor};
use half::bf16;
use std::fmt;
use std::str::FromStr;

/// Type of both factors and of the result of products with a model's weights. Sums are in f32, and so is everything
/// that is no such product: norms, attention patterns, the residual stream, the transcoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Half precision with the exponents of f32.
    Bf16,
}

impl Precision {
    /// All precisions.
    pub const ALL: [Self; 2] = [Self::F32, Self::Bf16];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Returns the bytes of a weight that is held on a device with memory of its own.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// Returns the type of a weight on a device; the CPU multiplies no bf16.
    pub(super) fn stored_on(self, device: &Device) -> DType {
        if self == Self::Bf16 && !device.is_cpu() { DType::BF16 } else { DType::F32 }
    }

    /// Rounds numbers to this type.
    pub(super) fn round(self, numbers: &mut [f32]) {
        if self == Self::Bf16 {
            numbers.iter_mut().for_each(|x| *x = bf16::from_f32(*x).to_f32());
        }
    }

    /// Returns the numbers rounded to this type, in f32.
    pub(super) fn rounded(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::F32 => Ok(x.clone()),
            Self::Bf16 => x.to_dtype(DType::BF16)?.to_dtype(DType::F32),
        }
    }

    /// Prepares a weight in f32 for [`Precision::product`]. The CPU multiplies no bf16, so there the numbers are
    /// rounded and the products are those of a card.
    ///
    /// # Errors
    /// Fails where the device refuses the tensor.
    pub fn weight(self, weight: &Tensor) -> Result<Tensor> {
        match self {
            Self::Bf16 if !weight.device().is_cpu() => weight.to_dtype(DType::BF16),
            _ => self.rounded(weight),
        }
    }

    /// Multiplies `x` `[n, k]`, in f32, by `weight` `[k, m]` of [`Precision::weight`]: `[n, m]` in f32.
    ///
    /// # Errors
    /// Fails where the shapes do not fit, or the device refuses the tensors.
    pub fn product(self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        match weight.dtype() {
            DType::BF16 => x.to_dtype(DType::BF16)?.matmul(weight)?.to_dtype(DType::F32),
            _ => self.rounded(&self.rounded(x)?.matmul(weight)?),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let named = Self::ALL.into_iter().find(|precision| precision.name() == text);
        named.ok_or_else(|| "it has to be f32 or bf16".to_owned())
    }
}
