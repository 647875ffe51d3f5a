//! Many prompts with the model loaded once.

use crate::{circuitscope, fixture, on};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const PROMPTS: &str =
    "the capital of France is\nthe state where Dallas is\n\nthe capital\nthe city of Paris was said\nis\n";

/// Traces the prompts in `lines`, given on stdin, into `out`; gives the exit code and the JSON lines.
fn trace(lines: &str, out: &Path, more: &[&str]) -> (i32, Vec<Value>) {
    let case = fixture("llama_plt_relu");
    let mut program = on("trace", &case.join("model"), &case.join("transcoder"));
    program.args(["--prompts", "-", "--max-feature-nodes", "12", "--threads", "1", "--json", "--out"]).arg(out);
    let output = program.args(more).write_stdin(lines).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let results = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), results)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn shards_together_are_the_whole_and_each_file_is_the_prompts_own() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let (code, results) = trace(PROMPTS, &whole, &[]);
    assert_eq!((code, results.len()), (0, 5));
    assert_eq!((&results[2]["index"], &results[2]["line"]), (&2.into(), &4.into()));
    for shard in ["3/3", "1/3", "2/3"] {
        assert_eq!(trace(PROMPTS, &parts, &["--shard", shard]).0, 0);
    }
    let whole = files(&whole);
    let (records, parts): (BTreeMap<_, _>, BTreeMap<_, _>) =
        files(&parts).into_iter().partition(|(name, _)| name.ends_with(".run"));
    assert!(records.into_keys().eq(["shard-1-of-3.run", "shard-2-of-3.run", "shard-3-of-3.run"]));
    assert_eq!(whole, parts);
    assert_eq!(
        whole.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "00000-the-capital-of-france-is.safetensors",
            "00001-the-state-where-dallas-is.safetensors",
            "00002-the-capital.safetensors",
            "00003-the-city-of-paris-was-said.safetensors",
            "00004-is.safetensors",
        ]
    );
    let (case, alone) = (fixture("llama_plt_relu"), folder.path().join("alone.safetensors"));
    let mut program = on("trace", &case.join("model"), &case.join("transcoder"));
    program.args(["--prompt", "the capital of France is", "--max-feature-nodes", "12", "--threads", "1", "--out"]);
    program.arg(&alone).assert().success();
    assert_eq!(fs::read(alone).unwrap(), whole["00000-the-capital-of-france-is.safetensors"]);
}

#[test]
fn bad_lines_are_reported_and_the_others_traced() {
    let folder = tempfile::tempdir().unwrap();
    let lines = concat!(
        "{\"prompt\": \"the capital of France is\", \"slug\": \"../France\", \"target\": [\" Paris\", \" city\"]}\n",
        "{\"prompt\": \"the capital of\n",
        "{\"prompt\": \"the capital of\", \"target\": \" two of them\"}\n",
        "{\"tokens\": [381, 345, 340], \"id\": 7, \"target_diff\": [\" Paris\", \" city\"], \"answer\": \"x\"}\n",
        "{\"prompt\": \"the capital of France is\", \"target_position\": 3}\n",
        "{\"tokens\": [99999]}\n",
    );
    let (code, results) = trace(lines, folder.path(), &[]);
    assert_eq!(code, 1);
    let names = ["00000-france.safetensors", "00003-7.safetensors", "00004-the-capital-of-france-is.safetensors"];
    assert_eq!(files(folder.path()).keys().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(results.len(), 6);
    for (result, part) in results.iter().zip([None, Some("JSON"), Some("tokens"), None, None, Some("99999")]) {
        let error = result["error"].as_str();
        assert_eq!(error.is_some(), part.is_some(), "{result}");
        assert!(error.is_none_or(|error| error.contains(part.unwrap())), "{result}");
    }
    let targets = |result: &Value| {
        let texts = result["targets"].as_array().unwrap().iter().map(|target| target["text"].as_str().unwrap());
        texts.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(targets(&results[0]), [" Paris", " city"]);
    assert_eq!(targets(&results[3]), ["Paris - city"]);
    assert_eq!(results[4]["tokens"].as_array().unwrap().len(), 4);
}

#[test]
fn what_is_there_is_kept_unless_it_is_something_else_or_partial() {
    let folder = tempfile::tempdir().unwrap();
    let prompts = "the capital of France is\nthe capital\n";
    let skipped = |lines: &str, more: &[&str]| {
        let (code, results) = trace(lines, folder.path(), more);
        (code, results.iter().map(|result| result["skipped"] == true).collect::<Vec<_>>())
    };
    assert_eq!(skipped(prompts, &[]), (0, vec![false, false]));
    let before = files(folder.path());
    fs::remove_file(folder.path().join("00001-the-capital.safetensors")).unwrap();
    assert_eq!(skipped(prompts, &[]), (0, vec![true, false]));
    assert_eq!(files(folder.path()), before);
    assert_eq!(skipped(prompts, &["--force"]), (0, vec![false, false]));
    // The same names, and other prompts, targets or settings behind them.
    assert_eq!(skipped("The  capital of France is\n", &[]), (1, vec![false]));
    assert_eq!(skipped("the capital of France is\n", &["--target", " Paris"]), (1, vec![false]));
    assert_eq!(skipped(prompts, &["--batch-size", "3"]), (1, vec![false, false]));
    assert_eq!(files(folder.path()), before);
    fs::write(folder.path().join("00001-the-capital.safetensors"), b"half a file").unwrap();
    assert_eq!(skipped(prompts, &[]), (1, vec![true, false]));
}

#[test]
fn wrong_usage_of_many_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let case = fixture("llama_plt_relu");
    for wrong in [&["--shard", "0/2"][..], &["--shard", "3/2"], &["--prompt", "a"], &["--tokens", "1"]] {
        let mut program = on("trace", &case.join("model"), &case.join("transcoder"));
        program.args(["--prompts", "-", "--out"]).arg(folder.path()).args(wrong).write_stdin("a\n").assert().code(2);
    }
    circuitscope().args(["trace", "--out", "x"]).assert().code(2);
    assert_eq!(trace("\n \n", folder.path(), &[]).0, 1);
}
