//! `trace --resume`: a trace that was stopped goes on to the very file that an uninterrupted one writes.

use crate::stopping::{interrupt, start};
use crate::{circuitscope, fixture, on};
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&command.arg("--json").assert().success().get_output().stdout).unwrap()
}

/// `trace` on the case that [`start`] works on.
fn trace(threads: &str) -> Command {
    let case = fixture("llama_plt_relu");
    let mut command = on("trace", &case.join("model"), &case.join("transcoder"));
    command.args(["--threads", threads]);
    command
}

fn says(command: &mut Command, code: i32, what: &str) {
    let output = command.assert().code(code).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(what), "{said}");
}

#[test]
#[cfg(unix)]
fn a_stopped_trace_goes_on_to_the_same_file_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, stopped) = (folder.path().join("whole.safetensors"), folder.path().join("stopped.safetensors"));
    let settings = ["--max-feature-nodes", "1500", "--batch-size", "64", "--threads", "1"];
    assert!(start(&whole, 30, &settings).wait().unwrap().success());
    let partial = start(&stopped, 30, &[&settings[..], &["--keep-partial"]].concat());
    assert_eq!(interrupt(partial), Some(0));
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&stopped) < size(&whole), "it was stopped early enough");
    let result = json(trace("2").arg("--resume").arg(&stopped));
    assert_eq!((&result["feature_rows"], &result["partial"]), (&1500.into(), &false.into()));
    assert!(std::fs::read(&whole).unwrap() == std::fs::read(&stopped).unwrap(), "the files differ");
}

#[test]
fn a_finished_trace_is_extended_into_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let run = |out: &Path, more: &[&str]| {
        json(
            circuitscope()
                .args(["trace", "--batch-size", "8", "--update-interval", "1"])
                .args(more)
                .arg("--out")
                .arg(out),
        )
    };
    let prompt = ["--prompt", "fact : the capital of the state containing Dallas is", "--max-feature-nodes"];
    run(&path("20"), &[&prompt[..], &["20"]].concat());
    run(&path("all"), &[&prompt[..], &["all"]].concat());
    let mut extend = circuitscope();
    extend.args(["trace", "--max-feature-nodes", "all", "--resume"]).arg(path("20"));
    json(extend.arg("--out").arg(path("extended")));
    assert!(std::fs::read(path("all")).unwrap() == std::fs::read(path("extended")).unwrap(), "the files differ");

    says(circuitscope().args(["trace", "--resume"]).arg(path("20")).args(["--prompt", "another"]), 2, "--prompt");
    says(circuitscope().args(["trace", "--resume"]).arg(path("20")).args(["--batch-size", "9"]), 2, "--batch-size");
    says(circuitscope().args(["trace", "--resume"]).arg(path("20")).args(["--shard", "1/2"]), 2, "--shard");
    says(circuitscope().args(["trace", "--out"]).arg(path("new")), 2, "--prompt");
    says(circuitscope().args(["trace", "--prompt", "fact"]), 2, "--out");
    let fewer = ["--max-feature-nodes", "19"];
    says(circuitscope().args(["trace", "--resume"]).arg(path("20")).args(fewer), 1, "19 are fewer");
    says(trace("1").arg("--resume").arg(path("20")), 1, "made from other files: model/");
}
