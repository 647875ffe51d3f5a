//! Opening what exists: every dialect of graph JSON, circuit-tracer's `.pt`, real graphs.

use circuitscope::format::{model_of, open};
use circuitscope::graph::{
    AttributionGraph, Document, Extent, FeatureAt, Group, InfluenceOf, Labelled, Labels, Node, OtherKind, OtherNode,
    Site, Thresholds, influence, prune, scores,
};
use circuitscope::ids::{FeatureId, Layer, NodeId, Position};
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/data").join(name)
}

/// A file that lies beside the repository; `None`, loudly, where it does not.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there", path.display());
    None
}

fn opened(name: &str) -> Document {
    open(&data(name)).unwrap()
}

/// The nodes without their activations.
fn kinds(graph: &AttributionGraph) -> Vec<Node> {
    graph.nodes().iter().map(|node| Node { activation: None, ..node.clone() }).collect()
}

fn links(graph: &AttributionGraph) -> Vec<(u32, u32, f32)> {
    graph.edges().map(|edge| (edge.source.0, edge.target.0, edge.weight)).collect()
}

fn feature(layer: u32, position: u32, feature: u32) -> Node {
    Node::of_feature(FeatureAt::mlp(Layer(layer), Position(position), FeatureId(feature)), None)
}

fn error(layer: u32, position: u32) -> Node {
    Node::of_error(Site::mlp(Layer(layer)), Position(position))
}

fn token(position: u32, id: u32) -> Node {
    Node::of_token(Position(position), id)
}

fn logit(position: u32, id: u32, probability: f32, text: &str) -> Node {
    Node::of_logit(Position(position), id, probability, text)
}

fn other(layer: u32, position: u32, kind: &str, name: &str) -> Node {
    let module = OtherKind::called(kind).module();
    let site = Some(Site { module, ..Site::mlp(Layer(layer)) });
    Node::of_other(Position(position), OtherNode { site, kind: kind.into(), name: name.into() })
}

fn ids(list: &[u32]) -> Vec<NodeId> {
    list.iter().copied().map(NodeId).collect()
}

const ALL: Thresholds = Thresholds { node: 1.0, edge: 1.0, density: 1.0 };

#[test]
fn an_old_file_with_decimal_numbers_shared_ids_and_texts_of_a_url() {
    let Document { origin, graph, labels, edited, .. } = opened("circuit-tracer-old.json");
    let wanted = [
        feature(0, 1, 1),
        feature(1, 1, 7),
        error(0, 1),
        error(1, 1),
        token(0, 2),
        token(1, 44),
        logit(1, 77, 0.5, " y"),
    ];
    assert_eq!(kinds(&graph), wanted);
    assert_eq!(graph.n_layers(), 2);
    assert_eq!(graph.node(NodeId(1)).activation, Some(2.5));
    // Feature 1 of layer 0 and the error of layer 1 share an id: the one has inputs, the other lies too high for the
    // feature of layer 1, and for the logit the order of the file tells them apart.
    let wanted = [(5, 0, 2.0), (0, 1, 1.0), (2, 1, -0.5), (0, 6, 0.25), (1, 6, 3.0), (3, 6, -4.0)];
    assert_eq!(links(&graph), wanted);
    assert_eq!((graph.tokens()[1].id, graph.tokens()[1].text.as_str()), (44, "x\n"));
    assert_eq!(origin.extent, Extent::PrePruned { node: Some(0.8), edge: None });
    assert_eq!((origin.slug.as_str(), origin.transcoder.as_str(), origin.model.as_str()), ("old", "gemma-2-2b", ""));
    let InfluenceOf::File(influence) = graph.influence_of() else { panic!("the file gives influence") };
    assert_eq!(influence[..3], [Some(0.5), Some(0.25), Some(0.8)]);
    // `2_77_1` is no node, and a group without members is none.
    assert_eq!(edited.groups, [Group { name: "both".into(), members: ids(&[0, 1]) }]);
    assert_eq!(edited.pins, ids(&[0, 1]));
    assert_eq!(edited.thresholds, Thresholds { node: 0.7, edge: 1.0, ..Thresholds::default() });
    let label = |layer, feature| Labelled::Feature(Layer(layer), FeatureId(feature));
    assert_eq!(labels[&label(0, 1)], "one");
    assert_eq!(edited.labels, Labels::from([(label(1, 7), "seven".to_owned())]));
}

