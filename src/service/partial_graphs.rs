//! Partial graphs of a trace in progress.

use crate::attribution::Tracing;
use crate::graph::{Document, RawTrace};
use crate::job::Monitor;
use anyhow::{Result, bail};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Least time between two graphs.
const EVERY: Duration = Duration::from_millis(700);

/// Divisor of the time that may be spent on partial graphs.
const SHARE: u32 = 10;

/// Runs a trace to its end, or until it is stopped, and calls `grown` with partial graphs: from the outputs' rows on,
/// or, for a resumed trace, once every feature in `had` has its row again.
///
/// # Errors
/// Fails where the trace fails, or was stopped before the features in `had` had their rows.
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

/// Returns true where every feature in `had` has its row, emptying `had`, so that later calls return at once.
fn holds(trace: &RawTrace, had: &mut Vec<u32>) -> bool {
    if !had.is_empty() {
        let there: HashSet<u32> = trace.visit_order().collect();
        if had.iter().all(|feature| there.contains(feature)) {
            had.clear();
        }
    }
    had.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{TargetChoice, TraceOptions};
    use crate::demo;
    use crate::graph::{Cut, Settings};
    use crate::service::engine::EngineOptions;

    fn options(max_feature_nodes: usize) -> TraceOptions {
        let settings = Settings {
            prompt: demo::PROMPT.to_owned(),
            max_feature_nodes: Some(max_feature_nodes),
            batch_size: 4,
            update_interval: 1,
            ..Settings::default()
        };
        let targets = TargetChoice::likeliest(&settings);
        TraceOptions { settings, targets, cut: Some(Cut { block_rows: 2, dropped_share: None }) }
    }

    #[test]
    fn a_graph_that_is_shown_never_loses_a_node_and_ends_as_the_trace() {
        let engine = EngineOptions::default().open(|| Ok(demo::places())).unwrap();
        let monitor = Monitor::default();
        let tokens = engine.read(demo::PROMPT).unwrap();
        let mut shown = Vec::new();
        let tracing = engine.begin(tokens, &options(10), |_| {}, &monitor).unwrap();
        let first = grow(tracing, Vec::new(), &mut |document| shown.push(document), &monitor).unwrap();
        assert_eq!(shown[0].graph.feature_nodes().count(), 0, "the outputs' rows are shown first");
        let trace = first.trace.clone().unwrap();

        // The last round is traced anew, so that at first there are fewer features than before.
        let had: Vec<u32> = trace.visit_order().collect();
        let resume = |monitor: &Monitor| engine.resume(trace.as_ref().clone(), Some(40), |_| {}, monitor).unwrap();
        assert!(resume(&monitor).trace().visit_order().count() < had.len());
        shown.clear();
        let second = grow(resume(&monitor), had.clone(), &mut |document| shown.push(document), &monitor).unwrap();
        shown.push(second);
        for document in &shown {
            let nodes: Vec<_> = document.graph.nodes().iter().map(|node| &node.kind).collect();
            assert!(first.graph.nodes().iter().all(|node| nodes.contains(&&node.kind)));
        }
        assert_eq!(shown.last().unwrap().graph.feature_nodes().count(), 40);

        let stopped = Monitor::default();
        let tracing = resume(&stopped);
        stopped.cancel().cancel();
        assert!(grow(tracing, had, &mut |_| panic!("nothing new is there"), &stopped).is_err());
    }
}
