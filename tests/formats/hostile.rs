//! Files that are malformed, truncated, contradictory or out for mischief get one sentence, and nothing panics.

use crate::open::data;
use circuitscope::format::{FormatError, json, open, torch};
use circuitscope::graph::Document;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::Path;

fn read(bytes: &[u8]) -> Result<(), FormatError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("graph.json");
    fs::write(&path, bytes).unwrap();
    open(&path).map(drop)
}

#[track_caller]
fn says(bytes: &[u8], parts: &[&str]) {
    let error = read(bytes).expect_err(parts[0]).to_string();
    assert!(error.contains("graph.json") && !error.contains('\n') && error.len() < 400, "{error}");
    assert!(parts.iter().all(|part| error.contains(part)), "{error} says nothing of {parts:?}");
}

fn neuronpedia() -> String {
    fs::read_to_string(data("neuronpedia.json")).unwrap()
}

/// What is told of a file in which `from` stands once and is replaced: what was left out, or passed over.
#[track_caller]
fn warns(from: &str, to: &str, parts: &[&str]) {
    let text = neuronpedia();
    assert!(text.contains(from), "{from}");
    let document = json::read(Path::new("graph"), text.replacen(from, to, 1).as_bytes()).unwrap();
    let warnings = &document.foreign.warnings;
    let is_told = |part: &&str| warnings.iter().any(|warning| warning.contains(*part) && !warning.contains('\n'));
    assert!(parts.iter().all(is_told), "{warnings:?} says nothing of {parts:?}");
}

