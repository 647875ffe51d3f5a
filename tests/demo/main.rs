//! What the embedded demo shows, asserted on the weights that are checked in. Features are chosen by their position
//! alone, never by their effect; interventions recompute everything downstream in the real model.

#[path = "../../examples/train_demo/corpus/mod.rs"]
#[allow(dead_code, reason = "training uses more of it")]
mod corpus;
mod says;
mod selectivity;
mod standing;
mod store;

use candle_core::Device;
use circuitscope::attribution::{Capture, Engine, TargetChoice, TraceOptions};
use circuitscope::demo;
use circuitscope::graph::{
    AttributionGraph, FeatureAt, RawTrace, Rows, Settings, Thresholds, influence, prune, scores,
};
use circuitscope::ids::{FeatureId, Layer, Position};
use circuitscope::intervention::{Change, Mode, Value, intervene};
use circuitscope::job::Monitor;
use corpus::{Question, city_pairs, held_out_questions};
use selectivity::Selectivity;
use std::path::Path;

/// All of the demo together, its feature store included, in bytes at most.
const ROOM: u64 = 8_000_000;

fn engine() -> Engine {
    let (model, transcoder) = demo::sources();
    Engine::open(&model, &transcoder, &Device::Cpu).unwrap()
}

fn question(city: &str) -> Question {
    held_out_questions().into_iter().find(|question| question.city == city).unwrap()
}

fn capture(engine: &Engine, question: &Question) -> Capture {
    engine.capture(&question.text(), &Monitor::default()).unwrap()
}

/// The features active at the city: which, and how strongly.
fn at_city(capture: &Capture) -> Vec<(FeatureAt, f32)> {
    let layers = capture.layers.iter().enumerate();
    let here = layers.flat_map(|(layer, captured)| captured.active.iter().map(move |active| (layer, active)));
    here.filter(|(_, active)| active.position as usize == Question::CITY_POSITION)
        .map(|(layer, active)| {
            let (layer, position) = (Layer::from(layer), Position(active.position));
            (FeatureAt::mlp(layer, position, FeatureId(active.feature)), active.activation)
        })
        .collect()
}

/// The likeliest token after a prompt whose features were changed, and its probability.
fn answer(engine: &Engine, base: &Capture, changes: &[Change]) -> (String, f64) {
    let altered =
        intervene(&engine.model, &engine.transcoder, base, changes, &Mode::Free, &Monitor::default()).unwrap();
    let logits = altered.logits.last().unwrap();
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    let sum: f64 = logits.iter().map(|x| f64::from(x - logits[best]).exp()).sum();
    (engine.tokenizer.text(best as u32), 1.0 / sum)
}

fn to(feature: FeatureAt, value: f32) -> Change {
    Change { feature, value: Value::To(value) }
}

/// The first question's features at the city set to 0, the second's to `strength` times their values there.
fn swap(from: &[(FeatureAt, f32)], into: &[(FeatureAt, f32)], strength: f32) -> Vec<Change> {
    let gone = from.iter().filter(|(old, _)| into.iter().all(|(new, _)| new != old)).map(|(old, _)| to(*old, 0.0));
    gone.chain(into.iter().map(|(new, activation)| to(*new, strength * activation))).collect()
}

fn trace(engine: &Engine, prompt: String) -> RawTrace {
    let settings = Settings { prompt, ..Settings::default() };
    let targets = TargetChoice::likeliest(&settings);
    engine.trace(&TraceOptions { settings, targets, cut: None }, |_| {}, &Monitor::default()).unwrap()
}

#[test]
fn the_city_carries_the_answer() {
    let engine = engine();
    let (dallas, oakland) = (capture(&engine, &question("Dallas")), capture(&engine, &question("Oakland")));
    assert_eq!(question("Dallas").text(), demo::PROMPT);
    let (text, probability) = answer(&engine, &dallas, &[]);
    assert!(text == "Austin" && probability >= 0.9, "{text} {probability}");
    let features = at_city(&dallas);
    let ablated: Vec<Change> = features.iter().map(|(feature, _)| to(*feature, 0.0)).collect();
    let (text, probability) = answer(&engine, &dallas, &ablated);
    assert_ne!(text, "Austin", "still, at {probability}");
    let (text, probability) = answer(&engine, &dallas, &swap(&features, &at_city(&oakland), 1.0));
    assert_eq!(text, "Sacramento", "at {probability}");
}

