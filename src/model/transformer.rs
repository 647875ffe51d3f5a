//! A forward pass in steps, so that whoever runs it can capture, freeze and alter what lies between them.

use crate::hub::Place;
use crate::job::Cancel;
use crate::model::attention::softcap;
use crate::model::files::{Files, MlpPart, NormPlace};
use crate::model::rope::Rope;
use crate::model::spec::{ActivationKind, LayerSpec, NormKind};
use crate::model::{AttentionWeights, ModelError, ModelSpec, Norm, Precision, Weights};
use crate::parallel;
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::OnceLock;

/// Rows of the unembedding that are converted at a time: 2048 rows of width 2048 are 16 MiB.
const UNEMBED_BLOCK: usize = 2048;

/// A language model whose weights stay on disk in their own type and are converted as they are used.
#[derive(Debug)]
pub struct Transformer {
    /// What the model is.
    pub spec: ModelSpec,
    files: Files,
    device: Device,
    mean_unembedding: OnceLock<Vec<f32>>,
}

/// The norms' divisors of one layer, `[P, 1]` each.
#[derive(Clone, Debug)]
pub struct Divisors {
    /// Of the norm in front of attention.
    pub attention: Tensor,
    /// Of the norm behind attention, where there is one.
    pub after_attention: Option<Tensor>,
    /// Of the norm in front of the MLP.
    pub mlp: Tensor,
    /// Of the norm behind the MLP, where there is one.
    pub after_mlp: Option<Tensor>,
}

/// What one layer computed up to its MLP's input. Residual widths `[P, d]`.
#[derive(Clone, Debug)]
pub struct LayerPass {
    /// Attention pattern `[heads, P, P]` (query, key).
    pub pattern: Tensor,
    /// The divisor of the norm in front of attention.
    pub attention_divisor: Tensor,
    /// The divisor of the norm behind attention, where there is one.
    pub after_attention_divisor: Option<Tensor>,
    /// The divisor of the norm in front of the MLP.
    pub mlp_divisor: Tensor,
    /// The residual stream after attention, before the MLP's norm.
    pub resid_mid: Tensor,
    /// What TransformerLens calls `ln2.hook_normalized`: that, divided by the norm's divisor, before the norm's weight;
    /// for a LayerNorm after weight and bias.
    pub normalized: Tensor,
    /// The MLP's input, after the norm's weight.
    pub mlp_in: Tensor,
}

/// What a layer's attention computed.
pub(super) struct Attended {
    /// `[heads, P, P]`, or over all positions that were read `[heads, n, P]`.
    pub pattern: Tensor,
    /// What the heads write, `[P, d]`.
    pub written: Tensor,
    /// The divisor of the norm in front, `[P, 1]`.
    pub attention_divisor: Tensor,
}

/// What a prompt's positions are told apart by.
#[derive(Debug)]
pub(crate) struct Positions {
    /// Rotary tables by layer.
    pub(super) ropes: Vec<Option<Rope>>,
    /// Learned embeddings `[P, d]`.
    pub learned: Option<Tensor>,
}

impl Transformer {
    /// Opens a Hugging Face model directory or a GGUF file. Nothing large is read yet.
    ///
    /// # Errors
    /// No or unknown configuration, no or damaged weights, or a tensor that is missing or of the wrong shape.
    pub fn open(place: &Place, device: &Device) -> Result<Self, ModelError> {
        let spec = ModelSpec::read(place)?;
        let files = Files::new(Weights::open_model(place)?, spec.layout);
        files.check(&spec)?;
        Ok(Self { spec, files, device: device.clone(), mean_unembedding: OnceLock::new() })
    }

    /// The same, with its weights multiplied in another type; in f32 unless this is asked for.
    #[must_use]
    pub fn in_precision(mut self, precision: Precision) -> Self {
        self.files.precision = precision;
        self
    }

    /// The same, computing elsewhere.
    #[must_use]
    pub fn on_device(mut self, device: &Device) -> Self {
        self.device = device.clone();
        self.files.leave();
        self
    }

    /// The types that its weights are quantised to, where some are: `Q4_1, Q8_0`.
    pub fn quantised(&self) -> Option<&str> {
        self.files.quantised()
    }

