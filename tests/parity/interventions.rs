//! Interventions against circuit-tracer's, in every mode; and direct interventions against the graph's own columns.

use crate::engine::Case;
use crate::fixture::{CASES, Tensors, assert_close, folder, wide};
use circuitscope::attribution::Capture;
use circuitscope::graph::FeatureAt;
use circuitscope::ids::{FeatureId, Layer, Position};
use circuitscope::intervention::{Change, Mode, Outcome, Value, intervene};
use circuitscope::job::Monitor;

/// Absolute, on logits and activations.
const TOLERANCE: f64 = 1e-4;

fn at(ids: &[i64]) -> FeatureAt {
    FeatureAt::mlp(Layer(ids[0] as u32), Position(ids[1] as u32), FeatureId(ids[2] as u32))
}

struct Run {
    name: &'static str,
    case: Case,
    base: Capture,
}

impl Run {
    fn new(name: &'static str) -> Self {
        let case = Case::open(name);
        let ids: Vec<u32> = case.tokenizer.read(case.prompt(0)).unwrap().iter().map(|token| token.id).collect();
        let base = Capture::run(&case.model, &case.transcoder, &ids, &Monitor::default()).unwrap();
        Self { name, case, base }
    }

    fn intervene(&self, changes: &[Change], mode: &Mode) -> Outcome {
        intervene(&self.case.model, &self.case.transcoder, &self.base, changes, mode, &Monitor::default()).unwrap()
    }

    fn compare(&self, found: &Outcome, expected: &Tensors, prefix: &str) {
        let what = |tensor: &str| format!("{}: {prefix}.{tensor}", self.name);
        let compare = |tensor: &str, found: &[Vec<f32>]| {
            let wanted = wide(&expected.f32(&format!("{prefix}.{tensor}")));
            assert_close(&what(tensor), &wide(&found.concat()), &wanted, TOLERANCE);
        };
        compare("logits", &found.logits);
        compare("activations", &found.activations);
        if expected.has(&format!("{prefix}.pre_activations")) {
            compare("pre_activations", &found.pre_activations);
        }
    }

    fn all_layers(&self) -> Mode {
        Mode::Direct(0..self.case.model.spec.n_layers)
    }
}

#[test]
fn one_feature_in_three_modes() {
    let mut files = 0;
    for name in CASES {
        let path = folder(name).join("p0.interventions.safetensors");
        if !path.exists() {
            continue;
        }
        files += 1;
        let (run, expected) = (Run::new(name), Tensors::open(&path));
        run.compare(&run.intervene(&[], &Mode::Free), &expected, "base");
        let feature = at(&expected.i64("feature"));
        for (which, times) in [("ablate", 0.0), ("steer2", 2.0)] {
            let value = expected.f32(&format!("{which}.value"))[0];
            let change = Change { feature, value: Value::To(value) };
            let direct = run.intervene(&[change], &run.all_layers());
            run.compare(&direct, &expected, &format!("{which}.direct"));
            let frozen = run.intervene(&[change], &Mode::FrozenAttention);
            run.compare(&frozen, &expected, &format!("{which}.frozen_attn"));
            run.compare(&run.intervene(&[change], &Mode::Free), &expected, &format!("{which}.free"));
            let factor = Change { feature, value: Value::Times(times) };
            let same = run.intervene(&[factor], &Mode::Free);
            assert_close(
                "a factor on the base activation",
                &wide(&same.logits.concat()),
                &wide(&expected.f32(&format!("{which}.free.logits"))),
                TOLERANCE,
            );
        }
    }
    assert_eq!(files, 3, "cases with interventions on one feature");
}

/// Doubling a feature in direct mode adds its column of the graph to every pre-activation.
#[test]
fn direct_interventions_are_the_columns_of_the_graph() {
    for name in CASES {
        let run = Run::new(name);
        let graph = Tensors::open(&folder(name).join("p0.full.safetensors"));
        let (active, adjacency) = (graph.i64("active_features"), graph.f32("adjacency_matrix"));
        let (n, nodes) = (active.len() / 3, adjacency.len().isqrt());
        let column = |source: usize| -> Vec<f32> { (0..n).map(|target| adjacency[target * nodes + source]).collect() };
        let most = |column: &[f32]| column.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        // Those with the strongest effects, and one that has hardly any.
        let mut sources: Vec<usize> = (0..n).filter(|source| most(&column(*source)) > 0.0).collect();
        sources.sort_by(|a, b| most(&column(*b)).total_cmp(&most(&column(*a))));
        let base = run.intervene(&[], &Mode::Free);
        let positions = run.base.n_positions();
        for source in sources.iter().take(3).chain([&sources[sources.len() / 2]]) {
            let feature = at(&active[source * 3..source * 3 + 3]);
            let doubled = run.intervene(&[Change { feature, value: Value::Times(2.0) }], &run.all_layers());
            let (column, largest) = (column(*source), most(&column(*source)));
            for (target, edge) in active.chunks(3).map(at).zip(&column) {
                let (before, after) = (&base.pre_activations, &doubled.pre_activations);
                let layer = target.layer().index();
                let place = target.position.index() * (before[layer].len() / positions) + target.feature.index();
                let change = after[layer][place] - before[layer][place];
                // What is subtracted is as large as a pre-activation, and only as exact as f32 has that.
                let noise = 1e-6 * before[layer][place].abs();
                assert!(
                    (change - edge).abs() <= 1e-5 * largest + noise,
                    "{name}: {target:?} moves by {change} with {feature:?}, edge {edge}, largest {largest}"
                );
            }
        }
    }
}

#[test]
fn two_features_at_once_and_a_range_of_layers() {
    for name in CASES {
        let (run, expected) = (Run::new(name), Tensors::open(&folder(name).join("p0.interventions2.safetensors")));
        let features = expected.i64("features");
        let changes: Vec<Change> = features
            .chunks(3)
            .zip(expected.f32("values"))
            .map(|(ids, value)| Change { feature: at(ids), value: Value::To(value) })
            .collect();
        let layers = expected.i64("layers");
        let range = Mode::Direct(layers[0] as usize..layers[1] as usize);
        run.compare(&run.intervene(&changes, &run.all_layers()), &expected, "direct");
        run.compare(&run.intervene(&changes, &range), &expected, "range");
        run.compare(&run.intervene(&changes, &Mode::FrozenAttention), &expected, "frozen_attn");
        run.compare(&run.intervene(&changes, &Mode::Free), &expected, "free");
    }
}
