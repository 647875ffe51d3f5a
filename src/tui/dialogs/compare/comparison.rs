//! Two graphs beside each other: nodes and edges that both keep, that changed, that only one has.

use crate::format;
use crate::graph::{
    AttributionGraph, Difference, Document, Edited, FeatureAt, Kept, Labelled, Labels, Origin, Overlay, OverlayEdge,
    OverlayNode, merged, unlike,
};
use crate::ids::{NodeId, Position};
use crate::job::Monitor;
use crate::service::labels::LabelLookup;
use crate::service::library::{FeatureSet, FeatureSource};
use crate::tui::workspace::Circuit;
use crate::tui::workspace::features::{Features, Known};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Graph as it is compared, with its edits and its kept part. Cheap to clone.
#[derive(Clone)]
pub struct Sheet {
    /// The graph.
    pub document: Document,
    /// Edits to the graph.
    pub edited: Edited,
    /// Kept part of the graph.
    pub kept: Arc<Kept>,
    /// Library of the graph's features; `None` where it is not open, or the graph was not on the screen yet.
    pub source: Option<Arc<dyn FeatureSource>>,
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheet").field("prompt", &self.document.origin.prompt).finish_non_exhaustive()
    }
}

impl Sheet {
    /// Creates the sheet of a circuit as pruned, whatever filter it is seen through.
    pub fn of(circuit: &Circuit, features: &Features) -> Self {
        let document = circuit.traced.document.clone();
        let source = features.known.get(&FeatureSet::of(&document.origin)).and_then(Known::open).map(Arc::clone);
        Self { document, edited: circuit.edits.now().clone(), kept: Arc::clone(&circuit.pruning.kept), source }
    }

    /// Labels the graph's features by their library.
    fn named(&mut self, monitor: &Monitor) -> Result<(), String> {
        if let Some(source) = &self.source {
            let Document { graph, labels, .. } = &self.document;
            let named =
                LabelLookup::whole(source, graph, &self.kept, labels, monitor).map_err(|stop| stop.to_string())?;
            self.document.labels = named.merged;
        }
        Ok(())
    }
}

/// One of the graphs that are to be merged.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// Graph that is open.
    Sheet(Box<Sheet>),
    /// File that is yet to be read.
    File(PathBuf),
}

impl Leaf {
    fn read(self, monitor: &Monitor) -> Result<Sheet, String> {
        match self {
            Self::Sheet(mut sheet) => {
                sheet.named(monitor)?;
                Ok(*sheet)
            }
            Self::File(path) => {
                let document = format::open(&path).map_err(|error| error.to_string())?;
                let edited = document.edited.as_ref().clone();
                let kept = Arc::new(document.prune(edited.thresholds));
                Ok(Sheet { document, edited, kept, source: None })
            }
        }
    }
}

/// Merges graphs into one, with the kept part of each.
///
/// # Errors
/// Fails where a file cannot be read, the graphs cannot be laid over each other, or the work was stopped; the error is
/// a sentence.
pub fn merge(leaves: Vec<Leaf>, monitor: &Monitor) -> Result<Document, String> {
    let sheets = leaves.into_iter().map(|leaf| leaf.read(monitor)).collect::<Result<Vec<Sheet>, _>>()?;
    of_one_model(&sheets)?;
    let parts: Vec<_> = sheets.iter().map(|sheet| (&*sheet.document.graph, &*sheet.kept)).collect();
    let overlay = Overlay::new(&parts).map_err(|error| error.to_string())?;
    let works: Vec<_> = sheets.iter().map(|sheet| (&sheet.document, &sheet.edited)).collect();
    merged(&overlay, &works).map_err(|error| error.to_string())
}

fn of_one_model(sheets: &[Sheet]) -> Result<(), String> {
    let origins: Vec<&Origin> = sheets.iter().map(|sheet| &*sheet.document.origin).collect();
    match unlike(&origins) {
        Some([a, b]) => {
            Err(format!("one graph is of {a} and another of {b}: only graphs of one model can be compared"))
        }
        None => Ok(()),
    }
}

/// Two graphs laid over each other.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The graphs, A and B.
    pub graphs: [Arc<AttributionGraph>; 2],
    /// Labels of the features, by the graphs' files and libraries.
    labels: [Arc<Labels>; 2],
    /// Position in either graph, by column; `None` where a graph has no such column.
    pub columns: Vec<[Option<Position>; 2]>,
    /// Nodes of either graph.
    pub nodes: Vec<OverlayNode>,
    /// Difference of the two graphs, by node.
    pub differences: Vec<Difference>,
    /// Activation of each node in either graph, where that has the feature and pruning does not keep it.
    dropped: Vec<[Option<f32>; 2]>,
    /// Listed nodes: features, outputs, and kinds that only files hold. First those that differ, by influence times
    /// difference, then what is shared, by influence; the greatest first.
    pub listed: Vec<usize>,
    edges: Vec<OverlayEdge>,
    /// Edges into and out of a node, by node.
    edges_of: Vec<[Vec<usize>; 2]>,
}

/// Edge of a node, as either graph has it.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// Node at the other end.
    pub other: usize,
    /// Signed share of the target's input, in either graph; `None` where the edge is not kept.
    pub shares: [Option<f64>; 2],
    /// Difference of the two graphs in the edge.
    pub difference: Difference,
}

