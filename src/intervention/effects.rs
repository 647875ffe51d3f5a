//! Effects of interventions, against the base run.

use crate::attribution::softmax;
use crate::graph::FeatureAt;
use crate::intervention::{Baseline, Outcome};
use std::collections::HashMap;

/// Effects of interventions on the last position's tokens, and on features.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// Requested outputs, in that order.
    pub targets: Vec<TokenEffect>,
    /// Likeliest tokens of the base run, most likely first.
    pub before: Vec<TokenEffect>,
    /// Likeliest tokens of the altered run, most likely first.
    pub after: Vec<TokenEffect>,
    /// Tokens whose probability rose, the largest rise first.
    pub rising: Vec<TokenEffect>,
    /// Tokens whose probability fell, the largest fall first.
    pub falling: Vec<TokenEffect>,
    /// Tokens whose logit rose, the largest rise first.
    pub rising_logits: Vec<TokenEffect>,
    /// Tokens whose logit fell, the largest fall first.
    pub falling_logits: Vec<TokenEffect>,
    /// Requested features, in that order.
    pub features: Vec<ActivationEffect>,
}

/// A token's logit and probability, before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenEffect {
    /// Vocabulary index.
    pub id: u32,
    /// Logits of the model, after the final softcap where there is one, and not demeaned (a graph's outputs are).
    pub logits: [f32; 2],
    /// Softmax of the logits over the vocabulary.
    pub probabilities: [f64; 2],
}

/// A feature's activation, before and after, in the transcoder's units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActivationEffect {
    /// Feature and position.
    pub feature: FeatureAt,
    /// Activation in the base run.
    pub before: f32,
    /// Activation that the encoder computes in the altered run, also for a feature that was set.
    pub after: f32,
    /// Activation that it was set to, if it was.
    pub written: Option<f32>,
}

impl TokenEffect {
    /// Returns the change of the logit.
    pub fn of_logit(&self) -> f32 {
        self.logits[1] - self.logits[0]
    }

    /// Returns the change of the probability.
    pub fn of_probability(&self) -> f64 {
        self.probabilities[1] - self.probabilities[0]
    }
}

impl Effects {
    /// Compares `altered` with `base`, for the tokens `targets` and for `features`, with lists of at most `most`
    /// tokens. An id past the vocabulary, such as a custom direction's, has no logit and is left out.
    pub fn of(base: &Baseline, altered: &Outcome, targets: &[u32], features: &[FeatureAt], most: usize) -> Self {
        let after = altered.logits.last().map_or(&[][..], Vec::as_slice);
        let probabilities = [softmax(&base.logits), softmax(after)];
        let all: Vec<TokenEffect> = (0..base.logits.len())
            .map(|at| TokenEffect {
                id: at as u32,
                logits: [base.logits[at], after[at]],
                probabilities: [probabilities[0][at], probabilities[1][at]],
            })
            .collect();
        let written: HashMap<FeatureAt, f32> = altered.written.iter().copied().collect();
        let by = |key: &dyn Fn(&TokenEffect) -> f64| top(&all, most, key);
        let risen = |list: Vec<TokenEffect>, of: &dyn Fn(&TokenEffect) -> f64| -> Vec<TokenEffect> {
            list.into_iter().filter(|token| of(token) > 0.0).collect()
        };
        let rises = |of: &dyn Fn(&TokenEffect) -> f64| risen(by(of), of);
        Self {
            targets: targets.iter().filter_map(|id| all.get(*id as usize).copied()).collect(),
            before: by(&|token| token.probabilities[0]),
            after: by(&|token| token.probabilities[1]),
            rising: rises(&TokenEffect::of_probability),
            falling: rises(&|token| -token.of_probability()),
            rising_logits: rises(&|token| token.of_logit().into()),
            falling_logits: rises(&|token| (-token.of_logit()).into()),
            features: features.iter().map(|feature| of_feature(base, altered, &written, *feature)).collect(),
        }
    }
}

fn of_feature(
    base: &Baseline,
    altered: &Outcome,
    written: &HashMap<FeatureAt, f32>,
    feature: FeatureAt,
) -> ActivationEffect {
    ActivationEffect {
        feature,
        before: base.activation(feature),
        after: altered.activation(feature),
        written: written.get(&feature).copied(),
    }
}

/// Returns the `most` tokens with the largest keys, largest first, of equal ones the first.
fn top(all: &[TokenEffect], most: usize, key: &dyn Fn(&TokenEffect) -> f64) -> Vec<TokenEffect> {
    let order = |a: &TokenEffect, b: &TokenEffect| key(b).total_cmp(&key(a)).then(a.id.cmp(&b.id));
    let mut list = all.to_vec();
    if most < list.len() {
        list.select_nth_unstable_by(most, order);
        list.truncate(most);
    }
    list.sort_by(order);
    list
}
