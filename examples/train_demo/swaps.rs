//! Changes to the features at the city of a held-out question, everything downstream recomputed.

use anyhow::Result;
use circuitscope::graph::FeatureAt;
use circuitscope::ids::{FeatureId, Layer, Position};
use circuitscope::intervention::{Change, Mode, Value, intervene};
use circuitscope::job::Monitor;

use crate::circuit::{Lab, Run};
use crate::corpus::Question;
use crate::selectivity::Selectivity;

/// A feature counts as selective for a place if more than this share of its mass falls on it.
pub const SELECTIVE: f32 = 0.3;

/// The likeliest next token, and its probability.
pub type Answer = (String, f32);

fn set(layer: usize, feature: u32, value: f32) -> Change {
    let feature = FeatureAt::mlp(Layer::from(layer), Position(Question::CITY_POSITION as u32), FeatureId(feature));
    Change { feature, value: Value::To(value) }
}

impl Lab {
    /// The answer to a question with changes made.
    pub fn answer(&self, run: &Run, changes: &[Change]) -> Result<Answer> {
        let outcome =
            intervene(&self.model, &self.transcoder, &run.capture, changes, &Mode::Free, &Monitor::default())?;
        let logits = outcome.logits.last().expect("a prompt has a last token");
        let (best, top) =
            logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("the vocabulary is not empty");
        let sum: f32 = logits.iter().map(|x| (x - top).exp()).sum();
        Ok((self.tokenizer.text(best as u32), 1.0 / sum))
    }

    /// Whether changes that lead to `answer` take the right one from first place.
    pub fn toppled(&self, run: &Run, answer: &Answer) -> Result<bool> {
        let right = run.question.answer;
        Ok(answer.0 != right && self.answer(run, &[])?.0 == right)
    }

    /// The answer with all features at the city set to 0.
    pub fn ablated(&self, run: &Run) -> Result<Answer> {
        let layers = run.at_city.iter().enumerate();
        let changes: Vec<Change> =
            layers.flat_map(|(l, active)| active.iter().map(move |a| set(l, a.feature, 0.0))).collect();
        self.answer(run, &changes)
    }

    /// The answer to `from` with its city's features set to 0, and those of `to`'s city to
    /// `strength` times their values there. With a `selectivity`, only features that are selective
    /// for their own city's place take part.
    pub fn swapped(&self, from: &Run, to: &Run, strength: f32, selectivity: Option<&Selectivity>) -> Result<Answer> {
        let chosen = |run: &Run, layer: usize, feature: u32| {
            let share = |s: &Selectivity| s.share(layer, feature as usize, run.question.place);
            selectivity.is_none_or(|s| share(s) > SELECTIVE)
        };
        let mut changes = Vec::new();
        for (l, (old, new)) in from.at_city.iter().zip(&to.at_city).enumerate() {
            let new: Vec<_> = new.iter().filter(|a| chosen(to, l, a.feature)).collect();
            let gone = old.iter().filter(|a| chosen(from, l, a.feature) && new.iter().all(|b| b.feature != a.feature));
            changes.extend(gone.map(|a| set(l, a.feature, 0.0)));
            changes.extend(new.iter().map(|a| set(l, a.feature, strength * a.activation)));
        }
        self.answer(from, &changes)
    }

    /// Over pairs of questions: how often the swap makes the answer the other city's capital.
    pub fn swaps_that_work(
        &self,
        pairs: &[(Run, Run)],
        strength: f32,
        selectivity: Option<&Selectivity>,
    ) -> Result<usize> {
        let mut count = 0;
        for (from, to) in pairs {
            let (answer, _) = self.swapped(from, to, strength, selectivity)?;
            count += usize::from(answer == to.question.answer);
        }
        Ok(count)
    }
}
