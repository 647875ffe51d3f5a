//! Why heads look where they look: what is asked of the model, and what it says.

use crate::attribution::{
    Against, Engine, HeadFlows, HeadType, Look, Probe, QkAttribution, QkQuestion, QkSide, QkSource, Source,
};
use crate::graph::{AttributionGraph, FeatureAt, Head, HeadTrace, Kept, QkNode, QkOnly, QkTrace, Token};
use crate::ids::{Layer, NodeId, Position};
use crate::job::Monitor;
use crate::service::interventions::CachedBaseline;
use crate::verify::{HeadAblation, HeadState, head_ablations, same_model};
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many features of the side of the key are ablated where none is named.
const ABLATED: usize = 10;

/// A question about a head on a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionRequest {
    /// The prompt.
    pub tokens: Vec<Token>,
    /// The head.
    pub head: Head,
    /// From where it looks.
    pub query: Position,
    /// The key whose score is split, and what that is held against; `None` where only the pattern is asked for.
    pub key: Option<(Position, Against)>,
    /// What is ablated to see whether the split holds.
    pub ablate: Ablate,
}

/// What is ablated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ablate {
    /// Nothing.
    Nothing,
    /// The features that contribute most on the side of the key, one by one.
    Strongest,
    /// A feature.
    Feature(FeatureAt),
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionReply {
    /// The keys that the query sees.
    pub looks: Vec<Look>,
    /// What kinds of head this one is.
    pub types: Vec<HeadType>,
    /// The score of the key, split.
    pub split: Option<QkAttribution>,
    /// The look at the key, and what ablations make of it.
    pub ablations: Option<(HeadState, Vec<HeadAblation>)>,
}

impl CachedBaseline {
    /// Tells where a head looks, and why.
    ///
    /// # Errors
    /// There is no such head or position, the query does not see the key, or the work was stopped.
    pub fn attention(&self, engine: &Engine, request: &AttentionRequest, monitor: &Monitor) -> Result<AttentionReply> {
        let base = self.baseline(engine, &request.tokens, monitor)?;
        let probe = Probe::of(engine, base.capture.clone(), monitor)?;
        let AttentionRequest { head, query, .. } = *request;
        let looks = probe.looks(head, query, monitor)?;
        let types = probe.head_types(head)?;
        let Some((key, against)) = request.key else {
            return Ok(AttentionReply { looks, types, split: None, ablations: None });
        };
        let split = probe.qk(&QkQuestion { head, query, key, against }, monitor)?;
        let features = match request.ablate {
            Ablate::Nothing => Vec::new(),
            Ablate::Feature(at) => vec![at],
            Ablate::Strongest => strongest_features(&split),
        };
        let ablations = match request.ablate {
            Ablate::Nothing => None,
            _ => Some(head_ablations(engine, &probe, &split, &features, monitor)?),
        };
        Ok(AttentionReply { looks, types, split: Some(split), ablations })
    }
}

/// The features that contribute most on the side of the key, the strongest first.
fn strongest_features(split: &QkAttribution) -> Vec<FeatureAt> {
    let all = split.strongest(QkSide::Key, split.sources().len()).into_iter();
    let features = all.filter_map(|(source, _)| match split.sources()[source] {
        QkSource::Source(Source::Feature(at)) => Some(at),
        _ => None,
    });
    features.take(ABLATED).collect()
}

/// Which heads carry a graph, and what kinds of head they are, in the order of [`HeadFlows::heads`].
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitHeads {
    /// What flows through them.
    pub flows: HeadFlows,
    /// What kinds they are.
    pub types: HashMap<Head, Vec<HeadType>>,
}

/// Splits the influence that flows through the kept edges of a graph by heads.
///
/// # Errors
/// The graph was made with another model, weights cannot be read, or the work was stopped.
pub fn circuit_heads(
    engine: &Engine,
    graph: &AttributionGraph,
    kept: &Kept,
    monitor: &Monitor,
) -> Result<CircuitHeads> {
    let probe = Probe::of(engine, same_model(engine, graph, monitor)?, monitor)?;
    let flows = probe.head_flows(graph, kept, monitor)?;
    let types = flows.heads.iter().map(|flow| Ok((flow.head, probe.head_types(flow.head)?)));
    let types = types.collect::<Result<_>>()?;
    Ok(CircuitHeads { flows, types })
}

/// A source's id in graph JSON; constants have one for each head, side and place.
pub fn source_id(split: &QkAttribution, side: QkSide, source: QkSource, tokens: &[Token]) -> String {
    let QkQuestion { head, query, key, .. } = split.question;
    match (source, side) {
        (QkSource::Source(source), _) => source.id(tokens),
        (QkSource::Bias, QkSide::Query) => format!("{}_bias_query_{query}", head.layer),
        (QkSource::Bias, QkSide::Key) => format!("{}_bias_key_{key}", head.layer),
    }
}

/// The nodes of a graph by what they are as sources.
pub fn sources_of(graph: &AttributionGraph) -> HashMap<Source, NodeId> {
    graph.node_ids().filter_map(|id| Some((Source::of_node(graph, id).ok()?, id))).collect()
}

/// What a file keeps of a split: the `most` strongest sources of either side, and pairs.
pub fn head_trace(
    split: &QkAttribution,
    graph: &AttributionGraph,
    most: usize,
) -> (HeadTrace, BTreeMap<Arc<str>, QkOnly>) {
    let (nodes, tokens) = (sources_of(graph), graph.tokens());
    let mut only: BTreeMap<Arc<str>, QkOnly> = BTreeMap::new();
    let mut node = |side: QkSide, source: usize| {
        let source = split.sources()[source];
        if let QkSource::Source(source) = source
            && let Some(id) = nodes.get(&source)
        {
            return QkNode::InGraph(*id);
        }
        let id: Arc<str> = source_id(split, side, source, tokens).into();
        only.insert(Arc::clone(&id), described(split, side, source));
        QkNode::Only(id)
    };
    let mut marginal = |side: QkSide| -> Vec<(QkNode, f32)> {
        split.strongest(side, most).into_iter().map(|(source, x)| (node(side, source), x as f32)).collect()
    };
    let (queries, keys) = (marginal(QkSide::Query), marginal(QkSide::Key));
    let pairs = split.strongest_pairs(most).into_iter();
    let pairs = pairs
        .map(|pair| (node(QkSide::Query, pair.query), node(QkSide::Key, pair.key), pair.contribution as f32))
        .collect();
    let QkQuestion { head, query, key, .. } = split.question;
    (HeadTrace { head, query, key, trace: QkTrace { pairs, queries, keys } }, only)
}

/// What a source is that is no node of the graph.
fn described(split: &QkAttribution, side: QkSide, source: QkSource) -> QkOnly {
    let (kind, layer, feature, position) = match source {
        QkSource::Source(Source::Feature(FeatureAt { layer, position, feature })) => {
            (QkOnly::FEATURE, Some(layer), Some(feature), position)
        }
        QkSource::Source(Source::Error(layer, position)) => (QkOnly::ERROR, Some(layer), None, position),
        QkSource::Source(Source::Token(position)) => (QkOnly::TOKEN, None, None, position),
        QkSource::Bias => {
            let QkQuestion { head, query, key, .. } = split.question;
            (QkOnly::BIAS, Some(head.layer), None, if side == QkSide::Query { query } else { key })
        }
    };
    let (layer, feature) = (layer.map(|Layer(layer)| layer), feature.map(|feature| feature.0));
    QkOnly { kind: kind.to_owned(), layer, feature, position: Some(position.0), label: String::new() }
}
