//! Checkpoints of a long trace, so that little is lost whatever ends it.

use crate::cli::output::note;
use crate::format::raw;
use crate::graph::RawTrace;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Least time between two saves.
const EVERY: Duration = Duration::from_secs(60);

/// Divisor of the time that may be spent on saving.
const SHARE: u32 = 20;

/// Place and schedule of a trace's checkpoints.
pub struct Checkpoint {
    out: PathBuf,
    /// Number of rows that a file holds already; a trace with fewer is not worth saving, and may not replace it.
    held: usize,
    last: Instant,
    pause: Duration,
}

impl Checkpoint {
    /// Creates checkpoints at `out` of traces with more than `held` rows.
    pub fn new(out: &Path, held: usize) -> Self {
        Self { out: out.to_owned(), held, last: Instant::now(), pause: EVERY }
    }

    /// Saves `trace` if it is time. A failed save is reported and tried again later; the trace continues.
    pub fn seen(&mut self, trace: &RawTrace) {
        if self.last.elapsed() < self.pause || trace.row_targets.len() <= self.held {
            return;
        }
        let begun = Instant::now();
        if let Err(error) = raw::write(&self.out, trace) {
            note!("what there is could not be saved: {error}");
        }
        self.pause = EVERY.max(begun.elapsed() * SHARE);
        self.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Provenance, RowTarget, Rows, Settings, Target, TargetKind, Token};

    /// Returns the smallest trace: one token, one row.
    fn one_row() -> RawTrace {
        RawTrace {
            n_layers: 1,
            tokens: vec![Token { id: 0, text: "a".into() }],
            active: Vec::new(),
            activations: Vec::new(),
            error_norms: vec![0.0],
            final_logits: vec![0.0],
            targets: vec![Target { id: 0, kind: TargetKind::Token, probability: 1.0, text: "a".into() }],
            target_vectors: vec![1.0],
            row_targets: vec![RowTarget::Logit(0)],
            rows: Rows::Dense { values: vec![0.0, 1.0] },
            row_abs_sums: vec![1.0],
            row_constants: vec![0.0],
            row_values: vec![1.0],
            wanted_features: 0,
            settings: Settings { prompt: "a".into(), max_feature_nodes: None, ..Settings::default() },
            cut: None,
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn it_saves_when_it_is_time_and_never_less_than_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("trace.safetensors");
        let due = |held| Checkpoint { pause: Duration::ZERO, ..Checkpoint::new(&out, held) };
        Checkpoint::new(&out, 0).seen(&one_row());
        due(1).seen(&one_row());
        assert!(!out.exists());
        let mut checkpoint = due(0);
        checkpoint.seen(&one_row());
        assert_eq!(raw::read(&out).unwrap(), one_row());
        assert!(checkpoint.pause >= EVERY);
    }
}
