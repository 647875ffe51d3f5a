//! Tensors in memory-mapped safetensors files, kept in the type that they have on disk and converted as they are read.

use crate::hub::{Blob, Place};
use crate::model::{ModelError, npz};
use crate::parallel;
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers that are converted at a time by one thread.
const PIECE: usize = 1 << 16;

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub struct Entry {
    file: usize,
    bytes: Range<usize>,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Entry {
    /// The shape on disk.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// The tensors of one or more safetensors files.
#[derive(Debug)]
pub struct Weights {
    place: Place,
    files: Vec<(String, Blob)>,
    entries: HashMap<String, Entry>,
}

impl Weights {
    /// Opens `names`, files of `place`. A tensor that stands in several keeps its first place.
    ///
    /// # Errors
    /// A file that is missing, truncated, or not safetensors.
    pub fn open(place: &Place, names: &[String]) -> Result<Self, ModelError> {
        let mut weights = Self { place: place.clone(), files: Vec::new(), entries: HashMap::new() };
        for name in names {
            let blob = place.open(name, "a weight file that the others refer to")?;
            let damaged = |what: String| ModelError::Damaged { path: place.path(name), what };
            let file = weights.files.len();
            if name.ends_with(".npz") {
                let mut unpacked = Vec::new();
                for array in npz::arrays(&blob).map_err(damaged)? {
                    let mut file = file;
                    if let Some(content) = array.unpacked {
                        unpacked.push((name.clone(), Blob::Unpacked(content)));
                        file += unpacked.len();
                    }
                    let entry = Entry { file, bytes: array.bytes, dtype: array.dtype, shape: array.shape };
                    weights.entries.entry(array.name).or_insert(entry);
                }
                weights.files.push((name.clone(), blob));
                weights.files.append(&mut unpacked);
                continue;
            }
            let (header, metadata) = SafeTensors::read_metadata(&blob).map_err(|e| damaged(e.to_string()))?;
            let start = header + 8;
            for (key, info) in metadata.tensors() {
                let bytes = start + info.data_offsets.0..start + info.data_offsets.1;
                if bytes.end > blob.len() {
                    return Err(damaged(format!("tensor {key} ends past the end of the file")));
                }
                let entry = Entry { file, bytes, dtype: info.dtype, shape: info.shape.clone() };
                weights.entries.entry(key).or_insert(entry);
            }
            weights.files.push((name.clone(), blob));
        }
        Ok(weights)
    }

    /// Opens the weight files of a Hugging Face model directory: `model.safetensors`, the shards that
    /// `model.safetensors.index.json` names, or else every safetensors file.
    ///
    /// # Errors
    /// As [`Weights::open`]; and a directory without weights.
    pub fn open_model(place: &Place) -> Result<Self, ModelError> {
        const INDEX: &str = "model.safetensors.index.json";
        const SINGLE: &str = "model.safetensors";
        let files = place.files()?;
        let names = if files.iter().any(|name| name == SINGLE) {
            vec![SINGLE.to_owned()]
        } else if let Some(blob) = place.find(INDEX)? {
            #[derive(serde::Deserialize)]
            struct Index {
                weight_map: std::collections::BTreeMap<String, String>,
            }
            let index: Index = serde_json::from_slice(&blob)
                .map_err(|e| ModelError::Config { path: place.path(INDEX), what: format!("not a shard index: {e}") })?;
            let mut names: Vec<String> = index.weight_map.into_values().collect();
            names.sort();
            names.dedup();
            names
        } else {
            files.into_iter().filter(|name| name.ends_with(".safetensors")).collect()
        };
        if names.is_empty() {
            return Err(crate::hub::PlaceError::Missing {
                place: place.name(),
                file: SINGLE.to_owned(),
                hint: "a model directory holds its weights as safetensors",
            }
            .into());
        }
        Self::open(place, &names)
    }

    /// Where a tensor lies, if it is there.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// That a tensor is not there.
    pub fn missing(&self, name: &str) -> ModelError {
        ModelError::NoTensor { place: self.place.name(), name: name.to_owned() }
    }

    /// Where a tensor lies.
    ///
    /// # Errors
    /// It is not there, or has another shape.
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<&Entry, ModelError> {
        let entry =
            self.get(name).ok_or_else(|| ModelError::NoTensor { place: self.place.name(), name: name.to_owned() })?;
        if entry.shape != shape {
            return Err(ModelError::Shape {
                path: self.place.path(&self.files[entry.file].0),
                name: name.to_owned(),
                found: entry.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        if !matches!(entry.dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16) {
            return Err(ModelError::Dtype {
                path: self.place.path(&self.files[entry.file].0),
                name: name.to_owned(),
                dtype: format!("{:?}", entry.dtype),
            });
        }
        Ok(entry)
    }

    /// Converts slices `rows` of the first dimension to f32, row after row, into `out`.
    ///
    /// # Errors
    /// As [`Weights::expect`]; and a NaN or an infinity among what is read.
    ///
    /// # Panics
    /// Where `out` does not have the length of those rows, or a row is past the end: the caller knows the shape.
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
        let size = entry.dtype.bitsize() / 8;
        let (file, blob) = &self.files[entry.file];
        let bytes = &blob[entry.bytes.clone()][rows.start * width * size..rows.end * width * size];
        let first_bad = AtomicUsize::new(usize::MAX);
        let pieces = out.chunks_mut(PIECE).zip(bytes.chunks(PIECE * size)).enumerate().collect();
        parallel::each(pieces, rows.len() * width, |(nth, (out, bytes)): (usize, (&mut [f32], &[u8]))| {
            convert_all(entry.dtype, bytes, out);
            if let Some(at) = first_not_finite(out) {
                first_bad.fetch_min(nth * PIECE + at, Ordering::Relaxed);
            }
        });
        match first_bad.into_inner() {
            usize::MAX => Ok(()),
            at => Err(ModelError::NotFinite {
                path: self.place.path(file),
                name: name.to_owned(),
                row: rows.start + at / width.max(1),
            }),
        }
    }

    /// Converts column `column` of a tensor `[rows, columns]` to f32 into `out`.
    ///
    /// # Errors
    /// As [`Weights::read_rows`].
    ///
    /// # Panics
    /// As [`Weights::read_rows`].
    pub fn read_column(
        &self,
        name: &str,
        shape: &[usize; 2],
        column: usize,
        out: &mut [f32],
    ) -> Result<(), ModelError> {
        let entry = self.expect(name, shape)?;
        assert!(out.len() == shape[0] && column < shape[1], "the buffer holds the column that is read");
        let size = entry.dtype.bitsize() / 8;
        let (file, blob) = &self.files[entry.file];
        let bytes = &blob[entry.bytes.clone()];
        for (row, value) in out.iter_mut().enumerate() {
            let at = (row * shape[1] + column) * size;
            convert_all(entry.dtype, &bytes[at..at + size], std::slice::from_mut(value));
        }
        match first_not_finite(out) {
            Some(row) => Err(ModelError::NotFinite { path: self.place.path(file), name: name.to_owned(), row }),
            None => Ok(()),
        }
    }

    /// A whole tensor as f32.
    ///
    /// # Errors
    /// As [`Weights::read_rows`].
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let mut out = vec![0.0; shape.iter().product()];
        self.read_rows(name, shape, 0..shape[0], &mut out)?;
        Ok(out)
    }

    /// A whole tensor as f32 on `device`.
    ///
    /// # Errors
    /// As [`Weights::read_rows`].
    pub fn tensor(&self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor, ModelError> {
        Ok(Tensor::from_vec(self.read(name, shape)?, shape, device)?)
    }
}

/// Converts numbers of a type that [`Weights::expect`] lets pass.
fn convert_all(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        Dtype::F32 => convert::<4>(bytes, out, f32::from_le_bytes),
        Dtype::BF16 => convert::<2>(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        _ => convert::<2>(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
    }
}

fn convert<const N: usize>(bytes: &[u8], out: &mut [f32], one: impl Fn([u8; N]) -> f32) {
    let (chunks, _) = bytes.as_chunks::<N>();
    for (value, chunk) in out.iter_mut().zip(chunks) {
        *value = one(*chunk);
    }
}

/// The first NaN or infinity. The common case, none, is one branchless pass: 0 * x is 0 for every finite x and NaN else.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    let poisoned = values.chunks(1024).any(|chunk| chunk.iter().fold(0.0f32, |sum, v| sum + v * 0.0).is_nan());
    if poisoned { values.iter().position(|v| !v.is_finite()) } else { None }
}
