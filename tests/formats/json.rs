//! Graph JSON: what is kept of every reference graph, and what the file says of itself.

use crate::fixture::{CASES, Tensors, assert_close, graph_files};
use crate::trace;
use assert_cmd::Command;
use circuitscope::format::json::Called;
use circuitscope::format::{json, raw};
use circuitscope::graph::{Document, Edited, Part, RawTrace, Target, TargetKind, Thresholds, Token, prune};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn written(trace: &RawTrace, thresholds: Thresholds) -> (String, Value) {
    let document = Document::from_trace(Arc::new(trace.clone())).unwrap();
    let edited = Edited { thresholds, ..Edited::clone(&document.edited) };
    let kept = prune(&document.graph, thresholds);
    let mut bytes = Vec::new();
    json::write(&mut bytes, Called { slug: "a-slug", scan: None }, &document, &kept, &edited, Part::Pruned).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

fn list<'a>(file: &'a Value, name: &str) -> &'a [Value] {
    file[name].as_array().unwrap()
}

fn small_trace() -> RawTrace {
    trace::of_reference(&Tensors::open(&graph_files("llama_plt_relu")[0]))
}

/// A node of a reference file: id, `jsNodeId`, `feature`, activation.
type Wanted = (String, String, i64, Option<f32>);

/// Every node of a reference file, in the order of its matrix.
fn reference_nodes(file: &Tensors) -> Vec<Wanted> {
    let (tokens, n_layers) = (file.i64("input_tokens"), file.shape("error_norms")[0]);
    let (places, activations) = (file.i64("active_features"), file.f32("activation_values"));
    let last = tokens.len() - 1;
    let mut nodes = Vec::new();
    for index in file.i64("selected_features") {
        let [layer, position, feature] = places[index as usize * 3..][..3] else { unreachable!() };
        // Counts the pairs on the diagonals before this one's, then along its own.
        let paired = (0..=layer + feature).sum::<i64>() + feature;
        let activation = Some(activations[index as usize]);
        nodes.push((format!("{layer}_{feature}_{position}"), format!("{layer}_{feature}-0"), paired, activation));
    }
    for layer in 0..n_layers {
        nodes.extend((0..=last).map(|at| (format!("{layer}_-1_{at}"), format!("{layer}_{at}-0"), -1, None)));
    }
    let token = |(at, id)| (format!("E_{id}_{at}"), format!("E_{id}-{at}"), at as i64, None);
    nodes.extend(tokens.iter().enumerate().map(token));
    for id in file.i64("logit_target_ids") {
        nodes.push((format!("{}_{id}_{last}", n_layers + 1), format!("L_{id}-{last}"), id, None));
    }
    nodes
}

