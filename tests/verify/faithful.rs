//! Influence against what ablations do, over all held-out questions of the demo's recipe.

use crate::corpus::held_out_questions;
use crate::{demo, graph};
use circuitscope::intervention::Mode;
use circuitscope::job::Monitor;
use circuitscope::verify::{Bench, Effect, Predictor};
use rayon::prelude::*;

/// Mean rank correlation over the questions, by effect and predictor.
#[test]
fn influence_foretells_effects_better_than_direct_edges_and_activations() {
    let engine = demo();
    let questions = held_out_questions();
    assert_eq!(questions.len(), 28);
    let each: Vec<[[f64; 3]; 2]> = questions
        .par_iter()
        .map(|question| {
            let graph = graph(&engine, &question.text());
            let bench = Bench::new(&engine, &graph, &Monitor::default()).unwrap();
            let found = bench.faithfulness(usize::MAX, &Mode::Free, &Monitor::default()).unwrap();
            assert_eq!(found.features.len(), graph.feature_nodes().count(), "every feature, none chosen");
            Effect::ALL
                .map(|effect| Predictor::ALL.map(|predictor| found.correlation(predictor, effect).spearman.unwrap()))
        })
        .collect();
    let mean = |effect: usize, predictor: usize| each.iter().map(|it| it[effect][predictor]).sum::<f64>() / 28.0;
    let means = [0, 1].map(|effect| [0, 1, 2].map(|predictor| mean(effect, predictor)));
    println!("mean rank correlations, by effect: influence, direct edge, activation: {means:.3?}");
    for [influence, direct, activation] in means {
        assert!(influence > direct && influence > activation, "{means:?}");
    }
}
