//! Kind of a file's node: by its `feature_type`, never by its id, whose form tells little.

use super::clerp;
use super::node::FileNode;
use super::signs::Signs;
use crate::graph::{NodeKind, QkOnly};
use crate::ids::{FeatureId, Layer, Position};

/// Layers of a model, at most; a file with more would have its reader draw them all.
const MAX_LAYERS: u32 = 1_000;

/// `feature_type` of a transcoder feature, per-layer ones included.
pub(super) const FEATURE: &str = QkOnly::FEATURE;
/// `feature_type` of a feature of a sparse attention layer.
pub(super) const ATTENTION_FEATURE: &str = "lorsa";
/// `feature_type` of an error node.
pub(super) const ERROR: &str = QkOnly::ERROR;
/// A token's embedding.
const TOKEN: &str = QkOnly::TOKEN;
/// A head of the model of which it is told why it looked where it looked: this program's own.
pub(super) const HEAD: &str = "attention head";

/// `feature_type` of a node that gives no kind.
const UNKNOWN: &str = "unknown";

/// Class of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Feature,
    Error,
    Token,
    Logit,
    Other,
}

impl Class {
    pub fn of(node: &FileNode<'_>) -> Self {
        match node.kind.as_deref() {
            Some(FEATURE) => Self::Feature,
            Some(ERROR) => Self::Error,
            Some(TOKEN) => Self::Token,
            Some("logit") => Self::Logit,
            None if node.is_logit => Self::Logit,
            _ => Self::Other,
        }
    }
}

/// Numbering of layers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layers {
    /// One number a layer.
    Plain,
    /// Two numbers a layer, as OpenMOSS's programs have it: one for its attention, then one for its MLP.
    Doubled,
}

impl Layers {
    /// Returns the numbering of layers in a file. It is two numbers a layer where the file names dictionaries and has
    /// all its attention at even numbers and all its MLPs at odd ones.
    pub fn of(nodes: &[FileNode<'_>]) -> Self {
        let fits = |node: &FileNode<'_>| {
            let wanted = match node.kind.as_deref() {
                Some(FEATURE | ERROR) => 1,
                Some(ATTENTION_FEATURE | "lorsa error") => 0,
                _ => return true,
            };
            layer_number(node).is_ok_and(|number| number.is_some_and(|number| number % 2 == wanted))
        };
        let named = nodes.iter().any(|node| node.has_sae_name);
        if named && nodes.iter().all(fits) { Self::Doubled } else { Self::Plain }
    }

    /// Returns the layer of a node, where it has one.
    ///
    /// # Errors
    /// Fails where it is no layer of a model.
    pub fn layer(self, node: &FileNode<'_>) -> Result<Option<Layer>, String> {
        let number = layer_number(node)?;
        Ok(number.map(|number| Layer(if self == Self::Doubled { number / 2 } else { number })))
    }
}

/// Returns the number of a node's layer as the file counts: `E` stands for the embeddings, and so does -1, which other
/// programs have for everything above all layers.
///
/// # Errors
/// Fails where it is no layer of a model.
pub(super) fn layer_number(node: &FileNode<'_>) -> Result<Option<u32>, String> {
    let Some(name) = node.layer.as_deref().map(str::trim) else { return Ok(None) };
    match name.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number) => match u32::try_from(number) {
            Ok(layer) if layer < 2 * MAX_LAYERS => Ok(Some(layer)),
            _ => Err(format!("its layer is {number}, which is no layer of a model")),
        },
        Err(_) if name.eq_ignore_ascii_case("E") || name.is_empty() => Ok(None),
        Err(_) => Err(format!("its layer is {name:?}, which is neither a number nor E")),
    }
}

