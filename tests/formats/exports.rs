//! Exports: a golden file each, what other programs make of them, and the way back.

use crate::fixture::{Tensors, graph_files};
use crate::open::{data, real_graphs};
use crate::trace;
use assert_cmd::Command;
use circuitscope::format::{Drawing, Format, FormatError, Options, Theme, export, export_to, json, open};
use circuitscope::graph::{
    AttributionGraph, Document, Edit, Edited, Edits, Extent, Kept, Labelled, Part, Thresholds, prune,
};
use circuitscope::ids::NodeId;
use proptest::prelude::*;
use resvg::{tiny_skia, usvg};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const FORMATS: [(&str, &str); 8] = [
    ("json", "json"),
    ("url", "url.txt"),
    ("dot", "dot"),
    ("svg", "svg"),
    ("mermaid", "mmd"),
    ("markdown", "md"),
    ("csv-nodes", "nodes.csv"),
    ("csv-edges", "edges.csv"),
];

fn written(document: &Document, edited: &Edited, format: &str, part: Part, theme: Theme) -> String {
    let kept = prune(&document.graph, edited.thresholds);
    let options = Options {
        format: Format::named(format).unwrap(),
        part: Some(part),
        slug: document.origin.slug.clone(),
        drawing: Drawing { theme, ..Drawing::default() },
        ..Options::default()
    };
    let mut bytes = Vec::new();
    export_to(document, &kept, edited, &options, &mut bytes).unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_format_has_its_golden_file() {
    let document = open(&data("neuronpedia.json")).unwrap();
    // All that the file holds.
    let thresholds = Thresholds { node: 1.0, ..document.edited.thresholds };
    let edited = Edited { thresholds, ..Edited::clone(&document.edited) };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/golden");
    for (format, name) in FORMATS {
        for (part, what) in [(Part::Pruned, "pruned"), (Part::Pinned, "pinned")] {
            let path = folder.join(format!("{what}.{name}"));
            let found = written(&document, &edited, format, part, Theme::Light)
                .replace(&format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION")), "\"version\":\"*\"");
            // A golden file is made anew by whoever looks at what it became.
            if std::env::var_os("CIRCUITSCOPE_GOLDEN").is_some() {
                std::fs::write(&path, &found).unwrap();
            }
            let wanted = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(found, wanted, "{}", path.display());
            assert!(!found.contains('\u{1b}'), "{name}: an escape sequence of the file stays in no export");
        }
    }
}

/// A figure as pixels.
fn rendered(svg: &str) -> (usvg::Tree, tiny_skia::Pixmap, bool) {
    let mut options = usvg::Options::default();
    options.fontdb_mut().load_system_fonts();
    let has_fonts = !options.fontdb.is_empty();
    let tree = usvg::Tree::from_str(svg, &options).unwrap();
    let size = tree.size().to_int_size();
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).unwrap();
    resvg::render(&tree, tiny_skia::Transform::default(), &mut pixels.as_mut());
    (tree, pixels, has_fonts)
}

#[test]
fn figures_are_drawn_in_both_themes() {
    let document = open(&data("neuronpedia.json")).unwrap();
    for (theme, paper) in [(Theme::Light, [255, 255, 255]), (Theme::Dark, [0x15, 0x17, 0x1c])] {
        for part in [Part::All, Part::Pinned] {
            let svg = written(&document, &document.edited, "svg", part, theme);
            let (tree, pixels, has_fonts) = rendered(&svg);
            let colour = |x: u32, y: u32| {
                let pixel = pixels.pixel(x, y).unwrap();
                [pixel.red(), pixel.green(), pixel.blue()]
            };
            assert_eq!(colour(1, 1), paper, "{theme:?}");
            let drawn = |rows: std::ops::Range<u32>| {
                let all = rows.flat_map(|y| (0..pixels.width()).map(move |x| (x, y)));
                all.filter(|(x, y)| colour(*x, *y) != paper).count()
            };
            assert!(drawn(60..pixels.height() - 60) > 500, "{theme:?} {part:?}: nodes and edges");
            assert!(svg.contains("stroke-dasharray"), "an effect that lowers is told by more than its colour");
            if has_fonts {
                assert!(tree.has_text_nodes() && drawn(24..40) > 20, "{theme:?} {part:?}: the prompt");
            } else {
                eprintln!("SKIPPED: this system has no fonts, so that no figure's texts are looked at");
            }
        }
    }
}

