//! Memory and work, planned before they are spent.

use crate::attribution::{Capture, TraceError, memory};
use crate::graph::Cut;
use crate::model::{Layout, ModelSpec, Transformer, free_memory};
use crate::transcoder::Transcoder;
use std::fmt;
use std::path::PathBuf;

/// Matrix products of one layer over one block of rows are kept below this. Larger blocks gain little, and lose on small
/// models, whose gradients then outgrow the cache.
const LAYER_OPERATIONS: usize = 4_000_000_000;

/// More rows at a time gain nothing: the weights are reused enough.
const MOST_ROWS: usize = 512;

/// As many rows are computed at a time even of long prompts, where memory allows: decoders are read once for all.
const FEWEST_ROWS: usize = 32;

/// What sparse rows leave out at most, where nothing else is asked for, as a share of each row's absolute sum.
const DROPPED_SHARE: f64 = 0.01;

/// Features that fire for a token in a layer, where only the forward pass can tell: from few to many, of published
/// transcoders.
const ACTIVE_PER_TOKEN: [usize; 2] = [5, 200];

/// What is planned may be short by one part in this many: an allocator keeps more than it was asked for.
const MARGIN: u64 = 12;

/// Bytes that an edge of the finished graph takes while it is made.
const EDGE_BYTES: usize = 28;

/// What a trace may spend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Bytes that the process may hold; what the system has free by default.
    pub memory: Option<u64>,
    /// Keeps rows sparse: without at most this share of each row's absolute sum. Else they are whole where they fit.
    pub dropped_share: Option<f64>,
    /// Where rows that do not fit are kept while they are computed; the system's folder for temporary files by default.
    pub folder: Option<PathBuf>,
}

impl Limits {
    /// What may be held, and what is held already.
    fn most(&self) -> Option<u64> {
        let free = || Some(memory::available()? + memory::resident().unwrap_or(0));
        self.memory.or_else(free)
    }
}

/// A device with memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// Bytes that are free there, where it says so.
    free: Option<u64>,
    /// Bytes that a weight takes there.
    weight_bytes: usize,
    /// The most that it holds before there are any rows.
    peak: u64,
}

impl Card {
    /// The one that `model` computes on; `None` for the CPU.
    pub fn of(model: &Transformer) -> Option<Self> {
        let device = model.device();
        let card = || Self { free: free_memory(device), weight_bytes: model.precision().bytes(), peak: 0 };
        (!device.is_cpu()).then(card)
    }
}

/// Memory of a device of its own, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// The most that will be held there.
    pub needed_bytes: u64,
    /// What can be had there; `None` where the device does not say.
    pub free_bytes: Option<u64>,
}

impl DeviceMemory {
    fn fits(&self) -> bool {
        self.free_bytes.is_none_or(|free| with_margin(self.needed_bytes) <= free)
    }
}

/// What there is to plan with.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    /// What the process holds beside what is planned.
    before: u64,
    /// The most that it held so far.
    peak: u64,
    /// The most that it may hold, where that is known.
    most: Option<u64>,
    /// Where it computes, if that has its own memory.
    card: Option<Card>,
}

/// The sizes that memory and work follow from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sizes {
    layers: usize,
    d: usize,
    d_mlp: usize,
    d_attn: usize,
    d_kv: usize,
    heads: usize,
    positions: usize,
    /// Features of the widest layer.
    features: usize,
    has_skip: bool,
    /// Active features by layer.
    active: Vec<usize>,
    /// Decoder rows of active features, one for each layer that they write into.
    written: usize,
}

impl Sizes {
    pub fn new(spec: &ModelSpec, transcoder: &Transcoder, positions: usize, active: Vec<usize>) -> Self {
        let written = active.iter().enumerate().map(|(layer, n)| n * transcoder.writes_to(layer).len()).sum();
        Self {
            layers: spec.n_layers,
            d: spec.d_model,
            d_mlp: spec.d_mlp,
            d_attn: spec.n_heads * spec.head_dim,
            d_kv: spec.n_kv_heads * spec.head_dim,
            heads: spec.n_heads,
            positions,
            features: (0..spec.n_layers).map(|layer| transcoder.n_features(layer)).max().unwrap_or(0),
            has_skip: (0..spec.n_layers).any(|layer| transcoder.has_skip(layer)),
            active,
            written,
        }
    }

    fn n_active(&self) -> usize {
        self.active.iter().sum()
    }

    fn columns(&self) -> usize {
        self.n_active() + (self.layers + 1) * self.positions
    }

