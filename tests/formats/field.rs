//! Graphs in the shapes that other programs write, and what each must read as.

use crate::open::{data, shared};
use circuitscope::format::{json, open};
use circuitscope::graph::query::{Query, Subject};
use circuitscope::graph::{
    AttributionGraph, Document, Edited, Extent, FeatureAt, Group, Module, Node, Part, PathEnd, QkNode, Thresholds,
    main_path, prune,
};
use circuitscope::ids::NodeId;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The features of the demo's graph, of which most of these files are renamings: layer, index, position.
const FEATURES: [(u32, u32, u32); 8] =
    [(0, 122, 4), (0, 350, 4), (0, 34, 9), (0, 232, 9), (0, 244, 9), (2, 188, 10), (3, 15, 10), (3, 249, 10)];

fn opened(name: &str) -> Document {
    open(&data(name)).unwrap()
}

fn read(file: &Value) -> Document {
    json::read(Path::new("graph"), file.to_string().as_bytes()).unwrap()
}

fn file(name: &str) -> Value {
    serde_json::from_slice(&fs::read(data(name)).unwrap()).unwrap()
}

fn features(graph: &AttributionGraph) -> Vec<(u32, u32, u32)> {
    let at = |at: FeatureAt| (at.layer().0, at.feature.0, at.position.0);
    graph.nodes().iter().filter_map(Node::feature).map(at).collect()
}

fn numbers(graph: &AttributionGraph) -> Vec<u128> {
    graph.feature_nodes().filter_map(|id| graph.feature_number(id)).collect()
}

fn output(graph: &AttributionGraph) -> (&str, f32) {
    let logit = graph.node(graph.logit_nodes().next().unwrap()).logit().unwrap();
    (&logit.text, logit.probability)
}

fn names(document: &Document, ids: &[NodeId]) -> Vec<String> {
    ids.iter().map(|id| document.graph.node_name(*id)).collect()
}

fn nodes_of(file: &mut Value, kind: &str, mut change: impl FnMut(usize, &mut Value)) {
    let nodes = file["nodes"].as_array_mut().unwrap().iter_mut();
    nodes.filter(|node| node["feature_type"] == kind).enumerate().for_each(|(at, node)| change(at, node));
}

const FEATURE: &str = "cross layer transcoder";

fn index_of(node: &Value) -> (u128, u128) {
    let parts: Vec<u128> = node["node_id"].as_str().unwrap().split('_').map(|part| part.parse().unwrap()).collect();
    (parts[0], parts[1])
}

#[test]
fn hashes_are_known_by_the_ids_that_hold_them() {
    let document = opened("hash-ids.json");
    let graph = &document.graph;
    assert_eq!(features(graph).len(), 8);
    let by_id = |id: NodeId| graph.node_name(id).split('_').nth(1).unwrap().parse().unwrap();
    assert_eq!(numbers(graph), graph.feature_nodes().map(by_id).collect::<Vec<u128>>());
    assert_eq!((graph.n_layers(), graph.n_edges()), (4, 63));
    assert_eq!(names(&document, &document.edited.pins), ["0_24966118_4", "0_24771644_4"]);
    let [Group { name, members }] = &document.edited.groups[..] else { panic!("{:?}", document.edited.groups) };
    assert_eq!((name.as_str(), members), ("say Austin", &document.edited.pins));
    assert!(document.foreign.warnings.is_empty());
    // Errors have ids of the same kind, and are found by them.
    assert!(graph.node(graph.node_named("2_24992084_10").unwrap()).is_error());
}

#[test]
fn numbers_mean_the_index_however_they_are_written() {
    assert_eq!(features(&opened("raw-index.json").graph), FEATURES);
    type Numbering = fn(u128, u128) -> u128;
    let ways: [(&str, Numbering); 4] = [
        ("offset of 10^4", |layer, index| layer * 10_000 + index),
        ("offset of 10^12", |layer, index| layer * 10u128.pow(12) + index),
        ("digits", |layer, index| format!("{layer}{index}").parse().unwrap()),
        ("pairing", |layer, index| (layer + index) * (layer + index + 1) / 2 + index),
    ];
    for (way, number) in ways {
        let mut file = file("raw-index.json");
        nodes_of(&mut file, FEATURE, |_, node| {
            let (layer, index) = index_of(node);
            node["feature"] = json!(u64::try_from(number(layer, index)).unwrap());
        });
        assert_eq!(features(&read(&file).graph), FEATURES, "{way}");
    }
}

