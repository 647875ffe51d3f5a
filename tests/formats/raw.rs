//! The raw container.

use crate::fixture::{Tensors, graph_files};
use crate::open::data;
use crate::trace;
use circuitscope::format::{FormatError, raw, write_atomically};
use circuitscope::graph::{AttributionGraph, FeatureAt, Module, RawTrace, Rows, Site, Source, influence};
use circuitscope::ids::{FeatureId, Layer, Position};
use std::fs;
use std::path::Path;

fn reference() -> RawTrace {
    trace::of_reference(&Tensors::open(&graph_files("llama_clt_relu")[0]))
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn written(trace: &RawTrace) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.safetensors");
    raw::write(&path, trace).unwrap();
    fs::read(&path).unwrap()
}

fn read(bytes: &[u8]) -> Result<RawTrace, FormatError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.safetensors");
    fs::write(&path, bytes).unwrap();
    raw::read(&path)
}

/// Writes `trace`, lets `spoil` change the bytes, and reads them.
fn spoilt(trace: &RawTrace, spoil: impl FnOnce(&mut Vec<u8>)) -> Result<RawTrace, FormatError> {
    let mut bytes = written(trace);
    spoil(&mut bytes);
    read(&bytes)
}

fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len(), "the header keeps its length");
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
}

#[test]
fn a_trace_comes_back_as_it_was() {
    let dense = reference();
    let partial = RawTrace { wanted_features: dense.sources.features.len(), ..dense.clone() };
    for trace in [&dense, &trace::sparse(&dense), &partial] {
        assert_eq!(&spoilt(trace, |_| {}).unwrap(), trace);
    }
}

/// The file was written by the last program that wrote version 1, with rows of 12 of 54 features: its columns followed
/// from its numbers of layers and positions.
#[test]
fn a_file_of_version_1_is_the_same_trace() {
    let path = data("raw-version-1.safetensors");
    let file = Tensors::open(&path);
    let trace = raw::read(&path).unwrap();
    let (features, n_layers, n_positions) = (file.i64("active_features"), 3, 4);
    assert_eq!(file.shape("error_norms"), [n_layers, n_positions]);
    let n_active = features.len() / 3;
    assert_eq!((n_active, trace.n_columns()), (54, n_active + (n_layers + 1) * n_positions));
    for (column, source) in trace.sources.iter().enumerate() {
        let wanted = match column.checked_sub(n_active) {
            None => {
                let at = [column * 3, column * 3 + 1, column * 3 + 2].map(|at| features[at] as u32);
                Source::Feature(FeatureAt::mlp(Layer(at[0]), Position(at[1]), FeatureId(at[2])))
            }
            Some(at) if at < n_layers * n_positions => {
                Source::Error(Site::mlp(Layer::from(at / n_positions)), Position::from(at % n_positions))
            }
            Some(at) => Source::Token(Position::from(at - n_layers * n_positions)),
        };
        assert_eq!(source, wanted, "column {column}");
    }
    assert_eq!(trace.rows, Rows::Dense { values: file.f32("rows") });
    let graph = AttributionGraph::from_trace(&trace).unwrap();
    assert_eq!((graph.feature_nodes().count(), graph.error_nodes().count()), (12, n_layers * n_positions));
    let now = spoilt(&trace, |_| {}).unwrap();
    assert_eq!(now, trace, "written as it is now, it is the same");
}

#[test]
fn attention_and_dictionaries_have_columns_too() {
    let mut trace = reference();
    let attention = Site { module: Module::Attention, ..Site::mlp(Layer(0)) };
    let (n_active, n_rows, n_positions) = (trace.sources.features.len(), trace.row_targets.len(), trace.n_positions());
    let width = trace.n_columns();
    trace.sources.errors.splice(0..0, (0..n_positions).map(|position| (attention, Position::from(position))));
    trace.error_norms.splice(0..0, vec![0.5; n_positions]);
    let Rows::Dense { values } = &trace.rows else { unreachable!() };
    let widened =
        values.chunks(width).flat_map(|row| [&row[..n_active], &vec![0.25; n_positions], &row[n_active..]].concat());
    trace.rows = Rows::Dense { values: widened.collect() };
    trace.sources.features.last_mut().unwrap().site.dictionary = 3;
    let read = spoilt(&trace, |_| {}).unwrap();
    assert_eq!(read, trace);
    let graph = AttributionGraph::from_trace(&read).unwrap();
    let of_attention: Vec<_> =
        graph.error_nodes().filter(|id| graph.node(*id).error_site() == Some(attention)).collect();
    assert_eq!(of_attention.len(), n_positions);
    let reached: usize = of_attention.iter().map(|id| graph.outgoing(*id).count()).sum();
    assert_eq!(reached, n_positions * n_rows, "every row reads each of them");
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let whole = written(&reference());
    let header = 5000.min(whole.len());
    for length in (0..header).step_by(7).chain((header..whole.len()).step_by(997)).chain([whole.len() - 1]) {
        let error = read(&whole[..length]).expect_err("half a file");
        assert!(matches!(error, FormatError::Other { .. } | FormatError::Damaged { .. }), "{error}");
    }
    assert!(read(&[&whole[..], &[0]].concat()).is_err(), "nor one with something behind it");
}

