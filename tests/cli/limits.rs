//! What the system allows a process, counted and told of.
#![cfg(unix)]

use crate::circuitscope;
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;

const PROMPT: &str = "fact : the capital of the state containing Dallas is";

/// The program under limits of the shell (`ulimit`).
fn limited(limits: &str, arguments: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_circuitscope")]).args(arguments);
    shell
}

fn traced(folder: &Path) -> String {
    let graph = folder.join("graph.safetensors").to_str().unwrap().to_owned();
    circuitscope().args(["trace", "--prompt", PROMPT, "--out", &graph]).assert().success();
    graph
}

#[cfg(target_os = "linux")]
#[test]
fn the_plan_counts_what_the_process_may_address() {
    let may_hold = |limits: &str| {
        let trace = ["trace", "--plan=full", "--json", "--prompt", PROMPT, "--out", "unused"];
        let output = limited(limits, &trace).assert().success().get_output().stdout.clone();
        serde_json::from_slice::<Value>(&output).unwrap()["limit_bytes"].as_u64().unwrap()
    };
    let most = 1_500_000;
    assert!(may_hold(&format!("ulimit -v {most}")) < most * 1024);
    assert!(may_hold(&format!("ulimit -d {most}")) <= most * 1024);
}

#[test]
fn threads_that_cannot_be_had_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("graph");
    let trace = |threads| ["trace", "--threads", threads, "--prompt", PROMPT, "--out", out.to_str().unwrap()];
    let said = |mut command: Command, code| {
        String::from_utf8(command.assert().code(code).get_output().stderr.clone()).unwrap()
    };
    // A thousand stacks of 2 MiB take more addresses than these.
    // So do twice as many of 4 GiB, and candle starts as many again.
    for addresses in ["1000000", "4194304"] {
        let refused = said(limited(&format!("ulimit -v {addresses}"), &trace("1000")), 1);
        assert!(refused.contains("--threads") && !refused.contains("panicked"), "{refused}");
    }
    let mut absurd = circuitscope();
    absurd.args(trace("60000"));
    assert!(said(absurd, 2).contains("1024"));
}

#[test]
fn an_edit_that_cannot_be_saved_says_so_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let graph = traced(folder.path());
    let edit = |limits: &str, note: &str| {
        let mut edit = limited(limits, &["edit", &graph, "--note", note]);
        edit.env("XDG_DATA_HOME", folder.path().join("data"));
        edit
    };
    edit("true", "before").assert().success();
    let long = "x".repeat(20_000);
    let refused = edit("ulimit -f 8", &long).assert().code(1).get_output().stderr.clone();
    assert!(String::from_utf8(refused).unwrap().contains("not saved"));
    let session = fs::read_to_string(format!("{graph}.session.json")).unwrap();
    assert!(session.contains("\"before\""), "what was saved is still there");
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with('.')), "nothing half-written is left");
    edit("true", &long).assert().success();
}

#[test]
fn edits_of_many_programs_at_once_are_all_saved() {
    let folder = tempfile::tempdir().unwrap();
    let graph = traced(folder.path());
    let edits: Vec<_> = (0..24)
        .map(|nth| {
            let mut edit = std::process::Command::new(env!("CARGO_BIN_EXE_circuitscope"));
            edit.args(["edit", &graph, "--label", &format!("0:{nth}=label {nth}")]);
            edit.stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut edit in edits {
        assert!(edit.wait().unwrap().success());
    }
    let session: Value = serde_json::from_slice(&fs::read(format!("{graph}.session.json")).unwrap()).unwrap();
    assert_eq!(session["feature_labels"].as_array().unwrap().len(), 24);
}

#[test]
fn a_program_that_was_killed_while_it_wrote_leaves_nothing_after_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let graph = traced(folder.path());
    for name in [".circuitscope-aB3dE6", ".graph.safetensors.session.json.lock"] {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    circuitscope().args(["edit", &graph, "--note", "next"]).assert().success();
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["graph.safetensors", "graph.safetensors.session.json"]);
}
