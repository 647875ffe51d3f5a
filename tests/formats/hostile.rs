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

/// The message for a file in which `from` stands once and is replaced.
#[track_caller]
fn replaced(from: &str, to: &str, parts: &[&str]) {
    let text = neuronpedia();
    assert!(text.contains(from), "{from}");
    says(text.replacen(from, to, 1).as_bytes(), parts);
}

#[test]
fn what_is_no_graph_is_named() {
    says(b"", &["is not a graph", "it is empty"]);
    says(b"GIF89a", &["is not a graph", "begins like none of them"]);
    says(b"\x80\x02}q\x00.", &["an old torch"]);
    says(b"{}", &["its JSON has no nodes"]);
    says(br#"{"nodes": []}"#, &["its JSON has no links"]);
    says(br#"{"nodes": [], "links": []}"#, &["its JSON has no metadata"]);
    says(br#"{"nodes": [], "links": [], "metadata": {}}"#, &["prompt_tokens"]);
    says(br#"{"graphs": [{"slug": "a"}]}"#, &["lists graphs"]);
    says(br#"{"nodes": [], "nodes": []}"#, &["two `nodes`", "column 21"]);
    says(b"PK\x03\x04", &["its archive is unsound"]);
}

#[test]
fn contradictions_are_said_with_their_place() {
    replaced(r#""target": "1_4_1""#, r#""target": "1_5_1""#, &[r#"links[1]: its target is "1_5_1""#]);
    replaced(r#""weight": 3.0"#, r#""weight": 1e39"#, &["links[3]: its weight", "line"]);
    replaced(r#""weight": 3.0"#, r#""weight": NaN"#, &["line 6 column"]);
    replaced(r#""weight": 3.0"#, r#""weight": null"#, &["line 6 column"]);
    replaced(r#""weight": 3.0"#, r#""weight": 1e999"#, &["line 6 column"]);
    replaced(r#""ctx_idx": 1"#, r#""ctx_idx": -1"#, &["nodes[0]: its ctx_idx is -1", "line"]);
    replaced(r#""ctx_idx": 1"#, r#""ctx_idx": 4000000000"#, &["position 4000000000 of a prompt of 2 tokens"]);
    replaced(r#""ctx_idx": 1"#, r#""ctx_idx": 99999999999999999999"#, &["line 14 column"]);
    replaced(r#""layer": 0"#, r#""layer": 4000000000"#, &["nodes[0]: its layer is 4000000000"]);
    replaced(r#""layer": 0"#, r#""layer": "\u001b[2J""#, &["nodes[0]: its layer is \"\\u{1b}[2J\""]);
    replaced(r#""layer": 0"#, r#""layer": "E""#, &["nodes[0]: it has no layer"]);
    replaced(r#""feature": 9.0"#, r#""feature": 9.5"#, &["line 14 column"]);
    replaced(r#""feature": 19"#, r#""feature": 9000000"#, &["nodes[1]: its feature number 9000000 belongs to no"]);
    replaced(r#""influence": 0.25"#, r#""influence": 1e300"#, &["nodes[1]: its influence"]);
    replaced(r#""token_prob": 0.75"#, r#""token_prob": -1"#, &["its probability or weight is -1"]);
    replaced(
        r#""0_3_1", "feature": 9.0, "layer": 0"#,
        r#""x", "feature": 19, "layer": 1"#,
        &["nodes[1] is the same as nodes[0]"],
    );
    replaced(r#"[["deep""#, r#"["deep""#, &["line"]);
    replaced(r#"[["deep", "1_4_1", "1_-1_1"]]"#, r#""[[""#, &["EOF while parsing"]);
    replaced(r#""sg_pos": """#, r#""pruningThreshold": "7""#, &["the threshold \"7\" is no number from 0 to 1"]);
}

#[test]
fn a_node_that_is_there_twice_contradicts_itself() {
    let token = r#"{"node_id": "E_5_1", "feature": 1, "layer": "E", "ctx_idx": 1, "feature_type": "embedding", "jsNodeId": "E_5-1","#;
    let twice = format!("{token} \"clerp\": \"\"}}, {token}");
    replaced(token, &twice, &["nodes[4]: its id \"E_5_1\" is that of nodes[3]"]);
}

#[test]
fn two_links_between_the_same_nodes_contradict_each_other() {
    let link = r#"{"source": "0_3_1", "target": "1_4_1", "weight": 0.5},"#;
    replaced(link, &[link, link].concat(), &["two edges from node 0 to node 1"]);
}

#[test]
fn deep_nesting_ends_in_a_sentence() {
    for lead in [r#"{"unknown": "#, r#"{"metadata": "#, r#"{"qParams": {"supernodes": "#, r#"{"nodes": [{"layer": "#] {
        let deep = [lead.as_bytes(), &vec![b'['; 1 << 20]].concat();
        says(&deep, &["line 1 column"]);
    }
    let quoted = format!(r#"{{"qParams": {{"supernodes": "{}"}}}}"#, "[".repeat(1 << 20));
    says(quoted.as_bytes(), &["recursion limit"]);
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
