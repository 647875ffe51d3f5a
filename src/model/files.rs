//! Names, shapes and layout of the tensors in a model's weight files.

use crate::job::Cancel;
use crate::model::kept::KeptWeights;
use crate::model::layout::{HeadTensors, Layout, THIRDS};
use crate::model::linear::WeightLayout;
use crate::model::resident::Resident;
use crate::model::spec::{NormKind, PositionKind, QueryKeyNorms};
use crate::model::{AttentionWeights, Linear, ModelError, ModelSpec, Norm, Precision, Weights};
use candle_core::{DType, Device, Tensor};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Projections of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MlpPart {
    /// Gate projection, whose output the activation function is applied to, `[d_mlp, d]`.
    Gate,
    /// Up projection, `[d_mlp, d]`.
    Up,
    /// Down projection, `[d, d_mlp]`.
    Down,
}

/// Weight files of a model.
#[derive(Debug)]
pub(super) struct Files {
    weights: Weights,
    layout: &'static Layout,
    /// Prefix of every name but the unembedding's.
    prefix: &'static str,
    /// Type in which its projections are multiplied.
    pub precision: Precision,
    /// Weights that stay on a device.
    resident: Resident,
    /// Number of products with the unembedding so far.
    unembedded: AtomicUsize,
}

impl Files {
    /// Checks that every tensor of a pass is in the weight files and of its shape, so that a bad file shows before any
    /// work.
    ///
    /// # Errors
    /// Fails where a tensor is missing, or of another shape or type.
    pub fn new(weights: Weights, spec: &ModelSpec) -> Result<Self, ModelError> {
        let layout = spec.layout;
        let is_there = |prefix: &&&str| weights.get(&format!("{prefix}{}.weight", layout.embedding)).is_some();
        let mut files = Self {
            prefix: layout.prefixes.iter().find(is_there).unwrap_or(&layout.prefixes[0]),
            weights,
            layout,
            precision: Precision::F32,
            resident: Resident::default(),
            unembedded: AtomicUsize::new(0),
        };
        files.check(spec)?;
        files.split(spec);
        Ok(files)
    }

    /// Gives the parts of tensors that hold several projections names of their own.
    fn split(&mut self, spec: &ModelSpec) {
        for layer in 0..spec.n_layers {
            if let HeadTensors::Stacked(name) = self.layout.heads {
                let name = self.name(&self.in_layer(layer, name));
                let rows = [spec.d_attn(), spec.d_kv(), spec.d_kv()];
                let parts: Vec<_> =
                    THIRDS.iter().zip(rows).map(|(third, rows)| (format!("{name}.{third}.weight"), rows)).collect();
                self.weights.split_rows(&format!("{name}.weight"), &parts);
            }
            if let (Some(whole), Some(gate)) = (self.layout.gate_and_up, self.layout.gate) {
                let [whole, gate, up] = [whole, gate, self.layout.up]
                    .map(|part| format!("{}.weight", self.name(&self.in_layer(layer, part))));
                let parts = [(gate, spec.d_mlp), (up, spec.d_mlp)];
                self.weights.split_rows(&whole, &parts);
            }
            if let HeadTensors::ByHead(name) = self.layout.heads {
                let name = self.name(&self.in_layer(layer, name));
                for part in if spec.biases.attention_in { &["weight", "bias"][..] } else { &["weight"] } {
                    let thirds = THIRDS.map(|third| format!("{name}.{third}.{part}"));
                    self.weights.split_by_head(&format!("{name}.{part}"), spec.n_heads, thirds);
                }
            }
        }
    }

    /// Returns the types of quantised tensors, where there are some.
    pub fn quantised(&self) -> Option<&str> {
        self.weights.quantised()
    }

    /// Returns the bytes of the projections and the unembedding if they were multiplied in this type.
    pub fn weight_bytes(&self, spec: &ModelSpec, precision: Precision) -> u64 {
        let (d, a, kv) = (spec.d_model, spec.d_attn(), spec.d_kv());
        let of_mlp = if spec.has_gate() { 3 } else { 2 };
        let of_layer = 2 * d * (a + kv) + of_mlp * d * spec.d_mlp;
        ((spec.n_layers * of_layer + spec.vocab_size * d) * precision.bytes()) as u64
    }

