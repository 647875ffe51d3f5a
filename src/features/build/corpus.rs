//! Corpus as a sequence of documents: one a line of text or of JSON lines, compressed or not, from files or from stdin.

use crate::features::build::BuildError;
use crate::tokens::MOST_TEXT;
use crate::untrusted::{self, json_fault};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of the longest document that is read: as many as are tokenized at once.
const LONGEST: usize = MOST_TEXT;

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

/// First bytes of gzip and zstd files.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Default field of JSON lines that holds the text.
pub const FIELD: &str = "text";

/// Files of documents.
#[derive(Clone, Debug)]
pub struct Corpus {
    sources: Vec<PathBuf>,
    field: Option<String>,
}

/// Source of a corpus, recorded to tell whether it is still the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Name of the file without its folder; `-` for stdin.
    pub name: String,
    /// Size in bytes; 0 for stdin.
    pub bytes: u64,
}

impl Corpus {
    /// Makes a corpus of `sources`, one after the other; `-` is stdin. A source is read as JSON lines where a `field`
    /// is named or its name ends in `.jsonl`, `.ndjson` or `.json`, and else as text. Compression by gzip or zstd is
    /// recognized by its first bytes.
    pub fn new(sources: Vec<PathBuf>, field: Option<String>) -> Self {
        Self { sources, field }
    }

    /// Returns the sources.
    ///
    /// # Errors
    /// Fails where one does not exist.
    pub fn sources(&self) -> Result<Vec<Source>, BuildError> {
        let source = |path: &PathBuf| {
            if is_stdin(path) {
                return Ok(Source { name: "-".to_owned(), bytes: 0 });
            }
            let bytes = std::fs::metadata(path).map_err(|error| BuildError::corpus(path, error))?.len();
            Ok(Source { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes })
        };
        self.sources.iter().map(source).collect()
    }

    /// Reads the documents from the beginning.
    pub fn documents(&self) -> Documents<'_> {
        Documents { corpus: self, next: 0, lines: None, read: Arc::default(), left_out: LeftOut::default() }
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Lines that held no document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Number of lines.
    pub count: u64,
    /// Place and fault of the first one.
    pub first: Option<String>,
}

/// Documents of a corpus, in the order of its sources and lines. Empty lines are skipped; lines that cannot be read are
/// counted in `left_out`.
pub struct Documents<'a> {
    corpus: &'a Corpus,
    next: usize,
    lines: Option<Lines>,
    read: Arc<AtomicU64>,
    /// Lines left out so far.
    pub left_out: LeftOut,
}

/// Lines of one source.
struct Lines {
    path: PathBuf,
    number: u64,
    is_json: bool,
    reader: Box<dyn BufRead + Send>,
}

impl Documents<'_> {
    /// Returns the bytes read from the sources so far, before decompression.
    pub fn bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn open(&self, path: &Path) -> io::Result<Lines> {
        let raw: Box<dyn Read + Send> =
            if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(untrusted::open(path)?) };
        let counted = Counted { inner: raw, read: Arc::clone(&self.read) };
        let mut packed = BufReader::with_capacity(BUFFER, counted);
        let begins = packed.fill_buf()?;
        let reader: Box<dyn BufRead + Send> = if begins.starts_with(&GZIP) {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(packed)))
        } else if begins.starts_with(&ZSTD) {
            Box::new(BufReader::with_capacity(
                BUFFER,
                Frames { source: packed, decoder: FrameDecoder::new(), begun: false },
            ))
        } else {
            Box::new(packed)
        };
        let name = path.to_string_lossy();
        let plain = [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        let is_json =
            self.corpus.field.is_some() || [".jsonl", ".ndjson", ".json"].iter().any(|ending| plain.ends_with(ending));
        Ok(Lines { path: path.to_owned(), number: 0, is_json, reader })
    }

    fn leave_out(&mut self, path: &Path, number: u64, what: &str) {
        self.left_out.count += 1;
        self.left_out.first.get_or_insert_with(|| format!("{}, line {number}: {what}", path.display()));
    }
}