#[test]
fn what_is_kept_of_every_reference_graph_is_written() {
    for path in CASES.iter().flat_map(|case| graph_files(case)) {
        let file = Tensors::open(&path);
        for (prefix, node, edge) in [("80_98", 0.8, 0.98), ("95_60", 0.95, 0.6)] {
            let what = format!("{} at {prefix}", path.display());
            let (_, found) = written(&trace::of_reference(&file), Thresholds { node, edge, ..Thresholds::default() });
            let wanted = reference_nodes(&file);
            let kept = file.mask(&format!("prune_{prefix}.node_mask"));
            let kept: Vec<usize> = (0..wanted.len()).filter(|&at| kept[at]).collect();
            let nodes: Vec<Wanted> = list(&found, "nodes")
                .iter()
                .map(|node| {
                    let text = |name: &str| node[name].as_str().unwrap().to_owned();
                    let activation = node["activation"].as_f64().map(|activation| activation as f32);
                    (text("node_id"), text("jsNodeId"), node["feature"].as_i64().unwrap(), activation)
                })
                .collect();
            assert_eq!(nodes, kept.iter().map(|&at| wanted[at].clone()).collect::<Vec<_>>(), "{what}: nodes");

            let cumulative = file.f32(&format!("prune_{prefix}.cumulative_scores"));
            let n_logits = file.shape("logit_target_ids")[0];
            let (others, logits) = list(&found, "nodes").split_at(kept.len() - n_logits);
            let influence: Vec<f64> = others.iter().map(|node| node["influence"].as_f64().unwrap()).collect();
            let wanted_influence: Vec<f64> = kept.iter().map(|&at| f64::from(cumulative[at])).collect();
            assert_close(&what, &influence, &wanted_influence[..others.len()], 1e-5);
            assert!(logits.iter().all(|logit| logit["influence"].is_null()), "{what}");
            let targets: Vec<_> = logits.iter().map(|logit| logit["is_target_logit"] == true).collect();
            assert_eq!(targets, (0..n_logits).map(|at| at == 0).collect::<Vec<_>>(), "{what}");

            let (matrix, mask) = (file.f32("adjacency_matrix"), file.mask(&format!("prune_{prefix}.edge_mask")));
            let n = wanted.len();
            let edges = (0..n * n).filter(|&at| mask[at]);
            let edges: Vec<_> = edges.map(|at| (&*wanted[at % n].0, &*wanted[at / n].0, matrix[at])).collect();
            let links = list(&found, "links").iter().map(|link| {
                (link["source"].as_str().unwrap(), link["target"].as_str().unwrap(), link["weight"].as_f64().unwrap())
            });
            let links: Vec<_> = links.map(|(source, target, weight)| (source, target, weight as f32)).collect();
            assert_eq!(links, edges, "{what}: links");
        }
    }
}

