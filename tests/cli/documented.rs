//! Every field that a command prints is documented, with its type, and every field that is documented is printed.

use crate::circuitscope;
use crate::guide::Guide;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

const DALLAS: &str = "fact : the capital of the state containing Dallas is";
const OAKLAND: &str = "fact : the capital of the state containing Oakland is";

/// The program's answers, in a home of their own.
struct Home {
    folder: tempfile::TempDir,
    guide: Guide,
}

impl Home {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn printed<A: AsRef<OsStr>>(&self, command: &str, arguments: &[A]) -> Vec<Value> {
        let mut program = circuitscope();
        program.env("HOME", self.folder.path()).env_remove("XDG_DATA_HOME").env_remove("HF_HOME");
        program.args(command.split(' ')).args(arguments).arg("--json");
        let output = program.output().unwrap();
        let objects = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        objects.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Runs a command and checks what it prints against these sections.
    fn check(&mut self, sections: &[&str], command: &str, arguments: &[&str]) -> Value {
        let mut printed = self.printed(command, arguments);
        assert_eq!(printed.len(), 1, "{command} {arguments:?}");
        self.guide.check(sections, &printed[0]);
        printed.remove(0)
    }
}

fn ids(nodes: &Value) -> Vec<String> {
    nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_commands_print_as_json() {
    let mut home = Home { folder: tempfile::tempdir().unwrap(), guide: Guide::open() };
    traces(&mut home);
    let feature = graphs(&mut home);
    the_model(&mut home, &feature);
    features(&mut home);
    training(&mut home);
    home.check(&["models"], "models", &[]);
    home.check(&["published"], "models", &["--published"]);
    home.check(&["guide"], "guide", &[]);
    home.check(&["keys"], "keys", &[]);
    home.check(&["page"], "guide", &["filters"]);
    // What needs a hub is checked where there is one; no accelerator is needed to test.
    let unseen = home.guide.unseen(&["pull", "repository", "file", "device-memory"]);
    assert!(unseen.is_empty(), "these are documented, and no command printed them: {unseen:#?}");
}

fn traces(home: &mut Home) {
    let [dallas, oakland] = ["dallas.safetensors", "oakland.safetensors"].map(|name| home.path(name));
    home.check(&["trace"], "trace", &["--prompt", DALLAS, "--out", &dallas]);
    home.check(&["trace"], "trace", &["--prompt", OAKLAND, "--drop", "0.01", "--out", &oakland]);
    home.check(&["outlook"], "trace", &["--prompt", DALLAS, "--plan"]);
    home.check(&["plan"], "trace", &["--prompt", DALLAS, "--plan=full"]);
    home.check(&["tokens"], "tokens", &["--prompt", DALLAS]);
    let (prompts, many) = (home.path("prompts.jsonl"), home.path("many"));
    fs::write(&prompts, r#"{"prompt": "the capital of France is"}"#).unwrap();
    for _ in 0..2 {
        let lines = home.printed("trace", &["--prompts", &prompts, "--out", &many]);
        for line in &lines {
            // Of a prompt that was traced before there is no more than that.
            let wanted = line["skipped"].is_null();
            if wanted {
                home.guide.check(&["trace"], line);
            } else {
                home.guide.check(&["skipped-prompt"], line);
            }
        }
        assert_eq!(lines.len(), 1);
    }
    fs::write(&prompts, r#"{"prompt": "the capital of France is", "target": "no such token as this"}"#).unwrap();
    for line in home.printed("trace", &["--prompts", &prompts, "--out", &home.path("none")]) {
        home.guide.check(&["failed-prompt"], &line);
    }
}

/// Gives a feature of Dallas as `LAYER:POSITION:FEATURE`.
fn graphs(home: &mut Home) -> String {
    let [dallas, oakland] = ["dallas.safetensors", "oakland.safetensors"].map(|name| home.path(name));
    let shown = home.check(&["show"], "show", &[&dallas, "--top", "1000"]);
    for id in ids(&shown["top"]) {
        home.check(&["node", "around"], "show", &[&dallas, &id, "--top", "2"]);
    }
    home.check(&["find"], "find", &[&dallas, "Austin"]);
    let features = home.check(&["filter"], "filter", &[&dallas, "type:feature"]);
    let features = ids(&features["nodes"]);
    home.check(&["filter"], "filter", &[&dallas, "promotes~Austin or sign:-"]);
    let outputs = ids(&home.check(&["filter"], "filter", &[&dallas, "type:logit"])["nodes"]);
    home.check(&["paths"], "paths", &[&dallas, &features[0], &outputs[0]]);
    let strongest = home.check(&["filter"], "filter", &[&dallas, "from:feature to:logit"])["edges"][0].clone();
    let [source, target] = ["source", "target"].map(|end| strongest[end].as_str().unwrap().to_owned());
    let parts: Vec<&str> = features[0].split('_').collect();
    let ([layer, feature, position], group) = (
        [parts[0], parts[1], parts[2]],
        format!("both={source},{}", features.iter().find(|id| **id != source).unwrap()),
    );
    let set = home.path("set.json");
    let interventions = format!(
        r#"{{"freeze": "direct", "layers": {{"start": 0, "end": 2}}, "list": [{{"name": "one", "muted": true, "action": {{"do": "ablate"}},
            "sites": [{{"layer": {layer}, "feature": {feature}, "positions": "{position}"}}]}}]}}"#
    );
    fs::write(&set, interventions).unwrap();
    let labels = [format!("{layer}:{feature}=a feature"), "E_1_0=the first".to_owned()];
    let token = ids(&home.check(&["filter"], "filter", &[&dallas, "type:token"])["nodes"])[0].clone();
    let labels = [labels[0].clone(), format!("{token}=a token")];
    home.check(
        &["edit"],
        "edit",
        &[
            &dallas,
            "--group",
            &group,
            "--pin",
            &target,
            "--label",
            &labels[0],
            "--label",
            &labels[1],
            "--interventions",
            &set,
        ],
    );
    home.check(&["groups"], "groups", &[&dallas, "--alike", "0.1", "--span", "20"]);
    home.check(&["show"], "show", &[&dallas]);
    let pruned = home.path("pruned.json");
    home.check(&["export"], "export", &[&dallas, "--format", "json", "--out", &pruned]);
    let figure = home.path("figure.svg");
    home.check(&["export"], "export", &[&dallas, "--format", "svg", "--out", &figure]);
    // What was pruned before it was written has scores by other names.
    let again = home.check(&["show"], "show", &[&pruned]);
    assert!(again["replacement_score"].is_null() && again["recomputed_replacement_score"].is_number());
    home.check(&["groups"], "groups", &[&pruned]);
    home.check(&["circuit"], "circuit", &[&pruned, "--groups", "3"]);
    let circuit = home.check(&["circuit"], "circuit", &[&dallas, "--verify"]);
    let fell = |group: &Value| group["effect"]["observed"].as_f64().unwrap() < -1.0;
    assert!(circuit["groups"].as_array().unwrap().iter().any(fell), "{circuit:#}");
    of_another_program(home);
    home.check(&["diff"], "diff", &[&dallas, &oakland]);
    home.check(&["diff"], "union", &[&dallas, &oakland, &dallas]);
    home.check(&["heads"], "heads", &[&dallas, "--edge", &source, &target]);
    home.check(&["heads"], "attention", &[&dallas, "--edge", &source, &target]);
    home.check(&["heads-of-a-graph"], "heads", &[&dallas]);
    home.check(&["heads-of-a-graph"], "attention", &[&dallas]);
    // A prompt that is so short that some head looks at the first token.
    home.check(&["heads-of-a-graph"], "heads", &["--prompt", "is is is is"]);
    home.check(&["heads-at-a-position"], "heads", &[&dallas, "--position", "-1"]);
    home.check(&["diff-of-heads"], "diff", &["--heads", &dallas, &oakland]);
    home.check(&["attention-pattern"], "attention", &[&dallas, "--head", "1.0"]);
    let told = ["--head", "1.0", "--query", "-1", "--key", "4", "--verify"];
    home.check(&["attention"], "attention", &[&[dallas.as_str()][..], &told].concat());
    home.check(&["attention"], "attention", &[&["--prompt", DALLAS, "--against", "2"][..], &told].concat());
    softcapped(home);
    home.check(&["verify"], "verify", &[&dallas, "--edge", &source, &target]);
    home.check(&["verify"], "verify", &[&dallas, "--top", "3", "--most", "3"]);
    format!("{layer}:{position}:{feature}")
}

