//! `export --format json` against the file that circuit-tracer wrote, from the prompt's text on.

use crate::engine::Case;
use crate::fixture::{CASES, Tensors, folder};
use assert_cmd::Command;
use circuitscope::format::{self, raw};
use circuitscope::graph::{AttributionGraph, Node};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// What a node is called whatever the dialect of its id: type, layer, position, feature.
type Key = (String, String, u64, i64);

fn key(node: &Value) -> Key {
    let text = |name: &str| node[name].as_str().unwrap().to_owned();
    (text("feature_type"), text("layer"), node["ctx_idx"].as_u64().unwrap(), node["feature"].as_i64().unwrap())
}

fn nodes(file: &Value) -> &[Value] {
    file["nodes"].as_array().unwrap()
}

/// The links by what their ends are, in the order of the file.
fn links(file: &Value) -> Vec<(Key, Key, f64)> {
    let keys: HashMap<&str, Key> =
        nodes(file).iter().map(|node| (node["node_id"].as_str().unwrap(), key(node))).collect();
    assert_eq!(keys.len(), nodes(file).len(), "an id names one node");
    let end = |link: &Value, which: &str| keys[link[which].as_str().unwrap()].clone();
    let links = file["links"].as_array().unwrap();
    links.iter().map(|link| (end(link, "source"), end(link, "target"), link["weight"].as_f64().unwrap())).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Traces a case's first prompt in full and exports it as the reference was.
fn exported(name: &str) -> Value {
    const RUN: &str = "p0.full.safetensors";
    let case = Case::open(name);
    let runs = case.description["runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["file"] == RUN).unwrap();
    let expected = Tensors::open(&folder(name).join(RUN));
    let directory = tempfile::tempdir().unwrap();
    raw::write(&directory.path().join("trace.safetensors"), &case.trace(run, &expected)).unwrap();
    let mut export = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
    export.current_dir(&directory).args(["export", "trace.safetensors", "--format", "json"]);
    export.args(["--node-threshold", "0.8", "--edge-threshold", "0.98", "--out", "golden-p0.json"]).assert().success();
    read(&directory.path().join("golden-p0.json"))
}

#[test]
fn graph_json_is_circuit_tracers() {
    let golden = |case: &&str| folder(case).join("p0.graph_json/golden-p0.json");
    let cases: Vec<_> = CASES.iter().filter(|case| golden(case).exists()).collect();
    assert!(!cases.is_empty());
    for case in cases {
        let (found, wanted) = (exported(case), read(&golden(case)));
        for (name, value) in wanted["metadata"].as_object().unwrap() {
            assert_eq!(&found["metadata"][name], value, "{case}: metadata, {name}");
        }
        assert_eq!(found["qParams"], wanted["qParams"], "{case}");
        compare_nodes(case, nodes(&found), nodes(&wanted));
        compare_links(case, &links(&found), &links(&wanted));
        compare_opened(case, &golden(case), &found);
    }
}

fn compare_nodes(case: &str, found: &[Value], wanted: &[Value]) {
    assert_eq!(found.iter().map(key).collect::<Vec<_>>(), wanted.iter().map(key).collect::<Vec<_>>(), "{case}: nodes");
    for (found, wanted) in found.iter().zip(wanted) {
        let names = |node: &Value| node.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(found), names(wanted), "{case}");
        for (name, value) in wanted.as_object().unwrap() {
            let what = format!("{case}: {name} of {wanted}");
            let tolerance = match name.as_str() {
                "influence" | "token_prob" => 1e-5,
                "activation" => 1e-4,
                // Older files give error nodes the ids that features of layer 0 may have.
                "node_id" if wanted["feature"] == -1 => {
                    let (layer, position) = (wanted["layer"].as_str().unwrap(), &wanted["ctx_idx"]);
                    assert_eq!(found[name], format!("{layer}_-1_{position}"), "{what}");
                    continue;
                }
                _ => {
                    assert_eq!(&found[name], value, "{what}");
                    continue;
                }
            };
            match (found[name].as_f64(), value.as_f64()) {
                (Some(a), Some(b)) => assert!((a - b).abs() <= tolerance, "{what} is {a}"),
                (a, b) => assert_eq!(a, b, "{what}"),
            }
        }
    }
}

fn compare_links(case: &str, found: &[(Key, Key, f64)], wanted: &[(Key, Key, f64)]) {
    let ends = |links: &[(Key, Key, f64)]| -> Vec<(Key, Key)> {
        links.iter().map(|(source, target, _)| (source.clone(), target.clone())).collect()
    };
    assert_eq!(ends(found), ends(wanted), "{case}: links");
    let largest = wanted.iter().fold(0.0f64, |most, link| most.max(link.2.abs()));
    for ((source, target, a), (_, _, b)) in found.iter().zip(wanted) {
        let near = (a - b).abs() <= 1e-5 * largest + 1e-4 * b.abs();
        assert!(near, "{case}: the link from {source:?} to {target:?} weighs {a}, not {b}");
    }
}

/// The reference file's error nodes share ids with features; opened, it is the graph that ours, which shares none, is.
fn compare_opened(case: &str, golden: &Path, found: &Value) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("found.json");
    std::fs::write(&path, found.to_string()).unwrap();
    let [golden, found] = [golden, &path].map(|path| format::open(path).unwrap().graph);
    let places = |graph: &AttributionGraph| -> Vec<_> {
        let place = |node: &Node| (std::mem::discriminant(&node.kind), node.layer(), node.position());
        graph.nodes().iter().map(place).collect()
    };
    assert_eq!(places(&golden), places(&found), "{case}: nodes");
    assert_eq!((golden.n_layers(), golden.tokens()), (found.n_layers(), found.tokens()), "{case}");
    let ends = |graph: &AttributionGraph| -> Vec<_> { graph.edges().map(|edge| (edge.source, edge.target)).collect() };
    assert_eq!(ends(&golden), ends(&found), "{case}: edges");
}
