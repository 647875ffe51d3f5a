//! Tests of tokenizers and templates as published, and of malicious ones.

use super::*;
use crate::hub::FileSource;
use serde_json::{Value, json};
use std::fs;

const WORDS: [&str; 6] = ["<unk>", "the", "capital", "of", "France", "a"];

fn word_level() -> Value {
    let vocab: serde_json::Map<_, _> =
        WORDS.iter().enumerate().map(|(id, word)| ((*word).to_owned(), json!(id))).collect();
    json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": null, "decoder": null, "truncation": null, "padding": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "<unk>" },
    })
}

/// Opens a tokenizer with these files beside it.
fn open(tokenizer: &Value, beside: &[(&str, &str)]) -> Result<Tokenizer, TokenError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    beside.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    Tokenizer::open(&FileSource::directory(folder.path()).unwrap())
}

fn in_chat(template: &str, message: &str) -> Result<String, String> {
    let tokenizer = open(&word_level(), &[("chat_template.jinja", template)]).unwrap();
    tokenizer.in_chat(message).map_err(|error| error.to_string())
}

#[test]
fn what_was_saved_for_batches_changes_no_prompt() {
    let plain = open(&word_level(), &[]).unwrap().encode("the capital of France").unwrap();
    assert_eq!(plain, [1, 2, 3, 4]);
    let mut saved = word_level();
    saved["truncation"] = json!({ "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0 });
    saved["padding"] = json!({
        "strategy": { "Fixed": 11 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 5, "pad_type_id": 0,
        "pad_token": "a",
    });
    saved["post_processor"] = json!({
        "type": "TemplateProcessing", "pair": [], "special_tokens": {},
        "single": vec![json!({ "Sequence": { "id": "A", "type_id": 0 } }); 3],
    });
    assert_eq!(open(&saved, &[]).unwrap().encode("the capital of France").unwrap(), plain);
}

#[test]
fn a_target_that_is_not_known_is_no_target() {
    let tokenizer = open(&word_level(), &[]).unwrap();
    assert_eq!(tokenizer.target("France", 6).unwrap().id, 4);
    assert_eq!(tokenizer.target("<unk>", 6).unwrap().id, 0);
    assert_eq!(tokenizer.target("id:0", 6).unwrap().id, 0);
    let wrong = tokenizer.target("Frances", 6).unwrap_err().to_string();
    assert!(wrong.contains("\"Frances\"") && wrong.contains("does not know") && wrong.contains("France"), "{wrong}");
    let characters = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": null, "truncation": null, "padding": null,
        "model": { "type": "BPE", "vocab": { "<unk>": 0, "a": 1 }, "merges": [], "unk_token": "<unk>" },
    });
    let tokenizer = open(&characters, &[]).unwrap();
    assert_eq!(tokenizer.target("a", 2).unwrap().id, 1);
    assert!(tokenizer.target("b", 2).unwrap_err().to_string().contains("does not know"));
}

#[test]
fn a_normalizer_that_multiplies_is_refused_or_stopped() {
    let times = |n: usize| json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "a".repeat(n) });
    let mut nine = word_level();
    nine["normalizer"] = json!({ "type": "Sequence", "normalizers": vec![times(10); 9] });
    assert!(open(&nine, &[]).unwrap_err().to_string().contains("normalizer"));
    let mut twice = word_level();
    twice["normalizer"] = json!({ "type": "Sequence", "normalizers": vec![times(10); 2] });
    let tokenizer = open(&twice, &[]).unwrap();
    assert_eq!(tokenizer.encode("the a").unwrap().len(), 2);
    assert!(tokenizer.encode(&"a".repeat(1 << 20)).unwrap_err().to_string().contains("normalizer"));
    assert!(tokenizer.encode(&"b ".repeat(MOST_TEXT)).unwrap_err().to_string().contains("shorten"));
}

#[test]
fn a_token_that_is_no_word_is_shown_by_its_number() {
    let mut wide = word_level();
    wide["model"]["vocab"]["b".repeat(100_000)] = json!(6);
    let tokenizer = open(&wide, &[]).unwrap();
    assert_eq!((tokenizer.text(6), tokenizer.text(4)), ("<6>".into(), "France".into()));
    assert_eq!(tokenizer.joined(&[6; 1000]).len(), 3 * 1000);
    wide["decoder"] = json!({ "type": "Replace", "pattern": { "String": "c" }, "content": "c".repeat(100_000) });
    let tokenizer = open(&wide, &[]).unwrap();
    assert_eq!((tokenizer.text(4), tokenizer.joined(&[4, 5])), ("<4>".into(), "<4><5>".into()));
}

/// Checks that an id far beyond the others is a hole in the vocabulary, which is not filled.
#[test]
fn a_vocabulary_with_holes_is_read() {
    let mut holes = word_level();
    holes["model"]["vocab"]["far"] = json!(u32::MAX - 1);
    let tokenizer = open(&holes, &[]).unwrap();
    assert_eq!(tokenizer.encode("the far").unwrap(), [1, u32::MAX - 1]);
}

