//! A reader that leaves early, as `head` does, is no failure: nothing is said and the program succeeds.

use crate::circuitscope;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a command whose stdout nobody reads.
fn unread(home: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
    program.env("HOME", home).env_remove("XDG_DATA_HOME").args(arguments);
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn whoever_stops_reading_hears_no_complaint() {
    let home = tempfile::tempdir().unwrap();
    let [graph, again] = ["demo.safetensors", "again.safetensors"].map(|name| home.path().join(name));
    circuitscope().args(["trace", "--prompt", "the capital of France is", "--out"]).arg(&graph).assert().success();
    let (graph, again) = (graph.to_str().unwrap(), again.to_str().unwrap());
    let prompt = ["--prompt", "the capital of France is"];
    let commands: &[&[&str]] = &[
        &["show", graph],
        &["show", graph, "--json"],
        &["find", graph, "Paris"],
        &["filter", graph, "type:feature", "--json"],
        &["groups", graph],
        &["paths", graph, "E_228_4", "5_234_5"],
        &["edit", graph],
        &["export", graph, "--format", "json", "--out", "-"],
        &["export", graph, "--format", "svg", "--select", "all", "--out", "-"],
        &["diff", graph, graph, "--json"],
        &["union", graph, graph],
        &["tokens", prompt[0], prompt[1]],
        &["generate", prompt[0], prompt[1], "--max-tokens", "4"],
        &["generate", prompt[0], prompt[1], "--max-tokens", "4", "--json"],
        &["features", "show", "0:1"],
        &["models"],
        &["guide"],
        &["guide", "keys"],
        &["guide", "json", "--json"],
        &["manual"],
        &["manual", "show"],
        &["completions", "bash"],
        &["--help"],
        &["show", "--help"],
    ];
    for arguments in commands {
        let (code, said) = unread(home.path(), arguments);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{arguments:?}");
    }
    // How far its work is a command may still say.
    let commands: &[&[&str]] = &[
        &["trace", prompt[0], prompt[1], "--out", again, "--json"],
        &["why", prompt[0], prompt[1], "--closest"],
        &["intervene", prompt[0], prompt[1], "--ablate", "0:0"],
        &["verify", graph, "--stability"],
        &["features", "browse"],
    ];
    for arguments in commands {
        let (code, said) = unread(home.path(), arguments);
        assert!(code == Some(0) && !said.contains("circuitscope:"), "{arguments:?}: {said}");
    }
    assert!(Path::new(again).is_file());
}
