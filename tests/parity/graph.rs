//! Influence, pruning and scores of every reference graph, from its adjacency matrix.

use crate::fixture::{CASES, Tensors, assert_close, graph_files, wide};
use circuitscope::graph::{
    AttributionGraph, FeatureAt, GraphInfo, Node, Site, Thresholds, Token, influence, prune, scores,
};
use circuitscope::ids::{FeatureId, Layer, Position};

const TOLERANCE: f64 = 1e-5;

/// The graph that a reference file holds.
pub fn reference_graph(file: &Tensors) -> AttributionGraph {
    let tokens: Vec<_> = file.i64("input_tokens").iter().map(|&id| token(id)).collect();
    let n_layers = file.shape("error_norms")[0];
    let n_positions = tokens.len();
    let activations = file.f32("activation_values");
    let active = active_features(file);
    let mut nodes: Vec<Node> = Vec::new();
    for index in file.i64("selected_features") {
        nodes.push(Node::of_feature(active[index as usize], Some(activations[index as usize])));
    }
    for layer in 0..n_layers {
        for position in 0..n_positions {
            nodes.push(Node::of_error(Site::mlp(layer.into()), position.into()));
        }
    }
    for (position, token) in tokens.iter().enumerate() {
        nodes.push(Node::of_token(position.into(), token.id));
    }
    for (id, &probability) in file.i64("logit_target_ids").into_iter().zip(&file.f32("logit_probabilities")) {
        let position = Position::from(n_positions - 1);
        nodes.push(Node::of_logit(position, id as u32, probability, ""));
    }
    let info = GraphInfo { n_layers, tokens, partial: false };
    AttributionGraph::from_dense(info, nodes, &file.f32("adjacency_matrix")).unwrap()
}

/// A token without its text, which the files do not hold.
pub fn token(id: i64) -> Token {
    Token { id: id as u32, text: String::new() }
}

/// The active features of a reference file.
pub fn active_features(file: &Tensors) -> Vec<FeatureAt> {
    let rows = file.i64("active_features");
    let at = |row: &[i64]| FeatureAt::mlp(Layer(row[0] as u32), Position(row[1] as u32), FeatureId(row[2] as u32));
    rows.chunks_exact(3).map(at).collect()
}

#[test]
fn influence_scores_and_pruning_agree_on_every_graph() {
    let mut graphs = 0;
    for path in CASES.iter().flat_map(|case| graph_files(case)) {
        let what = path.display();
        let file = Tensors::open(&path);
        let graph = reference_graph(&file);
        graphs += 1;

        let found = influence(&graph);
        let wanted = wide(&file.f32("node_influence"));
        // Targets named as strings may have tiny probabilities, and all influence scales with them.
        let largest = wanted.iter().fold(0.0, |a: f64, &b| a.max(b));
        assert_close(&format!("{what}: influence"), &found, &wanted, TOLERANCE * largest.min(1.0));

        let found = scores(&graph, &found);
        let wanted = file.f64("graph_scores");
        assert_close(&format!("{what}: scores"), &[found.replacement, found.completeness], &wanted, TOLERANCE);

        for (name, node, edge) in [("80_98", 0.8, 0.98), ("50_90", 0.5, 0.9), ("95_60", 0.95, 0.6)] {
            let kept = prune(&graph, Thresholds { node, edge, ..Thresholds::default() });
            let tensor = |part: &str| format!("prune_{name}.{part}");
            let nodes: Vec<_> = graph.node_ids().map(|id| kept.has_node(id)).collect();
            assert_eq!(nodes, file.mask(&tensor("node_mask")), "{what}: nodes kept at {name}");
            let mut edges = vec![false; graph.n_nodes() * graph.n_nodes()];
            for edge in graph.edges().filter(|edge| kept.has_edge(edge.id)) {
                edges[edge.target.index() * graph.n_nodes() + edge.source.index()] = true;
            }
            assert_eq!(edges, file.mask(&tensor("edge_mask")), "{what}: edges kept at {name}");
            let wanted = wide(&file.f32(&tensor("cumulative_scores")));
            assert_close(&format!("{what}: cumulative"), &wide(&kept.cumulative), &wanted, TOLERANCE);
        }
    }
    assert_eq!(graphs, 25, "every graph file was read");
}

#[test]
fn a_reference_graph_walks_alike_both_ways() {
    for path in graph_files("llama_clt_relu") {
        let graph = reference_graph(&Tensors::open(&path));
        let matrix = Tensors::open(&path).f32("adjacency_matrix");
        assert_eq!(graph.n_edges(), matrix.iter().filter(|weight| **weight != 0.0).count());
        let forth: Vec<_> = graph.node_ids().flat_map(|id| graph.incoming(id)).collect();
        let mut back: Vec<_> = graph.node_ids().flat_map(|id| graph.outgoing(id)).collect();
        back.sort_by_key(|edge| edge.id);
        assert_eq!(forth, back);
        for edge in forth {
            assert_eq!(edge.weight, matrix[edge.target.index() * graph.n_nodes() + edge.source.index()]);
        }
    }
}
