//! JSON objects of which some keys are known: the others are kept as they stand.

use super::fields::Text;
use crate::graph::Fields;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Characters of a value quoted in a message, at most.
const QUOTED: usize = 60;

/// An object: its keys in their order, with the text of their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    entries.push((key.0, map.next_value()?));
                }
                Ok(Object(entries))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'a> Object<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// Fails where it is something else.
    pub fn of(raw: &'a RawValue) -> Result<Self, String> {
        serde_json::from_str(raw.get()).map_err(|_| format!("it is {}, where an object is wanted", quoted(raw)))
    }

    /// Returns the value of a key, of several the last; `None` where that is null.
    pub fn raw(&self, key: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value);
        found.filter(|value| value.get() != "null")
    }

    /// Reads the value of a key; `None` where there is none or it is null.
    ///
    /// # Errors
    /// Fails where it is not `wanted`.
    pub fn get<T: Deserialize<'a>>(&self, key: &str, wanted: &str) -> Result<Option<T>, String> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        let read = serde_json::from_str(raw.get());
        read.map(Some).map_err(|_| format!("its {key} is {}, where {wanted} is wanted", quoted(raw)))
    }

    /// Reads the same of a key that is not vital: a value that cannot be read is none, with one of the `warnings`.
    pub fn heed<T: Deserialize<'a>>(&self, key: &str, wanted: &str, warnings: &mut Vec<String>) -> Option<T> {
        self.get(key, wanted).unwrap_or_else(|what| {
            warnings.push(format!("{what}; it is passed over"));
            None
        })
    }

    /// Returns all fields, to be written again.
    pub fn fields(&self) -> Fields {
        self.0.iter().map(|(key, value)| (key.to_string(), (*value).to_owned())).collect()
    }
}

/// Returns the start of a value, on one line.
pub(super) fn quoted(raw: &RawValue) -> String {
    let text = raw.get();
    let start: String = text
        .chars()
        .take(QUOTED)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}
