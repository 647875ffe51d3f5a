//! `circuitscope export`, as it is called.

use crate::fixture::{Tensors, assert_close, graph_files};
use crate::trace;
use assert_cmd::Command;
use circuitscope::format::raw;
use std::fs;
use std::path::Path;

fn export(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
    command.current_dir(directory).args(["export", "trace", "--format", "dense"]).args(arguments);
    command
}

/// A directory with a raw graph in it, `trace`.
fn with_trace() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = &graph_files("llama_plt_relu")[0];
    raw::write(&directory.path().join("trace"), &trace::of_reference(&Tensors::open(path))).unwrap();
    directory
}

#[test]
fn an_export_reports_what_it_holds() {
    let directory = with_trace();
    let arguments = ["--out", "dense", "--node-threshold", "0.5", "--edge-threshold", "0.9", "--json"];
    let output = export(directory.path(), &arguments).assert().success().get_output().stdout.clone();
    let result: serde_json::Value = serde_json::from_slice(&output).unwrap();

    let dense = Tensors::open(&directory.path().join("dense"));
    let reference = Tensors::open(&graph_files("llama_plt_relu")[0]);
    let kept = |mask: &str| reference.mask(mask).into_iter().filter(|kept| *kept).count();
    assert_eq!(dense.mask("edge_mask"), reference.mask("prune_50_90.edge_mask"));
    assert_eq!(result["kept_nodes"], kept("prune_50_90.node_mask"));
    assert_eq!(result["kept_edges"], kept("prune_50_90.edge_mask"));
    assert_eq!(result["node_threshold"], 0.5);
    assert_eq!(result["out"], "dense");
    let scores = ["replacement_score", "completeness_score"].map(|name| result[name].as_f64().unwrap());
    assert_close("scores", &scores, &dense.f64("graph_scores"), 1e-12);
}

#[test]
fn a_threshold_that_is_no_share_is_wrong_usage() {
    let directory = with_trace();
    for share in ["1.01", "-0.1", "NaN", "half"] {
        let argument = format!("--edge-threshold={share}");
        let failure = export(directory.path(), &["--out", "dense", &argument]).assert().code(2);
        let message = String::from_utf8(failure.get_output().stderr.clone()).unwrap();
        assert!(message.contains("a number from 0 to 1"), "{message}");
    }
    assert!(!directory.path().join("dense").exists());
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let directory = with_trace();
    let says = |arguments: &[&str], part: &str| {
        let failure = export(directory.path(), arguments).assert().code(1);
        let message = String::from_utf8(failure.get_output().stderr.clone()).unwrap();
        assert!(message.contains(part), "{message}");
    };
    says(&["--out", "trace"], "--out is the graph itself");
    says(&["--out", "no/where"], "there is no directory no");
    let whole = fs::read(directory.path().join("trace")).unwrap();
    fs::write(directory.path().join("trace"), &whole[..whole.len() / 2]).unwrap();
    says(&["--out", "dense"], "trace is damaged");
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["trace"]);
}
