//! Interventions as the user puts them together: values, to be kept, undone and saved. [`crate::intervention`] runs
//! them on a model.

use crate::graph::FeatureAt;
use crate::ids::{FeatureId, Layer};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Positions in a prompt, counted from 0, or from its end where negative: -1 is the prompt's last token. In texts and
/// files `5`, `3..7` (7 left out), `4..` and `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Positions {
    /// One position.
    At(i32),
    /// Positions from the first up to but not including the second.
    Range(i32, i32),
    /// Position and all behind it, those of generated tokens too.
    From(i32),
    /// All positions, those of generated tokens too; also the leading special token's, which `1..` leaves out.
    All,
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "{at}"),
            Self::Range(start, end) => write!(f, "{start}..{end}"),
            Self::From(start) => write!(f, "{start}.."),
            Self::All => f.write_str("*"),
        }
    }
}

impl FromStr for Positions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim().parse().map_err(|_| format!("{text:?} is no position; write 5, 3..7, 4.. or *, -1 is the last"))
        };
        match text.trim().split_once("..") {
            None if text.trim() == "*" => Ok(Self::All),
            None => Ok(Self::At(number(text)?)),
            Some((start, "")) => Ok(Self::From(number(start)?)),
            Some((start, end)) => Ok(Self::Range(number(start)?, number(end)?)),
        }
    }
}

impl TryFrom<String> for Positions {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Positions> for String {
    fn from(positions: Positions) -> Self {
        positions.to_string()
    }
}

/// A feature at positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Layer that the feature reads from.
    pub layer: Layer,
    /// Index of the feature in its layer.
    pub feature: FeatureId,
    /// Positions in the prompt.
    pub positions: Positions,
}

impl FromStr for Site {
    type Err = String;

    /// Reads `LAYER:POSITION:FEATURE`, or `LAYER:FEATURE` for all positions.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it has to be LAYER:FEATURE or LAYER:POSITION:FEATURE".to_owned();
        let parts: Vec<&str> = text.split(':').collect();
        let (layer, positions, feature) = match parts[..] {
            [layer, feature] => (layer, Positions::All, feature),
            [layer, positions, feature] => (layer, positions.parse()?, feature),
            _ => return Err(wrong()),
        };
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        Ok(Self { layer: Layer(number(layer)?), feature: FeatureId(number(feature)?), positions })
    }
}

impl From<FeatureAt> for Site {
    fn from(at: FeatureAt) -> Self {
        // A prompt has no 2^31 tokens.
        let position = i32::try_from(at.position.0).unwrap_or(i32::MAX);
        Self { layer: at.layer, feature: at.feature, positions: Positions::At(position) }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.layer, self.positions, self.feature)
    }
}

/// Action on features. Activations are in the transcoder's own units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Activations set to 0.
    Ablate,
    /// Activations set to a value.
    Set {
        /// Activation.
        to: f32,
    },
    /// Activations set to a multiple of the base activations.
    Scale {
        /// Factor.
        by: f32,
    },
    /// Number added to the base activations.
    Add {
        /// Summand.
        amount: f32,
    },
    /// Activations set to 0, and other features set to multiples of their activations elsewhere: in another prompt at a
    /// matched position, or in another supernode. A feature that is among both is set to the latter.
    Swap {
        /// Features to set here, with their activations there.
        features: Vec<Donor>,
        /// Factor on these activations.
        factor: f32,
    },
}

/// A feature that a swap puts in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Donor {
    /// Feature, and the position where it is put.
    #[serde(flatten)]
    pub at: FeatureAt,
    /// Activation where it was taken from.
    pub activation: f32,
}

impl Action {
    /// Returns the strength, which a dose sweep varies: a factor on the base activation for ablating (0) and scaling, a
    /// factor on the donors' activations for a swap, the value itself for setting and adding.
    pub fn dose(&self) -> f32 {
        match self {
            Self::Ablate => 0.0,
            Self::Set { to: dose } | Self::Scale { by: dose } | Self::Add { amount: dose } => *dose,
            Self::Swap { factor, .. } => *factor,
        }
    }

    /// Returns the text that [`Action::from_str`] reads; of a swap its factor.
    pub fn brief(&self) -> String {
        match self {
            Self::Ablate => "off".to_owned(),
            Self::Set { to } => to.to_string(),
            Self::Scale { by: factor } | Self::Swap { factor, .. } => format!("x{factor}"),
            Self::Add { amount } => format!("+{amount}"),
        }
    }

    /// Returns the same action at another dose; ablating becomes scaling.
    pub fn at_dose(&self, dose: f32) -> Self {
        match self {
            Self::Ablate if dose == 0.0 => Self::Ablate,
            Self::Ablate | Self::Scale { .. } => Self::Scale { by: dose },
            Self::Set { .. } => Self::Set { to: dose },
            Self::Add { .. } => Self::Add { amount: dose },
            Self::Swap { features, .. } => Self::Swap { features: features.clone(), factor: dose },
        }
    }
}

