//! Panel of interventions on the graph on the screen: its view, and the model's answers so far.

use crate::graph::{FeatureAt, Interventions};
use crate::intervention::ActivationEffect;
use crate::service::interventions::{Drawing, Measured, ModelReply};
use std::collections::HashMap;

/// View below the list of interventions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Effects on probabilities and features.
    #[default]
    Effects,
    /// Probabilities against the dose.
    Sweep,
    /// Continuations side by side.
    Continued,
}

/// Panel of the interventions, with their effects as far as they are known.
#[derive(Default)]
pub struct InterventionPanel {
    /// Row of the chosen intervention.
    pub row: usize,
    /// View below the list.
    pub view: View,
    /// Sampling of continuations.
    pub drawing: Drawing,
    /// Interventions that were measured last, and the number of nodes in the graph.
    pub asked: Option<(Interventions, usize)>,
    /// Effects; `None` while they are being measured, or where there is nothing to measure.
    pub measured: Option<Measured>,
    /// Reason why the effects cannot be measured.
    pub failed: Option<String>,
    /// Request that is waited for, or was made last: its view and row.
    pub request: Option<(View, usize)>,
    /// Result of the request.
    pub reply: Option<Result<ModelReply, String>>,
    activations: HashMap<FeatureAt, ActivationEffect>,
}

impl InterventionPanel {
    /// Takes measured effects, or the reason why there are none.
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

    /// Forgets all effects and replies.
    pub fn forget(&mut self) {
        *self = Self { row: self.row, view: self.view, drawing: self.drawing, ..Self::default() };
    }

    /// Forgets the last request where it failed, so that it is made again where it is still wanted.
    pub fn dismiss(&mut self) {
        if matches!(self.reply, Some(Err(_))) {
            self.reply = None;
            self.request = None;
        }
    }

    /// Returns a feature's activation before and after; `None` where it is not known.
    pub fn activation(&self, feature: FeatureAt) -> Option<&ActivationEffect> {
        self.activations.get(&feature)
    }

    /// Returns true where activations were measured.
    pub fn has_activations(&self) -> bool {
        !self.activations.is_empty()
    }
}
