//! `verify`, `why`, `diff`, `union` and `heads` on the demo.

use crate::circuitscope;
use serde_json::Value;
use std::fs;

const DALLAS: &str = "fact : the capital of the state containing Dallas is";
const OAKLAND: &str = "fact : the capital of the state containing Oakland is";

fn asked(arguments: &[&str]) -> Value {
    let output = circuitscope().args(arguments).arg("--json").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_report_holds_what_was_checked() {
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("demo.safetensors");
    circuitscope().args(["trace", "--prompt", DALLAS, "--out"]).arg(&graph).assert().success();
    let (graph, report) = (graph.to_str().unwrap(), folder.path().join("report"));
    let all = asked(&["verify", graph, "--report", report.to_str().unwrap(), "--top", "5"]);
    let text = fs::read_to_string(report.join("report.md")).unwrap();
    assert!(
        text.contains(&format!("| Prompt | {DALLAS} |")) && text.contains("| Model | circuitscope-demo |"),
        "{text}"
    );
    for (key, figures) in
        [("subgraph", 1), ("faithfulness", 1), ("replacement", 1), ("perturbation", 1), ("stability", 0)]
    {
        assert!(all[key].is_object(), "{key}");
        for nth in 1..=figures {
            let name = format!("{key}-{nth}.svg");
            assert!(
                text.contains(&name) && fs::read_to_string(report.join(&name)).unwrap().contains("<text"),
                "{name}"
            );
        }
    }
    assert_eq!(all["subgraph"]["divergences"].as_array().unwrap().len(), 5);
    let off = |pair: &Value| (number(&pair["predicted"]) - number(&pair["observed"])).abs();
    assert!(all["subgraph"]["pairs"].as_array().unwrap().is_sorted_by(|a, b| off(a) >= off(b)), "the worst first");

    // The edge of a pair, in all modes; its split by heads is the same edge.
    let pair = &all["subgraph"]["pairs"][0];
    let [source, target] = ["source", "target"].map(|end| pair[end].as_str().unwrap());
    let edge = &asked(&["verify", graph, "--edge", source, target])["edge"];
    let modes = edge["modes"].as_array().unwrap();
    assert_eq!(
        modes.iter().map(|it| it["mode"].as_str().unwrap()).collect::<Vec<_>>(),
        ["direct", "frozen attention", "free"]
    );
    let weight = number(&edge["weight"]);
    assert!((number(&modes[0]["predicted"]) + weight).abs() < 1e-9);
    assert!((number(&modes[0]["observed"]) + weight).abs() < 1e-3);
    assert!((number(&modes[2]["observed"]) - number(&pair["observed"])).abs() < 1e-6);
    let heads = asked(&["heads", graph, "--edge", source, target]);
    let last: f64 = heads["heads"].as_array().unwrap().iter().map(|it| number(&it["last"])).sum();
    assert!((number(&heads["no_head"]) + last - weight).abs() < 1e-3, "{heads}");

    // Pruning alone needs no model.
    let stable = asked(&["verify", graph, "--stability"]);
    assert_eq!(stable["stability"], all["stability"]);
    let output = circuitscope().args(["verify", graph, "--edge", "E_3_9", target]).assert().code(1);
    assert!(String::from_utf8_lossy(&output.get_output().stderr).contains("no "), "{output:?}");
}

#[test]
fn why_a_feature_of_another_state_is_silent() {
    let list = asked(&["why", "--prompt", DALLAS, "--fires-in", OAKLAND]);
    let features = list["features"].as_array().unwrap();
    assert!(!features.is_empty());
    let silent = &features[0];
    let name = ["layer", "position", "feature"].map(|key| silent[key].to_string()).join(":");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("why.safetensors");
    let why = asked(&["why", &name, "--prompt", DALLAS, "--out", out.to_str().unwrap()]);
    assert_eq!(why["active"], false);
    let sum = number(&why["pushed_up"]) + number(&why["held_down"]) + number(&why["constant"]);
    assert!((sum - number(&why["pre_activation"])).abs() < 1e-3, "{why}");
    assert!(why["down"].as_array().unwrap().iter().all(|it| number(&it["effect"]) < 0.0));
    // What was written is a graph like any other, whose output the feature is.
    let shown = asked(&["show", out.to_str().unwrap(), "--top", "1000"]);
    let output = shown["top"].as_array().unwrap().iter().find(|node| node["kind"] == "logit").unwrap();
    assert_eq!(output["token"], format!("{name} pre-activation"));
    let at = asked(&["why", "--prompt", DALLAS, "--closest", "3", "--position", "9"]);
    assert_eq!(at["features"].as_array().unwrap().len(), 3);
    circuitscope().args(["why", "9:1:1", "--prompt", DALLAS]).assert().code(1);
    circuitscope().args(["why", "x", "--prompt", DALLAS]).assert().code(2);
}

#[test]
fn two_prompts_and_any_number_laid_over_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("both.json");
    let both = asked(&["diff", "--prompt", DALLAS, "--prompt", OAKLAND, "--out", out.to_str().unwrap()]);
    let texts: Vec<&str> = both["columns"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"Dallas/Oakland"), "{texts:?}");
    let nodes = both["nodes"].as_array().unwrap();
    for difference in ["only A", "only B"] {
        assert!(nodes.iter().any(|node| node["difference"] == difference), "{difference}");
    }
    // As a graph it holds as many nodes, and says in labels whose they are.
    let shown = asked(&["show", out.to_str().unwrap(), "--node-threshold", "1", "--edge-threshold", "1"]);
    assert_eq!(shown["nodes"], nodes.len());
    assert!(fs::read_to_string(&out).unwrap().contains("[A]"));

    let same = asked(&["diff", "--prompt", DALLAS, "--prompt", DALLAS]);
    assert!(same["nodes"].as_array().unwrap().iter().all(|node| node["difference"] == "shared"));
    let three = asked(&["union", "--prompt", DALLAS, "--prompt", OAKLAND, "--prompt", "the capital of France is"]);
    assert!(three["nodes"].as_array().unwrap().iter().any(|node| node["recurs"] == 3), "the leading token at least");
    // What a trace may be told, each of these may be.
    let logits = |more: &[&str]| {
        let all = asked(&[&["union", "--prompt", DALLAS, "--prompt", OAKLAND][..], more].concat());
        let nodes =
            all["nodes"].as_array().unwrap().iter().filter(|node| node["id"].as_str().unwrap().starts_with("5_"));
        nodes.map(|node| node["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(logits(&["--target", "Austin", "--max-feature-nodes", "32"]).len(), 1);
    assert_eq!(logits(&["--max-logits", "1", "--max-feature-nodes", "32"]).len(), 2);
    circuitscope().args(["diff", "--prompt", DALLAS]).assert().code(1);

    let [raw, json] = ["dallas.safetensors", "elsewhere.json"].map(|name| folder.path().join(name));
    circuitscope().args(["trace", "--prompt", DALLAS, "--out"]).arg(&raw).assert().success();
    let mut export = circuitscope();
    export.arg("export").arg(&raw).args(["--format", "json", "--scan", "elsewhere", "--out"]).arg(&json);
    export.assert().success();
    let told = circuitscope().arg("diff").arg(&raw).arg(&json).assert().success().get_output().stderr.clone();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("warning") && told.contains("and another of elsewhere"), "{told}");
}
