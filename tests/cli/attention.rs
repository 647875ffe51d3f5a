//! `attention`, and `heads` of a whole graph, on the demo.

use crate::{circuitscope, fixture, on};
use serde_json::Value;
use std::path::{Path, PathBuf};

const DALLAS: &str = "fact : the capital of the state containing Dallas is";

/// A folder with the traced demo in it. What the program keeps for itself goes there too.
fn traced() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("demo.safetensors");
    circuitscope().args(["trace", "--prompt", DALLAS, "--out"]).arg(&graph).assert().success();
    (folder, graph)
}

fn asked(graph: &Path, command: &str, arguments: &[&str]) -> Value {
    let mut program = circuitscope();
    program.env("XDG_DATA_HOME", graph.with_file_name("data"));
    program.arg(command).arg(graph).args(arguments).arg("--json");
    serde_json::from_slice(&program.assert().success().get_output().stdout).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = circuitscope().arg("attention").args(arguments).assert().code(1);
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

/// From the heads that carry the graph to one of them, to where it looks, to why, to a feature that is ablated.
#[test]
fn a_head_is_found_and_explained() {
    let (_folder, graph) = traced();
    let heads = asked(&graph, "attention", &[]);
    assert_eq!(heads, asked(&graph, "heads", &[]));
    let all: f64 = list(&heads["heads"]).iter().map(|head| number(&head["influence"])).sum();
    assert!((all - number(&heads["influence"])).abs() < 1e-4 * all.abs());
    let strongest = list(&heads["heads"])
        .iter()
        .max_by(|a, b| number(&a["influence"]).total_cmp(&number(&b["influence"])))
        .unwrap();
    let head = format!("{}.{}", strongest["layer"], strongest["head"]);

    let pattern = asked(&graph, "attention", &["--head", &head]);
    let keys = list(&pattern["keys"]);
    assert!((keys.iter().map(|key| number(&key["pattern"])).sum::<f64>() - 1.0).abs() < 1e-5);
    assert_eq!(pattern["query"], keys.last().unwrap()["position"], "the last position sees all up to itself");
    let key = keys.iter().max_by(|a, b| number(&a["pattern"]).total_cmp(&number(&b["pattern"]))).unwrap();
    let position = key["position"].to_string();

    let why = asked(&graph, "attention", &["--head", &head, "--key", &position, "--top", "5", "--verify"]);
    assert_eq!((&why["score"], &why["pattern"]), (&key["score"], &key["pattern"]));
    assert!(number(&why["identity_error"]) < 1e-5);
    for (parts, of) in [("queries", "contribution"), ("keys", "contribution"), ("pairs", "contribution")] {
        let parts_of = list(&why[parts]);
        assert!(parts_of.len() <= 5 && parts_of.is_sorted_by(|a, b| number(&a[of]).abs() >= number(&b[of]).abs()));
        let sum: f64 = parts_of.iter().map(|part| number(&part[of])).sum();
        assert!((sum + number(&why["remainder"][parts]) - number(&why["difference"])).abs() < 1e-9, "{parts}");
    }
    let counted = asked(&graph, "attention", &["--head", &head, "--key", &position, "--against", "0"]);
    let first = keys.iter().find(|key| key["position"] == 0).unwrap();
    assert!((number(&counted["difference"]) - number(&key["score"]) + number(&first["score"])).abs() < 1e-6);

    for ablation in list(&why["verified"]["ablations"]) {
        for of in ["score", "difference", "pattern"] {
            let [predicted, direct] = ["predicted", "direct"].map(|which| number(&ablation[which][of]));
            assert!((predicted - direct).abs() < 1e-3, "{ablation}");
        }
    }
    let feature = list(&why["verified"]["ablations"])[0]["feature"].as_str().unwrap();
    let one = asked(&graph, "attention", &["--head", &head, "--key", &position, "--verify", feature]);
    assert_eq!(list(&one["verified"]["ablations"])[0], list(&why["verified"]["ablations"])[0]);
}

#[test]
fn a_prompt_is_told_of_as_its_graph_is() {
    let (_folder, graph) = traced();
    let told = ["--head", "1.0", "--key", "4"];
    let of_graph = asked(&graph, "attention", &told);
    let output = circuitscope().args(["attention", "--prompt", DALLAS, "--json"]).args(told).assert().success();
    let of_prompt: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    for same in ["score", "difference", "pairs", "remainder"] {
        assert_eq!(of_graph[same], of_prompt[same], "{same}");
    }
    assert!(list(&of_graph["keys"]).iter().any(|key| key["in_graph"] == true));
    assert!(list(&of_prompt["keys"]).iter().all(|key| key["in_graph"].is_null()));
}

/// What was asked goes into graph JSON, is found in it, stays when it is written again, and is no node of the graph.
#[test]
fn a_split_is_kept_in_graph_json() {
    let (folder, graph) = traced();
    let [once, twice] = ["once.json", "twice.json"].map(|name| folder.path().join(name));
    let of = |key| ["--head", "1.0", "--key", key, "--top", "4", "--out"];
    let told = asked(&graph, "attention", &[&of("4")[..], &[once.to_str().unwrap()]].concat());
    asked(&once, "attention", &[&of("5")[..], &[twice.to_str().unwrap()]].concat());
    let read = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let file = read(&twice);
    let heads: Vec<&Value> =
        list(&file["nodes"]).iter().filter(|node| node["feature_type"] == "attention head").collect();
    let last = told["query"].to_string();
    assert_eq!(
        heads.iter().map(|head| &head["node_id"]).collect::<Vec<_>>(),
        [&Value::from(format!("1_head0_4_{last}")), &Value::from(format!("1_head0_5_{last}"))]
    );
    let traced = &heads[0]["qk_tracing_results"];
    for (parts, name) in [("keys", "top_k_marginal_contributors"), ("queries", "top_q_marginal_contributors")] {
        let ids = |list: &[Value]| list.iter().map(|part| part[0].clone()).collect::<Vec<_>>();
        let wanted: Vec<Value> = list(&told[parts]).iter().map(|part| part["id"].clone()).collect();
        assert_eq!(ids(list(&traced[name])), wanted);
    }
    let nodes = |file: &Value| list(&file["nodes"]).iter().map(|node| node["node_id"].clone()).collect::<Vec<_>>();
    let named = list(&traced["pair_wise_contributors"]).iter().flat_map(|pair| [&pair[0], &pair[1]]);
    for id in named {
        assert!(nodes(&file).contains(id) || file["qk_only_nodes"][id.as_str().unwrap()].is_object(), "{id}");
    }
    assert!(list(&file["links"]).iter().all(|link| !link["source"].as_str().unwrap().contains("head")));
    let again = folder.path().join("again.json");
    circuitscope().arg("export").arg(&twice).args(["--format", "json", "--out"]).arg(&again).assert().success();
    assert_eq!(read(&again)["qk_only_nodes"], file["qk_only_nodes"]);
    assert_eq!(nodes(&read(&again)), nodes(&file));
    let shown = asked(&twice, "show", &[]);
    assert_eq!(number(&shown["nodes"]), (nodes(&file).len() - 2) as f64);
}

#[test]
fn what_cannot_be_asked_is_said_in_a_sentence() {
    let on_demo = |arguments: &[&str]| refused(&[&["--prompt", DALLAS][..], arguments].concat());
    assert!(
        on_demo(&["--head", "99.0"]).contains("head 99.0: the model has 4 layers"),
        "{}",
        on_demo(&["--head", "99.0"])
    );
    assert!(on_demo(&["--head", "0.99"]).contains("head 0.99: the model has"));
    assert!(on_demo(&["--head", "1.0", "--query", "99"]).contains("--query 99: the prompt has"));
    assert!(on_demo(&["--head", "1.0", "--key", "-99"]).contains("--key -99: the prompt has"));
    assert!(
        on_demo(&["--head", "1.0", "--query", "3", "--key", "5"]).contains("does not see position 5: it comes later")
    );
    let against = ["--head", "1.0", "--query", "3", "--key", "2", "--against", "5"];
    assert!(on_demo(&against).contains("does not see position 5"));
    let token = on_demo(&["--head", "1.0", "--key", "4", "--verify", "E_1_4"]);
    assert!(token.contains("only features can be ablated"), "{token}");
    let not_active = on_demo(&["--head", "1.0", "--key", "4", "--verify", "0_999999_1"]);
    assert!(
        not_active.contains("feature 0:1:999999") && not_active.contains("not there on this prompt"),
        "{not_active}"
    );

    let case = fixture("gemma2_plt_jumprelu");
    let mut windowed = on("attention", &case.join("model"), &case.join("transcoder"));
    windowed.args(["--prompt", "the capital of France is", "--head", "0.0", "--key", "0"]);
    let output = windowed.assert().code(1);
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("layer 0 attends within a window of 4 tokens; it sees positions 2 to 5"), "{said}");

    // A graph of the demo, and another model.
    let (_folder, graph) = traced();
    let output = on("attention", &case.join("model"), &case.join("transcoder")).arg(&graph).assert().code(1);
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("the graph was not made with this model"), "{said}");
    let help = circuitscope().args(["attention", "--help"]).assert().success();
    let help = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
    assert!(help.trim_end().lines().last().unwrap().starts_with("Example: circuitscope attention"), "{help}");
}
