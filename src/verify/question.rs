//! What is asked of a graph and the model behind it at a time, and the answer: for whoever asks without holding on to the
//! model.

use crate::attribution::{Asked, Engine, HeadSplit, Probe, Source};
use crate::graph::{AttributionGraph, Document, Freeze, Kept};
use crate::ids::NodeId;
use crate::intervention::Mode;
use crate::job::Monitor;
use crate::verify::{Bench, EdgeCheck, Faithfulness, Pairs, Perturbations, Replacements, VerifyError, replacement};

/// How many features are ablated where none is pinned and no number is asked for.
pub const TOP: usize = 20;

/// How many features are ablated at most to measure faithfulness where no number is asked for.
pub const MOST: usize = 200;

/// A check of an edge, of some features, or of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The source of an edge is ablated, in every mode.
    Edge {
        /// What is ablated.
        source: NodeId,
        /// Where the change is measured, beside the outputs.
        target: NodeId,
    },
    /// Features are ablated one by one and compared at each other and at the outputs.
    Subgraph {
        /// The features.
        sources: Vec<NodeId>,
        /// What stays frozen.
        freeze: Freeze,
    },
    /// Faithfulness, agreement of the replacement models, and perturbations.
    Graph {
        /// The features that are taken away for the perturbations.
        sources: Vec<NodeId>,
        /// At most this many are ablated for the faithfulness.
        most: usize,
        /// What stays frozen where they are ablated.
        freeze: Freeze,
    },
    /// An edge is split by attention heads.
    Heads {
        /// Where it comes from.
        source: NodeId,
        /// Where it leads.
        target: NodeId,
    },
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Of an edge: a check in each of [`Freeze::ALL`].
    Edge(Vec<EdgeAnswer>),
    /// Of a subgraph.
    Subgraph(Pairs),
    /// Of a graph, as far as it is measured.
    Graph(GraphAnswer),
    /// Of the heads of an edge.
    Heads(HeadSplit),
}

/// An edge, checked in one mode.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeAnswer {
    /// What stayed frozen.
    pub freeze: Freeze,
    /// What was found.
    pub check: EdgeCheck,
    /// The texts of the likeliest next token before and after.
    pub likeliest: [String; 2],
}

/// A graph, checked; `None` is what is not measured yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphAnswer {
    /// Whether influence foretells effects.
    pub faithfulness: Option<Faithfulness>,
    /// What the transcoders make of the model without the errors.
    pub replacements: Option<Replacements>,
    /// Whether the local replacement model answers as the model does.
    pub perturbations: Option<Perturbations>,
}

/// The features that a check is made with: the pinned ones, else the `top` most influential of those that are kept, the
/// most influential first.
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

/// Answers a question. `told` is given what there is of a graph's answer on the way to it.
///
/// # Errors
/// The graph is of another model or cannot be checked, a node is not what the question takes it for, weights cannot be
/// read, or the work was stopped.
pub fn answer(
    engine: &Engine,
    graph: &AttributionGraph,
    question: &Question,
    told: &mut dyn FnMut(Answer),
    monitor: &Monitor,
) -> Result<Answer, VerifyError> {
    monitor.report("running the model", 0, 0)?;
    let bench = || Bench::new(engine, graph, monitor);
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
            found.replacements = Some(replacement(engine, graph.tokens(), monitor)?);
            told(Answer::Graph(found.clone()));
            found.perturbations = Some(bench.perturbations(sources, monitor)?);
            Answer::Graph(found)
        }
        Question::Heads { source, target } => Answer::Heads(heads(engine, graph, (*source, *target), monitor)?),
    })
}

fn heads(
    engine: &Engine,
    graph: &AttributionGraph,
    (source, target): (NodeId, NodeId),
    monitor: &Monitor,
) -> Result<HeadSplit, VerifyError> {
    let (asked, source) = (Asked::of_node(graph, target)?, Source::of_node(graph, source)?);
    let ids: Vec<u32> = graph.tokens().iter().map(|token| token.id).collect();
    let probe = Probe::new(engine, &engine.tokens(&ids)?, monitor)?;
    Ok(probe.heads(asked, source, monitor)?)
}
