//! Attention of heads: requests and replies.

mod views;

pub use views::{
    ComparedHead, Contributor, EdgeHead, EdgeHeads, HeadView, LookAt, PositionReads, Read, SplitView, by_difference,
    compared_heads,
};

use crate::attribution::{
    Against, Engine, HeadFlows, HeadType, Look, Probe, QkAttribution, QkListed, QkQuestion, QkSide, QkSource, Source,
};
use crate::graph::{AttributionGraph, FeatureAt, Head, HeadTrace, Kept, QkNode, QkOnly, QkTrace, Token};
use crate::ids::{Layer, NodeId, Position};
use crate::job::Monitor;
use crate::service::interventions::CachedBaseline;
use crate::verify::{HeadAblation, HeadState, head_ablations, made_with, same_model};
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Number of features on the side of the key that are ablated where none is named.
const ABLATED: usize = 10;

/// Request for a head's attention on a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionRequest {
    /// Prompt.
    pub tokens: Vec<Token>,
    /// Head.
    pub head: Head,
    /// Position that the head looks from.
    pub query: Position,
    /// Key whose score is split, and the reference subtracted from it; `None` for the pattern alone.
    pub key: Option<(Position, Against)>,
    /// Features to ablate, as a check of the split.
    pub ablate: Ablate,
}

/// Features to ablate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ablate {
    /// Nothing.
    Nothing,
    /// Features that contribute most on the side of the key, one by one.
    Strongest,
    /// Given feature.
    Feature(FeatureAt),
}

/// Reply to an [`AttentionRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionReply {
    /// Attention to each key that the query sees.
    pub looks: Vec<Look>,
    /// Kinds of the head.
    pub types: Vec<HeadType>,
    /// Split of the key's score.
    pub split: Option<QkAttribution>,
    /// State of the head's look at the key in the model's own run, and in each ablation.
    pub ablations: Option<(HeadState, Vec<HeadAblation>)>,
}

impl CachedBaseline {
    /// Returns the attention of a head from a position, and the split of its score where a key is given; on the prompt of
    /// `graph`, where there is one.
    ///
    /// # Errors
    /// Fails where there is no such head or position, the query does not see the key, the graph was made with another
    /// model, or the work was stopped.
    pub fn attention(
        &self,
        engine: &Engine,
        graph: Option<&AttributionGraph>,
        request: &AttentionRequest,
        monitor: &Monitor,
    ) -> Result<AttentionReply> {
        let probe = self.probe(engine, &request.tokens, monitor)?;
        if let Some(graph) = graph {
            made_with(engine, probe.capture(), graph)?;
        }
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

/// Returns the features that contribute most on the side of the key, the strongest first.
fn strongest_features(split: &QkAttribution) -> Vec<FeatureAt> {
    let all = split.strongest(QkSide::Key, split.sources().len()).into_iter();
    let features = all.filter_map(|(source, _)| match split.sources()[source] {
        QkSource::Source(Source::Feature(at)) => Some(at),
        _ => None,
    });
    features.take(ABLATED).collect()
}

/// Influence through each head of a graph, and the heads' kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitHeads {
    /// Influence that flows through the heads.
    pub flows: HeadFlows,
    /// Kinds of each head.
    pub types: HashMap<Head, Vec<HeadType>>,
}

/// Splits the influence that flows through the kept edges of a graph by heads.
///
/// # Errors
/// Fails where the graph was made with another model, weights cannot be read, or the work was stopped.
pub fn circuit_heads(
    engine: &Engine,
    graph: &AttributionGraph,
    kept: &Kept,
    monitor: &Monitor,
) -> Result<CircuitHeads> {
    heads_of(&Probe::of(engine, same_model(engine, graph, monitor)?, monitor)?, graph, kept, monitor)
}

/// Splits the influence that flows through the kept edges of a graph by heads, with the model frozen already.
fn heads_of(probe: &Probe<'_>, graph: &AttributionGraph, kept: &Kept, monitor: &Monitor) -> Result<CircuitHeads> {
    let flows = probe.head_flows(graph, kept, monitor)?;
    let types = flows.heads.iter().map(|flow| Ok((flow.head, probe.head_types(flow.head)?)));
    let types = types.collect::<Result<_>>()?;
    Ok(CircuitHeads { flows, types })
}

/// Returns a source's id in graph JSON; constants have one for each layer, side and position.
pub fn source_id(split: &QkAttribution, side: QkSide, source: QkSource, tokens: &[Token]) -> String {
    let QkQuestion { head, query, key, .. } = split.question;
    match (source, side) {
        (QkSource::Source(source), _) => source.id(tokens),
        (QkSource::Bias, QkSide::Query) => format!("{}_bias_query_{query}", head.layer),
        (QkSource::Bias, QkSide::Key) => format!("{}_bias_key_{key}", head.layer),
    }
}

/// Returns the nodes of a graph by the sources that they stand for.
pub fn sources_of(graph: &AttributionGraph) -> HashMap<Source, NodeId> {
    graph.node_ids().filter_map(|id| Some((Source::of_node(graph, id)?, id))).collect()
}

/// Returns the part of a split that a file keeps: what is `listed` of it.
pub fn head_trace(
    split: &QkAttribution,
    graph: &AttributionGraph,
    listed: &QkListed,
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
        listed.side(side).iter().map(|(source, x)| (node(side, *source), *x as f32)).collect()
    };
    let (queries, keys) = (marginal(QkSide::Query), marginal(QkSide::Key));
    let pairs = listed.pairs.iter();
    let pairs = pairs
        .map(|pair| (node(QkSide::Query, pair.query), node(QkSide::Key, pair.key), pair.contribution as f32))
        .collect();
    let QkQuestion { head, query, key, .. } = split.question;
    (HeadTrace { head, query, key, trace: QkTrace { pairs, queries, keys } }, only)
}

/// Describes a source that is no node of the graph.
fn described(split: &QkAttribution, side: QkSide, source: QkSource) -> QkOnly {
    let (kind, layer, feature, position) = match source {
        QkSource::Source(Source::Feature(at)) => (QkOnly::FEATURE, Some(at.layer()), Some(at.feature), at.position),
        QkSource::Source(Source::Error(site, position)) => (QkOnly::ERROR, Some(site.layer), None, position),
        QkSource::Source(Source::Token(position)) => (QkOnly::TOKEN, None, None, position),
        QkSource::Bias => {
            let QkQuestion { head, query, key, .. } = split.question;
            (QkOnly::BIAS, Some(head.layer), None, if side == QkSide::Query { query } else { key })
        }
    };
    let (layer, feature) = (layer.map(|Layer(layer)| layer), feature.map(|feature| feature.0));
    QkOnly { kind: kind.to_owned(), layer, feature, position: Some(position.0), label: String::new() }
}
