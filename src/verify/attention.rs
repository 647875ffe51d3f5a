//! Whether a head's score changes as its split predicts where a feature is ablated.

use crate::attribution::{Engine, FrozenHead, Look, Probe, QkAttribution, Softcap, Source};
use crate::graph::{FeatureAt, Freeze};
use crate::intervention::{Change, Mode, Value, stream_before};
use crate::job::Monitor;
use crate::verify::VerifyError;
use crate::verify::bench::within;

/// A head's look at one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadState {
    /// The score, scaled, in front of a softcap.
    pub score: f64,
    /// The score, less what it is held against; what softmax weighs other keys with stays.
    pub value: f64,
    /// The key's share of the attention.
    pub pattern: f64,
}

/// A head's look at a key where a feature is set to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadAblation {
    /// The feature.
    pub feature: FeatureAt,
    /// As the split predicts it: what the feature contributes on either side is gone.
    pub predicted: HeadState,
    /// In the model with attention, norms and MLP outputs frozen.
    pub direct: HeadState,
    /// In the model with nothing frozen.
    pub free: HeadState,
}

/// A head's look at a key in the model's own run, and where features are set to 0 one by one.
///
/// # Errors
/// A feature is not active, weights cannot be read, or the work was stopped.
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

/// What `scores` of the keys that are seen make of the one that is asked for.
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
