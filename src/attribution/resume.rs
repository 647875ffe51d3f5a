//! Resumption of a raw graph that was stopped, or of a finished one with more features.

use crate::attribution::trace::features_of_a_round;
use crate::attribution::{Limits, Plan, TraceError, Tracing, rows};
use crate::graph::{Provenance, RawTrace, RowTarget, Settings};
use crate::job::Monitor;
use crate::model::Transformer;
use crate::transcoder::Transcoder;

impl<'a> Tracing<'a> {
    /// Resumes `from` up to rows of `max_feature_nodes` features (`None` for all): the result is that of an
    /// uninterrupted trace with as many, bit for bit.
    ///
    /// The model is run again and has to give the same values. Those rows are kept that the uninterrupted trace would
    /// have computed in the same blocks: not a last round that was capped earlier than it is now, nor features picked
    /// by influence where now every feature gets a row.
    ///
    /// # Errors
    /// Fails with [`TraceError::Resume`] where `from` cannot be resumed with this model and transcoder, or was to have
    /// more rows; also where weights cannot be read, or the work was stopped.
    pub fn resume(
        model: &Transformer,
        transcoder: &'a Transcoder,
        from: RawTrace,
        max_feature_nodes: Option<usize>,
        limits: &Limits,
        planned: impl FnOnce(&Plan),
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        let refuse = |what: String| Err(TraceError::Resume(what));
        let Some(cut) = from.cut.clone() else {
            return refuse("it does not say in which blocks its rows were computed".to_owned());
        };
        let n_outputs = from.targets.len();
        let outputs = (0..n_outputs as u32).map(RowTarget::Logit);
        if n_outputs == 0 || !from.row_targets.iter().copied().take(n_outputs).eq(outputs) {
            return refuse("it does not begin with the rows of its outputs".to_owned());
        }
        let d = model.spec.d_model;
        if from.target_vectors.len() != n_outputs * d {
            return refuse(format!("its outputs are no directions of a residual stream of {d} numbers"));
        }
        let vectors = from.target_vectors.chunks(d).map(<[f32]>::to_vec);
        let targets: Vec<_> = from.targets.iter().cloned().zip(vectors).collect();
        let (tokens, settings) = (from.tokens.clone(), Settings { max_feature_nodes, ..from.settings.clone() });
        let mut tracing =
            Self::prepare(model, transcoder, tokens, settings, |_| Ok(targets), Some(cut), limits, monitor)?;
        tracing.take_over(from)?;
        tracing.plan.operations = tracing.expected_operations();
        planned(&tracing.plan);
        Ok(tracing)
    }

    /// Takes over the rows of `from` that are kept.
    fn take_over(&mut self, from: RawTrace) -> Result<(), TraceError> {
        let trace = &mut self.trace;
        if let Some((what, now, then)) = differing(&trace.provenance, &from.provenance) {
            return Err(TraceError::Resume(format!("its {what} was {then:?}, and here it is {now:?}")));
        }
        if trace.active != from.active || !same_bits(&trace.activations, &from.activations) {
            let (now, then) = (trace.active.len(), from.active.len());
            return Err(TraceError::Resume(format!(
                "the model now gives other activations than it did then ({now} active features, then {then}); it has \
                 other weights, or computes on another kind of processor"
            )));
        }
        if !same_bits(&trace.final_logits, &from.final_logits) || !same_bits(&trace.error_norms, &from.error_norms) {
            let what = "the model now gives other logits or errors than it did then; it has other weights, or computes \
                        on another kind of processor";
            return Err(TraceError::Resume(what.to_owned()));
        }
        if trace.wanted_features < from.wanted_features {
            let (fewer, more) = (trace.wanted_features, from.wanted_features);
            return Err(TraceError::Resume(format!("it is to have rows of {more} features, and {fewer} are fewer")));
        }
        let was_ranked = from.wanted_features < from.active.len();
        let n_features = from.visit_order().count();
        trace.row_targets = from.row_targets;
        trace.rows = from.rows;
        trace.row_abs_sums = from.row_abs_sums;
        trace.row_constants = from.row_constants;
        trace.row_values = from.row_values;
        trace.provenance = from.provenance;
        // Whole rounds of a ranking are what they would be now. Of the round after them, blocks are kept as long as
        // they hold the same features.
        let round = features_of_a_round(&trace.settings);
        let whole = if was_ranked && self.is_ranked() { n_features / round * round } else { 0 };
        let mut kept = self.trace.targets.len() + whole;
        self.to_come = self.round(kept);
        while let Some(block) = self.to_come.front()
            && self.trace.row_targets[kept..].starts_with(block)
        {
            kept += block.len();
            self.to_come.pop_front();
        }
        let (width, trace) = (self.trace.n_columns(), &mut self.trace);
        rows::truncate(&mut trace.rows, kept, width);
        trace.row_targets.truncate(kept);
        trace.row_abs_sums.truncate(kept);
        trace.row_constants.truncate(kept);
        trace.row_values.truncate(kept);
        Ok(())
    }
}

/// Returns what differs between two provenances: its name, the present value, the recorded one. Names may differ, as of
/// a model that was moved.
fn differing<'a>(now: &'a Provenance, then: &'a Provenance) -> Option<(&'static str, &'a str, &'a str)> {
    let parts = [
        ("version of circuitscope", &now.program_version, &then.program_version),
        ("number type", &now.dtype, &then.dtype),
        ("device", &now.device, &then.device),
    ];
    parts.into_iter().map(|(what, now, then)| (what, now.as_str(), then.as_str())).find(|(_, now, then)| now != then)
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
