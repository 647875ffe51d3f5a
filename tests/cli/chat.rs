//! Messages in a model's chat template, and what a model and a transcoder say about each other.

use crate::{circuitscope, copy_of, fixture, on};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// As Gemma's models have it.
const GEMMA: &str = concat!(
    "{{ bos_token }}\n",
    "{%- if messages[0]['role'] == 'system' -%}\n    {{ raise_exception('System role not supported') }}\n{%- endif -%}\n",
    "{%- for message in messages -%}\n",
    "    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n",
    "        {{ raise_exception('Conversation roles must alternate user/assistant') }}\n    {%- endif -%}\n",
    "    {{ '<start_of_turn>' + message['role'] + '\n' + message['content'] | trim + '<end_of_turn>\n' }}\n",
    "{%- endfor -%}\n",
    "{%- if add_generation_prompt -%}\n    {{'<start_of_turn>model\n'}}\n{%- endif -%}\n",
);

/// How `tokens` reads `message` in a chat with the model of `folder`.
fn read(folder: &Path, message: &str) -> Value {
    let mut program = on("tokens", &folder.join("model"), &folder.join("transcoder"));
    let output = program.args(["--prompt", message, "--chat", "--json"]).assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

fn set(folder: &Path, key: &str, value: Value) {
    let path = folder.join("model/tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    fs::write(path, config.to_string()).unwrap();
}

#[test]
fn a_message_is_put_into_the_template_with_one_leading_token() {
    let folder = copy_of("gemma3_plt_jumprelu_skip");
    set(folder.path(), "chat_template", GEMMA.into());
    let wanted = "<bos><start_of_turn>user\nthe capital<end_of_turn>\n<start_of_turn>model\n";
    let result = read(folder.path(), "  the capital ");
    assert_eq!(result["prompt"], wanted);
    let tokens = result["tokens"].as_array().unwrap();
    assert_eq!((&tokens[0]["text"], &tokens[1]["text"]), (&"<bos>".into(), &"<start_of_turn>".into()));
    // As one of several, and as a file of its own, which goes before.
    set(
        folder.path(),
        "chat_template",
        json!([
            { "name": "tool_use", "template": "{{ raise_exception('no tools') }}" },
            { "name": "default", "template": GEMMA },
        ]),
    );
    assert_eq!(read(folder.path(), "the capital")["prompt"], wanted);
    fs::write(folder.path().join("model/chat_template.jinja"), "{{ messages[0].content | tojson }} of").unwrap();
    assert_eq!(read(folder.path(), "<it's> \\u0027")["prompt"], "\"<it's> \\\\u0027\" of");
}

#[test]
fn templates_use_what_transformers_gives_them() {
    let folder = copy_of("llama_plt_relu");
    let check = |template: &str, wanted: &str| {
        set(folder.path(), "chat_template", template.into());
        assert_eq!(read(folder.path(), " the city ")["prompt"], wanted, "{template}");
    };
    // Blocks on lines of their own leave no trace, and the newline at the end goes.
    check(
        "{% for message in messages %}\n  {% if true %}\n{{ message.content }}\n  {% endif %}\n{% endfor %}\n",
        " the city \n",
    );
    check(
        "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
        "02",
    );
    check("{{ messages[0]['content'].strip().split(' ')[-1].upper() }}{{ messages[::-1][0].role }}", "CITYuser");
    check(
        "{{ 'none' if tools is none else 'some' }}{{ bos_token is defined }}{{ missing is defined }}",
        "noneTrueFalse",
    );
    check(
        "{% set ns = namespace(n=0) %}{% set ns.n = 2 %}{{ ns.n }}{{ {'a': [1, 2.5, none]} | tojson }}",
        "2{\"a\": [1, 2.5, null]}",
    );
    check("{{ strftime_now('%Y') | length }}", "4");
}

#[test]
fn what_has_no_template_or_refuses_says_so() {
    let refuses = |folder: &Path, part: &str| {
        let mut program = on("tokens", &folder.join("model"), &folder.join("transcoder"));
        let assert = program.args(["--prompt", "the", "--chat"]).assert().code(1);
        let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(stderr.contains(part), "{stderr}");
    };
    let folder = copy_of("gpt2_plt_relu");
    refuses(folder.path(), "no chat template");
    set(folder.path(), "chat_template", "{{ raise_exception('only one turn is read') }}".into());
    refuses(folder.path(), "only one turn is read");
    set(folder.path(), "chat_template", "{% for %}".into());
    refuses(folder.path(), "chat template is not understood");
    set(folder.path(), "chat_template", json!([{ "name": "rag", "template": "" }]));
    refuses(folder.path(), "called default");
}

#[test]
fn transcoders_of_gemma_3_it_want_their_prefix() {
    let folder = copy_of("gemma3_plt_jumprelu_skip");
    // Gemma's tokenizer has a token for "user", and this small one has none: "that" is turned into it.
    let tokenizer = folder.path().join("model/tokenizer.json");
    let mut read: Value = serde_json::from_slice(&fs::read(&tokenizer).unwrap()).unwrap();
    let model = &mut read["model"];
    let id = model["vocab"].as_object_mut().unwrap().remove("that").unwrap();
    model["vocab"]["user"] = id;
    let mut merges = model["merges"].as_array_mut().unwrap().iter_mut();
    *merges.find(|merge| merge[0].as_str().unwrap().to_owned() + merge[1].as_str().unwrap() == "that").unwrap() =
        json!(["use", "r"]);
    fs::write(tokenizer, read.to_string()).unwrap();
    let config = folder.path().join("transcoder/config.yaml");
    let text = fs::read_to_string(&config).unwrap().replace("gemma-3-1b-pt", "gemma-3-1b-it");
    fs::write(config, text).unwrap();
    set(folder.path(), "chat_template", GEMMA.into());
    let plain = |prompt: &[&str]| {
        let mut program = on("tokens", &folder.path().join("model"), &folder.path().join("transcoder"));
        program.args(prompt).assert()
    };
    let stderr = String::from_utf8(plain(&["--prompt", "the capital"]).code(1).get_output().stderr.clone()).unwrap();
    assert!(stderr.contains("use --chat"), "{stderr}");
    plain(&["--prompt", "<start_of_turn>user\nthe capital"]).code(1);
    plain(&["--tokens", "2,5,6,7,8"]).code(1);
    plain(&["--prompt", "<bos><start_of_turn>user\nthe capital"]).success();
    plain(&["--prompt", "the capital", "--chat"]).success();
}

#[test]
fn a_model_of_another_name_is_warned_of_and_recorded() {
    let folder = copy_of("llama_plt_relu");
    let name = |name: &str| {
        let path = folder.path().join("model/config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config["_name_or_path"] = name.into();
        fs::write(path, config.to_string()).unwrap();
    };
    let out = folder.path().join("graph.safetensors");
    let trace = || {
        let mut program = on("trace", &folder.path().join("model"), &folder.path().join("transcoder"));
        program.args(["--prompt", "the capital", "--json", "--force", "--out"]).arg(&out);
        let output = program.assert().success().get_output().clone();
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        (result["warnings"].as_array().unwrap().len(), String::from_utf8(output.stderr).unwrap())
    };
    for same in ["meta-llama/Llama-3.2-1B", "/models/llama-3.2-1b/", ""] {
        name(same);
        let (warnings, stderr) = trace();
        assert_eq!((warnings, stderr.contains("warning")), (0, false), "{same}: {stderr}");
    }
    name("meta-llama/Llama-3.2-1B-Instruct");
    let (warnings, stderr) = trace();
    assert_eq!(warnings, 1);
    assert!(stderr.contains("Llama-3.2-1B\"") && stderr.contains("Llama-3.2-1B-Instruct"), "{stderr}");
    let recorded = circuitscope::format::raw::read(&out).unwrap().provenance.warnings;
    assert_eq!(recorded.len(), 1);
}

#[test]
fn neuronpedias_name_of_the_model_goes_into_the_export() {
    let folder = tempfile::tempdir().unwrap();
    let (case, graph) = (fixture("gemma2_plt_jumprelu"), folder.path().join("graph.safetensors"));
    let mut program = on("trace", &case.join("model"), &case.join("transcoder"));
    program.args(["--prompt", "the capital", "--out"]).arg(&graph).assert().success();
    let scan = |more: &[&str]| {
        let out = folder.path().join("graph.json");
        circuitscope()
            .arg("export")
            .arg(&graph)
            .args(["--format", "json", "--force", "--out"])
            .arg(&out)
            .args(more)
            .assert()
            .success();
        let graph: Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
        graph["metadata"]["scan"].as_str().unwrap().to_owned()
    };
    assert_eq!(scan(&["--scan", "gemma-2-2b"]), "gemma-2-2b");
    assert_ne!(scan(&[]), "gemma-2-2b");
}
