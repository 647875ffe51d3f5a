//! Tracing from prompt to rows, block after block.
//!
//! The last bit of a row depends on which rows are computed beside it, in one matrix product. So that a trace that was
//! stopped and resumed, or extended to more features, equals the uninterrupted one bit for bit, the blocks are a
//! function of what a raw graph records (settings, block size, the rows before), and only whole blocks are kept.

use crate::attribution::encoder_rows::EncoderRows;
use crate::attribution::fit::{retry_halved, take};
use crate::attribution::plan::Accelerator;
use crate::attribution::readers::{Readers, dot};
use crate::attribution::sizes::{Sizes, forward_operations, logit_operations, sizes};
use crate::attribution::target_row::{ReadSite, TargetRow};
use crate::attribution::targets::resolve;
use crate::attribution::{Capture, Limits, Plan, Replacement, TargetChoice, TraceError, ranking, rows};
use crate::graph::{Cut, Provenance, RawTrace, RowTarget, Rows, Settings, Target, TargetKind, Token};
use crate::job::Monitor;
use crate::model::{DeviceName, Transformer};
use crate::parallel;
use crate::transcoder::{Active, Transcoder};
use std::collections::VecDeque;

/// Cost of a row of the features picked after the first round, as a share of the cost of any feature's row, where few
/// are picked: influence runs down to low layers, whose rows are short. The more of all features are picked, the closer
/// the cost is to the average: `LATER_LEAST + LATER_MORE * share`. Measured on synthetic models of real shape.
const LATER_LEAST: f64 = 0.4;
/// See [`LATER_LEAST`].
const LATER_MORE: f64 = 0.6;

/// Share of picked features below which, as in long prompts, influence has run to early positions too and rows are
/// shorter still; and the power of the share by which they are.
const FEW: (f64, f64) = (0.08, 0.29);

/// Options of a trace, besides model and transcoder.
#[derive(Clone, Debug)]
pub struct TraceOptions {
    /// Settings that are recorded with the trace.
    pub settings: Settings,
    /// Choice of the traced outputs.
    pub targets: TargetChoice,
    /// Division of the work into blocks; `None` leaves it to the memory plan.
    pub cut: Option<Cut>,
}

/// Traces `tokens`: forward pass, rows of the outputs, then rows of features by influence; see [`Tracing`].
///
/// A trace that is stopped after the outputs' rows is returned as a partial one; see [`RawTrace::is_partial`].
///
/// # Errors
/// Fails as [`Tracing::begin`] and [`Tracing::advance`] do; where the work was stopped, only before the outputs' rows.
pub fn trace(
    model: &Transformer,
    transcoder: &Transcoder,
    tokens: Vec<Token>,
    options: &TraceOptions,
    text: impl Fn(u32) -> String,
    planned: impl FnOnce(&Plan),
    monitor: &Monitor,
) -> Result<RawTrace, TraceError> {
    let limits = Limits::default();
    let mut tracing = Tracing::begin(model, transcoder, tokens, options, &limits, text, planned, monitor)?;
    tracing.run(|_| {}, monitor)?;
    Ok(tracing.into_trace())
}

/// Trace in progress. The outputs' rows are there; those of features come block after block, and after each block the
/// rows so far are a trace of their own.
#[derive(Debug)]
pub struct Tracing<'a> {
    encoders: EncoderRows<'a>,
    frozen: Replacement,
    readers: Readers,
    /// Read vector and value of each output.
    outputs: Vec<(TargetRow, f32)>,
    /// Every active feature with its layer, as in `trace.sources`.
    active: Vec<(usize, Active)>,
    cut: Cut,
    pub(super) plan: Plan,
    sizes: Sizes,
    /// Floating-point operations of the forward pass.
    forward_operations: u64,
    pub(super) trace: RawTrace,
    /// Blocks of the current round that are not computed yet.
    pub(super) to_come: VecDeque<Vec<RowTarget>>,
}

impl<'a> Tracing<'a> {
    /// Runs the model on `tokens`, freezes the local replacement model and computes the rows of the outputs.
    ///
    /// `text` returns a token's text. `planned` is given the plan before the rows of features are computed.
    ///
    /// # Errors
    /// Fails where weights cannot be read, the targets cannot be used, memory does not suffice, or the work was
    /// stopped.
    #[expect(clippy::too_many_arguments, reason = "what a trace is made from, once")]
    pub fn begin(
        model: &Transformer,
        transcoder: &'a Transcoder,
        tokens: Vec<Token>,
        options: &TraceOptions,
        limits: &Limits,
        text: impl Fn(u32) -> String,
        planned: impl FnOnce(&Plan),
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        let targets = |logits: &[f32]| resolve(&options.targets, model, transcoder, logits, text, monitor.cancel());
        let settings = options.settings.clone();
        let mut tracing =
            Self::prepare(model, transcoder, tokens, settings, targets, options.cut.clone(), limits, monitor)?;
        while tracing.trace.row_targets.len() < tracing.outputs.len() {
            tracing.advance(monitor)?;
        }
        tracing.plan.operations = tracing.expected_operations();
        planned(&tracing.plan);
        Ok(tracing)
    }

