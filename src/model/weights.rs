//! Tensors in memory-mapped safetensors files, kept in their type on disk and converted as they are read.

use crate::hub::{Blob, FileSource};
use crate::model::entry::{Entry, RowOrder};
use crate::model::kept::Kept;
use crate::model::npz::{self, Packed};
use crate::model::product::convert;
use crate::model::{Gguf, ModelError};
use crate::parallel;
use crate::untrusted::{excerpt, json_fault, safetensors_fault};
use candle_core::quantized::GgmlDType;
use candle_core::{CpuStorage, DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, Weak};

/// Rows of a tensor of which columns are gathered at a time by one thread.
const TILE: usize = 32;

/// Numbers that are converted at a time by one thread.
const PIECE: usize = 1 << 16;

/// Tensors of one or more safetensors files, npz archives or GGUF files.
#[derive(Debug)]
pub struct Weights {
    source: FileSource,
    /// Contents by name; of an archive first the archive itself, then each array that it holds compressed.
    files: Vec<(String, Content)>,
    entries: HashMap<String, Entry>,
    /// Types of quantised tensors.
    quantised: Option<String>,
    /// Lock held while an array is unpacked, so that no two threads unpack one.
    unpacking: Mutex<()>,
    /// Weights that stay in memory while somebody holds them.
    pub(super) kept: RwLock<Weak<Kept>>,
}

/// Content that holds the numbers of tensors.
#[derive(Debug)]
enum Content {
    File(Blob),
    /// Array of the archive at `archive` among the files, unpacked when it is first read.
    Packed {
        archive: usize,
        packed: Packed,
        unpacked: OnceLock<Vec<u8>>,
    },
}

/// Bytes of the largest index of shards.
const MOST_INDEX: usize = 64 << 20;

impl Weights {
    /// Opens `names`, files of `source`. A tensor that is in several files is read from the first of them.
    ///
    /// # Errors
    /// Fails where a file is missing, truncated, or not safetensors.
    pub fn open(source: &FileSource, names: &[String]) -> Result<Self, ModelError> {
        let mut weights = Self {
            source: source.clone(),
            files: Vec::new(),
            entries: HashMap::new(),
            quantised: None,
            unpacking: Mutex::default(),
            kept: RwLock::default(),
        };
        for name in names {
            let blob = source.open(name, "a weight file that the others refer to")?;
            let damaged = |what: String| ModelError::Damaged { path: source.path(name), what };
            let file = weights.files.len();
            if name.ends_with(".npz") {
                let arrays = npz::arrays(&blob).map_err(damaged)?;
                weights.files.push((name.clone(), Content::File(blob)));
                for array in arrays {
                    let mut of = file;
                    if let Some(packed) = array.packed {
                        of = weights.files.len();
                        let content = Content::Packed { archive: file, packed, unpacked: OnceLock::new() };
                        weights.files.push((name.clone(), content));
                    }
                    let entry = Entry::plain(of, array.bytes, array.dtype, array.shape);
                    weights.entries.entry(array.name).or_insert(entry);
                }
                continue;
            }
            let (header, metadata) = SafeTensors::read_metadata(&blob).map_err(|e| damaged(safetensors_fault(&e)))?;
            let start = header + 8;
            for (key, info) in metadata.tensors() {
                let bytes = start + info.data_offsets.0..start + info.data_offsets.1;
                if bytes.end > blob.len() {
                    return Err(damaged(format!("tensor {} ends past the end of the file", excerpt(&key))));
                }
                let entry = Entry::plain(file, bytes, info.dtype, info.shape.clone());
                weights.entries.entry(key).or_insert(entry);
            }
            weights.files.push((name.clone(), Content::File(blob)));
        }
        Ok(weights)
    }

