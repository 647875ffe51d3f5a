//! Effects of ablating the supernodes of a circuit, beside what the graph predicts.

use crate::ids::NodeId;
use crate::intervention::Mode;
use crate::job::Monitor;
use crate::verify::{Bench, VerifyError, predicted};

/// Effect of ablating a supernode on an output.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupEffect {
    /// Change of the output's demeaned logit by the graph, with attention and norms as they are: see [`predicted()`].
    pub predicted: f64,
    /// Change of the same in the model, where everything follows.
    pub observed: f64,
    /// Probability of the output before and after.
    pub probabilities: [f64; 2],
    /// Likeliest next token before and after.
    pub likeliest: [u32; 2],
}

/// Change of an output's demeaned logit, in absolute terms, below which an ablation does nothing that counts.
const NOTHING: f64 = 0.05;

impl GroupEffect {
    /// Returns true where the ablation does nothing that counts.
    pub fn is_nothing(&self) -> bool {
        self.observed.abs() < NOTHING && self.likeliest[0] == self.likeliest[1]
    }
}

impl Bench<'_> {
    /// Ablates supernodes one by one, each as a whole, in the free mode, and measures an output; `each` is given the
    /// effects as they are known.
    ///
    /// # Errors
    /// Fails where a member is no feature, the output is no token, weights cannot be read, or the work was stopped.
    pub fn group_effects(
        &self,
        groups: &[Vec<NodeId>],
        output: NodeId,
        monitor: &Monitor,
    ) -> Result<Vec<GroupEffect>, VerifyError> {
        let no_value = || VerifyError::NoValue(self.graph.node_name(output));
        let id = self.graph.node(output).logit().ok_or_else(no_value)?.id;
        let mut effects = Vec::with_capacity(groups.len());
        for (done, members) in groups.iter().enumerate() {
            monitor.report("ablations", done as u64, groups.len() as u64)?;
            let ablation = self.ablate_all(members, &Mode::Free, monitor)?;
            let (before, after) = self.probabilities(&ablation, id).ok_or_else(no_value)?;
            let likeliest = self.likeliest(&ablation);
            effects.push(GroupEffect {
                predicted: predicted(self.graph, members, &Mode::Free)[output.index()],
                observed: self.observed(&ablation, output)?,
                probabilities: [before, after],
                likeliest: [likeliest.0, likeliest.1],
            });
        }
        Ok(effects)
    }
}
