//! `trace`, `export` and `intervene`, one after another, against circuit-tracer's files.

use crate::{circuitscope, fixture, on};
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::Path;

fn floats(file: &[u8], name: &str) -> Vec<f32> {
    let tensor = SafeTensors::deserialize(file).unwrap().tensor(name).unwrap();
    let (numbers, rest) = tensor.data().as_chunks::<4>();
    assert!(rest.is_empty());
    numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn raw(file: &[u8], name: &str) -> Vec<u8> {
    SafeTensors::deserialize(file).unwrap().tensor(name).unwrap().data().to_vec()
}

fn close(name: &str, found: &[u8], wanted: &[u8], wanted_name: &str) {
    let (found, wanted) = (floats(found, name), floats(wanted, wanted_name));
    let largest = wanted.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    assert_eq!(found.len(), wanted.len(), "{name}");
    for (a, b) in found.iter().zip(&wanted) {
        assert!((a - b).abs() <= 1e-5 * largest + 1e-4 * b.abs(), "{name}: {a}, not {b}");
    }
}

/// Traces the first prompt of a case as its `top` run does, and gives the JSON on stdout.
fn trace(out: &Path) -> Value {
    let case = "llama_plt_relu";
    let mut trace = on("trace", &fixture(case).join("model"), &fixture(case).join("transcoder"));
    trace.args(["--prompt", "the capital of France is", "--max-feature-nodes", "20", "--batch-size", "16"]);
    trace.args(["--update-interval", "1", "--threads", "1", "--json", "--out"]).arg(out);
    serde_json::from_slice(&trace.assert().success().get_output().stdout).unwrap()
}

#[test]
fn a_traced_and_exported_graph_is_circuit_tracers() {
    let folder = tempfile::tempdir().unwrap();
    let (graph, dense) = (folder.path().join("graph.safetensors"), folder.path().join("dense.safetensors"));
    let result = trace(&graph);
    assert_eq!(
        (&result["active_features"], &result["feature_rows"], &result["partial"]),
        (&77.into(), &20.into(), &false.into())
    );
    let mut export = circuitscope();
    export.arg("export").arg(&graph).args(["--format", "dense", "--node-threshold", "0.5", "--edge-threshold", "0.9"]);
    export.arg("--json").arg("--out").arg(&dense);
    let result: Value = serde_json::from_slice(&export.assert().success().get_output().stdout).unwrap();
    assert_eq!((&result["kept_nodes"], &result["kept_edges"]), (&10.into(), &15.into()));
    let found = std::fs::read(dense).unwrap();
    let wanted = std::fs::read(fixture("llama_plt_relu/p0.top.safetensors")).unwrap();
    for name in ["input_tokens", "active_features", "selected_features", "logit_target_ids"] {
        assert_eq!(raw(&found, name), raw(&wanted, name), "{name}");
    }
    for name in
        ["activation_values", "adjacency_matrix", "error_norms", "final_logits", "logit_vectors", "node_influence"]
    {
        close(name, &found, &wanted, name);
    }
    for name in ["node_mask", "edge_mask"] {
        assert_eq!(raw(&found, name), raw(&wanted, &format!("prune_50_90.{name}")), "{name}");
    }
}

/// The forward pass multiplies each token with every weight of every projection and encoder, and with every token.
#[test]
fn a_trace_says_what_it_cost() {
    let folder = tempfile::tempdir().unwrap();
    let (case, graph) = (fixture("llama_plt_relu"), folder.path().join("graph.safetensors"));
    let result = trace(&graph);
    let cost = &result["cost"];
    let phases = cost["phases"].as_array().unwrap();
    let sum = |key: &str| phases.iter().map(|phase| phase[key].as_f64().unwrap()).sum::<f64>();
    let seconds = cost["seconds"].as_f64().unwrap();
    assert!(sum("seconds") > 0.0 && sum("seconds") <= seconds, "{cost}");
    assert_eq!(sum("operations"), cost["operations"].as_f64().unwrap());
    assert!(cost["rows_per_second"].as_f64().unwrap() > 0.0);
    let peak = cost["peak_memory_bytes"].as_u64().unwrap();
    assert!((1 << 20..1 << 32).contains(&peak), "{peak}");

    let config: Value = serde_json::from_slice(&std::fs::read(case.join("model/config.json")).unwrap()).unwrap();
    let of = |key: &str| config[key].as_u64().unwrap() as usize;
    let mut weights = 0;
    let files = (0..of("num_hidden_layers")).map(|layer| format!("transcoder/layer_{layer}.safetensors"));
    for file in files.chain(["model/model.safetensors".to_owned()]) {
        let content = std::fs::read(case.join(file)).unwrap();
        for (name, tensor) in SafeTensors::deserialize(&content).unwrap().iter() {
            if name.contains("_proj.weight") || name == "W_enc" {
                weights += tensor.shape().iter().product::<usize>();
            }
        }
    }
    let tokens = result["tokens"].as_array().unwrap().len();
    let attention = of("num_hidden_layers") * of("num_attention_heads") * of("head_dim") * tokens * tokens;
    let forward = phases.iter().find(|phase| phase["name"] == "forward pass").unwrap();
    assert_eq!(forward["operations"], 2 * (tokens * weights + 2 * attention));
}

#[test]
fn a_plan_holds_the_trace_and_a_limit_is_kept_or_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("graph.safetensors");
    let run = |more: &[&str]| {
        let case = fixture("llama_plt_relu");
        let mut trace = on("trace", &case.join("model"), &case.join("transcoder"));
        trace.args(["--prompt", "the capital of France is", "--max-feature-nodes", "20", "--json"]).args(more);
        trace
    };
    let json =
        |more: &[&str]| -> Value { serde_json::from_slice(&run(more).assert().success().get_output().stdout).unwrap() };
    let (before, full) = (json(&["--plan"]), json(&["--plan=full"]));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    let to = out.to_str().unwrap();
    let traced = json(&["--drop", "0.2", "--out", to]);
    let number = |value: &Value| value.as_f64().unwrap();
    for (plan, spent) in [("memory_bytes", "peak_memory_bytes"), ("operations", "operations")] {
        let spent = number(&traced["cost"][spent]);
        assert!((number(&full[plan]) / spent - 1.0).abs() < 0.15, "{full} {traced}");
    }
    let spent = number(&traced["cost"]["operations"]);
    assert!(number(&before["operations"][0]) < spent && spent < number(&before["operations"][1]), "{before} {traced}");
    let dropped = number(&traced["cost"]["largest_dropped_share"]);
    assert!(dropped > 0.1 && dropped <= 0.2, "{dropped}");
    std::fs::remove_file(&out).unwrap();

    let refused = run(&["--max-memory", "2MiB", "--out", to]).assert().code(1).stdout("");
    let message = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(message.contains("--max-memory") && !message.contains("forward pass"), "{message}");
    assert!(!out.exists());
}

