//! `features show` and `features import` as a person or a script calls them.

use crate::{circuitscope, fixture};
use circuitscope::features::store::{Manifest, Writer};
use circuitscope::features::{Dashboard, Example, Quantile};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A store with a feature of layer 1 of which all is known.
fn store(folder: &Path) {
    let context = |words: &[&str], activations: &[f32], repeated| Example {
        tokens: words.iter().map(|word| (*word).to_owned()).collect(),
        activations: activations.to_vec(),
        peak: None,
        repeated,
    };
    let dallas = context(&["in", " Dallas", ",", "\n", "\u{1b}[2J"], &[0.0, 4.5, 1.0, 0.0, 0.0], false);
    let again = Example { repeated: true, ..dallas.clone() };
    let other = context(&["to", " Dallas"], &[0.0, 3.0], false);
    let dashboard = Dashboard {
        index: 2,
        quantiles: vec![Quantile { name: "Top".into(), examples: vec![dallas, again, other] }],
        promoted: vec![" Texas".into()],
        max: 6.0,
        histogram: vec![8.0, 4.0, 0.0, 1.0],
        quantile_values: vec![0.5, 5.0],
        density: Some(0.0125),
        ..Dashboard::default()
    };
    let manifest = Manifest { version: Manifest::VERSION, n_layers: 2, n_features: vec![3, 3], ..Manifest::default() };
    let mut writer = Writer::new(folder, manifest).unwrap();
    writer.push(1, 2, &dashboard).unwrap();
    writer.finish().unwrap();
}