#[test]
fn templates_run_on_fuel() {
    let message = "{{ messages[0]['content'] }}";
    assert_eq!(in_chat(message, "hello").unwrap(), "hello");
    assert_eq!(
        in_chat("{{ 'a-b'.replace('-', '+') }}{{ ', '.join(['x', 'y']) }}{{ '{:>3}'.format('z') }}", "").unwrap(),
        "a+bx, y  z"
    );
    for template in [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999 }}",
        "{{ ['x'] * 99999999 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s='x') %}{% for i in range(9) %}{% set ns.s = ns.s.replace('x', 'x' * 50) %}{% endfor %}",
        "{% set l = 'x' * 90000 %}{{ l.replace('', l) }}",
        "{{ 'x'.join(['y' * 90000] * 90000) }}",
        "{{ '%9999999999s' | format('x') }}",
        "{{ '{:>9999999999}'.format('x') }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    ] {
        let said = in_chat(template, "hello").unwrap_err();
        assert!(said.contains("chat_template.jinja"), "{template}: {said}");
    }
}

#[test]
fn what_templates_nest_is_paid_for_wherever_it_is_walked() {
    let twice = "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}\
        {% set ns.b = {'b': ns.b, 'c': ns.b} %}{% endfor %}{% set ns.c = ns.a[0] + [] %}";
    let deep = "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(9000) %}{% set ns.a = [ns.a] %}\
        {% set ns.b = (ns.b,) %}{% endfor %}{% set ns.c = [ns.a[0]] %}";
    let cyclic = "{% set ns = namespace() %}{% set ns.a = [ns] %}{% set ns.b = ns %}{% set ns.c = [ns] %}";
    for made in [twice, deep, cyclic] {
        for used in [
            "{{ ns.a == ns.c }}",
            "{{ 1 < 2 <= [ns.a] > [ns.c] }}",
            "{{ ns.a in [ns.c] }}",
            "{{ ns.a in 'text' }}",
            "{{ ns.a ~ '' }}",
            "{{ ns.b }}",
            "{{ ns.b | tojson }}",
            "{{ [ns.a, ns.c] | sort }}",
            "{{ [ns.a, ns.c] | unique | list }}",
            "{{ [[ns.a], [ns.b]] | map('string') | list }}",
            "{{ '%s' | format(ns.b) }}",
            "{{ '{}'.format(ns.b) }}",
            "{{ ', '.join([ns.b]) }}",
            "{{ ns.a is eq(ns.c) }}",
            "{{ {ns.a: 1, ns.c: 2} }}",
            "{{ {'a': 1}[ns.b] }}",
            "{% block inner %}{% set c = [ns.a] ~ '' %}{% endblock %}",
            "{% macro m(x, y) %}{{ x == y }}{% endmacro %}{{ m(ns.a, ns.c) }}",
            "{% filter replace('', ns.b) %}text{% endfilter %}",
        ] {
            let said = in_chat(&format!("{made}{used}"), "hello").unwrap_err();
            assert!(said.contains("chat_template.jinja"), "{made}{used}: {said}");
        }
    }
}

/// Checks that the filters inserted between a template's instructions do not change its result.
#[test]
fn templates_make_what_they_make_without_being_paid_for() {
    for template in [
        "{% macro g(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ g(1, *[3]) }} {{ g(1, **{'b': 4}) }}",
        "{% for i in [1, [2, [3]], []] recursive %}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}{% endif %}\
         {% else %}-{% endfor %}",
        "{% for k, v in {'z': [1], 'y': 2} | items %}{{ k }}{{ v }}{% break %}{% else %}none{% endfor %}",
        "{% filter upper %}abc{{ 'd' if 1 < 2 < 3 else 'e' }}{% endfilter %}",
        "{{ [1] == [1] and 'a' in ['a'] or [2] }} {{ {'x': [1]} }} {{ {(1, 2): 3}[(1, 2)] }}",
        "{% block b %}{{ [2] }}{% endblock %} {{ self.b() }}",
        "{% macro w() %}[{{ caller() }}]{% endmacro %}{% call w() %}{{ [4][0] ~ 'q' }}{% endcall %}",
        "{% set ns = namespace(l=[]) %}{% for m in messages %}{% set ns.l = ns.l + [m.role] %}{% endfor %}\
         {{ ns.l | join(',') }} {{ messages[0]['content'] is defined }}",
    ] {
        let message = minijinja::context! { role => "user", content => "hello" };
        let plain = minijinja::Environment::new().render_str(template, minijinja::context! { messages => [message] });
        assert_eq!(in_chat(template, "hello"), plain.map_err(|error| error.to_string()), "{template}");
        assert!(in_chat(template, "hello").is_ok_and(|text| text.len() > 3), "{template}");
    }
}

/// Checks that a panic of the tokenizers crate becomes an error.
#[test]
fn a_tokenizer_that_breaks_on_a_text_is_an_error() {
    let mut broken = word_level();
    broken["normalizer"] = json!({ "type": "Sequence", "normalizers": [
        { "type": "Replace", "pattern": { "Regex": "b?" }, "content": "a" }, { "type": "NFC" },
    ] });
    let tokenizer = open(&broken, &[]).unwrap();
    assert!(tokenizer.encode("a").unwrap_err().to_string().contains("cannot read \"a\""));
}