#[test]
fn the_metadata_says_how_the_graph_was_made() {
    let mut trace = small_trace();
    trace.provenance.transcoder = "org/repo//sub@main".into();
    trace.settings.max_feature_nodes = Some(7500);
    let (text, file) = written(&trace, Thresholds { node: 0.7, edge: 0.9, ..Thresholds::default() });
    let metadata = &file["metadata"];
    assert_eq!((&metadata["slug"], &metadata["scan"]), (&json!("a-slug"), &json!("org/repo//sub@main")));
    assert_eq!((&metadata["schema_version"], &metadata["node_threshold"]), (&json!(1), &json!(0.7)));
    assert_eq!(metadata["pruning_settings"], json!({"node_threshold": 0.7, "edge_threshold": 0.9}));
    assert_eq!(
        metadata["generation_settings"],
        json!({"max_n_logits": 10, "desired_logit_prob": 0.95, "batch_size": 256, "max_feature_nodes": 7500})
    );
    let generator = json!({"name": "circuitscope", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!(metadata["info"], json!({"generator": generator}));
    // Numbers are no longer than f32 needs, and no number is missing.
    assert!(text.contains(r#""desired_logit_prob":0.95,"#));
    assert!(!text.contains(r#""weight":null"#));

    trace.settings.max_feature_nodes = None;
    let (again, file) = written(&trace, Thresholds { node: 0.7, edge: 0.9, ..Thresholds::default() });
    assert_eq!(file["metadata"]["generation_settings"]["max_feature_nodes"], Value::Null);
    assert_eq!(again, text.replace(r#","max_feature_nodes":7500"#, ""), "the same trace gives the same file");
}

#[test]
fn any_text_and_any_target_is_written() {
    let odd = "\"\\\n\t\u{0}\u{1b}\u{7f}\u{2028}«ü»𝄞\u{fffd}";
    let mut trace = small_trace();
    trace.tokens[1].text = odd.into();
    let n_vocabulary = trace.final_logits.len() as u32;
    trace.targets[0] = Target { id: n_vocabulary, kind: TargetKind::Direction, probability: 2.5, text: odd.into() };
    let (text, file) = written(&trace, Thresholds::default());
    assert!(text.chars().all(|c| c == '\n' || c >= ' '), "control characters are escaped");
    assert_eq!(text.matches('\n').count(), 1, "and the newline ends the file");
    assert_eq!(file["metadata"]["prompt_tokens"][1], odd);
    let last = trace.tokens.len() - 1;
    let target = list(&file, "nodes").iter().find(|node| node["is_target_logit"] == true).unwrap();
    assert_eq!(target["clerp"], format!("Output \"{odd}\" (p=2.500)"));
    assert_eq!((&target["feature"], &target["token_prob"]), (&json!(n_vocabulary), &json!(2.5)));
    assert_eq!(target["node_id"], format!("{}_{n_vocabulary}_{last}", trace.n_layers + 1));
    assert_eq!(target["jsNodeId"], format!("L_{n_vocabulary}-{last}"));
}

#[test]
fn the_prompt_is_what_the_model_read() {
    let prompt = |tokens: [&str; 3], typed: &str| {
        let mut trace = small_trace();
        for (token, text) in trace.tokens.iter_mut().zip(tokens) {
            *token = Token { id: token.id, text: text.into() };
        }
        for token in &mut trace.tokens[3..] {
            token.text.clear();
        }
        trace.settings.prompt = typed.into();
        written(&trace, Thresholds::default()).1["metadata"]["prompt"].clone()
    };
    assert_eq!(prompt(["<s>", "the", " end"], "the end"), "<s>the end");
    assert_eq!(prompt(["<s>", "the", " end"], "<s>the end"), "<s>the end");
    assert_eq!(prompt(["the", " end", ""], "the end"), "the end", "a tokenizer without special tokens");
    assert_eq!(prompt(["<s>", "the", "end"], "the end"), "<s>the end", "a space that a lone token loses");
    assert_eq!(prompt(["<s>", "\u{fffd}", "\u{fffd}"], "𝄞"), "<s>𝄞", "a character of two tokens");
    assert_eq!(prompt(["<s>", "the", " <unk>"], "the qwyx"), "<s>the <unk>", "a word that is not known");
    assert_eq!(prompt(["<s>", "the", " end"], ""), "<s>the end", "nothing was typed");
}

/// `export` in a directory with a raw graph in it.
fn export(directory: &Path, arguments: &[&str]) -> Command {
    raw::write(&directory.join("trace"), &small_trace()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
    command.current_dir(directory).args(["export", "trace"]).args(arguments);
    command
}

#[test]
fn the_command_line_writes_and_reports_it() {
    let directory = tempfile::tempdir().unwrap();
    let slug_of = |arguments: &[&str], out: &str| -> (Value, Value) {
        let arguments = [arguments, &["--format", "json", "--json", "--force", "--out", out]].concat();
        let output = export(directory.path(), &arguments).assert().success().get_output().stdout.clone();
        let file: Value = serde_json::from_slice(&fs::read(directory.path().join(out)).unwrap()).unwrap();
        (serde_json::from_slice(&output).unwrap(), file)
    };
    let (report, file) = slug_of(&["--node-threshold", "0.5", "--edge-threshold", "0.9"], "my.graph.json");
    assert_eq!((&report["format"], &report["out"]), (&json!("json"), &json!("my.graph.json")));
    assert_eq!(report["kept_nodes"], list(&file, "nodes").len());
    assert_eq!(report["kept_edges"], list(&file, "links").len());
    assert_eq!(file["metadata"]["slug"], "my.graph");
    assert_eq!(file["metadata"]["pruning_settings"], json!({"node_threshold": 0.5, "edge_threshold": 0.9}));

    let (_, file) = slug_of(&["--slug", "another"], "my.graph.json");
    assert_eq!(file["metadata"]["slug"], "another");
    let defaults = Thresholds::default();
    assert_eq!(
        file["metadata"]["pruning_settings"],
        json!({"node_threshold": defaults.node, "edge_threshold": defaults.edge})
    );
}

#[test]
fn a_slug_has_a_place_and_is_not_empty() {
    let directory = tempfile::tempdir().unwrap();
    let dense = ["--format", "dense", "--out", "out", "--slug", "name"];
    let failure = export(directory.path(), &dense).assert().code(1);
    let message = String::from_utf8(failure.get_output().stderr.clone()).unwrap();
    assert!(message.contains("no place for --slug"), "{message}");
    export(directory.path(), &["--format", "json", "--out", "out", "--slug", ""]).assert().code(2);
    assert!(!directory.path().join("out").exists());
}
