//! A trace from prompt to rows.

use crate::attribution::backward::TargetRow;
use crate::attribution::replacement::norm_is_plain;
use crate::attribution::rows::RowStore;
use crate::attribution::targets::resolve;
use crate::attribution::{Capture, Plan, Replacement, TargetChoice, TraceError, ranking};
use crate::graph::{FeatureAt, Provenance, RawTrace, RowTarget, Settings, Target, Token};
use crate::ids::{FeatureId, Layer, Position};
use crate::job::Monitor;
use crate::model::{Norm, Transformer};
use crate::transcoder::{Active, FeatureInput, Transcoder};
use candle_core::Tensor;

/// What a trace is made with, besides model and transcoder.
#[derive(Clone, Debug)]
pub struct TraceOptions {
    /// The choices that are recorded with the trace.
    pub settings: Settings,
    /// Which outputs are traced.
    pub targets: TargetChoice,
}

/// Traces `tokens`: forward pass, rows of the outputs, then rows of features by influence.
///
/// `text` gives a token's text. `planned` hears the memory plan before the rows are computed.
///
/// A trace that is stopped after the outputs' rows is returned as far as it came; see [`RawTrace::is_partial`].
///
/// # Errors
/// Weights cannot be read, the targets cannot be used, or the work was stopped before the outputs' rows.
pub fn trace(
    model: &Transformer,
    transcoder: &Transcoder,
    tokens: Vec<Token>,
    options: &TraceOptions,
    text: impl Fn(u32) -> String,
    planned: impl FnOnce(&Plan),
    monitor: &Monitor,
) -> Result<RawTrace, TraceError> {
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let capture = Capture::run(model, transcoder, &ids, monitor)?;
    let last = ids.len() - 1;
    monitor.report("logits", 0, 1)?;
    let final_output = capture.final_output.narrow(0, last, 1)?;
    let final_logits = model.logits(&final_output, monitor.cancel())?.swap_remove(0);
    if final_logits.iter().any(|x| !x.is_finite()) {
        return Err(TraceError::NotFinite("the logits".to_owned()));
    }
    let targets = resolve(&options.targets, model, &final_logits, text, monitor.cancel())?;
    let frozen = Replacement::new(model, transcoder, &capture, monitor)?;
    let active: Vec<(usize, Active)> =
        capture.layers.iter().enumerate().flat_map(|(l, layer)| layer.active.iter().map(move |a| (l, *a))).collect();
    let wanted = options.settings.max_feature_nodes.unwrap_or(usize::MAX).min(active.len());
    let plan = Plan::new(&frozen, wanted + targets.len());
    planned(&plan);
    let mut rows = Tracer {
        readers: Readers::new(model, transcoder, &capture)?,
        transcoder,
        frozen: &frozen,
        plan,
        active: &active,
        monitor,
        wanted,
        row_targets: Vec::new(),
        rows: RowStore::new(plan.rows, plan.columns, plan.sparse),
        abs_sums: Vec::new(),
        constants: Vec::new(),
        values: Vec::new(),
    };
    let final_output: Vec<f32> = final_output.flatten_all()?.to_vec1()?;
    rows.outputs(&targets, &final_output, last)?;
    let (targets, vectors): (Vec<Target>, Vec<Vec<f32>>) = targets.into_iter().unzip();
    let at = |(layer, a): &(usize, Active)| FeatureAt {
        layer: Layer::from(*layer),
        position: Position(a.position),
        feature: FeatureId(a.feature),
    };
    let features: Vec<FeatureAt> = active.iter().map(at).collect();
    let round = options.settings.batch_size.saturating_mul(options.settings.update_interval).max(1);
    match rows.features(&features, &targets, round) {
        Err(error) if !error.is_cancelled() => return Err(error),
        _ => {}
    }
    let Tracer { row_targets, rows, abs_sums, constants, values, .. } = rows;
    Ok(RawTrace {
        n_layers: model.spec.n_layers,
        tokens,
        activations: active.iter().map(|(_, a)| a.activation).collect(),
        active: features,
        error_norms: frozen.error_norms.clone(),
        final_logits,
        targets,
        target_vectors: vectors.concat(),
        row_targets,
        rows: rows.into_rows(),
        row_abs_sums: abs_sums,
        row_constants: constants,
        row_values: values,
        wanted_features: wanted,
        settings: options.settings.clone(),
        provenance: Provenance {
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            model: model.spec.name.clone(),
            transcoder: transcoder.name(),
            dtype: "f32".to_owned(),
            device: format!("{:?}", model.device().location()).to_lowercase(),
            ..Provenance::default()
        },
    })
}