#[test]
fn a_number_that_fits_nothing_leaves_the_id() {
    let mut file = file("dangling-link.json");
    let odd = [json!(123_456), json!(null), json!(-1), json!({"index": 3}), json!("what")];
    nodes_of(&mut file, FEATURE, |at, node| {
        if let Some(odd) = odd.get(at) {
            node["feature"] = odd.clone();
        }
    });
    assert_eq!(features(&read(&file).graph), FEATURES);
}

#[test]
fn hashes_of_64_bits_stay_what_they_are() {
    let mut file = file("raw-index.json");
    let of = |index: u128| (1u64 << 63) + 7919 * u64::try_from(index).unwrap();
    let mut wanted = Vec::new();
    let mut renamed = Vec::new();
    nodes_of(&mut file, FEATURE, |_, node| {
        let (layer, index) = index_of(node);
        let old = node["node_id"].as_str().unwrap().to_owned();
        let new = format!("{layer}_{}_{}", of(index), node["ctx_idx"]);
        (node["node_id"], node["feature"]) = (json!(new), json!(of(index)));
        wanted.push(u128::from(of(index)));
        renamed.push((old, new));
    });
    let mut text = file.to_string();
    for (old, new) in renamed {
        text = text.replace(&format!("\"{old}\""), &format!("\"{new}\""));
    }
    let document = json::read(Path::new("graph"), text.as_bytes()).unwrap();
    assert_eq!(numbers(&document.graph), wanted);
    let ids: std::collections::HashSet<_> = features(&document.graph).into_iter().collect();
    assert_eq!((ids.len(), document.graph.n_edges()), (8, 63));
}

#[test]
fn two_dictionaries_never_collide() {
    // The ids of the second are shifted by the first one's size; then by nothing at all.
    for shift in [400, 0] {
        let mut file = file("raw-index.json");
        file["metadata"]["comparison"] = json!({"base": "m", "adapter": "m-lora"});
        let mut adapters = Vec::new();
        nodes_of(&mut file, FEATURE, |_, node| {
            node["source_model"] = json!("base");
            let mut other = node.clone();
            let (layer, index) = index_of(node);
            let id = index + shift;
            other["node_id"] = json!(format!("{}{layer}_{id}_{}", if shift == 0 { "a_" } else { "" }, node["ctx_idx"]));
            (other["source_model"], other["node_shape"]) = (json!("adapter"), json!("square"));
            other["source_feature_id"] = json!(u64::try_from(index).unwrap());
            other["feature"] = json!(u64::try_from(id).unwrap());
            other["jsNodeId"] = json!(format!("{layer}_{id}-a"));
            adapters.push(other);
        });
        file["nodes"].as_array_mut().unwrap().extend(adapters);
        let graph = read(&file).graph;
        let all = features(&graph);
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 16, "{shift}");
        assert_eq!(all[..8], FEATURES, "{shift}");
        assert_eq!(graph.dictionaries(), ["base", "adapter"]);
        let (base, adapter): (Vec<_>, Vec<_>) =
            graph.feature_nodes().partition(|id| graph.dictionary_of(*id) == Some(0));
        let indices = |ids: &[NodeId]| ids.iter().map(|id| graph.feature_number(*id)).collect::<Vec<_>>();
        assert_eq!(indices(&base), indices(&adapter), "{shift}: each is known by its number in its own dictionary");
        assert_eq!(graph.feature_text(adapter[0]).as_deref(), Some("adapter #122"));
    }
}

