//! Conversion of tallies into dashboards, and of these into a store.

use crate::array::Shard;
use crate::attribution::{Engine, Promoted, TraceError};
use crate::features::build::BuildError;
use crate::features::build::bins;
use crate::features::build::part::{About, Part};
use crate::features::build::run::n_features;
use crate::features::build::tally::{Keeping, LayerTally, Sample, Tally};
use crate::features::store::{CorpusFacts, Manifest, Writer};
use crate::features::{Dashboard, Example, Quantile};
use crate::job::Monitor;
use crate::parallel;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Tokens on either side of the strongest one that are compared between two contexts.
const COMPARED: usize = 16;

/// Number of effects on the logits that are computed at a time.
const EFFECTS: usize = 1 << 25;

/// Phase of merging parts, counted in parts.
const MERGING: &str = "merging";

/// Phase of making dashboards, counted in features.
const DASHBOARDS: &str = "dashboards";

/// Phase of putting dashboards in order, counted in layers.
const WRITING: &str = "writing";

/// Heading of the strongest contexts.
const STRONGEST: &str = "Top activations";

/// Contents of a finished store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Number of documents.
    pub documents: u64,
    /// Number of tokens whose activations count.
    pub tokens: u64,
    /// Number of features that have a dashboard.
    pub features: u64,
    /// Number of those that never fired.
    pub silent: u64,
}

/// Merges the parts of all shards. At any time one part besides the merged one is in memory, however many there are.
///
/// # Errors
/// Fails where a part cannot be read or is not finished, they are not of one task, a shard is missing or there twice,
/// or the work was stopped.
pub fn merge(paths: &[PathBuf], monitor: &Monitor) -> Result<Part, BuildError> {
    // What keeps them apart is told before the first of them is read as a whole.
    let mut first: Option<(&Path, About)> = None;
    let mut seen: BTreeMap<u64, &Path> = BTreeMap::new();
    for path in paths {
        let about = Part::read_about(path)?;
        if !about.course.done {
            return Err(BuildError::part(path, "this shard is not finished; build it to its end first"));
        }
        if let Some((other, first)) = &first
            && let Some(what) = about.difference(first)
        {
            let what = format!("it was made with {what} than {}; run its shard again as the others", other.display());
            return Err(BuildError::part(path, what));
        }
        if let Some(other) = seen.insert(about.shard.nth, path) {
            return Err(BuildError::part(path, format!("it is the same shard as {}", other.display())));
        }
        first.get_or_insert((path, about));
    }
    let (path, About { shard: Shard { of, .. }, .. }) = first.ok_or(BuildError::Empty(None))?;
    if let Some(missing) = (1..=of).find(|nth| !seen.contains_key(nth)) {
        return Err(BuildError::part(path, format!("shard {missing} of {of} is not among the parts")));
    }
    let mut whole: Option<Part> = None;
    for (nth, path) in paths.iter().enumerate() {
        monitor.report(MERGING, nth as u64, paths.len() as u64).map_err(TraceError::from)?;
        let part = Part::read(path)?;
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => whole.merge(part),
        }
    }
    let mut whole = whole.ok_or(BuildError::Empty(None))?;
    whole.shard = Shard::WHOLE;
    if whole.course.documents == 0 {
        return Err(BuildError::Empty(None));
    }
    Ok(whole)
}

