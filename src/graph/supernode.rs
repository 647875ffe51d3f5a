//! The graph of groups: the pinned nodes, with the members of a supernode weighed as one.

use crate::graph::{AttributionGraph, Edited};
use crate::ids::NodeId;

/// A node of the graph of groups: a supernode, or a pinned node that is in none, which is a group of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supernode {
    /// Index in [`Edited::groups`]; `None` for a lone pinned node.
    pub group: Option<usize>,
    /// Members; at least one.
    pub members: Vec<NodeId>,
}

/// The effect of one supernode on another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuperEdge {
    /// Index of the supernode that has the effect.
    pub source: usize,
    /// Index of the supernode that is affected.
    pub target: usize,
    /// Signed share of the target's input from outside of it.
    pub weight: f64,
}

/// Supernodes and the edges between them.
///
/// Two groups may have effects on each other, so that this graph may have cycles where the whole one has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SupernodeGraph {
    /// Supernodes: the groups in their order, then the lone pinned nodes in theirs.
    pub nodes: Vec<Supernode>,
    /// Edges by target, then by source. A link inside a group is none.
    pub edges: Vec<SuperEdge>,
}

/// Builds the graph of groups of the pinned nodes.
///
/// The weights follow Anthropic's front end. With `in_t` the absolute sum of the input of `t`, `ext_t` that of its
/// input from outside of its group, and `share_t = ext_t / in_t` divided by its sum over the members of `T`: `weight(S
/// -> T)` is the sum over `t` in `T` of `share_t` times the sum over `s` in `S` of `A[t, s] / ext_t`. Between two lone
/// nodes that is `A[t, s] / in_t`. All edges of the graph count, kept or not, so that the drawing does not change with
/// the thresholds.
///
/// # Examples
/// ```
/// use circuitscope::{format, graph::supernodes};
/// use std::path::Path;
///
/// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
/// let grouped = supernodes(&document.graph, &document.edited);
/// assert_eq!(document.edited.groups[0].name, "deep");
/// assert_eq!((grouped.nodes.len(), grouped.edges[0].weight), (2, 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn supernodes(graph: &AttributionGraph, edited: &Edited) -> SupernodeGraph {
    let groups = edited.groups.iter().enumerate();
    let mut nodes: Vec<_> =
        groups.map(|(at, group)| Supernode { group: Some(at), members: group.members.clone() }).collect();
    let lone = edited.pins.iter().filter(|pin| edited.group_of(**pin).is_none());
    nodes.extend(lone.map(|&pin| Supernode { group: None, members: vec![pin] }));

    let mut owner = vec![None; graph.n_nodes()];
    for (at, node) in nodes.iter().enumerate() {
        for member in &node.members {
            owner[member.index()] = Some(at);
        }
    }
    let mut edges = Vec::new();
    let mut sums: Vec<Option<f64>> = vec![None; nodes.len()];
    for (target, node) in nodes.iter().enumerate() {
        let shares: Vec<f64> = node.members.iter().map(|&t| outside_share(graph, &owner, t)).collect();
        let all: f64 = shares.iter().sum();
        for (&t, _) in node.members.iter().zip(shares).filter(|(_, share)| *share > 0.0) {
            // share_t / ext_t, in which ext_t cancels.
            let factor = 1.0 / (all * graph.input_total(t));
            for edge in graph.incoming(t) {
                if let Some(source) = owner[edge.source.index()].filter(|source| *source != target) {
                    *sums[source].get_or_insert(0.0) += f64::from(edge.weight) * factor;
                }
            }
        }
        let found = sums.iter_mut().enumerate().filter_map(|(source, sum)| Some((source, sum.take()?)));
        edges.extend(found.map(|(source, weight)| SuperEdge { source, target, weight }));
    }
    SupernodeGraph { nodes, edges }
}

