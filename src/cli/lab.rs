//! Interventions that the full-screen program asks for, on the model of this process.

use crate::attribution::Engine;
use crate::cli::alter;
use crate::graph::{Interventions, Token};
use crate::intervention::{Baseline, Effects, Generation, Next, generate};
use crate::job::Monitor;
use crate::tokens::Tokenizer;
use crate::tui::lab::{Drawing, Experiment, LISTED, Measured, Texts, Trial, Tried};
use anyhow::Result;
use std::sync::{Arc, Mutex, PoisonError};

/// The last prompt's own run, which every experiment on it needs.
#[derive(Debug, Default)]
pub(super) struct Bench(Mutex<Option<Arc<Baseline>>>);

impl Bench {
    pub(super) fn baseline(&self, engine: &Engine, tokens: &[Token], monitor: &Monitor) -> Result<Arc<Baseline>> {
        let is_of = |base: &Baseline| base.capture.ids.iter().eq(tokens.iter().map(|token| &token.id));
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(base) = kept.filter(|base| is_of(base)) {
            return Ok(base);
        }
        let base = Arc::new(Baseline::run(engine, tokens, monitor)?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&base));
        Ok(base)
    }

    pub fn measure(&self, engine: &Engine, asked: &Experiment, monitor: &Monitor) -> Result<Measured> {
        let base = self.baseline(engine, &asked.tokens, monitor)?;
        let altered = base.altered(engine, &asked.interventions, monitor)?;
        let effects = Effects::of(&base, &altered, &asked.targets, &asked.features, LISTED);
        let texts = texts(engine, Measured::tokens(&effects));
        Ok(Measured { effects, texts })
    }

    pub fn attempt(
        &self,
        engine: &Engine,
        tokens: &[Token],
        trial: &Trial,
        told: &mut dyn FnMut(Tried),
        monitor: &Monitor,
    ) -> Result<Tried> {
        let base = self.baseline(engine, tokens, monitor)?;
        Ok(match trial {
            Trial::Sweep { interventions, which, doses, tokens } => {
                let sweep = base.sweep(engine, interventions, Some(*which), doses, tokens, monitor)?;
                Tried::Sweep(sweep, texts(engine, tokens.iter().copied()))
            }
            Trial::Swap { position, prompt } => {
                Tried::Swap(Box::new(alter::swapped(engine, &base, *position, prompt, monitor)?))
            }
            Trial::Continue { interventions, drawing } => {
                let Drawing { sampling, max_tokens } = *drawing;
                let generation = Generation { max_tokens, sampling, cached: true };
                let mut sides = [String::new(), String::new()];
                let none = Interventions::default();
                for (side, set) in [&none, interventions].into_iter().enumerate() {
                    let mut ids = Vec::new();
                    let mut each = |next: Next, _: &[f32]| {
                        ids.push(next.id);
                        sides[side] = continued(&engine.tokenizer, &base.capture.ids, &ids);
                        told(Tried::Continued(sides.clone()));
                    };
                    generate(engine, &base.capture, set, &generation, &mut each, monitor)?;
                }
                Tried::Continued(sides)
            }
        })
    }
}

fn texts(engine: &Engine, ids: impl Iterator<Item = u32>) -> Texts {
    ids.map(|id| (id, engine.tokenizer.text(id))).collect()
}

/// The text that `ids` add to a prompt's.
pub(super) fn continued(tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32]) -> String {
    let before = tokenizer.joined(prompt).len();
    let whole = tokenizer.joined(&[prompt, ids].concat());
    whole.get(before..).map_or_else(|| tokenizer.joined(ids), str::to_owned)
}
