//! What is said of a run: before it, while it goes on, and at its end.

use crate::cli::output::note;
use crate::training::{Needs, Record, Report};
use serde_json::{Value, json};
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two lines.
const BETWEEN: Duration = Duration::from_secs(10);

/// Lines on stderr while a run goes on, where that is no terminal, on which a bar shows the progress.
pub struct Lines {
    last: Instant,
    is_wanted: bool,
}

impl Lines {
    pub fn new() -> Self {
        Self { last: Instant::now(), is_wanted: !stderr().is_terminal() }
    }

    /// Prints a line where the last one is long ago, and after the first and the last step.
    pub fn tell(&mut self, report: &Report) {
        let is_due = self.last.elapsed() >= BETWEEN || report.step == report.steps || report.step == 1;
        if !self.is_wanted || !is_due {
            return;
        }
        self.last = Instant::now();
        let n = report.layers.len() as f64;
        let mean = |of: fn(&crate::training::LayerReport) -> f64| report.layers.iter().map(of).sum::<f64>() / n;
        let (explained, l0, dead) = (1.0 - mean(|it| it.error), mean(|it| it.l0), 100.0 * mean(|it| it.dead));
        let left = report.left.map_or_else(String::new, |left| format!(", {} s left", left.as_secs()));
        note!(
            "step {} of {}: {} tokens, {:.0} a second{left}; explained variance {explained:.3}, {l0:.1} active a token, \
             {dead:.1} % dead",
            report.step,
            report.steps,
            report.tokens,
            report.rate
        );
    }
}

/// Returns a plan as JSON; `rate` is the machine's, in operations a second.
pub fn plan_json(needs: &Needs, rate: f64) -> Value {
    json!({
        "memory_bytes": needs.memory_bytes,
        "weights_bytes": needs.weights_bytes,
        "buffer_bytes": needs.buffer_bytes,
        "buffer_tokens": needs.buffer_tokens,
        "set_bytes": needs.set_bytes,
        "checkpoint_bytes": needs.checkpoint_bytes,
        "model_operations": needs.model_operations,
        "transcoder_operations": needs.transcoder_operations,
        "operations_per_second": rate,
        "seconds": needs.time(rate).as_secs_f64(),
    })
}

/// Returns a plan in lines.
pub fn plan(needs: &Needs, rate: f64) -> Vec<String> {
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    vec![
        format!(
            "memory: {:.2} GiB beside the model, {:.2} of it for weights and their moments, {:.2} for a buffer of {} tokens",
            gib(needs.memory_bytes),
            gib(needs.weights_bytes),
            gib(needs.buffer_bytes),
            needs.buffer_tokens
        ),
        format!(
            "work: {:.2e} operations of the model and {:.2e} of the transcoder, at this machine's {:.0} GFLOP/s at least {}",
            needs.model_operations as f64,
            needs.transcoder_operations as f64,
            rate / 1e9,
            duration(needs.time(rate))
        ),
        format!(
            "disk: {:.2} GiB for the transcoder, and until it is there {:.2} GiB for the saved state",
            gib(needs.set_bytes),
            gib(needs.checkpoint_bytes)
        ),
    ]
}

fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Returns the outcome of a run as JSON.
pub fn json(record: &Record, out: &Path, time: Duration) -> Value {
    let layers = record.layers.iter().map(|layer| {
        json!({
            "layer": layer.layer,
            "explained_variance": 1.0 - layer.error,
            "active_features": layer.l0,
            "dead_share": layer.dead,
        })
    });
    let evaluation = record.evaluation.as_ref().map(|evaluation| {
        let layers = evaluation.layers.iter().map(|layer| {
            json!({
                "layer": layer.layer,
                "explained_variance": layer.explained_variance,
                "explained_variance_with_outliers": layer.explained_variance_with_outliers,
                "active_features": layer.l0,
                "silent_share": layer.silent,
            })
        });
        json!({ "tokens": evaluation.tokens, "layers": layers.collect::<Vec<_>>() })
    });
    json!({
        "out": out,
        "tokens": record.tokens,
        "epochs": record.epochs,
        "corpus": record.corpus,
        "layers": layers.collect::<Vec<_>>(),
        "evaluation": evaluation,
        "seconds": time.as_secs_f64(),
    })
}

/// Returns the outcome of a run in lines; `peak` is the most memory that was held.
pub fn text(record: &Record, out: &Path, peak: Option<u64>) -> Vec<String> {
    let mut lines: Vec<String> = match &record.evaluation {
        Some(evaluation) => evaluation
            .layers
            .iter()
            .map(|it| {
                let (silent, l0) = (100.0 * it.silent, it.l0);
                let explained = it.explained_variance;
                format!(
                    "layer {}: explained variance {explained:.3} held out, {l0:.1} active, {silent:.1} % silent",
                    it.layer
                )
            })
            .collect(),
        None => record
            .layers
            .iter()
            .map(|it| {
                let (explained, dead) = (1.0 - it.error, 100.0 * it.dead);
                format!("layer {}: explained variance {explained:.3}, {:.1} active, {dead:.1} % dead", it.layer, it.l0)
            })
            .collect(),
    };
    let memory =
        peak.map_or_else(String::new, |bytes| format!(", {:.2} GiB of memory", bytes as f64 / f64::from(1 << 30)));
    lines.push(format!("{} tokens{memory}: {}", record.tokens, out.display()));
    lines
}
