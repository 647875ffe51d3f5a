//! Files that were made to do harm through a message: nothing that a terminal obeys leaves the program, and no message
//! quotes a file at length.

use crate::{circuitscope, copy_of};
use assert_cmd::Command;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Colours, a clearing of the screen in two ways, a title, and an order from right to left; then far too much.
fn payload() -> String {
    "\u{1b}[31m\u{9b}2J\u{1b}]0;owned\u{7}\u{202e}\r".to_owned() + &"A".repeat(100_000)
}

/// Runs the program, and gives what it says once that is known to be harmless.
#[track_caller]
fn heard(program: &mut Command) -> String {
    let output = program.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    let is_harmless = |c: char| c == '\n' || c == '\t' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(said.chars().all(is_harmless), "{:?}", said.chars().find(|c| !is_harmless(*c)));
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// What the program says of a file: one line, about as long as a line may be.
#[track_caller]
fn complaint(program: &mut Command) -> String {
    let said = heard(program);
    let line = said.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("circuitscope: "), "{said}");
    assert!(line.chars().count() < 1500, "{} characters: {line:.300}", line.chars().count());
    line
}

/// Changes a JSON file.
fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// Traces on a copy of a model and a transcoder that `change` was made to.
#[track_caller]
fn trace(change: impl FnOnce(&Path)) -> String {
    let copy = copy_of("llama_plt_relu");
    change(copy.path());
    let mut program = circuitscope();
    program.arg("trace").arg("--model").arg(copy.path().join("model"));
    program.arg("--transcoder").arg(copy.path().join("transcoder"));
    program.args(["--prompt", "the capital of France is", "--chat", "--out"]).arg(copy.path().join("out"));
    complaint(&mut program)
}

#[test]
fn options_of_a_model_are_quoted_safely() {
    for (option, value) in [
        (payload(), json!(1)),
        ("num_hidden_layers".to_owned(), json!(payload())),
        ("hidden_act".to_owned(), json!(payload())),
        ("attention_bias".to_owned(), json!(payload())),
        ("rope_scaling".to_owned(), json!({ "rope_type": payload() })),
        ("rope_scaling".to_owned(), json!({ "rope_type": "linear", "factor": 2.0, payload(): payload() })),
        ("architectures".to_owned(), json!([payload()])),
    ] {
        let said = trace(|folder| edit(&folder.join("model/config.json"), |config| config[&option] = value.clone()));
        assert!(said.contains("config.json"), "{said}");
    }
    let said = trace(|folder| fs::write(folder.join("model/config.json"), format!("{{\"a\": {}", payload())).unwrap());
    assert!(said.contains("config.json") && said.contains("not JSON"), "{said}");
}

#[test]
fn a_transcoders_configuration_is_quoted_safely() {
    let quoted = serde_json::to_string(&payload()).unwrap();
    for line in ["activation: ", "model_kind: ", "feature_input_hook: ", "k: ", "transcoders: "] {
        let said = trace(|folder| {
            let path = folder.join("transcoder/config.yaml");
            let text = fs::read_to_string(&path).unwrap();
            let rest = text.lines().filter(|there| !there.starts_with(line)).collect::<Vec<_>>().join("\n");
            fs::write(path, format!("{rest}\n{line}{quoted}\n")).unwrap();
        });
        assert!(said.contains("config.yaml"), "{line}: {said}");
    }
    let list = |entry: &str| {
        format!(
            "model_name: m\nmodel_kind: transcoder_set\nfeature_input_hook: mlp.hook_in\n\
        feature_output_hook: mlp.hook_out\ntranscoders: [{entry}]\n"
        )
    };
    let said = trace(|folder| fs::write(folder.join("transcoder/config.yaml"), list(&quoted)).unwrap());
    assert!(said.contains("config.yaml"), "{said}");
}