/// Writes the store of a finished part into the folder `out`.
///
/// # Errors
/// Fails where the part is of another model or transcoder, weights cannot be read, a file cannot be written, or the
/// work was stopped.
pub fn finish(engine: &Engine, part: &Part, out: &Path, monitor: &Monitor) -> Result<Built, BuildError> {
    if part.task.files != *engine.file_hashes() {
        let what = "these parts were made with another model or transcoder; give the ones that they were made with";
        return Err(BuildError::part(out, what));
    }
    let n_features = n_features(engine);
    let manifest = Manifest {
        version: Manifest::VERSION,
        transcoder: engine.transcoder.name(),
        model: engine.model.spec.name.clone(),
        n_layers: n_features.len(),
        n_features,
        corpus: Some(CorpusFacts {
            documents: part.course.documents,
            tokens: part.course.tokens,
            sha256: part.course.hex(),
        }),
        seed: part.task.seed,
        window: part.task.window,
        examples: part.task.examples,
        bins: bins::lower_ends().to_vec(),
        features: part.task.features.clone(),
    };
    let mut writer = Writer::new(out, manifest)?;
    let block = (EFFECTS / engine.model.spec.vocab_size.max(1)).clamp(1, 256);
    let total = part.layers.iter().map(|layer| layer.tallies.len() as u64).sum();
    let sheet = Sheet::new(engine, part);
    let mut built = Built { documents: part.course.documents, tokens: part.course.tokens, features: 0, silent: 0 };
    for (layer, tallies) in part.layers.iter().enumerate() {
        for start in (0..tallies.tallies.len()).step_by(block) {
            monitor.report(DASHBOARDS, built.features, total).map_err(TraceError::from)?;
            let slots: Vec<usize> = (start..tallies.tallies.len().min(start + block)).collect();
            let features: Vec<usize> = slots.iter().map(|slot| tallies.feature(*slot)).collect();
            let promoted = engine.promoted_all(layer, &features, monitor)?;
            writer.push_all(layer, &sheet.dashboards(tallies, &slots, promoted))?;
            built.features += slots.len() as u64;
            built.silent += slots.iter().filter(|slot| tallies.tallies[**slot].count == 0).count() as u64;
        }
    }
    // From here on it is not stopped: an earlier store is being replaced.
    let n_layers = part.layers.len() as u64;
    let tell = |written: usize| {
        let _ = monitor.report(WRITING, written as u64, n_layers);
    };
    tell(0);
    writer.finish_telling(tell)?;
    Ok(built)
}

/// Settings and token texts that dashboards are written with.
struct Sheet {
    transcoder: String,
    texts: BTreeMap<u32, String>,
    keeping: Keeping,
    tokens: u64,
}

impl Sheet {
    fn new(engine: &Engine, part: &Part) -> Self {
        let mut texts = BTreeMap::new();
        for sample in part.layers.iter().flat_map(|layer| &layer.tallies).flat_map(Tally::samples) {
            for token in &sample.piece.tokens[part.task.keeping().around(sample.at.into(), sample.piece.tokens.len())] {
                texts.entry(*token).or_insert_with(|| engine.tokenizer.text(*token));
            }
        }
        Self { transcoder: engine.transcoder.name(), texts, keeping: part.task.keeping(), tokens: part.course.tokens }
    }

    fn dashboards(&self, layer: &LayerTally, slots: &[usize], promoted: Vec<Promoted>) -> Vec<(usize, Dashboard)> {
        let mut made: Vec<(usize, Dashboard)> = Vec::new();
        made.resize_with(slots.len(), Default::default);
        let work = made.iter_mut().zip(slots.iter().zip(promoted)).collect();
        let size = slots.iter().map(|slot| layer.tallies[*slot].samples().count() * self.keeping.window).sum();
        parallel::each(work, size, |(made, (slot, promoted)): (&mut (usize, Dashboard), (&usize, Promoted))| {
            let feature = layer.feature(*slot);
            *made = (feature, self.dashboard(feature, &layer.tallies[*slot], promoted));
        });
        made
    }

