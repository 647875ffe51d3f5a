//! What pruning, filtering and searching cost on a graph as large as they come: 10,000 nodes, 5 million edges. And what
//! is left to the thread that draws: every key and every answer there has to be done in 5 ms.

use circuitscope::format::{self, Options};
use circuitscope::graph::query::{NothingKnown, Query, Subject};
use circuitscope::graph::{
    AttributionGraph, Document, Edited, FeatureAt, GraphInfo, Labels, Node, Part, SimilarityBounds, Site, Thresholds,
    Token, influence, paths, proposals, prune, subgraph_scores,
};
use circuitscope::ids::{FeatureId, Layer, NodeId, Position};
use circuitscope::job::Cancel;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::keymap::Key;
use circuitscope::tui::runtime::jobs::{Jobs, Services, Wake};
use circuitscope::tui::runtime::message::Msg;
use circuitscope::tui::runtime::sessions::Sessions;
use circuitscope::tui::runtime::update::update;
use circuitscope::tui::state::State;
use circuitscope::tui::ui::theme::{Depth, Ground, Look, Theme};
use circuitscope::tui::workspace::Busy;
use circuitscope::tui::workspace::circuit::Circuit;
use circuitscope::tui::{Traced, screen, take_grown};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LAYERS: usize = 26;
const POSITIONS: usize = 12;
const NODES: usize = 10_000;
const EDGES: usize = 5_000_000;