#[test]
fn headers_of_weights_are_quoted_safely() {
    let header = |dtype: &str, name: &str| {
        let header = json!({ name: { "dtype": dtype, "shape": [1], "data_offsets": [0, 4] } }).to_string();
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat()
    };
    for (dtype, name) in [(payload(), "a".to_owned()), ("F32".to_owned(), payload())] {
        for file in ["model/model.safetensors", "transcoder/layer_0.safetensors"] {
            let said = trace(|folder| fs::write(folder.join(file), header(&dtype, &name)).unwrap());
            assert!(said.contains(file.split('/').next().unwrap()), "{said}");
        }
    }
}

#[test]
fn a_tokenizer_and_its_template_are_quoted_safely() {
    let quoted = serde_json::to_string(&payload()).unwrap();
    for template in [
        format!("{{{{ raise_exception({quoted}) }}}}"),
        format!("{{{{ strftime_now('%Q' ~ {quoted}) }}}}"),
        format!("{{{{ messages | {} }}}}", payload()),
        format!("{{% {} %}}", payload()),
    ] {
        let said = trace(|folder| fs::write(folder.join("model/chat_template.jinja"), template).unwrap());
        assert!(said.contains("chat_template.jinja"), "{said}");
    }
    for text in [format!("{{\"model\": {quoted}}}"), payload(), quoted.clone()] {
        let said = trace(|folder| fs::write(folder.join("model/tokenizer.json"), text).unwrap());
        assert!(said.contains("tokenizer.json"), "{said}");
    }
}

/// The program outlives templates whose values overflow a stack, fill the memory or are compared for years.
#[test]
fn templates_that_nest_without_end_are_refused() {
    for template in [
        "{% set ns = namespace() %}{% for i in range(20000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}".to_owned(),
        "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns ~ '' }}".to_owned(),
        "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns | tojson }}"
            .to_owned(),
        // Nothing is done with these but to make and to drop them.
        "{% set ns = namespace() %}{% for i in range(99999) %}{% set ns.a = [[[[[[[[[ns.a]]]]]]]]] %}{% endfor %}".to_owned(),
        format!("{{{{ x{} }}}}", "~x".repeat(20_000)),
        format!("{{% if messages %}}{}{{% endif %}}{{{{ raise_exception('') }}}}", "{%elif x%}".repeat(26_000)),
    ] {
        let said = trace(|folder| fs::write(folder.join("model/chat_template.jinja"), &template).unwrap());
        assert!(said.contains("chat_template.jinja"), "{said}");
    }
}

#[test]
fn a_graphs_texts_are_shown_safely_and_are_the_same_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.json");
    let short: String = payload().chars().take(30).collect();
    let graph = json!({
        "metadata": { "slug": short, "scan": short, "prompt": short, "prompt_tokens": [short, "b"] },
        "nodes": [
            { "node_id": format!("E_1_{short}"), "feature": 1, "layer": "E", "ctx_idx": 0, "feature_type": "embedding",
              "clerp": short },
            { "node_id": "27_5_1", "feature": 5, "layer": "27", "ctx_idx": 1, "feature_type": "logit",
              "is_target_logit": true, "token_prob": 1.0, "clerp": short },
        ],
        "links": [{ "source": format!("E_1_{short}"), "target": "27_5_1", "weight": 1.0 }],
    });
    fs::write(&file, graph.to_string()).unwrap();
    for args in [&["show"][..], &["show", "--json"], &["find", "--json"], &["groups"], &["export", "--format", "json"]]
    {
        let mut program = circuitscope();
        program.args(args).arg(&file);
        match args[0] {
            "find" => program.arg("1"),
            "export" => program.args(["--out", "-"]),
            _ => &mut program,
        };
        let said = heard(&mut program);
        if args.contains(&"--json") && args[0] == "show" {
            let value: Value = serde_json::from_str(&said).unwrap();
            assert_eq!((&value["prompt"], &value["tokens"][0]), (&json!(short), &json!(short)));
        }
    }
    // Names that are not in the file, and a file of such a name.
    for args in [["show", "--json"], ["groups", "--json"]] {
        complaint(circuitscope().args(args).arg(folder.path().join(&short)));
    }
    heard(circuitscope().arg("show").arg(&file).arg(&short));
    heard(circuitscope().args(["edit", "--dissolve", &short]).arg(&file));
    heard(circuitscope().arg(&short));
}