    /// What one forward pass keeps.
    fn capture_bytes(&self) -> u64 {
        let of_layer = self.heads * self.positions * self.positions + 2 * self.positions * self.d;
        4 * (self.layers * of_layer) as u64 + 16 * self.n_active() as u64
    }

    /// What the forward pass holds for a moment beside that: pre-activations, or scores of attention on their way to a
    /// pattern.
    fn passing_bytes(&self) -> u64 {
        let scores = 4 * self.heads * self.positions * self.positions;
        4 * (2 * self.positions * self.features).max(scores) as u64
    }

    /// What is frozen where the model computes, with or without the decoder rows of active features; a weight of
    /// attention takes `weight_bytes`.
    fn frozen_bytes(&self, held: bool, weight_bytes: usize) -> u64 {
        let (d, p) = (self.d, self.positions);
        let skip = if self.has_skip { d * d } else { 0 };
        let of_layer = self.heads * p * p + 4 * p * d + skip;
        let decoders = if held { self.written * d } else { 0 };
        let weights = self.layers * d * (self.d_attn + self.d_kv) * weight_bytes;
        (4 * (self.layers * of_layer + p * d + decoders) + weights) as u64
    }

    /// The active features.
    fn active_bytes(&self) -> u64 {
        16 * self.n_active() as u64
    }

    /// Rows of a block of `rows` before they are kept.
    fn block_bytes(&self, rows: usize) -> u64 {
        4 * (rows * self.columns()) as u64
    }

    /// Gradients of a block of `rows` rows on the CPU.
    fn gradient_bytes(&self, rows: usize) -> u64 {
        let gradients = (2 * self.d + self.d_attn + self.d_kv).max(6 * self.d);
        4 * (rows * (self.positions.max(2) - 1) * gradients) as u64
    }

    /// Gradients of a block of `rows` rows on a card, where what passes attention is laid out in full, several times over,
    /// and beside a layer's pattern.
    fn card_gradient_bytes(&self, rows: usize) -> u64 {
        let gradients = (2 * self.d + 5 * self.d_attn + 3 * self.d_kv).max(6 * self.d);
        4 * (rows * self.positions * gradients + self.heads * self.positions * self.positions) as u64
    }

    /// What a card holds for a moment in the forward pass: a weight on its way into place, the widest layer of the MLP,
    /// scores of attention on their way to a pattern.
    fn card_passing_bytes(&self) -> u64 {
        let (p, widest) = (self.positions, self.d_mlp.max(self.d_attn));
        4 * (2 * self.d * widest + 3 * p * widest + 3 * self.heads * p * p) as u64
    }

    /// Operations of one row that reads in front of the MLP of `layer`, behind its attention, at `position`, with
    /// `features` written at the layers and positions that it reads.
    pub fn row_operations(&self, layer: usize, position: usize, features: usize) -> u64 {
        if position == 0 {
            return 0;
        }
        let (d, p) = (self.d, position);
        // The first attention that a gradient meets has it at one position only, and spreads it over those before.
        let first = d * (self.d_attn + p * self.d_kv) + self.d_attn * p;
        let each = p * d * (self.d_attn + self.d_kv) + self.d_attn * p * (p + 1) / 2;
        let skip = if self.has_skip { p * d * d } else { 0 };
        // Errors and constants beside the features, and token 0's share and the constants' behind attention.
        let written = d * (features + 2 * layer * p) + 2 * d * (1 + layer * p);
        2 * (first + layer * (each + skip) + written) as u64
    }
}

/// What a trace will hold and compute, and how it is cut to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Rows of the graph.
    pub rows: usize,
    /// Columns of a row.
    pub columns: usize,
    /// Targets that are traced at a time.
    pub block_rows: usize,
    /// Whether the decoder rows of active features are held, or read again for each block.
    pub decoders_held: bool,
    /// What sparse rows leave out at most; `None` where rows are kept in full. Sparse rows wait in a temporary file.
    pub dropped_share: Option<f64>,
    /// The most that the process will hold at any time.
    pub memory_bytes: u64,
    /// Floating-point operations of everything, the forward pass included; 0 until that is known.
    pub operations: u64,
    /// The most that it may hold, where that is known.
    pub limit_bytes: Option<u64>,
    /// The same of the device, where it has memory of its own.
    pub device: Option<DeviceMemory>,
}

