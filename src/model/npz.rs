//! NumPy archives whose arrays are stored as they are, so that they can be read in place like safetensors.

use safetensors::Dtype;
use std::io::Cursor;
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array of an archive: its name, its type, its shape, and the bytes of the archive that hold it.
pub(super) struct Array {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Range<usize>,
}

/// The arrays of the archive `bytes`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn arrays(bytes: &[u8]) -> Result<Vec<Array>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| format!("not an npz archive: {e}"))?;
    (0..archive.len())
        .map(|index| {
            let member = archive.by_index_raw(index).map_err(|e| e.to_string())?;
            let name = member.name().map_err(|e| e.to_string())?.trim_end_matches(".npy").to_owned();
            if member.compression() != CompressionMethod::Stored {
                return Err(format!("array {name} is compressed; store it with numpy.savez"));
            }
            let out_of_range = || format!("array {name} lies outside the file");
            let start = member.data_start().ok_or_else(out_of_range)?;
            let start = usize::try_from(start).map_err(|_| out_of_range())?;
            let size = usize::try_from(member.size()).map_err(|_| out_of_range())?;
            let content = start.checked_add(size).and_then(|end| bytes.get(start..end)).ok_or_else(out_of_range)?;
            let (dtype, shape, header) = header(content).ok_or_else(|| format!("array {name} has no sound header"))?;
            let numbers = shape.iter().try_fold(dtype.bitsize() / 8, |all, n| all.checked_mul(*n));
            if numbers != Some(size - header) {
                return Err(format!(
                    "array {name} has {} bytes, which is not what shape {shape:?} asks for",
                    size - header
                ));
            }
            Ok(Array { name, dtype, shape, bytes: start + header..start + size })
        })
        .collect()
}

/// Type, shape and length of an array's header.
fn header(content: &[u8]) -> Option<(Dtype, Vec<usize>, usize)> {
    let rest = content.strip_prefix(MAGIC)?;
    let (length, start): (usize, usize) = match rest.first()? {
        1 => (usize::from(u16::from_le_bytes(rest.get(2..4)?.try_into().ok()?)), 4),
        2 | 3 => (u32::from_le_bytes(rest.get(2..6)?.try_into().ok()?) as usize, 6),
        _ => return None,
    };
    let text = std::str::from_utf8(rest.get(start..start.checked_add(length)?)?).ok()?;
    let after = |key: &str| Some(text.split_once(&format!("'{key}':"))?.1.trim_start());
    let dtype = match after("descr")?.split('\'').nth(1)? {
        "<f4" => Dtype::F32,
        "<f2" => Dtype::F16,
        "<f8" => Dtype::F64,
        _ => return None,
    };
    if !after("fortran_order")?.starts_with("False") {
        return None;
    }
    let shape = after("shape")?.strip_prefix('(')?.split(')').next()?;
    let shape = shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok());
    Some((dtype, shape.collect::<Option<_>>()?, MAGIC.len() + start + length))
}
