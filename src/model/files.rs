//! Where a model's weight files keep what, under which names and in which shapes.

use crate::job::Cancel;
use crate::model::linear::Kept;
use crate::model::resident::Resident;
use crate::model::spec::{Layout, NormKind, PositionKind};
use crate::model::{AttentionWeights, Linear, ModelError, ModelSpec, Norm, Precision, Weights};
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The norms of a layer, and the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NormPlace {
    Attention(usize),
    AfterAttention(usize),
    Mlp(usize),
    AfterMlp(usize),
    Final,
}

/// An MLP's projections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MlpPart {
    /// `[d_mlp, d]`: what the activation function is applied to, where there is a gate.
    Gate,
    /// `[d_mlp, d]`
    Up,
    /// `[d, d_mlp]`
    Down,
}

/// A model's weight files.
#[derive(Debug)]
pub(super) struct Files {
    weights: Weights,
    layout: Layout,
    /// In front of every name but the unembedding's.
    prefix: &'static str,
    /// What its projections are multiplied in.
    pub precision: Precision,
    /// Those of its weights that stay on a device.
    resident: Resident,
    /// Products with the unembedding so far.
    unembedded: AtomicUsize,
}

/// Prefixes that are seen in the wild: plain, the base model alone, and inside multimodal models.
const LLAMA_PREFIXES: [&str; 4] = ["model.", "", "language_model.model.", "model.language_model."];
const GPT2_PREFIXES: [&str; 2] = ["", "transformer."];

/// What GPT-2's queries, keys and values are called where they lie apart.
const THIRDS: [&str; 3] = ["q", "k", "v"];

