//! Matrix products with tensors that stay on disk, and their upload to a device.

use crate::job::Cancel;
use crate::model::product::{self, COLUMNS, FEW, Padded, Stored};
use crate::model::weights::first_not_finite;
use crate::model::{ModelError, Precision, Weights};
use crate::parallel;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use safetensors::Dtype;
use std::ops::Range;

/// Numbers of a weight that one thread multiplies between two checks of the cancel flag.
const BLOCK: usize = 1 << 18;

/// Bytes of a page of memory.
const PAGE: usize = 4096;
/// Bytes of the pages that a thread brings in at a time; a multiple of [`PAGE`].
const PAGES: usize = 1 << 20;

/// Numbers of a weight that are uploaded to a device at a time.
const UPLOAD: usize = 1 << 26;

impl Weights {
    /// Multiplies `x` `[m, d]`, on the CPU, by the transpose of a tensor `[n, d]`: `[m, n]`, row after row. The tensor
    /// is read once, converted a block at a time, on all cores, and its pages are released.
    ///
    /// # Errors
    /// Fails as [`Weights::read_rows`] does, or where the work was stopped.
    pub fn product(
        &self,
        name: &str,
        shape: &[usize; 2],
        x: &Tensor,
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ModelError> {
        let entry = self.expect(name, shape)?;
        let x = &precision.rounded(x)?;
        let ([n, d], m) = (*shape, x.dim(0)?);
        let few = self.few(x)?;
        let step = (BLOCK / d.max(1)).clamp(1, n.max(1));
        let row_bytes = entry.length(d);
        let bytes = self.bytes(entry)?;
        let kept = self.kept();
        let converted = match &kept {
            Some(kept) => kept.converted(name, || self.read(name, shape))?,
            None => None,
        };
        let blocks: Vec<Vec<f32>> = parallel::map(n.div_ceil(step), |block| -> Result<_, ModelError> {
            cancel.check()?;
            let rows = block * step..n.min((block + 1) * step);
            let made = || -> Result<Vec<f32>, ModelError> {
                let mut weight = vec![0.0; rows.len() * d];
                match converted {
                    Some(whole) => weight.copy_from_slice(&whole[rows.start * d..rows.end * d]),
                    None => self.read_rows(name, shape, rows.clone(), &mut weight)?,
                }
                Ok(weight)
            };
            let Some(few) = &few else {
                let mut weight = made()?;
                precision.round(&mut weight);
                let weight = Tensor::from_vec(weight, (rows.len(), d), &Device::Cpu)?;
                return Ok(x.matmul(&weight.t()?)?.flatten_all()?.to_vec1()?);
            };
            if let Some(whole) = converted {
                let bytes = bytemuck::cast_slice(&whole[rows.start * d..rows.end * d]);
                return Ok(product::by_output(few, m, Stored { dtype: Dtype::F32, precision, bytes }));
            }
            if !entry.is_plain() {
                let weight = made()?;
                let weight = Stored { dtype: Dtype::F32, precision, bytes: bytemuck::cast_slice(&weight) };
                return Ok(product::by_output(few, m, weight));
            }
            let within = rows.start * row_bytes..rows.end * row_bytes;
            let weight = Stored { dtype: entry.dtype, precision, bytes: &bytes[within.clone()] };
            let out = product::by_output(few, m, weight);
            self.release(entry, within);
            Ok(out)
        })?;
        let mut out = side_by_side(blocks, m, n, step);
        precision.round(&mut out);
        self.explain(name, shape, few.is_some(), &out)?;
        Ok(out)
    }

    /// Multiplies `x` `[m, d]`, on the CPU, by `columns` of a tensor `[d, n]`: `[m, columns]`, row after row, as
    /// [`Weights::product`] does.
    ///
    /// # Errors
    /// Fails as [`Weights::product`] does.
    pub fn product_by_input(
        &self,
        name: &str,
        shape: &[usize; 2],
        columns: Range<usize>,
        x: &Tensor,
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ModelError> {
        let entry = self.expect_plain(name, shape)?;
        let x = &precision.rounded(x)?;
        let ([d, all], m, n) = (*shape, x.dim(0)?, columns.len());
        let Some(few) = self.few(x)? else {
            let step = (4 * BLOCK / all.max(1)).clamp(1, d.max(1));
            let mut sum = Tensor::zeros((m, n), x.dtype(), &Device::Cpu)?;
            for start in (0..d).step_by(step) {
                cancel.check()?;
                let inputs = step.min(d - start);
                let mut weight = vec![0.0; inputs * all];
                self.read_rows(name, shape, start..start + inputs, &mut weight)?;
                precision.round(&mut weight);
                let weight = Tensor::from_vec(weight, (inputs, all), &Device::Cpu)?;
                let weight = weight.narrow(1, columns.start, n)?.contiguous()?;
                sum = (sum + x.narrow(1, start, inputs)?.contiguous()?.matmul(&weight)?)?;
            }
            return Ok(precision.rounded(&sum)?.flatten_all()?.to_vec1()?);
        };
        let bytes = self.bytes(entry)?;
        let blocks: Vec<Vec<f32>> = parallel::map(n.div_ceil(COLUMNS), |block| -> Result<_, ModelError> {
            cancel.check()?;
            let start = block * COLUMNS;
            let place = [all, columns.start + start, COLUMNS.min(n - start)];
            Ok(product::by_input(&few, m, Stored { dtype: entry.dtype, precision, bytes }, place))
        })?;
        self.release(entry, 0..bytes.len());
        let mut out = side_by_side(blocks, m, n, COLUMNS);
        precision.round(&mut out);
        self.explain(name, shape, true, &out)?;
        Ok(out)
    }

    /// Returns the rows laid out for a product of few rows; `None` where they are many.
    fn few(&self, x: &Tensor) -> Result<Option<Padded>, ModelError> {
        let (m, d) = x.dims2()?;
        Ok(if m > FEW { None } else { Some(Padded::new(m, d, &x.flatten_all()?.to_vec1()?)) })
    }

    /// Fails, naming a weight that is not finite, where a product is not. Products of few rows do not check each
    /// weight.
    fn explain(&self, name: &str, shape: &[usize; 2], unseen: bool, out: &[f32]) -> Result<(), ModelError> {
        if unseen && first_not_finite(out).is_some() {
            self.read(name, shape)?;
        }
        Ok(())
    }

    /// Uploads slices `rows` of the first dimension to a device with memory of its own, in their type on disk, so that
    /// no more bytes are moved than there are.
    ///
    /// # Errors
    /// Fails as [`Weights::read_rows`] does.
    pub fn upload(
        &self,
        name: &str,
        shape: &[usize],
        rows: Range<usize>,
        device: &Device,
    ) -> Result<Tensor, ModelError> {
        let entry = self.expect(name, shape)?;
        let width: usize = shape[1..].iter().product();
        let mut part = shape.to_vec();
        part[0] = rows.len();
        if !entry.is_plain() {
            let mut numbers = vec![0.0; rows.len() * width];
            self.read_rows(name, shape, rows, &mut numbers)?;
            return Ok(Tensor::from_vec(numbers, part, device)?);
        }
        let row_bytes = width * entry.dtype.bitsize() / 8;
        let within = rows.start * row_bytes..rows.end * row_bytes;
        let bytes = &self.bytes(entry)?[within.clone()];
        let dtype = match entry.dtype {
            Dtype::BF16 => DType::BF16,
            Dtype::F16 => DType::F16,
            _ => DType::F32,
        };
        // All cores bring the pages in; the copy would meet them one by one.
        bytes.par_chunks(PAGES).for_each(|pages| {
            std::hint::black_box(pages.iter().step_by(PAGE).fold(0u8, |all, byte| all | byte));
        });
        let tensor = Tensor::from_raw_buffer(bytes, dtype, &part, device)?;
        self.release(entry, within);
        // 0 * x is 0 for every finite x and NaN else.
        let poison: f32 = tensor.to_dtype(DType::F32)?.affine(0.0, 0.0)?.sum_all()?.to_scalar()?;
        if poison.is_nan() {
            self.read(name, shape)?;
        }
        Ok(tensor)
    }

    /// Multiplies `x` `[m, d]`, on a device with memory of its own, by the transpose of a tensor `[n, d]`: `[m, n]`,
    /// row after row. The tensor is uploaded in blocks.
    ///
    /// # Errors
    /// Fails as [`Weights::product`] does.
    pub fn product_on_device(
        &self,
        name: &str,
        shape: &[usize; 2],
        x: &Tensor,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ModelError> {
        let ([n, d], m) = (*shape, x.dim(0)?);
        let step = (UPLOAD / d.max(1)).clamp(1, n.max(1));
        let mut blocks = Vec::with_capacity(n.div_ceil(step));
        for start in (0..n).step_by(step) {
            cancel.check()?;
            let weight = self.upload(name, shape, start..n.min(start + step), x.device())?.to_dtype(DType::F32)?;
            blocks.push(x.matmul(&weight.t()?)?.flatten_all()?.to_vec1()?);
        }
        Ok(side_by_side(blocks, m, n, step))
    }

    /// Multiplies `x` `[m, d]`, on a device with memory of its own, by a tensor `[d, n]`: `[m, n]`, row after row, as
    /// [`Weights::product_on_device`] does.
    ///
    /// # Errors
    /// Fails as [`Weights::product`] does.
    pub fn product_by_input_on_device(
        &self,
        name: &str,
        shape: &[usize; 2],
        x: &Tensor,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ModelError> {
        let ([d, n], m) = (*shape, x.dim(0)?);
        let step = (UPLOAD / n.max(1)).clamp(1, d.max(1));
        let mut sum = Tensor::zeros((m, n), DType::F32, x.device())?;
        for start in (0..d).step_by(step) {
            cancel.check()?;
            let inputs = step.min(d - start);
            let weight = self.upload(name, shape, start..start + inputs, x.device())?.to_dtype(DType::F32)?;
            sum = (sum + x.narrow(1, start, inputs)?.contiguous()?.matmul(&weight)?)?;
        }
        Ok(sum.flatten_all()?.to_vec1()?)
    }
}

/// Joins blocks of columns, `step` each, to rows `[m, n]`.
fn side_by_side(blocks: Vec<Vec<f32>>, m: usize, n: usize, step: usize) -> Vec<f32> {
    let mut out = vec![0.0; m * n];
    for (nth, row) in out.chunks_mut(n.max(1)).enumerate() {
        for (block, out) in blocks.iter().zip(row.chunks_mut(step)) {
            out.copy_from_slice(&block[nth * out.len()..(nth + 1) * out.len()]);
        }
    }
    out
}