/// Features in layer order, each read by what stands above it, with weights spread over some orders of magnitude.
fn large_graph() -> AttributionGraph {
    let mut random = SmallRng::seed_from_u64(1);
    let tokens: Vec<_> = (0..POSITIONS).map(|id| Token { id: id as u32, text: String::new() }).collect();
    let n_features = NODES - LAYERS * POSITIONS - POSITIONS - 10;
    let mut nodes: Vec<_> = (0..n_features)
        .map(|at| {
            let layer = Layer::from(at * LAYERS / n_features);
            let position = Position::from(at % POSITIONS);
            Node::of_feature(FeatureAt::mlp(layer, position, FeatureId::from(at)), None)
        })
        .collect();
    for at in 0..LAYERS * POSITIONS {
        nodes.push(Node::of_error(Site::mlp((at / POSITIONS).into()), (at % POSITIONS).into()));
    }
    nodes.extend((0..POSITIONS).map(|at| Node::of_token(at.into(), at as u32)));
    nodes.extend((0..10).map(|id| {
        let position = Position::from(POSITIONS - 1);
        Node::of_logit(position, id, 0.09, "")
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
    let whole = prune(&graph, Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() });
    let (labels, edited) = (Labels::new(), Edited::default());
    let subject = |kept| Subject {
        graph: &graph,
        kept,
        labels: &labels,
        edited: &edited,
        selected: graph.logit_nodes().next(),
        features: &NothingKnown,
    };
    let text = "layer:10..20 pos:-1 type:feature influence<0.6 |w|>0.0001 sign:- (in>0.0001 or from:type:feature)";
    let query = Query::parse(text).expect("the benchmark's own query can be read");
    group.bench_function("filter what is kept", |bencher| bencher.iter(|| query.matches(&subject(&kept))));
    group.bench_function("filter all", |bencher| bencher.iter(|| query.matches(&subject(&whole))));
    let (from, to) = (graph.token_nodes().next(), graph.logit_nodes().next());
    let (from, to) = from.zip(to).expect("the benchmark's own graph has both");
    let cancel = Cancel::default();
    group.bench_function("100 paths", |bencher| bencher.iter(|| paths(&graph, None, from, to, 100, &cancel)));
    let pins: Vec<_> = kept.node_ids().collect();
    group.bench_function("scores of a subgraph", |bencher| bencher.iter(|| subgraph_scores(&graph, &pins)));
    group.bench_function("proposals", |bencher| {
        bencher.iter(|| proposals(&graph, &kept, &edited, &[], SimilarityBounds::default(), &cancel));
    });
    group.finish();
}

/// The graph on a screen, all of it kept.
fn screen(traced: &Traced) -> State {
    let look = Look { theme: Theme::new(Depth::True, Ground::Dark), glyphs: Glyphs::new(Charset::Braille) };
    let wake: Wake = Arc::new(|| {});
    let jobs = Jobs::new(Services::default(), Arc::clone(&wake));
    let mut state = State::new(look, (200, 60), jobs, Sessions::new(wake));
    state.workspace.circuit = Circuit::new(traced.clone());
    update(&mut state, Msg::Resize(200, 60));
    state
}

/// The graph as if it were from a file, to be shown whole.
fn document() -> Document {
    let thresholds = Thresholds { node: 1.0, edge: 1.0, density: 1.0 };
    Document {
        origin: Arc::default(),
        graph: Arc::new(large_graph()),
        trace: None,
        labels: Arc::default(),
        edited: Arc::new(Edited { thresholds, ..Edited::default() }),
        occurrences: None,
        densities: Arc::default(),
        foreign: Arc::default(),
    }
}

fn on_the_screen(criterion: &mut Criterion) {
    let mut document = document();
    let whole = Traced::new(document.clone());
    document.edited = Arc::default();
    let usual = Traced::new(document);
    let mut group = criterion.benchmark_group("screen");
    group.sample_size(20);
    let mut state = screen(&whole);
    let send = |state: &mut State, msg: Msg| {
        update(state, msg);
        state.screen.effects.clear();
    };
    for key in ["k", "1", "[", "o", "p", "Tab"] {
        let press = Key::parse(key).expect("the key is one");
        group.bench_function(format!("key {key}"), |bencher| bencher.iter(|| send(&mut state, Msg::Key(press))));
    }
    let mut turn = [&whole, &usual].into_iter().cycle();
    group.bench_function("another pruning", |bencher| {
        bencher.iter(|| {
            let traced = turn.next().expect("a cycle has no end");
            let kept = Arc::clone(&traced.kept);
            let pruned = |state: &mut State| {
                if let Some(circuit) = &mut state.workspace.circuit {
                    circuit.take_kept(kept, &state.screen.look.glyphs);
                }
            };
            send(&mut state, Msg::Done(Box::new(pruned)));
        });
    });
    group.bench_function("another size", |bencher| {
        let mut sizes = [(200, 60), (160, 48)].into_iter().cycle();
        bencher.iter(|| {
            let (width, height) = sizes.next().expect("a cycle has no end");
            send(&mut state, Msg::Resize(width, height));
        });
    });
    // The keys above have left a walk and a history that nobody's hands make.
    let mut state = screen(&whole);
    group.bench_function("a graph that grew", |bencher| {
        // Another graph every time, as it is in a trace: what was there before is let go of.
        let another = || {
            let graph = Arc::new(whole.document.graph.as_ref().clone());
            Traced { document: Document { graph, ..whole.document.clone() }, ..whole.clone() }
        };
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let id = state.jobs.next_request();
                state.workspace.busy = Some(Busy::going_on(id, String::new(), state.workspace.graph_id));
                let traced = another();
                let msg = Msg::Done(Box::new(move |state: &mut State| take_grown(state, id, traced)));
                let begun = Instant::now();
                update(&mut state, msg);
                took += begun.elapsed();
                state.screen.effects.clear();
            }
            took
        });
    });
    state.workspace.busy = None;
    let area = Rect::new(0, 0, 200, 60);
    group.bench_function("a frame", |bencher| {
        let mut buffer = Buffer::empty(area);
        bencher.iter(|| {
            buffer.reset();
            screen::render(&state, area, &mut buffer)
        });
    });
    group.finish();
}

/// The graph as JSON, which is left where it is written: what opening it takes of memory is told by another process.
fn opening(criterion: &mut Criterion) {
    let document = document();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("graph.json");
    let options = Options { part: Some(Part::All), slug: "large".into(), ..Options::default() };
    let kept = document.prune(document.edited.thresholds);
    format::export(&document, &kept, &document.edited, &options, &path).expect("the benchmark's folder can be written");
    let size = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!("{}: {} MB", path.display(), size / 1_000_000);
    let mut group = criterion.benchmark_group("file");
    group.sample_size(10);
    group.bench_function("open JSON", |bencher| bencher.iter(|| format::open(&path)));
    group.finish();
}

criterion_group!(graph, benches, on_the_screen, opening);
criterion_main!(graph);
