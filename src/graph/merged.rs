//! Graphs of several prompts merged into one, in which each node knows the graphs where it occurs.

use crate::graph::{
    Difference, Document, Edited, Extent, FileNames, GraphError, InfluenceOf, Labelled, Labels, Origin, Overlay,
    Thresholds, label,
};
use crate::ids::NodeId;
use std::collections::HashMap;
use std::sync::Arc;

/// Occurrence of a node of a merged graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// In all of the graphs; of two graphs, much the same in both.
    Everywhere,
    /// In both of two graphs, with a difference of more than [`CHANGED`](crate::graph::CHANGED).
    Changed,
    /// In one graph alone, with its index.
    Only(usize),
    /// In this number of graphs, which are neither one nor all.
    In(usize),
}

/// Occurrences of the nodes of a merged graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrences {
    /// Number of graphs merged.
    pub n_graphs: usize,
    of: Vec<Occurrence>,
}

impl Occurrences {
    /// Returns the occurrence of a node.
    pub fn of(&self, node: NodeId) -> Occurrence {
        self.of[node.index()]
    }
}

impl Overlay<'_> {
    /// Returns the occurrences of the nodes of the [merged](Overlay::merged) graph.
    pub fn occurrences(&self) -> Occurrences {
        let n_graphs = self.n_graphs();
        let occurrence = |(at, node): (usize, &super::OverlayNode)| {
            let mut held = (0..n_graphs).filter(|graph| node.nodes[*graph].is_some());
            match (held.next(), held.count() + 1) {
                (Some(only), 1) => Occurrence::Only(only),
                (_, all) if all < n_graphs => Occurrence::In(all),
                _ if n_graphs == 2 && self.node_difference(at) == Difference::Changed => Occurrence::Changed,
                _ => Occurrence::Everywhere,
            }
        };
        Occurrences { n_graphs, of: self.nodes.iter().enumerate().map(occurrence).collect() }
    }
}

/// Returns two different names of a model or a transcoder among the origins of graphs, if any: then features of the
/// same index may not be the same ones.
pub fn unlike<'a>(origins: &[&'a Origin]) -> Option<[&'a str; 2]> {
    let (first, others) = origins.split_first()?;
    let names = |origin: &'a Origin| [origin.model.as_str(), origin.transcoder.as_str()];
    let pairs = others.iter().flat_map(|other| names(first).into_iter().zip(names(other)));
    pairs.map(|(a, b)| [a, b]).find(|[a, b]| !a.is_empty() && !b.is_empty() && a != b)
}

/// Merges an overlay into a graph of its own, to be walked and exported: see [`Overlay::merged`]. The features' labels
/// follow the marks of where they occur. `parts` are the graphs of the overlay, in its order.
///
/// # Errors
/// As [`Overlay::merged`].
pub fn merged(overlay: &Overlay<'_>, parts: &[(&Document, &Edited)]) -> Result<Document, GraphError> {
    let (graph, marks) = overlay.merged()?;
    let mut labels = Labels::new();
    for node in 0..overlay.nodes.len() {
        let (nth, id) = overlay.example(node);
        let (document, edited) = parts[nth];
        let what = Labelled::of(id, document.graph.node(id));
        let Some(mark) = marks.get(&what) else { continue };
        let called = label(&document.graph, edited, &document.labels, id);
        // Another graph may have called it something.
        let so_far = labels.entry(what).or_insert_with(|| mark.clone());
        if let Some(called) = called {
            *so_far = format!("{mark} {called}");
        }
    }
    let graph = graph.with_file_names(file_names(overlay, parts));
    let prompts: Vec<&str> = parts.iter().map(|(document, _)| document.origin.prompt.as_str()).collect();
    let origin = Origin {
        slug: String::new(),
        prompt: prompts.join(" / "),
        extent: Extent::PrePruned { node: None, edge: None },
        ..parts.first().map_or_else(Origin::default, |(document, _)| document.origin.as_ref().clone())
    };
    // Each part was pruned already.
    let edited =
        Edited { thresholds: Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() }, ..Edited::default() };
    Ok(Document {
        origin: Arc::new(origin),
        graph: Arc::new(graph.with_influence_of(InfluenceOf::Unknown)),
        trace: None,
        labels: Arc::new(labels),
        edited: Arc::new(edited),
        occurrences: Some(Arc::new(overlay.occurrences())),
        densities: Arc::default(),
        foreign: Arc::default(),
    })
}

/// Returns the names of an overlay's features in the files of its parts; dictionaries only where all parts have the
/// same.
fn file_names(overlay: &Overlay<'_>, parts: &[(&Document, &Edited)]) -> FileNames {
    let dictionaries: Vec<&[String]> = parts.iter().map(|(document, _)| document.graph.dictionaries()).collect();
    if dictionaries.windows(2).any(|pair| pair[0] != pair[1]) {
        return FileNames::default();
    }
    let known = |node: usize| {
        let (nth, id) = overlay.example(node);
        Some((NodeId::from(node), parts[nth].0.graph.number_in_file(id)?.clone()))
    };
    FileNames {
        ids: HashMap::new(),
        dictionaries: dictionaries.first().map(|names| names.to_vec()).unwrap_or_default(),
        features: (0..overlay.nodes.len()).filter_map(known).collect(),
    }
}
