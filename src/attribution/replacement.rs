//! The local replacement model: linear in the residual stream once attention patterns, norm divisors and MLP outputs
//! are frozen at their captured values (Ameisen et al. 2025, "The local replacement model").
//!
//! Whatever is frozen is folded into the weights here, so that the backward pass is independent of model families: norm
//! weights into `W_V`, norm divisors into the attention pattern, activations into decoder rows.

use crate::attribution::decoder_rows::{DecoderRows, Decoders, Fixed, Run, WrittenLayer};
use crate::attribution::{Capture, CapturedLayer, TraceError};
use crate::graph::Sources;
use crate::job::{Cancel, Monitor};
use crate::model::{AttentionWeights, Norm, NormKind, NormScales, Precision, Staging, Transformer};
use crate::transcoder::{FeatureInput, FeatureOutput, Transcoder};
use candle_core::{Device, Tensor};
use std::sync::{Arc, Mutex};

/// Frozen weights that the backward pass multiplies with.
#[derive(Debug)]
pub struct Replacement {
    pub(super) device: Device,
    /// Precision of products with the model's weights.
    pub(super) precision: Precision,
    pub(super) d_model: usize,
    pub(super) n_positions: usize,
    /// Sources by column of a row.
    pub(super) sources: Arc<Sources>,
    pub(super) decoders: Decoders,
    pub(super) n_heads: usize,
    pub(super) n_kv_heads: usize,
    /// True where MLPs read the stream in front of the layer, so that their input passes none of its attention.
    pub(super) parallel_residual: bool,
    pub(super) layers: Vec<FrozenLayer>,
    /// Token embeddings `[P, d]`.
    pub(super) embeddings: Tensor,
    /// Learned position embeddings `[P, d]`: constants.
    pub(super) learned: Option<Tensor>,
    /// The residual stream at position 0, which is not carried backward: token 0's share and the constants', in front of
    /// each layer; the last entry is in front of the final norm. `[2, d]` each.
    pub(super) first_position: Vec<Tensor>,
    /// The same behind each layer's attention.
    pub(super) first_position_mid: Vec<Tensor>,
    /// L2 norms of the error vectors, by error of `sources`.
    pub(super) error_norms: Vec<f32>,
    /// Buffers for read vectors and effects on their way to and from a device with memory of its own, one for each of
    /// two groups.
    pub(super) staging: Mutex<[Staging; 2]>,
}

/// Layer with its norm divisors and activations folded in.
#[derive(Debug)]
pub(super) struct FrozenLayer {
    /// Output weight `W_O`, `[d, d_attn]`, for products in the model's precision.
    pub output: Tensor,
    /// Value weight `W_V`, `[d_kv, d]`, the norm's weight folded in, for products in the model's precision.
    pub value: Tensor,
    /// Attention pattern, `[heads, P, P]` (query, key), each key divided by its norm's divisor.
    pub pattern: Tensor,
    /// Output of attention at each position that comes from position 0: token 0's share and the constants'. `[P, 2, d]`
    pub from_first: Tensor,
    /// Skip connection of the transcoder.
    pub skip: Option<FrozenSkip>,
    /// Vectors written at the feature output, by position; `None` at position 0.
    pub writes: Vec<Option<DecoderRows>>,
    /// The same vectors for batched products, where rows are held on a device with memory of its own.
    pub runs: Vec<Run>,
    /// Norm behind the feature output.
    pub behind: PostMlpNorm,
}

impl FrozenLayer {
    /// Returns the widths of the heads' outputs and of their values, `d_attn` and `d_kv`.
    pub fn widths(&self) -> Result<(usize, usize), TraceError> {
        Ok((self.output.dim(1)?, self.value.dim(0)?))
    }
}

/// Attention part of a [`FrozenLayer`].
struct FrozenAttention {
    output: Tensor,
    value: Tensor,
    pattern: Tensor,
    from_first: Tensor,
    /// Residual stream at position 0 behind attention, `[2, d]`.
    mid: Tensor,
}

/// Skip connection with the norm in front of the feature input folded in.
#[derive(Debug)]
pub(super) struct FrozenSkip {
    /// Weight, `[d out, d in]`.
    pub weight: Tensor,
    /// Divisor of the norm, `[P, 1]`; absent where the features read the residual stream itself.
    pub divisor: Option<Tensor>,
}

