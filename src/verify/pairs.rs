//! Edges and subgraphs: the changes that the graph predicts where a feature is set to 0, and those of the model.

use crate::graph::AttributionGraph;
use crate::ids::NodeId;
use crate::intervention::Mode;
use crate::job::Monitor;
use crate::verify::{Ablation, Bench, Correlation, VerifyError};

/// Sentence on the unit of a node's change.
pub const UNIT: &str = "The unit is that of the target: of a feature its pre-activation, of an output its demeaned logit before \
                        a final softcap.";

/// Sentence on predictions; [`predicted`] defines them exactly.
pub const PREDICTED: &str =
    "Predicted is, in the direct mode, the edge alone, and in the others the sum over all paths of the graph.";

/// Ablated source, a node downstream of it, and the change of that node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Feature that was set to 0.
    pub source: NodeId,
    /// Node whose change is measured.
    pub target: NodeId,
    /// Change that the graph predicts: see [`predicted`].
    pub predicted: f64,
    /// Change in the model, in the same unit.
    pub observed: f64,
}

impl Pair {
    /// Returns the absolute difference of the two.
    pub fn off(&self) -> f64 {
        (self.predicted - self.observed).abs()
    }
}

/// Change of an output under an ablation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputChange {
    /// Change of its demeaned logit, before a final softcap.
    pub pair: Pair,
    /// Probability in the model's own run.
    pub before: f64,
    /// Probability in the altered run.
    pub after: f64,
}

/// Check of one edge.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeCheck {
    /// Direct effect of the edge; 0 where there is no such edge.
    pub weight: f32,
    /// Change of the target.
    pub pair: Pair,
    /// Changes of the outputs.
    pub outputs: Vec<OutputChange>,
    /// Divergence of the next-token distribution from the model's own, in nats.
    pub divergence: f64,
    /// Likeliest next token before and after.
    pub likeliest: (u32, u32),
}

/// Check of several ablations.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// Every source with each target that the graph says it changes, and with each output; the worst disagreement
    /// first.
    pub all: Vec<Pair>,
    /// Correlation of predicted and observed changes over the pairs whose target is a feature.
    pub features: Correlation,
    /// The same correlation over the pairs whose target is an output.
    pub outputs: Correlation,
    /// Divergence of the next-token distribution from the model's own, in nats, by ablated feature; the largest first.
    pub divergences: Vec<(NodeId, f64)>,
}

/// Returns the predicted change of each node when `sources` are set to 0, `[N]`: pre-activations of features, demeaned
/// logits of outputs.
///
/// In the direct mode no feature passes a change on, so that it is the edges alone, with opposite sign: setting to 0
/// takes away what an edge adds. In the others it is the sum over all paths of the graph, a feature's activation
/// changing as its pre-activation does: `x[t] = sum over features s of A[t, s] / a[s] * x[s]`, from
/// `x[s] = -a[s]` of each source. That is exact as long as attention and norms do not change, the transcoder's features
/// stand for the MLPs, and no feature becomes active or inactive.
pub fn predicted(graph: &AttributionGraph, sources: &[NodeId], mode: &Mode) -> Vec<f64> {
    let mut change = vec![0.0; graph.n_nodes()];
    if matches!(mode, Mode::Direct(_)) {
        for edge in sources.iter().flat_map(|source| graph.outgoing(*source)) {
            change[edge.target.index()] -= f64::from(edge.weight);
        }
        return change;
    }
    // As a share of each feature's own activation, so that the sources' need not be known.
    for &node in graph.topological_order() {
        let share = if sources.contains(&node) {
            -1.0
        } else {
            match graph.node(node).activation {
                Some(activation) if activation != 0.0 => change[node.index()] / f64::from(activation),
                _ => 0.0,
            }
        };
        if share != 0.0 {
            for edge in graph.outgoing(node) {
                change[edge.target.index()] += f64::from(edge.weight) * share;
            }
        }
    }
    change
}

impl Bench<'_> {
    /// Ablates the source of an edge and compares the predicted with the observed changes.
    ///
    /// # Errors
    /// Fails where the source is no feature, the target has no value (see [`Bench::observed`]), weights cannot be read,
    /// or the work was stopped.
    pub fn edge(
        &self,
        source: NodeId,
        target: NodeId,
        mode: &Mode,
        monitor: &Monitor,
    ) -> Result<EdgeCheck, VerifyError> {
        let ablation = self.ablate(source, mode, monitor)?;
        let predicted = predicted(self.graph, &[source], mode);
        let pair = |target| self.pair(&ablation, source, target, &predicted);
        let output = |id| {
            let (before, after) = self.probabilities(&ablation, self.graph.node(id).logit()?.id)?;
            Some(pair(id).map(|pair| OutputChange { pair, before, after }))
        };
        Ok(EdgeCheck {
            weight: self.graph.outgoing(source).find(|edge| edge.target == target).map_or(0.0, |edge| edge.weight),
            pair: pair(target)?,
            outputs: self.outputs().filter_map(output).collect::<Result<_, _>>()?,
            divergence: self.divergence(&ablation),
            likeliest: self.likeliest(&ablation),
        })
    }

    fn pair(
        &self,
        ablation: &Ablation,
        source: NodeId,
        target: NodeId,
        predicted: &[f64],
    ) -> Result<Pair, VerifyError> {
        let observed = self.observed(ablation, target)?;
        Ok(Pair { source, target, predicted: predicted[target.index()], observed })
    }

    /// Ablates each of `sources` by itself, and compares the changes of the outputs and of those sources that the graph
    /// says it changes.
    ///
    /// # Errors
    /// Fails where there are no sources, one is no feature, weights cannot be read, or the work was stopped.
    pub fn pairs(&self, sources: &[NodeId], mode: &Mode, monitor: &Monitor) -> Result<Pairs, VerifyError> {
        if sources.is_empty() {
            return Err(VerifyError::Nothing("there is no feature to ablate; pin some, or ask for more".into()));
        }
        let (mut features, mut outputs, mut divergences) = (Vec::new(), Vec::new(), Vec::new());
        for (done, &source) in sources.iter().enumerate() {
            monitor.report("ablations", done as u64, sources.len() as u64)?;
            let ablation = self.ablate(source, mode, monitor)?;
            let predicted = predicted(self.graph, &[source], mode);
            for &target in sources.iter().filter(|target| predicted[target.index()] != 0.0 && **target != source) {
                features.push(self.pair(&ablation, source, target, &predicted)?);
            }
            for target in self.outputs() {
                outputs.push(self.pair(&ablation, source, target, &predicted)?);
            }
            divergences.push((source, self.divergence(&ablation)));
        }
        let correlation = |pairs: &[Pair]| Correlation::of(pairs.iter().map(|pair| (pair.predicted, pair.observed)));
        let of = (correlation(&features), correlation(&outputs));
        let mut all = [features, outputs].concat();
        all.sort_by(|a, b| b.off().total_cmp(&a.off()));
        divergences.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(Pairs { all, features: of.0, outputs: of.1, divergences })
    }
}
