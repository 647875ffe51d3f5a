//! Sizes of a model, its transcoder and a prompt, which determine memory and work.

use crate::attribution::Capture;
use crate::attribution::dense::group_rows;
use crate::model::ModelSpec;
use crate::transcoder::Transcoder;

/// Sizes that determine memory and work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sizes {
    pub layers: usize,
    pub d: usize,
    pub d_mlp: usize,
    pub d_attn: usize,
    pub d_kv: usize,
    pub heads: usize,
    pub positions: usize,
    /// Number of features of the widest layer.
    pub features: usize,
    pub has_skip: bool,
    /// Whether an MLP reads in front of its layer's attention.
    pub parallel_residual: bool,
    /// Number of active features by layer.
    pub active: Vec<usize>,
    /// Number of decoder rows of active features, one for each layer that they write into.
    pub written: usize,
    /// Number of active features in layers whose encoders lie as `[d, F]`.
    pub read_apart: usize,
    /// Bytes of the transcoder's compressed weights once they are unpacked.
    pub to_unpack: u64,
}

impl Sizes {
    pub fn new(spec: &ModelSpec, transcoder: &Transcoder, positions: usize, active: Vec<usize>) -> Self {
        let apart = active.iter().enumerate().filter(|(layer, _)| transcoder.encodes_by_input(*layer));
        let read_apart = apart.map(|(_, n)| n).sum();
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
            parallel_residual: spec.parallel_residual,
            has_skip: (0..spec.n_layers).any(|layer| transcoder.has_skip(layer)),
            active,
            written,
            read_apart,
            to_unpack: transcoder.to_unpack(),
        }
    }

    pub fn n_active(&self) -> usize {
        self.active.iter().sum()
    }

    pub fn columns(&self) -> usize {
        self.n_active() + (self.layers + 1) * self.positions
    }

    /// Returns the bytes of a forward pass's capture, on the device of the model.
    pub fn capture_bytes(&self) -> u64 {
        let of_layer = self.heads * self.positions * self.positions + 2 * self.positions * self.d;
        4 * (self.layers * of_layer) as u64
    }

    /// Returns the transient bytes of the forward pass beside the capture: pre-activations, or attention scores before
    /// they become a pattern.
    pub fn passing_bytes(&self) -> u64 {
        let scores = 4 * self.heads * self.positions * self.positions;
        4 * (2 * self.positions * self.features).max(scores) as u64
    }

    /// Returns the bytes of the replacement model on the device, with or without the decoder rows of active features; a
    /// weight of attention takes `weight_bytes`.
    pub fn frozen_bytes(&self, held: bool, weight_bytes: usize) -> u64 {
        let (d, p) = (self.d, self.positions);
        let skip = if self.has_skip { d * d } else { 0 };
        let of_layer = self.heads * p * p + 4 * p * d + skip;
        let decoders = if held { self.written * d } else { 0 };
        let weights = self.layers * d * (self.d_attn + self.d_kv) * weight_bytes;
        (4 * (self.layers * of_layer + p * d + decoders) + weights) as u64
    }

    /// Returns the bytes of encoder rows that are gathered and held, in the machine's memory.
    pub fn encoder_bytes(&self, held: bool) -> u64 {
        if held { 4 * (self.read_apart * self.d) as u64 } else { 0 }
    }

    /// Returns the bytes of the active features, in the machine's memory.
    pub fn active_bytes(&self) -> u64 {
        16 * self.n_active() as u64
    }

    /// Returns the bytes of a block of `rows` rows before they are stored.
    pub fn block_bytes(&self, rows: usize) -> u64 {
        4 * (rows * self.columns()) as u64
    }

    /// Returns the bytes of the gradients of a block of `rows` rows on the CPU.
    pub fn gradient_bytes(&self, rows: usize) -> u64 {
        let gradients = (2 * self.d + self.d_attn + self.d_kv).max(6 * self.d);
        4 * (rows * (self.positions.max(2) - 1) * gradients) as u64
    }

    /// Returns the bytes of the transfers for a block of `rows` rows on a card: read vectors of two groups, and their
    /// effects.
    pub fn staging_bytes(&self, rows: usize) -> u64 {
        let p = self.positions.max(2) - 1;
        let members = self.card_group(rows).div_ceil(p);
        8 * (members * (self.d + p) + self.card_effects(members)) as u64
    }

    /// Returns the most rows of gradients of a group of targets, for blocks of `rows`.
    fn card_group(&self, rows: usize) -> usize {
        let p = self.positions.max(2) - 1;
        group_rows(self.d, self.d_attn, self.d_kv).max(p).min(rows * p)
    }

    /// Returns the most effects on a group of targets: padding adds at most half as much again.
    fn card_effects(&self, members: usize) -> usize {
        let p = self.positions.max(2) - 1;
        3 * members * (self.columns() + 2 * self.layers * p) / 2
    }

    /// Returns the bytes of the gradients of a block of `rows` rows on a card, which come in groups, and of a group's
    /// effects.
    pub fn card_gradient_bytes(&self, rows: usize) -> u64 {
        let p = self.positions.max(2) - 1;
        let group = self.card_group(rows);
        let gradients = (3 * self.d + 3 * self.d_attn + 2 * self.d_kv).max(5 * self.d);
        // Twice while they are joined.
        let effects = 2 * self.card_effects(group.div_ceil(p));
        4 * (group * gradients + effects + self.heads * self.positions * self.positions) as u64
    }

    /// Returns the transient bytes of the forward pass on a card: a weight that is being loaded, the widest layer of
    /// the MLP, attention scores before they become a pattern.
    pub fn card_passing_bytes(&self) -> u64 {
        let (p, widest) = (self.positions, self.d_mlp.max(self.d_attn));
        4 * (2 * self.d * widest + 3 * p * widest + 3 * self.heads * p * p) as u64
    }

    /// Operations of one row that reads at `position` what the MLP of `layer` reads, or behind the last layer, with
    /// with `features` written at the layers and positions that it reads.
    pub fn row_operations(&self, layer: usize, position: usize, features: usize) -> u64 {
        if position == 0 {
            return 0;
        }
        let (d, p) = (self.d, position);
        // The first attention that a gradient meets has it at one position only, and spreads it over those before.
        let first = d * (self.d_attn + p * self.d_kv) + self.d_attn * p;
        let each = p * d * (self.d_attn + self.d_kv) + self.d_attn * p * (p + 1) / 2;
        // An MLP reads behind its layer's attention, unless they stand side by side.
        let attentions = if self.parallel_residual { layer } else { layer + 1 }.min(self.layers);
        let attended = if attentions == 0 { 0 } else { first + (attentions - 1) * each };
        let skip = if self.has_skip { p * d * d } else { 0 };
        // Errors and constants beside the features, and token 0's share and the constants' behind attention.
        let written = d * (features + 2 * layer * p) + 2 * d * (1 + layer * p);
        2 * (attended + layer * skip + written) as u64
    }
}