    /// Opens a GGUF file of `source`, with its tensors under the names of the Hugging Face layout.
    ///
    /// # Errors
    /// Fails where it is missing, truncated, not a GGUF file, or holds tensors that are not known.
    pub fn open_gguf(source: &FileSource, file: &str) -> Result<Self, ModelError> {
        let (gguf, blob) = Gguf::open(source, file)?;
        let entry = |tensor: &crate::model::gguf::GgufTensor| {
            let (dtype, blocks) = match tensor.dtype {
                GgmlDType::F16 => (Dtype::F16, None),
                GgmlDType::BF16 => (Dtype::BF16, None),
                GgmlDType::F32 => (Dtype::F32, None),
                blocks => (Dtype::F32, Some(blocks)),
            };
            let (bytes, shape) = (tensor.bytes.clone(), tensor.shape.clone());
            let order = tensor.paired_heads.map_or(RowOrder::Plain, RowOrder::Paired);
            Entry { file: 0, bytes, dtype, blocks, order, shape }
        };
        let entries = gguf.tensors()?.into_iter().map(|tensor| (tensor.name.clone(), entry(&tensor))).collect();
        Ok(Self {
            source: source.clone(),
            files: vec![(file.to_owned(), Content::File(blob))],
            entries,
            quantised: gguf.quantised(),
            unpacking: Mutex::default(),
            kept: RwLock::default(),
        })
    }

    /// Returns the types of quantised tensors, where there are some.
    pub fn quantised(&self) -> Option<&str> {
        self.quantised.as_deref()
    }

    /// Opens the GGUF file of a source that holds one, or else the weight files of a Hugging Face model directory:
    /// `model.safetensors`, the shards that `model.safetensors.index.json` names, or else every safetensors file.
    ///
    /// # Errors
    /// Fails as [`Weights::open`] does, and where a directory holds no weights.
    pub fn open_model(source: &FileSource) -> Result<Self, ModelError> {
        const INDEX: &str = "model.safetensors.index.json";
        const SINGLE: &str = "model.safetensors";
        if let Some(file) = source.gguf()? {
            return Self::open_gguf(source, &file);
        }
        let files = source.files()?;
        let names = if files.iter().any(|name| name == SINGLE) {
            vec![SINGLE.to_owned()]
        } else if let Some(blob) = source.find_within(INDEX, MOST_INDEX)? {
            #[derive(serde::Deserialize)]
            struct Index {
                weight_map: std::collections::BTreeMap<String, String>,
            }
            let index: Index = serde_json::from_slice(&blob)
                .map_err(|e| ModelError::Config { path: source.path(INDEX), what: json_fault(&e) })?;
            let mut names: Vec<String> = index.weight_map.into_values().collect();
            names.sort();
            names.dedup();
            names
        } else {
            files.into_iter().filter(|name| name.ends_with(".safetensors")).collect()
        };
        if names.is_empty() {
            return Err(crate::hub::FileSourceError::Missing {
                place: source.name(),
                file: SINGLE.to_owned(),
                hint: "a model directory holds its weights as safetensors",
            }
            .into());
        }
        Self::open(source, &names)
    }

    /// Splits a tensor that holds queries, keys and values head after head, if it is there, into three entries of these
    /// names.
    pub(super) fn split_by_head(&mut self, name: &str, heads: usize, thirds: [String; 3]) {
        if let Some(entry) = self.entries.get(name) {
            let thirds: Vec<_> =
                thirds.into_iter().enumerate().map(|(nth, name)| (name, entry.third(heads, nth))).collect();
            self.entries.extend(thirds);
        }
    }

    /// Names parts of a tensor's rows, one below the other, where the tensor is there: each part by its name and its
    /// number of rows.
    pub(super) fn split_rows(&mut self, name: &str, parts: &[(String, usize)]) {
        let Some(entry) = self.entries.get(name).cloned() else { return };
        let mut start = 0;
        for (name, rows) in parts {
            self.entries.insert(name.clone(), entry.part(start..start + rows));
            start += rows;
        }
    }

    /// Returns the entry of a tensor, if it is there.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Returns the names of the tensors, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Returns a tensor of one whole number, if it is there.
    ///
    /// # Errors
    /// Fails where it is no such number.
    pub fn count(&self, name: &str) -> Result<Option<usize>, ModelError> {
        let Some(entry) = self.get(name) else { return Ok(None) };
        let wrong = |what: &str| ModelError::Damaged {
            path: self.source.path(&self.files[entry.file].0),
            what: format!("tensor {} {what}", excerpt(name)),
        };
        if entry.shape.iter().product::<usize>() != 1 {
            return Err(wrong("is not one number"));
        }
        let bytes = self.bytes(entry)?;
        let number = match entry.dtype {
            Dtype::I64 => bytes.try_into().ok().and_then(|bytes| usize::try_from(i64::from_le_bytes(bytes)).ok()),
            Dtype::I32 => bytes.try_into().ok().and_then(|bytes| usize::try_from(i32::from_le_bytes(bytes)).ok()),
            _ => return Err(wrong(&format!("is {:?}, expected a whole number", entry.dtype))),
        };
        number.map(Some).ok_or_else(|| wrong("is below zero"))
    }

