//! Run over a corpus: read, cut, pack, run the model, tally; it can be stopped at any moment and continued later.

use crate::array::Shard;
use crate::attribution::{Engine, memory};
use crate::features::build::BuildError;
use crate::features::build::corpus::{Corpus, Documents, LeftOut};
use crate::features::build::part::{Course, Part, Task};
use crate::features::build::pass::Reader;
use crate::features::build::piece::{self, Piece, ROWS};
use crate::features::build::selection::Selection;
use crate::features::build::tally::LayerTally;
use crate::job::Monitor;
use crate::parallel;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of text, of this shard, that are read before they are cut and packed. Fixed, so that a continued run packs the
/// same batches.
const ROUND: usize = 1 << 16;

/// Phase of running the corpus through the model, counted in bytes of the corpus.
pub const READING: &str = "reading";

/// Ending of the file that a run saves its state in.
pub const PART: &str = "part";

/// Options of gathering.
#[derive(Clone, Debug)]
pub struct Options {
    /// Features that are gathered.
    pub selection: Selection,
    /// Number of contexts among the strongest; of each activation bin an eighth as many are kept.
    pub examples: usize,
    /// Number of tokens of a context.
    pub window: usize,
    /// Seed that draws the contexts of the bins.
    pub seed: u64,
    /// Most memory of the program, in bytes; the system's free memory by default.
    pub memory: Option<u64>,
    /// Shard of the documents.
    pub shard: Shard,
    /// Time between two saves of the state.
    pub every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            selection: Selection::ALL,
            examples: 20,
            window: 64,
            seed: 0,
            memory: None,
            shard: Shard::WHOLE,
            every: Duration::from_secs(60),
        }
    }
}

/// Progress of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// True where the state was just saved.
    pub is_saved: bool,
    /// Number of documents of this shard, without the current round.
    pub documents: u64,
    /// Number of tokens.
    pub tokens: u64,
    /// Number of those that earlier runs processed.
    pub tokens_before: u64,
    /// Tokens a second since the run began.
    pub rate: f64,
    /// Time until the end of the corpus; not known of stdin.
    pub left: Option<Duration>,
}

/// Tallies of a corpus, and the lines left out of it.
#[derive(Debug)]
pub struct Gathered {
    /// Gathered tallies.
    pub part: Part,
    /// Lines that held no document.
    pub left_out: LeftOut,
    /// True where an earlier run had gathered everything.
    pub was_there: bool,
}

/// Returns the file in `out` that a run saves its state in.
pub fn part_path(out: &Path, shard: Shard) -> PathBuf {
    out.join(match shard {
        Shard::WHOLE => "whole.part".to_owned(),
        shard => shard.file_name(PART),
    })
}

/// Returns the task of an engine under these options.
pub fn task(engine: &Engine, options: &Options) -> Task {
    Task {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        files: engine.file_hashes().clone(),
        dtype: engine.model.precision().to_string(),
        features: options.selection.to_string(),
        examples: options.examples,
        window: options.window,
        seed: options.seed,
    }
}

/// Returns the number of features of each layer.
pub fn n_features(engine: &Engine) -> Vec<usize> {
    (0..engine.transcoder.n_layers()).map(|layer| engine.transcoder.n_features(layer)).collect()
}

/// Runs the model over the corpus and gathers the contexts of its features, in the file [`part_path`] of the folder
/// `out`; a run that was stopped is continued from it. `tell` is called after every batch, and whenever the file is
/// written.
///
/// # Errors
/// Fails where the corpus, the weights or the file cannot be read or written, memory does not suffice, the file there
/// is of another task, or the work was stopped.
pub fn gather(
    engine: &Engine,
    corpus: &Corpus,
    options: &Options,
    out: &Path,
    tell: impl FnMut(&Report),
    monitor: &Monitor,
) -> Result<Gathered, BuildError> {
    let n_features = n_features(engine);
    options.selection.check(&n_features)?;
    std::fs::create_dir_all(out)
        .map_err(|error| BuildError::part(out, format!("it cannot be made a folder: {error}")))?;
    let path = part_path(out, options.shard);
    let fresh = Part {
        task: task(engine, options),
        shard: options.shard,
        sources: corpus.sources()?,
        course: Course::default(),
        layers: LayerTally::empty(&options.selection, &n_features),
    };
    let part = match path.exists() {
        true => gone_on(Part::read(&path)?, &fresh).map_err(|what| BuildError::part(&path, what))?,
        false => fresh,
    };
    if part.course.done {
        return Ok(Gathered { part, left_out: LeftOut::default(), was_there: true });
    }
    let wanted = part.layers.iter().map(|layer| !layer.tallies.is_empty()).collect();
    let limit = limit(options, &n_features)?;
    let documents = corpus.documents();
    let total = part.sources.iter().map(|source| source.bytes).sum();
    let reader = Reader::new(engine, wanted);
    let (begun, had) = (Instant::now(), part.course.tokens);
    let mut run = Run {
        part,
        path,
        reader,
        documents,
        total,
        skipped: 0,
        before: 0,
        passes: (0, 0),
        limit,
        begun,
        saved: begun,
        had,
        tell,
        monitor,
    };
    run.skip()?;
    while run.round(options.every)? {}
    if run.part.course.documents == 0 && options.shard == Shard::WHOLE {
        return Err(BuildError::Empty(run.documents.left_out.first));
    }
    run.part.course.done = true;
    run.save()?;
    Ok(Gathered { part: run.part, left_out: run.documents.left_out, was_there: false })
}

