//! Models of the reference cases written as GGUF files, by the rules of llama.cpp's converter: the same logits and the same
//! tokens as from their own files.

use crate::fixture::folder;
use crate::variants::{olmo2_case, phi3_case, reconfigure};
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use circuitscope::hub::FileSource;
use circuitscope::job::Cancel;
use circuitscope::model::Transformer;
use circuitscope::tokens::Tokenizer;
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

const CASES: [(&str, &str, &str); 5] = [
    ("llama_plt_relu", "llama", "llama-bpe"),
    ("gemma2_plt_jumprelu", "gemma2", ""),
    ("gemma3_plt_jumprelu_skip", "gemma3", ""),
    ("gpt2_plt_relu", "gpt2", "gpt-2"),
    ("qwen3_plt_relu", "qwen3", "qwen2"),
];

/// A case's model in both forms: a folder in the Hugging Face layout, and metadata and tensors of a GGUF file.
pub struct Both {
    folder: tempfile::TempDir,
    metadata: Vec<(String, Value)>,
    tensors: Vec<(String, Tensor)>,
}

fn words(list: impl IntoIterator<Item = String>) -> Value {
    Value::Array(list.into_iter().map(Value::String).collect())
}

impl Both {
    pub fn new(case: &str, architecture: &str, pre: &str) -> Self {
        Self::of(&folder(case).join("model"), architecture, pre)
    }

    fn of(model: &Path, architecture: &str, pre: &str) -> Self {
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("model")).unwrap();
        for name in ["tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
            fs::copy(model.join(name), copy.path().join("model").join(name)).unwrap();
        }
        let mut config: Json = serde_json::from_slice(&fs::read(model.join("config.json")).unwrap()).unwrap();
        // What a GGUF file has no word for is as in every published model.
        if architecture == "gemma2" {
            config["query_pre_attn_scalar"] = config["head_dim"].clone();
        }
        if architecture == "llama" {
            config["rope_scaling"] = Json::Null;
        }
        if architecture == "gemma3" {
            config.as_object_mut().unwrap().remove("layer_types");
            config["sliding_window_pattern"] = json!(2);
        }
        fs::write(copy.path().join("model/config.json"), config.to_string()).unwrap();
        let mut metadata = options(&config, architecture);
        metadata.extend(tokenizer(model, &config, pre));
        let tensors = candle_core::safetensors::load(model.join("model.safetensors"), &Device::Cpu).unwrap();
        let heads = |key: &str| config[key].as_u64().unwrap_or(1) as usize;
        let heads = (heads("num_attention_heads"), heads("num_key_value_heads"));
        let is_mask = |name: &str| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
        let mut tensors: Vec<(String, Tensor)> = tensors
            .into_iter()
            .filter(|(name, _)| !is_mask(name))
            .filter(|(name, _)| name != "lm_head.weight" || config["tie_word_embeddings"] == json!(false))
            .map(|(name, tensor)| renamed(architecture, &name, tensor.to_dtype(DType::F32).unwrap(), heads))
            .collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        Self { folder: copy, metadata, tensors }
    }

    /// Writes the file; matrices of at least 32 columns in a type.
    pub fn write(&self, dtype: GgmlDType) -> PathBuf {
        let path = self.folder.path().join(format!("{dtype:?}.gguf"));
        let tensor = |(name, tensor): &(String, Tensor)| {
            let dtype = if tensor.rank() == 2 { dtype } else { GgmlDType::F32 };
            (name.clone(), QTensor::quantize(tensor, dtype).unwrap())
        };
        let tensors: Vec<(String, QTensor)> = self.tensors.iter().map(tensor).collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let metadata: Vec<(&str, &Value)> = self.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        gguf_file::write(&mut fs::File::create(&path).unwrap(), &metadata, &tensors).unwrap();
        path
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model")
    }
}

