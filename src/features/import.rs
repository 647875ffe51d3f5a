//! Import of Neuronpedia's bulk exports into a store: rows of statistics, contexts and labels, in whatever order and
//! files they come.
//!
//! One row at a time is unpacked. The rows of a feature are spooled to disk, since they may lie anywhere, and joined at
//! the end.

use crate::features::labels::{LABELS, LabelLine};
use crate::features::neuronpedia::{self, Activation, Content, Facts, Named};
use crate::features::store::{Manifest, Writer};
use crate::features::{FeatureError, Sizes, lines};
use crate::format::{FormatError, write_atomically};
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Phase of reading the files, counted in bytes.
pub const READING: &str = "reading";
/// Phase of writing the store, counted in features.
pub const WRITING: &str = "writing";
/// Most bytes of texts of one feature in memory before they are spooled.
const PUT_ASIDE: usize = 1 << 20;
/// Places in a store's index that are allowed for a few scattered features.
const PLACES: usize = 1 << 23;
/// Places allowed for each feature that has rows.
const PLACES_A_FEATURE: usize = 64;
/// Number of skipped rows that are reported one by one.
const TOLD: usize = 5;

/// Outcome of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Number of features with a dashboard.
    pub features: u64,
    /// Number of contexts.
    pub contexts: u64,
    /// Number of features with a label.
    pub labels: u64,
    /// Number of rows that could not be used.
    pub skipped: u64,
    /// Faults of the first of them.
    pub problems: Vec<String>,
}

/// Imports the rows of `files` into a store in `folder`. `sizes` are the transcoder's, where they are known; else the
/// store ends with the last feature that is named. Rows that cannot be used are skipped and counted.
///
/// # Errors
/// Fails where a file cannot be read to its end, `folder` cannot be written, no row could be used, or the work was
/// stopped.
pub fn import(
    files: &[PathBuf],
    folder: &Path,
    sizes: Option<&Sizes>,
    monitor: &Monitor,
) -> Result<Imported, FeatureError> {
    fs::create_dir_all(folder).map_err(|error| FormatError::Write { path: folder.to_owned(), error })?;
    let mut gathering = Gathering::new(folder, sizes)?;
    let length = |file: &PathBuf| fs::metadata(file).map_or(0, |about| about.len());
    let total = files.iter().map(length).sum();
    let mut done = 0;
    for file in files {
        lines::each(file, (READING, done, total), monitor, |number, line| gathering.take(file, number, line))?;
        gathering.put_aside()?;
        done += length(file);
    }
    gathering.finish(folder, monitor)
}

/// Rows of a feature so far, by their places in the spool.
#[derive(Debug, Default)]
struct Gathered {
    facts: Option<Stretch>,
    contexts: Vec<Stretch>,
}

/// Range of the spool.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: u64,
    length: u32,
}

struct Gathering<'a> {
    folder: &'a Path,
    sizes: Option<&'a Sizes>,
    spool: BufWriter<File>,
    spooled: u64,
    features: BTreeMap<(Layer, FeatureId), Gathered>,
    labels: BTreeMap<(Layer, FeatureId), String>,
    /// Set of features that the rows of each layer belong to.
    sets: BTreeMap<Layer, String>,
    /// Consecutive contexts of one feature that are not spooled yet.
    pending: Vec<Activation>,
    pending_for: (Layer, FeatureId),
    pending_bytes: usize,
    outcome: Imported,
}

impl<'a> Gathering<'a> {
    fn new(folder: &'a Path, sizes: Option<&'a Sizes>) -> Result<Self, FeatureError> {
        let spool = tempfile::tempfile_in(folder).map_err(|error| writing(folder, error))?;
        Ok(Self {
            folder,
            sizes,
            spool: BufWriter::new(spool),
            spooled: 0,
            features: BTreeMap::new(),
            labels: BTreeMap::new(),
            sets: BTreeMap::new(),
            pending: Vec::new(),
            pending_for: Default::default(),
            pending_bytes: 0,
            outcome: Imported::default(),
        })
    }

