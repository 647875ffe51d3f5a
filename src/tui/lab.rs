//! Interventions on the graph on the screen: what is asked of the model, and what is known of the answers.

use crate::graph::{FeatureAt, Intervention, Interventions, Token};
use crate::ids::Position;
use crate::intervention::{ActivationEffect, Effects, Sampling, Sweep};
use std::collections::HashMap;

/// Tokens listed of those that rise and fall.
pub const LISTED: usize = 8;

/// A run of the model with interventions made.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// The graph's prompt.
    pub tokens: Vec<Token>,
    /// What is done.
    pub interventions: Interventions,
    /// The outputs that are looked at.
    pub targets: Vec<u32>,
    /// The features that are looked at.
    pub features: Vec<FeatureAt>,
}

/// The texts of tokens, by vocabulary index.
pub type Texts = HashMap<u32, String>;

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The effects.
    pub effects: Effects,
    /// The texts of the tokens in them.
    pub texts: Texts,
}

/// Something else to be tried on the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Trial {
    /// Probabilities of tokens against the dose of one intervention.
    Sweep {
        /// What is done.
        interventions: Interventions,
        /// The one whose dose is varied.
        which: usize,
        /// The doses.
        doses: Vec<f32>,
        /// The tokens, by vocabulary index.
        tokens: Vec<u32>,
    },
    /// An intervention that swaps the features at a position for another prompt's.
    Swap {
        /// Where.
        position: Position,
        /// The other prompt, and behind an `@` its position where that is another.
        prompt: String,
    },
    /// Continuations without and with interventions.
    Continue {
        /// What is done.
        interventions: Interventions,
        /// How they are drawn.
        drawing: Drawing,
    },
}

/// How continuations are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawing {
    /// Token by token.
    pub sampling: Sampling,
    /// At most this many tokens.
    pub max_tokens: usize,
}

impl Default for Drawing {
    fn default() -> Self {
        Self { sampling: Sampling::default(), max_tokens: 16 }
    }
}

impl Drawing {
    /// Reads a temperature, and behind it a seed and a number of tokens where those are to change too.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn read(text: &str) -> Result<Self, String> {
        /// More would be waited for in vain.
        const MOST: usize = 1000;
        let wrong = || format!("Write a temperature, then a seed and up to {MOST} tokens where wanted: 0.8 1 40");
        let mut words = text.split_whitespace();
        let mut read = Self::default();
        let temperature = words.next().and_then(|word| word.parse::<f64>().ok());
        let positive = temperature.filter(|temperature| temperature.is_finite() && *temperature >= 0.0);
        read.sampling.temperature = positive.ok_or_else(wrong)?;
        if let Some(seed) = words.next() {
            read.sampling.seed = seed.parse().map_err(|_| wrong())?;
        }
        if let Some(tokens) = words.next() {
            let count = tokens.parse().ok().filter(|count| (1..=MOST).contains(count));
            read.max_tokens = count.ok_or_else(wrong)?;
        }
        if words.next().is_some() { Err(wrong()) } else { Ok(read) }
    }

    /// What [`Drawing::read`] reads.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.sampling.temperature, self.sampling.seed, self.max_tokens)
    }

    /// In words.
    pub fn described(&self) -> String {
        let Sampling { temperature, seed, .. } = self.sampling;
        if temperature == 0.0 {
            "the likeliest token each time".to_owned()
        } else {
            format!("drawn at temperature {temperature} with seed {seed}")
        }
    }
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum Tried {
    /// Of a sweep.
    Sweep(Sweep, Texts),
    /// Of a swap.
    Swap(Box<Intervention>),
    /// Of continuations, as far as they are: without, and with.
    Continued([String; 2]),
}

/// What the panel shows below the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// What changes.
    #[default]
    Effects,
    /// Probabilities against the dose.
    Sweep,
    /// Continuations side by side.
    Continued,
}

/// The interventions' panel and what is known of their effects.
#[derive(Default)]
pub struct Lab {
    /// The chosen intervention.
    pub row: usize,
    /// What is shown below the list.
    pub view: View,
    /// How continuations are drawn.
    pub drawing: Drawing,
    /// What was measured last: of which question, interventions, and number of nodes.
    pub asked: Option<(u64, Interventions, usize)>,
    /// The effects; `None` while they are being measured or where there is nothing to be.
    pub measured: Option<Measured>,
    /// Why they cannot be had.
    pub failed: Option<String>,
    /// The trial that is waited for, or was made last for this view and row.
    pub trial: Option<(u64, View, usize)>,
    /// Its result.
    pub tried: Option<Result<Tried, String>>,
    activations: HashMap<FeatureAt, ActivationEffect>,
}

impl Measured {
    /// A token's text.
    pub fn text(&self, id: u32) -> &str {
        self.texts.get(&id).map_or("", String::as_str)
    }

    /// The tokens that are listed.
    pub fn tokens(effects: &Effects) -> impl Iterator<Item = u32> {
        let lists = [&effects.targets, &effects.before, &effects.after, &effects.rising, &effects.falling];
        lists.into_iter().flatten().map(|token| token.id)
    }
}

impl Lab {
    /// Takes what was measured.
    pub fn take(&mut self, measured: Result<Measured, String>) {
        self.failed = None;
        self.measured = None;
        match measured {
            Ok(measured) => {
                let features = measured.effects.features.iter();
                self.activations = features.map(|effect| (effect.feature, *effect)).collect();
                self.measured = Some(measured);
            }
            Err(why) => {
                self.activations.clear();
                self.failed = Some(why);
            }
        }
    }

    /// Forgets everything that was measured and tried.
    pub fn forget(&mut self) {
        *self = Self { row: self.row, view: self.view, drawing: self.drawing, ..Self::default() };
    }

    /// Forgets what went wrong with the last trial, so that it is made again where it is still wanted.
    pub fn dismiss(&mut self) {
        if matches!(self.tried, Some(Err(_))) {
            self.tried = None;
            self.trial = None;
        }
    }

    /// A feature's activation before and after; `None` where nothing is known of it.
    pub fn activation(&self, feature: FeatureAt) -> Option<&ActivationEffect> {
        self.activations.get(&feature)
    }

    /// Whether anything was measured, so that there are activations to show.
    pub fn has_activations(&self) -> bool {
        !self.activations.is_empty()
    }
}
