//! Exports of graphs with any text in every field: what reads each format reads it, and finds nothing but text.

use circuitscope::format::{Format, Options, export_to, json};
use circuitscope::graph::Positions;
use circuitscope::graph::{
    Action, Document, Edit, Edited, Edits, Intervention, InterventionSite, Interventions, Labelled, Part, prune,
};
use circuitscope::ids::{FeatureId, Layer, NodeId};
use proptest::prelude::*;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What means something in one format or another.
const PIECES: [&str; 60] = [
    "`",
    "``",
    "|",
    "\\",
    "\\|",
    "<script>",
    "</text>",
    "]]>",
    "&lt;",
    "&#60;",
    "\"",
    "'",
    "\0",
    "\u{1b}[31m",
    "\u{9b}",
    "\u{202e}",
    "\u{ffff}",
    "\u{fffe}",
    "\n",
    "\r\n",
    "\n\n# ",
    "- ",
    "1. ",
    "    ",
    "```",
    "~~~",
    "---",
    "===",
    "[a](b)",
    "![](x)",
    "[^1]",
    "\n[a]: b",
    "http://a.b",
    "www.a.b",
    "<a@b.c>",
    "=1+1",
    "+1",
    "-1",
    "@a",
    "\t=",
    "%%{init}%%",
    "end",
    "#35;",
    "ﬂ°°35¶ß",
    "$x$",
    "{#id}",
    "digraph",
    "supernode_0",
    "\\N",
    "\\G",
    "&amp;",
    "<!--",
    "*a*",
    "__a__",
    "~~a~~",
    ": a",
    "> a",
    "<b>",
    "e\u{301}\u{301}",
    "\u{feff}",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned);
    let piece = prop_oneof![3 => piece, 1 => any::<char>().prop_map(String::from), 1 => "[a-z ]{0,4}"];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A graph with these texts in its fields, and work on it with others.
fn made_of(texts: &[String]) -> (Document, Edited) {
    let text = |at: usize| texts[at % texts.len()].as_str();
    let id = |at: usize| format!("{}{at}", text(at));
    let node = |at: usize, kind: &str, layer: &str| {
        // The Cantor pairing of layer and index.
        let number = layer.parse().map_or(at, |layer: usize| (layer + at) * (layer + at + 1) / 2 + at);
        json!({
            "node_id": id(at), "feature": number, "layer": layer, "ctx_idx": at % 2, "feature_type": kind, "jsNodeId": id(at),
            "clerp": text(at + 7), "influence": 0.5, "token_prob": 0.25, "is_target_logit": kind == "logit",
        })
    };
    let link = |from: usize, to: usize, weight: f64| json!({ "source": id(from), "target": id(to), "weight": weight });
    let graph = json!({
        "metadata": {
            "slug": text(1), "scan": text(2), "prompt": text(3), "prompt_tokens": [text(4), text(5)],
            "info": { "description": text(6), "creator_name": text(7) },
        },
        "qParams": { "pinnedIds": [], "supernodes": [], "linkType": "both", "clickedId": "", "sg_pos": "" },
        "nodes": [
            node(0, "embedding", "E"), node(1, "cross layer transcoder", "0"), node(2, "cross layer transcoder", "1"),
            node(3, "mlp reconstruction error", "1"), node(4, "logit", "2"), node(5, text(11), "1"),
        ],
        "links": [link(0, 1, 0.5), link(1, 2, -0.25), link(3, 4, 1.0), link(2, 4, 0.75), link(5, 4, 0.5)],
    });
    let document = json::read(Path::new("any.json"), graph.to_string().as_bytes()).unwrap();
    let nodes: Vec<NodeId> = document.graph.node_ids().collect();
    let mut edits = Edits::starting_from(Edited::clone(&document.edited));
    edits.apply(Edit::Pin(nodes.clone()));
    edits.apply(Edit::Group { name: text(8).to_owned(), members: nodes[1..3].to_vec() });
    edits.apply(Edit::Label(Labelled::of(nodes[0], document.graph.node(nodes[0])), text(9).to_owned()));
    let site = InterventionSite { layer: Layer(0), feature: FeatureId(1), positions: Positions::All };
    let intervention =
        Intervention { name: text(10).to_owned(), sites: vec![site], action: Action::Ablate, muted: false };
    edits.apply(Edit::SetInterventions(Interventions { list: vec![intervention], ..Interventions::default() }));
    let edited = edits.now().clone();
    (document, edited)
}

