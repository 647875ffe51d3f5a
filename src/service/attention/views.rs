//! Attention of heads as the screen shows it: in parts that follow one another, with the graph's own nodes.

use crate::attribution::{
    Against, Asked, Engine, HeadFlows, HeadType, Look, Probe, QkAttribution, QkQuestion, QkSide, QkSource, Softcap,
    source_of,
};
use crate::graph::{AttributionGraph, Head, Kept};
use crate::ids::{Layer, NodeId, Position};
use crate::job::Monitor;
use crate::service::attention::{CircuitHeads, heads_of, sources_of};
use crate::service::interventions::CachedBaseline;
use crate::verify::made_with;
use anyhow::Result;
use std::collections::HashMap;

/// Most sources of either side, and most pairs, that are listed.
const LISTED: usize = 40;

/// Least share of a query's attention with which a key is listed that is not the head's strongest.
const LEAST_READ: f32 = 0.1;

/// Least share of an edge that a head has to carry to be named.
const LEAST_CARRIED: f32 = 0.01;

/// Query and key of one head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LookAt {
    /// Head.
    pub head: Head,
    /// Position that the head looks from.
    pub query: Position,
    /// Position that the head looks at.
    pub key: Position,
}

/// What is known of a head's look at a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadView {
    /// Attention to each key that the query sees.
    pub looks: Vec<Look>,
    /// Kinds of the head.
    pub types: Vec<HeadType>,
    /// Split of the key's score; `None` while it is being computed.
    pub split: Option<SplitView>,
}

impl HeadView {
    /// Returns true where nothing is still being computed.
    pub fn is_whole(&self) -> bool {
        self.split.as_ref().is_some_and(|split| split.pairs.is_some())
    }
}

/// Contributor to a score, and the node that it is in the graph, if any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contributor {
    /// Contributor.
    pub source: QkSource,
    /// Its node.
    pub node: Option<NodeId>,
}

/// Strongest parts of a score against all keys as the softmax weighs them, the strongest first.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitView {
    /// Score, scaled, in front of a softcap.
    pub score: f32,
    /// Key's share of the query's attention.
    pub pattern: f32,
    /// Factor of the product of query and key.
    pub scale: f64,
    /// Effect of the model's softcap on the score, where there is one.
    pub softcap: Option<Softcap>,
    /// Value that is split: the score, less the reference.
    pub value: f64,
    /// Difference between the sum of all parts and `value`, as a share of their absolute sum.
    pub identity_error: f64,
    /// Contributors on the side of the query, each with its contribution.
    pub queries: Vec<(Contributor, f64)>,
    /// Contributors on the side of the key.
    pub keys: Vec<(Contributor, f64)>,
    /// Absolute contributions on the side of the query and on that of the key, summed: the denominators of shares.
    pub totals: [f64; 2],
    /// Contributors on the side of the query with those on the side of the key; `None` while they are being computed.
    pub pairs: Option<Vec<(Contributor, Contributor, f64)>>,
}

impl SplitView {
    fn of(split: &QkAttribution, graph: &AttributionGraph) -> Self {
        let (listed, nodes) = (split.listed(LISTED), sources_of(graph));
        let contributor = |at: usize| {
            let source = split.sources()[at];
            let node = match source {
                QkSource::Source(source) => nodes.get(&source).copied(),
                QkSource::Bias => None,
            };
            Contributor { source, node }
        };
        let side = |all: &[(usize, f64)]| all.iter().map(|(at, x)| (contributor(*at), *x)).collect();
        let pairs = listed.pairs.iter().map(|it| (contributor(it.query), contributor(it.key), it.contribution));
        Self {
            score: split.score,
            pattern: split.pattern,
            scale: split.scale,
            softcap: split.softcap,
            value: split.value,
            identity_error: split.identity_error(),
            queries: side(&listed.queries),
            keys: side(&listed.keys),
            totals: [QkSide::Query, QkSide::Key].map(|side| split.total(side)),
            pairs: split.has_pairs().then(|| pairs.collect()),
        }
    }