impl Plan {
    /// Plans `rows` rows after the forward pass. A `cut` that is taken over from another trace stays as it is.
    pub(super) fn new(
        sizes: &Sizes,
        rows: usize,
        wanted: usize,
        cut: Option<&Cut>,
        limits: &Limits,
        card: Option<Card>,
    ) -> Result<Self, TraceError> {
        let resident = memory::resident().unwrap_or(0);
        // The captured layers are let go of as they are frozen, wherever they are.
        let (captured, card) = match card {
            Some(card) => (0, Some(Card { free: card.free.map(|free| free + sizes.capture_bytes()), ..card })),
            None => (sizes.capture_bytes(), None),
        };
        let before = resident.saturating_sub(captured);
        let room = Room { before, peak: memory::peak().unwrap_or(0), most: limits.most(), card };
        Self::within(sizes, rows, wanted, cut, limits, room)
    }

    fn within(
        sizes: &Sizes,
        rows: usize,
        wanted: usize,
        cut: Option<&Cut>,
        limits: &Limits,
        room: Room,
    ) -> Result<Self, TraceError> {
        let columns = sizes.columns();
        let of_a_row = 2 * (sizes.positions.max(2) - 1) * sizes.d * (sizes.d_attn + sizes.d_kv);
        let most = match room.card {
            Some(_) => MOST_ROWS,
            None => (LAYER_OPERATIONS / of_a_row.max(1)).clamp(FEWEST_ROWS, MOST_ROWS),
        };
        let blocks: Vec<usize> = match cut {
            Some(cut) => vec![cut.block_rows],
            None => std::iter::successors(Some(most), |rows| (*rows > 1).then_some(rows / 2)).collect(),
        };
        let shares: Vec<Option<f64>> = match (cut, limits.dropped_share) {
            (Some(cut), _) => vec![cut.dropped_share],
            (None, Some(share)) => vec![Some(share)],
            (None, None) => vec![None, Some(DROPPED_SHARE)],
        };
        // The graph that is made of the rows has no columns of features without one; of the others about half of a half
        // hold something, since effects run upward and forward only.
        let p = sizes.positions.max(1);
        let kept = rows * (wanted + columns - sizes.n_active()) / 4 * (p + 1) / p;
        let (mut least, mut least_there) = (u64::MAX, u64::MAX);
        for block_rows in blocks {
            for decoders_held in [true, false] {
                for dropped_share in &shares {
                    let row_bytes = if dropped_share.is_none() { 4 * (rows * columns) as u64 } else { 0 };
                    let at_once = block_rows.min(rows);
                    let device = room.card.map(|card| DeviceMemory {
                        needed_bytes: card.peak.max(
                            sizes.frozen_bytes(decoders_held, card.weight_bytes) + sizes.card_gradient_bytes(at_once),
                        ),
                        free_bytes: card.free,
                    });
                    let computing = match device {
                        Some(_) => 0,
                        None => sizes.frozen_bytes(decoders_held, 4) + sizes.gradient_bytes(at_once),
                    };
                    let computing = computing + sizes.active_bytes() + sizes.block_bytes(at_once);
                    let making = (kept * EDGE_BYTES) as u64;
                    let memory_bytes = room.peak.max(room.before + row_bytes + computing.max(making));
                    least = least.min(with_margin(memory_bytes));
                    least_there = least_there.min(device.map_or(0, |device| with_margin(device.needed_bytes)));
                    let fits = room.most.is_none_or(|limit| with_margin(memory_bytes) <= limit);
                    if fits && device.is_none_or(|device| device.fits()) {
                        return Ok(Self {
                            rows,
                            columns,
                            block_rows,
                            decoders_held,
                            dropped_share: *dropped_share,
                            memory_bytes,
                            operations: 0,
                            limit_bytes: room.most,
                            device,
                        });
                    }
                }
            }
        }
        match room.card.and_then(|card| card.free) {
            Some(free) if least_there > free => Err(TraceError::DeviceMemory { needed: least_there, free }),
            _ => Err(TraceError::Memory { needed: least, limit: room.most.unwrap_or(0) }),
        }
    }

    /// How the work is cut.
    pub fn cut(&self) -> Cut {
        Cut { block_rows: self.block_rows, dropped_share: self.dropped_share }
    }
}

/// What a trace may hold and compute, before its forward pass: from few active features to many.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Tokens of the prompt.
    pub positions: usize,
    /// Active features, where every token has few in every layer, or many.
    pub active: [usize; 2],
    /// The most that the process will hold at any time, in bytes.
    pub memory_bytes: [u64; 2],
    /// Floating-point operations.
    pub operations: [u64; 2],
    /// The most that will be held on the device, where it has memory of its own.
    pub device: Option<[DeviceMemory; 2]>,
}