fn written((document, edited): &(Document, Edited), format: &str, part: Part) -> String {
    let kept = prune(&document.graph, edited.thresholds);
    let format = Format::named(format).unwrap();
    let options =
        Options { format, part: Some(part), slug: format!("a{}", document.origin.slug), ..Options::default() };
    let mut bytes = Vec::new();
    export_to(document, &kept, edited, &options, &mut bytes).unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

fn is_obeyed(c: char) -> bool {
    c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// The plain text and the tags of a part of a lab note; what is none of text, code, tables, lists and headings is wrong.
fn cells(markdown: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut headings) = (Vec::new(), 0);
    for event in Parser::new_ext(markdown, pulldown_cmark::Options::all()) {
        match event {
            Event::Start(Tag::TableRow | Tag::TableHead) => rows.push(Vec::new()),
            Event::End(TagEnd::TableHead) => drop(rows.pop()),
            Event::Start(Tag::TableCell) => {
                if let Some(row) = rows.last_mut() {
                    row.push(String::new());
                }
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                    cell.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => headings += 1,
            Event::Start(Tag::Heading { id: None, classes, attrs, .. }) if classes.is_empty() && attrs.is_empty() => {}
            Event::Start(Tag::Paragraph | Tag::Table(_) | Tag::List(None) | Tag::Item)
            | Event::End(_)
            | Event::SoftBreak
            | Event::HardBreak => {}
            other => return Err(format!("{other:?}")),
        }
    }
    // Title, interventions, nodes, edges; and notes where there are any.
    if (4..=5).contains(&headings) { Ok(rows) } else { Err(format!("{headings} headings")) }
}

/// A cell without the apostrophe that keeps spreadsheets from computing it.
fn plain(cell: &str) -> &str {
    let formula = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    match cell.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(formula) => rest,
        _ => cell,
    }
}

/// Node and edge counts that graphviz finds; `None` where it is not installed.
fn drawn(dot: &str) -> Option<Result<(usize, usize), String>> {
    let piped = Stdio::piped;
    let run = Command::new("dot").arg("-Tplain").stdin(piped()).stdout(piped()).stderr(piped()).spawn();
    let mut child = run.ok()?;
    child.stdin.take().unwrap().write_all(dot.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (plain, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() || said.contains("rror") {
        return Some(Err(said.into_owned()));
    }
    let count = |what: &str| plain.lines().filter(|line| line.starts_with(what)).count();
    Some(Ok((count("node "), count("edge "))))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_stands_in_a_graph_is_text_in_its_exports(texts in prop::collection::vec(text(), 5..18)) {
        let made = made_of(&texts);
        for (part, n_nodes, n_edges) in [(Part::All, 6, 5), (Part::Pinned, 5, 4)] {
            let written = |format| written(&made, format, part);
            for format in ["dot", "svg", "mermaid", "markdown", "url", "json"] {
                let found = written(format);
                let wrong = found.chars().find(|c| *c != '\n' && is_obeyed(*c));
                prop_assert_eq!(wrong, None, "{:?}", format);
            }

            let svg = written("svg");
            let parsed = roxmltree::Document::parse(&svg);
            prop_assert!(parsed.is_ok(), "{:?}", parsed);
            let known = ["svg", "title", "defs", "marker", "path", "rect", "text", "g", "polygon", "circle"];
            let tags: Vec<String> = parsed.unwrap().descendants().filter(|node| node.is_element())
                .map(|node| node.tag_name().name().to_owned()).collect();
            prop_assert!(tags.iter().all(|tag| known.contains(&tag.as_str())), "{:?}", tags);

            if let Some(found) = drawn(&written("dot")) {
                prop_assert_eq!(found, Ok((n_nodes, n_edges)), "{}", written("dot"));
            }

            let mermaid = written("mermaid");
            let lines: Vec<&str> = mermaid.lines().collect();
            prop_assert_eq!(lines.len(), 1 + n_nodes + n_edges);
            for line in &lines[1..] {
                let inside = line.split('"').nth(1).unwrap_or_default();
                prop_assert!(line.starts_with("    n") && line.matches('"').count() == 2, "{}", line);
                prop_assert!(!inside.contains(['<', '>', '[', ']', '{', '}', '`', '|', '\\', '&']), "{}", line);
            }

            let markdown = written("markdown");
            let rows = cells(&markdown);
            prop_assert!(rows.is_ok(), "{:?}\n{}", rows, markdown);
            let rows = rows.unwrap();
            let kinds = ["feature", "error", "token", "logit", "other", "supernode"];
            let nodes = rows.iter().filter(|row| row.len() == 5);
            prop_assert_eq!(nodes.clone().count(), n_nodes, "{}", markdown);
            prop_assert!(nodes.clone().all(|row| kinds.contains(&row[3].as_str())), "{:?}", rows);
            let edges: Vec<_> = rows.iter().filter(|row| row.len() == 3).collect();
            prop_assert!(edges.len() == n_edges && edges.iter().all(|row| row[2].starts_with(['+', '−'])), "{:?}", edges);

            for (format, n, columns) in [("csv-nodes", n_nodes, 10), ("csv-edges", n_edges, 6)] {
                let table = written(format);
                let records: Result<Vec<_>, _> = csv::Reader::from_reader(table.as_bytes()).into_records().collect();
                prop_assert!(records.is_ok(), "{:?}", records);
                let records = records.unwrap();
                prop_assert!(records.len() == n && records.iter().all(|record| record.len() == columns));
                prop_assert!(!table.chars().any(|c| !matches!(c, '\r' | '\n') && is_obeyed(c)));
                let texts = if columns == 10 { [0, 3, 4, 9] } else { [0, 1, 2, 3] };
                let is_formula = |cell: &str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                prop_assert!(records.iter().all(|record| texts.iter().all(|at| !is_formula(&record[*at]))));
            }
        }
    }

    /// What needs no cleaning comes back from a table as it is.
    #[test]
    fn a_reader_of_tables_gets_texts_back(label in "[-=+@'\",;a-z é東]{1,20}", token in "[-=+@'\",;a-z é東]{1,20}") {
        let texts = vec![label.clone(), "b".into(), "c".into(), "d".into(), token.clone(), label.clone(), "f".into(), label.clone()];
        let made = made_of(&texts);
        let table = written(&made, "csv-nodes", Part::All);
        let records: Vec<_> = csv::Reader::from_reader(table.as_bytes()).into_records().map(Result::unwrap).collect();
        prop_assert!(records.iter().any(|record| plain(&record[4]) == format!("{label}5")), "{}", table);
        prop_assert!(records.iter().any(|record| plain(&record[3]) == token), "{}", table);
    }
}

#[test]
fn a_monstrous_label_is_cut_in_texts_and_whole_in_json() {
    let label = "x".repeat(10 << 20);
    let marks = format!("a{}", "\u{301}".repeat(100_000));
    let texts: Vec<String> = (0..18).map(|at| if at == 9 { label.clone() } else { format!("t{at}") }).collect();
    let (mut document, edited) = made_of(&texts);
    for format in ["dot", "svg", "mermaid", "markdown", "csv-nodes"] {
        assert!(written(&(document.clone(), edited.clone()), format, Part::All).len() < 100_000, "{format:?}");
    }
    let whole = written(&(document.clone(), edited.clone()), "json", Part::All);
    let back = json::read(Path::new("back.json"), whole.as_bytes()).unwrap();
    assert!(back.edited.labels.values().chain(back.labels.values()).any(|text| *text == label));
    let texts: Vec<String> = (0..18).map(|at| if at == 4 { marks.clone() } else { format!("t{at}") }).collect();
    document = made_of(&texts).0;
    for format in ["svg", "csv-nodes", "markdown"] {
        assert!(written(&(document.clone(), edited.clone()), format, Part::All).len() < 100_000, "{format:?}");
    }
}
