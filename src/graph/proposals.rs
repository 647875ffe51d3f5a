//! Proposals of supernodes: features of one token span with alike inputs and outputs.

use crate::graph::{AttributionGraph, Edited, Kept};
use crate::ids::NodeId;
use crate::job::{Cancel, Cancelled};

/// Bounds on the likeness of features that are proposed as one supernode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarityBounds {
    /// Least cosine, of the inputs and of the outputs both.
    pub cosine: f64,
    /// Tokens that a proposal spans, at most.
    pub span: usize,
}

impl Default for SimilarityBounds {
    fn default() -> Self {
        Self { cosine: 0.6, span: 2 }
    }
}

/// Proposed supernode.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Members, at least two, the most influential one first; the others are alike to that one.
    pub members: Vec<NodeId>,
    /// Cosine of the member that is least like the first.
    pub likeness: f64,
}

/// Proposes groups of alike features among the kept ones, those around the most influential features first.
///
/// The inputs of two features are compared by the cosine of their kept rows, the outputs by that of their kept columns,
/// each entry normalised by the input of its target. Features are taken by influence; each that is not in a proposal
/// yet takes those alike to it. Features that are in a group already are left out, and so are proposals of which
/// `refused` holds every member, so that a refused proposal does not return.
///
/// # Errors
/// Fails with [`Cancelled`] where the work was asked to stop.
pub fn proposals(
    graph: &AttributionGraph,
    kept: &Kept,
    edited: &Edited,
    refused: &[Vec<NodeId>],
    likeness: SimilarityBounds,
    cancel: &Cancel,
) -> Result<Vec<Proposal>, Cancelled> {
    let grouped: Vec<NodeId> = edited.groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    let is_free = |id: &NodeId| graph.node(*id).is_feature() && !grouped.contains(id);
    let mut free: Vec<NodeId> = kept.node_ids().filter(is_free).collect();
    free.sort_by(|a, b| kept.by_influence(*a, *b));
    let sides: Vec<Sides> = free.iter().map(|&id| Sides::new(graph, kept, id)).collect();

    let mut taken = vec![false; free.len()];
    let mut inputs = vec![0.0; graph.n_nodes()];
    let mut outputs = vec![0.0; graph.n_nodes()];
    let mut found = Vec::new();
    for seed in 0..free.len() {
        cancel.check()?;
        if taken[seed] {
            continue;
        }
        scatter(&sides[seed].inputs, &mut inputs);
        scatter(&sides[seed].outputs, &mut outputs);
        let mut span = Span::of(graph, free[seed]);
        let mut proposal = Proposal { members: vec![free[seed]], likeness: 1.0 };
        let mut members = vec![seed];
        for other in seed + 1..free.len() {
            let wider = span.with(graph, free[other]);
            if taken[other] || wider.len() > likeness.span {
                continue;
            }
            let alike = product(&sides[other].inputs, &inputs).min(product(&sides[other].outputs, &outputs));
            if alike >= likeness.cosine {
                span = wider;
                members.push(other);
                proposal.members.push(free[other]);
                proposal.likeness = proposal.likeness.min(alike);
            }
        }
        clear(&sides[seed].inputs, &mut inputs);
        clear(&sides[seed].outputs, &mut outputs);
        let is_refused = |refused: &Vec<NodeId>| proposal.members.iter().all(|member| refused.contains(member));
        if members.len() > 1 && !refused.iter().any(is_refused) {
            members.iter().for_each(|&member| taken[member] = true);
            found.push(proposal);
        }
    }
    Ok(found)
}

/// A range of positions.
#[derive(Clone, Copy)]
struct Span {
    first: usize,
    last: usize,
}

impl Span {
    fn of(graph: &AttributionGraph, id: NodeId) -> Self {
        let at = graph.node(id).position().index();
        Self { first: at, last: at }
    }

    fn with(self, graph: &AttributionGraph, id: NodeId) -> Self {
        let at = graph.node(id).position().index();
        Self { first: self.first.min(at), last: self.last.max(at) }
    }

    fn len(self) -> usize {
        self.last - self.first + 1
    }
}

/// A node's kept inputs and outputs as sparse vectors of length 1, or empty ones.
struct Sides {
    inputs: Vec<(NodeId, f64)>,
    outputs: Vec<(NodeId, f64)>,
}

