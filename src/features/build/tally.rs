//! Tallies of features. Two tallies merge into that of both corpora: counts are integers, and lists keep the first few
//! of a set under a total order.

use crate::features::build::bins::{self, BINS};
use crate::features::build::piece::Piece;
use crate::features::build::selection::{Features, Selection};
use crate::parallel;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// Number of contexts kept for each one shown, so that near-duplicates can be dropped.
const SPARE: usize = 2;

/// Number of strongest contexts for each context of a bin.
const STRONGEST_A_BIN: usize = 8;

/// Number of features that one thread processes together.
const TOGETHER: usize = 512;

/// Token on which a feature fires, and the window around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Piece that holds the token.
    pub piece: Arc<Piece>,
    /// Index of the token in the piece.
    pub at: u16,
    /// Activation at the token.
    pub activation: f32,
    /// [`Piece::hash`] of the token.
    pub hash: u64,
    /// Tokens of the window on which the feature fires, with their activations.
    pub around: Box<[(u16, f32)]>,
}

/// Sort key of a list.
#[derive(Clone, Copy, Debug)]
struct Key {
    activation: f32,
    hash: u64,
    document: u128,
    position: u32,
}

impl Sample {
    fn key(&self) -> Key {
        let position = self.piece.start + u32::from(self.at);
        Key { activation: self.activation, hash: self.hash, document: self.piece.document, position }
    }
}

impl Key {
    /// Compares by hash, then by place.
    fn drawn(&self, other: &Self) -> Ordering {
        (self.hash, self.document, self.position).cmp(&(other.hash, other.document, other.position))
    }

    /// Compares by activation, the strongest first.
    fn strongest(&self, other: &Self) -> Ordering {
        other.activation.total_cmp(&self.activation).then_with(|| self.drawn(other))
    }
}

/// Keeps the first `most` of a list under an order; a sample that is in it already is not added.
fn keep(
    list: &mut Vec<Sample>,
    most: usize,
    key: Key,
    order: impl Fn(&Key, &Key) -> Ordering,
    sample: impl FnOnce() -> Sample,
) {
    if list.len() == most && list.last().is_none_or(|last| order(&last.key(), &key).is_le()) {
        return;
    }
    if let Err(place) = list.binary_search_by(|there| order(&there.key(), &key)) {
        list.insert(place, sample());
        list.truncate(most);
    }
}

/// Activations of a feature in one bin.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// Index in [`bins::lower_ends`].
    pub index: u8,
    /// Number of activations.
    pub count: u64,
    /// Drawn samples, by hash.
    pub samples: Vec<Sample>,
}

/// Tally of one feature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Number of tokens on which it fires.
    pub count: u64,
    /// Largest activation; `None` where it never fires.
    pub max: Option<f32>,
    /// Strongest sample of each piece, the strongest first.
    pub top: Vec<Sample>,
    /// Bins that are not empty, ascending.
    pub bins: Vec<Bin>,
}

/// Numbers of contexts to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Number of contexts shown among the strongest.
    pub examples: usize,
    /// Number of tokens of a context.
    pub window: usize,
    /// Seed that draws the contexts of the bins.
    pub seed: u64,
}

impl Keeping {
    /// Returns the number of contexts kept among the strongest.
    pub fn top(&self) -> usize {
        SPARE * self.examples
    }

    /// Returns the number of contexts of a bin that are shown.
    pub fn shown_of_bin(&self) -> usize {
        self.examples.div_ceil(STRONGEST_A_BIN)
    }

    /// Returns the number of contexts kept of a bin.
    pub fn of_bin(&self) -> usize {
        SPARE * self.shown_of_bin()
    }

    /// Returns the window around token `at` of a piece of `length` tokens.
    pub fn around(&self, at: usize, length: usize) -> Range<usize> {
        let start = at.saturating_sub(self.window / 2).min(length.saturating_sub(self.window));
        start..length.min(start + self.window)
    }
}

impl Tally {
    fn bin(&mut self, index: u8) -> &mut Bin {
        let place = self.bins.binary_search_by_key(&index, |bin| bin.index).unwrap_or_else(|place| {
            self.bins.insert(place, Bin { index, count: 0, samples: Vec::new() });
            place
        });
        &mut self.bins[place]
    }

    /// Adds another tally of the same feature.
    pub fn merge(&mut self, other: Self, keeping: &Keeping) {
        self.count += other.count;
        self.max = match (self.max, other.max) {
            (Some(a), Some(b)) => Some(if a.total_cmp(&b).is_lt() { b } else { a }),
            (a, b) => a.or(b),
        };
        for sample in other.top {
            keep(&mut self.top, keeping.top(), sample.key(), Key::strongest, || sample);
        }
        for theirs in other.bins {
            let bin = self.bin(theirs.index);
            bin.count += theirs.count;
            for sample in theirs.samples {
                keep(&mut bin.samples, keeping.of_bin(), sample.key(), Key::drawn, || sample);
            }
        }
    }

    /// Returns every context that is kept.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.top.iter().chain(self.bins.iter().flat_map(|bin| &bin.samples))
    }
}

/// Piece within a batch.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Piece.
    pub piece: Arc<Piece>,
    /// Row of its first token.
    pub first: usize,
    /// Index of the first of its tokens whose activations count.
    pub counted_from: usize,
}

/// Tallies of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTally {
    /// Features, ascending; `None` for all of them.
    pub features: Option<Vec<u32>>,
    /// Tally of each feature.
    pub tallies: Vec<Tally>,
}