/// A head of a model that squeezes scores.
fn softcapped(home: &mut Home) {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma2_plt_jumprelu");
    let [model, transcoder] = ["model", "transcoder"].map(|which| case.join(which).to_str().unwrap().to_owned());
    let of = ["--model", &model, "--transcoder", &transcoder, "--prompt", "the capital of France is"];
    home.check(&["attention"], "attention", &[&of[..], &["--head", "1.2", "--key", "-2"]].concat());
}

/// A graph with attention features, and features of two dictionaries.
fn of_another_program(home: &mut Home) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/data/attention-features.json");
    let mut file: Value = serde_json::from_slice(&fs::read(data).unwrap()).unwrap();
    for (nth, node) in file["nodes"].as_array_mut().unwrap().iter_mut().enumerate() {
        node["source_model"] = ["base", "adapter"][nth % 2].into();
    }
    let graph = home.path("attention.json");
    fs::write(&graph, file.to_string()).unwrap();
    let shown = home.check(&["show"], "show", &[&graph, "--top", "100"]);
    for id in ids(&shown["top"]) {
        home.check(&["node", "around"], "show", &[&graph, &id]);
    }
}

fn the_model(home: &mut Home, feature: &str) {
    let dallas = home.path("dallas.safetensors");
    for (option, value) in [("--set", "=2"), ("--scale", "=2"), ("--add", "=1"), ("--ablate", "")] {
        let done = format!("{feature}{value}");
        home.check(&["intervene"], "intervene", &["--prompt", DALLAS, option, &done, "--sweep", "0..1:2"]);
    }
    let swap = format!("9={OAKLAND}");
    home.check(&["intervene"], "intervene", &["--prompt", DALLAS, "--swap", &swap]);
    home.check(&["intervene"], "intervene", &["--prompt", DALLAS, "--graph", &dallas, "--group", "both"]);
    home.check(&["generate"], "generate", &["--prompt", DALLAS, "--ablate", feature, "--max-tokens", "2"]);
    home.check(&["why"], "why", &["--prompt", DALLAS, feature]);
    home.check(&["inactive-features"], "why", &["--prompt", DALLAS, "--closest", "3"]);
}

