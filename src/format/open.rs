//! Opening a graph file of whatever kind. What it is is told by its content, not by its name.

use crate::format::{FormatError, json, raw, torch};
use crate::graph::Document;
use flate2::bufread::MultiGzDecoder;
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

const GZIP: &[u8] = b"\x1f\x8b";
const ZIP: &[u8] = b"PK\x03\x04";
/// How a pickle begins that is not in an archive: what torch wrote before version 1.6.
const BARE_PICKLE: &[u8] = b"\x80\x02";
/// A graph's JSON is some 15 times as long as when it is compressed; a file that is far longer is out for the memory.
const MOST_EXPANSION: usize = 50;
/// Short files may expand as they like.
const EXPANSION_FREE: usize = 64 << 20;
const CHUNK: u64 = 1 << 20;

/// Opens a raw container, a graph JSON (gzipped or not), or circuit-tracer's `.pt`.
///
/// # Errors
/// [`FormatError::Read`], [`FormatError::Other`] where it is none of these, or as their readers fail.
pub fn open(path: &Path) -> Result<Document, FormatError> {
    let content = Content::of(path).map_err(|error| FormatError::Read { path: path.to_owned(), error })?;
    let other = |found: &str| {
        let wanted = "a graph (a raw trace, a graph JSON, or circuit-tracer's .pt)";
        Err(FormatError::Other { path: path.to_owned(), wanted, found: found.to_owned() })
    };
    match content.deref() {
        [] => other("it is empty"),
        bytes if is_safetensors(bytes) => {
            drop(content);
            let trace = Arc::new(raw::read(path)?);
            Document::from_trace(trace).map_err(|error| damaged(path, error.to_string()))
        }
        bytes if bytes.starts_with(GZIP) => {
            let text = unpack(bytes).map_err(|what| damaged(path, what))?;
            if begins_as_object(&text) { json::read(path, &text) } else { other("what is compressed in it is no JSON") }
        }
        bytes if bytes.starts_with(ZIP) => torch::read(path, bytes),
        bytes if bytes.starts_with(BARE_PICKLE) => {
            other("it is a pickle of an old torch; save it with torch 1.6 or newer")
        }
        bytes if begins_as_object(bytes) => json::read(path, bytes),
        _ => other("it begins like none of them"),
    }
}

fn damaged(path: &Path, what: String) -> FormatError {
    FormatError::Damaged { path: path.to_owned(), what }
}

/// A header's length, then the header, which is JSON. JSON itself would begin with an absurd length.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, header)) = bytes.split_first_chunk() else { return false };
    usize::try_from(u64::from_le_bytes(*length)).is_ok_and(|length| length <= header.len()) && header.starts_with(b"{")
}

fn begins_as_object(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    text.trim_ascii_start().starts_with(b"{")
}

/// The content of a gzip file, unless it is out for the memory.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let most = packed.len().saturating_mul(MOST_EXPANSION).max(EXPANSION_FREE);
    let mut decoder = MultiGzDecoder::new(packed);
    let mut content = Vec::new();
    loop {
        let read = (&mut decoder).take(CHUNK).read_to_end(&mut content);
        match read.map_err(|error| format!("it cannot be unpacked after {} bytes ({error})", content.len()))? {
            0 => return Ok(content),
            _ if content.len() > most => {
                return Err(format!("its {} bytes unpack to more than {most}, which no graph does", packed.len()));
            }
            // What is no JSON from the start need not be unpacked to its end.
            _ if content.len() as u64 <= CHUNK && !begins_as_object(&content) => return Ok(content),
            _ => {}
        }
    }
}

/// The bytes of a file.
enum Content {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl Content {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_file() && about.len() > 0 {
            // SAFETY: the map is read only. A file that is truncated while it is read ends the program, and one that
            // is overwritten gives another graph: what mapping costs, here as for weights.
            return Ok(Self::Mapped(unsafe { Mmap::map(&file) }?));
        }
        // A pipe has no length to be mapped.
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(Self::Read(content))
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(content) => content,
        }
    }
}