impl Files {
    pub fn new(weights: Weights, layout: Layout) -> Self {
        let (prefixes, probe): (&[&'static str], &str) = match layout {
            Layout::Llama => (&LLAMA_PREFIXES, "embed_tokens.weight"),
            Layout::Gpt2 | Layout::Gpt2ByOutput => (&GPT2_PREFIXES, "wte.weight"),
        };
        let found = prefixes.iter().find(|prefix| weights.get(&format!("{prefix}{probe}")).is_some());
        Self {
            prefix: found.unwrap_or(&prefixes[0]),
            weights,
            layout,
            precision: Precision::F32,
            resident: Resident::default(),
            unembedded: AtomicUsize::new(0),
        }
    }

    /// The types of quantised tensors, where there are some.
    pub fn quantised(&self) -> Option<&str> {
        self.weights.quantised()
    }

    /// Bytes of the projections and the unembedding in a type that they could be multiplied in.
    pub fn weight_bytes(&self, spec: &ModelSpec, precision: Precision) -> u64 {
        let (d, a, kv) = (spec.d_model, spec.d_attn(), spec.d_kv());
        let of_mlp = if self.has_gate() { 3 } else { 2 };
        let of_layer = 2 * d * (a + kv) + of_mlp * d * spec.d_mlp;
        ((spec.n_layers * of_layer + spec.vocab_size * d) * precision.bytes()) as u64
    }

    /// Lets go of what stays on a device: it is another one from now on.
    pub fn leave(&mut self) {
        self.resident = Resident::default();
    }

    /// Whether its weights stay on `device` once they are there.
    fn stays(&self, spec: &ModelSpec, device: &Device) -> bool {
        self.resident.stays(device, self.weight_bytes(spec, self.precision))
    }

    /// A small tensor in f32, which stays on a device with memory of its own.
    fn small(&self, name: &str, width: usize, device: &Device) -> Result<Tensor, ModelError> {
        let read = || self.weights.tensor(name, &[width], device);
        if device.is_cpu() { read() } else { self.resident.get(name, read) }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    fn embedding(&self) -> String {
        self.name(match self.layout {
            Layout::Llama => "embed_tokens.weight",
            Layout::Gpt2 | Layout::Gpt2ByOutput => "wte.weight",
        })
    }

    fn unembedding(&self, spec: &ModelSpec) -> String {
        if spec.tied_embeddings {
            return self.embedding();
        }
        // Multimodal models keep it beside their language model.
        let inside = "language_model.lm_head.weight";
        if self.weights.get(inside).is_some() { inside.to_owned() } else { "lm_head.weight".to_owned() }
    }

    fn norm_name(&self, spec: &ModelSpec, place: NormPlace) -> String {
        let rest = match (self.layout, place) {
            (Layout::Gpt2 | Layout::Gpt2ByOutput, NormPlace::Attention(layer)) => format!("h.{layer}.ln_1"),
            (Layout::Gpt2 | Layout::Gpt2ByOutput, NormPlace::Mlp(layer)) => format!("h.{layer}.ln_2"),
            (Layout::Gpt2 | Layout::Gpt2ByOutput, _) => "ln_f".to_owned(),
            (Layout::Llama, NormPlace::Attention(layer)) => format!("layers.{layer}.input_layernorm"),
            // Llama calls the norm in front of its MLP what Gemma calls the one after its attention.
            (Layout::Llama, NormPlace::Mlp(layer)) if !spec.post_norms => {
                format!("layers.{layer}.post_attention_layernorm")
            }
            (Layout::Llama, NormPlace::AfterAttention(layer)) => format!("layers.{layer}.post_attention_layernorm"),
            (Layout::Llama, NormPlace::Mlp(layer)) => format!("layers.{layer}.pre_feedforward_layernorm"),
            (Layout::Llama, NormPlace::AfterMlp(layer)) => format!("layers.{layer}.post_feedforward_layernorm"),
            (Layout::Llama, NormPlace::Final) => "norm".to_owned(),
        };
        self.name(&rest)
    }

    pub fn norm(&self, spec: &ModelSpec, place: NormPlace, device: &Device) -> Result<Norm, ModelError> {
        self.norm_of(spec, &self.norm_name(spec, place), spec.d_model, device)
    }

    fn norm_of(&self, spec: &ModelSpec, name: &str, width: usize, device: &Device) -> Result<Norm, ModelError> {
        self.stays(spec, device);
        let weight = self.small(&format!("{name}.weight"), width, device)?;
        let bias = match spec.norm {
            NormKind::Layer => Some(self.small(&format!("{name}.bias"), width, device)?),
            NormKind::Rms | NormKind::RmsPlusOne => None,
        };
        let weight = if spec.norm == NormKind::RmsPlusOne { (weight + 1.0)? } else { weight };
        Ok(Norm { weight, bias, centres: spec.norm == NormKind::Layer, eps: spec.norm_eps })
    }

    /// A projection kept as `[out, in]`, or by GPT-2 as `[in, out]`, of whose outputs `columns` are taken.
    fn linear<'a>(
        &'a self,
        name: &str,
        shape: [usize; 2],
        bias: bool,
        columns: Option<(usize, Range<usize>)>,
        device: &'a Device,
    ) -> Result<Linear<'a>, ModelError> {
        let [out, input] = shape;
        let (all, columns) = columns.unwrap_or((out, 0..out));
        let bias = match bias {
            true => {
                let bias = self.small(&self.name(&format!("{name}.bias")), all, device)?;
                Some(bias.narrow(0, columns.start, columns.len())?)
            }
            false => None,
        };
        let kept = match self.layout {
            Layout::Llama | Layout::Gpt2ByOutput => Kept::ByOutput(shape),
            Layout::Gpt2 => Kept::ByInput([input, all], columns),
        };
        let name = self.name(&format!("{name}.weight"));
        let (weights, resident, precision) = (&self.weights, &self.resident, self.precision);
        Ok(Linear { weights, resident, device, precision, name, kept, bias })
    }

