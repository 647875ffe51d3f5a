//! Memory and work of a trace, estimated from its prompt alone.

use crate::attribution::plan::{Accelerator, Room, free, gib};
use crate::attribution::sizes::{Sizes, forward_operations};
use crate::attribution::{DeviceMemory, Limits, Plan, TraceError, memory};
use crate::model::Transformer;
use crate::transcoder::Transcoder;
use std::fmt;

/// Active features of a token in a layer, few to many, of published transcoders: only the forward pass can tell.
const ACTIVE_PER_TOKEN: [usize; 2] = [5, 200];

/// Memory and work of a trace before its forward pass, each for few and for many active features.
#[derive(Clone, Debug, PartialEq)]
pub struct CostEstimate {
    /// Tokens of the prompt.
    pub positions: usize,
    /// Active features, where every token has few in every layer, or many.
    pub active: [usize; 2],
    /// Peak memory of the process, in bytes.
    pub memory_bytes: [u64; 2],
    /// Floating-point operations.
    pub operations: [u64; 2],
    /// Peak memory of the device, where it has memory of its own.
    pub device: Option<[DeviceMemory; 2]>,
}

impl CostEstimate {
    /// Estimates the cost for a prompt of `positions` tokens, of which at most `max_feature_nodes` features get a row.
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
        let (spec, card) = (&model.spec, Accelerator::of(model));
        let before = memory::resident().unwrap_or(0) + transcoder.to_unpack();
        let forward = forward_operations(spec, transcoder, positions);
        let mut estimate = Self { positions, active: [0; 2], memory_bytes: [0; 2], operations: [0; 2], device: None };
        for (nth, per_token) in ACTIVE_PER_TOKEN.into_iter().enumerate() {
            let per_token = transcoder.top_k(0).unwrap_or(per_token);
            let of_layer = |layer| per_token.min(transcoder.n_features(layer)) * positions.saturating_sub(1);
            let sizes = Sizes::new(spec, transcoder, positions, (0..spec.n_layers).map(of_layer).collect());
            let wanted = max_feature_nodes.unwrap_or(usize::MAX).min(sizes.n_active());
            // The forward pass keeps what it captures where it computes.
            let capture = sizes.capture_bytes();
            let card = card.map(|card| Accelerator { peak: capture + sizes.card_passing_bytes(), ..card });
            let peak = before + sizes.passing_bytes() + sizes.active_bytes() + if card.is_none() { capture } else { 0 };
            let room = Room { before, peak, most: limits.most(), card };
            let plan = match Plan::within(&sizes, wanted, wanted, None, limits, room) {
                // Many features may not fit; few have to.
                Err(_) if nth > 0 => {
                    let card = card.map(|card| Accelerator { free: None, ..card });
                    Plan::within(&sizes, wanted, wanted, None, limits, Room { most: None, card, ..room })?
                }
                plan => plan?,
            };
            if let (Some(device), Some(card)) = (plan.device, card) {
                let device = DeviceMemory { free_bytes: card.free, ..device };
                estimate.device.get_or_insert([device; 2])[nth] = device;
            }
            // Few rows that start in the middle, or all of them at the last token in the last layer.
            let (layer, position) = match nth {
                0 => (spec.n_layers / 4, positions / 2),
                _ => (spec.n_layers - 1, positions.saturating_sub(1)),
            };
            let row = sizes.row_operations(layer, position, layer * position * per_token);
            estimate.active[nth] = sizes.n_active();
            estimate.memory_bytes[nth] = plan.memory_bytes;
            estimate.operations[nth] = forward + wanted as u64 * row;
        }
        Ok(estimate)
    }
}

impl fmt::Display for CostEstimate {
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