/// Returns the kind of a node. `feature` is the graph's id of a transcoder feature.
///
/// # Errors
/// Fails where a field makes no sense, and says which.
pub(super) fn of(
    node: &FileNode<'_>,
    layers: Layers,
    feature: Option<FeatureId>,
    signs: Signs,
) -> Result<NodeKind, String> {
    let position = Position(node.position);
    let layer = layers.layer(node)?;
    let needed = || layer.ok_or_else(|| "it has no layer, which a feature and an error have".to_owned());
    Ok(match Class::of(node) {
        Class::Feature => {
            let feature = feature.ok_or("it does not say which feature it is")?;
            NodeKind::Feature { layer: needed()?, position, feature }
        }
        Class::Error => NodeKind::Error { layer: needed()?, position },
        Class::Token => NodeKind::Token { position, id: vocabulary_index(node, 'E').unwrap_or_default() },
        Class::Logit => {
            let parsed = clerp::parse(&node.label);
            let text = if node.label.is_empty() { node.token.as_deref().unwrap_or_default() } else { parsed.text };
            let given = node.probability.filter(|probability| *probability != 0.0);
            let probability = given.or(parsed.probability).unwrap_or_default();
            if probability < 0.0 {
                return Err(format!("its probability is {probability}"));
            }
            NodeKind::Logit { position, id: logit_id(node)?, probability, text: signs.meant(text) }
        }
        Class::Other => NodeKind::Other {
            layer,
            position,
            kind: node.kind.as_deref().unwrap_or(UNKNOWN).into(),
            name: node.id.as_ref().into(),
        },
    })
}

/// Returns the feature's index in its node's ids: in `{layer}_{feature}_{position}` and its like, else wherever the
/// numbers of its layer, its own and its position follow each other; in `intermediate_{position}_{layer}_{feature}`;
/// and in a `jsNodeId` `{layer}_{feature}-…`.
pub(super) fn index_in_ids(node: &FileNode<'_>) -> Option<u128> {
    let layer = layer_number(node).ok().flatten()?;
    let parts: Vec<&str> = node.id.split('_').collect();
    let is_layer = |text: &str| text.parse() == Ok(layer);
    let in_id = match parts[..] {
        ["intermediate", _, _, index] => digits(index),
        [first, index, _] | [first, _, index, _] if is_layer(first) => digits(index),
        _ => None,
    };
    let in_js_id = || {
        let (first, rest) = node.js_id.as_deref()?.split_once('_')?;
        let index = rest.split(['-', '_']).next()?;
        digits(index).filter(|_| is_layer(first))
    };
    in_id.or_else(|| in_a_row(node, layer)).or_else(in_js_id)
}

/// Returns the middle one of the last three numbers of an id, where the others are its layer and position.
fn in_a_row(node: &FileNode<'_>, layer: u32) -> Option<u128> {
    let numbers: Vec<&str> = node.id.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).collect();
    let [.., first, index, last] = numbers[..] else { return None };
    digits(index).filter(|_| first.parse() == Ok(layer) && last.parse() == Ok(node.position))
}

/// Reads a number of digits alone, without a sign.
fn digits(text: &str) -> Option<u128> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Returns the vocabulary index of a token or a logit: from circuit-tracer's id, `E_{index}_{position}`, or from its
/// `jsNodeId`, `E_{index}-{position}`. Other programs do not give it.
fn vocabulary_index(node: &FileNode<'_>, lead: char) -> Option<u32> {
    let index = |id: &str| {
        let mut parts = id.split(['_', '-']);
        (parts.next()?.chars().eq([lead])).then_some(())?;
        parts.next()?.parse().ok()
    };
    index(&node.id).or_else(|| node.js_id.as_deref().and_then(index))
}

/// Returns the vocabulary index of a logit or, where a file does not give it, the number that its id ends in.
fn logit_id(node: &FileNode<'_>) -> Result<u32, String> {
    let given = node.feature.and_then(|number| u32::try_from(number).ok());
    let in_id = || match node.id.split('_').collect::<Vec<_>>()[..] {
        [_, index, position] if position.parse() == Ok(node.position) => index.parse().ok(),
        _ => None,
    };
    let last = || node.id.rsplit('_').next().and_then(|index| index.parse().ok());
    given
        .or_else(|| vocabulary_index(node, 'L'))
        .or_else(in_id)
        .or_else(last)
        .ok_or_else(|| "it does not say which token it is".into())
}
