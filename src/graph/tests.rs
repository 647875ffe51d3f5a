//! A graph worked out by hand, and properties of every graph.

use super::*;
use crate::ids::{FeatureId, Layer, NodeId, Position};
use proptest::prelude::*;

pub(super) fn feature(layer: u32, position: u32) -> Node {
    let kind = NodeKind::Feature { layer: Layer(layer), position: Position(position), feature: FeatureId(0) };
    Node { kind, activation: Some(1.0) }
}

pub(super) fn plain(kind: NodeKind) -> Node {
    Node { kind, activation: None }
}

pub(super) fn logit(probability: f32) -> Node {
    plain(NodeKind::Logit { position: Position(0), id: 5, probability, text: "five".into() })
}

pub(super) fn info(n_layers: usize) -> GraphInfo {
    GraphInfo { n_layers, tokens: vec![Token { id: 1, text: "one".into() }], partial: false }
}

/// Builds feature 0 of layer 0 (node 0), feature 1 of layer 1 (1), an error (2), a token (3), a logit (4) at 0.5.
pub(super) fn by_hand(edges: &[(u32, u32, f32)]) -> AttributionGraph {
    let nodes = vec![
        feature(0, 0),
        feature(1, 0),
        plain(NodeKind::Error { layer: Layer(0), position: Position(0) }),
        plain(NodeKind::Token { position: Position(0), id: 1 }),
        logit(0.5),
    ];
    let edges = edges.iter().map(|&(source, target, weight)| (NodeId(source), NodeId(target), weight));
    AttributionGraph::from_edges(info(2), nodes, edges).unwrap()
}

#[test]
fn influence_and_scores_worked_out_by_hand() {
    let graph = by_hand(&[(3, 0, 3.0), (2, 0, -1.0), (0, 1, 2.0), (1, 4, -6.0), (0, 4, 2.0), (3, 1, 0.0)]);
    assert_eq!(graph.n_edges(), 5, "an edge of weight zero is none");
    let influence = influence(&graph);
    // The logit passes 0.5 on: 3/4 to f1, 1/4 to f0; f1 passes all to f0; f0 passes 3/4 to the token, 1/4 to the error.
    assert_eq!(influence, [0.5, 0.375, 0.125, 0.375, 0.0]);
    let scores = scores(&graph, &influence);
    assert_eq!(scores.replacement, 0.75);
    // Pull of all nodes: 0.5 + 0.375 + 0.125 + 0.375 + 0.5; only f0 has an error among its inputs, a quarter of them.
    assert!((scores.completeness - (1.875 - 0.5 * 0.25) / 1.875).abs() < 1e-12);
    let share = |held: f64| (held / 1.375) as f32;
    assert_eq!(cumulative(&influence), [0.5, 0.875, 1.375, 1.25, 1.375].map(share));
}

#[test]
fn inhibitors_are_the_negative_inputs_the_strongest_first() {
    let graph = by_hand(&[(0, 4, -1.0), (1, 4, 2.0), (2, 4, -3.0), (3, 4, -0.5), (3, 0, -9.0)]);
    let sources = |most| graph.inhibitors(NodeId(4), most).into_iter().map(|edge| edge.source.0).collect::<Vec<_>>();
    assert_eq!(sources(usize::MAX), [2, 0, 3]);
    assert_eq!(sources(2), [2, 0]);
    assert!(sources(0).is_empty());
    assert_eq!(input_totals(&graph, NodeId(4)).negative(), -4.5);
}

#[test]
fn what_hangs_in_the_air_is_dropped() {
    // f1 alone flows into the logit, with a pull of 0.5; what flows into f1 has a third of that each.
    let graph = by_hand(&[(1, 4, 1.0), (0, 1, 1.0), (2, 1, 1.0), (3, 1, 1.0), (3, 0, 1.0)]);
    let kept = prune(&graph, Thresholds { node: 1.0, edge: 0.1, ..Thresholds::default() });
    assert_eq!(kept.n_edges(), 0, "the edge into the logit is kept at first, but then f1 comes from nowhere");
    assert_eq!(kept.node_ids().collect::<Vec<_>>(), [NodeId(3), NodeId(4)], "the token and the logit always stay");
    let kept = prune(&graph, Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() });
    assert_eq!((kept.n_nodes(), kept.n_edges()), (5, 5), "at a share of 1 all stays that leads to the logit");
}

