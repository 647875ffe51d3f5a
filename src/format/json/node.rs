//! A node and a link as they stand in a file.

use super::fields::{Number, Text, Whole};
use super::object::{Object, quoted};
use crate::graph::Fields;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Keys that are read and written anew.
const READ: [&str; 11] = [
    "node_id",
    "feature",
    "layer",
    "ctx_idx",
    "feature_type",
    "jsNodeId",
    "clerp",
    "influence",
    "activation",
    "token_prob",
    "is_target_logit",
];

/// A node as it stands in a file.
#[derive(Debug)]
pub(super) struct FileNode<'a> {
    pub id: Cow<'a, str>,
    /// Number of its feature (`feature`); `None` where that is no whole number.
    pub feature: Option<i128>,
    pub layer: Option<Cow<'a, str>>,
    pub position: u32,
    /// Kind (`feature_type`).
    pub kind: Option<Cow<'a, str>>,
    pub js_id: Option<Cow<'a, str>>,
    pub label: Cow<'a, str>,
    pub influence: Option<f32>,
    pub activation: Option<f32>,
    pub probability: Option<f32>,
    /// Text of its token, which only some programs give.
    pub token: Option<Cow<'a, str>>,
    pub is_logit: bool,
    pub is_target_logit: bool,
    /// True where it names its dictionary, as OpenMOSS's programs do.
    pub has_sae_name: bool,
    /// Model that it belongs to, among those that are compared.
    pub source_model: Option<Cow<'a, str>>,
    /// Shape that tells those models apart on the page.
    pub shape: Option<Cow<'a, str>>,
    /// Index in its own dictionary.
    pub source_feature: Option<i128>,
    /// QK attributions of an attention feature.
    pub qk: Option<&'a RawValue>,
    /// Fields that are written again as they stand.
    pub unread: Fields,
}

impl<'a> FileNode<'a> {
    /// Reads a node.
    ///
    /// # Errors
    /// Fails where a field is missing or broken, and says which.
    pub fn of(raw: &'a RawValue) -> Result<Self, String> {
        let object = Object::of(raw)?;
        let text = |key: &str| Ok::<_, String>(object.get::<Text<'a>>(key, "a text")?.map(|text| text.0));
        let number = |key: &str| {
            Ok::<_, String>(
                object.get::<Number>(key, "a number in the range of single precision")?.map(|number| number.0),
            )
        };
        let whole = |key: &str| object.get::<Whole>(key, "a whole number").ok().flatten().map(|number| number.0);
        let flag = |key: &str| object.get::<bool>(key, "true or false").ok().flatten();
        let position = object.get::<Whole>("ctx_idx", "a position")?.ok_or("it has no ctx_idx")?.0;
        let mut this = Self {
            id: text("node_id")?.ok_or("it has no node_id")?,
            feature: whole("feature"),
            layer: text("layer")?,
            position: u32::try_from(position)
                .map_err(|_| format!("its ctx_idx is {position}, which is no position"))?,
            kind: text("feature_type")?,
            js_id: text("jsNodeId")?,
            label: text("clerp")?.unwrap_or_default(),
            influence: number("influence")?,
            activation: number("activation")?,
            probability: number("token_prob")?,
            token: text("token").ok().flatten(),
            is_logit: flag("isLogit") == Some(true),
            is_target_logit: flag("is_target_logit") == Some(true),
            has_sae_name: object.raw("sae_name").is_some(),
            source_model: text("source_model").ok().flatten(),
            shape: text("node_shape").ok().flatten(),
            source_feature: whole("source_feature_id"),
            qk: object.raw("qk_tracing_results"),
            unread: Vec::new(),
        };
        this.unread = object.0.into_iter().filter(|(key, raw)| this.is_unread(key, raw)).map(owned).collect();
        Ok(this)
    }

    /// Returns true where a key would not be written again as it stands: it is unknown, or its value differs from the
    /// one that is written for it.
    fn is_unread(&self, key: &str, raw: &RawValue) -> bool {
        match key {
            "run_idx" | "reverse_ctx_idx" => raw.get() != "0",
            "layer" => !raw.get().starts_with('"'),
            "feature" => self.feature.is_none(),
            _ => !READ.contains(&key),
        }
    }
}

fn owned((key, raw): (Cow<'_, str>, &RawValue)) -> (String, Box<RawValue>) {
    (key.into_owned(), raw.to_owned())
}

/// A link as it stands in a file.
#[derive(Debug)]
pub(super) struct FileLink<'a> {
    pub source: Cow<'a, str>,
    pub target: Cow<'a, str>,
    pub weight: f32,
    /// Fields that are written again as they stand.
    pub unread: Fields,
}

impl<'a> FileLink<'a> {
    /// Reads a link.
    ///
    /// # Errors
    /// Fails where a field is missing or broken, and says which.
    pub fn of(raw: &'a RawValue) -> Result<Self, String> {
        match serde_json::from_str(raw.get()) {
            Ok(link) => Ok(link),
            Err(_) => Err(Self::fault(raw)?.unwrap_or_else(|| format!("it is {}", quoted(raw)))),
        }
    }

    /// Describes the fault of a link.
    fn fault(raw: &RawValue) -> Result<Option<String>, String> {
        let object = Object::of(raw)?;
        for end in ["source", "target"] {
            if object.get::<Text<'_>>(end, "the id of a node")?.is_none() {
                return Ok(Some(format!("it has no {end}")));
            }
        }
        let weight = object.get::<Number>("weight", "a number in the range of single precision")?;
        Ok(weight.is_none().then(|| "it has no weight".to_owned()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for FileLink<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinkVisitor;

        impl<'de> Visitor<'de> for LinkVisitor {
            type Value = FileLink<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a link")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FileLink<'de>, A::Error> {
                use serde::de::Error as _;
                let (mut source, mut target, mut weight) = (None, None, None);
                let mut unread = Vec::new();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match key.0.as_ref() {
                        "source" => source = Some(map.next_value::<Text<'de>>()?.0),
                        "target" => target = Some(map.next_value::<Text<'de>>()?.0),
                        "weight" => weight = Some(map.next_value::<Number>()?.0),
                        _ => unread.push(owned((key.0, map.next_value()?))),
                    }
                }
                Ok(FileLink {
                    source: source.ok_or_else(|| A::Error::missing_field("source"))?,
                    target: target.ok_or_else(|| A::Error::missing_field("target"))?,
                    weight: weight.ok_or_else(|| A::Error::missing_field("weight"))?,
                    unread,
                })
            }
        }

        deserializer.deserialize_map(LinkVisitor)
    }
}