impl Outlook {
    /// For a prompt of `positions` tokens, of which at most `max_feature_nodes` features get a row.
    ///
    /// # Errors
    /// [`TraceError::Memory`] or [`TraceError::DeviceMemory`] where even few active features would not fit.
    pub fn new(
        model: &Transformer,
        transcoder: &Transcoder,
        positions: usize,
        max_feature_nodes: Option<usize>,
        limits: &Limits,
    ) -> Result<Self, TraceError> {
        let (spec, card, before) = (&model.spec, Card::of(model), memory::resident().unwrap_or(0));
        let forward = forward_operations(spec, transcoder, positions);
        let mut outlook = Self { positions, active: [0; 2], memory_bytes: [0; 2], operations: [0; 2], device: None };
        for (nth, per_token) in ACTIVE_PER_TOKEN.into_iter().enumerate() {
            let per_token = transcoder.config.k.unwrap_or(per_token);
            let of_layer = |layer| per_token.min(transcoder.n_features(layer)) * positions.saturating_sub(1);
            let sizes = Sizes::new(spec, transcoder, positions, (0..spec.n_layers).map(of_layer).collect());
            let wanted = max_feature_nodes.unwrap_or(usize::MAX).min(sizes.n_active());
            // The forward pass keeps what it captures where it computes.
            let capture = sizes.capture_bytes();
            let card = card.map(|card| Card { peak: capture + sizes.card_passing_bytes(), ..card });
            let peak = before + sizes.passing_bytes() + if card.is_none() { capture } else { 0 };
            let room = Room { before, peak, most: limits.most(), card };
            let plan = match Plan::within(&sizes, wanted, wanted, None, limits, room) {
                // Many features may not fit; few have to.
                Err(_) if nth > 0 => {
                    let card = card.map(|card| Card { free: None, ..card });
                    Plan::within(&sizes, wanted, wanted, None, limits, Room { most: None, card, ..room })?
                }
                plan => plan?,
            };
            if let (Some(device), Some(card)) = (plan.device, card) {
                let device = DeviceMemory { free_bytes: card.free, ..device };
                outlook.device.get_or_insert([device; 2])[nth] = device;
            }
            // Few rows that start in the middle, or all of them at the last token in the last layer.
            let (layer, position) = match nth {
                0 => (spec.n_layers / 4, positions / 2),
                _ => (spec.n_layers - 1, positions.saturating_sub(1)),
            };
            let row = sizes.row_operations(layer, position, layer * position * per_token);
            outlook.active[nth] = sizes.n_active();
            outlook.memory_bytes[nth] = plan.memory_bytes;
            outlook.operations[nth] = forward + wanted as u64 * row;
        }
        Ok(outlook)
    }
}

/// The sizes of a trace, as its forward pass has shown them.
pub(super) fn sizes(spec: &ModelSpec, transcoder: &Transcoder, capture: &Capture) -> Sizes {
    let active = capture.layers.iter().map(|layer| layer.active.len()).collect();
    Sizes::new(spec, transcoder, capture.n_positions(), active)
}

/// Floating-point operations of a forward pass over `positions` tokens, encoders and the last token's logits included.
pub(super) fn forward_operations(spec: &ModelSpec, transcoder: &Transcoder, positions: usize) -> u64 {
    let layers = (0..spec.n_layers).map(|layer| layer_operations(spec, transcoder.n_features(layer), positions));
    layers.sum::<u64>() + logit_operations(spec)
}

/// Floating-point operations of a layer's matrix products in the forward pass over `positions` tokens, an encoder of
/// `n_features` included.
pub(super) fn layer_operations(spec: &ModelSpec, n_features: usize, positions: usize) -> u64 {
    let (d, d_attn, d_kv) = (spec.d_model, spec.n_heads * spec.head_dim, spec.n_kv_heads * spec.head_dim);
    let mlp = match spec.layout {
        Layout::Llama => 3 * d * spec.d_mlp,
        Layout::Gpt2 => 2 * d * spec.d_mlp,
    };
    let weights = 2 * d * (d_attn + d_kv) + mlp + d * n_features;
    2 * (positions * (weights + 2 * d_attn * positions)) as u64
}

/// Floating-point operations of one position's logits.
pub(super) fn logit_operations(spec: &ModelSpec) -> u64 {
    2 * (spec.vocab_size * spec.d_model) as u64
}

