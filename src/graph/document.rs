//! A graph with everything that is known about it beside its nodes and edges.

use crate::graph::{
    AttributionGraph, Densities, Edited, Foreign, GraphError, Kept, Labels, Occurrences, RawTrace, Thresholds,
    prune_by_density,
};
use std::sync::Arc;

/// Extent of a graph: the part of the trace that it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Extent {
    /// Complete trace: every wanted feature has its row.
    #[default]
    Whole,
    /// Trace that was stopped before every wanted feature had its row.
    Partial,
    /// Graph that was pruned before it was written, at these thresholds where the file gives them: the dropped nodes
    /// are lost, and pruning, influence and scores are those of the remaining graph.
    PrePruned {
        /// The node threshold.
        node: Option<f64>,
        /// The edge threshold.
        edge: Option<f64>,
    },
}

/// Origin of a graph, as far as its file gives it; a text is empty where it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Name of the graph in viewers.
    pub slug: String,
    /// Prompt as it was typed.
    pub prompt: String,
    /// Name of the model.
    pub model: String,
    /// Name of the transcoder set (`scan`).
    pub transcoder: String,
    /// Number type of the computation.
    pub dtype: String,
    /// Device of the computation.
    pub device: String,
    /// Part of the trace that the graph holds.
    pub extent: Extent,
    /// Source set of its features on Neuronpedia, where the file gives it.
    pub source_set: Option<SourceSet>,
    /// Page of the graph on Neuronpedia, where the file gives it.
    pub page: Option<Page>,
}

/// Page of a graph on Neuronpedia.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Neuronpedia's name of the model.
    pub model: String,
    /// Neuronpedia's name of the graph, which need not be that in the graph's file.
    pub slug: String,
}

/// A set of features on Neuronpedia; a layer of it is called by its number and `name`: `20-gemmascope-transcoder-16k`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceSet {
    /// Neuronpedia's name of the model.
    pub model: String,
    /// Name of the set.
    pub name: String,
}

/// A graph, its origin, and the user's work that its file holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Document {
    /// Origin of the graph.
    pub origin: Arc<Origin>,
    /// The unpruned graph.
    pub graph: Arc<AttributionGraph>,
    /// Trace that it was built from, where that is at hand.
    pub trace: Option<Arc<RawTrace>>,
    /// Labels from the file; the user's labels are in [`Edited`] and go before these.
    pub labels: Arc<Labels>,
    /// Pins, groups and thresholds from the file.
    pub edited: Arc<Edited>,
    /// Occurrences of its nodes, where it was merged from several graphs; no file holds them.
    pub occurrences: Option<Arc<Occurrences>>,
    /// Densities of its features, where a feature store at hand gives them; no file of a graph does.
    pub densities: Arc<Densities>,
    /// Other contents of another program's file.
    pub foreign: Arc<Foreign>,
}

impl Document {
    /// Prunes the graph at these thresholds.
    pub fn prune(&self, thresholds: Thresholds) -> Kept {
        prune_by_density(&self.graph, thresholds, &self.densities)
    }

    /// Builds the document of a trace, which it keeps.
    ///
    /// # Errors
    /// As [`AttributionGraph::from_trace`].
    pub fn from_trace(trace: Arc<RawTrace>) -> Result<Self, GraphError> {
        Ok(Self { trace: Some(Arc::clone(&trace)), ..Self::of_trace(&trace)? })
    }

    /// Builds the document of a trace that may still go on, and is not kept.
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
