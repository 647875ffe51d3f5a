//! The dense export: a graph as circuit-tracer computes it, with its adjacency matrix, scores and masks.
//!
//! Beside the tensors that it shares with the raw container (see [`raw`]), with `N` nodes:
//!
//! | tensor | type | what |
//! | --- | --- | --- |
//! | `adjacency_matrix` | F32 `[N, N]` | row = target, column = source; direct effects |
//! | `node_influence` | F32 `[N]` | influence on the logits in the unpruned graph |
//! | `graph_scores` | F64 `[2]` | replacement and completeness of the unpruned graph |
//! | `node_mask` | U8 `[N]` | 1 where a node is kept |
//! | `edge_mask` | U8 `[N, N]` | 1 where an edge is kept |
//! | `cumulative_scores` | F32 `[N]` | share of all influence held by nodes at least as influential |

use crate::format::tensors::{self, Tensor};
use crate::format::{FormatError, raw};
use crate::graph::{AttributionGraph, Edge, Kept, RawTrace, Scores};
use crate::ids::NodeId;
use std::path::Path;

/// Writes the export of `graph`, made from `trace` and pruned to `kept`, whole or not at all. The matrices are written
/// row by row.
///
/// # Errors
/// Fails with [`FormatError::DiskFull`] or [`FormatError::Write`].
pub fn write(
    path: &Path,
    trace: &RawTrace,
    graph: &AttributionGraph,
    kept: &Kept,
    scores: Scores,
) -> Result<(), FormatError> {
    let n = graph.n_nodes();
    let kept_node = |id| u8::from(kept.has_node(id));
    let mut all = raw::shared_tensors(trace);
    all.extend([
        Tensor::new("adjacency_matrix", [n, n], matrix(graph, |edge| edge.weight)),
        Tensor::new("node_influence", [n], kept.influence.iter().map(|&influence| influence as f32)),
        Tensor::new("graph_scores", [2], [scores.replacement, scores.completeness]),
        Tensor::new("node_mask", [n], graph.node_ids().map(kept_node)),
        Tensor::new("edge_mask", [n, n], matrix(graph, |edge| u8::from(kept.has_edge(edge.id)))),
        Tensor::new("cumulative_scores", [n], kept.cumulative.iter().copied()),
    ]);
    tensors::write(path, None, all)
}

/// Builds an `[N, N]` matrix of `entry` of each edge, 0 elsewhere; one row at a time.
fn matrix<'a, T: Copy + Default + 'a>(
    graph: &'a AttributionGraph,
    entry: impl Fn(Edge) -> T + 'a,
) -> impl Iterator<Item = T> + 'a {
    graph.node_ids().flat_map(move |target: NodeId| {
        let mut row = vec![T::default(); graph.n_nodes()];
        for edge in graph.incoming(target) {
            row[edge.source.index()] = entry(edge);
        }
        row
    })
}