impl LayerTally {
    /// Creates empty tallies of the selected features of each layer.
    pub fn empty(selection: &Selection, n_features: &[usize]) -> Vec<Self> {
        let layer = |(layer, n): (usize, &usize)| {
            let features = match selection.of_layer(layer) {
                Some(Features::All) => None,
                Some(Features::Some(features)) => Some(features.iter().copied().collect()),
                None => Some(Vec::new()),
            };
            let count = features.as_ref().map_or(*n, Vec::len);
            Self { features, tallies: vec![Tally::default(); count] }
        };
        n_features.iter().enumerate().map(layer).collect()
    }

    /// Returns the feature of the tally at `slot`.
    pub fn feature(&self, slot: usize) -> usize {
        self.features.as_ref().map_or(slot, |features| features[slot] as usize)
    }

    /// Adds a batch's activations `[rows, width]` of the layer.
    pub fn add(&mut self, batch: &[Placed], activations: &[f32], width: usize, keeping: &Keeping) {
        let ends = bins::lower_ends();
        let hash = |placed: &Placed| -> Vec<u64> {
            (0..placed.piece.tokens.len()).map(|at| placed.piece.hash(keeping.seed, at)).collect()
        };
        let hashes: Vec<Vec<u64>> = batch.iter().map(hash).collect();
        let features = self.features.as_deref();
        let chunks = self.tallies.chunks_mut(TOGETHER).enumerate().collect();
        parallel::each(chunks, activations.len(), |(nth, tallies): (usize, &mut [Tally])| {
            let from = nth * TOGETHER;
            let seen = Seen { activations, width, ends: &ends, keeping };
            let features = match features {
                Some(features) => Columns::Some(&features[from..from + tallies.len()]),
                None => Columns::From(from),
            };
            let mut fired = vec![Vec::new(); tallies.len()];
            for (placed, hashes) in batch.iter().zip(&hashes) {
                seen.add(placed, hashes, features, tallies, &mut fired);
            }
        });
    }

    /// Returns roughly the bytes that the contexts take, without pieces.
    pub fn bytes(&self) -> usize {
        let sample = |sample: &Sample| size_of::<Sample>() + size_of_val(&*sample.around);
        let tally = |tally: &Tally| {
            let bins = tally.bins.len() * size_of::<Bin>();
            size_of::<Tally>() + bins + tally.samples().map(sample).sum::<usize>()
        };
        self.tallies.iter().map(tally).sum()
    }
}

/// Columns of a chunk of features.
#[derive(Clone, Copy)]
enum Columns<'a> {
    From(usize),
    Some(&'a [u32]),
}

/// Activations of a batch in a layer.
struct Seen<'a> {
    activations: &'a [f32],
    width: usize,
    ends: &'a [f32; BINS],
    keeping: &'a Keeping,
}

/// Tokens of a piece on which one feature fires, with its activations.
type Fired = Vec<(u16, f32)>;

impl Seen<'_> {
    /// Adds one piece's activations to the tallies of the features in `columns`. `fired`, a list for each of them, is
    /// empty before and after.
    fn add(&self, placed: &Placed, hashes: &[u64], columns: Columns<'_>, tallies: &mut [Tally], fired: &mut [Fired]) {
        // Activations lie by token and few are not 0: they are sorted by feature first.
        let mut firing = Vec::new();
        for at in placed.counted_from..hashes.len() {
            let row = &self.activations[(placed.first + at) * self.width..][..self.width];
            let mut fires = |slot: usize, activation: f32| {
                if fired[slot].is_empty() {
                    firing.push(slot);
                }
                fired[slot].push((at as u16, activation));
            };
            match columns {
                Columns::From(from) => {
                    let own = row[from..].iter().take(tallies_in(from, row.len())).enumerate();
                    own.filter(|(_, x)| **x != 0.0).for_each(|(slot, x)| fires(slot, *x));
                }
                Columns::Some(features) => {
                    let own = features.iter().map(|feature| row[*feature as usize]).enumerate();
                    own.filter(|(_, x)| *x != 0.0).for_each(|(slot, x)| fires(slot, x));
                }
            }
        }
        for slot in firing {
            self.add_fired(placed, hashes, &fired[slot], &mut tallies[slot]);
            fired[slot].clear();
        }
    }

    /// Adds one feature's activations to its tally.
    fn add_fired(&self, placed: &Placed, hashes: &[u64], fired: &Fired, tally: &mut Tally) {
        let key = |(at, activation): (u16, f32)| Key {
            activation,
            hash: hashes[usize::from(at)],
            document: placed.piece.document,
            position: placed.piece.start + u32::from(at),
        };
        let sample = |(at, activation): (u16, f32)| {
            let window = self.keeping.around(at.into(), placed.piece.tokens.len());
            let around = fired.iter().copied().filter(|(at, _)| window.contains(&usize::from(*at))).collect();
            let piece = Arc::clone(&placed.piece);
            Sample { piece, at, activation, hash: hashes[usize::from(at)], around }
        };
        tally.count += fired.len() as u64;
        let mut strongest: Option<(u16, f32)> = None;
        for one in fired.iter().copied() {
            if strongest.is_none_or(|(_, most)| one.1.total_cmp(&most).is_gt()) {
                strongest = Some(one);
            }
            let bin = tally.bin(bins::bin(self.ends, one.1));
            bin.count += 1;
            keep(&mut bin.samples, self.keeping.of_bin(), key(one), Key::drawn, || sample(one));
        }
        let Some(strongest) = strongest else { return };
        if tally.max.is_none_or(|max| strongest.1.total_cmp(&max).is_gt()) {
            tally.max = Some(strongest.1);
        }
        keep(&mut tally.top, self.keeping.top(), key(strongest), Key::strongest, || sample(strongest));
    }
}

/// Returns how many of a layer's features belong to the chunk that begins at `from`.
fn tallies_in(from: usize, width: usize) -> usize {
    TOGETHER.min(width - from)
}