#[test]
fn what_is_no_graph_is_refused() {
    let make = |edges: &[(u32, u32, f32)]| {
        let nodes = vec![feature(0, 0), feature(1, 0), logit(1.0)];
        let edges = edges.iter().map(|&(source, target, weight)| (NodeId(source), NodeId(target), weight));
        AttributionGraph::from_edges(info(2), nodes, edges).map(|graph| graph.n_edges())
    };
    assert_eq!(make(&[(0, 1, 1.0), (1, 2, 1.0)]), Ok(2));
    assert!(matches!(make(&[(0, 1, 1.0), (1, 0, 1.0)]), Err(GraphError::Cycle(_))));
    assert_eq!(make(&[(1, 1, 1.0)]), Err(GraphError::Cycle(NodeId(1))));
    assert!(matches!(make(&[(0, 1, f32::NAN)]), Err(GraphError::NotFinite { .. })));
    assert!(matches!(make(&[(0, 3, 1.0)]), Err(GraphError::NoSuchNode { n_nodes: 3, .. })));
    assert!(matches!(make(&[(0, 1, 1.0), (0, 1, 2.0)]), Err(GraphError::TwoEdges { .. })));
    let matrix = AttributionGraph::from_dense(info(2), vec![logit(1.0)], &[0.0; 2]);
    assert!(matches!(matrix, Err(GraphError::MatrixSize { found: 2, n_nodes: 1 })));
    for misplaced in [feature(2, 0), feature(0, 1), logit(f32::NAN), logit(-1.0)] {
        let graph = AttributionGraph::from_edges(info(2), vec![misplaced], []);
        assert!(matches!(graph, Err(GraphError::OutOfPlace { .. })));
    }
}

/// Generates a graph of features over layers with errors, tokens and logits, each edge from a lower place to a higher
/// one.
pub(super) fn any_graph() -> impl Strategy<Value = AttributionGraph> {
    let weight = prop_oneof![2 => Just(0.0f32), 3 => -4.0f32..4.0];
    (1u32..12, 1usize..4).prop_flat_map(move |(n_features, n_logits)| {
        let n_nodes = n_features as usize + 2 + n_logits;
        proptest::collection::vec(weight.clone(), n_nodes * n_nodes).prop_map(move |mut matrix| {
            let mut nodes: Vec<_> = (0..n_features).map(|layer| feature(layer, 0)).collect();
            nodes.push(plain(NodeKind::Error { layer: Layer(0), position: Position(0) }));
            nodes.push(plain(NodeKind::Token { position: Position(0), id: 1 }));
            nodes.extend((0..n_logits).map(|at| logit(0.5 / (at + 1) as f32)));
            let rank = |at: usize| match &nodes[at].kind {
                NodeKind::Error { .. } | NodeKind::Token { .. } | NodeKind::Other { .. } => 0,
                NodeKind::Feature { layer, .. } => 1 + layer.0,
                NodeKind::Logit { .. } => u32::MAX,
            };
            for target in 0..n_nodes {
                for source in (0..n_nodes).filter(|&source| rank(source) >= rank(target)) {
                    matrix[target * n_nodes + source] = 0.0;
                }
            }
            AttributionGraph::from_dense(info(n_features as usize), nodes, &matrix).unwrap()
        })
    })
}