    fn take(&mut self, file: &Path, number: u64, line: &[u8]) -> Result<(), FeatureError> {
        let sound = neuronpedia::row(line).and_then(|(named, content)| {
            self.check(&named)?;
            Ok((named, content))
        });
        let (named, content) = match sound {
            Ok(row) => row,
            Err(what) => {
                self.outcome.skipped += 1;
                if self.outcome.problems.len() < TOLD {
                    let error = FeatureError::Line { file: file.display().to_string(), line: number, what };
                    self.outcome.problems.push(error.to_string());
                }
                return Ok(());
            }
        };
        let key = (named.layer, named.feature);
        match content {
            Content::Label(label) => self.label(key, Some(label)),
            Content::Facts(facts) => self.facts(key, &facts)?,
            Content::Activation(activation) => self.context(key, activation, line.len())?,
            Content::All(facts, activations, label) => {
                self.label(key, label);
                self.facts(key, &facts)?;
                let each = line.len() / activations.len().max(1);
                activations.into_iter().try_for_each(|activation| self.context(key, activation, each))?;
            }
        }
        Ok(())
    }

    /// Checks that a row is of the imported set. Two sets of one layer would overwrite each other.
    fn check(&mut self, named: &Named) -> Result<(), String> {
        let Named { set, layer, feature } = named;
        if let Some(sizes) = self.sizes
            && sizes.get(layer.index()).is_none_or(|size| feature.index() >= *size)
        {
            return Err(format!("the transcoder has no feature {layer}:{feature}"));
        }
        let first = self.sets.entry(*layer).or_insert_with(|| set.clone());
        if first != set {
            return Err(format!("it is of {set}, and rows before it of {first}; import one set at a time"));
        }
        Ok(())
    }

    fn label(&mut self, key: (Layer, FeatureId), label: Option<String>) {
        if let Some(label) = label.filter(|label| !label.is_empty()) {
            self.labels.entry(key).or_insert(label);
        }
    }

    fn facts(&mut self, key: (Layer, FeatureId), facts: &Facts) -> Result<(), FeatureError> {
        let stretch = self.write(facts)?;
        self.features.entry(key).or_default().facts = Some(stretch);
        Ok(())
    }

    fn context(&mut self, key: (Layer, FeatureId), context: Activation, bytes: usize) -> Result<(), FeatureError> {
        if key != self.pending_for || self.pending_bytes > PUT_ASIDE {
            self.put_aside()?;
            self.pending_for = key;
        }
        self.pending.push(context);
        self.pending_bytes += bytes;
        Ok(())
    }

    /// Writes the pending contexts into the spool.
    fn put_aside(&mut self) -> Result<(), FeatureError> {
        let pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        if !pending.is_empty() {
            let stretch = self.write(&pending)?;
            self.features.entry(self.pending_for).or_default().contexts.push(stretch);
        }
        Ok(())
    }

    fn write(&mut self, value: &impl Serialize) -> Result<Stretch, FeatureError> {
        let packed = || {
            let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
            serde_json::to_writer(&mut out, value)?;
            out.finish()
        };
        let packed = packed().map_err(|error| writing(self.folder, error))?;
        self.spool.write_all(&packed).map_err(|error| writing(self.folder, error))?;
        // A line has at most 32 MiB, and what is pending little more than that.
        let stretch = Stretch { start: self.spooled, length: packed.len() as u32 };
        self.spooled += u64::from(stretch.length);
        Ok(stretch)
    }