#[test]
fn a_drawing_keeps_the_strongest_edges_and_says_how_many_are_left_out() {
    let document = traced();
    let edited = Edited { thresholds: Thresholds { node: 1.0, edge: 1.0, density: 1.0 }, ..Edited::default() };
    let kept = document.prune(edited.thresholds);
    let drawn = |least_share: f64, most_edges: usize| {
        let drawing = Drawing { least_share, most_edges, ..Drawing::default() };
        let options = Options { format: Format::named("mermaid").unwrap(), drawing, ..Options::default() };
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out.mmd");
        let counted = export(&document, &kept, &edited, &options, &out).unwrap().unwrap();
        let text = std::fs::read_to_string(&out).unwrap();
        let weight = |line: &str| {
            let number: f64 = line.split('"').nth(1)?.replace('−', "-").parse().ok()?;
            line.contains("->|").then_some(number.abs())
        };
        let mut weights: Vec<f64> = text.lines().filter_map(weight).collect();
        weights.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(weights.len(), counted.drawn);
        assert_eq!(counted.drawn + counted.left_out, kept.n_edges());
        assert_eq!(text.contains(&format!("{} weaker", counted.left_out)), counted.left_out > 0, "{text}");
        weights
    };
    let all = drawn(0.0, usize::MAX);
    assert!(all.len() > 100);
    assert_eq!(drawn(0.0, 30), all[..30]);
    let strong = drawn(0.1, usize::MAX);
    assert_eq!(strong, all[..strong.len()]);
    assert!(strong.last().unwrap() >= &0.1 && all[strong.len()] <= 0.1, "and none of that share is left out");
}

#[test]
fn a_drawing_shows_what_is_pinned_where_anything_is_and_other_exports_what_is_kept() {
    let document = open(&data("neuronpedia.json")).unwrap();
    let edited = &*document.edited;
    let kept = prune(&document.graph, edited.thresholds);
    for (format, part) in [("svg", Part::Pinned), ("mermaid", Part::Pinned), ("csv-nodes", Part::Pruned)] {
        let options = Options {
            format: Format::named(format).unwrap(),
            slug: document.origin.slug.clone(),
            ..Options::default()
        };
        let mut bytes = Vec::new();
        export_to(&document, &kept, edited, &options, &mut bytes).unwrap().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), written(&document, edited, format, part, Theme::Light));
    }
    assert_eq!(Format::named("svg").unwrap().usual_part(false), Part::Pruned);
}

#[test]
fn graphviz_takes_what_is_written_for_it() {
    let document = open(&data("anthropic.json")).unwrap();
    let mut edited = Edits::starting_from(Edited::clone(&document.edited));
    edited.apply(Edit::Label(Labelled::Node(NodeId(3)), "a \"quoted\"\\ \n label".into()));
    for part in [Part::All, Part::Pinned] {
        let dot = written(&document, edited.now(), "dot", part, Theme::Light);
        let mut command = std::process::Command::new("dot");
        let piped = || std::process::Stdio::piped();
        let run = command.arg("-Tplain").stdin(piped()).stdout(piped()).stderr(piped()).spawn();
        let Ok(mut child) = run else {
            eprintln!("SKIPPED: graphviz is not installed, so that nothing tells whether its input is sound");
            return;
        };
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), dot.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let (plain, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && said.is_empty(), "{said}");
        let count = |what: &str| plain.lines().filter(|line| line.starts_with(what)).count();
        let wanted = if part == Part::All { (7, 4) } else { (2, 1) };
        assert_eq!((count("node "), count("edge ")), wanted, "{plain}");
    }
}

