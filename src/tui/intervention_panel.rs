//! The panel of interventions on the graph on the screen: what it shows, and what is known of the model's answers.

use crate::graph::{FeatureAt, Interventions};
use crate::intervention::ActivationEffect;
use crate::service::interventions::{Drawing, Measured, ModelReply};
use std::collections::HashMap;

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
pub struct InterventionPanel {
    /// The chosen intervention.
    pub row: usize,
    /// What is shown below the list.
    pub view: View,
    /// How continuations are drawn.
    pub drawing: Drawing,
    /// What was measured last: which interventions, in a graph of how many nodes.
    pub asked: Option<(Interventions, usize)>,
    /// The effects; `None` while they are being measured or where there is nothing to be.
    pub measured: Option<Measured>,
    /// Why they cannot be had.
    pub failed: Option<String>,
    /// The request that is waited for, or was made last for this view and row.
    pub request: Option<(View, usize)>,
    /// Its result.
    pub reply: Option<Result<ModelReply, String>>,
    activations: HashMap<FeatureAt, ActivationEffect>,
}

impl InterventionPanel {
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

    /// Forgets everything that was measured and replied.
    pub fn forget(&mut self) {
        *self = Self { row: self.row, view: self.view, drawing: self.drawing, ..Self::default() };
    }

    /// Forgets what went wrong with the last request, so that it is made again where it is still wanted.
    pub fn dismiss(&mut self) {
        if matches!(self.reply, Some(Err(_))) {
            self.reply = None;
            self.request = None;
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
