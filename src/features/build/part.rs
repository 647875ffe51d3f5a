//! Saved state of a run, from which it continues and which is merged with those of other shards.

use crate::array::Shard;
use crate::features::build::BuildError;
use crate::features::build::bins::BINS;
use crate::features::build::corpus::Source;
use crate::features::build::piece::Piece;
use crate::features::build::tally::{Bin, Keeping, LayerTally, Sample, Tally};
use crate::format::write_atomically;
use crate::untrusted::{self, excerpt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Magic bytes of the file; the number is the version of the format.
const MAGIC: &[u8; 8] = b"cs-part1";

/// Magic bytes that all versions share.
const KIND: &[u8] = b"cs-part";

/// Bytes of the longest header.
const MOST_HEADER: u64 = 1 << 30;

/// Most entries for which a list is allocated before they are read.
const ROOM: usize = 1 << 16;

/// Number of bytes hashed at a time.
const BUFFER: usize = 1 << 16;

/// Bytes of the SHA-256 at the end, of everything in front of it.
const DIGEST: usize = 32;

/// Settings that have to be the same for two parts to be merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Version of this program: another one may round otherwise.
    #[serde(default)]
    pub program: String,
    /// SHA-256 of the model's and the transcoder's files.
    pub files: BTreeMap<String, String>,
    /// Type in which the model's weights are multiplied.
    pub dtype: String,
    /// Features that are gathered.
    pub features: String,
    /// Number of contexts among the strongest.
    pub examples: usize,
    /// Number of tokens of a context.
    pub window: usize,
    /// Seed that draws the contexts of the bins.
    pub seed: u64,
}

impl Task {
    /// Returns the numbers of contexts to keep.
    pub fn keeping(&self) -> Keeping {
        Keeping { examples: self.examples, window: self.window, seed: self.seed }
    }

    /// Returns what differs from `other`, in a word or two; `None` where they are the same task.
    pub fn difference(&self, other: &Self) -> Option<String> {
        match () {
            () if self.files != other.files => Some("another model or transcoder".to_owned()),
            () if self.program != other.program => Some(match self.program.as_str() {
                "" => "an earlier version of this program".to_owned(),
                version => format!("version {} of this program", excerpt(version)),
            }),
            () if self.dtype != other.dtype => Some(format!("--dtype {}", excerpt(&self.dtype))),
            () if self != other => Some("other options".to_owned()),
            () => None,
        }
    }
}

/// Progress of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Documents of the corpus, of all shards, before the current round.
    pub read: u64,
    /// Batches of that round that were processed.
    pub batches: u64,
    /// Layers of the next batch that were processed.
    pub layers: usize,
    /// Documents of this shard before the round.
    pub documents: u64,
    /// Tokens that were processed.
    pub tokens: u64,
    /// Sum of the SHA-256 of the documents of this shard before the round, as four little-endian numbers with carry.
    pub digest: [u64; 4],
    /// True at the end of the corpus.
    pub done: bool,
}

impl Course {
    /// Adds a document's digest.
    pub fn add_digest(&mut self, digest: &[u8; 32]) {
        let (numbers, _) = digest.as_chunks::<8>();
        let mut other = [0; 4];
        other.iter_mut().zip(numbers).for_each(|(number, bytes)| *number = u64::from_le_bytes(*bytes));
        self.add(&other);
    }

    /// Adds the sum of several digests.
    pub fn add(&mut self, other: &[u64; 4]) {
        let mut carry = false;
        for (mine, theirs) in self.digest.iter_mut().zip(other) {
            let (sum, over) = mine.overflowing_add(*theirs);
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
            (*mine, carry) = (sum, over || over_by_carry);
        }
    }

    /// Returns the sum as hexadecimal digits, the highest first.
    pub fn hex(&self) -> String {
        self.digest.iter().rev().map(|number| format!("{number:016x}")).collect()
    }
}

