//! Whatever a file says beside what is known is written again as it stood.

use crate::field::rewritten;
use circuitscope::format::json;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::path::Path;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Those that a parser rounds in no way.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 64.0)),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("\\PC{0,6}", inner), 0..4).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// Keys that nobody knows.
fn any_fields() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::vec(("x\\PC{0,6}", any_value()), 0..3).prop_map(|entries| entries.into_iter().collect())
}

/// A graph with fields at the top, in the metadata and the settings within it, in the parameters, at nodes and at links.
fn any_file() -> impl Strategy<Value = Value> {
    let many = || proptest::collection::vec(any_fields(), 6);
    (many(), many(), many(), proptest::collection::vec(prop_oneof![Just(0.0f32), -4.0f32..4.0], 6)).prop_map(
        |(around, nodes, links, weights)| {
            let with = |mut value: Value, fields: &Map<String, Value>| {
                value.as_object_mut().unwrap().extend(fields.clone());
                value
            };
            let node = |id: &str, kind: &str, layer: Value, feature: Value| {
                json!({"node_id": id, "feature_type": kind, "layer": layer, "ctx_idx": 1, "feature": feature})
            };
            let all = [
                node("E_5_1", "embedding", json!(-1), json!(77)),
                node("0_81_1", "cross layer transcoder", json!(0), json!(1_234_567)),
                node("1_lor_7_1", "lorsa", json!("1"), json!(7)),
                node("1_error_mlp_1", "mlp reconstruction error", json!(1), json!(null)),
                node("what", "unexplored node", json!("E"), json!({"a": 1})),
                node("4_9_1", "logit", json!(4), json!(9)),
            ];
            let ends = [(0, 1), (0, 2), (1, 2), (1, 5), (3, 5), (4, 5)];
            let links: Vec<Value> = ends
                .iter()
                .zip(&links)
                .zip(weights)
                .map(|(((source, target), fields), weight)| {
                    let id = |at: &usize| all[*at]["node_id"].clone();
                    with(json!({"source": id(source), "target": id(target), "weight": weight}), fields)
                })
                .collect();
            let nodes: Vec<Value> = all.iter().zip(&nodes).map(|(node, fields)| with(node.clone(), fields)).collect();
            let metadata = json!({
                "slug": "g", "scan": ["a", "b"], "prompt_tokens": ["a", "⏎"], "prompt": "a\n", "nodeThreshold": 0.5,
                "info": with(json!({"generator": {"name": "n", "url": "u"}}), &around[2]),
                "pruning_settings": with(json!({"node_threshold": 0.5}), &around[3]),
            });
            let file = json!({
                "metadata": with(metadata, &around[0]),
                "qParams": with(json!({"linkType": "in", "sg_pos": "1 2", "clickedId": "what"}), &around[1]),
                "nodes": nodes,
                "links": links,
            });
            with(file, &around[4])
        },
    )
}

/// Every field of `was` that `now` says otherwise or not at all, but for `changed` ones.
fn missing(was: &Value, now: &Value, changed: &[&str]) -> Vec<String> {
    let was = was.as_object().unwrap().iter();
    was.filter(|(key, value)| !changed.contains(&key.as_str()) && now.get(key) != Some(value))
        .map(|(key, value)| format!("{key}: {value} is {:?}", now.get(key)))
        .collect()
}

proptest! {
    #[test]
    fn every_field_that_is_not_known_is_written_again(file in any_file()) {
        // As it was parsed: a text may hold more digits than a number.
        let file: Value = serde_json::from_str(&file.to_string()).unwrap();
        let document = json::read(Path::new("graph"), file.to_string().as_bytes()).unwrap();
        let now = rewritten(&document);
        prop_assert_eq!(missing(&file, &now, &["metadata", "qParams", "nodes", "links"]), [""; 0]);
        prop_assert_eq!(missing(&file["metadata"], &now["metadata"], &["info", "pruning_settings"]), [""; 0]);
        for part in ["info", "pruning_settings"] {
            prop_assert_eq!(missing(&file["metadata"][part], &now["metadata"][part], &[]), [""; 0]);
        }
        prop_assert_eq!(missing(&file["qParams"], &now["qParams"], &[]), [""; 0]);
        for node in file["nodes"].as_array().unwrap() {
            let again = now["nodes"].as_array().unwrap().iter().find(|it| it["node_id"] == node["node_id"]);
            prop_assert_eq!(missing(node, again.unwrap(), &[]), [""; 0]);
        }
        for link in file["links"].as_array().unwrap() {
            let ends = |it: &&Value| (&it["source"], &it["target"]) == (&link["source"], &link["target"]);
            match now["links"].as_array().unwrap().iter().find(ends) {
                Some(again) => {
                    prop_assert_eq!(missing(link, again, &["weight"]), [""; 0]);
                    prop_assert_eq!(again["weight"].as_f64().map(|it| it as f32), link["weight"].as_f64().map(|it| it as f32));
                }
                // An effect of zero is no edge.
                None => prop_assert!(link["weight"] == 0.0 && link.as_object().unwrap().len() == 3),
            }
        }
        // And once more the same.
        let again = json::read(Path::new("graph"), now.to_string().as_bytes()).unwrap();
        prop_assert_eq!(rewritten(&again), now);
    }
}