    /// Does everything that comes before the rows.
    #[expect(clippy::too_many_arguments, reason = "what a trace is made from, once")]
    pub(super) fn prepare(
        model: &Transformer,
        transcoder: &'a Transcoder,
        tokens: Vec<Token>,
        settings: Settings,
        targets: impl FnOnce(&[f32]) -> Result<Vec<(Target, Vec<f32>)>, TraceError>,
        cut: Option<Cut>,
        limits: &Limits,
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let capture = Capture::run(model, transcoder, &ids, monitor).map_err(TraceError::explained)?;
        let last = ids.len() - 1;
        monitor.report("logits", 0, 1)?;
        let final_output = capture.final_output.narrow(0, last, 1)?;
        let final_logits = model.logits(&final_output, monitor.cancel())?.swap_remove(0);
        monitor.count(logit_operations(&model.spec));
        if final_logits.iter().any(|x| !x.is_finite()) {
            return Err(TraceError::NotFinite("the logits".to_owned()));
        }
        let targets = targets(&final_logits)?;
        let readers = Readers::new(model, transcoder, &capture)?;
        let outputs = targets.iter().map(|(target, vector)| output(transcoder, &readers, &capture, target, vector));
        let outputs = outputs.collect::<Result<_, TraceError>>()?;
        let active: Vec<(usize, Active)> = capture
            .layers
            .iter()
            .enumerate()
            .flat_map(|(l, layer)| layer.active.iter().map(move |a| (l, *a)))
            .collect();
        let wanted = settings.max_feature_nodes.unwrap_or(usize::MAX).min(active.len());
        let sizes = sizes(&model.spec, transcoder, &capture);
        let plan = Plan::new(&sizes, wanted + targets.len(), wanted, cut.as_ref(), limits, Accelerator::of(model))?;
        let cut = plan.cut();
        let frozen = Replacement::new(model, transcoder, capture, plan.decoders_held, monitor);
        let frozen = frozen.map_err(TraceError::explained)?;
        let (targets, vectors): (Vec<Target>, Vec<Vec<f32>>) = targets.into_iter().unzip();
        let rows = if plan.dropped_share.is_some() {
            rows::spilled(limits.folder.as_deref()).map_err(TraceError::Spill)?
        } else {
            Rows::Dense { values: Vec::with_capacity(plan.rows * plan.columns) }
        };
        let trace = RawTrace {
            n_layers: model.spec.n_layers,
            tokens,
            activations: active.iter().map(|(_, a)| a.activation).collect(),
            sources: frozen.sources.as_ref().clone(),
            error_norms: frozen.error_norms.clone(),
            final_logits,
            targets,
            target_vectors: vectors.concat(),
            row_targets: Vec::new(),
            rows,
            row_abs_sums: Vec::new(),
            row_constants: Vec::new(),
            row_values: Vec::new(),
            wanted_features: wanted,
            settings,
            cut: Some(cut.clone()),
            provenance: Provenance {
                program_version: env!("CARGO_PKG_VERSION").to_owned(),
                model: model.spec.name.clone(),
                transcoder: transcoder.name(),
                dtype: model.precision().to_string(),
                device: DeviceName::of(model.device()).to_string(),
                ..Provenance::default()
            },
        };
        let forward_operations = forward_operations(&model.spec, transcoder, trace.n_positions());
        let to_come = VecDeque::new();
        let encoders = EncoderRows::new(transcoder, &active, plan.decoders_held);
        Ok(Self { encoders, frozen, readers, outputs, active, cut, plan, sizes, forward_operations, trace, to_come })
    }

    /// Returns the trace so far.
    pub fn trace(&self) -> &RawTrace {
        &self.trace
    }

    /// Returns the trace so far.
    pub fn into_trace(self) -> RawTrace {
        self.trace
    }