    /// Returns what the listed contributors of a side leave of the value.
    pub fn rest(&self, side: QkSide) -> f64 {
        let listed = if side == QkSide::Query { &self.queries } else { &self.keys };
        self.value - listed.iter().map(|(_, x)| x).sum::<f64>()
    }

    /// Returns what the listed pairs leave of the value.
    pub fn rest_of_pairs(&self) -> f64 {
        self.value - self.pairs.iter().flatten().map(|(_, _, x)| x).sum::<f64>()
    }
}

/// Attention of a head to a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Read {
    /// Head.
    pub head: Head,
    /// Position that it looks at.
    pub key: Position,
    /// Share of its attention.
    pub pattern: f32,
}

/// What the heads look at from one position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PositionReads {
    /// The strongest key of each head, and its others of some weight, the strongest first.
    pub reads: Vec<Read>,
    /// Kinds of each head.
    pub types: HashMap<Head, Vec<HeadType>>,
    /// Influence that flows into the position's kept nodes from other positions, by heads; `None` while it is being
    /// computed.
    pub flows: Option<HeadFlows>,
}

/// Strongest head of an edge, and the share of the edge that passes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeHead {
    /// Head.
    pub head: Head,
    /// The part that passes the head before or after all others, the larger one, over the edge.
    pub share: f32,
}

/// Strongest heads of edges by their ends; `None` where an edge passes no head to speak of.
pub type EdgeHeads = HashMap<(NodeId, NodeId), Option<EdgeHead>>;

impl CachedBaseline {
    /// Returns the frozen model at its run of a graph's prompt.
    pub(in crate::service) fn probe_of<'a>(
        &self,
        engine: &'a Engine,
        graph: &AttributionGraph,
        monitor: &Monitor,
    ) -> Result<Probe<'a>> {
        let ids: Vec<u32> = graph.tokens().iter().map(|token| token.id).collect();
        let probe = self.probe(engine, &engine.tokens(&ids)?, monitor)?;
        made_with(engine, probe.capture(), graph)?;
        Ok(probe)
    }

    /// Returns what a head looks at and why; `told` is given what is known first: what it looks at, then the sources.
    ///
    /// # Errors
    /// Fails where there is no such head or position, the query does not see the key, the graph was made with another
    /// model, or the work was stopped.
    pub fn look(
        &self,
        engine: &Engine,
        graph: &AttributionGraph,
        at: LookAt,
        told: &mut dyn FnMut(HeadView),
        monitor: &Monitor,
    ) -> Result<HeadView> {
        let probe = self.probe_of(engine, graph, monitor)?;
        let LookAt { head, query, key } = at;
        let looks = probe.looks(head, query, monitor)?;
        let mut view = HeadView { looks, types: probe.head_types(head)?, split: None };
        told(view.clone());
        let question = QkQuestion { head, query, key, against: Against::Softmax };
        view.split = Some(SplitView::of(&probe.qk_sums(&question, monitor)?, graph));
        told(view.clone());
        view.split = Some(SplitView::of(&probe.qk(&question, monitor)?, graph));
        Ok(view)
    }

    /// Returns what all heads look at from a position, and the influence that they carry there; `told` is given the
    /// attention, which is known first.
    ///
    /// # Errors
    /// Fails where there is no such position, the graph was made with another model, or the work was stopped.
    pub fn reads(
        &self,
        engine: &Engine,
        (graph, kept): (&AttributionGraph, &Kept),
        position: Position,
        told: &mut dyn FnMut(PositionReads),
        monitor: &Monitor,
    ) -> Result<PositionReads> {
        let probe = self.probe_of(engine, graph, monitor)?;
        let spec = &engine.model.spec;
        let heads = (0..spec.n_layers).flat_map(|layer| (0..spec.n_heads as u32).map(move |head| (layer, head)));
        let mut found = PositionReads::default();
        for (layer, head) in heads {
            monitor.cancel().check()?;
            let head = Head { layer: Layer::from(layer), head };
            found.reads.extend(strong(head, &probe.pattern(head, position)?));
            found.types.insert(head, probe.head_types(head)?);
        }
        found.reads.sort_by(|a, b| b.pattern.total_cmp(&a.pattern));
        told(found.clone());
        found.flows = Some(probe.head_flows_into(position, graph, kept, monitor)?);
        Ok(found)
    }

    /// Returns the strongest head of each of some edges; `told` is given those that are known so far. Edges that cannot
    /// be split are left out.
    ///
    /// # Errors
    /// Fails where the graph was made with another model, or the work was stopped.
    pub fn edge_heads(
        &self,
        engine: &Engine,
        graph: &AttributionGraph,
        edges: &[(NodeId, NodeId)],
        told: &mut dyn FnMut(EdgeHeads),
        monitor: &Monitor,
    ) -> Result<EdgeHeads> {
        let probe = self.probe_of(engine, graph, monitor)?;
        let mut found = EdgeHeads::new();
        for (nth, (source, target)) in edges.iter().enumerate() {
            monitor.report("heads of edges", nth as u64, edges.len() as u64)?;
            let ends = Asked::of_node(graph, *target).and_then(|target| Ok((target, source_of(graph, *source)?)));
            let Ok((asked, from)) = ends else { continue };
            let in_vocabulary =
                |asked: &Asked| !matches!(asked, Asked::Logit(id) if *id as usize >= engine.model.spec.vocab_size);
            if !in_vocabulary(&asked) {
                continue;
            }
            let parts = probe.heads(asked, from, monitor)?;
            let strongest = parts.heads.iter().max_by(|a, b| a.size().total_cmp(&b.size()));
            let named = strongest.map(|part| {
                let larger = if part.first.abs() >= part.last.abs() { part.first } else { part.last };
                EdgeHead { head: part.head, share: larger / parts.total }
            });
            found.insert((*source, *target), named.filter(|it| it.share.abs() >= LEAST_CARRIED));
            told(found.clone());
        }
        Ok(found)
    }

    /// Splits the influence that flows through the kept edges of a graph by heads.
    ///
    /// # Errors
    /// Fails where the graph was made with another model, or the work was stopped.
    pub fn circuit_heads(
        &self,
        engine: &Engine,
        (graph, kept): (&AttributionGraph, &Kept),
        monitor: &Monitor,
    ) -> Result<CircuitHeads> {
        heads_of(&self.probe_of(engine, graph, monitor)?, graph, kept, monitor)
    }
}

