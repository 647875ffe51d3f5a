//! Construction of an attribution graph: from a trace, from a dense matrix, from a list of edges.

use crate::graph::{AttributionGraph, InfluenceOf, Node, NodeKind, RawTrace, RowTarget, Rows, TargetKind, Token};
use crate::ids::{EdgeId, NodeId};
use petgraph::algo::toposort;
use std::sync::Arc;

/// Error of building a graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// Edge to a node that does not exist.
    #[error("the edge from node {from} to node {to} leads outside the graph, which has {n_nodes} nodes")]
    NoSuchNode {
        /// Source of the edge.
        from: NodeId,
        /// Target of the edge.
        to: NodeId,
        /// Number of nodes.
        n_nodes: usize,
    },
    /// Weight that is NaN or infinite.
    #[error("the edge from node {from} to node {to} weighs {weight}; a weight has to be a finite number")]
    NotFinite {
        /// Source of the edge.
        from: NodeId,
        /// Target of the edge.
        to: NodeId,
        /// Weight of the edge.
        weight: f32,
    },
    /// Two edges with the same ends.
    #[error("there are two edges from node {from} to node {to}; an effect is stated once")]
    TwoEdges {
        /// Source of the edges.
        from: NodeId,
        /// Target of the edges.
        to: NodeId,
    },
    /// Node with an effect on itself, direct or indirect.
    #[error("node {0} lies on a cycle; effects of a forward pass have none")]
    Cycle(NodeId),
    /// Node outside the prompt or the model, or with an impossible probability.
    #[error("node {node} is out of place: {what}")]
    OutOfPlace {
        /// The node.
        node: NodeId,
        /// Description of the fault.
        what: String,
    },
    /// More nodes or edges than ids of 32 bits can number.
    #[error("{what} is more than a graph can hold ({max} nodes or edges); trace fewer features")]
    TooLarge {
        /// Count of nodes or edges.
        what: String,
        /// Largest possible count.
        max: u32,
    },
    /// Dense matrix that is not N by N.
    #[error("the adjacency matrix has {found} entries; {n_nodes} nodes need {n_nodes} x {n_nodes}")]
    MatrixSize {
        /// Number of its entries.
        found: usize,
        /// Number of nodes.
        n_nodes: usize,
    },
    /// Parts of a trace that do not fit each other.
    #[error("the trace does not fit together: {0}")]
    Trace(String),
}

/// Facts about a graph beside its nodes and edges.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphInfo {
    /// Layers of the model, `L`.
    pub n_layers: usize,
    /// The prompt as the model reads it, `[P]`.
    pub tokens: Vec<Token>,
    /// True where the trace was stopped before every wanted feature had its row.
    pub partial: bool,
}

impl AttributionGraph {
    /// Builds the graph of a trace: the features that have rows (ascending), then errors (layer-major), tokens and
    /// logits, which is circuit-tracer's order. Columns of features without a row are dropped, as there.
    ///
    /// A sparse trace leaves out a stated share of each row's absolute sum. Where every active feature has a row,
    /// [`AttributionGraph::input_total`] holds that exact sum, so normalisation over all columns stays exact. Where
    /// some have none, part of the left-out sum lies in columns that are dropped; it is split as the stored entries
    /// are, which is an approximation bounded by the left-out share.
    ///
    /// # Errors
    /// Fails with [`GraphError`] where the trace's parts do not fit each other or hold a number that is not finite.
    pub fn from_trace(trace: &RawTrace) -> Result<Self, GraphError> {
        trace.validate()?;
        let mut row_of_active = vec![None; trace.active.len()];
        let mut row_of_logit = vec![None; trace.targets.len()];
        for (row, target) in trace.row_targets.iter().enumerate() {
            match *target {
                RowTarget::Feature(active) => row_of_active[active as usize] = Some(row),
                RowTarget::Logit(logit) => row_of_logit[logit as usize] = Some(row),
            }
        }
        let nodes = trace_nodes(trace, &row_of_active);
        let n_first = nodes.len() - trace.targets.len();
        let mut node_of_column = vec![None; trace.n_columns()];
        let kept_columns = (0..trace.n_columns()).filter(|&c| row_of_active.get(c).is_none_or(Option::is_some));
        for (node, column) in kept_columns.enumerate() {
            node_of_column[column] = Some(NodeId::from(node));
        }
        let rows_of_features = row_of_active.iter().flatten().copied().enumerate();
        let rows_of_logits =
            row_of_logit.iter().enumerate().filter_map(|(logit, row)| Some((n_first + logit, (*row)?)));

        let info = GraphInfo { n_layers: trace.n_layers, tokens: trace.tokens.clone(), partial: trace.is_partial() };
        let mut builder = Builder::new(info, nodes)?;
        let mut totals = vec![0.0; builder.nodes.len()];
        for (target, row) in rows_of_features.chain(rows_of_logits) {
            totals[target] = builder.push_row(NodeId::from(target), trace, row, &node_of_column)?;
        }
        builder.finish(Some(totals))
    }

