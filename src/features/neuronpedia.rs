//! Neuronpedia's JSON: of one feature with all its data, and the rows of its bulk exports, which hold statistics,
//! contexts and labels apart.

use crate::features::record::Record;
use crate::features::{Dashboard, Example, Quantile};
use crate::ids::{FeatureId, Layer};
use crate::untrusted::{excerpt, json_fault};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Feature that a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Neuronpedia's ids of the model and the set of features: `gemma-2-2b/12-gemmascope-transcoder-16k`.
    pub set: String,
    /// Layer, by the number that the set's id begins with.
    pub layer: Layer,
    /// Index of the feature within the layer.
    pub feature: FeatureId,
}

/// Fields common to all rows, and those that tell the kind of row.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    #[serde(rename = "modelId")]
    model: String,
    layer: Option<Word>,
    index: Option<Word>,
    tokens: Option<IgnoredAny>,
    description: Option<String>,
    activations: Option<IgnoredAny>,
    explanations: Option<IgnoredAny>,
}

/// Feature with its contexts and labels.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Whole {
    activations: Option<Vec<Activation>>,
    explanations: Option<Vec<Explanation>>,
}

/// Text, or a number that some exports write as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Number(u64),
    Text(String),
}

/// Statistics of a feature.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    #[serde(rename = "pos_str")]
    promoted: Option<Vec<String>>,
    #[serde(rename = "pos_values")]
    promoted_by: Option<Vec<f32>>,
    #[serde(rename = "neg_str")]
    suppressed: Option<Vec<String>>,
    #[serde(rename = "frac_nonzero")]
    density: Option<f32>,
    #[serde(rename = "maxActApprox")]
    max: Option<f32>,
    #[serde(rename = "freq_hist_data_bar_heights")]
    heights: Option<Vec<f32>>,
    /// Middles of the bars.
    #[serde(rename = "freq_hist_data_bar_values")]
    middles: Option<Vec<f32>>,
}

/// A context.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Activation {
    tokens: Option<Vec<String>>,
    values: Option<Vec<f32>>,
    #[serde(rename = "maxValueTokenIndex")]
    peak: Option<usize>,
    #[serde(rename = "binMin")]
    bin_min: Option<f32>,
    #[serde(rename = "binMax")]
    bin_max: Option<f32>,
    /// Share of activations that its bin holds; below 0 among the strongest, which are in no bin.
    #[serde(rename = "binContains")]
    bin_share: Option<f32>,
}

/// A label.
#[derive(Deserialize)]
struct Explanation {
    description: Option<String>,
}

/// Contents of a row.
#[derive(Debug)]
pub(super) enum Content {
    Facts(Facts),
    Activation(Activation),
    Label(String),
    /// Feature with all its data.
    All(Facts, Vec<Activation>, Option<String>),
}

/// Reads a row.
///
/// # Errors
/// Fails where it is no JSON, does not name its feature, or its parts do not fit each other.
pub(super) fn row(bytes: &[u8]) -> Result<(Named, Content), String> {
    fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
        serde_json::from_slice(bytes).map_err(|e| json_fault(&e))
    }
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err("it is no JSON object".to_owned());
    }
    let head: Head = read(bytes)?;
    let content = if head.activations.is_some() || head.explanations.is_some() {
        let Whole { activations, explanations } = read(bytes)?;
        let activations = activations.unwrap_or_default();
        activations.iter().try_for_each(Activation::check)?;
        let label = explanations.unwrap_or_default().into_iter().find_map(|label| worded(label.description));
        Content::All(read(bytes)?, activations, label)
    } else if head.tokens.is_some() {
        let activation: Activation = read(bytes)?;
        activation.check()?;
        Content::Activation(activation)
    } else if head.description.is_some() {
        Content::Label(worded(head.description.clone()).unwrap_or_default())
    } else {
        Content::Facts(read(bytes)?)
    };
    Ok((head.named()?, content))
}

