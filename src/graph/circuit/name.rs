//! Names of supernodes, from labels, from the tokens that they stand at, and from the outputs that they write.

use crate::graph::circuit::{ProposedGroup, UNNAMED};
use crate::graph::{AttributionGraph, automatic};
use crate::ids::NodeId;
use std::collections::BTreeMap;

/// Share of a group's influence that the features of a label need to hold to name it.
const LEAST_LABELLED: f64 = 0.25;

/// Share of their own token in what features read directly, from which on they are named after it.
const LEAST_READ: f64 = 0.3;

/// Returns the name of a group, marked as automatic, or [`UNNAMED`].
pub(super) fn of<'a>(
    graph: &AttributionGraph,
    members: &[NodeId],
    influence: &[f64],
    label: &dyn Fn(NodeId) -> Option<&'a str>,
) -> String {
    let found = labelled(members, influence, label)
        .or_else(|| read(graph, members, influence))
        .or_else(|| written(graph, members, influence));
    found.map_or_else(|| UNNAMED.to_owned(), |name| automatic::mark(&name))
}

/// Returns the label that holds most of the group's influence.
fn labelled<'a>(members: &[NodeId], influence: &[f64], label: &dyn Fn(NodeId) -> Option<&'a str>) -> Option<String> {
    let mut held: BTreeMap<&str, f64> = BTreeMap::new();
    for id in members {
        if let Some(label) = label(*id).map(|label| label.trim_start_matches(automatic::MARK).trim())
            && !label.is_empty()
        {
            *held.entry(label).or_default() += influence[id.index()];
        }
    }
    let all: f64 = members.iter().map(|id| influence[id.index()]).sum();
    let best = held.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(a.0)));
    best.filter(|(_, held)| *held >= LEAST_LABELLED * all).map(|(label, _)| label.to_owned())
}

/// Returns the token that the members stand at, where it is most of what they read directly.
fn read(graph: &AttributionGraph, members: &[NodeId], influence: &[f64]) -> Option<String> {
    let position = graph.node(members[0]).position();
    if members.iter().any(|id| graph.node(*id).position() != position) {
        return None;
    }
    let (mut own, mut all) = (0.0, 0.0);
    for &id in members {
        let total = graph.input_total(id);
        let is_own = |source: NodeId| graph.node(source).is_token() && graph.node(source).position() == position;
        let from = graph.incoming(id).filter(|edge| is_own(edge.source)).map(|edge| f64::from(edge.weight.abs()));
        let share = from.sum::<f64>() / total.max(f64::MIN_POSITIVE);
        own += influence[id.index()] * share;
        all += influence[id.index()];
    }
    let text = graph.token_text(members[0]).trim();
    (all > 0.0 && own >= LEAST_READ * all && !text.is_empty()).then(|| text.to_owned())
}

/// Returns `say` and the output that the members raise most, where they raise one.
fn written(graph: &AttributionGraph, members: &[NodeId], influence: &[f64]) -> Option<String> {
    let mut raised: BTreeMap<NodeId, f64> = BTreeMap::new();
    for &id in members {
        for edge in graph.outgoing(id).filter(|edge| graph.node(edge.target).logit().is_some()) {
            let share = f64::from(edge.weight) / graph.input_total(edge.target);
            *raised.entry(edge.target).or_default() += influence[id.index()] * share;
        }
    }
    let best = raised.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
    let text = graph.token_text(best.0).trim();
    (best.1 > 0.0 && !text.is_empty()).then(|| format!("say {text}"))
}

/// Adds the token or the layers to names that several groups have.
pub(super) fn tell_apart(graph: &AttributionGraph, groups: &mut [ProposedGroup]) {
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    for (at, group) in groups.iter_mut().enumerate() {
        let others: Vec<usize> = (0..names.len()).filter(|other| *other != at && names[*other] == names[at]).collect();
        if others.is_empty() {
            continue;
        }
        let position = graph.node(group.members[0]).position();
        let layers = group.members.iter().filter_map(|id| graph.node(*id).layer());
        let (first, last) = layers.fold((None, None), |(first, last), layer| {
            (first.map_or(Some(layer), |first: crate::ids::Layer| Some(first.min(layer))), last.max(Some(layer)))
        });
        let token = graph.tokens()[position.index()].text.trim();
        let span = match (first, last) {
            (Some(first), Some(last)) if first != last => format!(" L{first}-{last}"),
            (Some(first), _) => format!(" L{first}"),
            _ => String::new(),
        };
        group.name = format!("{} @{token}{span}", group.name);
    }
    let mut taken = std::collections::HashSet::new();
    for group in groups {
        let base = group.name.clone();
        let mut n = 1;
        while !taken.insert(group.name.clone()) {
            n += 1;
            group.name = format!("{base} {n}");
        }
    }
}