    /// Returns the error for a missing tensor.
    pub fn missing(&self, name: &str) -> ModelError {
        ModelError::NoTensor { place: self.source.name(), name: name.to_owned() }
    }

    /// Returns the entry of a tensor of this shape.
    ///
    /// # Errors
    /// Fails where it is not there, or has another shape.
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<&Entry, ModelError> {
        let entry =
            self.get(name).ok_or_else(|| ModelError::NoTensor { place: self.source.name(), name: name.to_owned() })?;
        if entry.shape != shape {
            return Err(ModelError::Shape {
                path: self.source.path(&self.files[entry.file].0),
                name: name.to_owned(),
                found: entry.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        if !matches!(entry.dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16) {
            return Err(ModelError::Dtype {
                path: self.source.path(&self.files[entry.file].0),
                name: name.to_owned(),
                dtype: format!("{:?}", entry.dtype),
            });
        }
        Ok(entry)
    }

    /// Returns the entry of a tensor as [`Weights::expect`] does, for reads of parts of rows: it is not quantised.
    pub(super) fn expect_plain(&self, name: &str, shape: &[usize]) -> Result<&Entry, ModelError> {
        let entry = self.expect(name, shape)?;
        match entry.blocks {
            Some(blocks) => Err(ModelError::Dtype {
                path: self.source.path(&self.files[entry.file].0),
                name: name.to_owned(),
                dtype: format!("{blocks:?}"),
            }),
            None => Ok(entry),
        }
    }

    /// Reads rows of a tensor that is quantised or has its rows in another order, in f32 into `out`.
    fn made_plain(&self, entry: &Entry, rows: Range<usize>, width: usize, out: &mut [f32]) -> Result<(), ModelError> {
        let (bytes, row_bytes) = (self.bytes(entry)?, entry.length(width));
        // Rows in their order are converted many at a time.
        let step = if entry.order == RowOrder::Plain { (PIECE / width.max(1)).max(1) } else { 1 };
        let failed = Mutex::new(None);
        let pieces = out.chunks_mut((step * width).max(1)).zip(rows.clone().step_by(step)).collect();
        parallel::each(pieces, rows.len() * width, |(out, row): (&mut [f32], usize)| {
            let start = entry.row(row) * row_bytes;
            let bytes = &bytes[start..start + entry.length(out.len())];
            let Some(blocks) = entry.blocks else { return convert(entry.dtype, bytes, out) };
            match blocks.from_data(Cow::Borrowed(bytes)).dequantize(out.len()) {
                Ok(CpuStorage::F32(numbers)) => out.copy_from_slice(&numbers),
                Ok(_) => unreachable!("blocks are made into f32"),
                Err(error) => *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), |error| Err(error.into()))
    }

    /// Returns the bytes of a tensor, unpacking them if need be.
    pub(super) fn bytes(&self, entry: &Entry) -> Result<&[u8], ModelError> {
        let content = match &self.files[entry.file] {
            (_, Content::File(blob)) => &**blob,
            (name, Content::Packed { archive, packed, unpacked }) => match unpacked.get() {
                Some(content) => content,
                None => self.unpack(name, *archive, packed, unpacked)?,
            },
        };
        Ok(&content[entry.bytes.clone()])
    }

    fn unpack<'a>(
        &self,
        name: &str,
        archive: usize,
        packed: &Packed,
        unpacked: &'a OnceLock<Vec<u8>>,
    ) -> Result<&'a [u8], ModelError> {
        let _turn = self.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Content::File(blob)) = (unpacked.get(), &self.files[archive].1) {
            let damaged = |what| ModelError::Damaged { path: self.source.path(name), what };
            let content = packed.unpack(blob).map_err(damaged)?;
            return Ok(unpacked.get_or_init(|| content));
        }
        Ok(unpacked.get().map_or(&[], Vec::as_slice))
    }

    /// Returns the bytes that compressed arrays will take once they are unpacked.
    pub fn to_unpack(&self) -> u64 {
        let left = |content: &Content| match content {
            Content::Packed { packed, unpacked, .. } if unpacked.get().is_none() => packed.size as u64,
            _ => 0,
        };
        self.files.iter().map(|(_, content)| left(content)).sum()
    }

    /// Converts slices `rows` of the first dimension to f32, row after row, into `out`.
    ///
    /// # Errors
    /// Fails as [`Weights::expect`] does, and where a number read is NaN or infinite.
    ///
    /// # Panics
    /// Panics where `out` does not have the length of those rows, or a row is past the end: the caller knows the shape.
    pub fn read_rows(
        &self,
        name: &str,
        shape: &[usize],
        rows: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), ModelError> {
        let entry = self.expect(name, shape)?;
        let width: usize = shape[1..].iter().product();
        assert_eq!(out.len(), rows.len() * width, "the buffer holds the rows that are read");
        let file = &self.files[entry.file].0;
        let within = entry.span(rows.clone(), width);
        let first_bad = AtomicUsize::new(usize::MAX);
        if entry.is_plain() {
            let size = entry.dtype.bitsize() / 8;
            let bytes = &self.bytes(entry)?[within.clone()];
            let pieces = out.chunks_mut(PIECE).zip(bytes.chunks(PIECE * size)).enumerate().collect();
            parallel::each(pieces, rows.len() * width, |(nth, (out, bytes)): (usize, (&mut [f32], &[u8]))| {
                convert(entry.dtype, bytes, out);
                if let Some(at) = first_not_finite(out) {
                    first_bad.fetch_min(nth * PIECE + at, Ordering::Relaxed);
                }
            });
        } else {
            self.made_plain(entry, rows.clone(), width, out)?;
            first_bad.store(first_not_finite(out).unwrap_or(usize::MAX), Ordering::Relaxed);
        }
        self.release(entry, within);
        match first_bad.into_inner() {
            usize::MAX => Ok(()),
            at => Err(ModelError::NotFinite {
                path: self.source.path(file),
                name: name.to_owned(),
                row: rows.start + at / width.max(1),
            }),
        }
    }

    /// Converts numbers `part` of row `row` of a tensor to f32 into `out`, and keeps the pages: for many small reads,
    /// after which [`Weights::release_all`] releases them.
    ///
    /// # Errors
    /// Fails as [`Weights::read_rows`] does.
    ///
    /// # Panics
    /// Panics as [`Weights::read_rows`] does.
    pub fn read_within(
        &self,
        name: &str,
        shape: &[usize],
        row: usize,
        part: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), ModelError> {
        let entry = self.expect_plain(name, shape)?;
        let width: usize = shape[1..].iter().product();
        assert!(out.len() == part.len() && part.end <= width, "the buffer holds the part that is read");
        let size = entry.dtype.bitsize() / 8;
        let file = &self.files[entry.file].0;
        let bytes = &self.bytes(entry)?[(row * width + part.start) * size..(row * width + part.end) * size];
        convert(entry.dtype, bytes, out);
        match first_not_finite(out) {
            Some(_) => Err(ModelError::NotFinite { path: self.source.path(file), name: name.to_owned(), row }),
            None => Ok(()),
        }
    }

    /// Releases the pages of a tensor.
    pub fn release_all(&self, name: &str) {
        if let Some(entry) = self.get(name) {
            self.release(entry, 0..entry.bytes.len());
        }
    }

    /// Reads columns of a tensor `[rows, all]` in f32, `[columns, rows]`, in one pass over the tensor, whose pages are
    /// released.
    ///
    /// # Errors
    /// Fails as [`Weights::read_rows`] does.
    ///
    /// # Panics
    /// Panics where a column is past the end: the caller knows the shape.
    pub fn read_columns(&self, name: &str, shape: &[usize; 2], columns: &[usize]) -> Result<Vec<f32>, ModelError> {
        let entry = self.expect_plain(name, shape)?;
        let [n_rows, all] = *shape;
        assert!(columns.iter().all(|column| *column < all), "the columns are there");
        let size = entry.dtype.bitsize() / 8;
        let file = &self.files[entry.file].0;
        let bytes = self.bytes(entry)?;
        // A tile of rows at a time, which is turned where it stays in the cache.
        let tiles = parallel::map(n_rows.div_ceil(TILE), |tile| -> Result<Vec<f32>, ModelError> {
            let rows = tile * TILE..n_rows.min((tile + 1) * TILE);
            let mut turned = vec![0.0; columns.len() * rows.len()];
            for (nth, row) in rows.clone().enumerate() {
                for (column, out) in columns.iter().zip(turned.chunks_mut(rows.len())) {
                    let at = (row * all + column) * size;
                    convert(entry.dtype, &bytes[at..at + size], &mut out[nth..=nth]);
                }
            }
            match first_not_finite(&turned) {
                Some(at) => {
                    let row = rows.start + at % rows.len();
                    Err(ModelError::NotFinite { path: self.source.path(file), name: name.to_owned(), row })
                }
                None => Ok(turned),
            }
        })?;
        self.release(entry, 0..bytes.len());
        let mut out = vec![0.0; columns.len() * n_rows];
        for (nth, row) in out.chunks_mut(n_rows.max(1)).enumerate() {
            for (tile, out) in tiles.iter().zip(row.chunks_mut(TILE)) {
                out.copy_from_slice(&tile[nth * out.len()..(nth + 1) * out.len()]);
            }
        }
        Ok(out)
    }

    /// Releases the pages of a part of a tensor, unless they are kept.
    pub(super) fn release(&self, entry: &Entry, part: Range<usize>) {
        if self.kept().is_some_and(|kept| !kept.releases(entry)) {
            return;
        }
        let start = entry.bytes.start;
        if let Content::File(blob) = &self.files[entry.file].1 {
            blob.release(start + part.start..start + part.end);
        }
    }

    /// Releases the pages of all files.
    pub(super) fn release_files(&self) {
        for (_, content) in &self.files {
            if let Content::File(blob) = content {
                blob.release(0..blob.len());
            }
        }
    }

    /// Reads a whole tensor as f32.
    ///
    /// # Errors
    /// Fails as [`Weights::read_rows`] does.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let mut out = vec![0.0; shape.iter().product()];
        self.read_rows(name, shape, 0..shape[0], &mut out)?;
        Ok(out)
    }

