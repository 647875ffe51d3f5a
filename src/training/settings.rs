//! What is trained, and how.

use crate::training::TrainError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Kind of transcoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TranscoderKind {
    /// Transcoder for each layer, which writes into that layer's MLP output alone.
    Plt,
    /// Cross-layer transcoder: a feature writes into the MLP outputs of its own layer and of all later ones.
    Clt,
}

/// Activation function while it is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The k largest pre-activations of a token (Gao et al. 2024).
    TopK(usize),
    /// The k largest positive pre-activations a token, counted over a batch (Bussmann et al. 2024); saved as JumpReLU.
    BatchTopK(usize),
    /// max(x, 0), with a penalty on activations times decoder norms.
    Relu,
    /// x where x is above the feature's threshold, else 0, with a penalty on active features (Rajamanoharan et al. 2024).
    JumpRelu,
}

impl Activation {
    /// Returns the number of features that a token keeps, where that is set.
    pub fn k(self) -> Option<usize> {
        match self {
            Self::TopK(k) | Self::BatchTopK(k) => Some(k),
            Self::Relu | Self::JumpRelu => None,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopK(k) => write!(f, "topk:{k}"),
            Self::BatchTopK(k) => write!(f, "batchtopk:{k}"),
            Self::Relu => f.write_str("relu"),
            Self::JumpRelu => f.write_str("jumprelu"),
        }
    }
}

impl FromStr for Activation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it has to be topk:K, batchtopk:K, relu or jumprelu, with K from 1 on".to_owned();
        let k = |k: &str| k.parse().ok().filter(|k| *k > 0).ok_or_else(wrong);
        match text.split_once(':') {
            Some(("topk", number)) => k(number).map(Self::TopK),
            Some(("batchtopk", number)) => k(number).map(Self::BatchTopK),
            None if text == "relu" => Ok(Self::Relu),
            None if text == "jumprelu" => Ok(Self::JumpRelu),
            _ => Err(wrong()),
        }
    }
}

/// Layers of a model, both ends included: `0..10`, or `3` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRange(pub RangeInclusive<usize>);

impl FromStr for LayerRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it has to be layers, such as 3..9 or 3, both ends included".to_owned();
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        if first <= last { Ok(Self(first..=last)) } else { Err(wrong()) }
    }
}

/// Settings of a run, which with model and corpus decide about every number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Kind of transcoder.
    pub kind: TranscoderKind,
    /// Features of a layer.
    pub features: usize,
    /// Activation function.
    pub activation: Activation,
    /// True for a linear map from MLP input to MLP output beside the features.
    pub skip: bool,
    /// Layers that are trained, ascending.
    pub layers: Vec<usize>,
    /// Tokens that are trained on; a corpus that holds fewer is read again.
    pub tokens: u64,
    /// Tokens of the longest piece that the model reads at once, the leading one included.
    pub context: usize,
    /// Tokens of a step.
    pub batch: usize,
    /// Steps that the buffer holds the tokens of.
    pub buffer: usize,
    /// Learning rate behind the warm-up.
    pub rate: f32,
    /// Weight of the penalty on active features, where the activation function does not set their number.
    pub sparsity: f32,
    /// Tokens without being active after which a feature counts as dead.
    pub dead_after: u64,
    /// Seed of all that is drawn.
    pub seed: u64,
}

impl Settings {
    /// Returns the number of steps.
    pub fn steps(&self) -> u64 {
        (self.tokens / self.batch as u64).max(1)
    }

    /// Returns true where decoders are kept at length 1: where the loss has no other hold on the scale of activations.
    pub(super) fn has_unit_decoders(&self) -> bool {
        !self.weighs_decoders()
    }

    /// Returns true where the penalty weighs activations by the length of their decoders.
    pub(super) fn weighs_decoders(&self) -> bool {
        match self.activation {
            Activation::TopK(_) | Activation::BatchTopK(_) => false,
            Activation::Relu => true,
            Activation::JumpRelu => self.kind == TranscoderKind::Clt,
        }
    }

    /// Returns the learning rate of a step: it rises over the first twentieth, at most a thousand steps, and falls over
    /// the last third to a fiftieth.
    pub(super) fn rate_at(&self, step: u64) -> f32 {
        const LAST: f32 = 0.02;
        let steps = self.steps() as f32;
        let rising = (step + 1) as f32 / (steps / 20.0).clamp(1.0, 1000.0);
        let falling = 1.0 - (1.0 - LAST) * ((step as f32 / steps - 2.0 / 3.0) * 3.0).max(0.0);
        self.rate * rising.min(1.0) * falling
    }

    /// Returns the weight of the penalty at a step: it rises over the first half.
    pub(super) fn sparsity_at(&self, step: u64) -> f32 {
        match self.activation.k() {
            Some(_) => 0.0,
            None => self.sparsity * (2.0 * (step + 1) as f32 / self.steps() as f32).min(1.0),
        }
    }

    /// Returns the option of a setting in which two runs differ.
    pub(super) fn differing(&self, other: &Self) -> Option<String> {
        let [own, others] = [self, other].map(|settings| serde_json::to_value(settings).unwrap_or_default());
        let (own, others) = (own.as_object()?, others.as_object()?);
        let (name, _) = own.iter().find(|(name, value)| others.get(*name) != Some(value))?;
        Some(match name.as_str() {
            "rate" => "--lr".to_owned(),
            name => format!("--{}", name.replace('_', "-")),
        })
    }

    /// Checks the settings against a model of `n_layers` layers.
    ///
    /// # Errors
    /// Fails with [`TrainError::Settings`] where they do not go together.
    pub fn check(&self, n_layers: usize) -> Result<(), TrainError> {
        let wrong = |what: String| Err(TrainError::Settings(what));
        match self.layers.last() {
            None => return wrong("--layers names no layer".to_owned()),
            Some(last) if *last >= n_layers => {
                return wrong(format!("--layers: there is no layer {last}; the model's are 0..{}", n_layers - 1));
            }
            Some(_) => {}
        }
        if self.kind == TranscoderKind::Clt && self.layers.len() < n_layers {
            return wrong(
                "--layers: a cross-layer transcoder is trained on all layers at once; leave it out".to_owned(),
            );
        }
        if self.activation.k().is_some_and(|k| k > self.features) {
            return wrong(format!("--activation {}: there are only {} features", self.activation, self.features));
        }
        if self.features == 0 || self.batch == 0 || self.context < 2 || self.buffer == 0 {
            return wrong("--features, --batch and --context have to be at least 1, 1 and 2".to_owned());
        }
        if !(self.rate > 0.0 && self.rate.is_finite() && self.sparsity >= 0.0 && self.sparsity.is_finite()) {
            return wrong("--lr has to be a number above 0, --sparsity one from 0 on".to_owned());
        }
        Ok(())
    }
}
