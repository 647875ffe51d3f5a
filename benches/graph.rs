//! What walking and pruning cost on a graph as large as they come: 10,000 nodes, 5 million edges.

use circuitscope::graph::{AttributionGraph, GraphInfo, Node, NodeKind, Thresholds, Token, influence, prune};
use circuitscope::ids::{FeatureId, Layer, NodeId, Position};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;

const LAYERS: usize = 26;
const POSITIONS: usize = 12;
const NODES: usize = 10_000;
const EDGES: usize = 5_000_000;

/// Features in layer order, each read by what stands above it, with weights spread over some orders of magnitude.
fn large_graph() -> AttributionGraph {
    let mut random = SmallRng::seed_from_u64(1);
    let plain = |kind| Node { kind, activation: None };
    let tokens: Vec<_> = (0..POSITIONS).map(|id| Token { id: id as u32, text: String::new() }).collect();
    let n_features = NODES - LAYERS * POSITIONS - POSITIONS - 10;
    let mut nodes: Vec<_> = (0..n_features)
        .map(|at| {
            let layer = Layer::from(at * LAYERS / n_features);
            let position = Position::from(at % POSITIONS);
            plain(NodeKind::Feature { layer, position, feature: FeatureId::from(at) })
        })
        .collect();
    for at in 0..LAYERS * POSITIONS {
        nodes.push(plain(NodeKind::Error { layer: (at / POSITIONS).into(), position: (at % POSITIONS).into() }));
    }
    nodes.extend((0..POSITIONS).map(|at| plain(NodeKind::Token { position: at.into(), id: at as u32 })));
    nodes.extend((0..10).map(|id| {
        let position = Position::from(POSITIONS - 1);
        plain(NodeKind::Logit { position, id, probability: 0.09, text: String::new() })
    }));
    let first_error = n_features;
    let first_logit = NODES - 10;
    // About n^2 / 2 pairs could be edges; of them as many are drawn as are wanted.
    let pairs = n_features * n_features / 2 + n_features * (first_logit - first_error);
    let keep = EDGES as f64 / pairs as f64;
    let mut edges = Vec::with_capacity(EDGES);
    for target in (0..n_features).chain(first_logit..NODES) {
        let below = if target < n_features { target * LAYERS / n_features * n_features / LAYERS } else { n_features };
        for source in (0..below).chain(first_error..first_logit) {
            if random.random_bool(keep) {
                let weight = (random.random::<f32>() - 0.5).powi(7);
                edges.push((NodeId::from(source), NodeId::from(target), weight));
            }
        }
    }
    let info = GraphInfo { n_layers: LAYERS, tokens, partial: false };
    AttributionGraph::from_edges(info, nodes, edges).expect("the benchmark's own graph is sound")
}

fn benches(criterion: &mut Criterion) {
    let graph = large_graph();
    let kept = prune(&graph, Thresholds::default());
    let (nodes, edges) = (graph.n_nodes(), graph.n_edges());
    println!("{nodes} nodes, {edges} edges; {} and {} of them kept", kept.n_nodes(), kept.n_edges());
    let mut group = criterion.benchmark_group("graph");
    group.sample_size(20);
    group.bench_function("influence", |bencher| bencher.iter(|| influence(black_box(&graph))));
    group.bench_function("prune", |bencher| bencher.iter(|| prune(black_box(&graph), Thresholds::default())));
    group.finish();
}

criterion_group!(graph, benches);
criterion_main!(graph);