fn options(config: &Json, architecture: &str) -> Vec<(String, Value)> {
    let mut metadata = vec![("general.architecture".to_owned(), Value::String(architecture.to_owned()))];
    let counts = [
        ("block_count", ["num_hidden_layers", "n_layer"]),
        ("context_length", ["max_position_embeddings", "n_positions"]),
        ("embedding_length", ["hidden_size", "n_embd"]),
        ("attention.head_count", ["num_attention_heads", "n_head"]),
        ("attention.head_count_kv", ["num_key_value_heads", "n_head"]),
        ("attention.key_length", ["head_dim", ""]),
        ("attention.value_length", ["head_dim", ""]),
        ("rope.dimension_count", ["head_dim", ""]),
        ("attention.sliding_window", ["sliding_window", ""]),
        ("attention.sliding_window_pattern", ["sliding_window_pattern", ""]),
        ("feed_forward_length", ["intermediate_size", ""]),
    ];
    for (key, names) in counts {
        let mut found = names.iter().filter_map(|name| config[name].as_u64()).map(|n| Value::U32(n as u32));
        if key == "feed_forward_length" && architecture == "gpt2" {
            found.by_ref().for_each(drop);
            let width = 4 * config["n_embd"].as_u64().unwrap() as u32;
            metadata.push((format!("{architecture}.{key}"), Value::U32(width)));
        }
        metadata.extend(found.next().map(|value| (format!("{architecture}.{key}"), value)));
    }
    let numbers = [
        ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
        ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
        ("attn_logit_softcapping", "attn_logit_softcapping"),
        ("final_logit_softcapping", "final_logit_softcapping"),
        ("rope.freq_base", "rope_theta"),
    ];
    for (key, name) in numbers {
        let found = config[name].as_f64().map(|x| Value::F32(x as f32));
        metadata.extend(found.map(|value| (format!("{architecture}.{key}"), value)));
    }
    metadata
}

fn tokenizer(model: &Path, config: &Json, pre: &str) -> Vec<(String, Value)> {
    let file: Json = serde_json::from_slice(&fs::read(model.join("tokenizer.json")).unwrap()).unwrap();
    let vocabulary = file["model"]["vocab"].as_object().unwrap();
    let mut tokens = vec![String::new(); config["vocab_size"].as_u64().unwrap() as usize];
    let mut kinds = vec![1; tokens.len()];
    for (token, id) in vocabulary {
        tokens[id.as_u64().unwrap() as usize].clone_from(token);
    }
    for added in file["added_tokens"].as_array().unwrap() {
        let id = added["id"].as_u64().unwrap() as usize;
        tokens[id] = added["content"].as_str().unwrap().to_owned();
        kinds[id] = if added["special"] == json!(true) { 3 } else { 4 };
    }
    let merge = |merge: &Json| match merge {
        Json::Array(parts) => parts.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(" "),
        text => text.as_str().unwrap().to_owned(),
    };
    let merges: Vec<String> = file["model"]["merges"].as_array().unwrap().iter().map(merge).collect();
    let mut metadata =
        vec![("tokenizer.ggml.token_type".to_owned(), Value::Array(kinds.into_iter().map(Value::I32).collect()))];
    if pre.is_empty() {
        let rank = |token: &String| merges.iter().position(|merge| merge.replacen(' ', "", 1) == *token);
        let score = |token: &String| Value::F32(rank(token).map_or(-1e6, |rank| -(rank as f32)));
        metadata.push(("tokenizer.ggml.scores".to_owned(), Value::Array(tokens.iter().map(score).collect())));
        metadata.push(("tokenizer.ggml.add_space_prefix".to_owned(), Value::Bool(false)));
    } else {
        metadata.push(("tokenizer.ggml.merges".to_owned(), words(merges)));
        metadata.push(("tokenizer.ggml.pre".to_owned(), Value::String(pre.to_owned())));
    }
    let kind = if pre.is_empty() { "llama" } else { "gpt2" };
    metadata.push(("tokenizer.ggml.model".to_owned(), Value::String(kind.to_owned())));
    metadata.push(("tokenizer.ggml.tokens".to_owned(), words(tokens)));
    for name in ["bos", "eos"] {
        let id = config[format!("{name}_token_id")].as_u64().unwrap() as u32;
        metadata.push((format!("tokenizer.ggml.{name}_token_id"), Value::U32(id)));
    }
    metadata
}

