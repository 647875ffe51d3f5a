//! Where a file gives influence, that is the graph's influence: what is kept is what the tool keeps that it comes from.

use circuitscope::format::{Options, export_to, json, open};
use circuitscope::graph::{Document, Edited, InfluenceOf, Part, Thresholds, prune};
use serde_json::{Value, json};
use std::path::Path;

const ALL: Thresholds = Thresholds { node: 1.0, edge: 1.0, density: 1.0 };

/// A token, a feature, an error and a logit, the feature fed by the first and the third; each with the influence that it is
/// given.
fn file(metadata: Value, influence: [Option<f32>; 4]) -> Document {
    let mut about = json!({"slug": "s", "scan": "m", "prompt_tokens": ["a"], "prompt": "a"});
    about.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    let node = |at: usize, id: &str, layer: &str, kind: &str, feature: i32| {
        json!({"node_id": id, "feature": feature, "layer": layer, "ctx_idx": 0, "feature_type": kind, "token_prob": 0.5,
               "jsNodeId": id, "clerp": "", "influence": influence[at], "activation": null})
    };
    let nodes = [
        node(0, "E_5_0", "E", "embedding", 0),
        node(1, "0_3_0", "0", "cross layer transcoder", 9),
        node(2, "0_-1_0", "0", "mlp reconstruction error", -1),
        node(3, "2_7_0", "2", "logit", 7),
    ];
    let link = |source: &str, target: &str, weight: f32| json!({"source": source, "target": target, "weight": weight});
    let links = [
        link("E_5_0", "0_3_0", 1.0),
        link("0_-1_0", "2_7_0", 0.01),
        link("0_3_0", "2_7_0", 3.0),
        link("E_5_0", "2_7_0", 1.0),
    ];
    let text = json!({"metadata": about, "qParams": {}, "nodes": nodes, "links": links}).to_string();
    json::read(Path::new("made.json"), text.as_bytes()).unwrap()
}

fn kept(document: &Document, node: f64, edge: f64) -> (Vec<u32>, usize) {
    let kept = document.prune(Thresholds { node, edge, density: 1.0 });
    (kept.node_ids().map(|id| id.0).collect(), kept.n_edges())
}

#[test]
fn nodes_of_any_kind_go_by_the_files_influence_and_stay_without_one() {
    let document = file(json!({"node_threshold": 0.8}), [Some(0.9), Some(0.8), Some(0.3), None]);
    assert_eq!(document.edited.thresholds, Thresholds { node: 0.8, ..ALL });
    assert_eq!(kept(&document, 0.95, 1.0), (vec![0, 1, 2, 3], 4));
    // The threshold itself still keeps; the token goes, and what it fed stays all the same.
    assert_eq!(kept(&document, 0.8, 1.0), (vec![1, 2, 3], 2));
    assert_eq!(kept(&document, 0.5, 1.0), (vec![2, 3], 1));
    assert_eq!(kept(&document, 0.0, 1.0), (vec![3], 0));
    // Fewer edges are no fewer nodes.
    assert_eq!(kept(&document, 0.95, 0.5), (vec![0, 1, 2, 3], 2));
    let pruned = document.prune(ALL);
    let (given, recomputed): (Vec<_>, Vec<_>) =
        document.graph.node_ids().map(|id| (pruned.influence_of(id), pruned.recomputed(id))).unzip();
    assert_eq!(given, [Some(0.9), Some(0.8), Some(0.3), None]);
    assert!(
        recomputed[1].unwrap() < recomputed[2].unwrap(),
        "among what is left, the feature matters more than the error"
    );
    assert_eq!(pruned.ranked().iter().map(|id| id.0).collect::<Vec<_>>(), [2, 1, 0, 3]);
}

#[test]
fn a_file_without_influence_is_shown_whole_and_has_it_recomputed() {
    let document = file(json!({"node_threshold": 0.8}), [None; 4]);
    assert_eq!(document.edited.thresholds, ALL, "nothing says what else was dropped");
    assert_eq!(*document.graph.influence_of(), InfluenceOf::Unknown);
    assert_eq!(kept(&document, 1.0, 1.0), (vec![0, 1, 2, 3], 4));
    assert_eq!(kept(&document, 0.7, 1.0), (vec![0, 1, 3], 3), "tokens stay, and what matters least goes");
    let pruned = document.prune(ALL);
    for id in document.graph.node_ids() {
        assert!(pruned.influence_of(id).is_none() && pruned.recomputed(id).is_some());
    }
}

#[test]
fn what_is_written_of_a_pruned_file_opens_as_it_was() {
    let document = file(json!({"node_threshold": 0.8}), [Some(0.9), Some(0.8), Some(0.3), None]);
    for part in [Part::All, Part::Pruned] {
        let edited = Edited::clone(&document.edited);
        let kept = document.prune(edited.thresholds);
        let options = Options { part: Some(part), ..Options::default() };
        let mut bytes = Vec::new();
        export_to(&document, &kept, &edited, &options, &mut bytes).unwrap().unwrap();
        let again = json::read(Path::new("again.json"), &bytes).unwrap();
        let kept_again = again.prune(again.edited.thresholds);
        assert_eq!((kept_again.n_nodes(), kept_again.n_edges()), (kept.n_nodes(), kept.n_edges()), "{part:?}");
        for id in kept.node_ids() {
            let there = again.graph.node_named(&document.graph.node_name(id)).unwrap();
            assert_eq!(kept_again.influence_of(there), kept.influence_of(id), "{part:?}");
        }
    }
}

/// Counted by Neuronpedia's rule: influence at most the threshold, or none.
const WANTED: [(&str, [usize; 4]); 3] =
    [("dallas", [16, 53, 135, 321]), ("oakland", [17, 55, 143, 347]), ("opposite-of-small", [17, 53, 148, 340])];

#[test]
fn real_graphs_keep_what_neuronpedia_keeps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/neuronpedia-graphs");
    if !folder.is_dir() {
        eprintln!("SKIPPED: the real graphs of {} are not there", folder.display());
        return;
    }
    for (name, wanted) in WANTED {
        let document = open(&folder.join(name).with_extension("json")).unwrap();
        let found = [0.3, 0.5, 0.65, 0.8].map(|node| prune(&document.graph, Thresholds { node, ..ALL }).n_nodes());
        assert_eq!(found, wanted, "{name}");
        assert_eq!(document.edited.thresholds, Thresholds { node: 0.8, ..ALL }, "{name} opens where it was pruned");
        let (kept, graph) = (document.prune(document.edited.thresholds), &document.graph);
        let between = graph.edges().filter(|edge| kept.has_node(edge.source) && kept.has_node(edge.target)).count();
        assert_eq!(kept.n_edges(), between, "{name}: every link between them is kept");
    }
}
