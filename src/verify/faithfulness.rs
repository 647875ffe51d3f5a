//! Faithfulness of influence (Ameisen et al. 2025, "Evaluating attribution graphs"): its correlation with the effect of
//! ablating each feature, beside that of simpler predictors.

use crate::graph::{NodeKind, influence};
use crate::ids::NodeId;
use crate::intervention::Mode;
use crate::job::Monitor;
use crate::verify::{Bench, Correlation, VerifyError};

/// Predictor of a feature's effect on the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predictor {
    /// Influence in the graph, over all paths.
    Influence,
    /// Absolute weight of its edges to the outputs, weighted by their probabilities.
    DirectEdge,
    /// Absolute activation.
    Activation,
}

/// Measure of an ablation's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Divergence of the next-token distribution from the model's own, in nats.
    Divergence,
    /// Absolute change of the outputs' demeaned logits, weighted by their probabilities.
    Logits,
}

impl Predictor {
    /// All predictors; influence first, then those that it is compared with.
    pub const ALL: [Self; 3] = [Self::Influence, Self::DirectEdge, Self::Activation];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Influence => "node influence",
            Self::DirectEdge => "direct edge to the outputs",
            Self::Activation => "activation",
        }
    }
}

impl Effect {
    /// All measures.
    pub const ALL: [Self; 2] = [Self::Divergence, Self::Logits];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Divergence => "divergence of the next-token distribution (nats)",
            Self::Logits => "change of the outputs' demeaned logits",
        }
    }
}

/// Feature with the effects of ablating it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureEffect {
    /// Feature node.
    pub node: NodeId,
    predictors: [f64; 3],
    effects: [f64; 2],
}

impl FeatureEffect {
    /// Returns the value of a predictor.
    pub fn predictor(&self, which: Predictor) -> f64 {
        self.predictors[which as usize]
    }

    /// Returns the effect of its ablation by a measure.
    pub fn effect(&self, which: Effect) -> f64 {
        self.effects[which as usize]
    }
}

/// Faithfulness of influence to effects.
#[derive(Clone, Debug, PartialEq)]
pub struct Faithfulness {
    /// Ablated features, by influence, the largest first.
    pub features: Vec<FeatureEffect>,
}

impl Faithfulness {
    /// Returns the correlation of a predictor with an effect, over the features.
    pub fn correlation(&self, predictor: Predictor, effect: Effect) -> Correlation {
        Correlation::of(self.features.iter().map(|it| (it.predictor(predictor), it.effect(effect))))
    }
}

impl Bench<'_> {
    /// Ablates features of the graph one by one: at most `most`, spread evenly over their order by influence, so that
    /// not only influential ones are tested.
    ///
    /// # Errors
    /// Fails where the graph has no features, weights cannot be read, or the work was stopped.
    pub fn faithfulness(&self, most: usize, mode: &Mode, monitor: &Monitor) -> Result<Faithfulness, VerifyError> {
        let graph = self.graph;
        let influence = influence(graph);
        let mut ranked: Vec<NodeId> = graph.feature_nodes().collect();
        ranked.sort_by(|a, b| influence[b.index()].total_cmp(&influence[a.index()]));
        let n = most.min(ranked.len());
        if n == 0 {
            return Err(VerifyError::Nothing("there is no feature to ablate in the graph".into()));
        }
        let weights: Vec<(NodeId, f64)> = self
            .outputs()
            .map(|id| match graph.node(id).kind {
                NodeKind::Logit { probability, .. } => (id, f64::from(probability)),
                _ => (id, 0.0),
            })
            .collect();
        let weight = |id: NodeId| weights.iter().find(|(output, _)| *output == id).map_or(0.0, |(_, weight)| *weight);
        let mut features = Vec::with_capacity(n);
        for nth in 0..n {
            monitor.report("ablations", nth as u64, n as u64)?;
            let node = ranked[nth * ranked.len() / n];
            let ablation = self.ablate(node, mode, monitor)?;
            let direct = graph.outgoing(node).map(|edge| weight(edge.target) * f64::from(edge.weight.abs())).sum();
            let activation = graph.node(node).activation.map_or(0.0, |activation| f64::from(activation.abs()));
            let mut logits = 0.0;
            for (output, weight) in &weights {
                logits += weight * self.observed(&ablation, *output)?.abs();
            }
            features.push(FeatureEffect {
                node,
                predictors: [influence[node.index()], direct, activation],
                effects: [self.divergence(&ablation), logits],
            });
        }
        Ok(Faithfulness { features })
    }
}