/// What llama.cpp's converter makes of a tensor.
fn renamed(architecture: &str, name: &str, tensor: Tensor, (heads, kv_heads): (usize, usize)) -> (String, Tensor) {
    let gemma = architecture.starts_with("gemma");
    let parts = [
        ("embed_tokens", "token_embd"),
        ("wte", "token_embd"),
        ("wpe", "position_embd"),
        ("lm_head", "output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", if gemma || architecture == "olmo2" { "post_attention_norm" } else { "ffn_norm" }),
        ("pre_feedforward_layernorm", "ffn_norm"),
        ("post_feedforward_layernorm", "post_ffw_norm"),
        ("qkv_proj", "attn_qkv"),
        ("q_proj", "attn_q"),
        ("k_proj", "attn_k"),
        ("v_proj", "attn_v"),
        ("o_proj", "attn_output"),
        ("q_norm", "attn_q_norm"),
        ("k_norm", "attn_k_norm"),
        ("gate_proj", "ffn_gate"),
        ("up_proj", "ffn_up"),
        ("down_proj", "ffn_down"),
        ("ln_1", "attn_norm"),
        ("ln_2", "ffn_norm"),
        ("c_attn", "attn_qkv"),
        ("attn.c_proj", "attn_output"),
        ("mlp.c_proj", "ffn_down"),
        ("c_fc", "ffn_up"),
        ("ln_f", "output_norm"),
        ("model.norm", "output_norm"),
    ];
    let (stem, ending) = name.rsplit_once('.').unwrap();
    let (_, new) = parts.iter().find(|(own, _)| stem.ends_with(own)).unwrap_or_else(|| panic!("{name}"));
    let layer = stem.split('.').find_map(|part| part.parse::<usize>().ok());
    let new = layer.map_or_else(|| format!("{new}.{ending}"), |layer| format!("blk.{layer}.{new}.{ending}"));
    let paired = |tensor: &Tensor, heads: usize| {
        let (rows, width) = tensor.dims2().unwrap();
        let split = tensor.reshape((heads, 2, rows / heads / 2, width)).unwrap();
        split.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, width)).unwrap()
    };
    let tensor = match architecture {
        "llama" if stem.ends_with("q_proj") => paired(&tensor, heads),
        "llama" if stem.ends_with("k_proj") => paired(&tensor, kv_heads),
        "gpt2" if stem.contains(".c_") && tensor.rank() == 2 => tensor.t().unwrap().contiguous().unwrap(),
        _ if gemma && stem.ends_with("norm") => (tensor + 1.0).unwrap(),
        _ => tensor,
    };
    (new, tensor)
}

fn logits(path: &Path, ids: &[u32]) -> Vec<f32> {
    let model = Transformer::open(&FileSource::directory(path).unwrap(), &Device::Cpu).unwrap();
    model.run(ids, &Cancel::default()).unwrap().concat()
}

/// Against the largest of all.
fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().map(|b| b.abs()).fold(0.0, f32::max);
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

/// Few positions and many, in full, half and mixed precision; what is exact is equal.
#[test]
fn a_model_computes_the_same_from_a_gguf_file() {
    for (case, architecture, pre) in CASES {
        let both = Both::new(case, architecture, pre);
        for count in [7, 70] {
            let limit = if architecture == "gpt2" { 60 } else { count };
            let ids: Vec<u32> = (0..count.min(limit)).map(|i| (i * 37 % 380) as u32).collect();
            let expected = logits(&both.model(), &ids);
            let difference = largest_difference(&logits(&both.write(GgmlDType::F32), &ids), &expected);
            assert!(difference <= 1e-5, "{case}, {} tokens: {difference}", ids.len());
            // Blocks: against the same numbers as a folder's file.
            let rounded = Both::new(case, architecture, pre);
            let path = rounded.write(GgmlDType::Q8_0);
            let exact = Both {
                tensors: rounded
                    .tensors
                    .iter()
                    .map(|(name, tensor)| {
                        let blocks = || QTensor::quantize(tensor, GgmlDType::Q8_0).unwrap().dequantize(&Device::Cpu);
                        let numbers = if tensor.rank() == 2 { blocks().unwrap() } else { tensor.clone() };
                        (name.clone(), numbers)
                    })
                    .collect(),
                ..Both::new(case, architecture, pre)
            };
            let (found, expected_of_blocks) = (logits(&path, &ids), logits(&exact.write(GgmlDType::F32), &ids));
            let difference = largest_difference(&found, &expected_of_blocks);
            assert!(difference <= 1e-5, "{case}, {} tokens of blocks: {difference}", ids.len());
            assert!(largest_difference(&found, &expected) > 1e-4, "{case}: the blocks are not what is computed with");
        }
    }
}

