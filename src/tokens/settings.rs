//! Reader of `tokenizer_config.json`: special tokens and the chat template.

use crate::hub::FileSource;
use crate::tokens::TokenError;
use crate::untrusted::json_fault;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

pub(super) const FILE: &str = "tokenizer_config.json";

/// Bytes of the largest file that is read; models with many images or sounds among their tokens list them all here.
const MOST_BYTES: usize = 16 << 20;

/// Used contents of the file.
#[derive(Debug, Default)]
pub struct Settings {
    /// Texts of `bos_token`, `eos_token` and the like.
    pub tokens: BTreeMap<String, String>,
    /// Chat template, where it is in this file.
    pub template: Option<Template>,
}

/// Chat template, or several with names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Template {
    /// Text of the template.
    One(String),
    /// Templates by name.
    Named(Vec<NamedTemplate>),
    /// Anything else.
    Other(IgnoredAny),
}

/// Chat template with a name.
#[derive(Debug, Deserialize)]
pub struct NamedTemplate {
    /// Purpose; `default` for chats.
    pub name: String,
    /// Text of the template.
    pub template: String,
}

/// Token, as its text or as an object with its properties.
#[derive(Deserialize)]
#[serde(untagged)]
enum Special {
    Text(String),
    Entry { content: String },
    Other(IgnoredAny),
}

impl Settings {
    /// Reads the file; returns empty settings where there is none.
    ///
    /// # Errors
    /// Fails where it cannot be read, or is no JSON object.
    pub fn read(place: &FileSource) -> Result<Self, TokenError> {
        let Some(blob) = place.find_within(FILE, MOST_BYTES)? else { return Ok(Self::default()) };
        let wrong = |error| TokenError::Damaged { path: place.path(FILE), what: json_fault(&error) };
        serde_json::from_slice(&blob).map_err(wrong)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// Visitor that keeps the used fields alone.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Settings::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "chat_template" {
                settings.template = map.next_value()?;
            } else if key.ends_with("_token") {
                if let Some(Special::Text(text) | Special::Entry { content: text }) = map.next_value()? {
                    settings.tokens.insert(key.into_owned(), text);
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_the_template_are_taken_in_every_form() {
        let text = r#"{"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null,
            "add_bos_token": true, "added_tokens_decoder": {"0": {"content": "<s>"}}, "chat_template": "{{ x }}"}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        let tokens: Vec<_> = settings.tokens.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(tokens, [("bos_token", "<s>"), ("eos_token", "</s>")]);
        assert!(matches!(settings.template, Some(Template::One(text)) if text == "{{ x }}"));
        let named = r#"{"chat_template": [{"name": "default", "template": "a"}]}"#;
        let settings: Settings = serde_json::from_str(named).unwrap();
        assert!(matches!(settings.template, Some(Template::Named(list)) if list[0].template == "a"));
        let other: Settings = serde_json::from_str(r#"{"chat_template": 3}"#).unwrap();
        assert!(matches!(other.template, Some(Template::Other(_))));
    }
}
