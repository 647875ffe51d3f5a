//! Memory, planned before it is spent.

use crate::attribution::{Replacement, memory};
use crate::model::{Layout, ModelSpec};
use std::fmt;

/// Matrix products of one layer over one block of rows are kept below this: at 100 GFLOP/s 40 ms, with a look in between
/// at whether to stop. Larger blocks gain little, and lose on small models, whose gradients then outgrow the cache.
const LAYER_OPERATIONS: usize = 4_000_000_000;

/// More rows at a time gain nothing: the weights are reused enough.
const MOST_ROWS: usize = 512;

/// What sparse rows leave out at most, as a share of each row's absolute sum.
pub(super) const DROPPED_SHARE: f64 = 0.01;

/// What a trace will need besides the mapped files, and how it is cut to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Rows of the graph.
    pub rows: usize,
    /// Columns of a row.
    pub columns: usize,
    /// Targets that are traced at a time.
    pub block_rows: usize,
    /// Whether rows keep only the entries that carry all but a share of their absolute sum.
    pub sparse: bool,
    /// Frozen weights, decoder rows and one block's gradients.
    pub working_bytes: u64,
    /// The rows themselves, in full.
    pub dense_row_bytes: u64,
    /// What the system says is free, where it says so.
    pub available_bytes: Option<u64>,
}

impl Plan {
    /// Plans `rows` rows over `frozen`.
    pub fn new(frozen: &Replacement, rows: usize) -> Self {
        Self::within(frozen, rows, memory::available())
    }

    fn within(frozen: &Replacement, rows: usize, available_bytes: Option<u64>) -> Self {
        let (d, positions, columns) = (frozen.d_model, frozen.n_positions.max(2) - 1, frozen.n_columns());
        let (d_attn, d_kv) = frozen.attention_widths();
        let of_a_row = 2 * positions * d * (d_attn + d_kv);
        let block_rows = (LAYER_OPERATIONS / of_a_row.max(1)).clamp(1, MOST_ROWS);
        let gradients = block_rows.min(rows) * (positions * (4 * d + 2 * (d_attn + d_kv)) + columns);
        let working_bytes = frozen.bytes() + 4 * gradients as u64;
        let dense_row_bytes = 4 * (rows * columns) as u64;
        // Half of what is free stays for the graph that is made of the rows.
        let sparse = available_bytes.is_some_and(|free| working_bytes + 2 * dense_row_bytes > free);
        Self { rows, columns, block_rows, sparse, working_bytes, dense_row_bytes, available_bytes }
    }
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

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
        write!(f, "{} rows of {} columns: ", self.rows, self.columns)?;
        write!(f, "{} to work in, {} of rows", mib(self.working_bytes), mib(self.dense_row_bytes))?;
        if self.sparse {
            write!(f, ", kept sparse: all but {:.0} % of each row's absolute sum", DROPPED_SHARE * 100.0)?;
        }
        match self.available_bytes {
            Some(free) => write!(f, " ({} free)", mib(free)),
            None => Ok(()),
        }
    }
}