/// Weights that stay in memory, all of them or as many as there is room for, change no bit; of a quantised model neither.
#[test]
fn weights_that_stay_in_memory_change_no_bit() {
    for (case, architecture, pre) in CASES {
        let both = Both::new(case, architecture, pre);
        for path in [both.model(), both.write(GgmlDType::Q8_0)] {
            let model = Transformer::open(&FileSource::directory(&path).unwrap(), &Device::Cpu).unwrap();
            let longest = if architecture == "gpt2" { 60 } else { 70 };
            let run = || {
                [1, 7, longest].map(|count| {
                    let ids: Vec<u32> = (0..count).map(|i| (i * 37 % 380) as u32).collect();
                    model.run(&ids, &Cancel::default()).unwrap().concat()
                })
            };
            let expected = run();
            let all = model.keep_weights(u64::MAX).unwrap().plan();
            assert_eq!(all.streamed_bytes, 0, "{case}");
            for room in [0, all.kept_bytes / 2, all.kept_bytes] {
                let kept = model.keep_weights(room).unwrap();
                let plan = kept.plan();
                assert!(plan.kept_bytes <= room && (plan.streamed_bytes > 0) == (room < all.kept_bytes), "{case}");
                assert!(room == 0 || plan.kept_bytes > 0, "{case}");
                assert!(run() == expected && run() == expected, "{case}: {plan}");
                assert_eq!(model.keep_weights(0).unwrap().plan(), plan, "{case}: what is kept already is shared");
            }
            assert!(run() == expected, "{case}: let go");
        }
    }
}

/// Norms behind, and projections in one tensor; with a few tokens and with more than Phi-3 was first trained on.
#[test]
fn later_families_compute_the_same_from_a_gguf_file() {
    let original = 50;
    let phi3 = phi3_case();
    reconfigure(&phi3, |config| {
        let scaling = json!({ "type": "longrope", "short_factor": [1.0, 1.25], "long_factor": [1.5, 9.0] });
        config.insert("rope_scaling".to_owned(), scaling);
        config.insert("original_max_position_embeddings".to_owned(), original.into());
        config.insert("max_position_embeddings".to_owned(), (4 * original).into());
    });
    for (variant, architecture) in [(olmo2_case(), "olmo2"), (phi3, "phi3")] {
        let mut both = Both::of(&variant.path("model"), architecture, "llama-bpe");
        if architecture == "phi3" {
            let key = |name: &str| format!("phi3.{name}");
            both.metadata.retain(|(name, _)| *name != key("rope.dimension_count"));
            let attention_factor = (1.0 + 4f64.ln() / f64::from(original).ln()).sqrt() as f32;
            both.metadata.push((key("rope.dimension_count"), Value::U32(4)));
            both.metadata.push((key("rope.scaling.original_context_length"), Value::U32(original as u32)));
            both.metadata.push((key("rope.scaling.attn_factor"), Value::F32(attention_factor)));
            for (name, factors) in [("short", [1.0f32, 1.25]), ("long", [1.5, 9.0])] {
                let factors = Tensor::new(&factors, &Device::Cpu).unwrap();
                both.tensors.push((format!("rope_factors_{name}.weight"), factors));
            }
        }
        for count in [7, 70] {
            let ids: Vec<u32> = (0..count).map(|i| (i * 37 % 380) as u32).collect();
            let (own, found) = (logits(&both.model(), &ids), logits(&both.write(GgmlDType::F32), &ids));
            let difference = largest_difference(&found, &own);
            assert!(difference <= 1e-5, "{architecture}, {count} tokens: {difference}");
            let blocks = largest_difference(&logits(&both.write(GgmlDType::Q8_0), &ids), &own);
            assert!((1e-5..0.05).contains(&blocks), "{architecture}, {count} tokens of blocks: {blocks}");
        }
    }
}