/// Returns the share of a node's input from outside of its group. The left-out sum of a sparse trace is split as the
/// stored edges are.
fn outside_share(graph: &AttributionGraph, owner: &[Option<usize>], t: NodeId) -> f64 {
    let (mut inside, mut outside) = (0.0, 0.0);
    for edge in graph.incoming(t) {
        let weight = f64::from(edge.weight.abs());
        if owner[edge.source.index()] == owner[t.index()] {
            inside += weight;
        } else {
            outside += weight;
        }
    }
    if outside > 0.0 { outside / (inside + outside) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::{any_graph, by_hand};
    use crate::graph::{Edit, Edits};
    use proptest::prelude::*;

    fn grouped(edits: &[Edit]) -> Edited {
        let mut all = Edits::default();
        edits.iter().for_each(|edit| assert!(all.apply(edit.clone())));
        all.now().clone()
    }

    #[test]
    fn groups_worked_out_by_hand() {
        // f0 (0) and f1 (1) are one group T, the token (3) and the error (2) are lone, and so is the logit (4).
        // in_0 = 4, all from outside; in_1 = 8, of which 6 from f0 inside: the shares are 1 and 1/4, so 4/5 and 1/5.
        let edges = [(3, 0, 3.0), (2, 0, -1.0), (0, 1, 6.0), (3, 1, -1.0), (2, 1, 1.0), (0, 4, 2.0), (1, 4, -6.0)];
        let graph = by_hand(&edges);
        let members = vec![NodeId(0), NodeId(1)];
        let lone = Edit::Pin(vec![NodeId(2), NodeId(3), NodeId(4)]);
        let found = supernodes(&graph, &grouped(&[Edit::Group { name: "T".into(), members }, lone]));
        assert_eq!(found.nodes.len(), 4);
        assert_eq!(found.nodes[0], Supernode { group: Some(0), members: vec![NodeId(0), NodeId(1)] });
        let weight = |source, target| {
            found.edges.iter().find(|edge| (edge.source, edge.target) == (source, target)).map(|edge| edge.weight)
        };
        let close = |found: Option<f64>, wanted: f64| assert!((found.unwrap() - wanted).abs() < 1e-12, "{found:?}");
        close(weight(2, 0), 0.8 * 3.0 / 4.0 - 0.2 * 1.0 / 2.0);
        close(weight(1, 0), -0.8 / 4.0 + 0.2 * 1.0 / 2.0);
        close(weight(0, 3), (2.0 - 6.0) / 8.0);
        assert_eq!(found.edges.len(), 3, "the link inside the group is dropped: {:?}", found.edges);
    }

    #[test]
    fn a_member_that_is_fed_from_inside_alone_has_no_share() {
        let graph = by_hand(&[(3, 0, 3.0), (0, 1, 2.0), (1, 4, 1.0)]);
        let members = vec![NodeId(0), NodeId(1)];
        let edits = [Edit::Group { name: "T".into(), members }, Edit::Pin(vec![NodeId(3)])];
        let found = supernodes(&graph, &grouped(&edits));
        assert_eq!(found.edges, [SuperEdge { source: 1, target: 0, weight: 1.0 }]);
    }

    proptest! {
        #[test]
        fn between_lone_nodes_an_edge_is_the_plain_normalised_weight(graph in any_graph(), alone: bool) {
            let all: Vec<_> = graph.node_ids().collect();
            // A group of one is weighed as a lone node is.
            let groups = all.iter().map(|id| Edit::Group { name: String::new(), members: vec![*id] });
            let edits: Vec<_> = if alone { vec![Edit::Pin(all.clone())] } else { groups.collect() };
            let found = supernodes(&graph, &grouped(&edits));
            let id = |at: usize| found.nodes[at].members[0];
            let found: Vec<_> = found.edges.iter().map(|edge| (id(edge.source), id(edge.target), edge.weight)).collect();
            let share = |edge: &crate::graph::Edge| f64::from(edge.weight) / graph.input_total(edge.target);
            let plain: Vec<_> = graph.edges().map(|edge| (edge.source, edge.target, share(&edge))).collect();
            prop_assert_eq!(found.len(), plain.len());
            for (found, plain) in found.iter().zip(&plain) {
                prop_assert_eq!((found.0, found.1), (plain.0, plain.1));
                prop_assert!((found.2 - plain.2).abs() <= 1e-15);
            }
        }

        #[test]
        fn what_flows_into_a_group_is_at_most_everything(graph in any_graph(), in_group in any::<[bool; 16]>()) {
            let members: Vec<_> = graph.node_ids().filter(|id| in_group[id.index()]).collect();
            prop_assume!(!members.is_empty());
            let edits = [Edit::Group { name: "T".into(), members }, Edit::Pin(graph.node_ids().collect())];
            let mut all = Edits::default();
            edits.into_iter().for_each(|edit| { all.apply(edit); });
            let found = supernodes(&graph, all.now());
            for target in 0..found.nodes.len() {
                let into = found.edges.iter().filter(|edge| edge.target == target);
                prop_assert!(into.map(|edge| edge.weight.abs()).sum::<f64>() <= 1.0 + 1e-12);
            }
        }
    }
}
