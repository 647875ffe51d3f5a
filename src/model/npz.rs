//! NumPy archives. Arrays that are stored as they are can be read in place, like safetensors; compressed ones are
//! unpacked into memory.

use flate2::Crc;
use flate2::read::DeflateDecoder;
use safetensors::Dtype;
use std::io::{Cursor, Read};
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Deflate makes nothing smaller than by this factor, so that an archive that promises more is made to do harm.
const MOST_DEFLATED: u64 = 1032;

/// A header of an array is within so many bytes of its start.
const HEADER_PROBE: u64 = 1 << 17;

/// An array of an archive: its name, its type, its shape, and the bytes that hold it.
pub(super) struct Array {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Of the archive, or of what is unpacked.
    pub bytes: Range<usize>,
    /// The array's file, where the archive holds it compressed.
    pub unpacked: Option<Vec<u8>>,
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
            let out_of_range = || format!("array {name} lies outside the file");
            let start = member.data_start().ok_or_else(out_of_range)?;
            let start = usize::try_from(start).map_err(|_| out_of_range())?;
            let stored = usize::try_from(member.compressed_size()).map_err(|_| out_of_range())?;
            let stored = start.checked_add(stored).and_then(|end| bytes.get(start..end)).ok_or_else(out_of_range)?;
            let unpacked = match member.compression() {
                CompressionMethod::Stored => None,
                CompressionMethod::DEFLATE => {
                    Some(inflated(stored, member.size(), member.crc32()).map_err(|why| format!("array {name} {why}"))?)
                }
                other => return Err(format!("array {name} is compressed by {other}; save it with numpy.savez")),
            };
            let content = unpacked.as_deref().unwrap_or(stored);
            let (dtype, shape, header) = header(content).ok_or_else(|| format!("array {name} has no sound header"))?;
            fits(dtype, &shape, content.len() - header).map_err(|why| format!("array {name} {why}"))?;
            let start = if unpacked.is_some() { 0 } else { start };
            Ok(Array { name, dtype, shape, bytes: start + header..start + content.len(), unpacked })
        })
        .collect()
}

/// That `size` bytes are what an array of this type and shape has.
fn fits(dtype: Dtype, shape: &[usize], size: usize) -> Result<(), String> {
    match shape.iter().try_fold(dtype.bitsize() / 8, |all, n| all.checked_mul(*n)) {
        Some(wanted) if wanted == size => Ok(()),
        _ => Err(format!("has {size} bytes, which is not what shape {shape:?} asks for")),
    }
}

/// What is packed into `stored`, which has to be `size` bytes with checksum `crc`.
fn inflated(stored: &[u8], size: u64, crc: u32) -> Result<Vec<u8>, String> {
    if size / MOST_DEFLATED > stored.len() as u64 {
        return Err(format!("claims {size} bytes, which cannot be packed into {}", stored.len()));
    }
    // The header comes first: an array whose shape belies its size is not unpacked.
    let mut decoder = DeflateDecoder::new(stored);
    let mut content = Vec::new();
    let mut unpack = |content: &mut Vec<u8>, most: u64| {
        decoder.by_ref().take(most).read_to_end(content).map_err(|e| format!("cannot be unpacked: {e}"))
    };
    unpack(&mut content, size.min(HEADER_PROBE))?;
    let (dtype, shape, start) = header(&content).ok_or("has no sound header")?;
    let rest = usize::try_from(size).ok().and_then(|size| size.checked_sub(start));
    let rest = rest.ok_or_else(|| format!("claims {size} bytes, less than its header"))?;
    fits(dtype, &shape, rest)?;
    // One byte more than there should be shows what would go on.
    let left = size + 1 - content.len() as u64;
    unpack(&mut content, left)?;
    let mut found = Crc::new();
    found.update(&content);
    if content.len() as u64 != size || found.sum() != crc {
        return Err(format!("does not unpack into the {size} bytes that were packed"));
    }
    Ok(content)
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