    /// Computes blocks until every wanted feature has its row or the work is stopped. `seen` is given the trace so far
    /// after each block.
    ///
    /// # Errors
    /// Fails as [`Tracing::advance`] does, except where the work was stopped.
    pub fn run(&mut self, mut seen: impl FnMut(&RawTrace), monitor: &Monitor) -> Result<(), TraceError> {
        loop {
            match self.advance(monitor) {
                Ok(true) => seen(&self.trace),
                Ok(false) => return Ok(()),
                Err(error) if error.is_cancelled() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Computes the next block of rows; `false` where every wanted feature has its row.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped; the rows so far stay.
    pub fn advance(&mut self, monitor: &Monitor) -> Result<bool, TraceError> {
        let there = self.trace.row_targets.len();
        let total = (self.outputs.len() + self.trace.wanted_features) as u64;
        if self.to_come.is_empty() {
            if self.is_ranked() && there >= self.outputs.len() {
                monitor.report("ranking", there as u64, total)?;
            }
            self.to_come = self.round(there);
        }
        let Some(block) = self.to_come.front() else { return Ok(false) };
        let phase = if there < self.outputs.len() { "output rows" } else { "feature rows" };
        monitor.report(phase, there as u64, total)?;
        let targets = self.targets(block)?;
        let (targets, mut values): (Vec<TargetRow>, Vec<f32>) = targets.into_iter().unzip();
        let (frozen, trace) = (&self.frozen, &mut self.trace);
        let (width, share) = (frozen.n_columns(), self.cut.dropped_share);
        let (((constants, operations), sums), fitted) = retry_halved(targets.len(), |n| {
            let compute = |zeros: &mut [f32]| frozen.rows(&targets[..n], zeros, monitor.cancel());
            rows::append(&mut trace.rows, (n * width, width), share, compute)
        })?;
        values.truncate(fitted);
        monitor.count(operations);
        trace.row_abs_sums.extend(sums);
        trace.row_constants.extend(constants);
        trace.row_values.extend(values);
        trace.row_targets.extend(take(&mut self.to_come, fitted));
        if fitted < targets.len() {
            // Smaller from here on, also of a trace that goes on from the file.
            (self.cut.block_rows, self.plan.block_rows) = (fitted, fitted);
            trace.cut = Some(self.cut.clone());
        }
        Ok(true)
    }

    /// Returns the read vectors of rows' targets, and their values in the forward pass. Encoders are read once a layer.
    fn targets(&self, block: &[RowTarget]) -> Result<Vec<(TargetRow, f32)>, TraceError> {
        let layer_of = |label: &RowTarget| match label {
            RowTarget::Logit(_) => None,
            RowTarget::Feature(index) => Some(self.active[*index as usize].0),
        };
        // A block runs from the top layer down.
        let runs: Vec<&[RowTarget]> = block.chunk_by(|a, b| layer_of(a) == layer_of(b)).collect();
        let of_runs = parallel::map(runs.len(), |nth| -> Result<Vec<(TargetRow, f32)>, TraceError> {
            let labels = runs[nth];
            let Some(layer) = layer_of(&labels[0]) else {
                let outputs = labels.iter().filter_map(|label| match label {
                    RowTarget::Logit(index) => Some(self.outputs[*index as usize].clone()),
                    RowTarget::Feature(_) => None,
                });
                return Ok(outputs.collect());
            };
            let active = labels.iter().filter_map(|label| match label {
                RowTarget::Logit(_) => None,
                RowTarget::Feature(index) => Some(self.active[*index as usize].1),
            });
            let active: Vec<Active> = active.collect();
            let features: Vec<usize> = active.iter().map(|active| active.feature as usize).collect();
            let encoders = self.encoders.of(layer, &features)?;
            let target = |(active, (encoder, bias)): (&Active, (Vec<f32>, f32))| {
                let position = active.position as usize;
                let (read, constant) = self.readers.layers[layer].pull_back(encoder, position);
                let target = TargetRow { layer, site: ReadSite::Mlp, position, read, constant: bias + constant };
                (target, active.pre_activation)
            };
            Ok(active.iter().zip(encoders).map(target).collect())
        })?;
        Ok(of_runs.into_iter().flatten().collect())
    }

    /// Estimates the floating-point operations of the whole trace. Of the features that will be picked, those of the
    /// next round are known, and those of later rounds cost what [`LATER_LEAST`] says.
    pub(super) fn expected_operations(&self) -> u64 {
        let (trace, n_positions) = (&self.trace, self.trace.n_positions());
        // Active features below a layer, at positions 1 to p.
        let mut below = vec![0usize; (trace.n_layers + 1) * n_positions];
        for at in trace.sources.features.iter().filter(|at| at.position.0 > 0) {
            below[(at.layer().index() + 1) * n_positions + at.position.index()] += 1;
        }
        for layer in 0..=trace.n_layers {
            for position in 0..n_positions {
                let at = layer * n_positions + position;
                let left = if position > 0 { below[at - 1] } else { 0 };
                let under = if layer > 0 { below[at - n_positions] } else { 0 };
                let corner = if layer > 0 && position > 0 { below[at - n_positions - 1] } else { 0 };
                below[at] += left + under - corner;
            }
        }
        let operations = |layer: usize, position: usize| {
            self.sizes.row_operations(layer, position, below[layer * n_positions + position]) as f64
        };
        let of_feature = |index: &u32| {
            let at = trace.sources.features[*index as usize];
            operations(at.layer().index(), at.position.index())
        };
        let output = operations(trace.n_layers, n_positions - 1);
        let mut sum = self.forward_operations as f64 + output * self.outputs.len() as f64;
        let visited: Vec<u32> = trace.visit_order().collect();
        sum += visited.iter().map(of_feature).sum::<f64>();
        let left = trace.wanted_features - visited.len();
        let all: f64 = (0..trace.sources.features.len() as u32).map(|index| of_feature(&index)).sum();
        let known = if self.is_ranked() { left.min(features_of_a_round(&trace.settings)) } else { 0 };
        let next = self.most_influential(trace.row_targets.len(), known);
        let of_next: f64 = next.iter().map(of_feature).sum();
        sum += of_next;
        if left > known && self.is_ranked() {
            let (n, round) = (trace.sources.features.len() as f64, features_of_a_round(&trace.settings) as f64);
            let until = |picked: usize| {
                let share = picked as f64 / n;
                let later = LATER_LEAST * (share / FEW.0).min(1.0).powf(FEW.1) + LATER_MORE * share;
                (picked as f64 - round).max(0.0) * later * all / n
            };
            sum += until(trace.wanted_features) - until(visited.len() + known);
        } else if left > known {
            sum += all - visited.iter().map(of_feature).sum::<f64>();
        }
        sum as u64
    }

    /// Returns the blocks of the round that follows the first `there` rows, which end a round: the outputs, or the
    /// features of highest influence by those rows, from the top layer down.
    pub(super) fn round(&self, there: usize) -> VecDeque<Vec<RowTarget>> {
        let trace = &self.trace;
        let mut round: Vec<RowTarget> = match there.checked_sub(self.outputs.len()) {
            None => (0..self.outputs.len() as u32).map(RowTarget::Logit).collect(),
            Some(done) if done == trace.wanted_features => Vec::new(),
            Some(done) if self.is_ranked() => {
                let most = features_of_a_round(&trace.settings).min(trace.wanted_features - done);
                self.most_influential(there, most).into_iter().map(RowTarget::Feature).collect()
            }
            Some(_) => (0..trace.sources.features.len() as u32).map(RowTarget::Feature).collect(),
        };
        let layer = |label: &RowTarget| match label {
            RowTarget::Logit(_) => usize::MAX,
            RowTarget::Feature(index) => self.active[*index as usize].0,
        };
        round.sort_by_key(|label| std::cmp::Reverse(layer(label)));
        round.chunks(self.cut.block_rows).map(<[RowTarget]>::to_vec).collect()
    }

    /// Returns true where features are picked by influence; with a row for each of them there is nothing to pick.
    pub(super) fn is_ranked(&self) -> bool {
        self.trace.wanted_features < self.trace.sources.features.len()
    }

    /// Returns the `most` features without a row that have the highest influence by the first `there` rows.
    fn most_influential(&self, there: usize, most: usize) -> Vec<u32> {
        let trace = &self.trace;
        let probabilities: Vec<f32> = trace.targets.iter().map(|target| target.probability).collect();
        let mut has_row = vec![false; trace.sources.features.len()];
        for label in &trace.row_targets[..there] {
            if let RowTarget::Feature(index) = label {
                has_row[*index as usize] = true;
            }
        }
        let (targets, sums) = (&trace.row_targets[..there], &trace.row_abs_sums);
        let influence = ranking::estimate(&trace.sources.features, &probabilities, targets, &trace.rows, sums);
        ranking::next(&influence, &has_row, most)
    }
}

/// Returns the read vector of an output of this `vector` `[d]`, and its value.
fn output(
    transcoder: &Transcoder,
    readers: &Readers,
    capture: &Capture,
    target: &Target,
    vector: &[f32],
) -> Result<(TargetRow, f32), TraceError> {
    if let TargetKind::Feature(at) = target.kind {
        return readers.feature(transcoder, capture, at);
    }
    let position = capture.n_positions() - 1;
    let (read, constant) = readers.last.pull_back(vector.to_vec(), position);
    let value = dot(vector, &capture.final_output, position)?;
    Ok((TargetRow::output(readers.layers.len(), position, read, constant), value))
}

/// Returns the number of features that get a row between two rankings.
pub(super) fn features_of_a_round(settings: &Settings) -> usize {
    settings.batch_size.saturating_mul(settings.update_interval).max(1)
}
