//! The local replacement model: linear in the residual stream once attention patterns, norm divisors and MLP outputs
//! are frozen at their captured values (Ameisen et al. 2025, "The local replacement model").
//!
//! Whatever is frozen is folded into the weights here, so that the backward pass knows nothing of model families: norm
//! weights into `W_V`, divisors into the attention pattern, activations into decoder rows.

use crate::attribution::{Capture, TraceError, ZEROED};
use crate::job::Monitor;
use crate::model::Transformer;
use crate::transcoder::{FeatureInput, Transcoder};
use candle_core::{Device, Tensor};

/// Everything that the backward pass multiplies with.
#[derive(Debug)]
pub struct Replacement {
    pub(super) device: Device,
    pub(super) d_model: usize,
    pub(super) n_positions: usize,
    pub(super) n_active: usize,
    pub(super) n_heads: usize,
    pub(super) n_kv_heads: usize,
    pub(super) layers: Vec<FrozenLayer>,
    /// Token embeddings `[P, d]`.
    pub(super) embeddings: Tensor,
    /// The residual stream at position 0, which is not carried backward: token 0's share and the constants', in front
    /// of each layer's MLP; the last entry is in front of the final norm. `[2, d]` each.
    pub(super) first_position: Vec<Tensor>,
    /// L2 norms of the error vectors, `[L * P]`.
    pub(super) error_norms: Vec<f32>,
}

/// One layer with its divisors and activations folded in.
#[derive(Debug)]
pub(super) struct FrozenLayer {
    /// `[d, d_attn]`
    pub output: Tensor,
    /// `[d_kv, d]`, the norm's weight folded in.
    pub value: Tensor,
    /// `[heads, P, P]` (query, key), each key divided by its norm's divisor.
    pub pattern: Vec<f32>,
    /// What attention carries from position 0 to each position: token 0's share and the constants'. `[P, 2, d]`
    pub from_first: Tensor,
    /// A transcoder's skip connection.
    pub skip: Option<FrozenSkip>,
    /// What is written at the feature output, by position; `None` at position 0.
    pub writes: Vec<Option<Writes>>,
}

/// A skip connection with the norm in front of the feature input folded in.
#[derive(Debug)]
pub(super) struct FrozenSkip {
    /// `[d out, d in]`
    pub weight: Tensor,
    /// What the norm divides each position by, `[P, 1]`; absent where the features read the residual stream itself.
    pub divisor: Option<Tensor>,
}

/// What is written at one layer and position: rows of features, then (unless zeroed) the error, then the constants.
#[derive(Debug)]
pub(super) struct Writes {
    /// `[features + 1 or 2, d]`
    pub rows: Tensor,
    /// Where the features' columns are: (first column, first row, how many).
    pub segments: Vec<(usize, usize, usize)>,
    /// The error's column.
    pub error: Option<usize>,
}