    /// Keeps the projections and the unembedding in memory, as far as `room` bytes allow.
    pub fn keep(&self, spec: &ModelSpec, room: u64) -> KeptWeights<'_> {
        self.weights.keep(self.projections(spec).chain([self.unembedding(spec)]), room)
    }

    /// Returns the names of the tensors of all projections, in the order of a pass.
    fn projections(&self, spec: &ModelSpec) -> impl Iterator<Item = String> {
        let heads: Vec<String> = match self.layout.heads {
            HeadTensors::Apart(names) => names.map(str::to_owned).to_vec(),
            HeadTensors::Joined(name) => vec![name.to_owned()],
            HeadTensors::ByHead(name) | HeadTensors::Stacked(name) => {
                THIRDS.map(|third| format!("{name}.{third}")).to_vec()
            }
        };
        let layout = self.layout;
        let others = [Some(layout.attention_out), layout.gate, Some(layout.up), Some(layout.down)];
        let parts: Vec<String> = heads.into_iter().chain(others.into_iter().flatten().map(str::to_owned)).collect();
        let name = move |layer, part: &String| format!("{}.weight", self.name(&self.in_layer(layer, part)));
        (0..spec.n_layers).flat_map(move |layer| parts.iter().map(|part| name(layer, part)).collect::<Vec<_>>())
    }

    /// Drops the weights that stay on a device, because the device changes.
    pub fn leave(&mut self) {
        self.resident = Resident::default();
    }

    /// Returns true where its weights stay on `device` once they are there.
    fn stays(&self, spec: &ModelSpec, device: &Device) -> bool {
        self.resident.stays(device, self.weight_bytes(spec, self.precision))
    }

    /// Reads a small tensor in f32, which stays on a device with memory of its own.
    fn small(&self, name: &str, width: usize, device: &Device) -> Result<Tensor, ModelError> {
        let read = || self.weights.tensor(name, &[width], device);
        if device.is_cpu() { read() } else { self.resident.get(name, read) }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    fn in_layer(&self, layer: usize, name: &str) -> String {
        format!("{}.{layer}.{name}", self.layout.layers)
    }

    fn embedding(&self) -> String {
        self.name(&format!("{}.weight", self.layout.embedding))
    }

    fn positions(&self) -> String {
        self.name(&format!("{}.weight", self.layout.positions))
    }

    fn unembedding(&self, spec: &ModelSpec) -> String {
        if spec.tied_embeddings {
            return self.embedding();
        }
        let mut names = self.layout.unembedding.iter().map(|name| format!("{name}.weight"));
        let usual = names.next_back().unwrap_or_default();
        names.find(|name| self.weights.get(name).is_some()).unwrap_or(usual)
    }

    /// Returns one of a layer's norms; where the model has none, one that changes nothing.
    pub fn norm(
        &self,
        spec: &ModelSpec,
        layer: usize,
        name: Option<&str>,
        device: &Device,
    ) -> Result<Norm, ModelError> {
        let Some(name) = name else {
            let weight = Tensor::ones(spec.d_model, DType::F32, device)?;
            return Ok(Norm { weight, bias: None, centres: false, eps: 0.0, divides: false });
        };
        self.norm_of(spec, &self.name(&self.in_layer(layer, name)), spec.d_model, device)
    }

    /// Reads the final norm.
    pub fn final_norm(&self, spec: &ModelSpec, device: &Device) -> Result<Norm, ModelError> {
        self.norm_of(spec, &self.name(self.layout.final_norm), spec.d_model, device)
    }

    fn norm_of(&self, spec: &ModelSpec, name: &str, width: usize, device: &Device) -> Result<Norm, ModelError> {
        self.stays(spec, device);
        let weight = self.small(&format!("{name}.weight"), width, device)?;
        let bias = match spec.norm {
            NormKind::Layer => Some(self.small(&format!("{name}.bias"), width, device)?),
            NormKind::Rms | NormKind::RmsPlusOne => None,
        };
        let weight = if spec.norm == NormKind::RmsPlusOne { (weight + 1.0)? } else { weight };
        Ok(Norm { weight, bias, centres: spec.norm == NormKind::Layer, eps: spec.norm_eps, divides: true })
    }

    /// Opens a projection stored as `[out, in]`, or by GPT-2 as `[in, out]`, of whose outputs `columns` are taken.
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
        let kept = if self.layout.by_input {
            WeightLayout::ByInput([input, all], columns)
        } else {
            WeightLayout::ByOutput(shape)
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
        let project = |nth: usize| {
            let (width, bias) = ([a, kv, kv][nth], spec.biases.attention_in);
            let (name, columns) = match self.layout.heads {
                HeadTensors::Apart(names) => (names[nth].to_owned(), None),
                HeadTensors::Joined(name) => (name.to_owned(), Some((3 * d, nth * d..(nth + 1) * d))),
                HeadTensors::ByHead(name) | HeadTensors::Stacked(name) => (format!("{name}.{}", THIRDS[nth]), None),
            };
            self.linear(&self.in_layer(layer, &name), [width, d], bias, columns, device)
        };
        let head_norm = |nth: usize| {
            let name = self.name(&self.in_layer(layer, self.layout.head_norms[nth]));
            self.norm_of(spec, &name, spec.head_norm_width(nth), device)
        };
        let output = self.in_layer(layer, self.layout.attention_out);
        Ok(AttentionWeights {
            query: project(0)?,
            key: project(1)?,
            value: project(2)?,
            output: self.linear(&output, [d, a], spec.biases.attention_out, None, device)?,
            head_norms: match spec.query_key_norms {
                QueryKeyNorms::None => None,
                QueryKeyNorms::ByHead | QueryKeyNorms::Whole => Some((head_norm(0)?, head_norm(1)?)),
            },
        })
    }

    /// Opens a projection of an MLP.
    pub fn mlp<'a>(
        &'a self,
        spec: &ModelSpec,
        layer: usize,
        part: MlpPart,
        device: &'a Device,
    ) -> Result<Linear<'a>, ModelError> {
        let (layout, into) = (self.layout, [spec.d_mlp, spec.d_model]);
        let (name, shape) = match part {
            MlpPart::Gate => (layout.gate.unwrap_or(layout.up), into),
            MlpPart::Up => (layout.up, into),
            MlpPart::Down => (layout.down, [spec.d_model, spec.d_mlp]),
        };
        self.linear(&self.in_layer(layer, name), shape, spec.biases.mlp, None, device)
    }

    /// Reads a row of the embedding into `out`.
    pub fn embedding_row(&self, spec: &ModelSpec, id: usize, out: &mut [f32]) -> Result<(), ModelError> {
        self.weights.read_rows(&self.embedding(), &[spec.vocab_size, spec.d_model], id..id + 1, out)
    }

    /// Reads the learned embeddings of `positions`, where there are any.
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
        self.weights.read_rows(&self.positions(), &shape, positions, &mut rows)?;
        Ok(Some(Tensor::from_vec(rows, (count, spec.d_model), device)?))
    }

    /// Multiplies `x` `[n, d]` by the unembedding: `[n, V]`, row after row. On the CPU, unless weights stay on the
    /// device of `x` and it was used before: one product costs less than the upload.
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

    /// Reads rows of the unembedding into `out`.
    pub fn unembedding_rows(&self, spec: &ModelSpec, rows: Range<usize>, out: &mut [f32]) -> Result<(), ModelError> {
        self.weights.read_rows(&self.unembedding(spec), &[spec.vocab_size, spec.d_model], rows, out)
    }

    fn check(&self, spec: &ModelSpec) -> Result<(), ModelError> {
        let (d, a, kv, m) = (spec.d_model, spec.d_attn(), spec.d_kv(), spec.d_mlp);
        let (layout, biases) = (self.layout, spec.biases);
        let has_bias = spec.norm == NormKind::Layer;
        let mut wanted =
            vec![(self.embedding(), vec![spec.vocab_size, d]), (self.unembedding(spec), vec![spec.vocab_size, d])];
        if spec.positions == PositionKind::Learned {
            wanted.push((self.positions(), vec![spec.max_positions, d]));
        }
        let mut projections = match layout.heads {
            HeadTensors::Apart([query, key, value]) => vec![
                (query, [a, d], biases.attention_in),
                (key, [kv, d], biases.attention_in),
                (value, [kv, d], biases.attention_in),
            ],
            HeadTensors::Joined(name) | HeadTensors::ByHead(name) => vec![(name, [3 * d, d], biases.attention_in)],
            HeadTensors::Stacked(name) => vec![(name, [a + 2 * kv, d], biases.attention_in)],
        };
        projections.push((layout.attention_out, [d, a], biases.attention_out));
        match layout.gate_and_up {
            Some(both) => projections.push((both, [2 * m, d], biases.mlp)),
            None => {
                projections.extend(layout.gate.map(|gate| (gate, [m, d], biases.mlp)));
                projections.push((layout.up, [m, d], biases.mlp));
            }
        }
        projections.push((layout.down, [d, m], biases.mlp));
        let norms = [layout.attention_norm, layout.after_attention_norm, layout.mlp_norm, layout.after_mlp_norm];
        for layer in 0..spec.n_layers {
            for (name, [out, input], bias) in &projections {
                let name = self.name(&self.in_layer(layer, name));
                let shape = if layout.by_input { vec![*input, *out] } else { vec![*out, *input] };
                wanted.push((format!("{name}.weight"), shape));
                wanted.extend(bias.then(|| (format!("{name}.bias"), vec![*out])));
            }
            for (nth, name) in layout.head_norms.iter().enumerate() {
                if spec.query_key_norms != QueryKeyNorms::None {
                    let name = self.name(&self.in_layer(layer, name));
                    wanted.push((format!("{name}.weight"), vec![spec.head_norm_width(nth)]));
                }
            }
        }
        let in_layers = (0..spec.n_layers).flat_map(|layer| norms.into_iter().flatten().map(move |name| (layer, name)));
        let norms = in_layers.map(|(layer, name)| self.in_layer(layer, name));
        for name in norms.chain([layout.final_norm.to_owned()]) {
            let name = self.name(&name);
            wanted.push((format!("{name}.weight"), vec![d]));
            wanted.extend(has_bias.then(|| (format!("{name}.bias"), vec![d])));
        }
        wanted.iter().try_for_each(|(name, shape)| self.weights.expect(name, shape).map(drop))
    }
}
