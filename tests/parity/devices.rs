//! Other devices and other numbers against the reference: half precision, and whatever device the environment names.

use crate::engine::Case;
use crate::fixture::CASES;
use circuitscope::attribution::{HALF_INPUTS_OFF, HALF_PROBABILITIES_OFF};
use circuitscope::graph::{FeatureAt, RawTrace, RowTarget, Rows};
use circuitscope::model::Precision;
use std::collections::HashMap;

/// What a column or a row stands for, whatever else is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Feature(FeatureAt),
    Fixed(usize),
    Output(u32),
}

/// The whole rows of a trace by what they stand for.
fn rows(trace: &RawTrace) -> HashMap<Key, HashMap<Key, f64>> {
    let Rows::Dense { values } = &trace.rows else { panic!("rows are sparse") };
    let n_active = trace.sources.features.len();
    let source = |column: usize| match trace.sources.features.get(column) {
        Some(feature) => Key::Feature(*feature),
        None => Key::Fixed(column - n_active),
    };
    let target = |target: &RowTarget| match target {
        RowTarget::Logit(index) => Key::Output(trace.targets[*index as usize].id),
        RowTarget::Feature(index) => Key::Feature(trace.sources.features[*index as usize]),
    };
    let row = |row: &[f32]| row.iter().enumerate().map(|(column, x)| (source(column), f64::from(*x))).collect();
    trace.row_targets.iter().map(target).zip(values.chunks(trace.n_columns()).map(row)).collect()
}

/// The largest share of a row's absolute sum that its entries are off by, over the rows that both traces have. What only
/// one of them has counts as nothing in the other.
fn inputs_off(exact: &RawTrace, other: &RawTrace) -> f64 {
    let (exact, other) = (rows(exact), rows(other));
    let mut most = 0.0f64;
    for (target, row) in &exact {
        let Some(found) = other.get(target) else { continue };
        let lost: f64 = row.iter().map(|(source, x)| (x - found.get(source).unwrap_or(&0.0)).abs()).sum();
        let more: f64 = found.iter().filter(|(source, _)| !row.contains_key(source)).map(|(_, x)| x.abs()).sum();
        let sum: f64 = row.values().map(|x| x.abs()).sum();
        most = most.max((lost + more) / sum);
    }
    most
}

/// The most that an output's probability is off by.
fn probabilities_off(exact: &RawTrace, other: &RawTrace) -> f64 {
    let probability = |trace: &RawTrace| -> HashMap<u32, f64> {
        trace.targets.iter().map(|target| (target.id, f64::from(target.probability))).collect()
    };
    let found = probability(other);
    let off = |(id, exact): (u32, f64)| found.get(&id).map_or(0.0, |found| (exact - found).abs());
    probability(exact).into_iter().map(off).fold(0.0, f64::max)
}

#[test]
fn half_precision_is_off_by_what_is_said_of_it() {
    let (mut inputs, mut probabilities) = (0.0f64, 0.0f64);
    for name in CASES {
        let mut case = Case::open(name);
        let prompts = case.description["prompts"].as_array().unwrap().len();
        let traces = |case: &Case| (0..prompts).map(|nth| case.trace_all(case.prompt(nth))).collect::<Vec<_>>();
        let exact = traces(&case);
        case.model = case.model.in_precision(Precision::Bf16);
        for (exact, half) in exact.iter().zip(traces(&case)) {
            assert_eq!(half.provenance.dtype, "bf16");
            let off = (inputs_off(exact, &half), probabilities_off(exact, &half));
            inputs = inputs.max(off.0);
            probabilities = probabilities.max(off.1);
        }
    }
    for (what, found, said) in
        [("inputs", inputs, HALF_INPUTS_OFF), ("probabilities", probabilities, HALF_PROBABILITIES_OFF)]
    {
        assert!(found <= said, "{what} are off by {found}, and {said} is said");
        assert!(found >= said / 4.0, "{what} are off by {found} only, and {said} is said");
    }
    let in_guide = format!("up to {:.0} % of their absolute sum and an output's", HALF_INPUTS_OFF * 100.0);
    let page = include_str!("../../assets/guide/gpu.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(&in_guide) && page.contains(&format!("probability by up to {HALF_PROBABILITIES_OFF}")));
}
