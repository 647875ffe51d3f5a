//! GGUF files: metadata, translated to that of a `config.json`, and places of tensors, by the names of the Hugging Face
//! layout. candle reads the header and dequantises the blocks.

use crate::hub::{Blob, FileSource};
use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::gguf_names::{HeadRowOrder, Rename};
use crate::model::spec::{NormKind, RopeScaling};
use crate::model::{ModelSpec, families};
use crate::untrusted::excerpt;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;

const HINT: &str = "give the GGUF file of a model";

/// Architectures by their names in GGUF files, with the model class whose options they have.
const ARCHITECTURES: [(&str, &str); 8] = [
    ("llama", "LlamaForCausalLM"),
    ("qwen2", "Qwen2ForCausalLM"),
    ("qwen3", "Qwen3ForCausalLM"),
    ("gemma2", "Gemma2ForCausalLM"),
    ("gemma3", "Gemma3ForCausalLM"),
    ("gpt2", "GPT2LMHeadModel"),
    ("olmo2", "Olmo2ForCausalLM"),
    ("phi3", "Phi3ForCausalLM"),
];

/// Options by their names in GGUF files (without the architecture's prefix) and in a `config.json`.
const OPTIONS: [(&str, &str); 16] = [
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.key_length", "head_dim"),
    ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ("attention.sliding_window", "sliding_window"),
    ("attention.sliding_window_pattern", "sliding_window_pattern"),
    ("attn_logit_softcapping", "attn_logit_softcapping"),
    ("block_count", "num_hidden_layers"),
    ("context_length", "max_position_embeddings"),
    ("embedding_length", "hidden_size"),
    ("expert_count", "num_experts"),
    ("expert_used_count", "num_experts_per_tok"),
    ("feed_forward_length", "intermediate_size"),
    ("final_logit_softcapping", "final_logit_softcapping"),
    ("rope.freq_base", "rope_theta"),
];

/// GPT-2's names of some of these options.
const GPT2_OPTIONS: [(&str, &str); 5] = [
    ("num_attention_heads", "n_head"),
    ("num_hidden_layers", "n_layer"),
    ("max_position_embeddings", "n_positions"),
    ("hidden_size", "n_embd"),
    ("intermediate_size", "n_inner"),
];

/// A tensor of a GGUF file.
#[derive(Debug)]
pub(super) struct GgufTensor {
    /// Name in the Hugging Face layout.
    pub name: String,
    pub dtype: GgmlDType,
    pub shape: Vec<usize>,
    /// Range in the file.
    pub bytes: Range<usize>,
    /// Number of heads whose rows have the two halves of each rotated pair adjacent, instead of half a head apart.
    pub paired_heads: Option<usize>,
}

/// Header of a GGUF file.
#[derive(Debug)]
pub struct Gguf {
    path: String,
    content: Content,
    /// Bytes of the file.
    length: usize,
}

impl Gguf {
    /// Reads the header of `file` in `source`.
    ///
    /// # Errors
    /// Fails where it is missing, truncated, or not a GGUF file.
    pub fn read(source: &FileSource, file: &str) -> Result<Self, ModelError> {
        Ok(Self::open(source, file)?.0)
    }

    /// Reads the header; returns the file's bytes too.
    pub(super) fn open(source: &FileSource, file: &str) -> Result<(Self, Blob), ModelError> {
        let blob = source.open(file, HINT)?;
        let path = source.path(file);
        if !blob.starts_with(b"GGUF") {
            return Err(ModelError::Damaged { path, what: "it is no GGUF file".to_owned() });
        }
        let content = Content::read(&mut Cursor::new(&*blob)).map_err(|error| {
            let what = format!("its header is not complete or not understood ({})", excerpt(&first_line(&error)));
            ModelError::Damaged { path: path.clone(), what }
        })?;
        Ok((Self { path, content, length: blob.len() }, blob))
    }

    /// Returns an error about the file's metadata.
    pub fn wrong(&self, what: impl Into<String>) -> ModelError {
        ModelError::Config { path: self.path.clone(), what: what.into() }
    }

