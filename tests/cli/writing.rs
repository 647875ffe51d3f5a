//! What is written where: never over what is read, and over nothing that is there unless it was asked to.

use crate::{circuitscope, fixture};
use assert_cmd::Command;
use std::fs;
use std::path::Path;

const FRANCE: &str = "the capital of France is";

fn trace(folder: &Path, out: &str, more: &[&str]) -> Command {
    let mut program = circuitscope();
    program.current_dir(folder).args(["trace", "--max-feature-nodes", "10", "--out", out]);
    program.arg("--model").arg(fixture("llama_plt_relu/model"));
    program.arg("--transcoder").arg(fixture("llama_plt_relu/transcoder")).args(more);
    program
}

/// A folder with graphs of two prompts.
fn graphs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path(), "a", &["--prompt", FRANCE]).assert().success();
    trace(folder.path(), "b", &["--prompt", "the capital of Spain is"]).assert().success();
    folder
}

#[track_caller]
fn refuses(program: &mut Command, part: &str) {
    let output = program.assert().code(1).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(part), "{said:?} does not say {part:?}");
}

#[test]
fn nothing_is_written_over_what_is_read() {
    let folder = graphs();
    let files = || ["a", "b"].map(|name| fs::read(folder.path().join(name)).unwrap());
    let before = files();
    let run = |args: &[&str]| {
        let mut program = circuitscope();
        program.current_dir(folder.path()).args(args);
        program
    };
    for force in [&[][..], &["--force"]] {
        for out in ["a", "./b"] {
            refuses(run(&["diff", "a", "b", "--out", out]).args(force), "is the graph itself");
            refuses(run(&["union", "a", "b", "--out", out]).args(force), "is the graph itself");
        }
        refuses(run(&["export", "a", "--format", "json", "--out", "a"]).args(force), "is the graph itself");
    }
    assert_eq!(files(), before);
}

#[test]
fn what_is_there_is_replaced_only_with_force() {
    let folder = graphs();
    let there = folder.path().join("there");
    let [model, set] = ["model", "transcoder"].map(|which| fixture("llama_plt_relu").join(which).display().to_string());
    let engine = ["--model", model.as_str(), "--transcoder", set.as_str()];
    let intervene = [&["intervene", "--prompt", FRANCE, "--ablate", "0:1"], &engine[..]].concat();
    let why = [&["why", "1:2:3", "--prompt", FRANCE], &engine[..]].concat();
    let again = [&["trace", "--prompt", FRANCE, "--max-feature-nodes", "10"], &engine[..]].concat();
    let resume = [&["trace", "--resume", "a", "--max-feature-nodes", "20"], &engine[..]].concat();
    for command in [
        &["diff", "a", "b"][..],
        &["union", "a", "b"],
        &["export", "a", "--format", "svg"],
        &["export", "a", "--format", "dense"],
        &intervene,
        &why,
        &again,
        &resume,
    ] {
        fs::write(&there, "precious").unwrap();
        let mut program = circuitscope();
        program.current_dir(folder.path()).args(command).args(["--out", "there"]);
        refuses(&mut program, "--force");
        assert_eq!(fs::read(&there).unwrap(), b"precious", "{command:?}");
        program.arg("--force").assert().success();
        assert_ne!(fs::read(&there).unwrap(), b"precious", "{command:?}");
    }
    // A trace that goes on does so in its own file.
    let mut program = circuitscope();
    program.current_dir(folder.path()).args(resume).assert().success();
}

#[test]
fn stdout_is_no_file_called_dash() {
    let folder = graphs();
    refuses(&mut trace(folder.path(), "-", &["--prompt", FRANCE]), "--out -");
    let mut program = circuitscope();
    refuses(program.current_dir(folder.path()).args(["diff", "a", "b", "--out", "-"]), "--out -");
    assert!(!folder.path().join("-").exists());
    trace(folder.path(), "./-", &["--prompt", FRANCE]).assert().success();
    assert!(folder.path().join("-").exists());
}

#[test]
fn a_word_that_is_not_known_is_not_traced() {
    let folder = tempfile::tempdir().unwrap();
    for target in [&["--target", "Parisville"][..], &["--target-diff", "Paris", "Parisville"]] {
        let more = [&["--prompt", FRANCE], target].concat();
        refuses(&mut trace(folder.path(), "out", &more), "Parisville");
    }
    assert!(!folder.path().join("out").exists());
}