    fn finish(self, folder: &Path, monitor: &Monitor) -> Result<Imported, FeatureError> {
        self.check_room()?;
        let manifest = self.manifest();
        let Self { spool, features, labels, sets, mut outcome, .. } = self;
        if features.is_empty() && labels.is_empty() {
            let what = match outcome.problems.first() {
                Some(problem) => format!("nothing came of these files; {problem}"),
                None => "these files hold no rows".to_owned(),
            };
            return Err(FeatureError::Source { file: folder.display().to_string(), what });
        }
        let mut spool = spool.into_inner().map_err(|error| writing(folder, error.into_error()))?;
        let mut writer = Writer::new(folder, manifest)?;
        let total = features.len() as u64;
        for (nth, ((layer, feature), gathered)) in features.into_iter().enumerate() {
            monitor.report(WRITING, nth as u64, total)?;
            let reading = |error| writing(folder, error);
            let facts = gathered.facts.map(|stretch| read(&mut spool, stretch)).transpose().map_err(reading)?;
            let mut contexts: Vec<Activation> = Vec::new();
            for stretch in gathered.contexts {
                contexts.extend(read::<Vec<Activation>>(&mut spool, stretch).map_err(reading)?);
            }
            let n_contexts = contexts.len() as u64;
            let set = sets.get(&layer).cloned().unwrap_or_default();
            let dashboard = neuronpedia::dashboard(&Named { set, layer, feature }, facts.unwrap_or_default(), contexts);
            if let Err(what) = dashboard.check() {
                outcome.skipped += 1;
                outcome.problems.push(format!("feature {layer}:{feature}: {what}"));
                outcome.problems.truncate(TOLD);
                continue;
            }
            writer.push(layer.index(), feature.index(), &dashboard)?;
            outcome.features += 1;
            outcome.contexts += n_contexts;
        }
        outcome.labels = labels.len() as u64;
        write_atomically(&folder.join(LABELS), |out| {
            labels.into_iter().try_for_each(|((layer, feature), label)| {
                serde_json::to_writer(&mut *out, &LabelLine { layer: layer.0, feature: feature.0, label })?;
                out.write_all(b"\n")
            })
        })?;
        writer.finish()?;
        Ok(outcome)
    }

    /// Checks that the store would not consist mostly of empty places: a place in its index takes memory and disk for
    /// each feature below the highest one.
    fn check_room(&self) -> Result<(), FeatureError> {
        let Manifest { n_features, .. } = self.manifest();
        let places: usize = n_features.iter().sum();
        let known = self.features.len() + self.labels.len();
        if self.sizes.is_none() && places > known.saturating_mul(PLACES_A_FEATURE).max(PLACES) {
            let what =
                format!("{known} features are known, with indices for {places}; give the transcoder that they are of");
            return Err(FeatureError::Source { file: self.folder.display().to_string(), what });
        }
        Ok(())
    }

    fn manifest(&self) -> Manifest {
        let mut own: Sizes = Vec::new();
        for (layer, feature) in self.features.keys().chain(self.labels.keys()) {
            own.resize(own.len().max(layer.index() + 1), 0);
            own[layer.index()] = own[layer.index()].max(feature.index() + 1);
        }
        let n_features = self.sizes.cloned().unwrap_or(own);
        // `gemma-2-2b/12-gemmascope-transcoder-16k` is a layer of `gemma-2-2b/gemmascope-transcoder-16k`.
        let set = self.sets.values().next().map(String::as_str).unwrap_or_default();
        let (model, set) = set.split_once('/').unwrap_or_default();
        let set = set.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('-');
        Manifest {
            version: Manifest::VERSION,
            transcoder: format!("{model}/{set}"),
            model: model.to_owned(),
            n_layers: n_features.len(),
            n_features,
            features: "all".to_owned(),
            ..Manifest::default()
        }
    }
}

fn writing(folder: &Path, error: io::Error) -> FeatureError {
    FormatError::Write { path: folder.to_owned(), error }.into()
}

fn read<T: DeserializeOwned>(spool: &mut File, stretch: Stretch) -> io::Result<T> {
    spool.seek(SeekFrom::Start(stretch.start))?;
    let mut packed = vec![0; stretch.length as usize];
    spool.read_exact(&mut packed)?;
    Ok(serde_json::from_reader(ZlibDecoder::new(packed.as_slice()))?)
}
