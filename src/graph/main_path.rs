//! The strongest path down from a node: a first answer to "why".

use crate::graph::{AttributionGraph, Edge, Kept};
use crate::ids::NodeId;

/// Edges examined for one path, at most: more than any real graph's path passes, and a few milliseconds.
const MOST_EDGES: usize = 1 << 20;

/// End of a [`MainPath`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathEnd {
    /// Node without explained inputs.
    #[default]
    Source,
    /// Node that the path has passed already: the links form a cycle.
    Cycle,
    /// Limit on the number of edges examined.
    TooLong,
}

/// Strongest path from a node down to a token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MainPath {
    /// Edges, the node's own input first.
    pub edges: Vec<Edge>,
    /// End of the path.
    pub end: PathEnd,
}

/// Follows the strongest kept input from node to node, errors passed over. No node is passed twice, and no more than a
/// million edges are examined, whatever the graph.
pub fn main_path(graph: &AttributionGraph, kept: &Kept, from: NodeId) -> MainPath {
    let mut path = MainPath::default();
    let mut seen = std::collections::HashSet::from([from]);
    let (mut node, mut looked_at) = (from, 0);
    loop {
        looked_at += graph.incoming(node).len();
        let explained = kept.incoming(graph, node).filter(|edge| !graph.node(edge.source).is_error());
        let Some(edge) = explained.max_by(|a, b| a.weight.abs().total_cmp(&b.weight.abs())) else { return path };
        if !seen.insert(edge.source) {
            path.end = PathEnd::Cycle;
            return path;
        }
        path.edges.push(edge);
        if looked_at > MOST_EDGES {
            path.end = PathEnd::TooLong;
            return path;
        }
        node = edge.source;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::{by_hand, info, logit, plain};
    use crate::graph::{InfluenceOf, NodeKind, Thresholds, prune};
    use crate::ids::Position;

    const ALL: Thresholds = Thresholds { node: 1.0, edge: 1.0, density: 1.0 };

    #[test]
    fn it_follows_the_strongest_input_that_is_no_error() {
        // The error (2) is the logit's strongest input and f0's; f1 and the token come next.
        let graph = by_hand(&[(2, 4, 9.0), (1, 4, -6.0), (0, 4, 2.0), (0, 1, 2.0), (2, 0, 5.0), (3, 0, 1.0)]);
        let path = main_path(&graph, &prune(&graph, ALL), NodeId(4));
        let nodes: Vec<u32> = path.edges.iter().map(|edge| edge.source.0).collect();
        assert_eq!((nodes, path.end), (vec![1, 0, 3], PathEnd::Source));
    }

    #[test]
    fn a_cycle_and_a_self_loop_end_it() {
        let other = |name: &str| {
            let (kind, name) = ("lorsa".into(), name.into());
            plain(NodeKind::Other { layer: None, position: Position(0), kind, name })
        };
        let nodes = || vec![other("a"), other("b"), logit(1.0)];
        let of = |edges: &[(u32, u32, f32)]| {
            let edges = edges.iter().map(|&(source, target, weight)| (NodeId(source), NodeId(target), weight));
            AttributionGraph::from_file(info(1), nodes(), edges, InfluenceOf::Unknown).unwrap()
        };
        for (edges, wanted) in [(&[(0, 1, 1.0), (1, 0, 1.0), (0, 2, 1.0)][..], 2), (&[(0, 0, 1.0), (0, 2, 1.0)], 1)] {
            let graph = of(edges);
            let path = main_path(&graph, &prune(&graph, ALL), NodeId(2));
            assert_eq!((path.edges.len(), path.end), (wanted, PathEnd::Cycle), "{edges:?}");
        }
    }
}
