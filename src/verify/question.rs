//! Question about a graph and its model, and the answer: for callers that do not hold the model.

use crate::attribution::{Asked, Capture, EdgeParts, Engine, Probe, source_of};
use crate::graph::{AttributionGraph, Document, Freeze, Kept};
use crate::ids::NodeId;
use crate::intervention::Mode;
use crate::job::Monitor;
use crate::verify::{Bench, EdgeCheck, Faithfulness, Pairs, Perturbations, Replacements, VerifyError, replacement};

/// Default number of ablated features where none is pinned.
pub const TOP: usize = 20;

/// Default limit of ablated features for the faithfulness.
pub const MOST: usize = 200;

/// Check of an edge, of some features, or of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Ablation of the source of an edge, in every mode.
    Edge {
        /// Feature to ablate.
        source: NodeId,
        /// Node whose change is measured, beside the outputs.
        target: NodeId,
    },
    /// Ablation of features one by one, compared at each other and at the outputs.
    Subgraph {
        /// Features to ablate.
        sources: Vec<NodeId>,
        /// Frozen intermediates.
        freeze: Freeze,
    },
    /// Faithfulness, agreement of the replacement models, and perturbations.
    Graph {
        /// Features to subtract for the perturbations.
        sources: Vec<NodeId>,
        /// Most features to ablate for the faithfulness.
        most: usize,
        /// Frozen intermediates of those ablations.
        freeze: Freeze,
    },
    /// Split of an edge by attention heads.
    Heads {
        /// Source of the edge.
        source: NodeId,
        /// Target of the edge.
        target: NodeId,
    },
}

/// Answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Checks of an edge, in each of [`Freeze::ALL`].
    Edge(Vec<EdgeAnswer>),
    /// Check of a subgraph.
    Subgraph(Pairs),
    /// Check of a graph, as far as it is measured.
    Graph(GraphAnswer),
    /// Split of an edge by heads.
    Heads(EdgeParts),
}

/// Check of an edge in one mode.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeAnswer {
    /// Frozen intermediates.
    pub freeze: Freeze,
    /// Result of the check.
    pub check: EdgeCheck,
    /// Texts of the likeliest next token before and after.
    pub likeliest: [String; 2],
}

/// Check of a graph; `None` for what is not measured yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphAnswer {
    /// Correlation of influence with effects.
    pub faithfulness: Option<Faithfulness>,
    /// Agreement of the replacement models, without errors, with the model.
    pub replacements: Option<Replacements>,
    /// Agreement of the local replacement model with the model under perturbations.
    pub perturbations: Option<Perturbations>,
}

/// Returns the features to check: the pinned ones, else the `top` most influential of the kept ones, the most
/// influential first.
pub fn sources(document: &Document, pins: &[NodeId], kept: &Kept, top: usize) -> Vec<NodeId> {
    let is_feature = |id: &NodeId| document.graph.node(*id).is_feature();
    let pinned: Vec<NodeId> = pins.iter().copied().filter(is_feature).collect();
    if !pinned.is_empty() {
        return pinned;
    }
    let before = |a: &NodeId, b: &NodeId| kept.by_influence(*a, *b).then(a.cmp(b));
    let mut features: Vec<NodeId> = kept.node_ids().filter(is_feature).collect();
    // There may be many, and few are wanted.
    if top < features.len() {
        features.select_nth_unstable_by(top, before);
        features.truncate(top);
    }
    features.sort_unstable_by(before);
    features
}

/// Answers a question, given the model's run on the graph's prompt. `told` is given partial answers about a graph.
///
/// # Errors
/// Fails where the graph is of another model or cannot be checked, a node is not of the kind that the question needs,
/// weights cannot be read, or the work was stopped.
pub fn answer(
    engine: &Engine,
    graph: &AttributionGraph,
    run: &Capture,
    question: &Question,
    told: &mut dyn FnMut(Answer),
    monitor: &Monitor,
) -> Result<Answer, VerifyError> {
    let bench = || Bench::of(engine, graph, run.clone(), monitor);
    let mode = |freeze: Freeze| Mode::over_all(freeze, engine.model.spec.n_layers);
    Ok(match question {
        Question::Edge { source, target } => {
            let bench = bench()?;
            let mut found = Vec::with_capacity(Freeze::ALL.len());
            for (done, freeze) in Freeze::ALL.into_iter().enumerate() {
                monitor.report("ablations", done as u64, Freeze::ALL.len() as u64)?;
                let check = bench.edge(*source, *target, &mode(freeze), monitor)?;
                let likeliest = [check.likeliest.0, check.likeliest.1].map(|id| engine.tokenizer.text(id));
                found.push(EdgeAnswer { freeze, check, likeliest });
            }
            Answer::Edge(found)
        }
        Question::Subgraph { sources, freeze } => Answer::Subgraph(bench()?.pairs(sources, &mode(*freeze), monitor)?),
        Question::Graph { sources, most, freeze } => {
            let bench = bench()?;
            let faithfulness = bench.faithfulness(*most, &mode(*freeze), monitor)?;
            let mut found = GraphAnswer { faithfulness: Some(faithfulness), ..GraphAnswer::default() };
            told(Answer::Graph(found.clone()));
            found.replacements = Some(replacement(engine, run, monitor)?);
            told(Answer::Graph(found.clone()));
            found.perturbations = Some(bench.perturbations(sources, monitor)?);
            Answer::Graph(found)
        }
        Question::Heads { source, target } => {
            let probe = Probe::of(engine, run.clone(), monitor)?;
            Answer::Heads(heads(&probe, graph, (*source, *target), monitor)?)
        }
    })
}

/// Splits the effect of a node on another by heads, in the frozen model `probe` of the graph's prompt.
///
/// # Errors
/// Fails where the nodes have no direct effects on each other, weights cannot be read, or the work was stopped.
pub fn heads(
    probe: &Probe<'_>,
    graph: &AttributionGraph,
    (source, target): (NodeId, NodeId),
    monitor: &Monitor,
) -> Result<EdgeParts, VerifyError> {
    let (asked, source) = (Asked::of_node(graph, target)?, source_of(graph, source)?);
    Ok(probe.heads(asked, source, monitor)?)
}