#[test]
fn attention_features_are_of_kinds_of_their_own() {
    let document = opened("attention-features.json");
    let graph = &document.graph;
    assert_eq!((graph.n_nodes(), graph.n_layers(), features(graph).len()), (25, 4, 8));
    let kept = prune(graph, Thresholds { node: 1.0, edge: 1.0, density: 1.0 });
    let matching = |query: &str| -> Vec<String> {
        let subject = Subject {
            graph,
            kept: &kept,
            labels: &document.labels,
            edited: &document.edited,
            selected: None,
            features: &*document.densities,
        };
        let matches = Query::parse(query).unwrap().matches(&subject);
        names(&document, &graph.node_ids().filter(|id| matches.has_node(*id)).collect::<Vec<_>>())
    };
    assert_eq!(matching("type:lorsa"), ["1_lor_77_9"]);
    assert_eq!(matching("type:lorsa-error"), ["1_error_attn_9"]);
    assert_eq!(matching("type:bias"), ["1_bias_attn_9"]);
    assert_eq!(matching("type:other layer:1"), ["1_lor_77_9", "1_error_attn_9", "1_bias_attn_9"]);
    assert_eq!(matching("feature:77"), ["1_lor_77_9"]);
    assert_eq!(matching("type:unknown"), [""; 0]);

    let attention = &document.foreign.attention;
    let lorsa = graph.node_named("1_lor_77_9").unwrap();
    assert_eq!(graph.node(lorsa).activation, Some(1.5));
    let trace = &attention.traced[&lorsa];
    let named = |name: &str| QkNode::InGraph(graph.node_named(name).unwrap());
    assert_eq!(trace.pairs, [(named("E_10_10"), named("0_122_4"), 0.7)]);
    assert_eq!(trace.queries, [(named("E_10_10"), 0.4)]);
    assert_eq!(trace.keys, [(named("0_122_4"), 0.3)]);
    assert_eq!((attention.only["E_77_2"].kind.as_str(), attention.only["E_77_2"].position), ("embedding", Some(2)));
}

#[test]
fn layers_that_count_attention_and_mlp_apart() {
    let node = |kind: &str, id: &str, layer: i32, more: Value| {
        let mut node = json!({"feature_type": kind, "node_id": id, "layer": layer, "ctx_idx": 1});
        node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        node
    };
    let file = json!({
        "metadata": {"prompt_tokens": ["a", "⏎"], "prompt": "a\n"},
        "nodes": [
            node("embedding", "E_5_1", -1, json!({"token": "⏎"})),
            node("lorsa", "2_71_1", 2, json!({"feature": 71, "sae_name": "l1a"})),
            node(FEATURE, "3_99_1", 3, json!({"feature": {"a": "record"}, "sae_name": "l1m"})),
            node("lorsa error", "2_error_1", 2, json!({})),
            node("mlp reconstruction error", "3_error_1", 3, json!({})),
            node("bias", "blocks.1.attn.hook_b_O:1", 0, json!({})),
            node("logit", "4_42_1", 4, json!({"token": "⏎", "token_prob": 0.5})),
        ],
        "links": [{"source": "2_71_1", "target": "3_99_1", "weight": 1.0}],
    });
    let graph = read(&file).graph;
    assert_eq!(graph.n_layers(), 2);
    let layers: Vec<_> = graph.nodes().iter().map(|node| node.layer().map(|layer| layer.0)).collect();
    assert_eq!(layers, [None, Some(1), Some(1), Some(1), Some(1), Some(0), None]);
    assert_eq!(features(&graph), [(1, 99, 1)]);
    assert_eq!(graph.feature_number(NodeId(1)), Some(71));
    assert_eq!((output(&graph), graph.tokens()[1].text.as_str()), (("\n", 0.5), "\n"));
    assert_eq!(graph.node(NodeId(6)).logit().unwrap().id, 42);
    let modules: Vec<_> = graph.nodes().iter().filter_map(|node| Some(node.site()?.module)).collect();
    assert_eq!(modules, [Module::Attention, Module::Mlp, Module::Attention, Module::Mlp, Module::Block]);
}