impl Replacement {
    /// Freezes `model` and `transcoder` at what `capture` holds.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub fn new(
        model: &Transformer,
        transcoder: &Transcoder,
        capture: &Capture,
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        let (n_layers, n_positions) = (model.spec.n_layers, capture.n_positions());
        let embeddings = model.embed(&capture.ids)?;
        let mut frozen = Self {
            device: model.device().clone(),
            d_model: model.spec.d_model,
            n_positions,
            n_active: capture.n_active(),
            n_heads: model.spec.n_heads,
            n_kv_heads: model.spec.n_kv_heads,
            layers: Vec::with_capacity(n_layers),
            first_position: Vec::with_capacity(n_layers + 1),
            error_norms: vec![0.0; n_layers * n_positions],
            embeddings,
        };
        // Row 0: the embedding of token 0 propagated through the linear model. Row 1: the constants.
        let token = frozen.embeddings.narrow(0, 0, 1)?;
        let mut stream = Tensor::cat(&[&token, &token.zeros_like()?], 0)?;
        let mut written = WrittenRows::new(transcoder, capture);
        for layer in 0..n_layers {
            monitor.report("freezing", layer as u64, n_layers as u64)?;
            let (folded, mid) = frozen.freeze_attention(model, transcoder, capture, layer, &stream)?;
            let carried = skip_map(folded.skip.as_ref(), &mid, 0)?;
            let layer_of = &capture.layers[layer];
            let skipped = match transcoder.skip(layer, model.device())? {
                Some(weight) => Some(layer_of.feature_input.matmul(&weight.t()?)?),
                None => None,
            };
            let fixed = match &skipped {
                Some(skipped) => layer_of.feature_output.sub(skipped)?,
                None => layer_of.feature_output.clone(),
            };
            let constant = fixed.narrow(0, 0, 1)?;
            let writes = written.layer(layer, &fixed, &mut frozen.error_norms)?;
            stream = Tensor::cat(&[&mid.narrow(0, 0, 1)?, &mid.narrow(0, 1, 1)?.add(&constant)?], 0)?;
            if let Some(carried) = carried {
                stream = stream.add(&carried)?;
            }
            frozen.first_position.push(mid);
            frozen.layers.push(FrozenLayer { writes, ..folded });
        }
        frozen.first_position.push(stream);
        Ok(frozen)
    }

    /// Widths of the concatenated query heads and key-value heads, d_attn and d_kv.
    pub(super) fn attention_widths(&self) -> (usize, usize) {
        self.layers.first().map_or((0, 0), |layer| {
            (layer.output.dims().get(1).copied().unwrap_or(0), layer.value.dims().first().copied().unwrap_or(0))
        })
    }

    /// Bytes of everything that is frozen.
    pub(super) fn bytes(&self) -> u64 {
        let of = |layer: &FrozenLayer| {
            let written = layer.writes.iter().flatten().map(|writes| writes.rows.elem_count()).sum::<usize>();
            let skip = layer.skip.as_ref().map_or(0, |skip| skip.weight.elem_count());
            4 * (layer.output.elem_count() + layer.value.elem_count() + layer.pattern.len() + written + skip) as u64
        };
        self.layers.iter().map(of).sum()
    }

    /// Folds a layer's attention and carries position 0's `stream` `[2, d]` through it, to in front of the MLP.
    fn freeze_attention(
        &self,
        model: &Transformer,
        transcoder: &Transcoder,
        capture: &Capture,
        layer: usize,
        stream: &Tensor,
    ) -> Result<(FrozenLayer, Tensor), TraceError> {
        let captured = &capture.layers[layer];
        let weights = model.attention(layer)?;
        let output = weights.output.weight;
        let value = weights.value.weight.broadcast_mul(&model.attention_norm(layer)?.weight)?;
        let divided =
            captured.pattern.broadcast_div(&captured.divisors.attention.reshape((1, 1, self.n_positions))?)?;
        // What position 0 gives each query: its value vectors, weighed by the pattern, through the output projection.
        let (heads, group) = (self.n_heads, self.n_heads / self.n_kv_heads);
        let head_dim = model.spec.head_dim;
        let values = stream.matmul(&value.t()?)?.reshape((2, self.n_kv_heads, 1, head_dim))?;
        let values = values.expand((2, self.n_kv_heads, group, head_dim))?.reshape((1, 2, heads, head_dim))?;
        let weight = divided.narrow(2, 0, 1)?.transpose(0, 1)?.reshape((self.n_positions, 1, heads, 1))?;
        let read = values.broadcast_mul(&weight)?.reshape((self.n_positions * 2, heads * head_dim))?;
        let mut from_first = read.matmul(&output.t()?)?.reshape((self.n_positions, 2, self.d_model))?;
        if let Some(bias) = attention_constant(&weights.value.bias, &weights.output.bias, &output, group, head_dim)? {
            // A pattern's rows sum to 1, so that the biases arrive whole at every position.
            let both = Tensor::cat(&[&bias.zeros_like()?, &bias], 0)?;
            from_first = from_first.broadcast_add(&both.unsqueeze(0)?)?;
        }
        let mid = stream.add(&from_first.get(0)?)?;
        let skip = match transcoder.skip(layer, model.device())? {
            None => None,
            Some(weight) => Some(match transcoder.input() {
                FeatureInput::ResidMid => FrozenSkip { weight, divisor: None },
                FeatureInput::Normalized => FrozenSkip { weight, divisor: Some(captured.divisors.mlp.clone()) },
                FeatureInput::MlpIn => FrozenSkip {
                    weight: weight.broadcast_mul(&model.mlp_norm(layer)?.weight)?,
                    divisor: Some(captured.divisors.mlp.clone()),
                },
            }),
        };
        let pattern = divided.flatten_all()?.to_vec1()?;
        Ok((FrozenLayer { output, value, pattern, from_first, skip, writes: Vec::new() }, mid))
    }
}

/// b_V through W_O, plus b_O: `[1, d]`.
fn attention_constant(
    value: &Option<Tensor>,
    output_bias: &Option<Tensor>,
    output: &Tensor,
    group: usize,
    head_dim: usize,
) -> Result<Option<Tensor>, TraceError> {
    let through = match value {
        None => None,
        Some(bias) => {
            let kv = bias.dim(0)? / head_dim;
            let each =
                bias.reshape((kv, 1, head_dim))?.expand((kv, group, head_dim))?.reshape((1, kv * group * head_dim))?;
            Some(each.matmul(&output.t()?)?)
        }
    };
    Ok(match (through, output_bias) {
        (Some(through), Some(bias)) => Some(through.broadcast_add(bias)?),
        (Some(through), None) => Some(through),
        (None, Some(bias)) => Some(bias.unsqueeze(0)?),
        (None, None) => None,
    })
}

