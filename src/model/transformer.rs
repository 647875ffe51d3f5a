//! A forward pass in steps, so that whoever runs it can capture, freeze and alter what lies between them.

use crate::hub::Place;
use crate::model::rope::Rope;
use crate::model::{AttentionWeights, ModelError, ModelSpec, Norm, Weights};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::sync::OnceLock;

/// Rows of the unembedding that are converted at a time: 2048 rows of width 2048 are 16 MiB.
const UNEMBED_BLOCK: usize = 2048;

/// A language model whose weights stay on disk in their own type and are converted as they are used.
#[derive(Debug)]
pub struct Transformer {
    /// What the model is.
    pub spec: ModelSpec,
    weights: Weights,
    device: Device,
    mean_unembedding: OnceLock<Vec<f32>>,
}

/// The norms' divisors of one layer, `[P, 1]` each.
#[derive(Clone, Debug)]
pub struct Divisors {
    /// Of the norm in front of attention.
    pub attention: Tensor,
    /// Of the norm in front of the MLP.
    pub mlp: Tensor,
}

/// What one layer computed. Residual widths `[P, d]`.
#[derive(Clone, Debug)]
pub struct LayerPass {
    /// Attention pattern `[heads, P, P]` (query, key).
    pub pattern: Tensor,
    /// The norms' divisors.
    pub divisors: Divisors,
    /// The residual stream after attention, before the MLP's norm.
    pub resid_mid: Tensor,
    /// That, divided by the norm's divisor, before the norm's weight.
    pub normalized: Tensor,
    /// The MLP's input, after the norm's weight.
    pub mlp_in: Tensor,
}

impl Transformer {
    /// Opens a Hugging Face model directory. Nothing large is read yet.
    ///
    /// # Errors
    /// No or unknown configuration, no or damaged weights, or a tensor that is missing or of the wrong shape.
    pub fn open(place: &Place, device: &Device) -> Result<Self, ModelError> {
        let spec = ModelSpec::read(place)?;
        let weights = Weights::open_model(place)?;
        let model = Self { spec, weights, device: device.clone(), mean_unembedding: OnceLock::new() };
        model.check()?;
        Ok(model)
    }

