//! The raw container.

use crate::fixture::{Tensors, graph_files};
use crate::trace;
use circuitscope::format::{FormatError, raw, write_atomically};
use circuitscope::graph::{AttributionGraph, RawTrace, Rows, influence};
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
    let partial = RawTrace { wanted_features: dense.active.len(), ..dense.clone() };
    for trace in [&dense, &trace::sparse(&dense), &partial] {
        assert_eq!(&spoilt(trace, |_| {}).unwrap(), trace);
    }
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
    says(spoilt(&trace, |b| replace(b, r#"\"format_version\":1"#, r#"\"format_version\":7"#)), "version 7");
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
    says(broken(|t| t.active.swap(0, 1)), "active feature 1 does not come after");
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