/// Returns a label that is not blank.
fn worded(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Head {
    fn named(&self) -> Result<Named, String> {
        let (set, layer) = match self.layer.as_ref().ok_or("it names no layer")? {
            Word::Number(layer) => (layer.to_string(), Some(*layer)),
            Word::Text(set) => {
                let digits = set.find(|c: char| !c.is_ascii_digit()).unwrap_or(set.len());
                (set.clone(), set[..digits].parse().ok())
            }
        };
        let index = match self.index.as_ref().ok_or("it names no feature")? {
            Word::Number(index) => Some(*index),
            Word::Text(index) => index.parse().ok(),
        };
        let layer = layer.and_then(|layer| u32::try_from(layer).ok()).filter(|layer| *layer < MOST_LAYERS);
        let index = index.and_then(|index| u32::try_from(index).ok()).filter(|index| *index < MOST_FEATURES);
        let layer = layer.ok_or_else(|| format!("its layer {:?} begins with no layer's number", excerpt(&set)))?;
        let feature = index.ok_or("its index is no feature's number")?;
        Ok(Named { set: format!("{}/{set}", self.model), layer: Layer(layer), feature: FeatureId(feature) })
    }
}

/// Limits above any model's layers and any layer's features: larger numbers mean a damaged file.
const MOST_LAYERS: u32 = 10_000;
const MOST_FEATURES: u32 = 1 << 27;

/// Reads the JSON of one feature.
///
/// # Errors
/// Fails as [`row`] does.
pub(super) fn parse(bytes: &[u8]) -> Result<Record, String> {
    let (named, content) = row(bytes)?;
    let (facts, activations, label) = match content {
        Content::All(facts, activations, label) => (facts, activations, label),
        Content::Facts(facts) => (facts, Vec::new(), None),
        Content::Activation(activation) => (Facts::default(), vec![activation], None),
        Content::Label(label) => (Facts::default(), Vec::new(), Some(label)),
    };
    let dashboard = dashboard(&named, facts, activations);
    dashboard.check()?;
    Ok(Record { dashboard, label, named: Some(named) })
}

impl Activation {
    fn check(&self) -> Result<(), String> {
        let (tokens, values) = (self.texts().len(), self.numbers().len());
        if tokens == values { Ok(()) } else { Err(format!("a context has {tokens} tokens and {values} values")) }
    }

    fn texts(&self) -> &[String] {
        self.tokens.as_deref().unwrap_or_default()
    }

    fn numbers(&self) -> &[f32] {
        self.values.as_deref().unwrap_or_default()
    }

    fn max(&self) -> f32 {
        self.numbers().iter().copied().fold(0.0, f32::max)
    }

    /// Returns the ends of its bin; `None` among the strongest.
    fn bin(&self) -> Option<(f32, f32)> {
        let is_of_none = self.bin_share.is_some_and(|share| share < 0.0);
        self.bin_min.zip(self.bin_max).filter(|(min, max)| !is_of_none && min < max)
    }

    fn example(self, seen: &mut HashSet<Vec<String>>) -> Example {
        let tokens = self.tokens.unwrap_or_default();
        let repeated = !seen.insert(tokens.clone());
        Example {
            peak: self.peak.filter(|peak| *peak < tokens.len()),
            activations: self.values.unwrap_or_default(),
            tokens,
            repeated,
        }
    }
}

/// Builds a feature's dashboard: the strongest contexts first, then by bins, the highest first.
pub(super) fn dashboard(named: &Named, facts: Facts, mut activations: Vec<Activation>) -> Dashboard {
    // Rows come in any order; their texts break ties, so that the outcome is always the same.
    activations.sort_by(|a, b| b.max().total_cmp(&a.max()).then_with(|| a.texts().cmp(b.texts())));
    let strongest = activations.first().map_or(0.0, Activation::max);
    let mut groups: BTreeMap<_, (String, Vec<Example>)> = BTreeMap::new();
    let mut seen = HashSet::new();
    for activation in activations {
        // Bits of positive numbers are ordered as the numbers are.
        let (key, name) = match activation.bin() {
            None => (0, "Top activations".to_owned()),
            Some((min, max)) => (1 + u64::from(u32::MAX - max.max(0.0).to_bits()), format!("{min:.2} to {max:.2}")),
        };
        groups.entry(key).or_insert_with(|| (name, Vec::new())).1.push(activation.example(&mut seen));
    }
    let (histogram, ends) = facts.histogram().unzip();
    let (min, max) = ends.unwrap_or((0.0, facts.max.unwrap_or_default()));
    Dashboard {
        transcoder_id: named.set.clone(),
        index: named.feature.0.into(),
        quantiles: groups.into_values().map(|(name, examples)| Quantile { name, examples }).collect(),
        promoted: facts.promoted.unwrap_or_default(),
        promoted_by: facts.promoted_by.unwrap_or_default(),
        suppressed: facts.suppressed.unwrap_or_default(),
        min,
        max: if max > 0.0 { max } else { strongest },
        quantile_values: Vec::new(),
        histogram: histogram.unwrap_or_default(),
        density: facts.density,
    }
}

impl Facts {
    /// Returns the bars of the histogram, and its two ends; `None` where they are not evenly wide.
    fn histogram(&self) -> Option<(Vec<f32>, (f32, f32))> {
        let (heights, middles) = (self.heights.as_ref()?, self.middles.as_ref()?);
        let [first, .., last] = middles.as_slice() else { return None };
        let width = (last - first) / (middles.len() - 1) as f32;
        // The middles are rounded to some digits.
        let even = |(nth, middle): (usize, &f32)| (middle - (first + width * nth as f32)).abs() <= 0.05 * width;
        let fits = heights.len() == middles.len() && width > 0.0 && middles.iter().enumerate().all(even);
        fits.then(|| (heights.clone(), (first - width / 2.0, last + width / 2.0)))
    }
}