/// A graph by what its nodes are called.
fn by_name(graph: &AttributionGraph) -> (BTreeSet<String>, BTreeSet<(String, String, u32)>) {
    let name = |id| graph.node_name(id);
    let edges = graph.edges().map(|edge| (name(edge.source), name(edge.target), edge.weight.to_bits()));
    (graph.node_ids().map(name).collect(), edges.collect())
}

/// A person's work by what its nodes are called; a label of a node that is not there is none.
fn work(graph: &AttributionGraph, edited: &Edited) -> impl PartialEq + std::fmt::Debug + use<> {
    let names = |ids: &[NodeId]| ids.iter().map(|id| graph.node_name(*id)).collect::<Vec<_>>();
    let groups: Vec<_> = edited.groups.iter().map(|group| (group.name.clone(), names(&group.members))).collect();
    let labels = edited.labels.iter().map(|(what, label)| match what {
        Labelled::Feature(layer, feature) => (format!("{layer}/{feature}"), label.clone()),
        Labelled::Node(id) => (graph.node_name(*id), label.clone()),
    });
    (names(&edited.pins), groups, labels.collect::<BTreeSet<_>>(), edited.notes.clone())
}

fn back(document: &Document, edited: &Edited, part: Part) -> Document {
    let text = written(document, edited, "json", part, Theme::Light);
    json::read(Path::new("exported.json"), text.as_bytes()).unwrap()
}

fn traced() -> Document {
    let trace = trace::of_reference(&Tensors::open(&graph_files("llama_plt_relu")[0]));
    Document::from_trace(Arc::new(trace)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn json_brings_back_graph_and_work(
        picks in proptest::collection::vec((0..5u8, proptest::collection::vec(any::<u32>(), 1..4), "\\PC{0,8}"), 0..12),
        node in 0..100u8,
        edge in 0..100u8,
    ) {
        let document = traced();
        let graph = &document.graph;
        let share = |hundredths| f64::from(hundredths) / 100.0;
        let mut edits = Edits::starting_from(Edited { thresholds: Thresholds { node: share(node), edge: share(edge), density: share(edge) }, ..Edited::default() });
        for (what, nodes, text) in picks {
            let nodes: Vec<_> = nodes.into_iter().map(|at| NodeId(at % graph.n_nodes() as u32)).collect();
            edits.apply(match what {
                0 => Edit::Pin(nodes),
                1 | 2 => Edit::Group { name: text, members: nodes },
                3 => Edit::Label(Labelled::of(nodes[0], graph.node(nodes[0])), text),
                _ => Edit::SetNotes(text),
            });
        }
        let whole = back(&document, edits.now(), Part::All);
        prop_assert_eq!(by_name(&whole.graph), by_name(graph));
        prop_assert_eq!(work(&whole.graph, &whole.edited), work(graph, edits.now()));
        prop_assert_eq!(whole.edited.thresholds, edits.now().thresholds);
        prop_assert_eq!(whole.origin.extent, Extent::Whole);

        // What is pinned is in the file, also where pruning dropped it.
        let pruned = back(&document, edits.now(), Part::Pruned);
        let (before, after) = (edits.now(), &pruned.edited);
        let names = |graph: &AttributionGraph, ids: &[NodeId]| ids.iter().map(|id| graph.node_name(*id)).collect::<Vec<_>>();
        prop_assert_eq!(names(&pruned.graph, &after.pins), names(graph, &before.pins));
        let groups = |graph: &AttributionGraph, edited: &Edited| {
            edited.groups.iter().map(|group| (group.name.clone(), names(graph, &group.members))).collect::<Vec<_>>()
        };
        prop_assert_eq!(groups(&pruned.graph, after), groups(graph, before));
        let kept = prune(graph, before.thresholds);
        let dropped = before.pins.iter().filter(|pin| !kept.has_node(**pin)).count();
        prop_assert_eq!(pruned.graph.n_nodes(), kept.n_nodes() + dropped);

        let pinned = Edited::clone(edits.now());
        if !pinned.pins.is_empty() {
            let part = back(&document, &pinned, Part::Pinned);
            let names: BTreeSet<_> = pinned.pins.iter().map(|pin| graph.node_name(*pin)).collect();
            prop_assert_eq!(by_name(&part.graph).0, names);
        }
    }
}

#[test]
fn real_graphs_are_pruned_exported_and_opened_again() {
    let Some(paths) = real_graphs() else { return };
    for path in paths {
        let document = open(&path).unwrap();
        let graph = &document.graph;
        for node in [0.5, 0.8, 1.0] {
            let thresholds = Thresholds { node, edge: 0.98, ..Thresholds::default() };
            let kept = prune(graph, thresholds);
            let again = back(&document, &Edited { thresholds, ..Edited::default() }, Part::Pruned);
            let (nodes, edges) = by_name(graph);
            let (found_nodes, found_edges) = by_name(&again.graph);
            assert!(found_nodes.is_subset(&nodes) && found_edges.is_subset(&edges), "{}", path.display());
            assert_eq!((found_nodes.len(), found_edges.len()), (kept.n_nodes(), kept.n_edges()), "{}", path.display());
            let all = prune(&again.graph, again.edited.thresholds);
            let influence = |document: &Document, kept: &Kept, name: &str| {
                kept.influence_of(document.graph.node_named(name).unwrap())
            };
            let is_same = |name: &String| influence(&again, &all, name) == influence(&document, &kept, name);
            assert!(found_nodes.iter().all(is_same), "{}: the file's influence", path.display());
            assert_eq!((all.n_nodes(), all.n_edges()), (kept.n_nodes(), kept.n_edges()), "and all of it is shown");
        }
    }
}

#[test]
fn what_cannot_be_exported_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let document = open(&data("circuit-tracer-old.json")).unwrap();
    let kept = prune(&document.graph, document.edited.thresholds);
    let fails = |format: &str, part, edited: &Edited, why: &str| {
        let options = Options { format: Format::named(format).unwrap(), part: Some(part), ..Options::default() };
        let error = export(&document, &kept, edited, &options, &out).unwrap_err();
        assert!(matches!(error, FormatError::Unexportable { .. }) && error.to_string().contains(why), "{error}");
        assert!(!out.exists());
    };
    fails("dense", Part::Pruned, &document.edited, "without it");
    fails("svg", Part::Pinned, &Edited::default(), "nothing is pinned");
}