#[test]
fn neuronpedias_with_its_links_before_its_nodes() {
    let Document { origin, graph, labels, edited, .. } = opened("neuronpedia.json");
    let wanted = [feature(0, 1, 3), feature(1, 1, 4), error(1, 1), token(1, 5), logit(1, 7, 0.75, "\u{1b}[31m")];
    assert_eq!(kinds(&graph), wanted);
    assert_eq!(links(&graph), [(3, 0, 2.0), (0, 1, 0.5), (1, 4, 3.0), (2, 4, -1.0)]);
    assert_eq!(origin.extent, Extent::PrePruned { node: Some(0.8), edge: Some(0.85) });
    assert_eq!((origin.model.as_str(), origin.transcoder.as_str()), ("gemma-2-2b", "org/set"));
    assert_eq!(edited.pins, ids(&[4, 1, 2]));
    assert_eq!(edited.groups, [Group { name: "deep".into(), members: ids(&[1, 2]) }]);
    assert_eq!(edited.notes, "two lines\nof notes");
    assert_eq!(edited.thresholds, Thresholds { node: 0.6, ..ALL }, "where viewers open it");
    let label = Labelled::Feature(Layer(0), FeatureId(3));
    assert_eq!((labels[&label].as_str(), edited.labels[&label].as_str()), ("from the site", "three"));
}

#[test]
fn anthropics_with_other_kinds_of_node_and_pins_by_another_id() {
    let Document { graph, labels, edited, .. } = opened("anthropic.json");
    let wanted = [
        feature(0, 1, 3),
        feature(0, 2, 3),
        other(1, 2, "lorsa", "1_lor_2_2"),
        other(1, 2, "lorsa error", "1_error_attn_2"),
        error(1, 2),
        token(1, 4),
        logit(2, 9, 0.25, "c"),
    ];
    assert_eq!(kinds(&graph), wanted);
    assert_eq!(graph.n_layers(), 2, "its logits stand right above its last layer");
    assert_eq!(graph.n_edges(), 4, "an effect of zero is none");
    assert_eq!(edited.pins, ids(&[0, 6, 2]));
    assert_eq!(edited.groups[0].members, ids(&[2, 6]));
    assert_eq!(labels[&Labelled::Node(NodeId(2))], "attends to a");
    assert_eq!(edited.labels[&Labelled::Feature(Layer(0), FeatureId(3))], "named by number");
    let kept = prune(&graph, ALL);
    assert!(kept.has_node(NodeId(2)) && kept.has_node(NodeId(3)), "what is not known is kept, inputs or none");
}

#[test]
fn attributes() {
    let Document { origin, graph, .. } = opened("attribute.json");
    let wanted = [token(1, 0), feature(2, 1, 30), error(1, 1), logit(2, 0, 0.625, " c"), logit(2, 1, 0.125, " d")];
    assert_eq!(kinds(&graph), wanted);
    assert_eq!(graph.n_layers(), 4, "as it says");
    assert_eq!(links(&graph), [(0, 1, 1.5), (2, 1, -0.5), (1, 3, 2.0), (1, 4, 1.0)]);
    assert_eq!(origin.extent, Extent::PrePruned { node: Some(0.8), edge: None });
}

#[test]
fn a_compressed_file_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    // A name says nothing.
    let path = directory.path().join("graph.safetensors");
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&fs::read(data("neuronpedia.json")).unwrap()).unwrap();
    fs::write(&path, packed.finish().unwrap()).unwrap();
    let all = |document: Document| {
        let Document { origin, graph, labels, edited, .. } = document;
        (origin, kinds(&graph), links(&graph), labels, edited)
    };
    assert_eq!(all(open(&path).unwrap()), all(opened("neuronpedia.json")));
}

#[test]
fn a_cycle_shows_the_influence_of_the_file_only() {
    let document = opened("cycle.json");
    let graph = &document.graph;
    assert!(graph.is_cyclic() && !opened("neuronpedia.json").graph.is_cyclic());
    let kept = |node| {
        let kept = prune(graph, Thresholds { node, edge: 0.5, ..Thresholds::default() });
        (kept.node_ids().map(|id| id.0).collect::<Vec<_>>(), kept.n_edges())
    };
    // Two nodes have none, and stay.
    assert_eq!(kept(1.0), (vec![0, 1, 2, 3, 4], 5));
    assert_eq!(kept(0.6), (vec![0, 1, 2, 4], 4));
    assert_eq!(kept(0.5), (vec![0, 2, 4], 1));
    let all = prune(graph, ALL);
    let given: Vec<_> = graph.node_ids().map(|id| all.influence_of(id)).collect();
    assert_eq!(given, [Some(0.3), Some(0.6), None, Some(0.9), None]);
    assert!(graph.node_ids().all(|id| all.recomputed(id).is_none()));
    let none = influence(graph);
    assert!(none.iter().all(|influence| influence.is_nan()));
    let scores = scores(graph, &none);
    assert!(scores.replacement.is_nan() && scores.completeness.is_nan());
}