impl Replacement {
    /// Freezes `model` and `transcoder` at `capture`, which is released layer by layer. `held` keeps the decoder rows
    /// of active features in memory; else they are read again at each use.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub fn new(
        model: &Transformer,
        transcoder: &Transcoder,
        capture: Capture,
        held: bool,
        monitor: &Monitor,
    ) -> Result<Self, TraceError> {
        let (n_layers, n_positions) = (model.spec.n_layers, capture.n_positions());
        let sources = Arc::new(capture.sources());
        let Capture { ids, zeroed, mut layers, .. } = capture;
        let active = layers.iter_mut().map(|layer| std::mem::take(&mut layer.active)).collect();
        let mut frozen = Self {
            device: model.device().clone(),
            precision: model.precision(),
            d_model: model.spec.d_model,
            n_positions,
            decoders: Decoders::new(
                transcoder.clone(),
                active,
                Arc::clone(&sources),
                zeroed,
                held,
                model.device().clone(),
            ),
            sources,
            n_heads: model.spec.n_heads,
            n_kv_heads: model.spec.n_kv_heads,
            parallel_residual: model.spec.parallel_residual,
            layers: Vec::with_capacity(n_layers),
            first_position: Vec::with_capacity(n_layers + 1),
            first_position_mid: Vec::with_capacity(n_layers),
            error_norms: Vec::with_capacity(n_layers * n_positions),
            embeddings: model.embed(&ids)?,
            learned: model.learned_positions(0..n_positions)?,
            staging: Mutex::default(),
        };
        // Row 0: the embedding of token 0 propagated through the linear model. Row 1: the constants.
        let token = frozen.embeddings.narrow(0, 0, 1)?;
        let constant = match &frozen.learned {
            Some(learned) => learned.narrow(0, 0, 1)?,
            None => token.zeros_like()?,
        };
        let mut stream = Tensor::cat(&[&token, &constant], 0)?;
        for (layer, captured) in layers.into_iter().enumerate() {
            monitor.report("freezing", layer as u64, n_layers as u64)?;
            let attention = frozen.freeze_attention(model, &captured, layer, &stream, monitor.cancel())?;
            let CapturedLayer { norm_scales, feature_input, feature_output, .. } = captured;
            let skip = Skip::new(model, transcoder, &norm_scales, layer)?;
            let output = match &skip {
                Some(skip) => feature_output.sub(&feature_input.matmul(&skip.raw.t()?)?)?,
                None => feature_output,
            };
            let behind = PostMlpNorm::new(model, transcoder, &norm_scales, layer)?;
            let constant = skip.as_ref().and_then(|skip| skip.constant.clone());
            let fixed = Fixed { output: &output, constant, behind: &behind };
            let WrittenLayer { writes, runs, error_norms, first } = frozen.decoders.layer(layer, fixed)?;
            frozen.error_norms.extend(error_norms);
            let first = Tensor::from_vec(first, (1, frozen.d_model), &frozen.device)?;
            let FrozenAttention { output, value, pattern, from_first, mid } = attention;
            frozen.first_position.push(stream.clone());
            let read = if frozen.parallel_residual { stream } else { mid.clone() };
            stream = Tensor::cat(&[&mid.narrow(0, 0, 1)?, &mid.narrow(0, 1, 1)?.add(&first)?], 0)?;
            if let Some(skip) = &skip {
                stream = stream.add(&skip.frozen.read(&read, 0)?)?;
            }
            frozen.first_position_mid.push(mid);
            let skip = skip.map(|skip| skip.frozen);
            frozen.layers.push(FrozenLayer { output, value, pattern, from_first, skip, writes, runs, behind });
        }
        frozen.first_position.push(stream);
        Ok(frozen)
    }

    /// Returns the bytes of what is frozen, decoder rows that are held included.
    pub fn bytes(&self) -> u64 {
        let of_layer = |layer: &FrozenLayer| {
            let skip = layer.skip.iter().map(|skip| &skip.weight);
            let tensors = [&layer.output, &layer.value, &layer.pattern, &layer.from_first].into_iter().chain(skip);
            let writes = layer.writes.iter().flatten().map(DecoderRows::bytes);
            tensors.map(bytes_of).sum::<u64>() + writes.sum::<u64>()
        };
        bytes_of(&self.embeddings) + self.layers.iter().map(of_layer).sum::<u64>()
    }

    /// Folds a layer's attention and carries position 0's `stream` `[2, d]` through it, up to the MLP.
    fn freeze_attention(
        &self,
        model: &Transformer,
        captured: &CapturedLayer,
        layer: usize,
        stream: &Tensor,
        cancel: &Cancel,
    ) -> Result<FrozenAttention, TraceError> {
        let (n, heads, group) = (self.n_positions, self.n_heads, self.n_heads / self.n_kv_heads);
        let head_dim = model.spec.head_dim;
        let weights = model.attention(layer)?;
        let norm = model.attention_norm(layer)?;
        let value = norm.pull_back(&weights.value.weight()?)?;
        let mut divided = captured.pattern.broadcast_div(&captured.norm_scales.attention.reshape((1, 1, n))?)?;
        let mut constant = attention_constant(&weights, &norm, group, head_dim, cancel)?;
        let mut output = weights.output.weight()?;
        if let (Some(norm), Some(divisor)) = (model.after_attention_norm(layer)?, &captured.norm_scales.after_attention)
        {
            output = output.broadcast_mul(&norm.weight.unsqueeze(1)?)?;
            divided = divided.broadcast_div(&divisor.reshape((1, n, 1))?)?;
            constant = match constant {
                Some(constant) => Some(constant.broadcast_mul(&norm.weight)?.broadcast_div(divisor)?),
                None => None,
            };
        }
        // What position 0 gives each query: its value vectors, weighed by the pattern, through the output projection.
        let values = stream.matmul(&value.t()?)?.reshape((2, self.n_kv_heads, 1, head_dim))?;
        let values = values.expand((2, self.n_kv_heads, group, head_dim))?.reshape((1, 2, heads, head_dim))?;
        let weight = divided.narrow(2, 0, 1)?.transpose(0, 1)?.reshape((n, 1, heads, 1))?;
        let read = values.broadcast_mul(&weight)?.reshape((n * 2, heads * head_dim))?;
        let mut from_first = read.matmul(&output.t()?)?.reshape((n, 2, self.d_model))?;
        if let Some(constant) = constant {
            let constant = constant.broadcast_as((n, self.d_model))?.unsqueeze(1)?;
            from_first = from_first.add(&Tensor::cat(&[&constant.zeros_like()?, &constant.contiguous()?], 1)?)?;
        }
        let mid = stream.add(&from_first.get(0)?)?;
        let (output, value) = (self.precision.weight(&output)?, self.precision.weight(&value)?);
        Ok(FrozenAttention { output, value, pattern: divided.contiguous()?, from_first, mid })
    }
}

