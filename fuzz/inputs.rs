//! What is done with an input of each fuzz target. Shared with `tests/fuzz`, which replays the seeds on the stable
//! toolchain.

use circuitscope::features::record;
use circuitscope::features::store::{Index, unpack};
use circuitscope::format::{json, torch};
use circuitscope::graph::query::{Query, complete};
use circuitscope::ids::{FeatureId, Layer};
use std::path::Path;

/// Records that are looked at of one input.
const MOST_RECORDS: usize = 64;

/// A binary store: the length of the index, u32 little-endian, the index, packed or not, and the file that all layers
/// lie in.
pub fn store(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let length = (u32::from_le_bytes(*length) as usize).min(rest.len());
    let (index, layers) = rest.split_at(length);
    let Ok(index) = Index::read(index, Some(&vec![64; 64]), "index") else { return };
    let mut looked_at = 0;
    for (layer, size) in index.sizes().into_iter().enumerate() {
        for feature in 0..size.min(MOST_RECORDS) {
            let Some((_, range)) = index.record(Layer::from(layer), FeatureId::from(feature)) else { continue };
            let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(layers.len());
            let read = unpack(&layers[within(range.start)..within(range.end)]);
            read.iter().flat_map(|dashboard| dashboard.examples()).for_each(|example| drop(example.pieces()));
            looked_at += 1;
            if looked_at == MOST_RECORDS {
                return;
            }
        }
    }
}

/// The JSON of a feature, circuit-tracer's or Neuronpedia's.
pub fn dashboard(data: &[u8]) {
    let Ok(record) = record::parse(data) else { return };
    for example in record.dashboard.examples() {
        let pieces = example.pieces();
        assert_eq!(pieces.iter().map(|piece| piece.tokens.len()).sum::<usize>(), example.tokens.len());
        assert!(example.strongest().is_none_or(|at| at < example.tokens.len()));
    }
    let _ = circuitscope::features::Label::automatic(&record.dashboard);
    // What was read can be written, and reads the same.
    let text = serde_json::to_vec(&record.dashboard).expect("a dashboard is written");
    assert_eq!(record::parse(&text).expect("what was written is read").dashboard, record.dashboard);
}

/// A graph JSON of any dialect.
pub fn graph(data: &[u8]) {
    let _ = json::read(Path::new("graph"), data);
}

/// circuit-tracer's `.pt`.
pub fn torch(data: &[u8]) {
    let _ = torch::read(Path::new("graph"), data);
}

/// A filter, read, written and read again, and what is offered while it is typed.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    drop(complete(text, text.len() / 2, &|_| vec!["a label".to_owned()]));
    drop(complete(text, text.len(), &|_| Vec::new()));
    if let Ok(query) = Query::parse(text) {
        let again = Query::parse(&query.to_string()).expect("what was written is read");
        assert_eq!(again.expr(), query.expr());
    }
}