/// Of each type that candle makes blocks of: what is multiplied with is what candle dequantises.
#[test]
fn every_type_of_block_is_read() {
    use GgmlDType::{BF16, F16, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
    let (rows, width) = (24, 512);
    let noise: Vec<f32> = (0..rows * width).map(|i| ((i as f32 * 12.9898).sin() * 43758.547).fract()).collect();
    let weight = Tensor::from_vec(noise, (rows, width), &Device::Cpu).unwrap();
    for dtype in [F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K] {
        let folder = tempfile::tempdir().unwrap();
        let tensor = QTensor::quantize(&weight, dtype).unwrap();
        let expected = tensor.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        let head = [
            ("general.architecture", &Value::String("llama".to_owned())),
            ("llama.attention.head_count", &Value::U32(3)),
        ];
        let path = folder.path().join("x.gguf");
        let tensors = [("output.weight", &tensor), ("blk.0.attn_q.weight", &tensor)];
        gguf_file::write(&mut fs::File::create(path).unwrap(), &head, &tensors).unwrap();
        let place = FileSource::directory(folder.path()).unwrap();
        let weights = circuitscope::model::Weights::open_gguf(&place, "x.gguf").unwrap();
        let found = weights.read("lm_head.weight", &[rows, width]).unwrap();
        assert_eq!(found, expected.concat(), "{dtype:?}");
        // Three heads of eight rows: the first half of a head's rows are every other one of the file.
        let found = weights.read("model.layers.0.self_attn.q_proj.weight", &[rows, width]).unwrap();
        let order = (0..3).flat_map(|head| [0, 2, 4, 6, 1, 3, 5, 7].map(|row| head * 8 + row));
        let ordered: Vec<f32> = order.flat_map(|row: usize| expected[row].clone()).collect();
        assert_eq!(found, ordered, "{dtype:?}");
    }
}

/// Llama 3's rescaling is a tensor in a GGUF file.
#[test]
fn a_files_frequency_factors_are_llama_3s_rescaling() {
    let mut both = Both::new("llama_plt_relu", "llama", "llama-bpe");
    let config: Json = serde_json::from_slice(&fs::read(both.model().join("config.json")).unwrap()).unwrap();
    let head = config["head_dim"].as_u64().unwrap() as usize;
    let (factor, low, high, original) = (8.0, 1.0, 4.0, 8192.0);
    let scaling = json!({ "rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
        "original_max_position_embeddings": original });
    let mut scaled = config.clone();
    scaled["rope_scaling"] = scaling;
    fs::write(both.model().join("config.json"), scaled.to_string()).unwrap();
    // As the converter writes them.
    let factors: Vec<f32> = (0..head / 2)
        .map(|pair| {
            let frequency = 1.0 / config["rope_theta"].as_f64().unwrap().powf(2.0 * pair as f64 / head as f64);
            let wavelength = 2.0 * std::f64::consts::PI / frequency;
            let smooth = (original / wavelength - low) / (high - low);
            let between = 1.0 / ((1.0 - smooth) / factor + smooth);
            let long = if wavelength > original / low { factor } else { between };
            (if wavelength < original / high { 1.0 } else { long }) as f32
        })
        .collect();
    assert!(factors.iter().any(|factor| *factor != 1.0));
    both.tensors.push(("rope_freqs.weight".to_owned(), Tensor::from_vec(factors, head / 2, &Device::Cpu).unwrap()));
    let ids: Vec<u32> = (0..90).map(|i| (i * 37 % 380) as u32).collect();
    let difference = largest_difference(&logits(&both.write(GgmlDType::F32), &ids), &logits(&both.model(), &ids));
    assert!(difference <= 1e-5, "{difference}");
}

#[test]
fn a_tokenizer_is_rebuilt_from_metadata() {
    let texts = [
        "The capital of France is",
        " 12345 it's  two   spaces\n\n\ttab\r\n",
        "Café naïve Ωmega 中文 🙂 e\u{301}",
        "x<|end_of_text|>y<eos>z",
        "don't WON'T I'm they'll",
    ];
    for (case, architecture, pre) in CASES {
        let both = Both::new(case, architecture, pre);
        let own = Tokenizer::open(&FileSource::directory(&both.model()).unwrap()).unwrap();
        let rebuilt = Tokenizer::open(&FileSource::directory(&both.write(GgmlDType::F32)).unwrap()).unwrap();
        for text in texts {
            assert_eq!(rebuilt.encode(text).unwrap(), own.encode(text).unwrap(), "{case}: {text:?}");
        }
        assert_eq!(rebuilt.lead(), own.lead(), "{case}");
        for id in 0..380 {
            assert_eq!((rebuilt.text(id), rebuilt.is_special(id)), (own.text(id), own.is_special(id)), "{case}: {id}");
        }
    }
}

/// Each with the file and what is wrong.
#[test]
fn bad_files_are_refused_in_a_sentence() {
    let mut both = Both::new("llama_plt_relu", "llama", "llama-bpe");
    let path = both.write(GgmlDType::F32);
    let opened = |path: &Path| {
        let place = FileSource::directory(path).map_err(|error| error.to_string())?;
        Transformer::open(&place, &Device::Cpu).map(drop).map_err(|error| error.to_string())?;
        Tokenizer::open(&place).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(opened(&path), Ok(()));
    let refused = |path: &Path, parts: &[&str]| {
        let error = opened(path).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let content = fs::read(&path).unwrap();
    for length in [3, 50, content.len() / 2, content.len() - 100] {
        let cut = both.folder.path().join("cut.gguf");
        fs::write(&cut, &content[..length]).unwrap();
        refused(&cut, &["cut.gguf"]);
        refused(both.folder.path(), &["several", "cut.gguf", "F32.gguf"]);
    }
    refused(&both.folder.path().join("none.gguf"), &["none.gguf", "no such file"]);
    let changed = |both: &mut Both, key: &str, value: Value, parts: &[&str]| {
        let metadata: HashMap<String, Value> = both.metadata.iter().cloned().collect();
        both.metadata.retain(|(name, _)| name != key);
        both.metadata.push((key.to_owned(), value));
        refused(&both.write(GgmlDType::F32), parts);
        both.metadata = metadata.into_iter().collect();
    };
    let text = |text: &str| Value::String(text.to_owned());
    changed(&mut both, "general.architecture", text("mamba"), &["F32.gguf", "mamba", "qwen3"]);
    changed(&mut both, "llama.expert_count", Value::U32(8), &["num_experts"]);
    changed(&mut both, "llama.rope.dimension_count", Value::U32(4), &["rotated"]);
    changed(&mut both, "llama.block_count", Value::U32(4), &["layers.3", "missing"]);
    changed(&mut both, "tokenizer.ggml.pre", text("nobody"), &["tokenizer", "nobody", "tokenizer.json"]);
    changed(&mut both, "tokenizer.ggml.model", text("rwkv"), &["tokenizer", "rwkv"]);
    // A tokenizer beside the file stands in for one that cannot be rebuilt.
    let tokenizer = both.model().join("tokenizer.json");
    fs::copy(tokenizer, both.folder.path().join("tokenizer.json")).unwrap();
    both.metadata.retain(|(name, _)| name != "tokenizer.ggml.pre");
    assert_eq!(opened(&both.write(GgmlDType::F32)), Ok(()));
    both.tensors.push(("blk.0.mystery.weight".to_owned(), Tensor::zeros(32, DType::F32, &Device::Cpu).unwrap()));
    refused(&both.write(GgmlDType::F32), &["mystery"]);
}