    /// Returns the path of the file, for messages.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns a text of the metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.content.metadata.get(key)?.to_string().ok().map(String::as_str)
    }

    /// Returns a flag of the metadata.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.content.metadata.get(key)?.to_bool().ok()
    }

    /// Returns a count or an id of the metadata.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.content.metadata.get(key).and_then(whole)
    }

    /// Returns a list of texts of the metadata; `None` where there is none, or where it holds something else too.
    pub fn texts(&self, key: &str) -> Option<Vec<&str>> {
        let list = self.content.metadata.get(key)?.to_vec().ok()?;
        list.iter().map(|value| value.to_string().ok().map(String::as_str)).collect()
    }

    /// Returns a list of numbers of the metadata, as [`Gguf::texts`] does.
    pub fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        self.content.metadata.get(key)?.to_vec().ok()?.iter().map(number).collect()
    }

    /// Returns the architecture's name in GGUF files, and its class.
    fn architecture(&self) -> Result<(&'static str, &'static str), ModelError> {
        let name = self.text("general.architecture").ok_or_else(|| self.wrong("names no general.architecture"))?;
        ARCHITECTURES.into_iter().find(|(known, _)| *known == name).ok_or_else(|| {
            let known = ARCHITECTURES.map(|(known, _)| known).join(", ");
            self.wrong(format!("is of architecture {:?}; known: {known}", excerpt(name)))
        })
    }

    fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.content.tensor_infos.get(name)
    }

    /// Reads the model's specification.
    ///
    /// # Errors
    /// Fails where the architecture is not known, or the metadata lacks something or holds what is not supported.
    pub fn spec(&self, source: &FileSource) -> Result<ModelSpec, ModelError> {
        let (architecture, class) = self.architecture()?;
        let options = self.options(architecture, class)?;
        let mut config = Config::of(self.path.clone(), options);
        let mut spec = families::read(&mut config, source.short_name())?;
        if spec.norm == NormKind::RmsPlusOne {
            // The one is part of what the file holds.
            spec.norm = NormKind::Rms;
        }
        if architecture == "gpt2" {
            spec.layout = &families::GPT2_BY_OUTPUT;
        }
        if let Some(scaling) = self.rope_tensors(source, architecture, &spec)? {
            spec.layers.iter_mut().filter_map(|layer| layer.rope.as_mut()).for_each(|rope| {
                rope.scaling = scaling.clone();
            });
        }
        Ok(spec)
    }

    /// Returns the metadata as the options of a `config.json`.
    fn options(&self, architecture: &str, class: &str) -> Result<Map<String, Json>, ModelError> {
        let lead = format!("{architecture}.");
        let mut options = Map::new();
        options.insert("architectures".to_owned(), json!([class]));
        for (key, value) in &self.content.metadata {
            let Some(rest) = key.strip_prefix(&lead) else { continue };
            let name = OPTIONS.iter().find(|(gguf, _)| *gguf == rest).map_or(rest, |(_, name)| *name);
            options.insert(name.to_owned(), plain(value));
        }
        let mut take = |name: &str| options.remove(name).filter(|value| !value.is_null());
        let (value_length, rotated) = (take("attention.value_length"), take("rope.dimension_count"));
        let (kind, factor) = (take("rope.scaling.type"), take("rope.scaling.factor").or(take("rope.scale_linear")));
        let original = take("rope.scaling.original_context_length");
        // Read beside the tensors of LongRoPE's divisors.
        take("rope.scaling.attn_factor");
        // The vocabulary is what the embedding has rows for.
        for name in ["vocab_size", "rope.scaling.finetuned", "attention.causal"] {
            let found = take(name);
            if name == "attention.causal" && found == Some(json!(false)) {
                return Err(self.wrong("its attention is not causal; only causal models are traced"));
            }
        }
        let size = |name: &str| {
            let missing = || self.wrong(format!("{lead}{} is missing", gguf_name(name)));
            options.get(name).and_then(Json::as_u64).filter(|size| *size > 0).ok_or_else(missing)
        };
        let (heads, width) = (size("num_attention_heads")?, size("hidden_size")?);
        let head = options.get("head_dim").and_then(Json::as_u64).unwrap_or(width / heads);
        if value_length.is_some_and(|length| length != json!(head)) {
            return Err(self.wrong(format!("{lead}attention.value_length is not {lead}attention.key_length")));
        }
        let layers = size("num_hidden_layers")?;
        options.entry("num_key_value_heads").or_insert(json!(heads));
        if let Some(part) = rotated.as_ref().and_then(Json::as_u64).filter(|_| architecture == "phi3") {
            options.insert("partial_rotary_factor".to_owned(), json!(part as f64 / head as f64));
        } else if let Some(part) = rotated.filter(|part| *part != json!(head)) {
            return Err(self.wrong(format!("{part} of the {head} dimensions of a head are rotated, not all")));
        }
        match kind.as_ref().and_then(Json::as_str) {
            None | Some("none") if factor.as_ref().and_then(Json::as_f64).is_none_or(|factor| factor == 1.0) => {}
            kind => {
                let kind = kind.unwrap_or("linear");
                let scaling =
                    json!({ "rope_type": kind, "factor": factor, "original_max_position_embeddings": original });
                options.insert("rope_scaling".to_owned(), scaling);
            }
        }
        let vocabulary = self.tensor("token_embd.weight").map(|info| info.shape.dims());
        let Some([vocabulary, _]) = vocabulary else { return Err(self.wrong("holds no token_embd.weight")) };
        options.insert("vocab_size".to_owned(), json!(vocabulary));
        options.insert("tie_word_embeddings".to_owned(), json!(self.tensor("output.weight").is_none()));
        match architecture {
            // What llama.cpp goes by: only the largest model of each generation scales by something else.
            "gemma2" | "gemma3" => {
                let largest = if architecture == "gemma2" { 46 } else { 62 };
                let scalar = if layers == largest { width / heads } else { head };
                options.insert("query_pre_attn_scalar".to_owned(), json!(scalar));
            }
            "gpt2" => {
                options.remove("num_key_value_heads");
                for (name, own) in GPT2_OPTIONS {
                    if let Some(value) = options.remove(name) {
                        options.insert(own.to_owned(), value);
                    }
                }
            }
            // What llama.cpp goes by: a window of 0 is none.
            "phi3" if options.get("sliding_window") == Some(&json!(0)) => {
                options.remove("sliding_window");
            }
            "llama" if options.contains_key("sliding_window") => {
                options.insert("architectures".to_owned(), json!(["MistralForCausalLM"]));
            }
            _ => {}
        }
        if matches!(architecture, "llama" | "qwen3") {
            let biased = self.tensor("blk.0.attn_q.bias").is_some() && self.tensor("blk.0.attn_output.bias").is_some();
            options.insert("attention_bias".to_owned(), json!(biased));
        }
        Ok(options)
    }

    /// Reads the rescaling of rotary frequencies that the file holds as tensors: Llama 3's, or Phi-3's.
    fn rope_tensors(
        &self,
        source: &FileSource,
        architecture: &str,
        spec: &ModelSpec,
    ) -> Result<Option<RopeScaling>, ModelError> {
        let factors = |name: &str| self.rope_factors(source, name, spec.rotary_dim / 2);
        if let Some(factors) = factors("rope_freqs.weight")? {
            return Ok(Some(RopeScaling::Factors(factors)));
        }
        let (Some(short), Some(long)) = (factors("rope_factors_short.weight")?, factors("rope_factors_long.weight")?)
        else {
            return Ok(None);
        };
        let key = |name: &str| format!("{architecture}.rope.scaling.{name}");
        let original = key("original_context_length");
        let original_max_positions =
            self.count(&original).ok_or_else(|| self.wrong(format!("{original} is missing")))? as usize;
        let attention_factor = match self.content.metadata.get(&key("attn_factor")) {
            Some(value) => number(value).filter(|x| *x > 0.0 && x.is_finite()),
            None => Some(1.0),
        };
        let attention_factor =
            attention_factor.ok_or_else(|| self.wrong(format!("{} is no positive number", key("attn_factor"))))?;
        Ok(Some(RopeScaling::LongRope { short, long, original_max_positions, attention_factor }))
    }

    /// Reads the divisors of each rotated pair's frequency, `[half]`, from the tensor `name`, where there is one.
    fn rope_factors(&self, source: &FileSource, name: &str, half: usize) -> Result<Option<Vec<f64>>, ModelError> {
        let Some(info) = self.tensor(name) else { return Ok(None) };
        if (info.ggml_dtype, info.shape.dims()) != (GgmlDType::F32, &[half]) {
            return Err(self.wrong(format!("{name} is not {half} numbers of type F32")));
        }
        let start = self.content.tensor_data_offset.saturating_add(info.offset);
        let file = self.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let bytes = source.part(file, start..start.saturating_add(4 * half as u64))?.unwrap_or_default();
        let (numbers, _) = bytes.as_chunks::<4>();
        let factors: Vec<f64> = numbers.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect();
        if factors.len() != half || factors.iter().any(|factor| *factor <= 0.0 || !factor.is_finite()) {
            return Err(self.wrong(format!("{name} does not hold a positive number for each rotated pair")));
        }
        Ok(Some(factors))
    }

    /// Returns the place of each tensor.
    ///
    /// # Errors
    /// Fails where a tensor is not known, or lies outside the file.
    pub(super) fn tensors(&self) -> Result<Vec<GgufTensor>, ModelError> {
        let (architecture, _) = self.architecture()?;
        let heads = |key: &str| self.count(&format!("{architecture}.attention.{key}")).map(|heads| heads as usize);
        let (queries, keys) = (heads("head_count"), heads("head_count_kv").or(heads("head_count")));
        let mut tensors = Vec::new();
        for (name, info) in &self.content.tensor_infos {
            let rename = Rename::of(architecture, name)
                .ok_or_else(|| self.wrong(format!("holds a tensor {} that is not known", excerpt(name))))?;
            let (bytes, shape) = (self.bytes(name, info)?, info.shape.dims().to_vec());
            let tensor = |name: String, bytes, shape, paired_heads| GgufTensor {
                name,
                dtype: info.ggml_dtype,
                shape,
                bytes,
                paired_heads,
            };
            match rename {
                Rename::Nothing => {}
                Rename::To(name, HeadRowOrder::Plain) => tensors.push(tensor(name, bytes, shape, None)),
                Rename::To(name, kept) => {
                    let heads = if kept == HeadRowOrder::PairedQueries { queries } else { keys };
                    let fits = |heads: &usize| *heads > 0 && shape[0].is_multiple_of(2 * heads);
                    let heads = heads.filter(fits).ok_or_else(|| self.wrong(format!("{name} has no whole heads")))?;
                    tensors.push(tensor(name, bytes, shape, Some(heads)));
                }
                Rename::Thirds(names) => {
                    if !shape[0].is_multiple_of(3) {
                        return Err(self.wrong(format!("{} has no three parts of equal size", excerpt(name))));
                    }
                    let (third, length) = (shape[0] / 3, bytes.len() / 3);
                    for (nth, name) in names.into_iter().enumerate() {
                        let part = bytes.start + nth * length..bytes.start + (nth + 1) * length;
                        let shape = std::iter::once(third).chain(shape[1..].iter().copied()).collect();
                        tensors.push(tensor(name, part, shape, None));
                    }
                }
            }
        }
        Ok(tensors)
    }

    /// Returns the bytes of a tensor: whole rows of whole blocks, within the file.
    fn bytes(&self, name: &str, info: &TensorInfo) -> Result<Range<usize>, ModelError> {
        let damaged = |what: &str| {
            let what = format!("tensor {} {what}", excerpt(name));
            ModelError::Damaged { path: self.path.clone(), what }
        };
        let (block, dims) = (info.ggml_dtype.block_size(), info.shape.dims());
        let Some(width) = dims.last().filter(|width| width.is_multiple_of(block)) else {
            return Err(damaged("has no whole blocks in a row"));
        };
        let start = self.content.tensor_data_offset.checked_add(info.offset).and_then(|at| usize::try_from(at).ok());
        // The blocks' numbers lie at multiples of their size.
        let Some(start) = start.filter(|start| start.is_multiple_of(4)) else { return Err(damaged("lies askew")) };
        let rows = dims[..dims.len() - 1].iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        let row = (width / block).checked_mul(info.ggml_dtype.type_size());
        let length = rows.zip(row).and_then(|(rows, row)| rows.checked_mul(row));
        let end = length.and_then(|length| start.checked_add(length)).filter(|end| *end <= self.length);
        end.map(|end| start..end).ok_or_else(|| damaged("ends past the end of the file"))
    }

    /// Returns the types of the tensors, where some are quantised: `Q4_1, Q8_0`.
    pub(super) fn quantised(&self) -> Option<String> {
        let mut counts: HashMap<GgmlDType, usize> = HashMap::new();
        for info in self.content.tensor_infos.values().filter(|info| info.ggml_dtype.block_size() > 1) {
            *counts.entry(info.ggml_dtype).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().map(|(dtype, count)| (format!("{dtype:?}"), count)).collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let names: Vec<String> = counts.into_iter().map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// Returns the name in a GGUF file of an option of a `config.json`.
fn gguf_name(option: &str) -> &str {
    OPTIONS.iter().find(|(_, name)| *name == option).map_or(option, |(gguf, _)| *gguf)
}

/// Returns an error's message without a stack trace that may follow it.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::I8(n) => u64::try_from(*n).ok(),
        Value::I16(n) => u64::try_from(*n).ok(),
        Value::I32(n) => u64::try_from(*n).ok(),
        Value::I64(n) => u64::try_from(*n).ok(),
        Value::Bool(_) => None,
        other => other.to_u64().ok(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::F32(x) => Some(f64::from(*x)),
        Value::F64(x) => Some(*x),
        other => whole(other).map(|n| n as f64),
    }
}

/// Converts a value to JSON. A number of single precision becomes the shortest that reads as it: a file's 1e-5 is 1e-5.
fn plain(value: &Value) -> Json {
    match value {
        Value::F32(x) => x.to_string().parse::<f64>().map_or(Json::Null, |x| json!(x)),
        Value::Bool(flag) => json!(flag),
        Value::String(text) => json!(text),
        Value::Array(list) => list.iter().map(plain).collect(),
        other => whole(other).map(|n| json!(n)).or(number(other).map(|x| json!(x))).unwrap_or_default(),
    }
}
