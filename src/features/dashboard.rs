//! Dashboard of one feature, in circuit-tracer's own JSON names.

use serde::{Deserialize, Deserializer, Serialize};

/// Contexts of one feature and its statistics. Every field may be absent in a file; a list that a writer left undefined
/// (`null` in it, which is what Python makes of NaN) counts as absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dashboard {
    /// Name of the transcoder.
    pub transcoder_id: String,
    /// Index of the feature within its layer. circuit-tracer's viewer goes by the place of the record and does not read
    /// it; some writers put the Cantor pairing of layer and index here.
    pub index: u64,
    /// Contexts, grouped by activation; the strongest group first.
    #[serde(rename = "examples_quantiles")]
    pub quantiles: Vec<Quantile>,
    /// Tokens that it promotes most by its direct effect on the logits, the strongest first.
    #[serde(rename = "top_logits")]
    pub promoted: Vec<String>,
    /// Direct effect on each of them at activation 1, `[promoted]`; empty where a file has none, as circuit-tracer's
    /// have not.
    #[serde(rename = "top_logits_values", deserialize_with = "numbers", skip_serializing_if = "Vec::is_empty")]
    pub promoted_by: Vec<f32>,
    /// Tokens that it suppresses most, the strongest first.
    #[serde(rename = "bottom_logits")]
    pub suppressed: Vec<String>,
    /// Lower end of the histogram and of the tint.
    #[serde(rename = "act_min", deserialize_with = "or_min")]
    pub min: f32,
    /// Upper end of the histogram and of the tint.
    #[serde(rename = "act_max", deserialize_with = "or_max")]
    pub max: f32,
    /// Activations at evenly spaced quantiles, ascending.
    #[serde(deserialize_with = "numbers")]
    pub quantile_values: Vec<f32>,
    /// Number of activations in each of evenly wide bins from `min` to `max`.
    #[serde(deserialize_with = "numbers")]
    pub histogram: Vec<f32>,
    /// Share of tokens on which it fires, from 0 to 1.
    #[serde(rename = "activation_frequency", skip_serializing_if = "Option::is_none")]
    pub density: Option<f32>,
}

/// Contexts in which a feature has about the same activation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quantile {
    /// Name of the group, as its writer gave it.
    #[serde(rename = "quantile_name")]
    pub name: String,
    /// Contexts of the group.
    pub examples: Vec<Example>,
}

/// Context: a run of tokens with the feature's activation on each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Example {
    /// Texts of the tokens, `[T]`; a byte that is no text by itself is written as `\xNN`.
    pub tokens: Vec<String>,
    /// Activations, `[T]`.
    #[serde(rename = "tokens_acts_list")]
    pub activations: Vec<f32>,
    /// Token that the context was chosen for.
    #[serde(rename = "train_token_ind", alias = "train_token_index", skip_serializing_if = "Option::is_none")]
    pub peak: Option<usize>,
    /// True where it repeats another context.
    #[serde(rename = "is_repeated_datapoint")]
    pub repeated: bool,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self {
            transcoder_id: String::new(),
            index: 0,
            quantiles: Vec::new(),
            promoted: Vec::new(),
            promoted_by: Vec::new(),
            suppressed: Vec::new(),
            min: MIN,
            max: MAX,
            quantile_values: Vec::new(),
            histogram: Vec::new(),
            density: None,
        }
    }
}

/// Default of circuit-tracer's viewer.
const MIN: f32 = 0.0;
const MAX: f32 = 1.4;

fn or_min<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(MIN))
}

fn or_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(MAX))
}

/// Reads a list of numbers; empty where it is `null` or any of them is.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    let list: Option<Vec<Option<f32>>> = Option::deserialize(deserializer)?;
    Ok(list.unwrap_or_default().into_iter().collect::<Option<_>>().unwrap_or_default())
}

impl Example {
    /// Returns the token with the largest activation: the one that the writer names, or else the first of the largest.
    /// `None` in an empty context.
    pub fn strongest(&self) -> Option<usize> {
        let said = self.peak.filter(|peak| *peak < self.tokens.len());
        let by_activation = || {
            let order = |a: &(usize, &f32), b: &(usize, &f32)| a.1.total_cmp(b.1).then(b.0.cmp(&a.0));
            self.activations.iter().enumerate().max_by(order).map(|(at, _)| at)
        };
        said.or_else(by_activation)
    }
}

impl Dashboard {
    /// Returns its contexts, group by group.
    pub fn examples(&self) -> impl Iterator<Item = &Example> {
        self.quantiles.iter().flat_map(|quantile| &quantile.examples)
    }

    /// Checks that there are as many activations as tokens and that numbers are finite.
    ///
    /// # Errors
    /// Says what does not fit, for a sentence that names feature and file.
    pub fn check(&self) -> Result<(), String> {
        for (q, quantile) in self.quantiles.iter().enumerate() {
            for (e, example) in quantile.examples.iter().enumerate() {
                let (tokens, activations) = (example.tokens.len(), example.activations.len());
                if tokens != activations {
                    return Err(format!("context {e} of group {q} has {tokens} tokens and {activations} activations"));
                }
                if !example.activations.iter().all(|activation| activation.is_finite()) {
                    return Err(format!("context {e} of group {q} has an activation that is too large a number"));
                }
            }
        }
        let mut numbers =
            self.histogram.iter().chain(&self.quantile_values).chain(&self.promoted_by).chain(&self.density);
        if !(self.min.is_finite() && self.max.is_finite() && numbers.all(|number| number.is_finite())) {
            return Err("one of its statistics is too large a number".to_owned());
        }
        Ok(())
    }
}
