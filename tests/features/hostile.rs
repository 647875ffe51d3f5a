//! Dashboards that are damaged, truncated, contradictory or out for mischief get one sentence that names feature and
//! file, the others of their store go on, and nothing panics.

use crate::by_hand::{FULL, gzip, record, zlib};
use crate::{folder, read};
use circuitscope::features::store::{Manifest, Store, Writer};
use circuitscope::features::{Dashboard, Sizes};
use circuitscope::hub::FileSource;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;

fn store(index: &[u8], layer: &[u8]) -> tempfile::TempDir {
    folder(&[("index.json.gz", index), ("layer_0.bin", layer)])
}

fn index_of(offsets: &[u64]) -> Vec<u8> {
    let entry = serde_json::json!([{ "filename": "layer_0.bin", "offsets": offsets }]);
    gzip(entry.to_string().as_bytes())
}

#[track_caller]
fn is_sentence(message: &str, parts: &[&str]) {
    assert!(!message.contains('\n') && message.len() < 400, "{message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{message:?} does not say {parts:?}");
}

/// A store of a record that is refused, with a sound one behind it that is read all the same.
#[track_caller]
fn refused(bad: &[u8], parts: &[&str]) {
    let good = record(&zlib(FULL.as_bytes()));
    let end = bad.len() as u64;
    let folder = store(&index_of(&[0, end, end + good.len() as u64]), &[bad, &good].concat());
    let error = read(folder.path(), 0, 0).unwrap_err().to_string();
    is_sentence(&error, parts);
    is_sentence(&error, &["feature 0:0 of ", "layer_0.bin: "]);
    assert!(read(folder.path(), 0, 1).unwrap().is_some());
}

