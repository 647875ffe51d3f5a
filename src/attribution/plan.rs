//! Memory and work, planned before they are spent.

use crate::attribution::sizes::Sizes;
use crate::attribution::{TraceError, memory};
use crate::graph::Cut;
use crate::model::{Transformer, free_memory};
use std::fmt;
use std::path::PathBuf;

/// Most operations of one layer's matrix products over one block of rows. Larger blocks gain little, and lose on small
/// models, whose gradients then outgrow the cache.
const LAYER_OPERATIONS: usize = 4_000_000_000;

/// Most rows of a block: beyond this the weights are reused enough.
const MOST_ROWS: usize = 512;

/// Most rows of a block on a card, which wants large blocks: as many as are ranked at a time by default.
const MOST_ROWS_OF_A_CARD: usize = 1024;

/// Fewest rows of a block even of long prompts, where memory allows: decoders are read once for all of them.
const FEWEST_ROWS: usize = 32;

/// Default share of each row's absolute sum that sparse rows leave out.
const DROPPED_SHARE: f64 = 0.01;

/// Safety margin of a plan, one part in this many: an allocator keeps more than it was asked for.
const MARGIN: u64 = 12;

/// Bytes of an edge of the finished graph while it is made.
const EDGE_BYTES: usize = 28;

/// Limits of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Bytes that the process may hold; the system's free memory by default.
    pub memory: Option<u64>,
    /// Largest share of each row's absolute sum that sparse rows leave out. By default rows are whole where they fit.
    pub dropped_share: Option<f64>,
    /// Folder of the rows that do not fit into memory; the system's folder for temporary files by default.
    pub folder: Option<PathBuf>,
}

impl Limits {
    /// Returns the bytes that the process may hold, those held already included.
    pub(super) fn most(&self) -> Option<u64> {
        self.memory.or_else(memory::most)
    }

    /// Returns the bytes that the process may still take.
    pub fn room(&self) -> u64 {
        self.most().map_or(u64::MAX, |most| most.saturating_sub(memory::resident().unwrap_or(0)))
    }
}

/// Device with memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accelerator {
    /// Free bytes there, where the device tells.
    pub free: Option<u64>,
    /// Bytes of a weight there.
    pub weight_bytes: usize,
    /// Peak memory before there are any rows.
    pub peak: u64,
}

impl Accelerator {
    /// Returns the accelerator that `model` computes on; `None` for the CPU.
    pub fn of(model: &Transformer) -> Option<Self> {
        let device = model.device();
        let card = || Self { free: free_memory(device), weight_bytes: model.precision().bytes(), peak: 0 };
        (!device.is_cpu()).then(card)
    }
}

/// Memory of a device with memory of its own, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Peak memory there.
    pub needed_bytes: u64,
    /// Free memory there; `None` where the device does not tell.
    pub free_bytes: Option<u64>,
}

impl DeviceMemory {
    fn fits(&self) -> bool {
        self.free_bytes.is_none_or(|free| with_margin(self.needed_bytes) <= free)
    }
}

/// Memory available to a plan.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    /// Bytes that the process holds beside what is planned.
    pub before: u64,
    /// Peak so far.
    pub peak: u64,
    /// Most that the process may hold, where that is known.
    pub most: Option<u64>,
    /// Accelerator that computes, if any.
    pub card: Option<Accelerator>,
}

/// Memory and work of a trace, and its division into blocks that fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Number of rows of the graph.
    pub rows: usize,
    /// Number of columns of a row.
    pub columns: usize,
    /// Number of targets that are traced at a time.
    pub block_rows: usize,
    /// True where the decoder rows of active features are held, and encoder rows that lie as columns; false where they are
    /// read again for each block.
    pub decoders_held: bool,
    /// Share that sparse rows leave out; `None` where rows are kept in full. Sparse rows are kept in a temporary file.
    pub dropped_share: Option<f64>,
    /// Peak memory of the process.
    pub memory_bytes: u64,
    /// Floating-point operations of everything, the forward pass included; 0 until that is known.
    pub operations: u64,
    /// Most that the process may hold, where that is known.
    pub limit_bytes: Option<u64>,
    /// Memory of the device, where it has memory of its own.
    pub device: Option<DeviceMemory>,
}