fn with_margin(bytes: u64) -> u64 {
    bytes + bytes / MARGIN
}

/// What is free, in brackets.
fn free(device: &DeviceMemory) -> String {
    device.free_bytes.map_or_else(String::new, |free| format!(" ({:.1} GiB are free)", gib(free)))
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [few, many] = self.active;
        write!(f, "{} tokens: {few} to {many} active features, ", self.positions)?;
        let [least, most] = self.memory_bytes.map(gib);
        let [from, to] = self.operations.map(|n| n as f64 / 1e12);
        write!(f, "{least:.2} to {most:.2} GiB of memory, {from:.2} to {to:.2} TFLOP")?;
        match &self.device {
            Some([least, most]) => {
                let [few, many] = [least, most].map(|device| gib(device.needed_bytes));
                write!(f, ", {few:.2} to {many:.2} GiB of the device's memory{}", free(least))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows of {} columns, {} at a time: ", self.rows, self.columns, self.block_rows)?;
        write!(f, "{:.2} GiB of memory, {:.2} TFLOP", gib(self.memory_bytes), self.operations as f64 / 1e12)?;
        if !self.decoders_held {
            write!(f, "; decoders are read for each block")?;
        }
        if let Some(share) = self.dropped_share {
            write!(f, "; rows are sparse, all but {} % of each row's absolute sum, in a file", share * 100.0)?;
        }
        if let Some(limit) = self.limit_bytes {
            write!(f, " ({:.1} GiB may be held)", gib(limit))?;
        }
        match &self.device {
            Some(device) => {
                write!(f, ", {:.2} GiB of the device's memory{}", gib(device.needed_bytes), free(device))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        Sizes {
            layers: 28,
            d: 1024,
            d_mlp: 3072,
            d_attn: 2048,
            d_kv: 1024,
            heads: 16,
            positions: 1024,
            features: 32_768,
            has_skip: false,
            active: vec![40_000; 28],
            written: 28 * 40_000,
        }
    }

    /// Less and less memory gives smaller plans, each within what is allowed, until there is none.
    #[test]
    fn a_plan_fits_into_what_is_allowed_or_says_what_it_needs() {
        let plan = |limit| {
            let room = Room { before: 50 << 20, peak: 50 << 20, most: Some(limit), card: None };
            Plan::within(&sizes(), 4096, 4096, None, &Limits::default(), room)
        };
        let roomy = plan(1 << 40).unwrap();
        assert!(roomy.decoders_held && roomy.dropped_share.is_none() && roomy.block_rows == FEWEST_ROWS);
        let eight = plan(8 << 30).unwrap();
        assert!(!eight.decoders_held && eight.dropped_share == Some(DROPPED_SHARE));
        let mut limit = 8u64 << 30;
        let mut last = eight.block_rows;
        let needed = loop {
            match plan(limit) {
                Ok(plan) => {
                    assert!(plan.memory_bytes <= limit && plan.block_rows <= last);
                    last = plan.block_rows;
                    limit = limit * 99 / 100;
                }
                Err(TraceError::Memory { needed, limit: allowed }) => {
                    assert!(needed > allowed && allowed == limit);
                    break needed;
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(last, 1);
        assert!(plan(needed).is_ok() && plan(needed - 1).is_err());
    }

    /// The same of a card, whatever the machine has; and half precision needs less there.
    #[test]
    fn a_plan_fits_into_a_card_or_says_what_it_needs() {
        let plan = |free, weight_bytes| {
            let room = Room { card: Some(Card { free: Some(free), weight_bytes, peak: 0 }), ..Room::default() };
            Plan::within(&sizes(), 4096, 4096, None, &Limits::default(), room)
        };
        let roomy = plan(1 << 40, 4).unwrap();
        assert!(roomy.decoders_held && roomy.block_rows == MOST_ROWS);
        let (mut free, mut last) = (1u64 << 40, MOST_ROWS);
        let needed = loop {
            match plan(free, 4) {
                Ok(plan) => {
                    let device = plan.device.unwrap();
                    assert!(device.needed_bytes <= free && device.free_bytes == Some(free) && plan.block_rows <= last);
                    last = plan.block_rows;
                    free = free * 99 / 100;
                }
                Err(TraceError::DeviceMemory { needed, free: there }) => {
                    assert!(needed > there && there == free);
                    break needed;
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(last, 1);
        assert!(plan(needed, 4).is_ok() && plan(needed - 1, 4).is_err() && plan(needed - 1, 2).is_ok());
    }
}
