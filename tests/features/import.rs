//! Neuronpedia's bulk exports: rows in any order and in any files give the same store.

use circuitscope::features::import::{Imported, import};
use circuitscope::features::{Dashboard, FeatureError, LabelOrigin, Library, Search, Sizes};
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::job::Monitor;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const SET: &str = r#""modelId": "gemma-2-2b", "layer": "1-gemmascope-transcoder-16k""#;

/// Rows of features 0 to 8: statistics, five contexts each, and a label for every other one.
fn rows() -> Vec<String> {
    let mut rows = Vec::new();
    for feature in 0..9 {
        rows.push(format!(
            r#"{{{SET}, "index": "{feature}", "pos_str": ["+{feature}"], "neg_str": [], "maxActApprox": 9,
                "frac_nonzero": 0.{feature}, "freq_hist_data_bar_heights": [], "freq_hist_data_bar_values": []}}"#
        ));
        rows.extend((0..5).map(|nth| {
            format!(
                r#"{{"id": "c{nth}", "tokens": ["a", " b{nth}"], {SET}, "index": "{feature}", "values": [0, {}.5],
                    "maxValue": 1, "maxValueTokenIndex": 1, "binMin": {}, "binMax": {}, "binContains": 0.5}}"#,
                nth + 1,
                nth / 2,
                nth / 2 + 1,
            )
        }));
        if feature % 2 == 0 {
            rows.push(format!(r#"{{"id": "x", {SET}, "index": {feature}, "description": " label {feature} "}}"#));
        }
    }
    rows.iter().map(|row| row.replace('\n', " ")).collect()
}

fn gz(path: &Path, rows: &[String]) -> PathBuf {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    rows.iter().for_each(|row| writeln!(out, "{row}").unwrap());
    fs::write(path, out.finish().unwrap()).unwrap();
    path.to_owned()
}

fn imported(files: &[PathBuf], out: &Path, sizes: Option<&Sizes>) -> Result<Imported, FeatureError> {
    import(files, out, sizes, &Monitor::default())
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    let mut files: Vec<_> = entries.map(read).collect();
    files.sort();
    files
}

#[test]
fn rows_come_together_in_whatever_order_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rows = rows();
    let together = [gz(&path("all.jsonl.gz"), &rows)];
    let outcome = imported(&together, &path("whole"), None).unwrap();
    let expected = Imported { features: 9, contexts: 45, labels: 5, ..Imported::default() };
    assert_eq!(outcome, expected);

    // Dealt out to three files, backwards, one of them not packed.
    let mut hands = [Vec::new(), Vec::new(), Vec::new()];
    rows.iter().rev().enumerate().for_each(|(nth, row)| hands[nth % 3].push(row.clone()));
    fs::write(path("2.jsonl"), hands[2].join("\r\n")).unwrap();
    let dealt = [gz(&path("0.jsonl.gz"), &hands[0]), gz(&path("1.jsonl.gz"), &hands[1]), path("2.jsonl")];
    assert_eq!(imported(&dealt, &path("dealt"), None).unwrap(), expected);
    assert!(files(&path("whole")) == files(&path("dealt")), "the stores differ");

    let search = [path("whole")];
    let library = Library::open(&Search { folders: &search, ..Search::default() }, &Monitor::default()).unwrap();
    let found = library.read_here(Layer(1), FeatureId(4));
    let (it, _) = found.dashboard.unwrap();
    assert_eq!((it.index, it.density, it.promoted, it.max), (4, Some(0.4), vec!["+4".to_owned()], 9.0));
    let groups: Vec<_> = it.quantiles.iter().map(|group| (group.name.as_str(), group.examples.len())).collect();
    assert_eq!(groups, [("2.00 to 3.00", 1), ("1.00 to 2.00", 2), ("0.00 to 1.00", 2)]);
    let label = found.label.unwrap();
    assert!(label.text == "label 4" && matches!(label.origin, LabelOrigin::Source(_)), "{label:?}");
    assert_eq!(library.read_here(Layer(1), FeatureId(5)).label, None, "its contexts share nothing");
    assert_eq!(library.density(Layer(1), FeatureId(7)), Some(0.7));
    assert!(library.read_here(Layer(0), FeatureId(0)).dashboard.is_none());
}

#[test]
fn rows_that_make_no_sense_are_counted_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut all = rows();
    all.insert(3, "{\"modelId\": \"m\"".to_owned());
    all.insert(7, all[0].replace("1-gemmascope-transcoder-16k", "1-gemmascope-res-16k"));
    all.push(all[0].replace("\"index\": \"0\"", "\"index\": \"9\""));
    let file = [gz(&path("rows.jsonl.gz"), &all)];
    let sizes = vec![4, 9];
    let outcome = imported(&file, &path("out"), Some(&sizes)).unwrap();
    assert_eq!((outcome.features, outcome.contexts, outcome.skipped), (9, 45, 3));
    let said = outcome.problems.join("\n");
    for part in ["rows.jsonl.gz, line 4: it ends", "line 8: it is of gemma-2-2b/1-gemmascope-res", "no feature 1:9"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_file_that_is_cut_off_leaves_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = gz(&folder.path().join("rows.jsonl.gz"), &rows());
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let out = folder.path().join("out");
    let error = imported(std::slice::from_ref(&file), &out, None).unwrap_err().to_string();
    assert!(error.contains("rows.jsonl.gz: "), "{error}");
    assert_eq!(files(&out), []);
    fs::write(&file, "").unwrap();
    let error = imported(&[file], &out, None).unwrap_err().to_string();
    assert!(error.contains("these files hold no rows"), "{error}");
    let none = folder.path().join("none.jsonl");
    assert!(imported(&[none], &out, None).unwrap_err().to_string().contains("none.jsonl"));
}

#[test]
fn what_was_imported_is_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let row = format!(
        r#"{{{SET}, "index": 3, "frac_nonzero": 0.5, "activations": [{{"tokens": ["\\xe2"], "values": [2]}}],
            "explanations": null}}"#
    );
    let file = gz(&folder.path().join("rows.jsonl.gz"), &[row.replace('\n', " ")]);
    imported(&[file], &folder.path().join("out"), None).unwrap();
    let it: Dashboard = crate::read(&folder.path().join("out"), 1, 3).unwrap().unwrap();
    assert_eq!((it.transcoder_id.as_str(), it.max), ("gemma-2-2b/1-gemmascope-transcoder-16k", 2.0));
    assert_eq!(it.quantiles[0].examples[0].tokens, ["\\xe2"]);
}