/// What a skip connection makes of rows at `position` of the residual stream in front of the MLP's norm.
fn skip_map(skip: Option<&FrozenSkip>, rows: &Tensor, position: usize) -> Result<Option<Tensor>, TraceError> {
    let Some(skip) = skip else { return Ok(None) };
    let read = rows.matmul(&skip.weight.t()?)?;
    Ok(Some(match &skip.divisor {
        Some(divisor) => read.broadcast_div(&divisor.get(position)?)?,
        None => read,
    }))
}

/// Decoder rows of active features, times their activations, gathered for one layer's feature output after another.
struct WrittenRows<'a> {
    transcoder: &'a Transcoder,
    capture: &'a Capture,
    /// First column of each layer's active features.
    columns: Vec<usize>,
    /// Rows of cross-layer features that later layers still need, by source layer: `[active, layers written, d]`.
    pending: Vec<Vec<f32>>,
}

impl<'a> WrittenRows<'a> {
    fn new(transcoder: &'a Transcoder, capture: &'a Capture) -> Self {
        let mut columns = vec![0];
        for layer in &capture.layers {
            columns.push(columns.last().copied().unwrap_or(0) + layer.active.len());
        }
        Self { transcoder, capture, columns, pending: Vec::new() }
    }

    /// What is written at `layer`; `fixed` `[P, d]` is the feature output minus its skip term.
    fn layer(
        &mut self,
        layer: usize,
        fixed: &Tensor,
        error_norms: &mut [f32],
    ) -> Result<Vec<Option<Writes>>, TraceError> {
        let (n_positions, d) = fixed.dims2()?;
        let n_active = self.columns[self.capture.layers.len()];
        let active = &self.capture.layers[layer].active;
        let mut rows = Vec::with_capacity(active.len() * d);
        for feature in active {
            let written = self.transcoder.decoder_rows(layer, feature.feature as usize)?;
            rows.extend(written.iter().map(|w| w * feature.activation));
        }
        self.pending.push(rows);
        let bias = self.transcoder.decoder_bias(layer)?;
        let fixed: Vec<Vec<f32>> = fixed.to_vec2()?;
        let sources: Vec<usize> =
            (0..=layer).filter(|source| self.transcoder.writes_to(*source).contains(&layer)).collect();
        let mut all = Vec::with_capacity(n_positions);
        for (position, fixed) in fixed.iter().enumerate() {
            if position == 0 {
                all.push(None);
                continue;
            }
            if position < ZEROED {
                let rows = Tensor::from_slice(fixed, (1, d), &self.device())?;
                all.push(Some(Writes { rows, segments: Vec::new(), error: None }));
                continue;
            }
            let (mut rows, mut segments) = (Vec::new(), Vec::new());
            for source in &sources {
                let active = &self.capture.layers[*source].active;
                let start = active.partition_point(|a| (a.position as usize) < position);
                let end = active.partition_point(|a| (a.position as usize) <= position);
                let (n_written, nth) = (self.transcoder.writes_to(*source).len(), layer - source);
                if start < end {
                    segments.push((self.columns[*source] + start, rows.len() / d, end - start));
                }
                for index in start..end {
                    let at = (index * n_written + nth) * d;
                    rows.extend_from_slice(&self.pending[*source][at..at + d]);
                }
            }
            let mut error: Vec<f64> = fixed.iter().zip(&bias).map(|(x, b)| f64::from(*x) - f64::from(*b)).collect();
            for row in rows.chunks(d) {
                error.iter_mut().zip(row).for_each(|(e, w)| *e -= f64::from(*w));
            }
            error_norms[layer * n_positions + position] = error.iter().map(|e| e * e).sum::<f64>().sqrt() as f32;
            rows.extend(error.iter().map(|e| *e as f32));
            rows.extend_from_slice(&bias);
            let n = rows.len() / d;
            let rows = Tensor::from_vec(rows, (n, d), &self.device())?;
            all.push(Some(Writes { rows, segments, error: Some(n_active + layer * n_positions + position) }));
        }
        // Rows whose last layer this was are not needed again.
        for source in sources {
            if self.transcoder.writes_to(source).end == layer + 1 {
                self.pending[source] = Vec::new();
            }
        }
        Ok(all)
    }

    fn device(&self) -> Device {
        self.capture.final_output.device().clone()
    }
}
