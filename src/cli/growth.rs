//! A trace that is shown as it grows.

use crate::attribution::Tracing;
use crate::graph::{Document, RawTrace};
use crate::job::Monitor;
use anyhow::{Result, bail};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The least time between two graphs.
const EVERY: Duration = Duration::from_millis(700);

/// At most one part in this many of the time goes into graphs that are shown in between.
const SHARE: u32 = 10;

/// Runs a trace to its end, or until it is stopped, and gives its graph now and then meanwhile: from the outputs' rows
/// on, or, of one that was resumed, once every feature in `had` has its row again.
///
/// # Errors
/// The trace fails, or was stopped before the features in `had` had their rows.
pub fn grow(
    mut tracing: Tracing<'_>,
    mut had: Vec<u32>,
    grown: &mut dyn FnMut(Document),
    monitor: &Monitor,
) -> Result<Document> {
    let mut due = Instant::now();
    let mut show = |trace: &RawTrace| {
        if Instant::now() < due || trace.row_targets.len() < had.len() || !holds(trace, &mut had) {
            return;
        }
        let begun = Instant::now();
        // Where it cannot be made, it cannot in the end either, and that is said then.
        if let Ok(document) = Document::of_trace(trace) {
            grown(document);
        }
        due = Instant::now() + EVERY.max(begun.elapsed() * SHARE);
    };
    show(tracing.trace());
    tracing.run(&mut show, monitor)?;
    let trace = tracing.into_trace();
    if !holds(&trace, &mut had) {
        bail!("stopped before there was more than before");
    }
    Ok(Document::from_trace(Arc::new(trace))?)
}

/// Whether every feature in `had` has its row; once they have, nothing is asked for any more.
fn holds(trace: &RawTrace, had: &mut Vec<u32>) -> bool {
    if !had.is_empty() {
        let there: HashSet<u32> = trace.visit_order().collect();
        if had.iter().all(|feature| there.contains(feature)) {
            had.clear();
        }
    }
    had.is_empty()
}
