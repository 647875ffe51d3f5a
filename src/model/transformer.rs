//! Parts of a model: its embeddings, norms, projections, MLPs and logits.

use crate::hub::FileSource;
use crate::job::Cancel;
use crate::model::attention::softcap;
use crate::model::files::{Files, MlpPart};
use crate::model::forward::normed;
use crate::model::spec::ActivationKind;
use crate::model::{AttentionWeights, KeptWeights, ModelError, ModelSpec, Norm, Precision, Weights};
use crate::parallel;
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::OnceLock;

/// Rows of the unembedding that are converted at a time: 2048 rows of width 2048 are 16 MiB.
const UNEMBED_BLOCK: usize = 2048;

/// A language model whose weights stay on disk in their own type and are converted as they are used.
#[derive(Debug)]
pub struct Transformer {
    /// Specification of the model.
    pub spec: ModelSpec,
    files: Files,
    device: Device,
    mean_unembedding: OnceLock<Vec<f32>>,
}

impl Transformer {
    /// Opens a Hugging Face model directory or a GGUF file. Nothing large is read yet.
    ///
    /// # Errors
    /// Fails where the configuration is absent or unknown, weights are absent or damaged, or a tensor is missing or
    /// misshapen.
    pub fn open(source: &FileSource, device: &Device) -> Result<Self, ModelError> {
        let spec = ModelSpec::read(source)?;
        let files = Files::new(Weights::open_model(source)?, &spec)?;
        Ok(Self { spec, files, device: device.clone(), mean_unembedding: OnceLock::new() })
    }

    /// Sets the type in which its weights are multiplied, by default f32.
    #[must_use]
    pub fn in_precision(mut self, precision: Precision) -> Self {
        self.files.precision = precision;
        self
    }

    /// Moves the model to another device.
    #[must_use]
    pub fn on_device(mut self, device: &Device) -> Self {
        self.device = device.clone();
        self.files.leave();
        self
    }

    /// Returns the types that its weights are quantised to, where some are: `Q4_1, Q8_0`.
    pub fn quantised(&self) -> Option<&str> {
        self.files.quantised()
    }

    /// Returns the type in which its weights are multiplied.
    pub fn precision(&self) -> Precision {
        self.files.precision
    }

    /// Returns the bytes of its projections and its unembedding if they were multiplied in this type.
    pub fn weight_bytes(&self, precision: Precision) -> u64 {
        self.files.weight_bytes(&self.spec, precision)
    }