    /// Reads a whole tensor as f32 onto `device`.
    ///
    /// # Errors
    /// Fails as [`Weights::read_rows`] does.
    pub fn tensor(&self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor, ModelError> {
        if device.is_cpu() {
            return Ok(Tensor::from_vec(self.read(name, shape)?, shape, device)?);
        }
        Ok(self.upload(name, shape, 0..shape[0], device)?.to_dtype(DType::F32)?)
    }
}

/// Returns the first NaN or infinity. The common case, none, is one branchless pass: 0 * x is 0 for finite x, NaN else.
pub(super) fn first_not_finite(values: &[f32]) -> Option<usize> {
    let poisoned = values.chunks(1024).any(|chunk| chunk.iter().fold(0.0f32, |sum, v| sum + v * 0.0).is_nan());
    if poisoned { values.iter().position(|v| !v.is_finite()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// In each type, in any order, with a last tile that is not whole.
    #[test]
    fn columns_are_the_rows_of_the_turned_tensor_bit_for_bit() {
        let (rows, all) = (2 * TILE + 7, 53);
        let noise: Vec<f32> = (0..rows * all).map(|i| ((i as f32 * 12.9898).sin() * 43758.547).fract()).collect();
        let noise = Tensor::from_vec(noise, (rows, all), &Device::Cpu).unwrap();
        for dtype in [DType::F32, DType::BF16, DType::F16] {
            let folder = tempfile::tempdir().unwrap();
            let plain = noise.to_dtype(dtype).unwrap();
            let turned = plain.t().unwrap().contiguous().unwrap();
            let tensors = HashMap::from([("plain", plain), ("turned", turned)]);
            candle_core::safetensors::save(&tensors, folder.path().join("w.safetensors")).unwrap();
            let place = FileSource::directory(folder.path()).unwrap();
            let weights = Weights::open(&place, &["w.safetensors".to_owned()]).unwrap();
            for columns in [&[][..], &[52], &[3, 0, 41, 3]] {
                let mut expected = vec![0.0; columns.len() * rows];
                for (column, out) in columns.iter().zip(expected.chunks_mut(rows)) {
                    weights.read_within("turned", &[all, rows], *column, 0..rows, out).unwrap();
                }
                let found = weights.read_columns("plain", &[rows, all], columns).unwrap();
                assert!(found.iter().map(|x| x.to_bits()).eq(expected.iter().map(|x| x.to_bits())), "{dtype:?}");
            }
        }
    }
}