/// Returns the strongest key of a head's attention `[keys]`, by position, and its others of some weight.
fn strong(head: Head, pattern: &[f32]) -> Vec<Read> {
    let most = pattern.iter().copied().fold(0.0, f32::max);
    let keys = pattern.iter().enumerate().filter(|(_, x)| **x > 0.0 && (**x == most || **x >= LEAST_READ));
    keys.map(|(key, pattern)| Read { head, key: Position::from(key), pattern: *pattern }).collect()
}

/// Influence through a head in two graphs.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedHead {
    /// Head.
    pub head: Head,
    /// Influence of paths whose last head is this one, in either graph.
    pub influence: [f64; 2],
    /// Kinds of the head on either prompt.
    pub types: [Vec<HeadType>; 2],
}

impl ComparedHead {
    /// Returns the influence in the second graph less that in the first.
    pub fn difference(&self) -> f64 {
        self.influence[1] - self.influence[0]
    }
}

/// Compares the heads of two graphs of one model, by layer, then head.
pub fn compared_heads(a: &CircuitHeads, b: &CircuitHeads) -> Vec<ComparedHead> {
    let other: HashMap<Head, f64> = b.flows.heads.iter().map(|flow| (flow.head, flow.last)).collect();
    let types = |of: &CircuitHeads, head: Head| of.types.get(&head).cloned().unwrap_or_default();
    let heads = a.flows.heads.iter().map(|flow| ComparedHead {
        head: flow.head,
        influence: [flow.last, other.get(&flow.head).copied().unwrap_or(0.0)],
        types: [types(a, flow.head), types(b, flow.head)],
    });
    heads.collect()
}

/// Returns the places of compared heads, those first whose influence differs most.
pub fn by_difference(heads: &[ComparedHead]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..heads.len()).collect();
    order.sort_by(|a, b| heads[*b].difference().abs().total_cmp(&heads[*a].difference().abs()).then(a.cmp(b)));
    order
}