/// How features and outputs read the residual stream: through the frozen norms in front of them.
struct Readers {
    layers: Vec<FrozenRead>,
    last: FrozenRead,
}

/// A frozen norm in front of what reads; without a weight, its divisor alone; without either, the stream itself.
#[derive(Default)]
struct FrozenRead {
    /// `[d]`
    weight: Option<Vec<f32>>,
    /// `[d]`
    bias: Option<Vec<f32>>,
    centres: bool,
    /// `[P]`
    divisor: Option<Vec<f32>>,
}

impl FrozenRead {
    fn of(norm: &Norm, divisor: &Tensor) -> Result<Self, TraceError> {
        Ok(Self {
            weight: Some(norm.weight.to_vec1()?),
            bias: norm.bias.as_ref().map(Tensor::to_vec1).transpose()?,
            centres: norm.centres,
            divisor: Some(divisor.flatten_all()?.to_vec1()?),
        })
    }

    /// What `row` `[d]`, read behind the norm at `position`, reads in front of it, and what it reads of the norm's bias.
    fn pull_back(&self, mut row: Vec<f32>, position: usize) -> (Vec<f32>, f32) {
        let constant = self.bias.as_ref().map_or(0.0, |bias| row.iter().zip(bias).map(|(r, b)| r * b).sum());
        if let Some(weight) = &self.weight {
            row.iter_mut().zip(weight).for_each(|(r, w)| *r *= w);
        }
        if self.centres {
            let mean = row.iter().sum::<f32>() / row.len() as f32;
            row.iter_mut().for_each(|r| *r -= mean);
        }
        if let Some(divisor) = &self.divisor {
            row.iter_mut().for_each(|r| *r /= divisor[position]);
        }
        (row, constant)
    }
}

impl Readers {
    fn new(model: &Transformer, transcoder: &Transcoder, capture: &Capture) -> Result<Self, TraceError> {
        let mut layers = Vec::with_capacity(capture.layers.len());
        for (layer, captured) in capture.layers.iter().enumerate() {
            let divisor = &captured.divisors.mlp;
            layers.push(match transcoder.input() {
                FeatureInput::ResidMid => FrozenRead::default(),
                FeatureInput::Normalized if norm_is_plain(model) => {
                    FrozenRead { divisor: Some(divisor.flatten_all()?.to_vec1()?), ..FrozenRead::default() }
                }
                FeatureInput::Normalized | FeatureInput::MlpIn => FrozenRead::of(&model.mlp_norm(layer)?, divisor)?,
            });
        }
        Ok(Self { layers, last: FrozenRead::of(&model.final_norm()?, &capture.final_divisor)? })
    }
}

/// Rows on their way into a trace.
struct Tracer<'a> {
    readers: Readers,
    transcoder: &'a Transcoder,
    frozen: &'a Replacement,
    plan: Plan,
    active: &'a [(usize, Active)],
    monitor: &'a Monitor,
    wanted: usize,
    row_targets: Vec<RowTarget>,
    rows: RowStore,
    abs_sums: Vec<f64>,
    constants: Vec<f32>,
    values: Vec<f32>,
}