/// Returns the bytes of a tensor's numbers.
pub(super) fn bytes_of(tensor: &Tensor) -> u64 {
    (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64
}

/// Returns the constant that attention adds at every position: the norm's bias through W_V, b_V, both through W_O, and
/// b_O. A pattern's rows sum to 1, so that they arrive whole. `[1, d]`
fn attention_constant(
    weights: &AttentionWeights<'_>,
    norm: &Norm,
    group: usize,
    head_dim: usize,
    cancel: &Cancel,
) -> Result<Option<Tensor>, TraceError> {
    let values = match &norm.bias {
        Some(bias) => Some(weights.value.apply(&bias.unsqueeze(0)?, cancel)?),
        None => match &weights.value.bias {
            Some(bias) => Some(bias.unsqueeze(0)?),
            None => None,
        },
    };
    let Some(values) = values else {
        return Ok(match &weights.output.bias {
            Some(bias) => Some(bias.unsqueeze(0)?),
            None => None,
        });
    };
    let kv = values.dim(1)? / head_dim;
    let each = values.reshape((kv, 1, head_dim))?.expand((kv, group, head_dim))?;
    Ok(Some(weights.output.apply(&each.reshape((1, kv * group * head_dim))?, cancel)?))
}

/// Norm behind the feature output.
#[derive(Debug)]
pub(super) struct PostMlpNorm {
    /// Weight, `[d]`.
    weight: Option<Vec<f32>>,
    /// Divisor, `[P]`.
    divisor: Vec<f32>,
}

impl PostMlpNorm {
    fn new(
        model: &Transformer,
        transcoder: &Transcoder,
        norm_scales: &NormScales,
        layer: usize,
    ) -> Result<Self, TraceError> {
        match (transcoder.output(), model.after_mlp_norm(layer)?, &norm_scales.after_mlp) {
            (FeatureOutput::MlpOut, Some(norm), Some(divisor)) => {
                Ok(Self { weight: Some(norm.weight.to_vec1()?), divisor: divisor.flatten_all()?.to_vec1()? })
            }
            _ => Ok(Self { weight: None, divisor: Vec::new() }),
        }
    }

    /// Carries rows written at `position` into the residual stream.
    pub fn carry(&self, rows: &mut [f32], position: usize) {
        let Some(weight) = &self.weight else { return };
        for row in rows.chunks_mut(weight.len()) {
            row.iter_mut().zip(weight).for_each(|(x, w)| *x *= w / self.divisor[position]);
        }
    }
}

/// Skip connection: as on disk, and with the norms around it folded in.
struct Skip {
    /// Weight on disk, `[d out, d in]`.
    raw: Tensor,
    frozen: FrozenSkip,
    /// Its product with the bias of the norm in front of it, `[d]`.
    constant: Option<Vec<f32>>,
}

impl Skip {
    fn new(
        model: &Transformer,
        transcoder: &Transcoder,
        norm_scales: &NormScales,
        layer: usize,
    ) -> Result<Option<Self>, TraceError> {
        let Some(raw) = transcoder.skip(layer, model.device())? else { return Ok(None) };
        let norm = model.mlp_norm(layer)?;
        let mut constant = None;
        let (mut weight, mut divisor) = match transcoder.input() {
            FeatureInput::ResidPre | FeatureInput::ResidMid | FeatureInput::BeforeNorm | FeatureInput::ResidPost => {
                (raw.clone(), None)
            }
            FeatureInput::Normalized if norm_is_plain(model) => (raw.clone(), Some(norm_scales.mlp.clone())),
            FeatureInput::Normalized | FeatureInput::MlpIn => {
                if let Some(bias) = &norm.bias {
                    constant = Some(bias.unsqueeze(0)?.matmul(&raw.t()?)?.flatten_all()?.to_vec1()?);
                }
                (norm.pull_back(&raw)?, Some(norm_scales.mlp.clone()))
            }
        };
        if transcoder.output() == FeatureOutput::MlpOut
            && let (Some(norm), Some(behind)) = (model.after_mlp_norm(layer)?, &norm_scales.after_mlp)
        {
            weight = weight.broadcast_mul(&norm.weight.unsqueeze(1)?)?;
            divisor = Some(match divisor {
                Some(divisor) => divisor.mul(behind)?,
                None => behind.clone(),
            });
        }
        Ok(Some(Self { raw, frozen: FrozenSkip { weight, divisor }, constant }))
    }
}

/// Returns true where `ln2.hook_normalized` is in front of the norm's weight; in a LayerNorm it is behind weight and
/// bias.
pub(super) fn norm_is_plain(model: &Transformer) -> bool {
    model.spec.norm != NormKind::Layer
}

impl FrozenSkip {
    /// Applies the skip connection to a stream `[P, d]` in front of the MLP's norm.
    pub fn over(&self, stream: &Tensor) -> Result<Tensor, TraceError> {
        self.divided(stream.matmul(&self.weight.t()?)?)
    }

    /// Carries gradients at the skip connection's output to in front of the MLP's norm, `[P, d]` both.
    pub fn back(&self, gradients: &Tensor) -> Result<Tensor, TraceError> {
        self.divided(gradients.matmul(&self.weight)?)
    }

    fn divided(&self, read: Tensor) -> Result<Tensor, TraceError> {
        Ok(match &self.divisor {
            Some(divisor) => read.broadcast_div(divisor)?,
            None => read,
        })
    }

    /// Applies the skip connection to `rows` `[n, d]` at `position` of the residual stream in front of the MLP's norm.
    fn read(&self, rows: &Tensor, position: usize) -> Result<Tensor, TraceError> {
        // A LayerNorm's centring is folded into the weight.
        let read = rows.matmul(&self.weight.t()?)?;
        Ok(match &self.divisor {
            Some(divisor) => read.broadcast_div(&divisor.get(position)?)?,
            None => read,
        })
    }
}
