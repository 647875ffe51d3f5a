//! The same by the program, as a person or a scheduler calls it.

use crate::files;
use assert_cmd::Command;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;

fn circuitscope(home: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
    program.env("XDG_DATA_HOME", home).env("HOME", home).arg("features");
    program
}

fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&command.arg("--json").assert().success().get_output().stdout).unwrap()
}

fn sentences() -> Vec<String> {
    crate::corpus::sentences().into_iter().step_by(60).map(|sentence| sentence.text).collect()
}

#[test]
fn an_array_of_shards_writes_what_one_run_writes() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let lines: Vec<String> =
        sentences().iter().map(|text| serde_json::json!({ "body": text, "id": 1 }).to_string()).collect();
    let mut gzip = GzEncoder::new(fs::File::create(path("c.jsonl.gz")).unwrap(), Compression::fast());
    gzip.write_all(lines.join("\n").as_bytes()).unwrap();
    gzip.finish().unwrap();
    fs::write(path("c.txt"), sentences().join("\n")).unwrap();
    let options = ["--layers", "0..1", "--examples", "6", "--window", "5", "--seed", "9"];
    let build = |corpus: &str, more: &[&str]| {
        let mut command = circuitscope(home.path());
        json(command.args(["build", "--corpus"]).arg(path(corpus)).args(options).args(more))
    };
    let whole = build("c.jsonl.gz", &["--field", "body", "--out", path("whole").to_str().unwrap()]);
    assert_eq!((&whole["documents"], &whole["features"]), (&sentences().len().into(), &768.into()));
    assert!(!path("whole/whole.part").exists(), "what was gathered is let go of once the store is there");
    let parts = path("parts");
    let states = || {
        let mut status = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
        let status = json(status.arg("status").arg(&parts));
        assert_eq!(status["problems"], serde_json::json!([]));
        status["arrays"][0].clone()
    };
    for (shard, missing) in [("2/2", &[1][..]), ("1/2", &[])] {
        build("c.txt", &["--shard", shard, "--out", parts.to_str().unwrap()]);
        assert_eq!(states()["missing"], serde_json::json!(missing));
    }
    let whole_tokens = states()["tokens"].clone();
    assert_eq!((&whole_tokens, &states()["done"]), (&whole["tokens"], &serde_json::json!([1, 2])));
    let mut merge = circuitscope(home.path());
    merge.args(["merge", "--out"]).arg(path("merged"));
    let merged = json(merge.args(["shard-1-of-2.part", "shard-2-of-2.part"].map(|name| parts.join(name))));
    assert_eq!(merged["tokens"], whole["tokens"]);
    assert!(files(&path("merged")) == files(&path("whole")));
    // A part that is there already is not made again.
    let again = circuitscope(home.path())
        .args(["build", "--corpus"])
        .arg(path("c.txt"))
        .args(options)
        .args(["--shard", "1/2", "--out"])
        .arg(&parts)
        .assert()
        .success();
    let said = String::from_utf8(again.get_output().stderr.clone()).unwrap();
    assert!(said.contains("there already"), "{said}");
}

#[test]
fn a_store_from_stdin_is_found_without_being_named() {
    let home = tempfile::tempdir().unwrap();
    let search = |pattern: &str| {
        let mut command = circuitscope(home.path());
        json(command.args(["browse", "--search", pattern, "--limit", "3"]))
    };
    assert!(search("containing Dallas")["count"].as_u64().unwrap() > 0, "the demo has a store of its own");
    let mut build = circuitscope(home.path());
    let corpus = "the capital of Texas is Austin .\nthe opposite of hot is cold .";
    let built = json(build.args(["build", "--corpus", "-", "--features", "0:0..99"]).write_stdin(corpus));
    assert_eq!((&built["documents"], &built["features"]), (&2.into(), &100.into()));
    assert!(Path::new(built["out"].as_str().unwrap()).starts_with(home.path()));
    let density = |home: &Path| {
        let mut command = circuitscope(home);
        json(command.args(["browse", "--sort", "density", "--only", "0:0..99", "--limit", "1"]))["features"][0]["density"].clone()
    };
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(density(home.path()).as_f64() > density(elsewhere.path()).as_f64(), "the store made here goes first");
    let mut on_text = circuitscope(home.path());
    let on_text = json(on_text.args(["browse", "--text", "the capital of Texas", "--limit", "1"]));
    let tokens: Vec<&str> =
        on_text["tokens"].as_array().unwrap().iter().map(|t| t["token"].as_str().unwrap()).collect();
    assert_eq!(tokens, ["the", "capital", "of", "Texas"]);
    let said = |args: &[&str], what: &str| {
        let assert = circuitscope(home.path()).args(args).assert().failure();
        let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(said.contains(what), "{said}");
    };
    said(&["browse", "--near", "0:999"], "no such feature");
    said(&["browse", "--near", "3"], "LAYER:FEATURE");
    said(&["build", "--corpus", "/no/such/file"], "the corpus /no/such/file cannot be read");
    said(&["build", "--corpus", "-", "--layers", "7"], "there is no layer 7; the transcoder has 4");
    said(&["merge", "/no/such.part"], "/no/such.part: it cannot be read");
}
