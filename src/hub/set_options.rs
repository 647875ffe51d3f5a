//! User's options for a transcoder, beside those in its own files.

use serde_json::{Map, Value};
use std::str::FromStr;

/// Keys of a `config.yaml` that are read.
const KEYS: [&str; 8] =
    ["model_name", "model_kind", "feature_input_hook", "feature_output_hook", "scan", "transcoders", "activation", "k"];

/// Key of a `config.yaml`, and the value that replaces its own: `KEY=VALUE`, the value as YAML writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    key: &'static str,
    value: Value,
}

impl FromStr for KeyValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or_else(|| "it has to be KEY=VALUE".to_owned())?;
        let Some(key) = KEYS.iter().find(|known| **known == key) else {
            return Err(format!("config.yaml has no key of that name; known: {}", KEYS.join(", ")));
        };
        let value = serde_saphyr::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self { key, value })
    }
}

/// User's options for a transcoder: keys of its `config.yaml`, and the choice among several in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetOptions {
    keys: Vec<KeyValue>,
    /// Width, as Gemma Scope 2 calls it: `16k`.
    pub width: Option<String>,
    /// Sparsity, as Gemma Scope 2 calls it: `small`, or `small_affine`.
    pub l0: Option<String>,
}

impl SetOptions {
    /// Creates the options of `keys`, of which the last of a name counts, and of `top_k`, the number of features that a
    /// TopK transcoder keeps, which overrides a key `k`.
    pub fn new(keys: &[KeyValue], top_k: Option<usize>, width: Option<String>, l0: Option<String>) -> Self {
        let top_k = top_k.map(|k| KeyValue { key: "k", value: k.into() });
        Self { keys: keys.iter().cloned().chain(top_k).collect(), width, l0 }
    }

    /// Returns these options with those of `more`, which take precedence.
    #[must_use]
    pub fn and(self, more: &Self) -> Self {
        Self {
            keys: [self.keys, more.keys.clone()].concat(),
            width: more.width.clone().or(self.width),
            l0: more.l0.clone().or(self.l0),
        }
    }

    /// Returns true where no option is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns true where a key is given a value.
    pub(super) fn says(&self, key: &str) -> bool {
        self.keys.iter().any(|said| said.key == key && !said.value.is_null())
    }

    /// Returns true where keys of a `config.yaml` are given.
    pub(super) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Writes the values over those of `config`; a null removes a key.
    pub(super) fn apply(&self, config: &mut Map<String, Value>) {
        for KeyValue { key, value } in &self.keys {
            if value.is_null() {
                config.remove(*key);
            } else {
                config.insert((*key).to_owned(), value.clone());
            }
        }
    }

    /// Returns the equivalent options of a command line.
    pub fn words(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|said| ["--transcoder-option".to_owned(), said.to_string()]);
        let choice = [("--width", &self.width), ("--l0", &self.l0)];
        let choice = choice.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]));
        keys.chain(choice).flatten().collect()
    }
}

impl std::fmt::Display for KeyValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_yaml_and_the_last_of_a_key_counts() {
        let keys = ["k=64", "scan=a b", "transcoders=[a, b]", "activation=null", "k=128"];
        let keys = keys.map(|text| text.parse().unwrap());
        let mut config = Map::new();
        config.insert("activation".to_owned(), json!("topk"));
        SetOptions::new(&keys, None, None, None).apply(&mut config);
        assert_eq!(Value::Object(config), json!({ "k": 128, "scan": "a b", "transcoders": ["a", "b"] }));
        assert!("depth=3".parse::<KeyValue>().is_err());
        assert!("k".parse::<KeyValue>().is_err());
    }

    #[test]
    fn words_say_the_same_again() {
        let keys = ["k=64", "scan=a: b=c", "transcoders=[x, \"2\"]"].map(|text| text.parse().unwrap());
        let said = SetOptions::new(&keys, Some(3), Some("16k".to_owned()), None);
        let words = said.words();
        let again: Vec<KeyValue> = words
            .chunks(2)
            .filter(|pair| pair[0] == "--transcoder-option")
            .map(|pair| pair[1].parse().unwrap())
            .collect();
        assert_eq!(SetOptions::new(&again, None, Some("16k".to_owned()), None), said);
    }
}
