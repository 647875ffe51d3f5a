//! A graph with everything that is known of it beside its nodes and edges.

use crate::graph::{
    AttributionGraph, Densities, Edited, Foreign, GraphError, Kept, Labels, Occurrences, RawTrace, Thresholds,
    prune_by_density,
};
use std::sync::Arc;

/// How much of what was traced a graph holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Extent {
    /// Every feature that was wanted has its row.
    #[default]
    Whole,
    /// The trace was stopped before every wanted feature had its row.
    Partial,
    /// It was pruned before it was written, at these thresholds where the file says: what was dropped is not to be had,
    /// and pruning, influence and scores are those of what is left.
    PrePruned {
        /// The node threshold.
        node: Option<f64>,
        /// The edge threshold.
        edge: Option<f64>,
    },
}

/// What a graph was made from, as far as its file says; an empty text where it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// What viewers call the graph.
    pub slug: String,
    /// The prompt as it was typed.
    pub prompt: String,
    /// The model's name.
    pub model: String,
    /// The transcoder set's name (`scan`).
    pub transcoder: String,
    /// The type that was computed in.
    pub dtype: String,
    /// Where it was computed.
    pub device: String,
    /// How much of the trace it holds.
    pub extent: Extent,
    /// Its features on Neuronpedia, where the file says.
    pub source_set: Option<SourceSet>,
    /// Where Neuronpedia shows it, where the file says.
    pub page: Option<Page>,
}

/// Where Neuronpedia shows a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The model, as Neuronpedia calls it.
    pub model: String,
    /// What it calls the graph, which need not be what the graph's file calls it.
    pub slug: String,
}

/// A set of features on Neuronpedia; a layer of it is called by its number and `name`: `20-gemmascope-transcoder-16k`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceSet {
    /// The model, as Neuronpedia calls it.
    pub model: String,
    /// The set.
    pub name: String,
}

/// A graph, where it comes from, and what its file holds of a person's work on it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// All of it.
    pub graph: Arc<AttributionGraph>,
    /// The trace that it was made of, where that is at hand.
    pub trace: Option<Arc<RawTrace>>,
    /// Labels that the file gives; what a person wrote since stands in [`Edited`] and goes before these.
    pub labels: Arc<Labels>,
    /// Pins, groups and thresholds that the file holds.
    pub edited: Arc<Edited>,
    /// Where its nodes occur, where it was merged of several graphs; no file says.
    pub occurrences: Option<Arc<Occurrences>>,
    /// How often its features fire at all, where a feature store at hand says; no file of a graph does.
    pub densities: Arc<Densities>,
    /// What the file of another program says beside.
    pub foreign: Arc<Foreign>,
}

impl Document {
    /// What is left of the graph at some thresholds.
    pub fn prune(&self, thresholds: Thresholds) -> Kept {
        prune_by_density(&self.graph, thresholds, &self.densities)
    }

    /// The graph of a trace.
    ///
    /// # Errors
    /// As [`AttributionGraph::from_trace`].
    pub fn from_trace(trace: Arc<RawTrace>) -> Result<Self, GraphError> {
        Ok(Self { trace: Some(Arc::clone(&trace)), ..Self::of_trace(&trace)? })
    }

    /// The graph of a trace that may still go on, and is not kept.
    ///
    /// # Errors
    /// As [`AttributionGraph::from_trace`].
    pub fn of_trace(trace: &RawTrace) -> Result<Self, GraphError> {
        let graph = Arc::new(AttributionGraph::from_trace(trace)?);
        let origin = Origin {
            slug: String::new(),
            prompt: trace.settings.prompt.clone(),
            model: trace.provenance.model.clone(),
            transcoder: trace.provenance.transcoder.clone(),
            dtype: trace.provenance.dtype.clone(),
            device: trace.provenance.device.clone(),
            extent: if trace.is_partial() { Extent::Partial } else { Extent::Whole },
            source_set: None,
            page: None,
        };
        Ok(Self {
            origin: Arc::new(origin),
            graph,
            trace: None,
            labels: Arc::default(),
            edited: Arc::new(Edited { thresholds: Thresholds::default(), ..Edited::default() }),
            occurrences: None,
            densities: Arc::default(),
            foreign: Arc::default(),
        })
    }
}
