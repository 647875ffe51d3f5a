//! Continuations: that what is cached is what would be computed anew, and that interventions hold in them.

use crate::fixture::{CASES, Tensors, assert_close, folder, wide};
use candle_core::Device;
use circuitscope::attribution::{Capture, Engine};
use circuitscope::graph::FeatureAt;
use circuitscope::hub::FileSource;
use circuitscope::ids::{FeatureId, Layer, Position};
use circuitscope::intervention::{
    Action, Change, Continuation, Freeze, Generation, Intervention, InterventionError, Interventions, Mode, Positions,
    Sampling, Site, Value, generate, intervene,
};
use circuitscope::job::{Cancel, Monitor};
use serde_json::Value as Json;

/// Absolute, on logits.
const TOLERANCE: f64 = 1e-4;

const LENGTH: usize = 8;

fn open(name: &str) -> (Engine, Capture) {
    let place = |which: &str| FileSource::directory(&folder(name).join(which)).unwrap();
    let engine = Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap();
    let case: Json = serde_json::from_slice(&std::fs::read(folder(name).join("case.json")).unwrap()).unwrap();
    let base = engine.capture(case["prompts"][0]["text"].as_str().unwrap(), &Monitor::default()).unwrap();
    (engine, base)
}

/// Greedy, with a seed that plays no part.
fn greedy(cached: bool) -> Generation {
    Generation { max_tokens: LENGTH, sampling: Sampling::default(), cached }
}

fn continued(
    engine: &Engine,
    base: &Capture,
    set: &Interventions,
    generation: &Generation,
) -> (Continuation, Vec<Vec<f32>>) {
    let mut logits = Vec::new();
    let mut each = |_, row: &[f32]| logits.push(row.to_vec());
    let continuation = generate(engine, base, set, generation, &mut each, &Monitor::default()).unwrap();
    (continuation, logits)
}

fn ids(base: &Capture, continuation: &Continuation) -> Vec<u32> {
    base.ids.iter().copied().chain(continuation.tokens.iter().map(|token| token.id)).collect()
}

/// The two features of a case's interventions, and what they are set to.
fn features(name: &str) -> Vec<(FeatureAt, f32)> {
    let expected = Tensors::open(&folder(name).join("p0.interventions2.safetensors"));
    let features = expected.i64("features");
    let at = |ids: &[i64]| FeatureAt {
        layer: Layer(ids[0] as u32),
        position: Position(ids[1] as u32),
        feature: FeatureId(ids[2] as u32),
    };
    features.chunks(3).map(at).zip(expected.f32("values")).collect()
}

fn on(feature: FeatureAt, positions: Positions, action: Action) -> Intervention {
    let site = Site { layer: feature.layer, feature: feature.feature, positions };
    Intervention { name: format!("{site}"), sites: vec![site], action, muted: false }
}

fn rows(a: &[Vec<f32>], b: &[Vec<f32>], what: &str) {
    assert_close(what, &wide(&a.concat()), &wide(&b.concat()), TOLERANCE);
}

#[test]
fn a_continuation_from_the_cache_is_the_models_own() {
    for name in CASES {
        let (engine, base) = open(name);
        let none = Interventions::default();
        let (continuation, logits) = continued(&engine, &base, &none, &greedy(true));
        let all = ids(&base, &continuation);
        let whole = engine.model.run(&all, &Cancel::default()).unwrap();
        let behind = base.ids.len() - 1;
        rows(&logits, &whole[behind..behind + logits.len()], name);
        for (next, row) in continuation.tokens.iter().zip(&logits) {
            assert!(row.iter().all(|logit| *logit <= row[next.id as usize]), "{name}: greedy takes the likeliest");
        }
    }
}

#[test]
fn altered_continuations_agree_with_a_whole_pass() {
    let mut moved = 0;
    for name in CASES {
        let (engine, base) = open(name);
        let prompt = i32::try_from(base.ids.len()).unwrap();
        let [(first, _), (second, value)] = features(name)[..] else { panic!("two features") };
        let set = |freeze| Interventions {
            freeze,
            layers: None,
            list: vec![
                on(first, Positions::All, Action::Ablate),
                on(second, Positions::From(prompt - 2), Action::Set { to: 2.0 * value.abs() + 1.0 }),
            ],
        };
        for freeze in [Freeze::Free, Freeze::FrozenAttention] {
            let (cached, logits) = continued(&engine, &base, &set(freeze), &greedy(true));
            let (anew, same) = continued(&engine, &base, &set(freeze), &greedy(false));
            assert_eq!(cached.tokens.len(), anew.tokens.len());
            rows(&logits, &same, &format!("{name}: cached and computed anew, {freeze:?}"));
        }
        // Values that do not depend on a base run make of prompt and continuation one prompt to intervene on.
        let (continuation, logits) = continued(&engine, &base, &set(Freeze::Free), &greedy(true));
        let all = ids(&base, &continuation);
        let whole = Capture::run(&engine.model, &engine.transcoder, &all, &Monitor::default()).unwrap();
        let change = |feature: FeatureAt, at: usize, value| Change {
            feature: FeatureAt { position: Position::from(at), ..feature },
            value: Value::To(value),
        };
        let changes: Vec<Change> = (0..all.len())
            .map(|at| change(first, at, 0.0))
            .chain((base.ids.len() - 2..all.len()).map(|at| change(second, at, 2.0 * value.abs() + 1.0)))
            .collect();
        let run = |changes: &[Change]| {
            intervene(&engine.model, &engine.transcoder, &whole, changes, &Mode::Free, &Monitor::default()).unwrap()
        };
        let (altered, plain) = (run(&changes), run(&[]));
        let behind = base.ids.len() - 1..base.ids.len() - 1 + logits.len();
        rows(&logits, &altered.logits[behind.clone()], name);
        let farthest = |a: &[Vec<f32>], b: &[Vec<f32>]| {
            a.concat().iter().zip(b.concat()).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()))
        };
        moved += usize::from(farthest(&altered.logits[behind.clone()], &plain.logits[behind]) > 100.0 * 1e-4);
    }
    assert_eq!(moved, CASES.len(), "interventions that move the logits by far more than the tolerance");
}