/// Saved state of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Task of the run.
    pub task: Task,
    /// Shard of the documents.
    pub shard: Shard,
    /// Sources of the corpus.
    pub sources: Vec<Source>,
    /// Progress of the run.
    pub course: Course,
    /// Gathered tallies, by layer.
    pub layers: Vec<LayerTally>,
}

/// Header of a part, without the tallies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Task of the run.
    pub task: Task,
    /// Shard of the documents.
    pub shard: Shard,
    /// Sources of the corpus.
    pub sources: Vec<Source>,
    /// Progress of the run.
    pub course: Course,
}

impl About {
    /// Returns why two finished parts cannot be merged, in a word or two; `None` where they can.
    pub fn difference(&self, other: &Self) -> Option<String> {
        match self.task.difference(&other.task) {
            Some(what) => Some(what),
            None if self.shard.of != other.shard.of => Some(format!("{} shards in all", self.shard.of)),
            // Each shard passes over the documents of the others, so that all have counted the same corpus.
            None if self.course.done && other.course.done && self.course.read != other.course.read => {
                Some(format!("another corpus, of {} documents in place of {}", self.course.read, other.course.read))
            }
            None if self.sources != other.sources => Some("another corpus".to_owned()),
            None => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    about: About,
    /// Features of each layer; absent for all of them.
    features: Vec<Option<Vec<u32>>>,
    tallies: Vec<usize>,
}

impl Part {
    /// Returns the header.
    pub fn about(&self) -> About {
        About { task: self.task.clone(), shard: self.shard, sources: self.sources.clone(), course: self.course.clone() }
    }

    /// Reads the header of a part, without checking the rest.
    ///
    /// # Errors
    /// Fails where it cannot be read, is something else, or is damaged.
    pub fn read_about(path: &Path) -> Result<About, BuildError> {
        let mut file = BufReader::new(open(path)?);
        let header = magic(&mut file, path).and_then(|()| header(&mut file).map_err(|error| damaged(path, &error)))?;
        Ok(header.about)
    }

    /// Writes the part, whole or not at all.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), BuildError> {
        Ok(write_atomically(path, |out| {
            let mut out = BufWriter::with_capacity(BUFFER, Hashing { inner: out, hasher: Sha256::new() });
            self.put(&mut out)?;
            let Hashing { inner, hasher } = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            inner.write_all(&hasher.finalize())
        })?)
    }

    fn put(&self, out: &mut impl Write) -> io::Result<()> {
        let header = Header {
            about: self.about(),
            features: self.layers.iter().map(|layer| layer.features.clone()).collect(),
            tallies: self.layers.iter().map(|layer| layer.tallies.len()).collect(),
        };
        let header = serde_json::to_vec(&header)?;
        out.write_all(MAGIC)?;
        put(out, header.len() as u64)?;
        out.write_all(&header)?;
        let tallies = || self.layers.iter().flat_map(|layer| &layer.tallies);
        // Pieces in their own order, so that the file does not depend on where they lie in memory.
        let place = |piece: &Piece| (piece.document, piece.start);
        let pieces: HashMap<_, &Piece> =
            tallies().flat_map(Tally::samples).map(|sample| (place(&sample.piece), &*sample.piece)).collect();
        let mut pieces: Vec<&Piece> = pieces.into_values().collect();
        pieces.sort_unstable();
        put(out, pieces.len() as u64)?;
        let number: HashMap<_, u64> = pieces.iter().map(|piece| place(piece)).zip(0..).collect();
        for piece in pieces {
            out.write_all(&piece.document.to_le_bytes())?;
            put(out, piece.start.into())?;
            put(out, piece.tokens.len() as u64)?;
            piece.tokens.iter().try_for_each(|token| put(out, (*token).into()))?;
        }
        let samples = |out: &mut _, samples: &[Sample]| -> io::Result<()> {
            put(out, samples.len() as u64)?;
            for sample in samples {
                put(out, number[&place(&sample.piece)])?;
                put(out, sample.at.into())?;
                put(out, sample.activation.to_bits().into())?;
                put(out, sample.hash)?;
                put(out, sample.around.len() as u64)?;
                for (at, activation) in &sample.around {
                    put(out, (*at).into())?;
                    put(out, activation.to_bits().into())?;
                }
            }
            Ok(())
        };
        for tally in tallies() {
            put(out, tally.count)?;
            put(out, tally.max.map_or(u64::MAX, |max| max.to_bits().into()))?;
            samples(out, &tally.top)?;
            put(out, tally.bins.len() as u64)?;
            for bin in &tally.bins {
                put(out, bin.index.into())?;
                put(out, bin.count)?;
                samples(out, &bin.samples)?;
            }
        }
        Ok(())
    }

    /// Reads a part.
    ///
    /// # Errors
    /// Fails where it cannot be read, is something else, or is damaged.
    pub fn read(path: &Path) -> Result<Self, BuildError> {
        let mut file = open(path)?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        let body = (&file).take(length.saturating_sub(DIGEST as u64));
        let mut reader = BufReader::with_capacity(BUFFER, Hashing { inner: body, hasher: Sha256::new() });
        let damaged = |error: io::Error| damaged(path, &error);
        magic(&mut reader, path)?;
        let part = Self::get(&mut reader).map_err(damaged)?;
        if io::copy(&mut reader, &mut io::sink()).map_err(damaged)? > 0 {
            return Err(damaged(invalid("there is more than its header says")));
        }
        let found = reader.into_inner().hasher.finalize();
        let mut digest = [0; DIGEST];
        file.read_exact(&mut digest).map_err(damaged)?;
        if digest != *found {
            return Err(damaged(invalid("its bytes are not those that were written")));
        }
        Ok(part)
    }

    fn get(from: &mut impl Read) -> io::Result<Self> {
        let Header { about: About { task, shard, sources, course }, features, tallies } = header(from)?;
        let count = get(from)?;
        let mut pieces = Vec::with_capacity((count as usize).min(ROOM));
        for _ in 0..count {
            let mut document = [0; 16];
            from.read_exact(&mut document)?;
            let start = small(get(from)?)?;
            let length = get(from)?;
            let mut tokens = Vec::with_capacity((length as usize).min(ROOM));
            for _ in 0..length {
                tokens.push(small(get(from)?)?);
            }
            pieces.push(Arc::new(Piece { document: u128::from_le_bytes(document), start, tokens }));
        }
        let samples = |from: &mut _| -> io::Result<Vec<Sample>> {
            let count = get(from)?;
            let mut samples = Vec::with_capacity((count as usize).min(ROOM));
            for _ in 0..count {
                let piece = pieces.get(get(from)? as usize).ok_or_else(|| invalid("a context without a piece"))?;
                let (at, activation, hash, around) = (get(from)?, get(from)?, get(from)?, get(from)?);
                let within = |at: u64| match u16::try_from(at) {
                    Ok(at) if usize::from(at) < piece.tokens.len() => Ok(at),
                    _ => Err(invalid("a context beyond its piece")),
                };
                let mut tokens = Vec::with_capacity((around as usize).min(ROOM));
                for _ in 0..around {
                    tokens.push((within(get(from)?)?, f32::from_bits(small(get(from)?)?)));
                }
                let (at, activation) = (within(at)?, f32::from_bits(small(activation)?));
                samples.push(Sample { piece: Arc::clone(piece), at, activation, hash, around: tokens.into() });
            }
            Ok(samples)
        };
        let mut layers = Vec::with_capacity(tallies.len().min(ROOM));
        for (features, count) in features.into_iter().zip(tallies) {
            if features.as_ref().is_some_and(|features| features.len() != count) {
                return Err(invalid("a layer has other features than tallies"));
            }
            let mut tallies = Vec::with_capacity(count.min(ROOM));
            for _ in 0..count {
                let count = get(from)?;
                let max = match get(from)? {
                    u64::MAX => None,
                    bits => Some(f32::from_bits(small(bits)?)),
                };
                let top = samples(from)?;
                let n_bins = get(from)?;
                let mut bins = Vec::new();
                for _ in 0..n_bins {
                    let index = u8::try_from(get(from)?).ok().filter(|index| usize::from(*index) < BINS);
                    let index = index.ok_or_else(|| invalid("a bin is not one of those there are"))?;
                    bins.push(Bin { index, count: get(from)?, samples: samples(from)? });
                }
                tallies.push(Tally { count, max, top, bins });
            }
            layers.push(LayerTally { features, tallies });
        }
        Ok(Self { task, shard, sources, course, layers })
    }

    /// Adds the tallies of another part of the same task.
    pub fn merge(&mut self, other: Self) {
        let keeping = self.task.keeping();
        self.course.documents += other.course.documents;
        self.course.tokens += other.course.tokens;
        self.course.add(&other.course.digest);
        for (mine, theirs) in self.layers.iter_mut().zip(other.layers) {
            for (mine, theirs) in mine.tallies.iter_mut().zip(theirs.tallies) {
                mine.merge(theirs, &keeping);
            }
        }
    }

    /// Returns roughly the bytes that the contexts take.
    pub fn bytes(&self) -> u64 {
        let samples = || self.layers.iter().flat_map(|layer| &layer.tallies).flat_map(Tally::samples);
        // A piece is shared by all contexts that lie in it, so that each bears its part.
        let pieces: f64 =
            samples().map(|sample| sample.piece.bytes() as f64 / Arc::strong_count(&sample.piece).max(1) as f64).sum();
        self.layers.iter().map(LayerTally::bytes).sum::<usize>() as u64 + pieces as u64
    }
}

fn open(path: &Path) -> Result<File, BuildError> {
    untrusted::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> BuildError {
    BuildError::part(path, format!("it cannot be read: {error}"))
}

/// Returns the error for a damaged part. The program writes a part whole or not at all, so that a truncated one was
/// truncated in transfer.
fn damaged(path: &Path, error: &io::Error) -> BuildError {
    BuildError::part(
        path,
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "it is damaged: it was written or copied in part only; copy it again, or remove it and run its shard again"
                    .to_owned()
            }
            _ => format!("it is damaged ({error}); remove it and run its shard again"),
        },
    )
}