#[test]
fn what_is_no_graph_is_named() {
    says(b"", &["is not a graph", "it is empty"]);
    says(b"GIF89a", &["is not a graph", "begins like none of them"]);
    says(b"<!doctype html><html>", &["is not a graph", "a web page"]);
    says(b"[{\"index\": 1}]", &["is not a graph", "a JSON list"]);
    says(b"\x80\x02}q\x00.", &["an old torch"]);
    says(b"{}", &["its JSON has no nodes"]);
    says(br#"{"nodes": []}"#, &["its JSON has no links"]);
    says(br#"{"nodes": [], "links": []}"#, &["its JSON has no metadata"]);
    says(br#"{"nodes": [], "links": [], "metadata": {}}"#, &["prompt_tokens"]);
    says(br#"{"nodes": [], "nodes": []}"#, &["two `nodes`", "column 21"]);
    says(b"PK\x03\x04", &["its archive is unsound"]);
    says(br#"{"a\u001b[2J": 1, "b": 2}"#, &["its JSON has no nodes, but a\\u{1b}[2J, b"]);
    // What is known is called by its name, and what is read is said.
    for (file, parts) in [
        (r#"{"graphs": [{"slug": "a"}]}"#, ["lists graphs", "attribution graph"]),
        (r#"{"nodes": [], "edges": []}"#, ["`edges`", "`links`"]),
        (r#"{"directed": true, "multigraph": false, "nodes": [], "links": []}"#, ["NetworkX", "metadata"]),
        (r#"{"transcoder_id": "", "index": 3, "examples_quantiles": []}"#, ["dashboard of a feature", "metadata"]),
        (r#"{"modelId": "gemma", "layer": "1", "index": "3", "activations": []}"#, ["Neuronpedia", "feature"]),
        (r#"{"version": "1.0", "added_tokens": [], "model": {}}"#, ["a tokenizer", "attribution graph"]),
        (r#"{"error": "no such graph"}"#, ["a server", "attribution graph"]),
    ] {
        says(file.as_bytes(), &parts);
    }
}

#[test]
fn contradictions_are_said_with_their_place() {
    warns(r#""target": "1_4_1""#, r#""target": "1_5_1""#, &["1 link leads"]);
    warns(r#""weight": 3.0"#, r#""weight": 1e39"#, &["links[3]: its weight"]);
    warns(r#""weight": 3.0"#, r#""weight": NaN"#, &["1 number", "links[3]: it has no weight"]);
    warns(r#""weight": 3.0"#, r#""weight": null"#, &["links[3]: it has no weight"]);
    warns(r#""weight": 3.0"#, r#""weight": 1e999"#, &["links[3]: its weight"]);
    warns(r#""ctx_idx": 1"#, r#""ctx_idx": -1"#, &["nodes[0]: its ctx_idx is -1"]);
    warns(r#""ctx_idx": 1"#, r#""ctx_idx": 4000000000"#, &["nodes[0]: position 4000000000 of a prompt of 2 tokens"]);
    warns(r#""ctx_idx": 1"#, r#""ctx_idx": 99999999999999999999"#, &["nodes[0]: its ctx_idx is 99999999999999999999"]);
    warns(r#""layer": 0"#, r#""layer": 4000000000"#, &["nodes[0]: its layer is 4000000000"]);
    warns(r#""layer": 0"#, r#""layer": "\u001b[2J""#, &["nodes[0]: its layer is \"\\u{1b}[2J\""]);
    warns(r#""layer": 0"#, r#""layer": "E""#, &["nodes[0]: it has no layer"]);
    warns(r#""influence": 0.25"#, r#""influence": 1e300"#, &["nodes[1]: its influence"]);
    warns(r#""token_prob": 0.75"#, r#""token_prob": -1"#, &["its probability is -1"]);
    warns(r#"[["deep", "1_4_1", "1_-1_1"]]"#, r#"["deep"]"#, &["its supernodes"]);
    warns(r#"[["deep", "1_4_1", "1_-1_1"]]"#, r#""[[""#, &["its supernodes"]);
    warns(r#""sg_pos": """#, r#""pruningThreshold": "7""#, &["its pruningThreshold is \"7\""]);
    let token = r#"{"node_id": "E_5_1", "feature": 1, "layer": "E", "ctx_idx": 1, "feature_type": "embedding", "jsNodeId": "E_5-1","#;
    warns(token, &format!("{token} \"clerp\": \"\"}}, {token}"), &["nodes[4]: its id \"E_5_1\" is that of another"]);
    let link = r#"{"source": "0_3_1", "target": "1_4_1", "weight": 0.5},"#;
    warns(link, &[link, link].concat(), &["1 link is stated more than once"]);
}

#[test]
fn deep_nesting_ends_in_a_sentence() {
    for lead in [r#"{"unknown": "#, r#"{"metadata": "#, r#"{"qParams": {"supernodes": "#, r#"{"nodes": [{"layer": "#] {
        let deep = [lead.as_bytes(), &vec![b'['; 1 << 20]].concat();
        says(&deep, &["line 1 column"]);
    }
    let quoted = format!(r#"{{"qParams": {{"supernodes": "{}"}}}}"#, "[".repeat(1 << 20));
    says(quoted.as_bytes(), &["has no nodes"]);
}

#[test]
fn a_bomb_is_not_unpacked() {
    let packed = |lead: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(lead).unwrap();
        let blanks = vec![b' '; 1 << 20];
        for _ in 0..160 {
            packed.write_all(&blanks).unwrap();
        }
        packed.finish().unwrap()
    };
    says(&packed(b"{"), &["unpack to more than 67108864"]);
    says(&packed(b"no"), &["what is compressed in it is no JSON"]);
    let whole = packed(b"{");
    says(&whole[..whole.len() / 4], &["cannot be unpacked after"]);
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let text = neuronpedia();
    for length in 0..text.trim_end().len() {
        assert!(json::read(Path::new("graph"), &text.as_bytes()[..length]).is_err(), "{length} bytes");
    }
    says(text.trim_end().trim_end_matches('}').as_bytes(), &["EOF while parsing", "line 26"]);
    says(format!("{text}]").as_bytes(), &["trailing characters"]);
    let saved = fs::read(data("targets.pt")).unwrap();
    for length in 0..saved.len() {
        assert!(torch::read(Path::new("graph"), &saved[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn no_changed_byte_makes_it_panic() {
    type Read = fn(&Path, &[u8]) -> Result<Document, FormatError>;
    let files: [(&str, Read); 4] = [
        ("circuit-tracer-old.json", json::read),
        ("anthropic.json", json::read),
        ("targets.pt", torch::read),
        ("tokens.pt", torch::read),
    ];
    for (name, read) in files {
        let mut bytes = fs::read(data(name)).unwrap();
        for seed in 0..1500_usize {
            let at = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % bytes.len();
            let was = bytes[at];
            bytes[at] = if seed % 3 == 0 { was ^ (1 << (seed % 8)) } else { b"[{\"9-}],:(tR\x85"[seed % 13] };
            // What comes of it matters not, as long as something does.
            let _ = read(Path::new("graph"), &bytes);
            bytes[at] = was;
        }
    }
}