    /// Builds a graph from its adjacency matrix: `matrix[target * N + source]`. A zero is no edge.
    ///
    /// # Errors
    /// Fails with [`GraphError`] where the matrix has another size, a number that is not finite, or a cycle.
    pub fn from_dense(info: GraphInfo, nodes: Vec<Node>, matrix: &[f32]) -> Result<Self, GraphError> {
        let n_nodes = nodes.len();
        if n_nodes.checked_mul(n_nodes) != Some(matrix.len()) {
            return Err(GraphError::MatrixSize { found: matrix.len(), n_nodes });
        }
        let mut builder = Builder::new(info, nodes)?;
        for (target, row) in matrix.chunks_exact(n_nodes.max(1)).enumerate() {
            for (source, &weight) in row.iter().enumerate() {
                builder.push(NodeId::from(source), NodeId::from(target), weight)?;
            }
        }
        builder.finish(None)
    }

    /// Builds a graph from its edges `(source, target, weight)`, in any order. An edge of weight zero is none.
    ///
    /// # Errors
    /// Fails with [`GraphError`] where an edge leads to a node that does not exist, is stated twice, has a weight that
    /// is not finite, or closes a cycle.
    pub fn from_edges(
        info: GraphInfo,
        nodes: Vec<Node>,
        edges: impl IntoIterator<Item = (NodeId, NodeId, f32)>,
    ) -> Result<Self, GraphError> {
        builder_of_edges(info, nodes, edges)?.finish(None)
    }

    /// Builds the graph of another program's file: as [`AttributionGraph::from_edges`], but a graph with a cycle is
    /// accepted. Nothing can be computed along its edges then (see [`AttributionGraph::is_cyclic`]).
    ///
    /// # Errors
    /// As [`AttributionGraph::from_edges`], but for the cycle.
    ///
    /// # Panics
    /// As [`AttributionGraph::with_influence_of`].
    pub fn from_file(
        info: GraphInfo,
        nodes: Vec<Node>,
        edges: impl IntoIterator<Item = (NodeId, NodeId, f32)>,
        influence_of: InfluenceOf,
    ) -> Result<Self, GraphError> {
        let mut graph = builder_of_edges(info, nodes, edges)?.unordered(None)?;
        match toposort(&graph, None) {
            Ok(order) => graph.order = order,
            Err(_) => {
                graph.order = graph.node_ids().collect();
                graph.is_cyclic = true;
            }
        }
        Ok(graph.with_influence_of(influence_of))
    }
}

/// Returns the nodes of a trace in circuit-tracer's order.
fn trace_nodes(trace: &RawTrace, row_of_active: &[Option<usize>]) -> Vec<Node> {
    let plain = |kind| Node { kind, activation: None };
    let positions = 0..trace.n_positions();
    let last = positions.end.saturating_sub(1).into();
    let features = trace.active.iter().zip(&trace.activations).zip(row_of_active).filter(|(_, row)| row.is_some());
    let features = features.map(|((at, &activation), _)| Node {
        kind: NodeKind::Feature { layer: at.layer, position: at.position, feature: at.feature },
        activation: Some(activation),
    });
    let errors = (0..trace.n_layers).flat_map(|layer| {
        positions.clone().map(move |position| NodeKind::Error { layer: layer.into(), position: position.into() })
    });
    let tokens =
        trace.tokens.iter().enumerate().map(|(at, token)| NodeKind::Token { position: at.into(), id: token.id });
    let logits = trace.targets.iter().map(|target| NodeKind::Logit {
        position: match target.kind {
            TargetKind::Feature(at) => at.position,
            TargetKind::Token | TargetKind::Direction => last,
        },
        id: target.id,
        probability: target.probability,
        text: match target.kind {
            TargetKind::Feature(_) => format!("{} pre-activation", target.text),
            TargetKind::Token | TargetKind::Direction => target.text.clone(),
        },
    });
    features.chain(errors.chain(tokens).chain(logits).map(plain)).collect()
}

fn builder_of_edges(
    info: GraphInfo,
    nodes: Vec<Node>,
    edges: impl IntoIterator<Item = (NodeId, NodeId, f32)>,
) -> Result<Builder, GraphError> {
    let mut builder = Builder::new(info, nodes)?;
    let mut edges: Vec<_> = edges.into_iter().collect();
    edges.sort_unstable_by_key(|&(source, target, _)| (target, source));
    for pair in edges.windows(2) {
        if (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) {
            return Err(GraphError::TwoEdges { from: pair[0].0, to: pair[0].1 });
        }
    }
    for (source, target, weight) in edges {
        builder.push(source, target, weight)?;
    }
    Ok(builder)
}

/// Builder that takes edges by target, then by source.
struct Builder {
    info: GraphInfo,
    nodes: Vec<Node>,
    sources: Vec<NodeId>,
    targets: Vec<NodeId>,
    weights: Vec<f32>,
}