#[test]
fn the_label_of_an_output_in_any_spelling() {
    let document = opened("logit-label-0.json");
    assert_eq!(output(&document.graph), ("Austin", 0.985_924_6));
    let [Group { name, members }] = &document.edited.groups[..] else { panic!("{:?}", document.edited.groups) };
    assert_eq!((name.as_str(), names(&document, members)), (r#"Output "big" or "large""#, vec!["5_32_10".to_owned()]));
    for label in ["output: 'Austin' (p=1.000)", "Austin (p=0.99)", "[say Austin] Austin (p=0.99)"] {
        let mut file = file("logit-label-0.json");
        nodes_of(&mut file, "logit", |_, node| node["clerp"] = json!(label));
        assert_eq!(output(&read(&file).graph).0, "Austin", "{label}");
    }
}

#[test]
fn what_is_broken_is_left_out_and_counted() {
    let document = opened("dangling-link.json");
    assert_eq!((document.graph.n_nodes(), document.graph.n_edges()), (22, 63));
    assert_eq!(document.foreign.warnings.len(), 1);
    assert!(document.foreign.warnings[0].starts_with("1 link"), "{:?}", document.foreign.warnings);

    let mut file = file("raw-index.json");
    let nodes = file["nodes"].as_array_mut().unwrap();
    (nodes[0]["ctx_idx"], nodes[1]["influence"], nodes[2]["ctx_idx"]) = (json!("x"), json!("high"), json!(99));
    nodes.push(json!(7));
    let links = file["links"].as_array_mut().unwrap();
    let again = links.last().unwrap().clone();
    links.extend([again, json!({"source": "a"}), json!({"source": "E_1_0", "target": "5_32_10", "weight": null})]);
    file["qParams"] = json!(null);
    let document = read(&file);
    assert_eq!(features(&document.graph), FEATURES[3..]);
    let counted: Vec<&str> =
        document.foreign.warnings.iter().map(|warning| warning.split(' ').next().unwrap()).collect();
    assert_eq!(counted[..2], ["4", "2"], "{:?}", document.foreign.warnings);
    assert!(document.foreign.warnings.iter().any(|warning| warning.contains("nodes[0]: its ctx_idx is \"x\"")));

    nodes_of(&mut file, "embedding", |_, node| node["ctx_idx"] = json!(null));
    let error = json::read(Path::new("graph"), file.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.contains("most of its nodes cannot be read"), "{error}");
}

#[test]
fn numbers_that_json_does_not_have_are_passed_over() {
    let text = fs::read_to_string(data("raw-index.json")).unwrap();
    assert!(text.contains("0.4338204"));
    let document = json::read(Path::new("graph"), text.replace("0.4338204", "NaN").as_bytes()).unwrap();
    assert_eq!(features(&document.graph), FEATURES);
    assert!(document.foreign.warnings[0].starts_with("1 number"), "{:?}", document.foreign.warnings);
}

#[test]
fn quotes_signs_and_thresholds_mean_what_they_stand_for() {
    let document = opened("quotes-and-thresholds.json");
    assert_eq!(document.edited.groups[0].name, "the \"small\" one");
    assert_eq!(names(&document, &document.edited.pins), ["0_122_4"]);
    assert_eq!(document.graph.tokens()[3].text, "\nthe");
    assert_eq!(document.origin.extent, Extent::PrePruned { node: Some(0.8), edge: Some(0.98) });
    let mut file = file("quotes-and-thresholds.json");
    let metadata = file["metadata"].as_object_mut().unwrap();
    metadata.remove("node_threshold");
    metadata.remove("pruning_settings");
    assert_eq!(read(&file).origin.extent, Extent::PrePruned { node: Some(0.65), edge: None });
}

#[test]
fn layers_are_numbers_or_texts_side_by_side() {
    let mut file = file("raw-index.json");
    for (at, node) in file["nodes"].as_array_mut().unwrap().iter_mut().enumerate() {
        let number = node["layer"].as_str().unwrap().parse::<i64>().unwrap_or(-1);
        match at % 3 {
            0 => node["layer"] = json!(number),
            1 => node["layer"] = json!(number as f64),
            _ => {}
        }
    }
    nodes_of(&mut file, "logit", |_, node| {
        node["isLogit"] = json!(true);
        node.as_object_mut().unwrap().remove("feature_type");
    });
    let graph = read(&file).graph;
    assert_eq!((features(&graph), graph.n_layers()), (FEATURES.to_vec(), 4));
    assert_eq!(graph.token_nodes().count(), 11);
    assert_eq!(output(&graph).0, "Austin");
}

#[test]
fn what_was_looked_at_is_selected_by_either_id() {
    for (id, wanted) in [("0_34_9", "0_34_9"), ("3_249-0", "3_249_10"), ("null", ""), ("", "")] {
        let mut file = file("raw-index.json");
        file["qParams"]["clickedId"] = json!(id);
        let document = read(&file);
        let clicked = document.foreign.clicked.map(|id| document.graph.node_name(id));
        assert_eq!(clicked.unwrap_or_default(), wanted);
    }
}

#[test]
fn a_cycle_through_the_output_opens_and_is_told() {
    let document = opened("cycle-through-output.json");
    let graph = &document.graph;
    assert!(graph.is_cyclic());
    assert!(document.foreign.warnings.iter().any(|warning| warning.contains("cycle")));
    let kept = document.prune(document.edited.thresholds);
    for node in graph.node_ids() {
        let path = main_path(graph, &kept, node);
        assert!(path.edges.len() <= 3);
        assert_eq!(path.end == PathEnd::Cycle, !graph.node(node).is_token());
    }
}

#[test]
fn thousands_of_nodes_with_one_id_are_told_apart() {
    let logit =
        json!({"node_id": "L", "feature": 1, "layer": "3", "ctx_idx": 0, "feature_type": "logit", "token_prob": 1});
    let of = |kind: &str, at: usize| json!({"node_id": "x", "feature": at, "layer": "1", "ctx_idx": 0, "feature_type": kind, "jsNodeId": format!("j{at}")});
    for kind in [FEATURE, "lorsa"] {
        let n = 20_000;
        let nodes: Vec<Value> = (0..n).map(|at| of(kind, at)).chain([logit.clone()]).collect();
        let links: Vec<Value> = (0..n).map(|at| json!({"source": "x", "target": "L", "weight": at})).collect();
        let metadata = json!({"prompt_tokens": ["a"], "slug": "g"});
        let document = read(&json!({"metadata": metadata, "nodes": nodes, "links": links}));
        let graph = &document.graph;
        assert_eq!(graph.n_nodes(), n + 1);
        let all: std::collections::HashSet<String> = graph.node_ids().map(|id| graph.node_name(id)).collect();
        assert_eq!(all.len(), n + 1, "every node has a name of its own");
    }
}

#[test]
fn the_authors_graph_opens_with_its_six_supernodes() {
    let Some(path) = shared("data/field-graphs/anthropic-capital-state-dallas.json") else { return };
    let document = open(&path).unwrap();
    let graph = &document.graph;
    assert_eq!((graph.n_nodes(), graph.n_layers(), graph.feature_nodes().count()), (94, 18, 71));
    let groups: Vec<(&str, usize)> =
        document.edited.groups.iter().map(|group| (group.name.as_str(), group.members.len())).collect();
    let wanted =
        [("capital", 9), ("state", 5), ("say a capital", 6), ("Dallas", 10), ("say Austin", 6), ("Texas-related", 12)];
    assert_eq!(groups, wanted);
    assert_eq!(document.edited.pins.len(), 49);
    assert_eq!(graph.node_name(document.foreign.clicked.unwrap()), "11_17926448_11");
    assert_eq!(output(graph), ("Austin", 0.984_236_7));
    assert!(document.foreign.warnings.is_empty(), "{:?}", document.foreign.warnings);
    // Numbers and names are those of the file.
    let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (at, node) in file["nodes"].as_array().unwrap().iter().enumerate() {
        let id = NodeId::from(at);
        assert_eq!(graph.node_name(id), node["node_id"].as_str().unwrap());
        if graph.node(id).is_feature() {
            assert_eq!(graph.feature_number(id), node["feature"].as_u64().map(u128::from));
        }
    }
}

#[test]
fn neuronpedias_graphs_are_numbered_by_their_ids() {
    for (name, nodes, supernodes) in [("neuronpedia-fact-dallas-austin", 415, 0), ("neuronpedia-small-big", 694, 5)] {
        let Some(path) = shared(&format!("data/field-graphs/{name}.json")) else { return };
        let document = open(&path).unwrap();
        let graph = &document.graph;
        assert_eq!(
            (graph.n_nodes(), graph.n_layers(), document.edited.groups.len()),
            (nodes, 26, supernodes),
            "{name}"
        );
        let usual = graph.feature_nodes().all(|id| graph.node_name(id) == graph.usual_name(id));
        assert!(usual, "{name}: numbers and ids say the same");
        assert!(document.foreign.warnings.is_empty(), "{name}: {:?}", document.foreign.warnings);
    }
}

/// The file that a document is written to, all of it.
pub fn rewritten(document: &Document) -> Value {
    let kept = document.prune(document.edited.thresholds);
    let mut bytes = Vec::new();
    let called = json::Called { slug: &document.origin.slug, scan: None };
    json::write(&mut bytes, called, document, &kept, &Edited::clone(&document.edited), Part::All).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Where `now` lacks a key that `was` has, or says something else. Numbers may lose what single precision does not hold.
fn lost(was: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    match (was, now) {
        (Value::Object(was), Value::Object(now)) => {
            for (key, value) in was {
                match now.get(key) {
                    Some(other) => lost(value, other, &format!("{path}.{key}"), found),
                    None => found.push(format!("{path}.{key} is gone")),
                }
            }
        }
        (Value::Array(was), Value::Array(now)) if was.len() == now.len() => {
            was.iter().zip(now).enumerate().for_each(|(at, (a, b))| lost(a, b, &format!("{path}[{at}]"), found));
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64().map(|a| a as f32) == b.as_f64().map(|b| b as f32) => {}
        _ if was == now => {}
        _ => found.push(format!("{path} was {was} and is {now}")),
    }
}

/// What is written of a file that was read, by the ids of nodes and the ends of links.
fn by_name(file: &Value) -> Value {
    let mut file = file.clone();
    let nodes = file["nodes"].take();
    let links = file["links"].take();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let nodes: serde_json::Map<_, _> =
        nodes.as_array().unwrap().iter().map(|node| (text(&node["node_id"]), node.clone())).collect();
    let link = |link: &Value| (format!("{} {}", link["source"], link["target"]), link.clone());
    let links: serde_json::Map<_, _> = links.as_array().unwrap().iter().map(link).collect();
    (file["nodes"], file["links"]) = (nodes.into(), links.into());
    file
}

#[test]
fn nothing_that_a_file_says_is_lost_when_it_is_written_again() {
    let mut paths: Vec<_> =
        ["hash-ids", "raw-index", "attention-features", "logit-label-0", "quotes-and-thresholds", "neuronpedia"]
            .map(|name| data(&format!("{name}.json")))
            .to_vec();
    for name in ["anthropic-capital-state-dallas", "neuronpedia-fact-dallas-austin", "neuronpedia-small-big"] {
        paths.extend(shared(&format!("data/field-graphs/{name}.json")));
    }
    for path in paths {
        let was: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let document = open(&path).unwrap();
        let now = rewritten(&document);
        let mut found = Vec::new();
        lost(&by_name(&was), &by_name(&now), "", &mut found);
        // Pins and supernodes are named by the one id or the other, and supernodes are pinned.
        found.retain(|what| !what.starts_with(".qParams.pinnedIds") && !what.starts_with(".qParams.supernodes"));
        // What was labelled in the one way is labelled in the other, and labels of outputs of weight zero are rounded.
        found.retain(|what| !what.starts_with(".qParams.clerps"));
        assert_eq!(found, [""; 0], "{}", path.display());
        let again = read(&now);
        assert_eq!((&again.edited, &again.labels), (&document.edited, &document.labels), "{}", path.display());
        assert_eq!(again.graph.nodes(), document.graph.nodes(), "{}", path.display());
        assert_eq!(again.foreign.attention, document.foreign.attention, "{}", path.display());
        assert_eq!(numbers(&again.graph), numbers(&document.graph));
    }
}