/// Returns the activations of features that one graph keeps, in the other where that has them and does not keep them.
fn dropped(overlay: &Overlay<'_>, columns: &[[Option<Position>; 2]], sheets: &[Sheet; 2]) -> Vec<[Option<f32>; 2]> {
    let activations = sheets.each_ref().map(|sheet| {
        let features = sheet.document.graph.nodes().iter().filter_map(|node| Some((node.feature()?, node.activation?)));
        features.collect::<HashMap<FeatureAt, f32>>()
    });
    let in_graph = |node: &OverlayNode, graph: usize| {
        if node.nodes[graph].is_some() {
            return None;
        }
        let at = sheets[1 - graph].document.graph.node(node.nodes[1 - graph]?).feature()?;
        let position = columns[node.column][graph]?;
        activations[graph].get(&FeatureAt { position, ..at }).copied()
    };
    overlay.nodes.iter().map(|node| [in_graph(node, 0), in_graph(node, 1)]).collect()
}

impl Comparison {
    /// Lays the second graph over the first.
    ///
    /// # Errors
    /// Fails where the graphs cannot be compared or the work was stopped; the error is a sentence.
    pub fn new(sheets: &mut [Sheet; 2], monitor: &Monitor) -> Result<Self, String> {
        of_one_model(sheets)?;
        for sheet in sheets.iter_mut() {
            sheet.named(monitor)?;
        }
        let parts = sheets.each_ref().map(|sheet| (&*sheet.document.graph, &*sheet.kept));
        let overlay = Overlay::new(&parts).map_err(|error| error.to_string())?;
        let differences: Vec<Difference> = (0..overlay.nodes.len()).map(|node| overlay.node_difference(node)).collect();
        let columns: Vec<[Option<Position>; 2]> = overlay.columns.iter().map(|places| [places[0], places[1]]).collect();
        let mut edges_of = vec![[Vec::new(), Vec::new()]; overlay.nodes.len()];
        for (at, edge) in overlay.edges.iter().enumerate() {
            edges_of[edge.target][0].push(at);
            edges_of[edge.source][1].push(at);
        }
        let mut listed: Vec<usize> = (0..overlay.nodes.len()).filter(|node| overlay.is_compared(*node)).collect();
        let influence = |node: usize| {
            let held = overlay.nodes[node].nodes.iter().zip(&*sheets);
            held.filter_map(|(id, sheet)| Some(sheet.kept.influence[(*id)?.index()])).fold(0.0, f64::max)
        };
        let ranks: Vec<f64> = (0..overlay.nodes.len())
            .map(|node| match differences[node] {
                Difference::Shared => influence(node),
                Difference::Changed | Difference::OnlyA | Difference::OnlyB => {
                    influence(node) * overlay.relative_change(node)
                }
            })
            .collect();
        let is_shared = |node: usize| differences[node] == Difference::Shared;
        listed.sort_by(|a, b| is_shared(*a).cmp(&is_shared(*b)).then(ranks[*b].total_cmp(&ranks[*a])));
        let dropped = dropped(&overlay, &columns, sheets);
        let Overlay { nodes, edges, .. } = overlay;
        let labels = sheets.each_ref().map(|sheet| Arc::clone(&sheet.document.labels));
        let graphs = sheets.each_ref().map(|sheet| Arc::clone(&sheet.document.graph));
        Ok(Self { graphs, labels, columns, nodes, differences, dropped, listed, edges, edges_of })
    }

    /// Returns the number of listed nodes with this difference.
    pub fn count(&self, difference: Difference) -> usize {
        self.listed.iter().filter(|node| self.differences[**node] == difference).count()
    }

    /// Returns the node's id in one of the graphs.
    pub fn node(&self, node: usize, graph: usize) -> Option<NodeId> {
        self.nodes[node].nodes[graph]
    }

    /// Returns a feature's activation in a graph that has it and does not keep it.
    pub fn dropped(&self, node: usize, graph: usize) -> Option<f32> {
        self.dropped[node][graph]
    }

    /// Returns a node's label by the file or the library of a graph.
    pub fn label(&self, node: usize, graph: usize) -> Option<&str> {
        let id = self.node(node, graph)?;
        let what = Labelled::of(id, self.graphs[graph].node(id));
        self.labels[graph].get(&what).map(String::as_str)
    }

    /// Returns a feature's activation, or an output's probability.
    pub fn value(&self, node: usize, graph: usize) -> Option<f32> {
        let node = self.graphs[graph].node(self.node(node, graph)?);
        node.logit().map(|logit| logit.probability).or(node.activation)
    }

    /// Returns the edges into a node or out of it, those first whose shares differ most.
    pub fn edges(&self, node: usize, out: bool) -> Vec<Compared> {
        let compared = |at: &usize| {
            let edge = &self.edges[*at];
            let shares = [edge.shares[0], edge.shares[1]];
            let other = if out { edge.target } else { edge.source };
            Compared { other, shares, difference: Difference::of(shares[0], shares[1]) }
        };
        let mut edges: Vec<Compared> = self.edges_of[node][usize::from(out)].iter().map(compared).collect();
        let by = |edge: &Compared| (edge.shares[0].unwrap_or(0.0) - edge.shares[1].unwrap_or(0.0)).abs();
        edges.sort_by(|a, b| by(b).total_cmp(&by(a)));
        edges
    }
}