    /// Every tensor that a pass reads is there and has its shape, so that a bad file shows before any work.
    fn check(&self) -> Result<(), ModelError> {
        let ModelSpec { vocab_size: v, d_model: d, d_mlp: m, .. } = self.spec;
        let (a, kv) = (self.spec.d_attn(), self.spec.d_kv());
        self.weights.expect(EMBEDDING, &[v, d])?;
        self.weights.expect(self.unembedding_name(), &[v, d])?;
        self.weights.expect("model.norm.weight", &[d])?;
        for layer in 0..self.spec.n_layers {
            let shapes: [(&str, &[usize]); 9] = [
                ("input_layernorm.weight", &[d]),
                ("self_attn.q_proj.weight", &[a, d]),
                ("self_attn.k_proj.weight", &[kv, d]),
                ("self_attn.v_proj.weight", &[kv, d]),
                ("self_attn.o_proj.weight", &[d, a]),
                ("post_attention_layernorm.weight", &[d]),
                ("mlp.gate_proj.weight", &[m, d]),
                ("mlp.up_proj.weight", &[m, d]),
                ("mlp.down_proj.weight", &[d, m]),
            ];
            for (name, shape) in shapes {
                self.weights.expect(&format!("model.layers.{layer}.{name}"), shape)?;
            }
        }
        Ok(())
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Bytes of the weights on disk.
    pub fn weight_bytes(&self) -> u64 {
        self.weights.bytes()
    }

    /// Embeddings of `ids`, `[P, d]`.
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
            self.weights.read_rows(EMBEDDING, &[v, d], id..id + 1, row)?;
        }
        Ok(Tensor::from_vec(rows, (ids.len(), d), &self.device)?)
    }

    /// Rotary tables for a prompt of `positions` tokens.
    ///
    /// # Errors
    /// The device refuses them.
    pub(crate) fn rope(&self, positions: usize) -> Result<Rope, ModelError> {
        Ok(Rope::new(&self.spec, positions, &self.device)?)
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        Ok(Norm { weight: self.weights.tensor(name, &[self.spec.d_model], &self.device)?, eps: self.spec.norm_eps })
    }

    /// The norm in front of attention.
    ///
    /// # Errors
    /// Its weight cannot be read.
    pub fn attention_norm(&self, layer: usize) -> Result<Norm, ModelError> {
        self.norm(&format!("model.layers.{layer}.input_layernorm.weight"))
    }

    /// The norm in front of the MLP.
    ///
    /// # Errors
    /// Its weight cannot be read.
    pub fn mlp_norm(&self, layer: usize) -> Result<Norm, ModelError> {
        self.norm(&format!("model.layers.{layer}.post_attention_layernorm.weight"))
    }

    /// The norm in front of the unembedding.
    ///
    /// # Errors
    /// Its weight cannot be read.
    pub fn final_norm(&self) -> Result<Norm, ModelError> {
        self.norm("model.norm.weight")
    }

    /// The projections of a layer's attention.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn attention(&self, layer: usize) -> Result<AttentionWeights, ModelError> {
        AttentionWeights::read(&self.weights, &self.spec, layer, &self.device)
    }

    /// A layer up to its MLP's input, from the residual stream `[P, d]` in front of it. What is `frozen` replaces what
    /// this pass would compute.
    ///
    /// # Errors
    /// Weights cannot be read.
    pub(crate) fn layer(
        &self,
        layer: usize,
        resid: &Tensor,
        rope: &Rope,
        pattern: Option<&Tensor>,
        divisors: Option<&Divisors>,
    ) -> Result<LayerPass, ModelError> {
        let norm = self.attention_norm(layer)?;
        let attention_divisor = match divisors {
            Some(frozen) => frozen.attention.clone(),
            None => norm.divisor(resid)?,
        };
        let input = norm.scale(&norm.divide(resid, &attention_divisor)?)?;
        let attention = self.attention(layer)?;
        let pattern = match pattern {
            Some(frozen) => frozen.clone(),
            None => attention.pattern(&self.spec, &input, rope)?,
        };
        let resid_mid = resid.add(&attention.write(&self.spec, &input, &pattern)?)?;
        let norm = self.mlp_norm(layer)?;
        let mlp_divisor = match divisors {
            Some(frozen) => frozen.mlp.clone(),
            None => norm.divisor(&resid_mid)?,
        };
        let normalized = norm.divide(&resid_mid, &mlp_divisor)?;
        let mlp_in = norm.scale(&normalized)?;
        let divisors = Divisors { attention: attention_divisor, mlp: mlp_divisor };
        Ok(LayerPass { pattern, divisors, resid_mid, normalized, mlp_in })
    }

    /// The MLP's output for its input, both `[P, d]`.
    ///
    /// # Errors
    /// Weights cannot be read.
    pub fn mlp(&self, layer: usize, input: &Tensor) -> Result<Tensor, ModelError> {
        let (d, m) = (self.spec.d_model, self.spec.d_mlp);
        let project = |x: &Tensor, which: &str, shape: [usize; 2]| -> Result<Tensor, ModelError> {
            let name = format!("model.layers.{layer}.mlp.{which}_proj.weight");
            Ok(x.matmul(&self.weights.tensor(&name, &shape, &self.device)?.t()?)?)
        };
        let gate = project(input, "gate", [m, d])?.silu()?;
        let up = project(input, "up", [m, d])?;
        project(&(gate * up)?, "down", [d, m])
    }

    fn unembedding_name(&self) -> &'static str {
        if self.spec.tied_embeddings { EMBEDDING } else { "lm_head.weight" }
    }

    /// Logits `[n, V]` of rows `x` `[n, d]` that passed the final norm.
    ///
    /// # Errors
    /// The unembedding cannot be read.
    pub fn unembed(&self, x: &Tensor) -> Result<Vec<Vec<f32>>, ModelError> {
        let v = self.spec.vocab_size;
        let blocks: Vec<Vec<Vec<f32>>> = (0..v.div_ceil(UNEMBED_BLOCK))
            .into_par_iter()
            .map(|block| -> Result<_, ModelError> {
                let weight = self.unembedding_rows(block * UNEMBED_BLOCK..v.min((block + 1) * UNEMBED_BLOCK))?;
                let weight = Tensor::from_vec(weight.0, weight.1, &self.device)?;
                Ok(x.matmul(&weight.t()?)?.to_vec2()?)
            })
            .collect::<Result<_, _>>()?;
        Ok((0..x.dim(0)?).map(|row| blocks.iter().flat_map(|block| block[row].iter().copied()).collect()).collect())
    }

    fn unembedding_rows(&self, rows: std::ops::Range<usize>) -> Result<(Vec<f32>, (usize, usize)), ModelError> {
        let (v, d) = (self.spec.vocab_size, self.spec.d_model);
        let shape = (rows.len(), d);
        let mut out = vec![0.0; rows.len() * d];
        self.weights.read_rows(self.unembedding_name(), &[v, d], rows, &mut out)?;
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
    /// The unembedding cannot be read.
    pub fn mean_unembedding(&self) -> Result<&[f32], ModelError> {
        if let Some(mean) = self.mean_unembedding.get() {
            return Ok(mean);
        }
        let (v, d) = (self.spec.vocab_size, self.spec.d_model);
        let sums: Vec<Vec<f64>> = (0..v.div_ceil(UNEMBED_BLOCK))
            .into_par_iter()
            .map(|block| -> Result<_, ModelError> {
                let (rows, _) = self.unembedding_rows(block * UNEMBED_BLOCK..v.min((block + 1) * UNEMBED_BLOCK))?;
                let mut sum = vec![0.0f64; d];
                for row in rows.chunks(d) {
                    sum.iter_mut().zip(row).for_each(|(s, x)| *s += f64::from(*x));
                }
                Ok(sum)
            })
            .collect::<Result<_, _>>()?;
        let mean = (0..d).map(|i| (sums.iter().map(|s| s[i]).sum::<f64>() / v as f64) as f32).collect();
        Ok(self.mean_unembedding.get_or_init(|| mean))
    }
}

const EMBEDDING: &str = "model.embed_tokens.weight";