    /// What its weights are multiplied in.
    pub fn precision(&self) -> Precision {
        self.files.precision
    }

    /// Bytes of its projections and its unembedding in a type that they could be multiplied in.
    pub fn weight_bytes(&self, precision: Precision) -> u64 {
        self.files.weight_bytes(&self.spec, precision)
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Embeddings of `ids`, `[P, d]`, scaled where the model scales them; without learned positions.
    ///
    /// # Errors
    /// An embedding is not finite, or an id is past the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor, ModelError> {
        let (v, d) = (self.spec.vocab_size, self.spec.d_model);
        let mut rows = vec![0.0; ids.len() * d];
        for (id, row) in ids.iter().zip(rows.chunks_mut(d)) {
            let id = *id as usize;
            if id >= v {
                return Err(ModelError::Config {
                    path: self.spec.name.clone(),
                    what: format!(
                        "token id {id} is past its vocabulary of {v}; the tokenizer belongs to another model"
                    ),
                });
            }
            self.files.embedding_row(&self.spec, id, row)?;
        }
        let rows = Tensor::from_vec(rows, (ids.len(), d), &self.device)?;
        Ok(match self.spec.embedding_scale {
            Some(scale) => (rows * scale)?,
            None => rows,
        })
    }

    /// What tells a prompt's `count` positions apart.
    ///
    /// # Errors
    /// Learned positions cannot be read.
    pub(crate) fn positions(&self, count: usize) -> Result<Positions, ModelError> {
        self.positions_at(0..count)
    }

    /// What tells some of a prompt's positions apart.
    ///
    /// # Errors
    /// Learned positions cannot be read.
    pub(crate) fn positions_at(&self, positions: Range<usize>) -> Result<Positions, ModelError> {
        let mut known: Vec<(&LayerSpec, Rope)> = Vec::new();
        let mut ropes = Vec::with_capacity(self.spec.n_layers);
        for layer in &self.spec.layers {
            let Some(spec) = &layer.rope else {
                ropes.push(None);
                continue;
            };
            if let Some((_, rope)) = known.iter().find(|(seen, _)| seen.rope == layer.rope) {
                ropes.push(Some(rope.clone()));
                continue;
            }
            let rope = Rope::new(spec, self.spec.head_dim, positions.clone(), &self.device)?;
            ropes.push(Some(rope.clone()));
            known.push((layer, rope));
        }
        Ok(Positions { ropes, learned: self.files.position_embeddings(&self.spec, positions, &self.device)? })
    }

    /// The residual stream in front of the first layer, `[P, d]`.
    ///
    /// # Errors
    /// As [`Transformer::embed`].
    pub(crate) fn start(&self, ids: &[u32], positions: &Positions) -> Result<Tensor, ModelError> {
        let tokens = self.embed(ids)?;
        Ok(match &positions.learned {
            Some(learned) => tokens.add(learned)?,
            None => tokens,
        })
    }

    /// The norm in front of attention.
    ///
    /// # Errors
    /// Its weights cannot be read.
    pub fn attention_norm(&self, layer: usize) -> Result<Norm, ModelError> {
        self.files.norm(&self.spec, NormPlace::Attention(layer), &self.device)
    }

    /// The norm behind attention, where there is one.
    ///
    /// # Errors
    /// Its weights cannot be read.
    pub fn after_attention_norm(&self, layer: usize) -> Result<Option<Norm>, ModelError> {
        let read = || self.files.norm(&self.spec, NormPlace::AfterAttention(layer), &self.device);
        self.spec.post_norms.then(read).transpose()
    }

    /// The norm in front of the MLP.
    ///
    /// # Errors
    /// Its weights cannot be read.
    pub fn mlp_norm(&self, layer: usize) -> Result<Norm, ModelError> {
        self.files.norm(&self.spec, NormPlace::Mlp(layer), &self.device)
    }

    /// The norm behind the MLP, where there is one.
    ///
    /// # Errors
    /// Its weights cannot be read.
    pub fn after_mlp_norm(&self, layer: usize) -> Result<Option<Norm>, ModelError> {
        let read = || self.files.norm(&self.spec, NormPlace::AfterMlp(layer), &self.device);
        self.spec.post_norms.then(read).transpose()
    }