/// Returns the saved state, where it is of the same task as a fresh one.
fn gone_on(kept: Part, fresh: &Part) -> Result<Part, String> {
    let differs = match kept.task.difference(&fresh.task) {
        Some(what) => what,
        None if kept.shard != fresh.shard => "another --shard".to_owned(),
        None if kept.sources != fresh.sources => "another corpus".to_owned(),
        None => return Ok(kept),
    };
    Err(format!("a run with {differs} left it; remove it, or give another --out"))
}

/// Returns the allowed memory in bytes, where the least need fits into it.
fn limit(options: &Options, n_features: &[usize]) -> Result<u64, BuildError> {
    let limit = options.memory.or_else(memory::most).unwrap_or(u64::MAX);
    let widest = n_features.iter().max().copied().unwrap_or_default();
    let tallies = n_features.iter().sum::<usize>() * size_of::<crate::features::build::tally::Tally>();
    // The encoder's products come in blocks that are put together, and activations are a copy of them.
    let needed = (3 * ROWS * widest * size_of::<f32>() + tallies) as u64;
    if needed > limit { Err(BuildError::Memory { needed, limit, kept: false }) } else { Ok(limit) }
}

/// Run in progress.
struct Run<'a, Tell> {
    part: Part,
    path: PathBuf,
    reader: Reader<'a>,
    documents: Documents<'a>,
    /// Bytes of the corpus.
    total: u64,
    /// Bytes of it that were skipped, since earlier runs processed them.
    skipped: u64,
    /// Bytes of it that all rounds before the current one took.
    before: u64,
    /// Layers that the batches of the round went through, and those of all its batches, which are of one size.
    passes: (u64, u64),
    limit: u64,
    begun: Instant,
    saved: Instant,
    /// Tokens of earlier runs.
    had: u64,
    tell: Tell,
    monitor: &'a Monitor,
}