#[test]
fn intervening_from_the_command_line_is_circuit_tracers() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("altered.safetensors");
    let case = fixture("llama_clt_relu");
    let wanted = std::fs::read(case.join("p0.interventions.safetensors")).unwrap();
    for (set, mode, name) in [
        ("0:4:44=0", "direct", "ablate.direct"),
        ("0:4:44=x2", "frozen-attention", "steer2.frozen_attn"),
        ("0:4:44=x2", "free", "steer2.free"),
    ] {
        let mut program = on("intervene", &case.join("model"), &case.join("transcoder"));
        program
            .args(["--prompt", &prompt(&case), "--set", set, "--mode", mode, "--force", "--out"])
            .arg(&out)
            .assert()
            .success();
        let found = std::fs::read(&out).unwrap();
        close("logits", &found, &wanted, &format!("{name}.logits"));
        close("activations", &found, &wanted, &format!("{name}.activations"));
    }
}

fn prompt(case: &Path) -> String {
    let description: Value = serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap()).unwrap();
    description["prompts"][0]["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_difference_of_logits_can_be_traced_and_is_what_its_name_says() {
    let folder = tempfile::tempdir().unwrap();
    let case = fixture("llama_plt_relu");
    let adjacency = |targets: &[&str]| -> (usize, Vec<f32>) {
        let (graph, dense) = (folder.path().join("graph.safetensors"), folder.path().join("dense.safetensors"));
        let mut program = on("trace", &case.join("model"), &case.join("transcoder"));
        program.args(["--prompt", "the capital of France is", "--max-feature-nodes", "all", "--force"]).args(targets);
        program.arg("--out").arg(&graph).assert().success();
        circuitscope()
            .arg("export")
            .arg(&graph)
            .args(["--format", "dense", "--force", "--out"])
            .arg(&dense)
            .assert()
            .success();
        let matrix = floats(&std::fs::read(dense).unwrap(), "adjacency_matrix");
        (matrix.len().isqrt(), matrix)
    };
    let (n, both) = adjacency(&["--target", " Paris", "--target", " city"]);
    let (m, difference) = adjacency(&["--target-diff", " Paris", " city"]);
    assert_eq!(n, m + 1);
    // The mean of the unembedding cancels, so that the rows differ by the row of the difference.
    let (paris, city) = (&both[(n - 2) * n..(n - 1) * n], &both[(n - 1) * n..]);
    for source in 0..m {
        let wanted = paris[source] - city[source];
        assert!((difference[(m - 1) * m + source] - wanted).abs() < 1e-4, "source {source}");
    }
}

#[test]
fn a_prompt_can_be_shown_given_as_ids_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let case = fixture("llama_plt_relu");
    let run = |command: &str, arguments: &[&str]| -> Value {
        let mut program = on(command, &case.join("model"), &case.join("transcoder"));
        serde_json::from_slice(&program.args(arguments).arg("--json").assert().success().get_output().stdout).unwrap()
    };
    let shown = run("tokens", &["--prompt", "the capital of France is"]);
    let ids: Vec<String> = shown["tokens"].as_array().unwrap().iter().map(|token| token["id"].to_string()).collect();
    assert_eq!(ids.join(","), "381,345,340,282,349,281");
    let (by_text, by_ids) = (folder.path().join("text.safetensors"), folder.path().join("ids.safetensors"));
    let (ids, cut) = (ids.join(","), folder.path().join("cut.safetensors"));
    run("trace", &["--prompt", "the capital of France is", "--out", by_text.to_str().unwrap()]);
    run("trace", &["--tokens", &ids, "--out", by_ids.to_str().unwrap()]);
    let (by_text, by_ids) = (std::fs::read(by_text).unwrap(), std::fs::read(by_ids).unwrap());
    assert_eq!(raw(&by_text, "rows"), raw(&by_ids, "rows"));
    let prompt = "the capital of France is";
    let result = run("trace", &["--prompt", prompt, "--target-position", "3", "--out", cut.to_str().unwrap()]);
    assert_eq!(result["tokens"].as_array().unwrap().len(), 4);
    let mut past = on("trace", &case.join("model"), &case.join("transcoder"));
    past.args(["--prompt", prompt, "--target-position", "6", "--out"]).arg(&cut).assert().code(1);
    let mut unknown = on("trace", &case.join("model"), &case.join("transcoder"));
    unknown.args(["--tokens", "1,384", "--out"]).arg(&cut).assert().code(1);
}
