//! Influence against what ablations do, over all held-out questions of the demo's recipe.

use crate::corpus::held_out_questions;
use crate::{demo, graph};
use circuitscope::intervention::Mode;
use circuitscope::job::Monitor;
use circuitscope::verify::{Bench, Effect, Predictor};

/// Mean rank correlation over the questions, by effect and predictor.
#[test]
fn influence_foretells_effects_better_than_direct_edges_and_activations() {
    let engine = demo();
    let questions = held_out_questions();
    assert_eq!(questions.len(), 28);
    let mut means = [[0.0; 3]; 2];
    for question in &questions {
        let graph = graph(&engine, &question.text());
        let bench = Bench::new(&engine, &graph, &Monitor::default()).unwrap();
        let found = bench.faithfulness(usize::MAX, &Mode::Free, &Monitor::default()).unwrap();
        assert_eq!(found.features.len(), graph.feature_nodes().count(), "every feature, none chosen");
        for (effect, means) in Effect::ALL.into_iter().zip(&mut means) {
            for (predictor, mean) in Predictor::ALL.into_iter().zip(means) {
                *mean += found.correlation(predictor, effect).spearman.unwrap() / 28.0;
            }
        }
    }
    println!("mean rank correlations, by effect: influence, direct edge, activation: {means:.3?}");
    for [influence, direct, activation] in means {
        assert!(influence > direct && influence > activation, "{means:?}");
    }
}
