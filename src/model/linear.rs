//! Projections whose weight stays on disk, or on a device with memory of its own.

use crate::job::Cancel;
use crate::model::resident::Resident;
use crate::model::{ModelError, Precision, Weights};
use candle_core::{DType, Device, Tensor};
use std::ops::Range;

/// Projection y = x W^T + b. The weight is read again at each use, unless it stays on a device.
#[derive(Clone, Debug)]
pub struct Linear<'a> {
    pub(super) weights: &'a Weights,
    pub(super) resident: &'a Resident,
    pub(super) device: &'a Device,
    pub(super) precision: Precision,
    pub(super) name: String,
    pub(super) kept: WeightLayout,
    /// Bias, `[out]`.
    pub bias: Option<Tensor>,
}

/// Layout of a weight on disk.
#[derive(Clone, Debug)]
pub(super) enum WeightLayout {
    /// `[out, in]`.
    ByOutput([usize; 2]),
    /// `[in, all]`, of whose columns these are the outputs: GPT-2.
    ByInput([usize; 2], Range<usize>),
}

impl Linear<'_> {
    /// Reads the weight in f32, `[out, in]`.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn weight(&self) -> Result<Tensor, ModelError> {
        let held = !self.device.is_cpu() && self.precision == Precision::F32;
        let weight = if held { self.brought()? } else { self.read()? };
        Ok(match &self.kept {
            WeightLayout::ByOutput(_) => weight,
            WeightLayout::ByInput(..) => weight.t()?.contiguous()?,
        })
    }

    /// Reads the weight in f32 in its layout on disk: `[out, in]`, or `[in, out]`.
    fn read(&self) -> Result<Tensor, ModelError> {
        match &self.kept {
            WeightLayout::ByOutput(shape) => self.weights.tensor(&self.name, shape, self.device),
            WeightLayout::ByInput(shape, columns) => {
                let all = self.weights.tensor(&self.name, shape, self.device)?;
                Ok(all.narrow(1, columns.start, columns.len())?.contiguous()?)
            }
        }
    }

    /// Returns the weight on the device, in the type that it is multiplied in, in its layout on disk.
    fn brought(&self) -> Result<Tensor, ModelError> {
        let name = match &self.kept {
            WeightLayout::ByOutput(_) => self.name.clone(),
            WeightLayout::ByInput(_, columns) => format!("{} {}", self.name, columns.start),
        };
        self.resident.get(&name, || match &self.kept {
            // Without the way over f32, which would take twice the room.
            WeightLayout::ByOutput(shape) if self.precision == Precision::Bf16 && !self.device.is_cpu() => {
                Ok(self.weights.upload(&self.name, shape, 0..shape[0], self.device)?.to_dtype(DType::BF16)?)
            }
            _ => Ok(self.precision.weight(&self.read()?)?),
        })
    }

    /// Applies the projection to `x` `[P, in]`: `[P, out]`.
    ///
    /// # Errors
    /// Fails where the weight cannot be read, or the work was stopped.
    pub fn apply(&self, x: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        cancel.check()?;
        let y = if self.device.is_cpu() {
            let (weights, name, precision) = (self.weights, &self.name, self.precision);
            let (y, outputs) = match &self.kept {
                WeightLayout::ByOutput(shape) => (weights.product(name, shape, x, precision, cancel)?, shape[0]),
                WeightLayout::ByInput(shape, columns) => {
                    let y = weights.product_by_input(name, shape, columns.clone(), x, precision, cancel)?;
                    (y, columns.len())
                }
            };
            Tensor::from_vec(y, (x.dim(0)?, outputs), self.device)?
        } else {
            self.on_device(x)?
        };
        Ok(match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }

    /// Applies the projection by tensor operations alone, on any device, uploading the weight first.
    fn on_device(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let weight = self.brought()?;
        let weight = if matches!(self.kept, WeightLayout::ByOutput(_)) { weight.t()? } else { weight };
        Ok(self.precision.product(x, &weight)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::FileSource;
    use std::collections::HashMap;

    fn noise(n: usize, shape: (usize, usize)) -> Tensor {
        let noise = |i: usize| (((i + n) as f32 * 12.9898).sin() * 43758.547).fract();
        Tensor::from_vec((0..shape.0 * shape.1).map(noise).collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
    }

    /// Compares few rows and many, in both layouts and precisions, with the device's form run on the CPU.
    #[test]
    fn the_product_from_disk_is_that_of_the_form_for_any_device() {
        let folder = tempfile::tempdir().unwrap();
        let (input, outputs, all) = (70, 37, 90);
        let weights = HashMap::from([("w", noise(7, (outputs, input))), ("t", noise(9, (input, all)))]);
        candle_core::safetensors::save(&weights, folder.path().join("w.safetensors")).unwrap();
        let place = FileSource::directory(folder.path()).unwrap();
        let weights = Weights::open(&place, &["w.safetensors".to_owned()]).unwrap();
        let kinds = [
            ("w", WeightLayout::ByOutput([outputs, input])),
            ("t", WeightLayout::ByInput([input, all], outputs..2 * outputs)),
        ];
        for (name, kept) in kinds {
            for rows in [5, 100] {
                let x = noise(1, (rows, input));
                let [exact, half] = Precision::ALL.map(|precision| {
                    let (name, kept, device) = (name.to_owned(), kept.clone(), &Device::Cpu);
                    let resident = &Resident::default();
                    let linear = Linear { weights: &weights, resident, device, precision, name, kept, bias: None };
                    let found = linear.apply(&x, &Cancel::default()).unwrap().to_vec2::<f32>().unwrap().concat();
                    let wanted = linear.on_device(&x).unwrap().to_vec2::<f32>().unwrap().concat();
                    // In bf16 a sum that is next to the middle between two numbers is rounded either way.
                    let step = if precision == Precision::Bf16 { 1.0 / 128.0 } else { 1e-6 };
                    let far = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-5 + step * b.abs();
                    assert!(!found.iter().zip(&wanted).any(far), "{}, {rows} rows, {precision}", linear.name);
                    let differ = found.iter().zip(&wanted).filter(|(a, b)| (*a - *b).abs() > 1e-5).count();
                    assert!(differ * 50 < found.len(), "{}, {rows} rows, {precision}: {differ} differ", linear.name);
                    assert!(precision == Precision::F32 || found.iter().all(|x| x.to_bits() & 0xffff == 0));
                    found
                });
                assert!(exact.iter().zip(&half).any(|(a, b)| (a - b).abs() > 1e-3));
            }
        }
    }
}
