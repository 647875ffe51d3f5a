//! A model without a transcoder: what needs none gives what it gives with one.

use crate::{circuitscope, fixture, on};
use serde_json::Value;
use std::path::Path;

fn output(mut program: assert_cmd::Command) -> Value {
    serde_json::from_slice(&program.assert().success().get_output().stdout).unwrap()
}

/// The program with a subcommand on a model alone.
fn alone(command: &str, model: &Path) -> assert_cmd::Command {
    let mut program = circuitscope();
    program.arg(command).arg("--model").arg(model);
    program
}

#[test]
fn prompts_are_read_and_continued_without_a_transcoder() {
    for case in ["gpt2_plt_relu", "gemma3_plt_jumprelu_skip", "llama_plt_topk"] {
        let (model, transcoder) = (fixture(case).join("model"), fixture(case).join("transcoder"));
        let both = |command: &str, more: &[&str]| {
            let [mut with, mut without] = [on(command, &model, &transcoder), alone(command, &model)];
            for program in [&mut with, &mut without] {
                program.args(["--prompt", "The capital of France is", "--json"]).args(more);
            }
            (output(with), output(without))
        };
        let (with, without) = both("tokens", &[]);
        assert_eq!((&with["prompt"], &with["tokens"]), (&without["prompt"], &without["tokens"]), "{case}");
        for more in [&["--max-tokens", "6"][..], &["--max-tokens", "6", "--temperature", "1", "--no-cache"]] {
            let (with, without) = both("generate", more);
            assert_eq!(with["without"]["text"], without["without"]["text"], "{case}");
            let tokens = |side: &Value| side["without"]["tokens"].as_array().unwrap().len();
            assert_eq!((tokens(&with), tokens(&without)), (6, 6), "{case}");
        }
    }
}

#[test]
fn what_alters_features_needs_a_transcoder() {
    let mut program = alone("generate", &fixture("gpt2_plt_relu").join("model"));
    let failed = program.args(["--prompt", "The capital", "--ablate", "0:1:2"]).assert().code(1);
    let stderr = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(stderr.contains("--transcoder"), "{stderr}");
}