impl Builder {
    fn new(info: GraphInfo, nodes: Vec<Node>) -> Result<Self, GraphError> {
        if u32::try_from(nodes.len()).is_err() {
            return Err(GraphError::TooLarge { what: format!("{} nodes", nodes.len()), max: u32::MAX });
        }
        for (at, node) in nodes.iter().enumerate() {
            let wrong = if node.position().index() >= info.tokens.len() {
                format!("position {} of a prompt of {} tokens", node.position(), info.tokens.len())
            } else if let Some(layer) = node.layer().filter(|layer| layer.index() >= info.n_layers) {
                format!("layer {layer} of a model of {} layers", info.n_layers)
            } else if let NodeKind::Logit { probability, .. } = node.kind
                && !(probability >= 0.0 && probability.is_finite())
            {
                format!("its probability or weight is {probability}")
            } else {
                continue;
            };
            return Err(GraphError::OutOfPlace { node: at.into(), what: wrong });
        }
        Ok(Self { info, nodes, sources: Vec::new(), targets: Vec::new(), weights: Vec::new() })
    }

    fn push(&mut self, source: NodeId, target: NodeId, weight: f32) -> Result<(), GraphError> {
        let n_nodes = self.nodes.len();
        if source.index() >= n_nodes || target.index() >= n_nodes {
            return Err(GraphError::NoSuchNode { from: source, to: target, n_nodes });
        }
        if !weight.is_finite() {
            return Err(GraphError::NotFinite { from: source, to: target, weight });
        }
        if weight != 0.0 {
            self.sources.push(source);
            self.targets.push(target);
            self.weights.push(weight);
        }
        Ok(())
    }

    /// Pushes the kept columns of a trace's row and returns the target's input total.
    fn push_row(
        &mut self,
        target: NodeId,
        trace: &RawTrace,
        row: usize,
        node_of_column: &[Option<NodeId>],
    ) -> Result<f64, GraphError> {
        let start = self.weights.len();
        let kept_share = match &trace.rows {
            Rows::Dense { values } => {
                let row = &values[row * node_of_column.len()..][..node_of_column.len()];
                for (source, &weight) in node_of_column.iter().zip(row) {
                    if let Some(source) = source {
                        self.push(*source, target, weight)?;
                    }
                }
                1.0
            }
            Rows::Sparse { starts, columns, values, .. } => {
                let range = starts[row] as usize..starts[row + 1] as usize;
                let mut stored = 0.0;
                for (&column, &weight) in columns[range.clone()].iter().zip(&values[range.clone()]) {
                    stored += f64::from(weight.abs());
                    if let Some(source) = node_of_column[column as usize] {
                        self.push(source, target, weight)?;
                    }
                }
                columns.release(range.clone());
                values.release(range);
                if stored > 0.0 { trace.row_abs_sums[row] / stored } else { 1.0 }
            }
        };
        Ok(abs_sum(&self.weights[start..]) * kept_share)
    }

    fn finish(self, input_totals: Option<Vec<f64>>) -> Result<AttributionGraph, GraphError> {
        let mut graph = self.unordered(input_totals)?;
        graph.order = toposort(&graph, None).map_err(|cycle| GraphError::Cycle(cycle.node_id()))?;
        Ok(graph)
    }

    /// Returns the graph, without its topological order.
    fn unordered(self, input_totals: Option<Vec<f64>>) -> Result<AttributionGraph, GraphError> {
        let Self { info, nodes, sources, targets, weights } = self;
        let n_nodes = nodes.len();
        if u32::try_from(weights.len()).is_err() {
            return Err(GraphError::TooLarge { what: format!("{} edges", weights.len()), max: u32::MAX });
        }
        let row_starts = starts(&targets, n_nodes);
        let column_starts = starts(&sources, n_nodes);
        let mut next = column_starts.clone();
        let mut column_edges = vec![EdgeId(0); weights.len()];
        for (edge, source) in sources.iter().enumerate() {
            let slot = &mut next[source.index()];
            column_edges[*slot as usize] = EdgeId::from(edge);
            *slot += 1;
        }
        let input_totals = input_totals.unwrap_or_else(|| {
            row_starts.windows(2).map(|row| abs_sum(&weights[row[0] as usize..row[1] as usize])).collect()
        });
        let GraphInfo { n_layers, tokens, partial } = info;
        Ok(AttributionGraph {
            n_layers,
            tokens,
            nodes,
            partial,
            row_starts,
            sources,
            targets,
            weights,
            column_starts,
            column_edges,
            input_totals,
            order: Vec::new(),
            is_cyclic: false,
            influence_of: Arc::default(),
            file_names: None,
        })
    }
}

fn abs_sum(weights: &[f32]) -> f64 {
    weights.iter().map(|weight| f64::from(weight.abs())).sum()
}

/// Returns the index of each node's first edge once edges are ordered by that end, `[N + 1]`.
fn starts(ends: &[NodeId], n_nodes: usize) -> Vec<u32> {
    let mut starts = vec![0; n_nodes + 1];
    for end in ends {
        starts[end.index() + 1] += 1;
    }
    for at in 0..n_nodes {
        starts[at + 1] += starts[at];
    }
    starts
}
