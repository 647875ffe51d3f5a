//! What has to hold exactly, on every reference case.

use crate::{CASES, case, graph, traced};
use circuitscope::attribution::{Asked, Probe, Request, Source, TargetChoice, TraceOptions};
use circuitscope::graph::{AttributionGraph, FeatureAt, Node, RowTarget, Rows};
use circuitscope::ids::NodeId;
use circuitscope::intervention::Mode;
use circuitscope::job::Monitor;
use circuitscope::verify::{Bench, VerifyError, predicted, replacement};

/// As the columns of graphs are held to interventions.
const TOLERANCE: f32 = 1e-5;

fn features(graph: &AttributionGraph) -> Vec<NodeId> {
    graph.feature_nodes().collect()
}

/// Each edge of the trace, split: what passes no head, and the parts by first head, by last head, and alone and chained.
#[test]
fn heads_add_up_to_the_edge() {
    for name in CASES {
        let (engine, prompt) = case(name);
        let trace = traced(&engine, &prompt);
        let probe = Probe::new(&engine, &trace.tokens, &Monitor::default()).unwrap();
        assert_eq!(probe.active(), trace.sources.features);
        let Rows::Dense { values } = &trace.rows else { panic!("rows are sparse") };
        let largest = values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let mut by_layers = [0; 2];
        for (row, label) in trace.row_targets.iter().enumerate().step_by(1 + trace.row_targets.len() / 12) {
            let asked = match *label {
                RowTarget::Feature(index) => Asked::Feature(trace.sources.features[index as usize]),
                RowTarget::Logit(index) => Asked::Logit(trace.targets[index as usize].id),
            };
            let row = &values[row * trace.n_columns()..(row + 1) * trace.n_columns()];
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_by(|a, b| row[*b].abs().total_cmp(&row[*a].abs()));
            // The strongest of the row, and its tokens, the first among them.
            let some = order.into_iter().take(5).chain(row.len() - trace.n_positions()..row.len());
            for column in some {
                let split = probe.heads(asked, probe.sources().source(column).unwrap(), &Monitor::default()).unwrap();
                let close = |what: &str, found: f32| {
                    let off = (found - row[column]).abs();
                    assert!(
                        off <= TOLERANCE * largest,
                        "{name} {asked:?} {column}: {what} {found}, edge {}",
                        row[column]
                    );
                };
                let sum = |of: fn(&circuitscope::attribution::HeadPart) -> f32| split.heads.iter().map(of).sum::<f32>();
                close("total", split.total);
                close("by first head", split.stays + sum(|part| part.first));
                close("by last head", split.stays + sum(|part| part.last));
                if split.n_layers() == 1 && row[column] != 0.0 {
                    assert!(split.chained().abs() <= TOLERANCE * largest, "{name}: one layer leaves no chain");
                    by_layers[0] += 1;
                } else {
                    by_layers[1] += 1;
                }
            }
        }
        assert!(by_layers.iter().all(|n| *n > 0), "{name}: edges over one layer and over several: {by_layers:?}");
    }
}

/// The row of a feature that is not active adds up to its pre-activation, as any row does; and so does a trace whose output
/// it is.
#[test]
fn what_holds_a_silent_feature_down_adds_up() {
    for name in CASES {
        let (engine, prompt) = case(name);
        let tokens = engine.read(&prompt).unwrap();
        let probe = Probe::new(&engine, &tokens, &Monitor::default()).unwrap();
        let closest = probe.closest(8, |_| true, &Monitor::default()).unwrap();
        assert!(closest.is_sorted_by(|a, b| a.margin >= b.margin));
        for silent in &closest {
            assert!(
                silent.margin <= 0.0 && probe.sources().column(Source::Feature(silent.at)).is_none(),
                "{name}: {silent:?}"
            );
            let row = probe.row(Asked::Feature(silent.at), &Monitor::default()).unwrap();
            let sum = row.effects.iter().map(|x| f64::from(*x)).sum::<f64>() + f64::from(row.constant);
            let scale = row.effects.iter().map(|x| f64::from(x.abs())).sum::<f64>() + f64::from(row.constant.abs());
            assert!((sum - f64::from(row.value)).abs() <= 1e-5 * scale, "{name}: {sum} is not {}", row.value);
            assert!((row.value - silent.pre_activation).abs() <= 1e-5 * scale as f32);
            let (margin, active) = probe.margin(silent.at, &Monitor::default()).unwrap();
            assert!(!active && (margin.margin - silent.margin).abs() <= 1e-5 * scale as f32);
        }

        // As the output of a trace, its row is that row, and the graph is one that can be walked.
        let at = closest[0].at;
        let asked = TargetChoice::Given(vec![Request::Feature(at)]);
        let settings = traced(&engine, &prompt).settings;
        let options = TraceOptions { settings, targets: asked, cut: None };
        let trace = engine.trace(&options, |_| {}, &Monitor::default()).unwrap();
        let row = probe.row(Asked::Feature(at), &Monitor::default()).unwrap();
        let Rows::Dense { values } = &trace.rows else { panic!("rows are sparse") };
        let largest = row.effects.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * largest;
        assert!(values[..trace.n_columns()].iter().zip(&row.effects).all(near), "{name}");
        let graph = AttributionGraph::from_trace(&trace).unwrap();
        let output = graph.logit_nodes().next().unwrap();
        assert_eq!(graph.node(output).position(), at.position);
        assert!(graph.incoming(output).len() > 0, "{name}");
    }
}