    /// Keeps the weights in memory that every pass needs again, as far as `room` bytes allow, for as long as what it
    /// returns lives; the others are read again in each pass. `None` on a device with memory of its own, where they stay
    /// if they fit.
    pub fn keep_weights(&self, room: u64) -> Option<KeptWeights<'_>> {
        self.device.is_cpu().then(|| self.files.keep(&self.spec, room))
    }

    /// Returns the device of the model.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Returns the embeddings of `ids`, `[P, d]`, scaled where the model scales them; without learned positions.
    ///
    /// # Errors
    /// Fails where an embedding is not finite, or an id is past the vocabulary.
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

    /// Returns the learned embeddings of some of a prompt's positions, `[n, d]`, where there are any.
    ///
    /// # Errors
    /// Fails where they cannot be read.
    pub(crate) fn learned_positions(&self, positions: Range<usize>) -> Result<Option<Tensor>, ModelError> {
        self.files.position_embeddings(&self.spec, positions, &self.device)
    }

    /// The norm in front of attention; where there is none, one that changes nothing.
    ///
    /// # Errors
    /// Fails where its weights cannot be read.
    pub fn attention_norm(&self, layer: usize) -> Result<Norm, ModelError> {
        self.files.norm(&self.spec, layer, self.spec.layout.attention_norm, &self.device)
    }

    /// Returns the norm behind attention, where there is one.
    ///
    /// # Errors
    /// Fails where its weights cannot be read.
    pub fn after_attention_norm(&self, layer: usize) -> Result<Option<Norm>, ModelError> {
        let read = |name| self.files.norm(&self.spec, layer, Some(name), &self.device);
        self.spec.layout.after_attention_norm.map(read).transpose()
    }

    /// The norm in front of the MLP; where there is none, one that changes nothing.
    ///
    /// # Errors
    /// Fails where its weights cannot be read.
    pub fn mlp_norm(&self, layer: usize) -> Result<Norm, ModelError> {
        self.files.norm(&self.spec, layer, self.spec.layout.mlp_norm, &self.device)
    }

    /// Returns the norm behind the MLP, where there is one.
    ///
    /// # Errors
    /// Fails where its weights cannot be read.
    pub fn after_mlp_norm(&self, layer: usize) -> Result<Option<Norm>, ModelError> {
        let read = |name| self.files.norm(&self.spec, layer, Some(name), &self.device);
        self.spec.layout.after_mlp_norm.map(read).transpose()
    }

    /// Returns the norm in front of the unembedding.
    ///
    /// # Errors
    /// Fails where its weights cannot be read.
    pub fn final_norm(&self) -> Result<Norm, ModelError> {
        self.files.final_norm(&self.spec, &self.device)
    }

    /// Returns the projections of a layer's attention.
    ///
    /// # Errors
    /// Fails where they cannot be read.
    pub fn attention(&self, layer: usize) -> Result<AttentionWeights<'_>, ModelError> {
        self.files.attention(&self.spec, layer, &self.device)
    }

    /// Returns the MLP's output for its input, both `[P, d]`, in front of a norm that may follow.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub fn mlp(&self, layer: usize, input: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        let project = |part: MlpPart, x: &Tensor| -> Result<Tensor, ModelError> {
            self.files.mlp(&self.spec, layer, part, &self.device)?.apply(x, cancel)
        };
        let act = |x: Tensor| match self.spec.activation {
            ActivationKind::Silu => x.silu(),
            ActivationKind::Gelu => x.gelu_erf(),
            ActivationKind::GeluTanh => x.gelu(),
        };
        let hidden = if self.spec.has_gate() {
            (act(project(MlpPart::Gate, input)?)? * project(MlpPart::Up, input)?)?
        } else {
            act(project(MlpPart::Up, input)?)?
        };
        project(MlpPart::Down, &hidden)
    }

    /// Runs the model on `ids`, unaltered: logits `[P, V]`.
    ///
    /// # Errors
    /// Fails where weights cannot be read, an id is past the vocabulary, or the work was stopped.
    pub fn run(&self, ids: &[u32], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        let resid = self.forward(self.prompt(ids)?, &mut (), cancel)?;
        self.logits(&self.last_normed(&resid, None)?.0, cancel)
    }

    /// Returns the final norm's output for the residual stream `[n, d]` behind all layers, and its divisor `[n, 1]`,
    /// which may be frozen.
    ///
    /// # Errors
    /// Fails where its weights cannot be read.
    pub(crate) fn last_normed(&self, resid: &Tensor, frozen: Option<&Tensor>) -> Result<(Tensor, Tensor), ModelError> {
        normed(&self.final_norm()?, resid, frozen)
    }

    /// Returns the logits `[n, V]` of rows `x` `[n, d]` of the final norm's output, after the final softcap, if any.
    ///
    /// # Errors
    /// Fails where the unembedding cannot be read, or the work was stopped.
    pub fn logits(&self, x: &Tensor, cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        self.unembedded(x, self.spec.final_softcap, cancel)
    }

    /// Multiplies `x` `[n, d]` by the unembedding: `[n, V]`.
    ///
    /// # Errors
    /// Fails where the unembedding cannot be read, or the work was stopped.
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

    /// Returns one token's unembedding vector, `[d]`.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn unembedding(&self, id: u32) -> Result<Vec<f32>, ModelError> {
        Ok(self.unembedding_rows(id as usize..id as usize + 1)?.0)
    }

    /// Returns the mean of the unembedding over the vocabulary, `[d]`. Computed once.
    ///
    /// # Errors
    /// Fails where the unembedding cannot be read, or the work was stopped.
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
