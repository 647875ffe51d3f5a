//! Decompression that is safe from data made to fill the memory.

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::Read;

/// Unpacks a whole gzip or zlib stream of at most `most` bytes; what follows a zlib stream is left alone.
///
/// # Errors
/// Describes the stream's fault, for the end of a sentence.
pub(super) fn inflate(packed: &[u8], most: usize) -> Result<Vec<u8>, String> {
    match packed {
        [0x1f, 0x8b, ..] => gzip(packed, most),
        // RFC 1950: the method is deflate, and the first two bytes are a multiple of 31.
        [method, flags, ..] if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0 => {
            zlib(packed, most)
        }
        _ => Err("it is packed neither by gzip nor by zlib".to_owned()),
    }
}

fn gzip(packed: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(packed).take(most as u64 + 1).read_to_end(&mut unpacked);
    read.map_err(|error| format!("it cannot be unpacked after {} bytes ({error})", unpacked.len()))?;
    if unpacked.len() > most { Err(too_large(most)) } else { Ok(unpacked) }
}

fn zlib(packed: &[u8], most: usize) -> Result<Vec<u8>, String> {
    const CHUNK: usize = 1 << 16;
    let mut state = Decompress::new(true);
    let mut unpacked = Vec::new();
    loop {
        let before = (state.total_in(), state.total_out());
        unpacked.reserve(CHUNK);
        // What was taken in is part of `packed`.
        let rest = &packed[before.0 as usize..];
        let status = state.decompress_vec(rest, &mut unpacked, FlushDecompress::None);
        let status = status.map_err(|error| format!("it cannot be unpacked after {} bytes ({error})", before.1))?;
        if unpacked.len() > most {
            return Err(too_large(most));
        }
        match status {
            Status::StreamEnd => return Ok(unpacked),
            _ if (state.total_in(), state.total_out()) == before => {
                return Err(format!("it cannot be unpacked after {} bytes (it is cut off)", before.1));
            }
            _ => {}
        }
    }
}

fn too_large(most: usize) -> String {
    format!("it unpacks to more than {most} bytes, which is out of all proportion")
}
