//! `intervene` and `generate` on the demo, in every form that an intervention can be asked for.

use crate::circuitscope;
use serde_json::Value;
use std::fs;
use std::path::Path;

const DALLAS: &str = "fact : the capital of the state containing Dallas is";
const OAKLAND: &str = "fact : the capital of the state containing Oakland is";

fn asked(command: &str, arguments: &[&str]) -> Value {
    let mut program = circuitscope();
    program.args([command, "--prompt", DALLAS, "--json"]).args(arguments);
    serde_json::from_slice(&program.assert().success().get_output().stdout).unwrap()
}

fn refused(command: &str, arguments: &[&str]) -> String {
    let mut program = circuitscope();
    let output = program.args([command, "--prompt", DALLAS]).args(arguments).assert().code(1);
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

/// The likeliest token after, and its probability.
fn answer(found: &Value) -> (&str, f64) {
    (found["after"][0]["text"].as_str().unwrap(), found["after"][0]["after"].as_f64().unwrap())
}

/// A feature that is active at the city, as `LAYER:POSITION:FEATURE`, and its activation.
fn feature_at_the_city() -> (String, f64) {
    let swapped = asked("intervene", &["--swap", &format!("9={OAKLAND}")]);
    let site = swapped["interventions"]["list"][0]["sites"][0].clone();
    let feature = format!("{}:9:{}", site["layer"], site["feature"]);
    let found = asked("intervene", &["--ablate", &feature]);
    let entry = found["features"].as_array().unwrap().iter().find(|entry| entry["written"] == 0.0).cloned();
    (feature, entry.map_or(1.0, |entry| entry["before"].as_f64().unwrap()))
}

#[test]
fn another_citys_features_give_another_states_capital() {
    let swapped = asked("intervene", &["--swap", &format!("9={OAKLAND}")]);
    assert_eq!(swapped["before"][0]["text"], "Austin");
    assert_eq!(answer(&swapped).0, "Sacramento");
    assert_eq!(
        (&swapped["rising"][0]["text"], &swapped["falling"][0]["text"]),
        (&"Sacramento".into(), &"Austin".into())
    );
    let from_the_end = asked("intervene", &["--swap", &format!("-2={OAKLAND}@9")]);
    assert_eq!(from_the_end["after"], swapped["after"]);
    // With a list, these features alone.
    let site = &swapped["interventions"]["list"][0]["sites"][0];
    let one = asked("intervene", &["--swap", &format!("9[{}:{}]={OAKLAND}", site["layer"], site["feature"])]);
    assert_eq!(one["interventions"]["list"][0]["sites"].as_array().unwrap().len(), 1);
}

#[test]
fn the_same_intervention_in_several_words() {
    let (feature, activation) = feature_at_the_city();
    let ablated = asked("intervene", &["--ablate", &feature, "--mode", "frozen-attention"]);
    for same in [
        ["--set".to_owned(), format!("{feature}=0")],
        ["--set".to_owned(), format!("{feature}=x0")],
        ["--scale".to_owned(), format!("{feature}=0")],
        ["--add".to_owned(), format!("{feature}=-{activation}")],
    ] {
        let found = asked("intervene", &[&same[0], &same[1], "--mode", "frozen-attention"]);
        let (before, after) = (answer(&ablated), answer(&found));
        assert!(before.0 == after.0 && (before.1 - after.1).abs() < 1e-5, "{same:?}: {before:?} {after:?}");
    }
    // What was made is printed as it can be read again.
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("set.json");
    fs::write(&saved, ablated["interventions"].to_string()).unwrap();
    let again = asked("intervene", &["--interventions", saved.to_str().unwrap()]);
    assert_eq!(again["interventions"]["freeze"], "frozen-attention");
    assert_eq!(again["after"], ablated["after"]);
}

#[test]
fn a_supernode_of_a_graph_is_one_intervention() {
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("demo.safetensors");
    let graph = graph.to_str().unwrap();
    circuitscope().args(["trace", "--prompt", DALLAS, "--out", graph]).assert().success();
    let found = circuitscope().args(["filter", graph, "type:feature pos:9", "--json"]).output().unwrap();
    let nodes: Value = serde_json::from_slice(&found.stdout).unwrap();
    let ids: Vec<&str> = nodes["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    assert!(ids.len() > 1, "{nodes}");
    circuitscope().args(["edit", graph, "--group", &format!("city={}", ids.join(","))]).assert().success();

    let off = asked("intervene", &["--graph", graph, "--group", "city"]);
    let written = off["features"].as_array().unwrap().iter().filter(|entry| entry["written"] == 0.0);
    let mut written: Vec<&str> = written.map(|entry| entry["node"].as_str().unwrap()).collect();
    written.sort_unstable();
    let mut members = ids.clone();
    members.sort_unstable();
    assert_eq!(written, members);
    assert!(off["after"][0]["text"] != "Austin" || answer(&off).1 < off["before"][0]["before"].as_f64().unwrap());
    let same = asked("intervene", &["--graph", graph, "--group", "city=x1"]);
    assert!((answer(&same).1 - same["before"][0]["before"].as_f64().unwrap()).abs() < 1e-5);
    // Kept with the graph's session, it stands in the lab note.
    let saved = folder.path().join("set.json");
    fs::write(&saved, off["interventions"].to_string()).unwrap();
    circuitscope().args(["edit", graph, "--interventions"]).arg(&saved).assert().success();
    let note = circuitscope().args(["export", graph, "--format", "markdown", "--out", "-"]).output().unwrap();
    let note = String::from_utf8(note.stdout).unwrap();
    assert!(note.contains("## Interventions") && note.contains("- city: ablate; `"), "{note}");
    let set = circuitscope().args(["export", graph, "--format", "interventions", "--out", "-"]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&set.stdout).unwrap(), off["interventions"]);
    assert!(refused("intervene", &["--graph", graph, "--group", "town"]).contains("has no group town"));
    let mut other = circuitscope();
    other.args(["intervene", "--prompt", OAKLAND, "--graph", graph, "--group", "city"]);
    let said = String::from_utf8(other.assert().code(1).get_output().stderr.clone()).unwrap();
    assert!(said.contains("another prompt"), "{said}");
}

#[test]
fn a_sweep_leads_through_the_base_run() {
    let (feature, _) = feature_at_the_city();
    let swept = asked("intervene", &["--ablate", &feature, "--sweep", "0..2:5", "--target", "Austin"]);
    let sweep = &swept["sweep"];
    assert_eq!(sweep["doses"], serde_json::json!([0.0, 0.5, 1.0, 1.5, 2.0]));
    let row = &sweep["tokens"][0];
    assert_eq!(row["text"], "Austin");
    let target = &swept["targets"][0];
    let close = |at: usize, wanted: &Value| {
        let difference = row["probabilities"][at].as_f64().unwrap() - wanted.as_f64().unwrap();
        assert!(difference.abs() < 1e-5, "{row} {target}");
    };
    close(0, &target["after"]);
    close(2, &target["before"]);
}

#[test]
fn continuations_stand_side_by_side() {
    let swap = format!("9={OAKLAND}");
    let both = asked("generate", &["--swap", &swap, "--max-tokens", "3"]);
    assert_eq!(both["without"]["tokens"][0]["text"], "Austin");
    assert_eq!(both["with"]["tokens"][0]["text"], "Sacramento");
    let anew = asked("generate", &["--swap", &swap, "--max-tokens", "3", "--no-cache"]);
    assert_eq!((&anew["with"]["text"], &anew["without"]["text"]), (&both["with"]["text"], &both["without"]["text"]));

    let drawn = |seed: &str| asked("generate", &["--temperature", "3", "--max-tokens", "6", "--seed", seed]);
    assert_eq!(drawn("5")["without"], drawn("5")["without"]);
    assert_eq!(drawn("5")["with"], Value::Null);
    let texts: std::collections::BTreeSet<String> =
        (0..5).map(|seed| drawn(&seed.to_string())["without"]["text"].to_string()).collect();
    assert!(texts.len() > 1, "{texts:?}");

    let mut program = circuitscope();
    program.args(["generate", "--prompt", DALLAS, "--max-tokens", "1", "--swap", &swap]);
    let told = String::from_utf8(program.assert().success().get_output().stdout.clone()).unwrap();
    assert_eq!(told, "without interventions:  Austin\nwith interventions:  Sacramento\n");
}

#[test]
fn what_cannot_be_made_is_a_sentence() {
    for (arguments, parts) in [
        (&["--ablate", "0:12:3"][..], &["position", "12", "out of range"][..]),
        (&["--ablate", "0:-12:3"], &["-12", "out of range"]),
        (&["--ablate", "0:3..3:3"], &["no position"]),
        (&["--scale", "0:8:3=nan"], &["finite"]),
        (&["--set", "0:8:3=1e38"], &["NaN or infinity"]),
        (&["--ablate", "0:8:3", "--add", "0:*:3=1"], &["0:8:3", "twice", "ablate at", "add 1 at"]),
        (&["--swap", "8=fact : the capital@40"], &["position 40", "other prompt"]),
        (&["--ablate", "0:3", "--layers", "0..1"], &["--layers goes with --mode direct"]),
        (&["--interventions", "/no/such/file"], &["cannot read /no/such/file"]),
    ] {
        let said = refused("intervene", arguments);
        assert!(parts.iter().all(|part| said.contains(part)), "{arguments:?}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.json");
    fs::write(&file, r#"{"list": [{"name": "a"}]}"#).unwrap();
    assert!(refused("intervene", &["--interventions", file.to_str().unwrap()]).contains("holds no interventions"));
    assert!(refused("generate", &["--ablate", "0:3", "--mode", "direct"]).contains("direct interventions freeze"));
    assert!(refused("generate", &["--temperature", "-1"]).contains("temperature is -1"));
    for wrong in [&["--ablate", "1"][..], &["--set", "1:2:3=a"], &["--sweep", "0..1", "--ablate", "0:3"], &[]] {
        circuitscope().args(["intervene", "--prompt", DALLAS]).args(wrong).assert().code(2);
    }
    assert!(!Path::new("set.json").exists());
}
