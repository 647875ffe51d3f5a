//! That a store holds what the model does: against the reference library's activations, and against a count by hand.

use crate::fixture::{self, Tensors};
use crate::{built, demo_engine, engine};
use circuitscope::attribution::Engine;
use circuitscope::features::build::piece::CONTEXT;
use circuitscope::features::build::{Options, Selection};
use circuitscope::features::{Dashboard, Example};
use circuitscope::job::Monitor;
use std::collections::BTreeMap;

/// The prompts of a case.
fn prompts(case: &str) -> Vec<String> {
    let text = std::fs::read_to_string(fixture::folder(case).join("case.json")).unwrap();
    let case: serde_json::Value = serde_json::from_str(&text).unwrap();
    case["prompts"].as_array().unwrap().iter().map(|prompt| prompt["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn activations_are_those_of_the_reference_library() {
    for case in fixture::CASES {
        let debug = Tensors::open(&fixture::folder(case).join("p0.debug.safetensors"));
        let [n_layers, n_tokens, width] = debug.shape("activations")[..] else { panic!("{case}") };
        let wanted = debug.f32("activations");
        let (_, layers) = built(&engine(case), &prompts(case)[..1], &Options::default());
        let mut fired = 0;
        for layer in 0..n_layers {
            for (feature, dashboard) in layers[layer].iter().enumerate() {
                let own = |position: usize| wanted[(layer * n_tokens + position) * width + feature];
                let all: Vec<f32> = (1..n_tokens).map(own).collect();
                let count = all.iter().filter(|x| **x != 0.0).count();
                fired += count;
                assert_eq!(
                    dashboard.density,
                    Some((count as f64 / all.len() as f64) as f32),
                    "{case} {layer} {feature}"
                );
                assert_eq!(dashboard.histogram.iter().sum::<f32>(), count as f32);
                let Some(example) = dashboard.examples().next() else {
                    assert_eq!(count, 0);
                    continue;
                };
                // The whole prompt is one context, the special token in front left out.
                assert_eq!(example.tokens.len(), all.len());
                let off = example.activations.iter().zip(&all).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-4, "{case} {layer} {feature}: off by {off}");
                // The largest, which with TopK may be below 0, as a store has it to the bit.
                assert_eq!(dashboard.max, example.activations[example.peak.unwrap()]);
                let most = all.iter().copied().filter(|x| *x != 0.0).fold(f32::NEG_INFINITY, f32::max);
                assert!((dashboard.max - most).abs() < 1e-4);
            }
        }
        assert!(fired > 20, "{case}: {fired} activations");
    }
}

/// What a feature does at each token that it fires on: the document, the token, how strongly.
type Firing = BTreeMap<(usize, usize), Vec<(usize, usize, f32)>>;

/// By a forward pass for each document.
fn by_hand(engine: &Engine, documents: &[String]) -> (Firing, u64) {
    let (mut firing, mut tokens) = (Firing::new(), 0);
    for (document, text) in documents.iter().enumerate() {
        let capture = engine.capture(text, &Monitor::default()).unwrap();
        tokens += capture.n_positions() as u64 - 1;
        for (layer, captured) in capture.layers.iter().enumerate() {
            for active in &captured.active {
                let list = firing.entry((layer, active.feature as usize)).or_default();
                list.push((document, active.position as usize - 1, active.activation));
            }
        }
    }
    (firing, tokens)
}

#[test]
fn a_store_holds_what_a_pass_over_each_document_alone_finds() {
    let engine = demo_engine();
    let documents: Vec<String> =
        crate::corpus::sentences().into_iter().step_by(40).map(|sentence| sentence.text).collect();
    let options = Options { examples: 4, window: 6, ..Options::default() };
    let (built, layers) = built(&engine, &documents, &options);
    let (firing, tokens) = by_hand(&engine, &documents);
    assert_eq!((built.documents, built.tokens), (documents.len() as u64, tokens));
    assert_eq!(built.features - built.silent, firing.len() as u64);
    let words = |document: usize| documents[document].split(' ').collect::<Vec<_>>();
    for ((layer, feature), all) in &firing {
        let dashboard: &Dashboard = &layers[*layer][*feature];
        assert_eq!(dashboard.density, Some((all.len() as f64 / tokens as f64) as f32));
        // The strongest of each document.
        let mut best: BTreeMap<usize, f32> = BTreeMap::new();
        for (document, _, activation) in all {
            let most = best.entry(*document).or_insert(f32::NEG_INFINITY);
            *most = most.max(*activation);
        }
        let mut best: Vec<f32> = best.into_values().collect();
        best.sort_by(|a, b| b.total_cmp(a));
        let peak = |example: &Example| example.activations[example.peak.unwrap()];
        let top: Vec<f32> = dashboard.quantiles[0].examples.iter().map(peak).collect();
        assert!((dashboard.max - best[0]).abs() < 1e-4 && dashboard.max == top[0]);
        assert!(top.is_sorted_by(|a, b| a >= b) && top.len() <= options.examples);
        // Near-duplicates apart, the strongest come first; none is stronger than the one by hand at its rank.
        assert!(top.iter().zip(&best).all(|(found, at_most)| *found <= at_most + 1e-4));
        for (nth, example) in dashboard.examples().enumerate() {
            assert!(example.tokens.len() <= options.window);
            // Where the context stands in a document, the model does the same there.
            let tokens: Vec<&str> = example.tokens.iter().map(|token| token.trim()).collect();
            let at = example.peak.unwrap();
            let found = all.iter().any(|(document, token, activation)| {
                let words = words(*document);
                (activation - example.activations[at]).abs() < 1e-4
                    && *token >= at
                    && words.get(token - at..token - at + tokens.len()).is_some_and(|window| window == tokens)
            });
            assert!(found, "feature {feature} of layer {layer}, context {nth}: {tokens:?}");
        }
    }
}

#[test]
fn contexts_of_a_bin_lie_in_it_and_none_is_shown_twice() {
    let engine = demo_engine();
    let documents: Vec<String> =
        crate::corpus::sentences().into_iter().step_by(10).map(|sentence| sentence.text).collect();
    let selection: Selection = "0,3:5..20".parse().unwrap();
    let options = Options { examples: 8, selection, ..Options::default() };
    let (built, layers) = built(&engine, &documents, &options);
    assert_eq!(built.features, 384 + 16);
    let of = |layer: usize| layers[layer].iter().filter(|dashboard| **dashboard != Dashboard::default()).count();
    assert_eq!([0, 1, 2, 3].map(of), [384, 0, 0, 16]);
    let mut in_bins = 0;
    for dashboard in layers.iter().flatten() {
        let mut seen: Vec<(&Vec<String>, usize)> = Vec::new();
        for (nth, quantile) in dashboard.quantiles.iter().enumerate() {
            for example in &quantile.examples {
                let peak = example.activations[example.peak.unwrap()];
                if let (1.., Some((from, to))) = (nth, quantile.name.split_once(" to ")) {
                    let [from, to] = [from, to].map(|end| end.parse::<f32>().unwrap());
                    assert!(from * 0.995 <= peak && peak <= to * 1.005, "{peak} in {}", quantile.name);
                    in_bins += 1;
                }
                let this = (&example.tokens, example.peak.unwrap());
                assert!(!seen.contains(&this), "{this:?}");
                seen.push(this);
            }
        }
    }
    assert!(in_bins > 100, "{in_bins} contexts stand in bins");
}

/// A document longer than the model's context, and one with its special token in front.
#[test]
fn long_documents_are_cut_and_special_tokens_not_doubled() {
    let engine = engine("llama_plt_relu");
    let prompt = &prompts("llama_plt_relu")[0];
    let long = vec![prompt.as_str(); 200].join(" ");
    let n_tokens = engine.tokenizer.encode(&long).unwrap().len() as u64;
    assert!(n_tokens > 2 * CONTEXT as u64, "{n_tokens} tokens in a context of {CONTEXT}");
    let (built_of_long, _) = built(&engine, &[long], &Options::default());
    assert_eq!(built_of_long.tokens, n_tokens);
    let (plain, plain_layers) = built(&engine, std::slice::from_ref(prompt), &Options::default());
    let (with_bos, layers) = built(&engine, &[format!("<|begin_of_text|>{prompt}")], &Options::default());
    assert_eq!(plain.tokens, with_bos.tokens);
    assert!(plain_layers == layers);
}