#[test]
fn no_changed_byte_makes_it_panic() {
    let mut bytes = written(&trace::sparse(&reference()));
    for seed in 0..400_usize {
        // The header is hit as often as the numbers, of which there are many more.
        let span = if seed % 2 == 0 { 6000.min(bytes.len()) } else { bytes.len() };
        let at = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % span;
        bytes[at] ^= 1 << (seed % 8);
        // What comes of it matters not, as long as something does.
        let _ = read(&bytes);
        bytes[at] ^= 1 << (seed % 8);
    }
}

#[test]
fn what_is_no_trace_is_named() {
    let trace = reference();
    let says = |error: Result<RawTrace, FormatError>, part: &str| {
        let error = error.expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.contains("trace.safetensors"), "{error}");
    };
    says(spoilt(&trace, |b| b[..8].copy_from_slice(&u64::MAX.to_le_bytes())), "does not begin with a header");
    says(spoilt(&trace, |b| replace(b, r#"\"format_version\":2"#, r#"\"format_version\":7"#)), "version 7");
    says(spoilt(&trace, |b| replace(b, "row_constants", "now_constants")), "row_constants is missing");
    says(spoilt(&trace, |b| replace(b, r#""circuitscope""#, r#""circuitscape""#)), "is not a raw graph");
    says(spoilt(&trace, |b| replace(b, r#""data_offsets":[0,"#, r#""data_offsets":[9,"#)), "of its header");
    says(spoilt(&trace, |b| replace(b, r#""F64""#, r#""I64""#)), "row_abs_sums is I64");

    let broken = |change: fn(&mut RawTrace)| {
        let mut trace = trace.clone();
        change(&mut trace);
        let directory = tempfile::tempdir().unwrap();
        let written = raw::write(&directory.path().join("trace.safetensors"), &trace);
        assert!(names(directory.path()).is_empty(), "nothing is left behind");
        written.map(|()| trace)
    };
    says(broken(|t| t.row_constants[3] = f32::NAN), "number 3 of the row constants is NaN");
    says(broken(|t| t.sources.features.swap(0, 1)), "active feature 1 does not come after");
    says(broken(|t| t.sources.errors.swap(0, 1)), "error 1 does not come after");
    says(broken(|t| t.row_targets[1] = t.row_targets[0]), "a second row");
    says(broken(|t| t.n_layers = usize::MAX), "error norms");
    says(broken(|t| t.activations.truncate(2)), "there are 2 activations");
}

#[test]
fn numbers_out_of_range_are_found_in_a_file() {
    let trace = trace::sparse(&reference());
    let Rows::Sparse { columns, .. } = &trace.rows else { unreachable!() };
    let wanted: Vec<u8> = columns[..4].iter().flat_map(|column| column.to_le_bytes()).collect();
    let error = spoilt(&trace, |bytes| {
        let at = bytes.windows(wanted.len()).position(|window| window == wanted).unwrap();
        bytes[at + 12..at + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    });
    assert!(error.unwrap_err().to_string().contains("do not ascend"));
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kept");
    fs::write(&path, "before").unwrap();
    let error = write_atomically(&path, |out| {
        out.write_all(b"half of it")?;
        Err(std::io::ErrorKind::StorageFull.into())
    });
    assert!(matches!(error, Err(FormatError::DiskFull { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(names(directory.path()), ["kept"]);
    assert!(write_atomically(directory.path(), |_| Ok(())).unwrap_err().to_string().contains("is a directory"));
    let nowhere = write_atomically(&path.with_file_name("no").join("where"), |_| Ok(()));
    assert!(nowhere.unwrap_err().to_string().contains("there is no directory"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let full = Path::new("/dev/full");
    assert!(matches!(raw::write(full, &reference()), Err(FormatError::DiskFull { .. })));
    assert!(fs::metadata(full).unwrap().file_type().is_char_device());
}

#[test]
fn a_sparse_trace_keeps_the_sums_that_shares_are_taken_of() {
    let dense = reference();
    let sparse = trace::sparse(&dense);
    let [dense, sparse] = [dense, sparse].map(|trace| AttributionGraph::from_trace(&trace).unwrap());
    assert!(sparse.n_edges() < dense.n_edges());
    for id in dense.node_ids() {
        let (exact, kept) = (dense.input_total(id), sparse.input_total(id));
        assert!((exact - kept).abs() <= 1e-9 * exact, "the inputs of node {id} add up to {kept}, not {exact}");
    }
    for (whole, part) in influence(&dense).into_iter().zip(influence(&sparse)) {
        assert!(part <= whole + 1e-12 && part > whole - 0.05, "{part} of {whole}");
    }
}