impl Plan {
    /// Plans `rows` rows after the forward pass. A `cut` taken over from another trace is kept.
    pub(super) fn new(
        sizes: &Sizes,
        rows: usize,
        wanted: usize,
        cut: Option<&Cut>,
        limits: &Limits,
        card: Option<Accelerator>,
    ) -> Result<Self, TraceError> {
        let resident = memory::resident().unwrap_or(0);
        // The captured layers are let go of as they are frozen, wherever they are.
        let (captured, card) = match card {
            Some(card) => (0, Some(Accelerator { free: card.free.map(|free| free + sizes.capture_bytes()), ..card })),
            None => (sizes.capture_bytes(), None),
        };
        let before = resident.saturating_sub(captured + sizes.active_bytes()) + sizes.to_unpack;
        let room = Room { before, peak: memory::peak().unwrap_or(0), most: limits.most(), card };
        Self::within(sizes, rows, wanted, cut, limits, room)
    }

    pub(super) fn within(
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
            Some(_) => MOST_ROWS_OF_A_CARD,
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
                        Some(_) => sizes.staging_bytes(at_once),
                        None => sizes.frozen_bytes(decoders_held, 4) + sizes.gradient_bytes(at_once),
                    };
                    let computing = computing + sizes.encoder_bytes(decoders_held) + sizes.active_bytes();
                    let computing = computing + sizes.block_bytes(at_once);
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

    /// Returns the block size and kind of rows.
    pub fn cut(&self) -> Cut {
        Cut { block_rows: self.block_rows, dropped_share: self.dropped_share }
    }
}

fn with_margin(bytes: u64) -> u64 {
    bytes + bytes / MARGIN
}

/// Formats the free memory, in brackets.
pub(super) fn free(device: &DeviceMemory) -> String {
    device.free_bytes.map_or_else(String::new, |free| format!(" ({:.1} GiB are free)", gib(free)))
}

pub(super) fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
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
            parallel_residual: false,
            active: vec![40_000; 28],
            written: 28 * 40_000,
            read_apart: 0,
            to_unpack: 0,
        }
    }

    /// Checks that a target in front of a layer costs one attention less than one behind that layer, and that a target
    /// behind the last layer passes all of them either way.
    #[test]
    fn a_row_costs_the_attentions_that_it_passes() {
        let (behind, beside) = (sizes(), Sizes { parallel_residual: true, ..sizes() });
        let of = |sizes: &Sizes, layer| sizes.row_operations(layer, 100, 7);
        let each = of(&behind, 5) - of(&beside, 5);
        assert_eq!(of(&behind, 9) - of(&beside, 9), each);
        assert!(of(&behind, 0) > of(&beside, 0));
        assert_eq!(of(&behind, 28), of(&beside, 28));
        let one_more = of(&behind, 6) - of(&behind, 5);
        assert!((each..each + each / 100).contains(&one_more), "{each} {one_more}");
    }

    /// Checks that less memory gives smaller plans, each within what is allowed, until there is none.
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

    /// Checks the same of a card, whatever the machine has; and that half precision needs less there.
    #[test]
    fn a_plan_fits_into_a_card_or_says_what_it_needs() {
        let plan = |free, weight_bytes| {
            let room = Room { card: Some(Accelerator { free: Some(free), weight_bytes, peak: 0 }), ..Room::default() };
            Plan::within(&sizes(), 4096, 4096, None, &Limits::default(), room)
        };
        let roomy = plan(1 << 40, 4).unwrap();
        assert!(roomy.decoders_held && roomy.block_rows == MOST_ROWS_OF_A_CARD);
        let (mut free, mut last) = (1u64 << 40, MOST_ROWS_OF_A_CARD);
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
