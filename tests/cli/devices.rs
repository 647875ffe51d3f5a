//! `--device` and `--dtype`, as far as they can be had on any machine.

use crate::circuitscope;
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

const PROMPT: [&str; 2] = ["--prompt", "fact : the capital of the state containing Dallas is"];

fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&command.arg("--json").assert().success().get_output().stdout).unwrap()
}

fn trace(out: &Path, more: &[&str]) -> Command {
    let mut command = circuitscope();
    command.args(["trace", "--max-feature-nodes", "30"]).args(PROMPT).args(more).arg("--out").arg(out);
    command
}

/// The sentence that a refused command leaves on stderr.
fn refusal(command: &mut Command, code: i32) -> String {
    String::from_utf8(command.assert().code(code).get_output().stderr.clone()).unwrap()
}

#[test]
fn half_precision_says_how_far_it_may_be_off_wherever_the_trace_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let exact = json(&mut trace(&path("f32"), &["--dtype", "f32"]));
    let half = json(&mut trace(&path("bf16"), &["--dtype", "bf16"]));
    assert_eq!(exact["warnings"], Value::Array(Vec::new()));
    let warning = half["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("half precision (bf16)") && warning.contains("5 %"), "{warning}");
    let output = trace(&path("again"), &["--dtype", "bf16"]).assert().success().get_output().clone();
    assert!(String::from_utf8(output.stderr).unwrap().contains(warning));
    assert!(std::fs::read(path("again")).unwrap() == std::fs::read(path("bf16")).unwrap(), "the files differ");
    let shown = |name: &str| json(circuitscope().arg("show").arg(path(name)))["dtype"].clone();
    assert_eq!((shown("f32"), shown("bf16")), ("f32".into(), "bf16".into()));
    let values = |trace: &Value| trace["targets"][0]["probability"].as_f64().unwrap();
    assert!(values(&exact) != values(&half), "bf16 is computed otherwise");

    let mut resume = circuitscope();
    resume.args(["trace", "--resume"]).arg(path("bf16")).args(["--max-feature-nodes", "40"]);
    let said = refusal(&mut resume, 1);
    assert!(said.contains("number type was \"bf16\", and here it is \"f32\""), "{said}");
    json(resume.args(["--dtype", "bf16"]));
}

#[test]
fn interventions_compute_in_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let run = |dtype: &str| {
        let out = folder.path().join(dtype);
        let mut command = circuitscope();
        command.arg("intervene").args(PROMPT).args(["--set", "1:9:42=2", "--mode", "free", "--dtype", dtype]);
        let result = json(command.arg("--out").arg(&out));
        (result["warnings"].as_array().unwrap().len(), std::fs::read(out).unwrap())
    };
    let (exact, half) = (run("f32"), run("bf16"));
    assert_eq!((exact.0, half.0), (0, 1));
    assert!(exact.1 != half.1);
}

#[test]
fn a_device_that_cannot_be_had_is_named_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("graph");
    // No machine has so many cards.
    for (device, feature) in [("cuda:999", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))] {
        if device == "metal" && feature {
            continue;
        }
        let said = refusal(&mut trace(&out, &["--device", device]), 1);
        assert!(said.contains(&format!("device {device} cannot be used: ")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(feature || said.contains("built without it"), "{said}");
    }
    assert!(refusal(&mut trace(&out, &["--device", "gpu"]), 2).contains("cpu, cuda, cuda:N or metal"));
    assert!(refusal(&mut trace(&out, &["--dtype", "f16"]), 2).contains("bf16"));
    assert!(!out.exists());
}
