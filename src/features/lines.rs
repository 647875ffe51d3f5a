//! Reader of files of one record a line, gzipped or not, that holds one line at a time in memory.

use crate::features::FeatureError;
use crate::job::Monitor;
use crate::untrusted;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Number of bytes read at a time.
const BUFFER: usize = 1 << 16;
/// Bytes of the longest line: room for the largest record.
const MOST_LINE: u64 = 32 << 20;
/// Number of lines between two checks of the cancel flag.
const STRIDE: u64 = 256;

/// Calls `take` with the number and the bytes of each line that is not blank, without its end. Reports bytes of the
/// file before decompression, from `done` of `total` on, under `phase`.
///
/// # Errors
/// Fails where the file cannot be read or unpacked, a line is too long, `take` refuses one, or the work was stopped.
pub(super) fn each(
    path: &Path,
    (phase, done, total): (&'static str, u64, u64),
    monitor: &Monitor,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), FeatureError>,
) -> Result<(), FeatureError> {
    let name = || path.display().to_string();
    let unreadable = |error| FeatureError::Read { file: name(), error };
    let counted = Counted { file: untrusted::open(path).map_err(unreadable)?, read: 0 };
    let mut packed = BufReader::with_capacity(BUFFER, counted);
    let is_gzip = packed.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let mut lines: Lines = if is_gzip {
        Lines::Packed(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(packed))))
    } else {
        Lines::Plain(packed)
    };
    let mut line = Vec::new();
    for number in 1.. {
        if number % STRIDE == 1 {
            monitor.report(phase, done + lines.read(), total)?;
        }
        line.clear();
        let read = lines.next(&mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && read > MOST_LINE as usize {
            let what = format!("it has more than {MOST_LINE} bytes, which no record has");
            return Err(FeatureError::Line { file: name(), line: number, what });
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            take(number, text)?;
        }
    }
    Ok(())
}

enum Lines {
    Plain(BufReader<Counted>),
    Packed(Box<BufReader<MultiGzDecoder<BufReader<Counted>>>>),
}

impl Lines {
    fn next(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(lines) => lines.take(MOST_LINE + 1).read_until(b'\n', line),
            Self::Packed(lines) => lines.take(MOST_LINE + 1).read_until(b'\n', line),
        }
    }

    /// Returns the number of bytes of the file that were read.
    fn read(&self) -> u64 {
        match self {
            Self::Plain(lines) => lines.get_ref().read,
            Self::Packed(lines) => lines.get_ref().get_ref().get_ref().read,
        }
    }
}

/// File that counts the bytes read.
struct Counted {
    file: File,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}