fn run(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
    command.arg("export").arg(data("circuit-tracer-old.json")).args(arguments);
    command
}

#[test]
fn the_command_line_selects_pins_and_writes_to_stdout() {
    let stdout = |arguments: &[&str]| {
        let output = run(arguments).assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    let nodes = stdout(&["--format", "csv-nodes", "--select", "pinned", "--pin", "3_77_1", "--out", "-"]);
    let ids: Vec<_> = nodes.lines().map(|line| line.split(',').nth(4).unwrap()).collect();
    assert_eq!(ids, ["id", "supernode_0", "3_77_1"]);
    assert!(stdout(&["--format", "svg", "--theme", "dark", "--out", "-"]).starts_with("<svg"));

    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("named.json");
    let report = stdout(&["--format", "json", "--select", "all", "--json", "--out", out.to_str().unwrap()]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["selected_nodes"], &report["selected_edges"], &report["select"]),
        (&7.into(), &6.into(), &"all".into())
    );
    assert_eq!(open(&out).unwrap().origin.slug, "old", "the name that its file gives");

    let fails = |arguments: &[&str], code: i32, why: &str| {
        let failure = run(arguments).assert().code(code).get_output().stderr.clone();
        let message = String::from_utf8(failure).unwrap();
        assert!(message.contains(why), "{message}");
    };
    fails(&["--format", "dot", "--pin", "nobody", "--out", "-"], 1, "the graph has no node nobody");
    fails(&["--format", "dot", "--json", "--out", "-"], 1, "both write to stdout");
    fails(&["--format", "dense", "--out", "-"], 1, "written to a file");
    fails(&["--format", "jpeg", "--out", "-"], 2, "jpeg");
}