impl Iterator for Documents<'_> {
    type Item = Result<String, BuildError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut lines = match self.lines.take() {
                Some(lines) => lines,
                None => {
                    let path = self.corpus.sources.get(self.next)?;
                    self.next += 1;
                    match self.open(path) {
                        Ok(lines) => lines,
                        Err(error) => return Some(Err(BuildError::corpus(path, error))),
                    }
                }
            };
            lines.number += 1;
            let line = match read_line(&mut *lines.reader) {
                Err(error) => return Some(Err(BuildError::corpus(&lines.path, error))),
                Ok(None) => continue,
                Ok(Some(line)) => line,
            };
            let field = lines.is_json.then(|| self.corpus.field.as_deref().unwrap_or(FIELD));
            let document = match line {
                Line::Whole(bytes) => document(bytes, field),
                Line::TooLong => Err(format!("it is longer than {} MiB", LONGEST >> 20)),
            };
            match document {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    self.lines = Some(lines);
                    return Some(Ok(text));
                }
                Err(what) => self.leave_out(&lines.path, lines.number, &what),
            }
            self.lines = Some(lines);
        }
    }
}

/// Returns the document of a line; of its `field` where it is JSON.
fn document(line: Vec<u8>, field: Option<&str>) -> Result<String, String> {
    let text = String::from_utf8(line).map_err(|_| "it is no UTF-8".to_owned())?;
    let Some(field) = field.filter(|_| !text.trim().is_empty()) else { return Ok(text) };
    let mut value: Value = serde_json::from_str(&text).map_err(|error| json_fault(&error))?;
    match value.get_mut(field).map(Value::take) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("its field {field} is no text")),
        None => Err(format!("it has no field {field}; name the right one with --field")),
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Reads the next line without its end; `None` after the last one.
fn read_line(reader: &mut dyn BufRead) -> io::Result<Option<Line>> {
    let (mut line, mut too_long, mut any) = (Vec::new(), false, false);
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            break;
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        too_long |= line.len() + part.len() > LONGEST;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(any.then_some(if too_long { Line::TooLong } else { Line::Whole(line) }))
}

/// Reader that counts the bytes it reads.
struct Counted {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Frames of a zstd file, one after the other; parallel compressors write several.
struct Frames {
    source: BufReader<Counted>,
    decoder: FrameDecoder,
    /// True while the decoder is within a frame.
    begun: bool,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let damaged = |error: FrameDecoderError| io::Error::new(io::ErrorKind::InvalidData, error);
        loop {
            if self.begun {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    self.decoder
                        .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                        .map_err(damaged)?;
                }
                let n = self.decoder.read(buffer)?;
                if n > 0 || buffer.is_empty() {
                    return Ok(n);
                }
                self.begun = false;
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => self.begun = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(damaged(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write;

    fn read(name: &str, content: &[u8], field: Option<&str>) -> (Vec<String>, LeftOut) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let corpus = Corpus::new(vec![path], field.map(str::to_owned));
        let mut documents = corpus.documents();
        let texts = documents.by_ref().collect::<Result<_, _>>().unwrap();
        assert_eq!(documents.bytes(), content.len() as u64);
        (texts, documents.left_out)
    }

    #[test]
    fn a_document_is_a_line_however_it_is_packed() {
        let text = "one é\r\n\n  \ntwo\nthree".as_bytes();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text).unwrap();
        let frames = |parts: [&[u8]; 2]| parts.map(|part| compress_to_vec(part, CompressionLevel::Fastest)).concat();
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let zstd =
            [frames([&text[..9], &text[9..15]]), skipped, compress_to_vec(&text[15..], CompressionLevel::Fastest)];
        for (name, content) in
            [("plain.txt", text.to_vec()), ("a.gz", gzip.finish().unwrap()), ("misnamed.txt", zstd.concat())]
        {
            assert_eq!(
                read(name, &content, None),
                (vec!["one é".into(), "two".into(), "three".into()], LeftOut::default())
            );
        }
    }

    #[test]
    fn what_is_no_document_is_left_out_and_said() {
        let lines = b"{\"text\": \"a\\nb\", \"body\": \"c\"}\n{\"text\": 1}\n{\n\xff\n{\"body\": \"d\"}\n";
        let (texts, left_out) = read("c.jsonl", lines, None);
        assert_eq!((texts, left_out.count), (vec!["a\nb".to_owned()], 4));
        assert!(left_out.first.unwrap().ends_with("c.jsonl, line 2: its field text is no text"));
        assert_eq!(read("c.txt", lines, Some("body")).0, ["c", "d"]);
    }

    #[test]
    fn a_damaged_archive_is_an_error_and_no_panic() {
        let whole = compress_to_vec(&b"some text, some more text\n".repeat(40)[..], CompressionLevel::Fastest);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.zst");
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let corpus = Corpus::new(vec![path], None);
        assert!(corpus.documents().any(|document| document.is_err_and(|e| e.to_string().contains("cut.zst"))));
    }
}