fn magic(from: &mut impl Read, path: &Path) -> Result<(), BuildError> {
    let mut magic = [0; MAGIC.len()];
    match from.read_exact(&mut magic) {
        Ok(()) if magic == *MAGIC => Ok(()),
        Ok(()) if magic.starts_with(KIND) => {
            let what =
                "another version of this program made it, in a form that this one does not read; run its shard again";
            Err(BuildError::part(path, what))
        }
        _ => Err(BuildError::part(path, "it is no part of a feature store that this program can read")),
    }
}

fn header(from: &mut impl Read) -> io::Result<Header> {
    let length = get(from)?;
    if length > MOST_HEADER {
        return Err(invalid("its header is too long"));
    }
    let mut header = Vec::new();
    from.take(length).read_to_end(&mut header)?;
    if (header.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&header)?)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn small(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| invalid("a number is too large"))
}

/// Writes a number in as few bytes as it needs, seven bits each (LEB128).
fn put(out: &mut impl Write, mut number: u64) -> io::Result<()> {
    let mut bytes = [0; 10];
    let mut length = 0;
    loop {
        let more = number > 0x7f;
        bytes[length] = number as u8 & 0x7f | u8::from(more) << 7;
        (number, length) = (number >> 7, length + 1);
        if !more {
            return out.write_all(&bytes[..length]);
        }
    }
}

fn get(from: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(number);
        }
    }
    Err(invalid("a number does not end"))
}

/// Reader or writer that hashes the bytes it passes.
struct Hashing<T> {
    inner: T,
    hasher: Sha256,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}
