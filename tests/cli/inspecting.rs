//! `show`, `find`, `paths`, `filter`, `groups` and `edit` on the graph of the demo's prompt.

use crate::circuitscope;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A folder with the traced demo in it. What the program keeps for itself goes there too.
fn traced() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("demo.safetensors");
    circuitscope().args(["trace", "--prompt", "the capital of France is", "--out"]).arg(&graph).assert().success();
    (folder, graph)
}

fn asked(graph: &Path, command: &str, arguments: &[&str]) -> Value {
    let mut program = circuitscope();
    program.env("XDG_DATA_HOME", graph.with_file_name("data"));
    program.arg(command).arg(graph).args(arguments).arg("--json");
    serde_json::from_slice(&program.assert().success().get_output().stdout).unwrap()
}

fn refused(graph: &Path, command: &str, arguments: &[&str]) -> String {
    let mut program = circuitscope();
    let output = program.arg(command).arg(graph).args(arguments).assert().code(1);
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

fn ids(nodes: &Value) -> Vec<&str> {
    nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect()
}

#[test]
fn what_is_told_of_a_graph_fits_together() {
    let (_folder, graph) = traced();
    let found = asked(&graph, "find", &["Paris"]);
    let paris = found["nodes"][0]["id"].as_str().unwrap();
    assert_eq!((&found["nodes"][0]["kind"], &found["nodes"][0]["token"]), (&"logit".into(), &"Paris".into()));
    let france = ids(&asked(&graph, "filter", &["type:token token:France"])["nodes"])[0].to_owned();

    // The kept inputs of the answer are what the filter finds, and a path of one step has an input's share as strength.
    let shown = asked(&graph, "show", &[paris, "--top", "1000"]);
    let inputs = shown["inputs"].as_array().unwrap();
    let filtered = asked(&graph, "filter", &[&format!("to:{paris}")]);
    assert_eq!(filtered["edges"].as_array().unwrap().len(), inputs.len());
    assert_eq!(shown["kept_inputs"], inputs.len());
    let share = |source: &str| inputs.iter().find(|edge| edge["source"] == source).unwrap()["share"].as_f64().unwrap();
    let paths = asked(&graph, "paths", &[&france, paris, "-k", "1000"]);
    let all = paths["paths"].as_array().unwrap();
    let direct = all.iter().find(|path| path["nodes"].as_array().unwrap().len() == 2).unwrap();
    assert!((direct["strength"].as_f64().unwrap() - share(&france)).abs() < 1e-12);
    assert!((paths["coverage"].as_f64().unwrap() - 1.0).abs() < 1e-9, "with all paths all is covered");

    let (first, all) = (asked(&graph, "show", &["--top", "3"]), asked(&graph, "show", &["--top", "1000"]));
    assert_eq!(ids(&first["top"]), ids(&all["top"])[..3]);
    assert_eq!(ids(&all["top"]).len() as u64, all["kept_nodes"].as_u64().unwrap());
    let features = asked(&graph, "show", &["--top", "1000", "--filter", "type:feature"]);
    assert_eq!(ids(&features["top"]), ids(&asked(&graph, "filter", &["type:feature"])["nodes"]));
    let lacking = asked(&graph, "filter", &["promotes~Paris"]);
    assert_eq!(lacking["lacking"].as_array().unwrap().len(), 1);
}

#[test]
fn edits_are_saved_beside_the_graph_and_found_again() {
    let (folder, graph) = traced();
    let features = asked(&graph, "filter", &["type:feature"]);
    let features = ids(&features["nodes"]);
    let (a, b) = (features[0], features[1]);
    let group = format!("capital={a},{b}");
    let edited = asked(&graph, "edit", &["--pin", "E_228_4", "--group", &group, "--note", "as expected"]);
    assert_eq!(edited["changed"], true);
    assert!(folder.path().join("demo.safetensors.session.json").is_file());
    let (layer, rest) = a.split_once('_').unwrap();
    let label = format!("{layer}:{}=says a capital", rest.split_once('_').unwrap().0);
    asked(&graph, "edit", &["--label", &label, "--node-threshold", "0.9"]);

    let shown = asked(&graph, "show", &[]);
    assert_eq!((&shown["notes"], &shown["node_threshold"]), (&"as expected".into(), &0.9.into()));
    assert_eq!(shown["pins"], serde_json::json!(["E_228_4", a, b]));
    assert_eq!(asked(&graph, "find", &["says a capital"])["nodes"][0]["id"], a);
    assert_eq!(ids(&asked(&graph, "filter", &["label:\"says a capital\""])["nodes"]), [a]);
    let groups = asked(&graph, "groups", &[]);
    assert_eq!(groups["supernodes"][0]["members"], serde_json::json!([a, b]));
    assert_eq!(groups["replacement_score"], shown["pinned_replacement_score"]);

    let mut export = circuitscope();
    export.arg("export").arg(&graph).args(["--select", "pinned", "--format", "markdown", "--out", "-"]);
    let note = String::from_utf8(export.assert().success().get_output().stdout.clone()).unwrap();
    assert!(note.contains("says a capital") && note.contains("as expected"), "{note}");

    let left = asked(&graph, "edit", &["--dissolve", "capital", "--unpin", "E_228_4"]);
    assert_eq!((&left["groups"], &left["pins"]), (&serde_json::json!([]), &serde_json::json!([a, b])));
    assert_eq!(asked(&graph, "edit", &[])["changed"], false);
}

#[test]
fn what_is_not_there_is_said_and_changes_nothing() {
    let (folder, graph) = traced();
    assert!(refused(&graph, "show", &["9_9_9"]).contains("has no node 9_9_9"));
    assert!(refused(&graph, "paths", &["E_228_4", "Paris"]).contains("has no node Paris"));
    let error = refused(&graph, "filter", &["type:feature act>x"]);
    assert!(error.contains("expected a number after `act>`") && error.ends_with("^\n"), "{error}");
    assert!(refused(&graph, "edit", &["--pin", "E_228_4", "--dissolve", "none"]).contains("there is no group none"));
    assert!(refused(&graph, "edit", &["--label", "99:0=x"]).contains("there is no layer 99"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no session was written");
}

#[test]
fn the_guide_holds_the_grammar_of_filters() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guide/filters.md")).unwrap();
    let grammar = circuitscope::graph::query::grammar();
    assert!(page.contains(&format!("```text\n{grammar}```\n")), "put this into filters.md:\n{grammar}");
}