fn printed(args: &[&str], home: &Path) -> String {
    let output = circuitscope().env("HOME", home).env_remove("XDG_DATA_HOME").args(args).assert().success();
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

fn refused(args: &[&str], home: &Path) -> String {
    let output = circuitscope().env("HOME", home).env_remove("XDG_DATA_HOME").args(args).assert().code(1);
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

/// A transcoder's features without its model, as long as no text is to be read.
#[test]
fn features_are_browsed_without_a_model() {
    let home = tempfile::tempdir().unwrap();
    let set = fixture("llama_clt_relu/transcoder").display().to_string();
    let browse = ["features", "browse", "--transcoder", &set];
    let json = |more: &[&str]| -> Value {
        serde_json::from_str(&printed(&[&browse[..], more].concat(), home.path())).unwrap()
    };
    assert_eq!(json(&["--json", "--only", "1:4..9"])["count"], 6);
    // With the model the neighbours are the same.
    let model = fixture("llama_clt_relu/model").display().to_string();
    let near = json(&["--json", "--near", "0:3", "--limit", "5"]);
    assert_eq!(near, json(&["--json", "--near", "0:3", "--limit", "5", "--model", &model]));
    assert_eq!(near["features"].as_array().unwrap().len(), 5);
    assert!(json(&["--json", "--text", "the state", "--model", &model])["tokens"].is_array());
    let refusal = refused(&[&browse[..], &["--text", "the state"]].concat(), home.path());
    assert!(refusal.contains("Llama-3.2-1B"), "{refusal}");
}

#[test]
fn a_feature_is_shown_as_text_and_as_json() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("store");
    store(&folder);
    let path = folder.to_str().unwrap();
    let show = ["features", "show", "1:2", "--features", path];
    let text = printed(&show, home.path());
    for part in [
        "label       Dallas (automatic)",
        &format!("from        {path} (imported)"),
        "fires on 1.250 % of tokens",
        "█▄ ▁ from 0.000 to 6.000",
        "quantiles   0.500 5.000",
        "promotes    ·Texas",
        "Top: 2 of 3, 1 of them repeated and left out",
        "    4.500  ",
        "in«·Dallas»,⏎␛[2J",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
    let json: Value = serde_json::from_str(&printed(&[&show[..], &["--json"]].concat(), home.path())).unwrap();
    assert_eq!((&json["label"]["text"], &json["label"]["origin"]), (&"Dallas".into(), &"automatic".into()));
    assert_eq!(json["dashboard"]["examples_quantiles"][0]["examples"][0]["tokens"][1], " Dallas");
    assert_eq!(json["sources"].as_array().unwrap().len(), 1);

    let labels = home.path().join("mine.csv");
    fs::write(&labels, "1,2,cities of Texas\n0,0,alone").unwrap();
    let labels = ["--labels", labels.to_str().unwrap()];
    let named: Value =
        serde_json::from_str(&printed(&[&show[..], &labels, &["--json"]].concat(), home.path())).unwrap();
    assert_eq!(named["label"]["text"], "cities of Texas");
    // A label alone is something.
    let alone = printed(&[&["features", "show", "0:0", "--features", path], &labels[..]].concat(), home.path());
    assert!(alone.contains("alone") && alone.contains("none are known"), "{alone}");

    let none = refused(&["features", "show", "0:1", "--features", path], home.path());
    assert!(none.contains("nothing is known of feature 0:1 in ") && none.contains("features build"), "{none}");
    assert!(refused(&["features", "show", "9:9"], home.path()).contains("has no layer 9"), "the demo has not");
    assert!(refused(&["features", "show", "0:2", "--features", "/no/such"], home.path()).contains("/no/such"));
}

#[test]
fn an_import_is_found_without_being_named() {
    let home = tempfile::tempdir().unwrap();
    let export = home.path().join("export/features");
    fs::create_dir_all(&export).unwrap();
    let row = r#"{"modelId": "m", "layer": "1-set", "index": 2, "frac_nonzero": 0.5, "activations":
        [{"tokens": ["a", " b"], "values": [0, 2]}], "explanations": [{"description": "letters"}]}"#;
    fs::write(export.join("batch-0.jsonl"), row.replace('\n', " ") + "\nnonsense\n").unwrap();
    let export = home.path().join("export");
    let transcoder = crate::fixture("llama_plt_relu/transcoder");
    let set = ["--transcoder", transcoder.to_str().unwrap()];
    let import = [&["features", "import", export.to_str().unwrap(), "--json"], &set[..]].concat();
    let outcome: Value = serde_json::from_str(&printed(&import, home.path())).unwrap();
    assert_eq!((&outcome["outcome"]["features"], &outcome["outcome"]["skipped"]), (&1.into(), &1.into()));
    let shown = printed(&[&["features", "show", "1:2"], &set[..]].concat(), home.path());
    assert!(shown.contains("letters (from ") && shown.contains("a«·b»") && shown.contains("(imported)"), "{shown}");
    let no_place = refused(&["features", "import", export.to_str().unwrap()], home.path());
    assert!(no_place.contains("--out"), "{no_place}");
}

#[test]
fn a_graph_is_told_what_is_known_of_its_features() {
    let home = tempfile::tempdir().unwrap();
    let graph = home.path().join("demo.safetensors");
    let path = graph.to_str().unwrap();
    printed(&["trace", "--prompt", "the capital of France is", "--out", path], home.path());
    let ids = |query: &str, more: &[&str]| -> Vec<(u64, u64)> {
        let args = [&["filter", path, query, "--node-threshold", "1", "--json"], more].concat();
        let found: Value = serde_json::from_str(&printed(&args, home.path())).unwrap();
        assert_eq!(found["lacking"], serde_json::json!([]), "{found}");
        let nodes = found["nodes"].as_array().unwrap().iter();
        nodes.map(|node| (node["layer"].as_u64().unwrap(), node["feature"].as_u64().unwrap())).collect()
    };
    let all = ids("type:feature", &[]);
    let (layer, feature) = all[0];

    // The demo's own store knows how often each of them fires. What is left out leaves others without a way to the
    // answer, so that a few more go.
    let known = ["--density", "0.999"];
    let (below, above) = (ids("type:feature density<=0.02", &known), ids("type:feature density>0.02", &known));
    assert_eq!(below.len() + above.len(), all.len());
    let rare = ids("type:feature", &["--density", "0.02"]);
    assert!(!rare.is_empty() && rare.len() < all.len(), "{} of {}", rare.len(), all.len());
    assert!(rare.iter().all(|feature| below.contains(feature) && !above.contains(feature)), "{rare:?} and {above:?}");

    let labels = home.path().join("labels.csv");
    fs::write(&labels, format!("{layer},{feature},\"a name, given\"")).unwrap();
    let named = ids("label~given", &["--labels", labels.to_str().unwrap()]);
    assert!(!named.is_empty() && named.iter().all(|node| *node == (layer, feature)), "{named:?}");
    let none = refused(&["filter", path, "label~x", "--features", "/no/such"], home.path());
    assert!(none.contains("/no/such"), "{none}");
}
