//! Test of a split attention score by ablations: its change, predicted and measured, where a feature is set to 0.

use crate::attribution::{Engine, FrozenHead, Look, Probe, QkAttribution, Softcap, Source};
use crate::graph::{FeatureAt, Freeze};
use crate::intervention::{Change, Mode, Value, stream_before};
use crate::job::Monitor;
use crate::verify::VerifyError;
use crate::verify::bench::within;

/// State of a head's look at one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadState {
    /// Score, scaled, in front of a softcap.
    pub score: f64,
    /// Score less the reference; the weights of the other keys in the reference are kept from the model's own run.
    pub value: f64,
    /// Key's share of the query's attention.
    pub pattern: f64,
}

/// States of a head's look at a key where a feature is set to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadAblation {
    /// Feature.
    pub feature: FeatureAt,
    /// State predicted by the split: without the feature's contributions on either side.
    pub predicted: HeadState,
    /// State in the model with attention, norms and MLP outputs frozen.
    pub direct: HeadState,
    /// State in the model with nothing frozen.
    pub free: HeadState,
}

/// Returns the state of a head's look at a key in the model's own run, and where features are set to 0 one by one.
///
/// # Errors
/// Fails where a feature is not active, weights cannot be read, or the work was stopped.
pub fn head_ablations(
    engine: &Engine,
    probe: &Probe<'_>,
    split: &QkAttribution,
    features: &[FeatureAt],
    monitor: &Monitor,
) -> Result<(HeadState, Vec<HeadAblation>), VerifyError> {
    let question = split.question;
    let (capture, layer, query) = (probe.capture(), question.head.layer.index(), question.query.index());
    let looks = probe.looks(question.head, question.query, monitor)?;
    let weights = probe.key_weights(&question, &looks)?;
    let frozen = FrozenHead::new(&engine.model, capture, question.head, monitor.cancel())?;
    let cap = engine.model.spec.attention_softcap;
    let state = |scores: Vec<f64>| state(&looks, &weights, &scores, cap, split);
    let before = state(looks.iter().map(|look| f64::from(look.score)).collect());
    let in_layer = |scores: &[f64]| looks.iter().map(|look| scores[look.key.index()]).collect::<Vec<f64>>();
    let mut found = Vec::with_capacity(features.len());
    for (nth, feature) in features.iter().enumerate() {
        monitor.report("ablations", nth as u64, features.len() as u64)?;
        let taken = probe.carried(Source::Feature(*feature), layer, monitor)?;
        let predicted = frozen.scores(&capture.streams[layer].sub(&taken)?, query)?;
        let change = [Change { feature: *feature, value: Value::To(0.0) }];
        let stream = |freeze: Freeze| {
            let mode = Mode::over_all(freeze, engine.model.spec.n_layers);
            stream_before(engine, capture, &change, &mode, layer, &within(monitor))
        };
        let direct = frozen.scores(&stream(Freeze::Direct)?, query)?;
        let all = engine.model.scores(layer, &stream(Freeze::Free)?, monitor.cancel())?;
        let free: Vec<f32> = all.get(question.head.head as usize)?.get(query)?.to_vec1()?;
        let free: Vec<f64> = free.into_iter().map(f64::from).collect();
        found.push(HeadAblation {
            feature: *feature,
            predicted: state(in_layer(&predicted)),
            direct: state(in_layer(&direct)),
            free: state(in_layer(&free)),
        });
    }
    Ok((before, found))
}

/// Returns the state of the look at the question's key for the `scores` of all keys that the query sees.
fn state(looks: &[Look], weights: &[f64], scores: &[f64], cap: Option<f64>, split: &QkAttribution) -> HeadState {
    let capped: Vec<f64> =
        scores.iter().map(|score| cap.map_or(*score, |cap| Softcap::of(cap, *score).capped)).collect();
    let most = capped.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = capped.iter().map(|score| (score - most).exp()).sum();
    let at = looks.iter().position(|look| look.key == split.question.key).unwrap_or(0);
    HeadState {
        score: scores[at],
        value: weights.iter().zip(scores).map(|(weight, score)| weight * score).sum(),
        pattern: (capped[at] - most).exp() / total,
    }
}
