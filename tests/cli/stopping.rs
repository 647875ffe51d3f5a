//! Ctrl-C in the middle of a trace.
#![cfg(unix)]

use crate::{circuitscope, fixture};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A trace of a prompt of 7 words `times` over, which takes seconds where there are hundreds of words.
pub fn start(out: &Path, times: usize, more: &[&str]) -> Child {
    let case = fixture("llama_plt_relu");
    let prompt = "the state where Dallas is was said ".repeat(times);
    Command::new(env!("CARGO_BIN_EXE_circuitscope"))
        .arg("trace")
        .arg("--model")
        .arg(case.join("model"))
        .arg("--transcoder")
        .arg(case.join("transcoder"))
        .args(["--prompt", &prompt, "--out"])
        .arg(out)
        .args(more)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A row for each of thousands of features.
const ALL: [&str; 2] = ["--max-feature-nodes", "all"];

/// Interrupts the trace once it computes rows; gives its exit code.
pub fn interrupt(mut child: Child) -> Option<i32> {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = stderr.lines();
    assert!(lines.by_ref().any(|line| line.unwrap() == "feature rows"), "the trace computes rows");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    lines.for_each(drop);
    child.wait().unwrap().code()
}

#[test]
fn a_stopped_trace_leaves_no_file_unless_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("graph.safetensors");
    assert_eq!(interrupt(start(&out, 60, &ALL)), Some(1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    assert_eq!(interrupt(start(&out, 60, &[&ALL[..], &["--keep-partial"]].concat())), Some(0));
    let dense = folder.path().join("dense.safetensors");
    let mut export = circuitscope();
    export.arg("export").arg(&out).args(["--format", "dense", "--json", "--out"]).arg(&dense);
    let result: Value = serde_json::from_slice(&export.assert().success().get_output().stdout).unwrap();
    assert_eq!(result["partial"], Value::Bool(true));
}
