//! What a node of a file is: by its `feature_type`, never by its id, whose form tells little.

use super::clerp;
use super::fields::FileNode;
use crate::graph::NodeKind;
use crate::ids::{FeatureId, Layer, Position};

/// More layers than any model has; a file that says more would have its reader draw them all.
const MAX_LAYERS: u32 = 10_000;
/// The powers of ten by which old graphs set layers apart: the least above the transcoder's width.
const DECIMAL_STEPS: [u64; 2] = [100_000, 1_000_000];

/// The kind of a node.
///
/// # Errors
/// What about it makes no sense.
pub(super) fn of(node: &FileNode<'_>) -> Result<NodeKind, String> {
    let position = position(node)?;
    Ok(match node.feature_type.as_ref().map(|kind| kind.0.as_ref()) {
        Some("cross layer transcoder") => {
            let layer = needed_layer(node)?;
            NodeKind::Feature { layer, position, feature: feature(node, layer)? }
        }
        Some("mlp reconstruction error") => NodeKind::Error { layer: needed_layer(node)?, position },
        Some("embedding") => NodeKind::Token { position, id: vocabulary_index(node, 'E').unwrap_or_default() },
        Some("logit") => {
            let (text, probability) = clerp::parse(node.clerp.as_ref().map_or("", |clerp| &clerp.0));
            let given = node.token_prob.filter(|probability| *probability != 0.0);
            NodeKind::Logit {
                position,
                id: logit_id(node)?,
                probability: given.or(probability).unwrap_or_default(),
                text: text.to_owned(),
            }
        }
        other => NodeKind::Other {
            layer: layer(node)?,
            position,
            kind: other.unwrap_or("unknown").into(),
            name: node.node_id.0.as_ref().into(),
        },
    })
}

/// The layer that a file puts its logits at; they have none of their own.
pub(super) fn logit_layer(node: &FileNode<'_>) -> Option<Layer> {
    layer(node).ok().flatten()
}

fn position(node: &FileNode<'_>) -> Result<Position, String> {
    let index = node.ctx_idx.0;
    u32::try_from(index).map(Position).map_err(|_| format!("its ctx_idx is {index}, which is no position"))
}

/// The layer, where there is one: `E` stands for the embeddings, and -1 for what is above all layers.
fn layer(node: &FileNode<'_>) -> Result<Option<Layer>, String> {
    let Some(name) = node.layer.as_ref().map(|layer| layer.0.as_ref()) else { return Ok(None) };
    match name.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number) => match u32::try_from(number) {
            Ok(layer) if layer < MAX_LAYERS => Ok(Some(Layer(layer))),
            _ => Err(format!("its layer is {number}, which is no layer of a model")),
        },
        Err(_) if name == "E" || name.is_empty() => Ok(None),
        Err(_) => Err(format!("its layer is {name:?}, which is neither a number nor E")),
    }
}

fn needed_layer(node: &FileNode<'_>) -> Result<Layer, String> {
    layer(node)?.ok_or_else(|| "it has no layer, which a feature and an error have".into())
}

/// The feature's index in its layer, out of a number that is the Cantor pairing of layer and index or, in old graphs,
/// decimal: layer * 100000 + index. Which of them is what agrees with the layer and with the index in the node's id;
/// where the id holds none, pairing goes first.
fn feature(node: &FileNode<'_>, layer: Layer) -> Result<FeatureId, String> {
    let number = node.feature.and_then(|number| u64::try_from(number.0).ok());
    let named = index_in_id(&node.node_id.0, layer);
    let Some(number) = number else {
        let found = node.feature.map_or("missing".into(), |number| number.0.to_string());
        return named.map(FeatureId).ok_or_else(|| format!("its feature number is {found}"));
    };
    let paired = unpair(number).and_then(|(paired_layer, index)| (paired_layer == layer.0).then_some(index));
    let decimal = DECIMAL_STEPS.into_iter().filter_map(|step| {
        let index = number.checked_sub(u64::from(layer.0) * step)?;
        u32::try_from(index).ok().filter(|_| index < step)
    });
    let readings: Vec<u32> = paired.into_iter().chain(decimal).collect();
    let agreed = readings.iter().copied().find(|index| Some(*index) == named);
    agreed
        .or(readings.first().copied())
        .map(FeatureId)
        .ok_or_else(|| format!("its feature number {number} belongs to no feature of layer {layer}"))
}

/// The pair whose Cantor pairing is `number`: `(l + i)(l + i + 1) / 2 + i`.
fn unpair(number: u64) -> Option<(u32, u32)> {
    let diagonal = ((8 * u128::from(number) + 1).isqrt() - 1) / 2;
    let index = u128::from(number) - diagonal * (diagonal + 1) / 2;
    Some((u32::try_from(diagonal - index).ok()?, u32::try_from(index).ok()?))
}

/// The feature's index in an id: `{layer}_{feature}_{position}`, `{layer}_cro_{feature}_{position}`,
/// `intermediate_{position}_{layer}_{feature}`.
fn index_in_id(id: &str, layer: Layer) -> Option<u32> {
    let parts: Vec<&str> = id.split('_').collect();
    match parts[..] {
        ["intermediate", _, _, index] => index.parse().ok(),
        [first, index, _] | [first, _, index, _] if first.parse() == Ok(layer.0) => index.parse().ok(),
        _ => None,
    }
}

/// The vocabulary index of a token or a logit: in circuit-tracer's id, `E_{index}_{position}`, or in its `jsNodeId`,
/// `E_{index}-{position}`. Other programs do not say which token it is.
fn vocabulary_index(node: &FileNode<'_>, lead: char) -> Option<u32> {
    let index = |id: &str| {
        let mut parts = id.split(['_', '-']);
        (parts.next()?.chars().eq([lead])).then_some(())?;
        parts.next()?.parse().ok()
    };
    index(&node.node_id.0).or_else(|| node.js_node_id.as_ref().and_then(|id| index(&id.0)))
}

/// The vocabulary index of a logit or, where a file does not give it, the number that its id ends in.
fn logit_id(node: &FileNode<'_>) -> Result<u32, String> {
    let given = node.feature.and_then(|number| u32::try_from(number.0).ok());
    let last = || node.node_id.0.rsplit('_').next().and_then(|index| index.parse().ok());
    given
        .or_else(|| vocabulary_index(node, 'L'))
        .or_else(last)
        .ok_or_else(|| "it does not say which token it is".into())
}

#[cfg(test)]
mod tests {
    use super::unpair;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairing_is_undone(layer in 0..200u32, index: u32) {
            let (l, i) = (u128::from(layer), u128::from(index));
            let number = (l + i) * (l + i + 1) / 2 + i;
            prop_assert_eq!(u64::try_from(number).ok().and_then(unpair), Some((layer, index)));
        }

        #[test]
        fn any_number_is_unpaired(number: u64) {
            // It may be a pair beyond 32 bits, or none; it must not be another pair.
            if let Some((layer, index)) = unpair(number) {
                let (l, i) = (u128::from(layer), u128::from(index));
                prop_assert_eq!((l + i) * (l + i + 1) / 2 + i, u128::from(number));
            }
        }
    }
}