impl<Tell: FnMut(&Report)> Run<'_, Tell> {
    /// Skips the documents that an earlier run processed.
    fn skip(&mut self) -> Result<(), BuildError> {
        let changed = |path: &Path| BuildError::part(path, "the corpus is no longer the one that it was made from");
        let mut seen = Course::default();
        for index in 0..self.part.course.read {
            if index % 1024 == 0 {
                self.check()?;
            }
            let text = self.documents.next().ok_or_else(|| changed(&self.path))??;
            if self.part.shard.has(index) {
                seen.add_digest(&piece::digest(&text));
            }
        }
        self.skipped = self.documents.bytes();
        self.before = self.skipped;
        if seen.digest == self.part.course.digest { Ok(()) } else { Err(changed(&self.path)) }
    }

    /// Returns how many bytes of the corpus went through the model: those of earlier rounds, and a share of the current.
    fn done(&self) -> u64 {
        self.done_after(self.passes.0)
    }

    /// Returns the same for so many passes of the current round.
    fn done_after(&self, passes: u64) -> u64 {
        let of_round = u128::from(self.documents.bytes().saturating_sub(self.before));
        self.before + (of_round * u128::from(passes) / u128::from(self.passes.1.max(1))) as u64
    }

    /// Fails where the work was stopped, saving the state.
    fn check(&mut self) -> Result<(), BuildError> {
        match self.monitor.report(READING, self.done(), self.total) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.stopped()),
        }
    }

    /// Saves the state, also in the middle of a batch.
    fn stopped(&mut self) -> BuildError {
        let Course { documents, tokens, .. } = self.part.course;
        match self.save() {
            Ok(()) => BuildError::Stopped { documents, tokens },
            Err(error) => error,
        }
    }

    /// Reads the documents of a round and runs them through the model. Returns false at the end of the corpus.
    fn round(&mut self, every: Duration) -> Result<bool, BuildError> {
        let mut texts = Vec::new();
        let (mut read, mut bytes) = (self.part.course.read, 0);
        while bytes < ROUND {
            if read % 1024 == 0 {
                self.check()?;
            }
            let Some(text) = self.documents.next().transpose()? else { break };
            if self.part.shard.has(read) {
                bytes += text.len();
                texts.push((piece::digest(&text), text));
            }
            read += 1;
        }
        let cut = parallel::map(texts.len(), |nth| {
            let (digest, text) = &texts[nth];
            self.reader.pieces(piece::identity(digest), text)
        })?;
        let pieces: Vec<Arc<Piece>> = cut.concat();
        let lengths: Vec<usize> = pieces.iter().map(|piece| self.reader.rows(piece)).collect();
        let batches = piece::pack(&lengths);
        let n_layers = self.part.layers.len() as u64;
        self.passes = (self.part.course.batches * n_layers, batches.len() as u64 * n_layers);
        for batch in batches.iter().skip(self.part.course.batches as usize) {
            let batch: Vec<Arc<Piece>> = batch.iter().map(|nth| Arc::clone(&pieces[*nth])).collect();
            self.batch(&batch)?;
            if self.saved.elapsed() >= every {
                self.save()?;
            }
        }
        let course = &mut self.part.course;
        (course.read, course.batches) = (read, 0);
        course.documents += texts.len() as u64;
        texts.iter().for_each(|(digest, _)| course.add_digest(digest));
        (self.before, self.passes) = (self.documents.bytes(), (0, 0));
        Ok(bytes >= ROUND)
    }

    /// Runs one batch through the model and adds its activations to the tallies.
    fn batch(&mut self, batch: &[Arc<Piece>]) -> Result<(), BuildError> {
        let placed = self.reader.place(batch);
        let n_layers = self.part.layers.len();
        let done: Vec<u64> = (0..=n_layers).map(|layer| self.done_after(self.passes.0 + layer as u64)).collect();
        let (monitor, total) = (self.monitor, self.total);
        let Part { task, course, layers, .. } = &mut self.part;
        // Of a batch that was stopped in its midst the first layers are there already.
        let there = course.layers;
        let keeping = task.keeping();
        let add = |layer: usize, activations: Vec<f32>| {
            if layer >= there {
                let width = activations.len() / ROWS;
                layers[layer].add(&placed, &activations, width, &keeping);
                course.layers = layer + 1;
            }
            // Who asked to stop is heard by the pass itself.
            let _ = monitor.report(READING, done[layer + 1], total);
        };
        match self.reader.run(batch, add, self.monitor.cancel()) {
            Err(error) if error.is_cancelled() => return Err(self.stopped()),
            outcome => outcome?,
        }
        self.passes.0 += n_layers as u64;
        let course = &mut self.part.course;
        (course.batches, course.layers) = (course.batches + 1, 0);
        course.tokens += batch.iter().map(|piece| self.reader.counted(piece)).sum::<u64>();
        if let Some(held) = memory::resident().filter(|held| *held > self.limit) {
            self.save()?;
            return Err(BuildError::Memory { needed: held, limit: self.limit, kept: true });
        }
        self.tell(false);
        self.check()
    }

    fn save(&mut self) -> Result<(), BuildError> {
        self.part.write(&self.path)?;
        self.saved = Instant::now();
        self.tell(true);
        Ok(())
    }

    fn tell(&mut self, is_saved: bool) {
        let (Course { documents, tokens, .. }, seconds) = (&self.part.course, self.begun.elapsed().as_secs_f64());
        let share = (self.done() - self.skipped) as f64 / self.total.saturating_sub(self.skipped) as f64;
        let left = (self.total > 0 && share > 0.0).then(|| seconds * (1.0 - share).max(0.0) / share);
        (self.tell)(&Report {
            is_saved,
            documents: *documents,
            tokens: *tokens,
            tokens_before: self.had,
            rate: (tokens - self.had) as f64 / seconds.max(1e-9),
            left: left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        });
    }
}