#[test]
fn a_record_that_is_none() {
    let packed = zlib(FULL.as_bytes());
    refused(b"ab", &["no room for a length"]);
    refused(&record(b"{}"), &["packed neither by gzip nor by zlib"]);
    refused(&record(b""), &["packed neither"]);
    refused(&record(&packed)[..40], &["cut off", &format!("36 of {} bytes", packed.len())]);
    refused(&record(&packed[..packed.len() - 1]), &["cut off"]);
    refused(&record(&gzip(b"{}")[..15]), &["cannot be unpacked"]);
    refused(&[&u32::MAX.to_le_bytes()[..], &packed].concat(), &["4294967295 bytes"]);
    let mut wrong_sum = packed.clone();
    *wrong_sum.last_mut().unwrap() ^= 1;
    refused(&record(&wrong_sum), &["cannot be unpacked"]);
    for (json, says) in [
        (&b"{"[..], "ends before its JSON does"),
        (b"[]", "no JSON object"),
        (b"{\"top_logits\": [\"\xff\"]}", "not JSON"),
        (b"{\"act_max\": 1e39}", "too large a number"),
        (b"{\"act_max\": \"1\"}", "stands where"),
        (br#"{"examples_quantiles": [{"examples": [{"tokens": ["a"], "tokens_acts_list": []}]}]}"#, "1 tokens and 0"),
        (br#"{"examples_quantiles": [{"examples": [{"tokens": ["a"], "tokens_acts_list": [null]}]}]}"#, "null"),
        (br#"{"modelId": "m", "layer": "x", "index": 1}"#, "\"x\" begins with no layer's number"),
        (br#"{"modelId": "m", "layer": 0, "index": 0, "tokens": ["a"]}"#, "1 tokens and 0 values"),
    ] {
        refused(&record(&zlib(json)), &[says]);
    }
}

#[test]
fn a_record_that_unpacks_without_end_is_not_unpacked() {
    let zeros = vec![0; 1 << 20];
    let mut bombs: [Box<dyn FnMut() -> Vec<u8>>; 2] = [
        Box::new(|| {
            let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
            (0..64).for_each(|_| out.write_all(&zeros).unwrap());
            out.finish().unwrap()
        }),
        Box::new(|| {
            let mut out = GzEncoder::new(Vec::new(), Compression::best());
            (0..64).for_each(|_| out.write_all(&zeros).unwrap());
            out.finish().unwrap()
        }),
    ];
    for bomb in &mut bombs {
        refused(&record(&bomb()), &["unpacks to more than 8388608 bytes"]);
    }
    for lead in [r#"{"unknown": "#, r#"{"top_logits": "#, r#"{"examples_quantiles": "#] {
        let deep = [lead.as_bytes(), &vec![b'['; 1 << 15]].concat();
        refused(&record(&zlib(&deep)), &["line 1, column"]);
    }
}

#[test]
fn an_index_that_is_none() {
    let good = record(&zlib(FULL.as_bytes()));
    let end = good.len() as u64;
    let says = |index: &[u8], parts: &[&str]| {
        let folder = store(index, &good);
        let error = Store::open(&FileSource::directory(folder.path()).unwrap(), "", None).unwrap_err().to_string();
        is_sentence(&error, parts);
        is_sentence(&error, &["index.json.gz: "]);
    };
    says(b"", &["packed neither"]);
    says(&gzip(b"{}"), &["map stands where", "line 1"]);
    says(&gzip(b"[{\"offsets\": [-1]}]"), &["`-1` stands where"]);
    says(&index_of(&[0, end])[..20], &["cannot be unpacked"]);
    says(&index_of(&[0, 7, 3, end]), &["feature 0:1", "byte 7 to byte 3"]);
    says(&gzip(br#"[{"filename": "../secret", "offsets": [0, 9]}]"#), &["\"../secret\" leads out"]);
    says(&gzip(br#"[{"filename": "/etc/passwd", "offsets": [0, 9]}]"#), &["leads out"]);

    // One that points past the end of its file takes nothing from the others.
    let folder = store(&index_of(&[0, end, end + 9, u64::MAX]), &good);
    assert!(read(folder.path(), 0, 0).unwrap().is_some());
    is_sentence(&read(folder.path(), 0, 1).unwrap_err().to_string(), &["feature 0:1", "layer_0.bin", "ends before"]);
    is_sentence(&read(folder.path(), 0, 2).unwrap_err().to_string(), &["feature 0:2", "is said to have"]);
    fs::remove_file(folder.path().join("layer_0.bin")).unwrap();
    is_sentence(&read(folder.path(), 0, 0).unwrap_err().to_string(), &["feature 0:0", "layer_0.bin", "is missing"]);
}

#[test]
fn a_store_cut_off_anywhere_is_refused_or_read() {
    let good = record(&zlib(FULL.as_bytes()));
    let whole = store(&index_of(&[0, good.len() as u64]), &good);
    let path = whole.path().join("layer_0.bin");
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        is_sentence(&read(whole.path(), 0, 0).unwrap_err().to_string(), &["feature 0:0", "layer_0.bin"]);
    }
}

fn open(folder: &Path, sizes: &[usize]) -> Result<Store, String> {
    let sizes: Sizes = sizes.to_vec();
    let opened = Store::open(&FileSource::directory(folder).unwrap(), "", Some(&sizes));
    opened.map(|store| store.expect("a store")).map_err(|error| error.to_string())
}

#[test]
fn an_index_for_another_transcoder_is_refused() {
    let folder = store(&index_of(&[0, 0, 0]), b"");
    assert!(open(folder.path(), &[2]).is_ok());
    is_sentence(&open(folder.path(), &[3]).unwrap_err(), &["another transcoder", "layer 0 has 2 features", "has 3"]);
    is_sentence(&open(folder.path(), &[1]).unwrap_err(), &["another transcoder"]);
    is_sentence(&open(folder.path(), &[2, 2]).unwrap_err(), &["it has 1 layers, the transcoder has 2"]);
    // One that is far larger than the transcoder's could be is not even unpacked.
    let mut large = GzEncoder::new(Vec::new(), Compression::fast());
    let offsets = "0,".repeat(2_000_000);
    write!(large, r#"[{{"filename": "layer_0.bin", "offsets": [{offsets}0]}}]"#).unwrap();
    let large = store(&large.finish().unwrap(), b"");
    is_sentence(&open(large.path(), &[2]).unwrap_err(), &["unpacks to more than 1048704 bytes"]);

    // What was imported may end before the last feature, and go no further.
    let folder = tempfile::tempdir().unwrap();
    let manifest = Manifest { version: Manifest::VERSION, n_layers: 2, n_features: vec![0, 2], ..Manifest::default() };
    let mut writer = Writer::new(folder.path(), manifest).unwrap();
    writer.push(1, 1, &Dashboard { density: Some(0.25), max: 3.0, ..Dashboard::default() }).unwrap();
    writer.finish().unwrap();
    for sizes in [&[9, 2][..], &[9, 3, 9]] {
        let store = open(folder.path(), sizes).unwrap();
        assert!(store.manifest().is_some());
    }
    assert!(open(folder.path(), &[9, 1]).is_err() && open(folder.path(), &[9]).is_err());
}

#[test]
fn a_summary_and_a_manifest_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = Manifest { version: Manifest::VERSION, n_layers: 1, n_features: vec![2], ..Manifest::default() };
    let writer = Writer::new(folder.path(), manifest).unwrap();
    writer.finish().unwrap();
    let summary = folder.path().join("summary.safetensors");
    let bytes = fs::read(&summary).unwrap();
    fs::write(&summary, &bytes[..bytes.len() - 1]).unwrap();
    is_sentence(&open(folder.path(), &[2]).unwrap_err(), &["summary.safetensors: not a complete safetensors file"]);
    fs::write(&summary, &bytes).unwrap();
    let manifest = folder.path().join("circuitscope.json");
    fs::write(&manifest, r#"{"version": 2}"#).unwrap();
    is_sentence(&open(folder.path(), &[2]).unwrap_err(), &["circuitscope.json: it is of version 2"]);
    fs::write(&manifest, "{").unwrap();
    is_sentence(&open(folder.path(), &[2]).unwrap_err(), &["circuitscope.json: it ends"]);
}
