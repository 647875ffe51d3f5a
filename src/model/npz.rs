//! NumPy archives. Arrays that are stored uncompressed can be read in place, like safetensors; compressed ones are
//! unpacked into memory when their numbers are first read: by then their shape has been checked.

use crate::untrusted::excerpt;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use safetensors::Dtype;
use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Largest ratio of deflate's compression, so that an archive that claims more is malicious.
const MOST_DEFLATED: u64 = 1032;

/// Bytes from the start of an array within which its header ends.
const HEADER_PROBE: u64 = 1 << 17;

/// Array of an archive: its name, type and shape, and the bytes that hold it.
#[derive(Debug)]
pub(super) struct Array {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Range in the archive, or in the unpacked file.
    pub bytes: Range<usize>,
    /// File of the array, where the archive holds it compressed.
    pub packed: Option<Packed>,
}

/// Compressed file of an array in an archive.
#[derive(Debug)]
pub(super) struct Packed {
    /// Name of the array, as a message shows it.
    shown: String,
    /// Range in the archive.
    stored: Range<usize>,
    /// Bytes after unpacking.
    pub size: usize,
    crc: u32,
}

/// Lists the arrays of the archive `bytes`.
///
/// # Errors
/// Describes the archive's fault.
pub(super) fn arrays(bytes: &[u8]) -> Result<Vec<Array>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| format!("it is no npz archive ({e})"))?;
    (0..archive.len())
        .map(|index| {
            let member = archive.by_index_raw(index).map_err(|e| e.to_string())?;
            let name = member.name().map_err(|e| e.to_string())?.trim_end_matches(".npy").to_owned();
            let shown = excerpt(&name);
            let out_of_range = || format!("array {shown} lies outside the file");
            let start = member.data_start().ok_or_else(out_of_range)?;
            let start = usize::try_from(start).map_err(|_| out_of_range())?;
            let length = usize::try_from(member.compressed_size()).map_err(|_| out_of_range())?;
            let end = start.checked_add(length).filter(|end| *end <= bytes.len()).ok_or_else(out_of_range)?;
            let stored = &bytes[start..end];
            let wrong = |why: String| format!("array {shown} {why}");
            let (start, size, head, packed) = match member.compression() {
                CompressionMethod::Stored => (start, length, Cow::Borrowed(stored), None),
                CompressionMethod::DEFLATE => {
                    let size = member.size();
                    let head = head(stored, size).map_err(wrong)?;
                    let size = usize::try_from(size).map_err(|_| out_of_range())?;
                    let packed = Packed { shown: shown.to_string(), stored: start..end, size, crc: member.crc32() };
                    (0, size, Cow::Owned(head), Some(packed))
                }
                other => return Err(wrong(format!("is compressed by {other}; save it with numpy.savez"))),
            };
            let (dtype, shape, header) = header(&head).ok_or_else(|| wrong("has no sound header".to_owned()))?;
            let rest =
                size.checked_sub(header).ok_or_else(|| wrong(format!("has {size} bytes, less than its header")))?;
            fits(dtype, &shape, rest).map_err(wrong)?;
            Ok(Array { name, dtype, shape, bytes: start + header..start + size, packed })
        })
        .collect()
}

/// Checks that an array of this type and shape has `size` bytes.
fn fits(dtype: Dtype, shape: &[usize], size: usize) -> Result<(), String> {
    match shape.iter().try_fold(dtype.bitsize() / 8, |all, n| all.checked_mul(*n)) {
        Some(wanted) if wanted == size => Ok(()),
        _ => Err(format!("has {size} bytes, which is not what shape {shape:?} asks for")),
    }
}

/// Unpacks the start of `stored`, which claims to hold `size` bytes.
fn head(stored: &[u8], size: u64) -> Result<Vec<u8>, String> {
    if size / MOST_DEFLATED > stored.len() as u64 {
        return Err(format!("claims {size} bytes, which cannot be packed into {}", stored.len()));
    }
    unpacked(stored, size.min(HEADER_PROBE))
}

fn unpacked(stored: &[u8], most: u64) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let read = DeflateDecoder::new(stored).take(most).read_to_end(&mut content);
    read.map_err(|error| format!("cannot be unpacked: {error}"))?;
    Ok(content)
}

impl Packed {
    /// Unpacks the array's file from the bytes of its archive.
    ///
    /// # Errors
    /// Fails where the bytes cannot be unpacked or the size differs.
    pub fn unpack(&self, archive: &[u8]) -> Result<Vec<u8>, String> {
        // One byte more than there should be shows what would go on.
        let wrong = |why: String| format!("array {} {why}", self.shown);
        let content = unpacked(&archive[self.stored.clone()], self.size as u64 + 1).map_err(wrong)?;
        let mut found = Crc::new();
        found.update(&content);
        if content.len() != self.size || found.sum() != self.crc {
            return Err(wrong(format!("does not unpack into the {} bytes that were packed", self.size)));
        }
        Ok(content)
    }
}

/// Reads type, shape and length of an array's header.
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
