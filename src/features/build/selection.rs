//! Selection of features.

use crate::features::build::BuildError;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Selection of all features, or some. Written `all`, or as a list of layers and of features in layers, ranges with
/// both ends: `2,4..6,0:17,0:20..29`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(Option<BTreeMap<usize, Features>>);

/// Features of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Features {
    /// Every feature.
    All,
    /// These features.
    Some(BTreeSet<u32>),
}

impl Features {
    /// Returns true where a feature is among them.
    pub fn has(&self, feature: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some(features) => u32::try_from(feature).is_ok_and(|feature| features.contains(&feature)),
        }
    }
}

impl Selection {
    /// Every feature.
    pub const ALL: Self = Self(None);

    /// Returns the selected features of a layer; `None` for none of them.
    pub fn of_layer(&self, layer: usize) -> Option<&Features> {
        match &self.0 {
            None => Some(&Features::All),
            Some(layers) => layers.get(&layer),
        }
    }

    /// Checks that a transcoder has what is selected.
    ///
    /// # Errors
    /// Fails where a layer or a feature does not exist.
    pub fn check(&self, n_features: &[usize]) -> Result<(), BuildError> {
        for (layer, features) in self.0.iter().flatten() {
            let Some(n) = n_features.get(*layer) else {
                let n = n_features.len();
                return Err(BuildError::Selection(format!("there is no layer {layer}; the transcoder has {n}")));
            };
            if let Features::Some(features) = features
                && let Some(beyond) = features.last().filter(|last| **last as usize >= *n)
            {
                let what = format!("there is no feature {beyond} in layer {layer}; it has {n}");
                return Err(BuildError::Selection(what));
            }
        }
        Ok(())
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "all" {
            return Ok(Self::ALL);
        }
        let mut layers: BTreeMap<usize, Features> = BTreeMap::new();
        for part in text.split(',').map(str::trim) {
            let wrong = || {
                format!("{part:?} is no layer and no feature; write layers as 3 or 3..9, features as 3:17 or 3:20..29")
            };
            match part.split_once(':') {
                None => {
                    let (first, last) = range(part).ok_or_else(wrong)?;
                    layers.extend((first..=last).map(|layer| (layer as usize, Features::All)));
                }
                Some((layer, features)) => {
                    let layer: usize = layer.trim().parse().map_err(|_| wrong())?;
                    let (first, last) = range(features).ok_or_else(wrong)?;
                    match layers.entry(layer).or_insert_with(|| Features::Some(BTreeSet::new())) {
                        Features::All => {}
                        Features::Some(some) => some.extend(first..=last),
                    }
                }
            }
        }
        Ok(Self(Some(layers)))
    }
}

/// Reads `3` or `3..9`, both ends included; of limited length, so that a typing error does not fill the memory.
fn range(text: &str) -> Option<(u32, u32)> {
    const MOST: u32 = 1 << 24;
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last.strip_prefix('=').unwrap_or(last))?),
        None => (number(text)?, number(text)?),
    };
    (first <= last && last - first < MOST).then_some((first, last))
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(layers) = &self.0 else { return f.write_str("all") };
        let mut parts = Vec::new();
        for (layer, features) in layers {
            match features {
                Features::All => parts.push(layer.to_string()),
                Features::Some(some) => {
                    let mut runs: Vec<(u32, u32)> = Vec::new();
                    for feature in some {
                        match runs.last_mut() {
                            Some((_, last)) if *last + 1 == *feature => *last = *feature,
                            _ => runs.push((*feature, *feature)),
                        }
                    }
                    parts.extend(runs.into_iter().map(|(first, last)| match first == last {
                        true => format!("{layer}:{first}"),
                        false => format!("{layer}:{first}..{last}"),
                    }));
                }
            }
        }
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_read_and_written() {
        for (text, normal) in
            [("all", "all"), ("4..5,2", "2,4,5"), ("0:3,0:1..2,0:9,1", "0:1..3,0:9,1"), ("1,1:3", "1")]
        {
            assert_eq!(text.parse::<Selection>().unwrap().to_string(), normal, "{text}");
        }
        for wrong in ["", "a", "3..", "9..3", "1:2:3", "0..4294967295", "-1"] {
            assert!(wrong.parse::<Selection>().is_err(), "{wrong}");
        }
        let check = |text: &str| text.parse::<Selection>().unwrap().check(&[4, 5]);
        assert!(check("0,1:4").is_ok() && check("2").is_err() && check("0:4").is_err());
    }
}