impl FromStr for Action {
    type Err = String;

    /// Reads a value to set to, `xN` for a factor, `+N` or `+-N` for an addition, `off` or 0 for ablating.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let number = |text: &str| text.trim().parse::<f32>().map_err(|_| format!("{text:?} is no number"));
        if text == "off" {
            return Ok(Self::Ablate);
        }
        if let Some(factor) = text.strip_prefix('x') {
            return Ok(Self::Scale { by: number(factor)? });
        }
        if let Some(amount) = text.strip_prefix('+') {
            return Ok(Self::Add { amount: number(amount)? });
        }
        Ok(match number(text)? {
            0.0 => Self::Ablate,
            to => Self::Set { to },
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ablate => f.write_str("ablate"),
            Self::Set { to } => write!(f, "set to {to}"),
            Self::Scale { by } => write!(f, "scale by {by}"),
            Self::Add { amount } => write!(f, "add {amount}"),
            Self::Swap { features, factor } => write!(f, "swap for {} features, times {factor}", features.len()),
        }
    }
}

/// One intervention: an action on features that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervention {
    /// Name of the intervention.
    pub name: String,
    /// Features it acts on.
    pub sites: Vec<Site>,
    /// Action on these features.
    pub action: Action,
    /// True where it is left out for now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
}

/// Parts of the base run that stay frozen, as [`crate::intervention::Mode`] defines them exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Attention patterns, norms and feature outputs, as along the graph's edges.
    Direct,
    /// Attention patterns.
    FrozenAttention,
    /// Nothing.
    #[default]
    Free,
}

impl Freeze {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Direct, Self::FrozenAttention, Self::Free];

    /// Returns the name of the mode.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::FrozenAttention => "frozen attention",
            Self::Free => "free",
        }
    }
}

/// Reads layers as `A..B`, from A up to but not including B.
///
/// # Errors
/// Fails where it is written in another way, or there are none between A and B.
pub fn layer_range(text: &str) -> Result<Range<usize>, String> {
    let wrong = || "it has to be A..B, from layer A up to but not including B".to_owned();
    let (start, end) = text.trim().split_once("..").ok_or_else(wrong)?;
    let range = start.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if range.is_empty() { Err(wrong()) } else { Ok(range) }
}

/// Interventions that are made together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interventions {
    /// Parts of the base run that stay frozen.
    #[serde(default)]
    pub freeze: Freeze,
    /// For [`Freeze::Direct`], the layers whose feature outputs are frozen and written into; all where it is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Range<usize>>,
    /// Interventions, in the order in which they were added.
    #[serde(default)]
    pub list: Vec<Intervention>,
}

impl Interventions {
    /// Returns true where there is nothing to be run.
    pub fn is_idle(&self) -> bool {
        self.list.iter().all(|intervention| intervention.muted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_written_as_they_are_read() {
        for text in ["5", "-1", "3..7", "-4..-1", "4..", "-1..", "*"] {
            assert_eq!(text.parse::<Positions>().unwrap().to_string(), text);
        }
        for text in ["", "..", "..3", "a", "1..b", "1.5", "**"] {
            assert!(text.parse::<Positions>().unwrap_err().contains("no position"), "{text}");
        }
    }

    #[test]
    fn a_set_is_read_as_it_was_written() {
        let site = |positions| Site { layer: Layer(1), feature: FeatureId(42), positions };
        let at = FeatureAt { layer: Layer(0), position: crate::ids::Position(5), feature: FeatureId(7) };
        let features = vec![Donor { at, activation: 1.25 }];
        let actions = [
            Action::Ablate,
            Action::Set { to: 0.1 },
            Action::Scale { by: -2.0 },
            Action::Add { amount: 3.5 },
            Action::Swap { features, factor: 2.0 },
        ];
        let list = actions.into_iter().enumerate().map(|(nth, action)| Intervention {
            name: format!("{action}"),
            sites: vec![site(Positions::From(-1)), site(Positions::Range(2, 4))],
            action,
            muted: nth == 1,
        });
        let set = Interventions { freeze: Freeze::FrozenAttention, layers: Some(0..3), list: list.collect() };
        let text = serde_json::to_string(&set).unwrap();
        assert!(text.contains(r#""positions":"2..4""#) && text.contains(r#""freeze":"frozen-attention""#), "{text}");
        assert_eq!(serde_json::from_str::<Interventions>(&text).unwrap(), set);
        assert!(serde_json::from_str::<Interventions>(r#"{"list":[],"mods":"free"}"#).is_err(), "a misspelt field");
    }
}