impl Sides {
    fn new(graph: &AttributionGraph, kept: &Kept, id: NodeId) -> Self {
        let share = |edge: crate::graph::Edge| f64::from(edge.weight) / graph.input_total(edge.target);
        Self {
            inputs: unit(kept.incoming(graph, id).map(|edge| (edge.source, share(edge))).collect()),
            outputs: unit(kept.outgoing(graph, id).map(|edge| (edge.target, share(edge))).collect()),
        }
    }
}

fn unit(mut vector: Vec<(NodeId, f64)>) -> Vec<(NodeId, f64)> {
    let length = vector.iter().map(|(_, entry)| entry * entry).sum::<f64>().sqrt();
    vector.iter_mut().for_each(|(_, entry)| *entry /= length);
    vector
}

fn scatter(vector: &[(NodeId, f64)], onto: &mut [f64]) {
    vector.iter().for_each(|(id, entry)| onto[id.index()] = *entry);
}

fn clear(vector: &[(NodeId, f64)], onto: &mut [f64]) {
    vector.iter().for_each(|(id, _)| onto[id.index()] = 0.0);
}

fn product(vector: &[(NodeId, f64)], dense: &[f64]) -> f64 {
    vector.iter().map(|(id, entry)| entry * dense[id.index()]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::{info, logit, plain};
    use crate::graph::{Edit, Edits, GraphInfo, Node, NodeKind, Thresholds, Token, prune};
    use crate::ids::{FeatureId, Layer, Position};

    /// Builds a graph of features 0 to 3 at positions 0, 1, 2 and 0, tokens 4 to 6, logits 7 and 8.
    fn graph(edges: &[(u32, u32, f32)]) -> AttributionGraph {
        let feature = |at: u32, position: u32| Node {
            kind: NodeKind::Feature { layer: Layer(at), position: Position(position), feature: FeatureId(at) },
            activation: None,
        };
        let mut nodes: Vec<_> = [0, 1, 2, 0].iter().zip(0..).map(|(&position, at)| feature(at, position)).collect();
        nodes.extend((0..3).map(|at| plain(NodeKind::Token { position: Position(at), id: at })));
        nodes.extend([logit(0.6), logit(0.4)]);
        let tokens = vec![Token { id: 0, text: "a".into() }; 3];
        let edges = edges.iter().map(|&(source, target, weight)| (NodeId(source), NodeId(target), weight));
        AttributionGraph::from_edges(GraphInfo { tokens, ..info(4) }, nodes, edges).unwrap()
    }

    #[test]
    fn features_with_alike_inputs_and_outputs_are_proposed_until_refused_or_grouped() {
        // Features 0, 1 and 2 read token 4 and write logit 7, feature 2 from too far away; 3 writes another logit.
        let alike = |feature: u32| [(4, feature, 2.0 + feature as f32), (feature, 7, 1.0)];
        let mut edges: Vec<_> = [0, 1, 2].into_iter().flat_map(alike).collect();
        edges.extend([(4, 3, 1.0), (3, 8, 1.0)]);
        let graph = graph(&edges);
        let kept = prune(&graph, Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() });
        let propose = |edits: &Edits, refused: &[Vec<NodeId>]| {
            let likeness = SimilarityBounds::default();
            proposals(&graph, &kept, edits.now(), refused, likeness, &Cancel::default()).unwrap()
        };
        let mut edits = Edits::default();
        let found = propose(&edits, &[]);
        assert_eq!(found, [Proposal { members: vec![NodeId(0), NodeId(1)], likeness: 1.0 }]);
        // Without the first, which takes the second, the second and the third are next to each other.
        let found = propose(&edits, &[vec![NodeId(0), NodeId(1)]]);
        assert_eq!(found, [Proposal { members: vec![NodeId(1), NodeId(2)], likeness: 1.0 }]);
        edits.apply(Edit::Group { name: String::new(), members: vec![NodeId(1)] });
        assert_eq!(propose(&edits, &[]), []);
    }

    #[test]
    fn opposite_features_are_not_alike() {
        let graph = graph(&[(4, 0, 1.0), (4, 1, 1.0), (0, 7, 1.0), (1, 7, -1.0)]);
        let kept = prune(&graph, Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() });
        let edited = Edited::default();
        let found = proposals(&graph, &kept, &edited, &[], SimilarityBounds::default(), &Cancel::default());
        assert_eq!(found, Ok(Vec::new()));
    }
}
