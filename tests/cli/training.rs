//! Transcoders trained by the program.

use crate::circuitscope;
use circuitscope::features::build::Corpus;
use circuitscope::job::{Cancel, Monitor};
use circuitscope::model::Transformer;
use circuitscope::tokens::Tokenizer;
use circuitscope::training::{Activation, Options, Settings, Subject, TrainError, TranscoderKind, train};
use circuitscope::{demo, training};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Writes a small corpus of the demo's words.
fn corpus(folder: &Path) -> PathBuf {
    let places =
        [("France", "Paris"), ("Germany", "Berlin"), ("Spain", "Madrid"), ("Italy", "Rome"), ("Texas", "Austin")];
    let sentences = places.iter().flat_map(|(place, capital)| {
        [
            format!("fact : the capital of {place} is {capital} ."),
            format!("{capital} lies in {place} ."),
            format!("fact : {place} is a state whose capital is {capital} ."),
        ]
    });
    let path = folder.join("corpus.txt");
    fs::write(&path, sentences.collect::<Vec<_>>().join("\n")).unwrap();
    path
}

fn settings(kind: TranscoderKind, activation: Activation) -> Settings {
    Settings {
        kind,
        features: 24,
        activation,
        skip: true,
        layers: (0..4).collect(),
        tokens: 32 * 9,
        context: 8,
        batch: 32,
        buffer: 2,
        rate: 1e-3,
        sparsity: 0.01,
        dead_after: 64,
        seed: 5,
    }
}

/// Returns the files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// Stops a run after several of its steps, in the middle of a buffer and after one, and goes on.
#[test]
fn a_run_that_is_stopped_goes_on_bit_for_bit() {
    let (model, _) = demo::sources();
    let tokenizer = Tokenizer::open(&model).unwrap();
    let model = Transformer::open(&model, &candle_core::Device::Cpu).unwrap();
    let subject = Subject::new(&model, &tokenizer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::new(vec![corpus(folder.path())], None);
    for (kind, activation) in
        [(TranscoderKind::Plt, Activation::BatchTopK(3)), (TranscoderKind::Clt, Activation::JumpRelu)]
    {
        let settings = settings(kind, activation);
        let run = |name: &str, resume: bool, stop_at: u64| {
            let every = Duration::from_secs(3600);
            let options = Options { resume, every, model: json!("demo"), held_out: None };
            let (cancel, out) = (Cancel::default(), folder.path().join(format!("{name}-{activation}")));
            let tell = |report: &training::Report| {
                if report.step == stop_at {
                    cancel.cancel();
                }
            };
            let monitor = Monitor::with_cancel(cancel.clone());
            (train(&subject, &corpus, settings.clone(), &out, &options, tell, &monitor), out)
        };
        let (whole, out) = run("whole", false, 0);
        assert!(whole.unwrap().record.epochs > 0, "the corpus is read again");
        let wanted = files(&out);
        for (resume, stop_at) in [(false, 3), (true, 4)] {
            let (stopped, out) = run("parts", resume, stop_at);
            let done = stop_at * 32;
            assert!(matches!(stopped, Err(TrainError::Stopped { done: found, .. }) if found == done));
            assert!(!out.join("config.yaml").exists());
        }
        let (gone_on, out) = run("parts", true, 0);
        gone_on.unwrap();
        let found = files(&out);
        assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
        for (name, content) in &wanted {
            assert!(found[name] == *content, "{activation}: {name} differs");
        }
        assert!(run("whole", false, 0).0.is_err(), "a set is not trained over");
    }
}

/// Trains all layers at once and two at a time, puts the latter together, and traces with them.
#[test]
fn layers_trained_apart_are_those_trained_together() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let run = |name: &str, more: &[&str]| -> Value {
        let mut program = circuitscope();
        program.args([
            "train",
            "--json",
            "--features",
            "24",
            "--activation",
            "topk:3",
            "--batch",
            "32",
            "--tokens",
            "200",
        ]);
        program.arg("--corpus").arg(&corpus).arg("--eval").arg(&corpus).arg("--out").arg(folder.path().join(name));
        let output = program.args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let whole = run("whole", &[]);
    assert_eq!(whole["tokens"], 192);
    for layer in whole["evaluation"]["layers"].as_array().unwrap() {
        assert_eq!(layer["active_features"], 3.0);
        assert!(layer["explained_variance"].as_f64().unwrap() < 1.0);
    }
    run("low", &["--layers", "0..1"]);
    run("high", &["--layers", "2..3"]);
    let merge = |folders: &[&str], out: &str| {
        let mut program = circuitscope();
        program.args(["train", "merge"]).args(folders.iter().map(|name| folder.path().join(name)));
        program.arg("--out").arg(folder.path().join(out)).output().unwrap()
    };
    assert!(merge(&["high", "low"], "merged").status.success());
    let [whole, merged] = ["whole", "merged"].map(|name| files(&folder.path().join(name)));
    for name in whole.keys().filter(|name| name.starts_with("layer_") || *name == "config.yaml") {
        assert!(merged.get(name) == Some(&whole[name]), "{name} differs");
    }
    for (folders, word) in [(&["low", "low"][..], "both"), (&["low"][..], "layer 2")] {
        let refused = merge(folders, "refused");
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(word));
        assert!(!folder.path().join("refused").exists());
    }
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/model");
    let mut trace = circuitscope();
    trace.args(["trace", "--prompt", "the capital of France is", "--model"]).arg(model).arg("--transcoder");
    let graph = folder.path().join("graph.json");
    trace.arg(folder.path().join("merged")).arg("--out").arg(&graph).assert().success();
    assert!(graph.exists());
}

#[test]
fn what_cannot_be_trained_is_told_in_a_sentence_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let out = folder.path().join("out");
    for (arguments, word) in [
        (&["--batch", "4096"][..], "fewer than"),
        (&["--activation", "topk:30"][..], "features"),
        (&["--layers", "3..4"][..], "layer 4"),
        (&["--kind", "clt", "--layers", "0..1"][..], "all layers"),
        (&["--max-memory", "1MB"][..], "memory"),
        (&["--lr", "1e37", "--activation", "relu"][..], "--lr"),
        (&["--resume"][..], "no state"),
    ] {
        let mut program = circuitscope();
        program.args(["train", "--features", "24", "--tokens", "320", "--corpus"]).arg(&corpus).arg("--out").arg(&out);
        if !arguments.contains(&"--batch") {
            program.args(["--batch", "32"]);
        }
        if !arguments.contains(&"--activation") {
            program.args(["--activation", "topk:3"]);
        }
        let output = program.args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let lines = said.lines().filter(|line| line.starts_with("circuitscope: ")).count();
        assert!(!output.status.success() && lines == 1 && said.contains(word), "{arguments:?}: {said}");
        assert!(!out.exists(), "{arguments:?}");
    }
}