#[test]
fn circuit_tracers_own_files() {
    for (name, targets) in [("targets.pt", [" y", "a - b"]), ("tokens.pt", ["#7", "direction 0"])] {
        let Document { origin, graph, .. } = opened(name);
        let wanted = [
            feature(0, 1, 3),
            feature(1, 1, 4),
            error(0, 0),
            error(0, 1),
            error(1, 0),
            error(1, 1),
            token(0, 5),
            token(1, 6),
            logit(1, 7, 0.75, targets[0]),
            logit(1, 10, 1.0, targets[1]),
        ];
        assert_eq!(kinds(&graph), wanted, "{name}");
        let activations: Vec<_> = graph.nodes()[..3].iter().map(|node| node.activation).collect();
        assert_eq!(activations, [Some(1.25), Some(2.5), None], "{name}");
        let wanted =
            [(7, 0, 2.0), (0, 1, 0.5), (3, 1, -1.5), (6, 1, 0.25), (1, 8, 3.0), (5, 8, 1.0), (0, 9, -2.0), (7, 9, 4.0)];
        assert_eq!(links(&graph), wanted, "{name}");
        assert_eq!((origin.prompt.as_str(), origin.model.as_str()), ("<bos>x", "tiny"));
        assert_eq!((origin.transcoder.as_str(), origin.extent), ("org/set", Extent::Whole));
    }
}

/// The real graphs, which are no part of the repository; `None`, loudly, where they are not there.
pub fn real_graphs() -> Option<Vec<PathBuf>> {
    let Some(folder) = std::env::var_os("CIRCUITSCOPE_GRAPHS").map(PathBuf::from) else {
        eprintln!("SKIPPED: no real graphs were read; CIRCUITSCOPE_GRAPHS names a folder of Neuronpedia's graph JSON");
        return None;
    };
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("CIRCUITSCOPE_GRAPHS={}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    Some(paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect())
}

#[test]
fn real_graphs_hold_what_their_files_do() {
    let Some(paths) = real_graphs() else { return };
    assert!(!paths.is_empty());
    for path in paths {
        let what = path.display();
        let file: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let (nodes, wanted) = (file["nodes"].as_array().unwrap(), file["links"].as_array().unwrap());
        let document = open(&path).unwrap();
        let graph = &document.graph;
        assert_eq!(graph.n_nodes(), nodes.len(), "{what}");
        assert_eq!(graph.n_layers(), 26, "{what}: Gemma-2-2B");
        for (at, node) in nodes.iter().enumerate() {
            let id = node["node_id"].as_str().unwrap();
            let Some(FeatureAt { site, position, feature }) = graph.nodes()[at].feature() else { continue };
            assert_eq!(id, format!("{}_{feature}_{position}", site.layer), "{what}");
        }
        let id = |id: NodeId| nodes[id.index()]["node_id"].as_str().unwrap();
        let mut found: Vec<_> = graph.edges().map(|e| (id(e.source), id(e.target), e.weight)).collect();
        let mut wanted: Vec<_> = wanted
            .iter()
            .map(|link| {
                let text = |end: &str| link[end].as_str().unwrap();
                (text("source"), text("target"), link["weight"].as_f64().unwrap() as f32)
            })
            .collect();
        found.sort_by(|a, b| a.partial_cmp(b).unwrap());
        wanted.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(found, wanted, "{what}");
        let kept = prune(graph, ALL);
        assert_eq!((kept.n_nodes(), kept.n_edges()), (nodes.len(), wanted.len()), "{what}: all of it can be shown");
        let Extent::PrePruned { node, edge } = document.origin.extent else { panic!("{what} is pruned") };
        assert_eq!((node, edge), (Some(0.8), Some(0.85)), "{what}");
        let counts = [0.3, 0.5, 0.7]
            .map(|node| prune(graph, Thresholds { node, edge: 0.98, ..Thresholds::default() }).n_nodes());
        assert!(counts[0] < counts[1] && counts[1] < counts[2] && counts[2] < nodes.len(), "{what}: {counts:?}");
    }
}

#[test]
fn a_graph_that_begins_with_many_blanks_is_known_by_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.json");
    let graph = std::fs::read_to_string(data("neuronpedia.json")).unwrap();
    for blanks in [0, 4095, 4096, 5000, 100_000] {
        std::fs::write(&path, " \n".repeat(blanks / 2) + &" ".repeat(blanks % 2) + &graph).unwrap();
        assert!(open(&path).is_ok(), "{blanks} blanks");
        assert!(matches!(model_of(&path), Ok(None)), "{blanks} blanks");
    }
    std::fs::write(&path, " ".repeat(100_000)).unwrap();
    assert!(open(&path).is_err() && model_of(&path).is_err());
}