/// Computes `p^T (N + N^2 + ...)` as it is written, power by power.
fn by_powers(graph: &AttributionGraph) -> Vec<f64> {
    let mut flow: Vec<f64> =
        graph.node_ids().map(|id| influence::pull(graph, &vec![0.0; graph.n_nodes()], id)).collect();
    let mut influence = vec![0.0; graph.n_nodes()];
    while flow.iter().any(|part| *part != 0.0) {
        let mut next = vec![0.0; graph.n_nodes()];
        for edge in graph.edges() {
            let share = f64::from(edge.weight.abs()) / graph.input_total(edge.target);
            next[edge.source.index()] += flow[edge.target.index()] * share;
        }
        influence.iter_mut().zip(&next).for_each(|(sum, part)| *sum += part);
        flow = next;
    }
    influence
}

/// Returns true where circuit-tracer's clean-up, which goes in rounds until nothing changes, would go on.
fn dangles(graph: &AttributionGraph, kept: &Kept) -> bool {
    kept.node_ids().any(|id| {
        let node = graph.node(id);
        let leads = kept.outgoing(graph, id).next().is_some();
        let comes = kept.incoming(graph, id).next().is_some();
        !leads && (node.is_feature() || node.is_error()) || !comes && node.is_feature()
    })
}

proptest! {
    #[test]
    fn the_sweep_is_the_sum_of_powers(graph in any_graph()) {
        for (sweep, power) in influence(&graph).into_iter().zip(by_powers(&graph)) {
            prop_assert!((sweep - power).abs() < 1e-12, "{} is not {}", sweep, power);
        }
    }

    #[test]
    fn what_is_kept_hangs_together(graph in any_graph(), node in 0.0..=1.0, edge in 0.0..=1.0) {
        let kept = prune(&graph, Thresholds { node, edge, ..Thresholds::default() });
        for edge in graph.edges().filter(|edge| kept.has_edge(edge.id)) {
            prop_assert!(kept.has_node(edge.source) && kept.has_node(edge.target));
        }
        prop_assert!(graph.token_nodes().chain(graph.logit_nodes()).all(|id| kept.has_node(id)));
        prop_assert!(!dangles(&graph, &kept));
        prop_assert_eq!(kept.n_nodes(), kept.node_ids().count());
        prop_assert_eq!(kept.n_edges(), graph.edges().filter(|edge| kept.has_edge(edge.id)).count());
    }

    #[test]
    fn what_fires_too_often_goes_and_what_is_not_known_stays(
        graph in any_graph(), node in 0.0..=1.0, edge in 0.0..=1.0, density in 0.0..1.0f64,
        known in proptest::collection::vec(proptest::option::of(0.0f32..1.0), 40),
    ) {
        let densities: Densities = graph.nodes().iter().zip(known.iter().cycle()).filter_map(|(node, known)| {
            match node.kind {
                NodeKind::Feature { layer, feature, .. } => Some(((layer, feature), (*known)?)),
                _ => None,
            }
        }).collect();
        let all = Thresholds { node, edge, ..Thresholds::default() };
        let kept = prune_by_density(&graph, Thresholds { density, ..all }, &densities);
        let without = prune(&graph, all);
        for id in kept.node_ids() {
            if let NodeKind::Feature { layer, feature, .. } = graph.node(id).kind {
                prop_assert!(densities.of(layer, feature).is_none_or(|known| f64::from(known) <= density));
            }
        }
        prop_assert!(!dangles(&graph, &kept));
        prop_assert_eq!(&kept.influence, &without.influence);
        prop_assert_eq!(&prune_by_density(&graph, all, &densities), &without);
        prop_assert_eq!(&prune(&graph, Thresholds { density, ..all }), &without);
    }

    #[test]
    fn a_higher_edge_threshold_keeps_what_a_lower_one_keeps(
        graph in any_graph(), node in 0.0..=1.0, edge in 0.0..=1.0, more in 0.0..=1.0,
    ) {
        let fewer = prune(&graph, Thresholds { node, edge, ..Thresholds::default() });
        let more = prune(&graph, Thresholds { node, edge: edge + (1.0 - edge) * more, ..Thresholds::default() });
        prop_assert!(graph.edges().all(|edge| !fewer.has_edge(edge.id) || more.has_edge(edge.id)));
        prop_assert!(graph.node_ids().all(|id| !fewer.has_node(id) || more.has_node(id)));
    }
}