fn features(home: &mut Home) {
    home.check(&["features-browse"], "features browse", &["--limit", "3"]);
    home.check(&["features-browse"], "features browse", &["--limit", "3", "--search", "Dallas"]);
    home.check(&["features-browse"], "features browse", &["--limit", "3", "--near", "0:1"]);
    home.check(&["features-browse"], "features browse", &["--limit", "3", "--text", DALLAS]);
    let listed = home.check(&["features-browse"], "features browse", &["--limit", "1"]);
    let first = &listed["features"][0];
    home.check(&["features-show"], "features show", &[&format!("{}:{}", first["layer"], first["feature"])]);
    let [corpus, store, shards] = ["corpus.txt", "store", "shards"].map(|name| home.path(name));
    fs::write(&corpus, [DALLAS, OAKLAND].join("\n")).unwrap();
    let build = ["--corpus", &corpus, "--layers", "0..0", "--out"];
    home.check(&["features-build"], "features build", &[&build[..], &[&store]].concat());
    for shard in ["1/2", "2/2"] {
        home.check(&["features-build"], "features build", &[&build[..], &[&shards, "--shard", shard]].concat());
    }
    home.check(&["status"], "status", &[&shards]);
    let parts = ["1", "2"].map(|nth| format!("{shards}/shard-{nth}-of-2.part"));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    home.check(&["features-build"], "features merge", &[&parts[..], &["--out", &store]].concat());
    let rows = home.path("rows.jsonl");
    let row =
        serde_json::json!({"modelId": "m", "layer": "0-set", "index": "1", "pos_str": ["a"], "pos_values": [1.0]});
    fs::write(&rows, row.to_string()).unwrap();
    home.check(&["features-import"], "features import", &[&rows, "--out", &home.path("imported")]);
    assert!(Path::new(&store).is_dir());
}

fn training(home: &mut Home) {
    let [corpus, out] = ["documents.txt", "trained"].map(|name| home.path(name));
    fs::write(&corpus, [DALLAS, OAKLAND].join("\n")).unwrap();
    let run = ["--corpus", &corpus, "--features", "16", "--activation", "topk:2", "--batch", "8", "--tokens", "16"];
    home.check(&["train-plan"], "train", &[&run[..], &["--out", &out, "--plan"]].concat());
    home.check(&["train"], "train", &[&run[..], &["--out", &out, "--eval", &corpus]].concat());
    home.check(&["train"], "train merge", &[&out, "--out", &home.path("merged")]);
}
