//! Form of nodes and links as written, field by field.

use crate::graph::{Fields, Node, NodeKind};
use crate::ids::{FeatureId, Layer};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A list whose items are made while it is written.
pub(super) struct Stream<F>(pub F);

impl<F, I> Serialize for Stream<F>
where
    F: Fn() -> I,
    I: IntoIterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0())
    }
}

/// An object of fields.
pub(super) struct Entries<'a>(pub &'a Fields);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Makes a field.
///
/// # Errors
/// Fails where JSON has no such value.
pub(super) fn field<T: Serialize + ?Sized>(key: &str, value: &T) -> serde_json::Result<(String, Box<RawValue>)> {
    Ok((key.to_owned(), serde_json::value::to_raw_value(value)?))
}

/// Returns the fields of a file, replaced by this program's `own`.
pub(super) fn over(file: &Fields, own: Fields) -> Fields {
    let mut all = file.clone();
    for (key, value) in own {
        let mut is_there = false;
        for (_, known) in all.iter_mut().filter(|(known, _)| *known == key) {
            known.clone_from(&value);
            is_there = true;
        }
        if !is_there {
            all.push((key, value));
        }
    }
    all
}

/// Fields of a node that depend on its kind.
pub(super) struct Written {
    pub feature: i128,
    pub layer: String,
    pub js_node_id: String,
    /// Label of a logit.
    pub label: String,
}

impl Written {
    /// Returns these fields of a node of a graph of `n_layers` layers.
    pub fn of(node: &Node, n_layers: usize) -> Self {
        let position = node.position();
        let (feature, layer, js_node_id) = match node.kind {
            NodeKind::Feature { layer, feature, .. } => {
                (cantor_pairing(layer, feature), layer.to_string(), format!("{layer}_{feature}-0"))
            }
            NodeKind::Error { layer, .. } => (-1, layer.to_string(), format!("{layer}_{position}-0")),
            NodeKind::Token { id, .. } => (position.0.into(), "E".into(), format!("E_{id}-{position}")),
            // A layer is left free above the last one.
            NodeKind::Logit { id, .. } => (id.into(), (n_layers + 1).to_string(), format!("L_{id}-{position}")),
            NodeKind::Other { layer, ref name, .. } => {
                (-1, layer.map_or_else(|| "E".into(), |layer| layer.to_string()), name.to_string())
            }
        };
        let label = match &node.kind {
            NodeKind::Logit { probability, text, .. } => format!("Output \"{text}\" (p={probability:.3})"),
            _ => String::new(),
        };
        Self { feature, layer, js_node_id, label }
    }
}

/// Returns one number for a layer and an index in it, as circuit-tracer and feature dashboards have it. It may exceed
/// 64 bits.
pub fn cantor_pairing(layer: Layer, feature: FeatureId) -> i128 {
    let (layer, feature) = (i128::from(layer.0), i128::from(feature.0));
    (layer + feature) * (layer + feature + 1) / 2 + feature
}

/// A node as it is written.
pub(super) struct JsonNode<'a> {
    pub id: &'a str,
    pub node: &'a Node,
    pub written: Written,
    pub label: &'a str,
    pub is_target_logit: bool,
    pub influence: Option<f32>,
    /// Fields of the file that it was read from, which replace all of these.
    pub unread: &'a [(String, Box<RawValue>)],
}

impl Serialize for JsonNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match &self.node.kind {
            NodeKind::Feature { .. } => "cross layer transcoder",
            NodeKind::Error { .. } => "mlp reconstruction error",
            NodeKind::Token { .. } => "embedding",
            NodeKind::Logit { .. } => "logit",
            NodeKind::Other { kind, .. } => kind.as_ref(),
        };
        let probability = match self.node.kind {
            NodeKind::Logit { probability, .. } => probability,
            _ => 0.0,
        };
        let label = if self.node.is_logit() { &self.written.label } else { self.label };
        let mut object = Over { map: serializer.serialize_map(None)?, over: self.unread, known: Vec::new() };
        object.put("node_id", self.id)?;
        object.put("feature", &self.written.feature)?;
        object.put("layer", &self.written.layer)?;
        object.put("ctx_idx", &self.node.position().0)?;
        object.put("feature_type", kind)?;
        object.put("token_prob", &probability)?;
        object.put("is_target_logit", &self.is_target_logit)?;
        object.put("run_idx", &0)?;
        object.put("reverse_ctx_idx", &0)?;
        object.put("jsNodeId", &self.written.js_node_id)?;
        object.put("clerp", label)?;
        object.put("influence", &self.influence)?;
        object.put("activation", &self.node.activation)?;
        object.end()
    }
}

/// A link as it is written.
pub(super) struct JsonLink<'a> {
    pub source: &'a str,
    pub target: &'a str,
    pub weight: f32,
    /// Other fields of the file that it was read from.
    pub unread: &'a [(String, Box<RawValue>)],
}

impl Serialize for JsonLink<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = Over { map: serializer.serialize_map(None)?, over: self.unread, known: Vec::new() };
        object.put("source", self.source)?;
        object.put("target", self.target)?;
        object.put("weight", &self.weight)?;
        object.end()
    }
}

/// Writer of an object of which some fields are replaced and some added.
struct Over<'a, M> {
    map: M,
    over: &'a [(String, Box<RawValue>)],
    known: Vec<&'static str>,
}

impl<M: SerializeMap> Over<'_, M> {
    fn put<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), M::Error> {
        if self.over.is_empty() {
            return self.map.serialize_entry(key, value);
        }
        self.known.push(key);
        match self.over.iter().rev().find(|(known, _)| known == key) {
            Some((_, raw)) => self.map.serialize_entry(key, raw),
            None => self.map.serialize_entry(key, value),
        }
    }

    fn end(mut self) -> Result<M::Ok, M::Error> {
        for (key, raw) in self.over.iter().filter(|(key, _)| !self.known.contains(&key.as_str())) {
            self.map.serialize_entry(key, raw)?;
        }
        self.map.end()
    }
}