#[test]
fn in_the_direct_mode_an_edge_is_what_happens() {
    for name in CASES {
        let (engine, prompt) = case(name);
        let graph = graph(&engine, &prompt);
        let bench = Bench::new(&engine, &graph, &Monitor::default()).unwrap();
        let largest = graph.edges().fold(0.0f32, |most, edge| most.max(edge.weight.abs()));
        let mode = Mode::Direct(0..graph.n_layers());
        let all = features(&graph);
        let sources: Vec<NodeId> = all.iter().copied().step_by(1 + all.len() / 6).collect();
        for &source in &sources {
            let ablation = bench.ablate(source, &mode, &Monitor::default()).unwrap();
            for edge in graph.outgoing(source) {
                let observed = bench.observed(&ablation, edge.target).unwrap() as f32;
                let off = (observed + edge.weight).abs();
                assert!(off <= 4.0 * TOLERANCE * largest, "{name}: {observed} where the edge is {}", edge.weight);
            }
        }
        let pairs = bench.pairs(&sources, &mode, &Monitor::default()).unwrap();
        assert!(pairs.outputs.pearson.unwrap() > 0.999, "{name}: {:?}", pairs.outputs);
        let check = bench.edge(sources[0], sources[0], &mode, &Monitor::default()).unwrap();
        assert!(check.pair.predicted == 0.0 && check.pair.observed.abs() <= f64::from(TOLERANCE * largest));
        let token = graph.token_nodes().next().unwrap();
        assert!(matches!(bench.ablate(token, &mode, &Monitor::default()), Err(VerifyError::NoFeature(_))));
    }
}

/// Over paths of one edge, of two, and so on, until none is longer.
#[test]
fn a_prediction_over_paths_is_the_sum_of_their_products() {
    let (engine, prompt) = case("llama_plt_relu");
    let graph = graph(&engine, &prompt);
    let source = features(&graph)[0];
    let activation = |id: NodeId| graph.node(id).activation.map_or(0.0, f64::from);
    let (mut sums, mut step) = (vec![0.0; graph.n_nodes()], vec![0.0; graph.n_nodes()]);
    step[source.index()] = -activation(source);
    let mut longest = 0;
    while step.iter().any(|change| *change != 0.0) {
        let mut next = vec![0.0; graph.n_nodes()];
        for edge in graph.edges().filter(|edge| step[edge.source.index()] != 0.0 && activation(edge.source) != 0.0) {
            next[edge.target.index()] += f64::from(edge.weight) * step[edge.source.index()] / activation(edge.source);
        }
        sums.iter_mut().zip(&next).for_each(|(sum, change)| *sum += change);
        (step, longest) = (next, longest + 1);
    }
    assert!(longest > 2, "there are paths over other features");
    let largest = sums.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for (found, wanted) in predicted(&graph, &[source], &Mode::Free).iter().zip(&sums) {
        assert!((found - wanted).abs() <= 1e-9 * largest, "{found} is not {wanted}");
    }
    // Of two that do not feed each other the predictions add up.
    let fed = |a: NodeId, b: NodeId| graph.outgoing(a).any(|edge| edge.target == b);
    let other = features(&graph).into_iter().find(|id| {
        *id != source
            && predicted(&graph, &[source], &Mode::Free)[id.index()] == 0.0
            && !fed(*id, source)
            && predicted(&graph, &[*id], &Mode::Free)[source.index()] == 0.0
    });
    let other = other.expect("some feature at another place");
    let [one, two, both] = [&[source][..], &[other], &[source, other]].map(|ids| predicted(&graph, ids, &Mode::Free));
    for ((one, two), both) in one.iter().zip(&two).zip(&both) {
        assert!((one + two - both).abs() <= 1e-9 * largest);
    }
}

#[test]
fn a_replacement_without_errors_says_other_things_and_one_of_another_graph_is_refused() {
    let (engine, prompt) = case("gemma3_plt_jumprelu_skip");
    let tokens = engine.read(&prompt).unwrap();
    let run = engine.capture_tokens(&tokens, &Monitor::default()).unwrap();
    let found = replacement(&engine, &run, &Monitor::default()).unwrap();
    assert_eq!(found.alone[0], found.up_to[0], "up to the first layer is that layer alone");
    assert!(found.up_to.iter().all(|it| it.divergence > 0.0 && (0.0..=1.0).contains(&it.share)));

    let graph = graph(&engine, &prompt);
    let bench = Bench::new(&engine, &graph, &Monitor::default()).unwrap();
    let sources: Vec<NodeId> = features(&graph).into_iter().take(3).collect();
    for reach in bench.perturbations(&sources, &Monitor::default()).unwrap().by_distance {
        assert!(reach.layers >= 1 && reach.cosine.abs() <= 1.0 + 1e-9 && reach.error >= 0.0);
    }
    let (other, _) = case("qwen3_plt_relu");
    assert!(Bench::new(&other, &graph, &Monitor::default()).is_err());
    let missing = FeatureAt::mlp(0.into(), 1.into(), 1_000_000.into());
    let probe = Probe::new(&engine, &tokens, &Monitor::default()).unwrap();
    let error = probe.row(Asked::Feature(missing), &Monitor::default()).unwrap_err().to_string();
    assert!(error.contains("features, counted from 0"), "{error}");
    let zeroed = FeatureAt { position: 0.into(), feature: 0.into(), ..missing };
    assert!(probe.row(Asked::Feature(zeroed), &Monitor::default()).unwrap_err().to_string().contains("position"));
    assert!(graph.nodes().iter().any(Node::is_feature));
}
