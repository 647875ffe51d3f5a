//! Cost of a trace: time and operations by phase, rows a second, memory.

use crate::attribution::memory;
use crate::graph::{RawTrace, Rows};
use crate::job::Phase;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Cost of a trace.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Plan of the trace.
    pub plan: Value,
    /// Time from the start to the file on disk.
    pub time: Duration,
    /// Phases of the work.
    pub phases: Vec<Phase>,
    /// Number of rows that were computed, without those of a resumed trace's file.
    pub rows: usize,
    /// Peak bytes on a device with memory of its own, the model's weights included.
    pub on_device: Option<u64>,
}

impl Cost {
    fn operations(&self) -> u64 {
        self.phases.iter().map(|phase| phase.operations).sum()
    }

    /// Returns the rows a second, while rows were computed.
    fn rate(&self) -> f64 {
        let of_rows = self.phases.iter().filter(|phase| phase.name.ends_with("rows"));
        let seconds: f64 = of_rows.map(|phase| phase.time.as_secs_f64()).sum();
        if seconds > 0.0 { self.rows as f64 / seconds } else { 0.0 }
    }

    /// Returns the cost as JSON.
    pub fn json(&self, trace: &RawTrace) -> Value {
        let phase = |phase: &Phase| json!({"name": phase.name, "seconds": phase.time.as_secs_f64(), "operations": phase.operations});
        json!({
            "plan": self.plan,
            "seconds": self.time.as_secs_f64(),
            "phases": self.phases.iter().map(phase).collect::<Vec<_>>(),
            "rows_per_second": self.rate(),
            "operations": self.operations(),
            "peak_memory_bytes": memory::peak(),
            "peak_device_bytes": self.on_device,
            "largest_dropped_share": largest_dropped(trace),
        })
    }
}

/// Returns the largest share of its absolute sum that a sparse row left out; `None` where rows are whole.
fn largest_dropped(trace: &RawTrace) -> Option<f32> {
    match &trace.rows {
        Rows::Dense { .. } => None,
        Rows::Sparse { dropped, .. } => Some(dropped.iter().copied().fold(0.0, f32::max)),
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for phase in &self.phases {
            write!(f, "{} {:.1} s, ", phase.name, phase.time.as_secs_f64())?;
        }
        write!(f, "{:.0} rows/s, {:.1} TFLOP", self.rate(), self.operations() as f64 / 1e12)?;
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        if let Some(bytes) = memory::peak() {
            write!(f, ", at most {:.2} GiB held", gib(bytes))?;
        }
        match self.on_device {
            Some(bytes) => write!(f, ", {:.2} GiB on the device", gib(bytes)),
            None => Ok(()),
        }
    }
}
