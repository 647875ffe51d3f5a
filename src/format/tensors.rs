//! safetensors files: written as a stream, read one tensor at a time, so that neither holds a second copy.

use crate::format::{FormatError, write_atomically};
use crate::untrusted::{self, excerpt, json_fault};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of the header's length, little-endian, with which a file starts.
const LENGTH_BYTES: usize = 8;
/// Bytes of the largest header that other readers of the format accept.
const MAX_HEADER: u64 = 100_000_000;
/// Bytes converted at a time.
const BLOCK: usize = 1 << 16;

/// A number as a file holds it.
pub trait Number: Copy {
    /// Type in the file.
    const DTYPE: Dtype;
    /// Appends the little-endian bytes.
    fn put(self, bytes: &mut Vec<u8>);
    /// Reads a number from as many bytes as its type has.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($($type:ty => $dtype:ident),*) => {$(
        impl Number for $type {
            const DTYPE: Dtype = Dtype::$dtype;

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn get(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }
        }
    )*};
}

number!(u8 => U8, u32 => U32, u64 => U64, i64 => I64, half::bf16 => BF16, f32 => F32, f64 => F64);

type WriteValues<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// A tensor to be written.
pub struct Tensor<'a> {
    name: &'a str,
    dtype: Dtype,
    shape: Vec<usize>,
    write: WriteValues<'a>,
}

impl<'a> Tensor<'a> {
    /// Creates a tensor whose values, row after row, are taken from `values` while it is written.
    pub fn new<T: Number + 'a>(
        name: &'a str,
        shape: impl Into<Vec<usize>>,
        values: impl IntoIterator<Item = T> + 'a,
    ) -> Self {
        let shape = shape.into();
        let wanted: usize = shape.iter().product();
        let write = move |out: &mut dyn Write| {
            let mut bytes = Vec::with_capacity(BLOCK + size_of::<T>());
            let mut found = 0;
            for value in values {
                value.put(&mut bytes);
                found += 1;
                if bytes.len() >= BLOCK {
                    out.write_all(&bytes)?;
                    bytes.clear();
                }
            }
            assert_eq!(found, wanted, "a tensor has as many values as its shape says");
            out.write_all(&bytes)
        };
        Self { name, dtype: T::DTYPE, shape, write: Box::new(write) }
    }
}

/// Writes a safetensors file, whole or not at all: `metadata` under its key, then the tensors.
///
/// # Errors
/// Fails with [`FormatError::DiskFull`] or [`FormatError::Write`].
pub fn write(path: &Path, metadata: Option<(&str, String)>, mut tensors: Vec<Tensor<'_>>) -> Result<(), FormatError> {
    // Widest first, so that whoever maps the file finds every tensor aligned.
    tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype.bitsize()));
    write_atomically(path, |out| {
        let header = header(metadata, &tensors)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        tensors.into_iter().try_for_each(|tensor| (tensor.write)(out))
    })
}

fn header(metadata: Option<(&str, String)>, tensors: &[Tensor<'_>]) -> io::Result<Vec<u8>> {
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.shape.iter().product::<usize>() * tensor.dtype.bitsize() / 8;
        let info = TensorInfo { dtype: tensor.dtype, shape: tensor.shape.clone(), data_offsets: (start, end) };
        (tensor.name.to_owned(), info)
    });
    let infos = infos.collect();
    let metadata = metadata.map(|(key, value)| HashMap::from([(key.to_owned(), value)]));
    let metadata = Metadata::new(metadata, infos).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    // The format lets a header end in spaces; they align the numbers behind it.
    header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
    Ok(header)
}

/// Reader of a safetensors file.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
    data_start: u64,
    header: Metadata,
}

impl Reader {
    /// Opens a file and checks that it is as long as its header says, and that its tensors lie within it.
    ///
    /// # Errors
    /// Fails with [`FormatError::Read`], with [`FormatError::Other`] where it is not a safetensors file, with
    /// [`FormatError::Damaged`] where it is cut off.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let reading = |error| FormatError::Read { path: path.to_owned(), error };
        let other = |found: String| FormatError::Other { path: path.to_owned(), wanted: "a safetensors file", found };
        let mut file = untrusted::open(path).map_err(reading)?;
        let length = file.metadata().map_err(reading)?.len();
        let mut header_length = [0; LENGTH_BYTES];
        if length < LENGTH_BYTES as u64 {
            return Err(other(format!("it has {length} bytes")));
        }
        file.read_exact(&mut header_length).map_err(reading)?;
        let header_length = u64::from_le_bytes(header_length);
        let data_start = header_length.saturating_add(LENGTH_BYTES as u64);
        if header_length > MAX_HEADER || data_start > length {
            return Err(other("it does not begin with a header".into()));
        }
        let mut header = Vec::new();
        (&file).take(header_length).read_to_end(&mut header).map_err(reading)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| other(format!("of its header, {}", json_fault(&error))))?;
        let wanted = data_start.saturating_add(header.data_len() as u64);
        if wanted != length {
            let what = format!("it has {length} bytes, and its header says {wanted}");
            return Err(FormatError::Damaged { path: path.to_owned(), what });
        }
        Ok(Self { path: path.to_owned(), file, data_start, header })
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns an entry of the metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Returns the names of its tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.header.tensors().into_keys().collect();
        names.sort();
        names
    }

    /// Returns the shape of a tensor; `None` where there is no such tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.info(name).map(|info| info.shape.as_slice())
    }

    /// Reads the values of a tensor, row after row. A dimension that is `None` in `shape` may have any size.
    ///
    /// # Errors
    /// Fails with [`FormatError::Damaged`] where the tensor is missing, or of another type or shape.
    pub fn read<T: Number>(&mut self, name: &str, shape: &[Option<usize>]) -> Result<Vec<T>, FormatError> {
        let info = self.header.info(name).ok_or_else(|| self.damaged(format!("tensor {name} is missing")))?;
        let fits = info.shape.len() == shape.len()
            && info.shape.iter().zip(shape).all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found));
        if info.dtype != T::DTYPE || !fits {
            let wanted: Vec<_> = shape.iter().map(|size| size.map_or("any".into(), |size| size.to_string())).collect();
            let (dtype, found) = (info.dtype, &info.shape);
            let wanted = format!("{:?} [{}]", T::DTYPE, wanted.join(", "));
            let found = format!("{found:?}");
            return Err(self.damaged(format!("tensor {name} is {dtype:?} {}, not {wanted}", excerpt(&found))));
        }
        let (start, end) = info.data_offsets;
        self.values(start, end).map_err(|error| FormatError::Read { path: self.path.clone(), error })
    }

    /// Returns the error of a damaged file.
    pub fn damaged(&self, what: impl Into<String>) -> FormatError {
        FormatError::Damaged { path: self.path.clone(), what: what.into() }
    }

    fn values<T: Number>(&mut self, start: usize, end: usize) -> io::Result<Vec<T>> {
        // The offsets were checked against the file's length, so this allocates no more than there is to read.
        let mut values = Vec::with_capacity((end - start) / size_of::<T>());
        self.file.seek(SeekFrom::Start(self.data_start + start as u64))?;
        let mut block = [0; BLOCK];
        let mut left = end - start;
        while left > 0 {
            let part = &mut block[..left.min(BLOCK)];
            self.file.read_exact(part)?;
            values.extend(part.chunks_exact(size_of::<T>()).map(T::get));
            left -= part.len();
        }
        Ok(values)
    }
}