impl Tracer<'_> {
    fn outputs(
        &mut self,
        targets: &[(Target, Vec<f32>)],
        final_output: &[f32],
        position: usize,
    ) -> Result<(), TraceError> {
        let n_layers = self.readers.layers.len();
        let mut all = Vec::with_capacity(targets.len());
        for (_, vector) in targets {
            let (read, constant) = self.readers.last.pull_back(vector.clone(), position);
            let value = vector.iter().zip(final_output).map(|(v, x)| f64::from(*v) * f64::from(*x)).sum::<f64>() as f32;
            all.push((TargetRow { layer: n_layers, position, read, constant }, value));
        }
        let labels = (0..targets.len() as u32).map(RowTarget::Logit).collect();
        self.compute(labels, |_, index| Ok(all[index].clone()))
    }

    /// Rows of the features that matter most, a round of `round` at a time.
    fn features(&mut self, features: &[FeatureAt], targets: &[Target], round: usize) -> Result<(), TraceError> {
        if self.wanted == features.len() {
            return self.feature_rows((0..features.len() as u32).collect());
        }
        let probabilities: Vec<f32> = targets.iter().map(|target| target.probability).collect();
        let mut has_row = vec![false; features.len()];
        let mut done = 0;
        while done < self.wanted {
            let influence =
                ranking::estimate(features, &probabilities, &self.row_targets, self.rows.rows(), &self.abs_sums);
            let chosen = ranking::next(&influence, &has_row, round.min(self.wanted - done));
            chosen.iter().for_each(|index| has_row[*index as usize] = true);
            done += chosen.len();
            self.feature_rows(chosen)?;
        }
        Ok(())
    }

    fn feature_rows(&mut self, chosen: Vec<u32>) -> Result<(), TraceError> {
        let labels = chosen.iter().copied().map(RowTarget::Feature).collect();
        self.compute(labels, |tracer, nth| {
            let (layer, active) = tracer.active[chosen[nth] as usize];
            let (encoder, bias) = tracer.transcoder.encoder_row(layer, active.feature as usize)?;
            let position = active.position as usize;
            let (read, constant) = tracer.readers.layers[layer].pull_back(encoder, position);
            let row = TargetRow { layer, position, read, constant: bias + constant };
            Ok((row, active.pre_activation))
        })
    }

    /// Computes a round of rows, block after block from the top layer down, and appends them in the given order. What
    /// is finished when the work is stopped is kept.
    fn compute(
        &mut self,
        labels: Vec<RowTarget>,
        target: impl Fn(&Self, usize) -> Result<(TargetRow, f32), TraceError>,
    ) -> Result<(), TraceError> {
        let layer = |label: &RowTarget| match label {
            RowTarget::Logit(_) => usize::MAX,
            RowTarget::Feature(index) => self.active[*index as usize].0,
        };
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|nth| std::cmp::Reverse(layer(&labels[*nth])));
        let columns = self.frozen.n_columns();
        let before = self.row_targets.len();
        let total = self.plan.rows as u64;
        let mut done = before as u64;
        let mut finished: Vec<Option<(f64, f32, f32)>> = vec![None; labels.len()];
        let mut outcome = Ok(());
        let phase = if before == 0 { "output rows" } else { "feature rows" };
        self.rows.begin(labels.len());
        for block in order.chunks(self.plan.block_rows) {
            outcome = self.monitor.report(phase, done, total).map_err(TraceError::from).and_then(|()| {
                let rows = block.iter().map(|nth| target(self, *nth)).collect::<Result<Vec<_>, _>>()?;
                let (rows, values): (Vec<TargetRow>, Vec<f32>) = rows.into_iter().unzip();
                let computed = self.frozen.rows(&rows, self.monitor.cancel())?;
                for (i, nth) in block.iter().enumerate() {
                    let abs_sum = self.rows.put(*nth, &computed.values[i * columns..(i + 1) * columns]);
                    finished[*nth] = Some((abs_sum, computed.constants[i], values[i]));
                }
                Ok(())
            });
            if outcome.is_err() {
                break;
            }
            done += block.len() as u64;
        }
        // Outputs without all of their rows are no trace; features can be short of some.
        if outcome.is_err() && before == 0 {
            return outcome;
        }
        self.rows.settle();
        for (label, (abs_sum, constant, value)) in
            labels.into_iter().zip(finished).filter_map(|(label, row)| Some((label, row?)))
        {
            self.row_targets.push(label);
            self.abs_sums.push(abs_sum);
            self.constants.push(constant);
            self.values.push(value);
        }
        outcome
    }
}