    fn dashboard(&self, feature: usize, tally: &Tally, promoted: Promoted) -> Dashboard {
        let ends = bins::lower_ends();
        let top = self.without_repeats(&tally.top, &[], self.keeping.examples);
        let mut quantiles = vec![(STRONGEST.to_owned(), top)];
        for bin in tally.bins.iter().rev() {
            let (index, shown) = (usize::from(bin.index), &quantiles[0].1);
            let drawn = self.without_repeats(&bin.samples, shown, self.keeping.shown_of_bin());
            let name = match ends.get(index + 1) {
                Some(end) => format!("{} to {}", number(ends[index]), number(*end)),
                None => format!("from {}", number(ends[index])),
            };
            quantiles.push((name, drawn));
        }
        quantiles.retain(|(_, samples)| !samples.is_empty());
        let quantile = |(name, samples): (String, Vec<&Sample>)| {
            let examples = samples.into_iter().map(|sample| self.example(sample)).collect();
            Quantile { name, examples }
        };
        let texts = |tokens: Vec<(String, f32)>| tokens.into_iter().map(|(text, _)| text).collect();
        // From the lowest bin in which it fires to the one of its maximum.
        let mut histogram = Vec::new();
        if let (Some(first), Some(last)) = (tally.bins.first(), tally.bins.last()) {
            histogram = vec![0.0; usize::from(last.index - first.index) + 1];
            for bin in &tally.bins {
                histogram[usize::from(bin.index - first.index)] = bin.count as f32;
            }
        }
        Dashboard {
            transcoder_id: self.transcoder.clone(),
            index: feature as u64,
            quantiles: quantiles.into_iter().map(quantile).collect(),
            promoted_by: promoted.top.iter().map(|(_, by)| *by).collect(),
            promoted: texts(promoted.top),
            suppressed: texts(promoted.bottom),
            min: 0.0,
            max: tally.max.unwrap_or(0.0),
            quantile_values: Vec::new(),
            histogram,
            density: Some((tally.count as f64 / self.tokens.max(1) as f64) as f32),
        }
    }

    fn example(&self, sample: &Sample) -> Example {
        let at = usize::from(sample.at);
        let window = self.keeping.around(at, sample.piece.tokens.len());
        let mut activations = vec![0.0; window.len()];
        for (at, activation) in &sample.around {
            let place = usize::from(*at).checked_sub(window.start);
            if let Some(place) = place.and_then(|place| activations.get_mut(place)) {
                *place = *activation;
            }
        }
        let text = |token: &u32| self.texts.get(token).cloned().unwrap_or_default();
        Example {
            tokens: sample.piece.tokens[window.clone()].iter().map(text).collect(),
            activations,
            peak: Some(at - window.start),
            repeated: false,
        }
    }

    /// Returns the first `most` of `samples`, skipping near-duplicates of each other and of those `shown`.
    fn without_repeats<'a>(&self, samples: &'a [Sample], shown: &[&'a Sample], most: usize) -> Vec<&'a Sample> {
        let mut kept: Vec<&Sample> = Vec::new();
        for sample in samples {
            if kept.len() < most && kept.iter().chain(shown).all(|other| !self.repeats(sample, other)) {
                kept.push(sample);
            }
        }
        kept
    }

    /// Returns true where two contexts are nearly the same: they overlap by half, or their strongest token is the same
    /// and more than nine in ten of the tokens around it agree.
    fn repeats(&self, a: &Sample, b: &Sample) -> bool {
        let position = |sample: &Sample| sample.piece.start + u32::from(sample.at);
        if a.piece.document == b.piece.document
            && (position(a).abs_diff(position(b)) as usize) < self.keeping.window / 2
        {
            return true;
        }
        let token = |sample: &Sample, offset: usize| {
            let at = (usize::from(sample.at) + offset).checked_sub(COMPARED)?;
            sample.piece.tokens.get(at).copied()
        };
        let pairs = (0..=2 * COMPARED).map(|offset| (token(a, offset), token(b, offset)));
        let (mut agree, mut all) = (0, 0);
        for (a, b) in pairs.filter(|pair| *pair != (None, None)) {
            all += 1;
            agree += usize::from(a == b);
        }
        token(a, COMPARED) == token(b, COMPARED) && 10 * agree > 9 * all
    }
}

/// Formats a number with three significant digits.
fn number(x: f32) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let digits = (2 - x.abs().log10().floor() as i32).max(0) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