    pub fn attention<'a>(
        &'a self,
        spec: &ModelSpec,
        layer: usize,
        device: &'a Device,
    ) -> Result<AttentionWeights<'a>, ModelError> {
        let (d, a, kv) = (spec.d_model, spec.d_attn(), spec.d_kv());
        let (into, out) = (spec.biases.attention_in, spec.biases.attention_out);
        if self.layout != Layout::Llama {
            let name = format!("h.{layer}.attn.c_attn");
            let third = |nth: usize| match self.layout {
                Layout::Gpt2ByOutput => self.linear(&format!("{name}.{}", THIRDS[nth]), [d, d], into, None, device),
                _ => self.linear(&name, [d, d], into, Some((3 * d, nth * d..(nth + 1) * d)), device),
            };
            return Ok(AttentionWeights {
                query: third(0)?,
                key: third(1)?,
                value: third(2)?,
                output: self.linear(&format!("h.{layer}.attn.c_proj"), [d, d], out, None, device)?,
                head_norms: None,
            });
        }
        let project = |which: &str, shape: [usize; 2], bias: bool| {
            self.linear(&format!("layers.{layer}.self_attn.{which}_proj"), shape, bias, None, device)
        };
        let head_norm = |which: &str| {
            let name = self.name(&format!("layers.{layer}.self_attn.{which}_norm"));
            self.norm_of(spec, &name, spec.head_dim, device)
        };
        Ok(AttentionWeights {
            query: project("q", [a, d], into)?,
            key: project("k", [kv, d], into)?,
            value: project("v", [kv, d], into)?,
            output: project("o", [d, a], out)?,
            head_norms: if spec.query_key_norms { Some((head_norm("q")?, head_norm("k")?)) } else { None },
        })
    }

    /// Whether MLPs have a gate.
    pub fn has_gate(&self) -> bool {
        self.layout == Layout::Llama
    }

    /// A projection of an MLP.
    pub fn mlp<'a>(
        &'a self,
        spec: &ModelSpec,
        layer: usize,
        part: MlpPart,
        device: &'a Device,
    ) -> Result<Linear<'a>, ModelError> {
        let (into, out) = ([spec.d_mlp, spec.d_model], [spec.d_model, spec.d_mlp]);
        let (name, shape) = match (self.layout, part) {
            (Layout::Llama, MlpPart::Gate) => (format!("layers.{layer}.mlp.gate_proj"), into),
            (Layout::Llama, MlpPart::Up) => (format!("layers.{layer}.mlp.up_proj"), into),
            (Layout::Llama, MlpPart::Down) => (format!("layers.{layer}.mlp.down_proj"), out),
            (_, MlpPart::Gate | MlpPart::Up) => (format!("h.{layer}.mlp.c_fc"), into),
            (_, MlpPart::Down) => (format!("h.{layer}.mlp.c_proj"), out),
        };
        self.linear(&name, shape, spec.biases.mlp, None, device)
    }

    /// Rows of the embedding into `out`.
    pub fn embedding_row(&self, spec: &ModelSpec, id: usize, out: &mut [f32]) -> Result<(), ModelError> {
        self.weights.read_rows(&self.embedding(), &[spec.vocab_size, spec.d_model], id..id + 1, out)
    }

    /// Embeddings of positions `0..positions`, where they are learned.
    pub fn position_embeddings(
        &self,
        spec: &ModelSpec,
        positions: Range<usize>,
        device: &Device,
    ) -> Result<Option<Tensor>, ModelError> {
        if spec.positions != PositionKind::Learned {
            return Ok(None);
        }
        let count = positions.len();
        let mut rows = vec![0.0; count * spec.d_model];
        let shape = [spec.max_positions, spec.d_model];
        self.weights.read_rows(&self.name("wpe.weight"), &shape, positions, &mut rows)?;
        Ok(Some(Tensor::from_vec(rows, (count, spec.d_model), device)?))
    }

    /// `x` `[n, d]` times the unembedding: `[n, V]`, row after row. On the CPU, unless weights stay on the device of `x`
    /// and it is needed again: one product costs less than bringing it there.
    pub fn unembed(&self, spec: &ModelSpec, x: &Tensor, cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        let (name, shape) = (self.unembedding(spec), [spec.vocab_size, spec.d_model]);
        let again = self.unembedded.fetch_add(1, Ordering::Relaxed) > 0;
        if again && self.stays(spec, x.device()) {
            let weight = self.resident.get(&format!("{name} whole"), || {
                let weight = self.weights.upload(&name, &shape, 0..shape[0], x.device())?;
                Ok(weight.to_dtype(self.precision.stored_on(x.device()))?)
            })?;
            return Ok(self.precision.product(x, &weight.t()?)?.flatten_all()?.to_vec1()?);
        }
        self.weights.product(&name, &shape, &x.to_device(&Device::Cpu)?, self.precision, cancel)
    }

    /// Rows of the unembedding into `out`.
    pub fn unembedding_rows(&self, spec: &ModelSpec, rows: Range<usize>, out: &mut [f32]) -> Result<(), ModelError> {
        self.weights.read_rows(&self.unembedding(spec), &[spec.vocab_size, spec.d_model], rows, out)
    }

    /// Every tensor that a pass reads is there and has its shape, so that a bad file shows before any work.
    pub fn check(&self, spec: &ModelSpec) -> Result<(), ModelError> {
        let (d, a, kv, m) = (spec.d_model, spec.d_attn(), spec.d_kv(), spec.d_mlp);
        let layer_norm = spec.norm == NormKind::Layer;
        let mut wanted: Vec<(String, Vec<usize>)> =
            vec![(self.embedding(), vec![spec.vocab_size, d]), (self.unembedding(spec), vec![spec.vocab_size, d])];
        if spec.positions == PositionKind::Learned {
            wanted.push((self.name("wpe.weight"), vec![spec.max_positions, d]));
        }
        let mut norms = vec![NormPlace::Final];
        for layer in 0..spec.n_layers {
            norms.extend([NormPlace::Attention(layer), NormPlace::Mlp(layer)]);
            if spec.post_norms {
                norms.extend([NormPlace::AfterAttention(layer), NormPlace::AfterMlp(layer)]);
            }
            let projections: &[(&str, [usize; 2], bool)] = match self.layout {
                Layout::Llama => &[
                    ("self_attn.q_proj", [a, d], spec.biases.attention_in),
                    ("self_attn.k_proj", [kv, d], spec.biases.attention_in),
                    ("self_attn.v_proj", [kv, d], spec.biases.attention_in),
                    ("self_attn.o_proj", [d, a], spec.biases.attention_out),
                    ("mlp.gate_proj", [m, d], spec.biases.mlp),
                    ("mlp.up_proj", [m, d], spec.biases.mlp),
                    ("mlp.down_proj", [d, m], spec.biases.mlp),
                ],
                Layout::Gpt2ByOutput => &[
                    ("attn.c_attn.q", [d, d], true),
                    ("attn.c_attn.k", [d, d], true),
                    ("attn.c_attn.v", [d, d], true),
                    ("attn.c_proj", [d, d], true),
                    ("mlp.c_fc", [m, d], true),
                    ("mlp.c_proj", [d, m], true),
                ],
                Layout::Gpt2 => &[
                    ("attn.c_attn", [3 * d, d], true),
                    ("attn.c_proj", [d, d], true),
                    ("mlp.c_fc", [m, d], true),
                    ("mlp.c_proj", [d, m], true),
                ],
            };
            for (name, [out, input], bias) in projections {
                let part = if self.layout == Layout::Llama { "layers" } else { "h" };
                let name = self.name(&format!("{part}.{layer}.{name}"));
                let shape = if self.layout == Layout::Gpt2 { vec![*input, *out] } else { vec![*out, *input] };
                wanted.push((format!("{name}.weight"), shape));
                wanted.extend(bias.then(|| (format!("{name}.bias"), vec![*out])));
            }
            if spec.query_key_norms {
                for which in ["q", "k"] {
                    let name = self.name(&format!("layers.{layer}.self_attn.{which}_norm.weight"));
                    wanted.push((name, vec![spec.head_dim]));
                }
            }
        }
        for place in norms {
            let name = self.norm_name(spec, place);
            wanted.push((format!("{name}.weight"), vec![d]));
            wanted.extend(layer_norm.then(|| (format!("{name}.bias"), vec![d])));
        }
        wanted.iter().try_for_each(|(name, shape)| self.weights.expect(name, shape).map(drop))
    }
}