#[test]
fn the_pruned_graph_holds_a_feature_of_texas() {
    let engine = engine();
    let traced = trace(&engine, demo::PROMPT.to_owned());
    let graph = AttributionGraph::from_trace(&traced).unwrap();
    let kept = prune(&graph, Thresholds::default());
    let selectivity = Selectivity::of_demo();
    let features = kept.node_ids().filter_map(|id| graph.node(id).layer_and_feature());
    let shares = features.map(|(layer, feature)| selectivity.share(layer.index(), feature.index(), "Texas"));
    let purest = shares.fold(0.0, f64::max);
    assert!(purest >= 0.9, "the purest feature that is kept is {purest:.3} Texas");

    // Swaps of one city's features for another's, all of them and those that stand for one state.
    let selective = |question: &Question, features: &[(FeatureAt, f32)]| -> Vec<(FeatureAt, f32)> {
        let stands = |at: &FeatureAt| selectivity.share(at.layer().index(), at.feature.index(), question.place) > 0.3;
        features.iter().copied().filter(|(at, _)| stands(at)).collect()
    };
    let mut works = [[0; 2]; 2];
    let pairs = city_pairs();
    assert_eq!(pairs.len(), 40);
    for (from, into) in &pairs {
        let (base, other) = (capture(&engine, from), capture(&engine, into));
        let (old, new) = (at_city(&base), at_city(&other));
        let some = (selective(from, &old), selective(into, &new));
        for (which, (old, new)) in [(&old, &new), (&some.0, &some.1)].into_iter().enumerate() {
            for (nth, strength) in [1.0, 2.0].into_iter().enumerate() {
                let (text, _) = answer(&engine, &base, &swap(old, new, strength));
                works[which][nth] += usize::from(text == into.answer);
            }
        }
    }
    println!("swaps of 40 that work, x1 and x2: all features {:?}, state-selective ones {:?}", works[0], works[1]);
    assert!(works[0][0] >= 25 && works[0][1] >= 36, "all features: {:?}", works[0]);
    assert!(works[1][0] >= 25 && works[1][1] >= 36, "state-selective: {:?}", works[1]);
}

#[test]
fn the_graphs_of_held_out_questions_explain_them() {
    let engine = engine();
    let questions = held_out_questions();
    assert_eq!(questions.len(), 28);
    let (mut replacement, mut completeness, mut right) = (0.0, 0.0, 0);
    for question in &questions {
        let traced = trace(&engine, question.text());
        right += usize::from(traced.targets[0].text == question.answer);
        rows_sum_up(&traced);
        let graph = AttributionGraph::from_trace(&traced).unwrap();
        let scores = scores(&graph, &influence(&graph));
        replacement += scores.replacement / 28.0;
        completeness += scores.completeness / 28.0;
    }
    println!("{right} of 28 right; mean replacement {replacement:.3}, completeness {completeness:.3}");
    assert!(right >= 26 && replacement >= 0.85 && completeness >= 0.94, "{right} {replacement} {completeness}");
}

/// Pre-activation (or demeaned logit) = incoming edges + constants, on every row.
fn rows_sum_up(trace: &RawTrace) {
    let Rows::Dense { values } = &trace.rows else { panic!("rows are sparse") };
    for (index, row) in values.chunks(trace.n_columns()).enumerate() {
        let constant = f64::from(trace.row_constants[index]);
        let sum = row.iter().map(|x| f64::from(*x)).sum::<f64>() + constant;
        let scale = trace.row_abs_sums[index] + constant.abs();
        assert!((sum - f64::from(trace.row_values[index])).abs() <= 1e-5 * scale, "row {index}");
    }
}

#[test]
fn the_demo_with_its_feature_store_is_small() {
    fn size(path: &Path) -> u64 {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        let sizes = entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().unwrap().len() });
        sizes.sum()
    }
    let size = size(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo"));
    assert!(size <= ROOM, "{size} bytes");
}