    /// The norm in front of the unembedding.
    ///
    /// # Errors
    /// Its weights cannot be read.
    pub fn final_norm(&self) -> Result<Norm, ModelError> {
        self.files.norm(&self.spec, NormPlace::Final, &self.device)
    }

    /// The projections of a layer's attention.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn attention(&self, layer: usize) -> Result<AttentionWeights<'_>, ModelError> {
        self.files.attention(&self.spec, layer, &self.device)
    }

    /// A layer up to its MLP's input, from the residual stream `[P, d]` in front of it. What is frozen replaces what
    /// this pass would compute.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub(crate) fn layer(
        &self,
        layer: usize,
        resid: &Tensor,
        positions: &Positions,
        pattern: Option<&Tensor>,
        divisors: Option<&Divisors>,
        cancel: &Cancel,
    ) -> Result<LayerPass, ModelError> {
        let (input, attention_divisor) = self.attention_input(layer, resid, divisors)?;
        let attention = self.attention(layer)?;
        let pattern = match pattern {
            Some(frozen) => frozen.clone(),
            None => {
                let window = self.spec.layers[layer].window;
                attention.pattern(&self.spec, &input, positions.ropes[layer].as_ref(), window, cancel)?
            }
        };
        let written = attention.write(&self.spec, &input, &pattern, cancel)?;
        self.behind_attention(layer, resid, Attended { pattern, written, attention_divisor }, divisors)
    }

    /// A layer's normalized residual stream, which its attention reads, and the norm's divisor.
    pub(super) fn attention_input(
        &self,
        layer: usize,
        resid: &Tensor,
        divisors: Option<&Divisors>,
    ) -> Result<(Tensor, Tensor), ModelError> {
        let norm = self.attention_norm(layer)?;
        let divisor = match divisors {
            Some(frozen) => frozen.attention.clone(),
            None => norm.divisor(resid)?,
        };
        Ok((norm.scale(&norm.divide(resid, &divisor)?)?, divisor))
    }

    /// From what a layer's attention wrote up to its MLP's input.
    pub(super) fn behind_attention(
        &self,
        layer: usize,
        resid: &Tensor,
        attended: Attended,
        divisors: Option<&Divisors>,
    ) -> Result<LayerPass, ModelError> {
        let Attended { pattern, written, attention_divisor } = attended;
        let frozen = divisors.and_then(|frozen| frozen.after_attention.as_ref());
        let (written, after_attention_divisor) = through(self.after_attention_norm(layer)?, written, frozen)?;
        let resid_mid = resid.add(&written)?;
        let norm = self.mlp_norm(layer)?;
        let mlp_divisor = match divisors {
            Some(frozen) => frozen.mlp.clone(),
            None => norm.divisor(&resid_mid)?,
        };
        let divided = norm.divide(&resid_mid, &mlp_divisor)?;
        let mlp_in = norm.scale(&divided)?;
        let normalized = if self.spec.norm == NormKind::Layer { mlp_in.clone() } else { divided };
        Ok(LayerPass {
            pattern,
            attention_divisor,
            after_attention_divisor,
            mlp_divisor,
            resid_mid,
            normalized,
            mlp_in,
        })
    }

    /// The MLP's output for its input, both `[P, d]`, in front of a norm that may follow.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub fn mlp(&self, layer: usize, input: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        let project = |part: MlpPart, x: &Tensor| -> Result<Tensor, ModelError> {
            self.files.mlp(&self.spec, layer, part, &self.device)?.apply(x, cancel)
        };
        let act = |x: Tensor| match self.spec.activation {
            ActivationKind::Silu => x.silu(),
            ActivationKind::Gelu => x.gelu_erf(),
            ActivationKind::GeluTanh => x.gelu(),
        };
        let hidden = if self.files.has_gate() {
            (act(project(MlpPart::Gate, input)?)? * project(MlpPart::Up, input)?)?
        } else {
            act(project(MlpPart::Up, input)?)?
        };
        project(MlpPart::Down, &hidden)
    }

    /// What a layer adds to the residual stream for its MLP's output `[P, d]`, and the divisor of the norm between
    /// them, where there is one.
    ///
    /// # Errors
    /// Weights cannot be read.
    pub fn after_mlp(
        &self,
        layer: usize,
        output: Tensor,
        frozen: Option<&Tensor>,
    ) -> Result<(Tensor, Option<Tensor>), ModelError> {
        through(self.after_mlp_norm(layer)?, output, frozen)
    }

    /// The model's own run on `ids`: logits `[P, V]`.
    ///
    /// # Errors
    /// Weights cannot be read, an id is past the vocabulary, or the work was stopped.
    pub fn run(&self, ids: &[u32], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        let positions = self.positions(ids.len())?;
        let mut resid = self.start(ids, &positions)?;
        for layer in 0..self.spec.n_layers {
            let pass = self.layer(layer, &resid, &positions, None, None, cancel)?;
            let (written, _) = self.after_mlp(layer, self.mlp(layer, &pass.mlp_in, cancel)?, None)?;
            resid = pass.resid_mid.add(&written)?;
        }
        self.logits(&self.final_norm()?.apply(&resid)?, cancel)
    }

    /// Logits `[n, V]` of rows `x` `[n, d]` that passed the final norm, after the final softcap where there is one.
    ///
    /// # Errors
    /// The unembedding cannot be read, or the work was stopped.
    pub fn logits(&self, x: &Tensor, cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        self.unembedded(x, self.spec.final_softcap, cancel)
    }

    /// `x` `[n, d]` times the unembedding, `[n, V]`.
    ///
    /// # Errors
    /// The unembedding cannot be read, or the work was stopped.
    pub fn unembed(&self, x: &Tensor, cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        self.unembedded(x, None, cancel)
    }

    fn unembedded(&self, x: &Tensor, cap: Option<f64>, cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        let shape = (x.dim(0)?, self.spec.vocab_size);
        let logits = self.files.unembed(&self.spec, x, cancel)?;
        let logits = Tensor::from_vec(logits, shape, &Device::Cpu)?;
        Ok(match cap {
            Some(cap) => softcap(&logits, cap)?.to_vec2()?,
            None => logits.to_vec2()?,
        })
    }

    fn unembedding_rows(&self, rows: Range<usize>) -> Result<(Vec<f32>, (usize, usize)), ModelError> {
        let shape = (rows.len(), self.spec.d_model);
        let mut out = vec![0.0; shape.0 * shape.1];
        self.files.unembedding_rows(&self.spec, rows, &mut out)?;
        Ok((out, shape))
    }

    /// One token's unembedding vector, `[d]`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn unembedding(&self, id: u32) -> Result<Vec<f32>, ModelError> {
        Ok(self.unembedding_rows(id as usize..id as usize + 1)?.0)
    }

    /// The mean of the unembedding over the vocabulary, `[d]`. Computed once.
    ///
    /// # Errors
    /// The unembedding cannot be read, or the work was stopped.
    pub fn mean_unembedding(&self, cancel: &Cancel) -> Result<&[f32], ModelError> {
        if let Some(mean) = self.mean_unembedding.get() {
            return Ok(mean);
        }
        let (v, d) = (self.spec.vocab_size, self.spec.d_model);
        let sums: Vec<Vec<f64>> = parallel::map(v.div_ceil(UNEMBED_BLOCK), |block| -> Result<_, ModelError> {
            cancel.check()?;
            let (rows, _) = self.unembedding_rows(block * UNEMBED_BLOCK..v.min((block + 1) * UNEMBED_BLOCK))?;
            let mut sum = vec![0.0f64; d];
            for row in rows.chunks(d) {
                sum.iter_mut().zip(row).for_each(|(s, x)| *s += f64::from(*x));
            }
            Ok(sum)
        })?;
        let mean = (0..d).map(|i| (sums.iter().map(|s| s[i]).sum::<f64>() / v as f64) as f32).collect();
        Ok(self.mean_unembedding.get_or_init(|| mean))
    }
}

/// `x` through a norm that may be there, with its divisor.
fn through(norm: Option<Norm>, x: Tensor, frozen: Option<&Tensor>) -> Result<(Tensor, Option<Tensor>), ModelError> {
    let Some(norm) = norm else { return Ok((x, None)) };
    let divisor = match frozen {
        Some(frozen) => frozen.clone(),
        None => norm.divisor(&x)?,
    };
    Ok((norm.scale(&norm.divide(&x, &divisor)?)?, Some(divisor)))
}
