//! Limits and plan of a trace: `trace --max-memory`, `--drop` and `--plan`.

use crate::attribution::{CostEstimate, DeviceMemory, Engine, Limits, Plan};
use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use std::path::Path;

/// What a trace may spend.
#[derive(Clone, Debug, clap::Args)]
pub struct LimitArgs {
    /// The most memory that the program may hold, such as 8GiB: blocks are chosen to fit, or the trace is refused before
    /// it begins. What the system has free by default
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
    /// Keep rows sparse: all but this share of each row's absolute sum, which itself stays exact. By default rows are kept
    /// whole where they fit, else all but 0.01
    #[arg(long, value_name = "SHARE", value_parser = share)]
    drop: Option<f64>,
}

/// When a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// Before the forward pass, from sizes alone.
    Before,
    /// Once the forward pass and the rows of the outputs are there.
    Full,
}

impl LimitArgs {
    /// Returns the limits; rows that do not fit into memory are stored beside `out`.
    pub fn limits(&self, out: Option<&Path>) -> Limits {
        let folder = out.map(|out| match out.parent() {
            _ if out.is_dir() => out.to_owned(),
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => ".".into(),
        });
        Limits { memory: self.max_memory, dropped_share: self.drop, folder }
    }
}

/// Reads a number of bytes: 500MB, 8GiB, 12345.
pub(super) fn size(text: &str) -> Result<u64> {
    let wrong = || anyhow!("{text} is no size; write it as 8GiB or 8000MB");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "kib" | "k" => f64::from(1 << 10),
        "mib" | "m" => f64::from(1 << 20),
        "gib" | "g" => f64::from(1 << 30),
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * unit;
    if (1.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "it has to be a number from 0 to below 1".to_owned())
}

/// Estimates the cost of a trace of `positions` tokens, of which at most `max_feature_nodes` features get a row.
///
/// # Errors
/// Fails where it would not fit into the allowed memory.
pub fn estimate(engine: &Engine, (positions, max_feature_nodes): (usize, Option<usize>)) -> Result<CostEstimate> {
    Ok(CostEstimate::new(&engine.model, &engine.transcoder, positions, max_feature_nodes, &engine.limits)?)
}

/// Returns the estimate as JSON.
pub fn estimate_json(estimate: &CostEstimate) -> Value {
    json!({
        "tokens": estimate.positions,
        "active_features": estimate.active,
        "memory_bytes": estimate.memory_bytes,
        "operations": estimate.operations,
        "device": estimate.device.map(|range| json!({
            "memory_bytes": range.map(|device| device.needed_bytes),
            "free_bytes": range[0].free_bytes,
        })),
    })
}

/// Returns the plan as JSON.
pub fn plan_json(plan: &Plan) -> Value {
    json!({
        "rows": plan.rows,
        "columns": plan.columns,
        "block_rows": plan.block_rows,
        "decoders_held": plan.decoders_held,
        "dropped_share": plan.dropped_share,
        "memory_bytes": plan.memory_bytes,
        "operations": plan.operations,
        "limit_bytes": plan.limit_bytes,
        "device": plan.device.map(|DeviceMemory { needed_bytes, free_bytes }| json!({
            "memory_bytes": needed_bytes,
            "free_bytes": free_bytes,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_either_unit() {
        for (text, bytes) in [("8GiB", 8 << 30), ("1.5 GB", 1_500_000_000), ("64m", 64 << 20), ("12", 12)] {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "GiB", "-1GiB", "8 parsecs", "1e9", "0"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
