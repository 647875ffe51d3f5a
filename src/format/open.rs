//! Opening of a graph file of any kind, which is told by its content, not by its name.

use crate::format::{FormatError, json, raw, torch};
use crate::graph::Document;
use crate::untrusted;
use flate2::bufread::MultiGzDecoder;
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

const GZIP: &[u8] = b"\x1f\x8b";
const ZIP: &[u8] = b"PK\x03\x04";
/// Start of a pickle that is not in an archive, as torch wrote it before version 1.6.
const BARE_PICKLE: &[u8] = b"\x80\x02";
/// Expansion of a gzip file, at most: a graph's JSON shrinks some 15 times, and one that far exceeds this is a bomb.
const MOST_EXPANSION: usize = 50;
/// Bytes to which a file may expand at any rate.
const EXPANSION_FREE: usize = 64 << 20;
const CHUNK: u64 = 1 << 20;
/// Bytes read to tell the kind of a file.
const START: u64 = 1 << 12;

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Raw,
    Json,
    Gzip,
    Torch,
}

impl Form {
    /// Returns the kind of a file that begins with `bytes` and has a `length` in all.
    ///
    /// # Errors
    /// Fails where it is none of them, and says why.
    fn of(bytes: &[u8], length: u64) -> Result<Self, &'static str> {
        match bytes {
            [] => Err("it is empty"),
            _ if is_safetensors(bytes, length) => Ok(Self::Raw),
            _ if bytes.starts_with(GZIP) => Ok(Self::Gzip),
            _ if bytes.starts_with(ZIP) => Ok(Self::Torch),
            _ if bytes.starts_with(BARE_PICKLE) => {
                Err("it is a pickle of an old torch; save it with torch 1.6 or newer")
            }
            _ if begins_as_object(bytes) => Ok(Self::Json),
            _ if begins_with(bytes, b"[") => Err("it is a JSON list, where a graph is an object with nodes and links"),
            _ if begins_with(bytes, b"<") => Err("it is a web page or the like; download the graph's JSON itself"),
            _ => Err("it begins like none of them"),
        }
    }
}

/// Opens a raw container, a graph JSON (gzipped or not), or circuit-tracer's `.pt`.
///
/// # Errors
/// Fails with [`FormatError::Read`], with [`FormatError::Other`] where it is none of these, or as their readers fail.
///
/// # Examples
/// ```
/// use circuitscope::format;
/// use std::path::Path;
///
/// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
/// assert_eq!((document.origin.prompt.as_str(), document.graph.n_nodes()), ("x", 5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open(path: &Path) -> Result<Document, FormatError> {
    let content = Content::of(path).map_err(|error| reading(path, error))?;
    match Form::of(&content, content.len() as u64).map_err(|found| none_of_them(path, found))? {
        Form::Raw => {
            drop(content);
            let trace = Arc::new(raw::read(path)?);
            Document::from_trace(trace).map_err(|error| damaged(path, error.to_string()))
        }
        Form::Json => json::read(path, &content),
        Form::Gzip => {
            let text = unpack(&content).map_err(|what| damaged(path, what))?;
            if !begins_as_object(&text) {
                return Err(none_of_them(path, "what is compressed in it is no JSON"));
            }
            json::read(path, &text)
        }
        Form::Torch => torch::read(path, &content),
    }
}

/// Returns the model that a raw container was traced with, read from its header; `None` for a graph of another form,
/// which does not give it.
///
/// # Errors
/// Fails with [`FormatError::Read`], or with [`FormatError::Other`] where the file begins like no graph.
pub fn model_of(path: &Path) -> Result<Option<String>, FormatError> {
    let read = || {
        let mut file = untrusted::open(path)?;
        Ok((start(&mut file)?, file.metadata()?.len()))
    };
    let (start, length) = read().map_err(|error| reading(path, error))?;
    match Form::of(&start, length) {
        Ok(Form::Raw) => raw::model(path).map(Some),
        Ok(_) => Ok(None),
        Err(found) => Err(none_of_them(path, found)),
    }
}

/// Returns the bytes that tell a file's kind: its first ones; after more blanks than that, the ones that follow them.
fn start(file: &mut File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    loop {
        start.clear();
        file.take(START).read_to_end(&mut start)?;
        let blanks = start.len() - start.trim_ascii_start().len();
        if blanks < START as usize {
            return Ok(start);
        }
    }
}

fn reading(path: &Path, error: io::Error) -> FormatError {
    FormatError::Read { path: path.to_owned(), error }
}

fn none_of_them(path: &Path, found: &str) -> FormatError {
    let wanted = "a graph (a raw trace, a graph JSON, or circuit-tracer's .pt)";
    FormatError::Other { path: path.to_owned(), wanted, found: found.to_owned() }
}

fn damaged(path: &Path, what: String) -> FormatError {
    FormatError::Damaged { path: path.to_owned(), what }
}

/// Returns true for a header's length, then the header, which is JSON. JSON itself would begin with an absurd length.
fn is_safetensors(bytes: &[u8], length: u64) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk() else { return false };
    u64::from_le_bytes(*header).checked_add(8).is_some_and(|end| end <= length) && rest.starts_with(b"{")
}

fn begins_as_object(bytes: &[u8]) -> bool {
    begins_with(bytes, b"{")
}

/// Returns true where a text begins with `sign`, after a byte order mark and blanks.
fn begins_with(bytes: &[u8], sign: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    text.trim_ascii_start().starts_with(sign)
}

/// Returns the content of a gzip file, unless it is a bomb.
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

/// Bytes of a file.
enum Content {
    Mapped(Mmap),
    Empty,
}

impl Content {
    fn of(path: &Path) -> io::Result<Self> {
        let file = untrusted::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::Empty);
        }
        // SAFETY: the map is read only. A file that is truncated while it is read ends the program, and one that is
        // overwritten gives another graph: what mapping costs, here as for weights.
        Ok(Self::Mapped(unsafe { Mmap::map(&file) }?))
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Empty => &[],
        }
    }
}