#[test]
fn factors_at_generated_positions_are_of_the_runs_own_activations() {
    let (engine, base) = open("llama_plt_relu");
    let [(_, _), (feature, _)] = features("llama_plt_relu")[..] else { panic!("two features") };
    let with = |action: Action| {
        let list = vec![on(feature, Positions::From(i32::try_from(base.ids.len()).unwrap() - 1), action)];
        continued(&engine, &base, &Interventions { list, ..Interventions::default() }, &greedy(true)).1
    };
    let plain = continued(&engine, &base, &Interventions::default(), &greedy(true)).1;
    rows(&with(Action::Scale { by: 1.0 }), &plain, "a factor of 1 changes nothing");
    rows(&with(Action::Add { amount: 0.0 }), &plain, "nothing added changes nothing");
    rows(&with(Action::Scale { by: 0.0 }), &with(Action::Ablate), "a factor of 0 ablates");
}

#[test]
fn a_seed_decides_what_is_drawn() {
    let (engine, base) = open("gpt2_plt_relu");
    let drawn = |seed, top_k, top_p| {
        let sampling = Sampling { temperature: 1.5, top_k, top_p, seed };
        let generation = Generation { sampling, ..greedy(true) };
        let (continuation, _) = continued(&engine, &base, &Interventions::default(), &generation);
        continuation.tokens.iter().map(|token| token.id).collect::<Vec<_>>()
    };
    for (k, p) in [(None, None), (Some(40), None), (None, Some(0.9)), (Some(40), Some(0.9))] {
        assert_eq!(drawn(7, k, p), drawn(7, k, p), "{k:?} {p:?}");
        let others: std::collections::BTreeSet<_> = (0..8).map(|seed| drawn(seed, k, p)).collect();
        assert!(others.len() > 1, "seeds lead to different tokens, {k:?} {p:?}");
    }
    let greedy = continued(&engine, &base, &Interventions::default(), &greedy(true)).0;
    let likeliest: Vec<u32> = greedy.tokens.iter().map(|token| token.id).collect();
    assert_eq!(drawn(3, Some(1), None), likeliest);
}

#[test]
fn what_cannot_be_continued_is_said() {
    let (engine, base) = open("gpt2_plt_relu");
    let fails = |set: &Interventions, sampling: Sampling| {
        let generation = Generation { sampling, ..greedy(true) };
        generate(&engine, &base, set, &generation, &mut |_, _| {}, &Monitor::default()).unwrap_err()
    };
    let feature = features("gpt2_plt_relu")[0].0;
    let set = |freeze, action| Interventions { freeze, layers: None, list: vec![on(feature, Positions::All, action)] };
    let plain = Sampling::default();
    let direct = fails(&set(Freeze::Direct, Action::Ablate), plain);
    assert!(matches!(direct, InterventionError::DirectGeneration), "{direct}");
    let nan = fails(&set(Freeze::Free, Action::Scale { by: f32::NAN }), plain);
    assert!(matches!(nan, InterventionError::NotFinite { .. }), "{nan}");
    let huge = fails(&set(Freeze::Free, Action::Set { to: f32::MAX }), plain);
    assert!(matches!(huge, InterventionError::NonFinite), "{huge}");
    for sampling in [
        Sampling { temperature: -1.0, ..plain },
        Sampling { temperature: f64::NAN, ..plain },
        Sampling { temperature: 1.0, top_k: Some(0), ..plain },
        Sampling { temperature: 1.0, top_p: Some(0.0), ..plain },
        Sampling { temperature: 1.0, top_p: Some(1.5), ..plain },
    ] {
        let said = fails(&Interventions::default(), sampling);
        assert!(matches!(said, InterventionError::Sampling { .. }), "{sampling:?}: {said}");
    }
    let stopped = Monitor::default();
    stopped.cancel().cancel();
    let none = Interventions::default();
    let continuation = generate(&engine, &base, &none, &greedy(true), &mut |_, _| {}, &stopped).unwrap();
    assert!(continuation.tokens.is_empty());
}