/// Returns the sizes of a trace after its forward pass.
pub(super) fn sizes(spec: &ModelSpec, transcoder: &Transcoder, capture: &Capture) -> Sizes {
    let active = capture.layers.iter().map(|layer| layer.active.len()).collect();
    Sizes::new(spec, transcoder, capture.n_positions(), active)
}

/// Returns the floating-point operations of a forward pass over `positions` tokens, encoders and last logits included.
pub(crate) fn forward_operations(spec: &ModelSpec, transcoder: &Transcoder, positions: usize) -> u64 {
    let layers = (0..spec.n_layers).map(|layer| layer_operations(spec, transcoder.n_features(layer), positions));
    layers.sum::<u64>() + logit_operations(spec)
}

/// Returns the floating-point operations of a layer's matrix products in the forward pass over `positions` tokens, an
/// encoder of `n_features` included.
pub(crate) fn layer_operations(spec: &ModelSpec, n_features: usize, positions: usize) -> u64 {
    let (d, d_attn, d_kv) = (spec.d_model, spec.n_heads * spec.head_dim, spec.n_kv_heads * spec.head_dim);
    let mlp = if spec.has_gate() { 3 } else { 2 } * d * spec.d_mlp;
    let weights = 2 * d * (d_attn + d_kv) + mlp + d * n_features;
    2 * (positions * (weights + 2 * d_attn * positions)) as u64
}

/// Returns the floating-point operations of one position's logits.
pub(super) fn logit_operations(spec: &ModelSpec) -> u64 {
    2 * (spec.vocab_size * spec.d_model) as u64
}
