//! What the reference cases do not pin, on cases made from them, each with a check that does not need the reference:
//! rows add up, direct interventions equal the graph's columns, another layout of the same weights gives the same trace,
//! and candle-transformers' own models give the same logits.

use crate::engine::{Case, rows_sum_up};
use crate::fixture::{assert_close, folder, wide};
use crate::independent::logits as ours;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{gemma2, gemma3, mistral, olmo2, phi3, qwen2, qwen3};
use circuitscope::attribution::{Capture, Engine};
use circuitscope::graph::{AttributionGraph, RawTrace};
use circuitscope::hub::FileSource;
use circuitscope::ids::NodeId;
use circuitscope::intervention::{Change, Mode, Value, intervene};
use circuitscope::job::Monitor;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A copy of a case, to be changed.
pub struct Variant(tempfile::TempDir);

impl Variant {
    pub fn of(case: &str) -> Self {
        let folder_of_copy = tempfile::tempdir().unwrap();
        for which in ["model", "transcoder"] {
            fs::create_dir(folder_of_copy.path().join(which)).unwrap();
            for entry in fs::read_dir(folder(case).join(which)).unwrap() {
                let path = entry.unwrap().path();
                fs::copy(&path, folder_of_copy.path().join(which).join(path.file_name().unwrap())).unwrap();
            }
        }
        Self(folder_of_copy)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
    }

    /// Changes the tensors of a file; they are f32 afterwards.
    pub fn tensors(&self, file: &str, change: impl FnOnce(&mut HashMap<String, Tensor>)) {
        let path = self.path(file);
        let stored = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let mut tensors: HashMap<String, Tensor> =
            stored.into_iter().map(|(name, t)| (name, t.to_dtype(DType::F32).unwrap())).collect();
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, path).unwrap();
    }

    fn case(&self) -> Case {
        Case::at(self.0.path())
    }

    /// Traces a prompt over all features, and holds every row to its sum and the strongest feature's column to a direct
    /// intervention.
    pub fn check(&self, what: &str, prompt: &str) -> RawTrace {
        let case = self.case();
        let trace = case.trace_all(prompt);
        assert!(trace.sources.features.len() > 10, "{what}: {} active features", trace.sources.features.len());
        rows_sum_up(what, &trace);
        direct_interventions_equal_the_graph(what, &case, &trace);
        trace
    }
}

/// Numbers without a pattern, small and the same every time.
pub fn noise(shape: &[usize], scale: f32) -> Tensor {
    let n = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..n).map(|i| ((i as f32 * 12.9898 + 1.0).sin() * 43758.547).fract() * scale).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn direct_interventions_equal_the_graph(what: &str, case: &Case, trace: &RawTrace) {
    let graph = AttributionGraph::from_trace(trace).unwrap();
    let ids: Vec<u32> = trace.tokens.iter().map(|token| token.id).collect();
    let base = Capture::run(&case.model, &case.transcoder, &ids, &Monitor::default()).unwrap();
    let run = |changes: &[Change], mode: &Mode| {
        intervene(&case.model, &case.transcoder, &base, changes, mode, &Monitor::default()).unwrap()
    };
    let plain = run(&[], &Mode::Free);
    // Of the features of the first layers, the one that contributes most to others.
    let weight = |id: usize| graph.outgoing(NodeId::from(id)).map(|edge| f64::from(edge.weight.abs())).sum::<f64>();
    let early = (0..trace.sources.features.len()).filter(|id| trace.sources.features[*id].layer().index() < 2);
    let source = early.max_by(|a, b| weight(*a).total_cmp(&weight(*b))).unwrap();
    let doubled = Change { feature: trace.sources.features[source], value: Value::Times(2.0) };
    let altered = run(&[doubled], &Mode::Direct(0..case.model.spec.n_layers));
    let edges: HashMap<usize, f32> =
        graph.outgoing(NodeId::from(source)).map(|edge| (edge.target.index(), edge.weight)).collect();
    let largest = edges.values().fold(0.0f32, |most, x| most.max(x.abs()));
    assert!(largest > 0.0);
    for (index, feature) in trace.sources.features.iter().enumerate() {
        let (layer, width) = (feature.layer().index(), case.transcoder.n_features(feature.layer().index()));
        let place = feature.position.index() * width + feature.feature.index();
        let moved = altered.pre_activations[layer][place] - plain.pre_activations[layer][place];
        let edge = edges.get(&index).copied().unwrap_or(0.0);
        assert!((moved - edge).abs() <= 2e-5 * largest.max(1.0), "{what}: {feature:?} moves by {moved}, edge {edge}");
    }
}

const PROMPT: &str = "the state where Dallas is was said";

#[test]
fn features_that_write_in_front_of_a_norm() {
    let variant = Variant::of("gemma2_plt_jumprelu");
    variant.edit("transcoder/config.yaml", "hook_mlp_out", "mlp.hook_out");
    variant.check("mlp.hook_out with a norm behind", PROMPT);
    let variant = Variant::of("gemma3_plt_jumprelu_skip");
    variant.edit("transcoder/config.yaml", "hook_mlp_out", "mlp.hook_out");
    variant.check("mlp.hook_out with a norm behind and a skip connection", PROMPT);
}

#[test]
fn skip_connections_around_every_kind_of_norm() {
    for (case, hooks) in [
        ("llama_plt_relu_skip", ["hook_resid_mid", "ln2.hook_normalized"]),
        ("gpt2_plt_relu", ["hook_resid_mid", "mlp.hook_in"]),
    ] {
        for hook in hooks {
            let variant = Variant::of(case);
            let now = if case == "gpt2_plt_relu" { "ln2.hook_normalized" } else { "mlp.hook_in" };
            variant.edit(
                "transcoder/config.yaml",
                &format!("feature_input_hook: {now}"),
                &format!("feature_input_hook: {hook}"),
            );
            for layer in 0..3 {
                variant.tensors(&format!("transcoder/layer_{layer}.safetensors"), |tensors| {
                    tensors.insert("W_skip".to_owned(), noise(&[32, 32], 0.2));
                });
            }
            variant.check(&format!("{case} with {hook} and a skip connection"), PROMPT);
        }
    }
}

#[test]
fn a_cross_layer_transcoder_with_a_skip_connection() {
    let variant = Variant::of("llama_clt_relu");
    for layer in 0..3 {
        variant.tensors(&format!("transcoder/W_enc_{layer}.safetensors"), |tensors| {
            tensors.insert(format!("W_skip_{layer}"), noise(&[32, 32], 0.2));
        });
    }
    let with = variant.check("cross-layer with skip", PROMPT);
    // circuit-tracer multiplies with this matrix as it stands, with a per-layer transcoder's transposed.
    let case = variant.case();
    let skip = case.transcoder.skip(0, &Device::Cpu).unwrap().unwrap().to_vec2::<f32>().unwrap();
    let stored = noise(&[32, 32], 0.2).to_vec2::<f32>().unwrap();
    assert_eq!(skip[3][7], stored[7][3]);
    let without = Variant::of("llama_clt_relu").case().trace_all(PROMPT);
    assert_eq!(with.sources.features, without.sources.features);
    assert_ne!(with.error_norms, without.error_norms);
}

#[test]
fn a_cross_layer_transcoder_in_gemmascopes_layout() {
    let original = Variant::of("gemma2_clt_jumprelu");
    let variant = Variant::of("gemma2_clt_jumprelu");
    let read = |file: String| {
        let stored = candle_core::safetensors::load(original.path(&file), &Device::Cpu).unwrap();
        stored.into_iter().map(|(name, t)| (name, t.to_dtype(DType::F32).unwrap())).collect::<HashMap<_, _>>()
    };
    let mut list = "transcoders:\n".to_owned();
    for layer in 0..4 {
        let encoder = read(format!("transcoder/W_enc_{layer}.safetensors"));
        let decoder = &read(format!("transcoder/W_dec_{layer}.safetensors"))[&format!("W_dec_{layer}")];
        let get = |name: &str| encoder[&format!("{name}_{layer}")].clone();
        // Decoders into the layers below are there and have to be left alone.
        let below = noise(&[96, layer.max(1), 32], 9.0).narrow(1, 0, layer).unwrap();
        let all = if layer == 0 { decoder.clone() } else { Tensor::cat(&[&below, decoder], 1).unwrap() };
        let tensors = HashMap::from([
            ("w_enc".to_owned(), get("W_enc").t().unwrap().contiguous().unwrap()),
            ("w_dec".to_owned(), all),
            ("b_enc".to_owned(), get("b_enc")),
            ("b_dec".to_owned(), get("b_dec")),
            ("threshold".to_owned(), get("threshold")),
        ]);
        let name = format!("clt/layer_{layer}/params.safetensors");
        fs::create_dir_all(variant.path("transcoder").join(&name).parent().unwrap()).unwrap();
        candle_core::safetensors::save(&tensors, variant.path("transcoder").join(&name)).unwrap();
        list += &format!("- hf://google/gemma-scope-2/{name}?revision=main\n");
    }
    let config = fs::read_to_string(variant.path("transcoder/config.yaml")).unwrap();
    fs::write(variant.path("transcoder/config.yaml"), config + &list).unwrap();
    let (found, wanted) = (variant.check("GemmaScope-2's layout", PROMPT), original.case().trace_all(PROMPT));
    assert_eq!(found.sources.features, wanted.sources.features);
    assert_close("activations", &wide(&found.activations), &wide(&wanted.activations), 1e-5);
    assert_close("row sums", &found.row_abs_sums, &wanted.row_abs_sums, 1e-3);
}

#[test]
fn four_positions_of_instruction_models_count_as_zero() {
    let variant = Variant::of("gemma3_plt_jumprelu_skip");
    variant.edit("transcoder/config.yaml", "google/gemma-3-1b-pt", "google/gemma-3-1b-it");
    let trace = variant.check("gemma-3-it", PROMPT);
    assert!(trace.sources.features.iter().all(|feature| feature.position.index() >= 4));
    let n = trace.n_positions();
    for (at, norm) in trace.error_norms.iter().enumerate() {
        assert_eq!(*norm == 0.0, at % n < 4, "error norm at {at}");
    }
}

/// Biases on queries, keys and values, as Qwen2 has them.
fn qwen2_case() -> Variant {
    let variant = Variant::of("llama_plt_relu_skip");
    variant.edit("model/config.json", "LlamaForCausalLM", "Qwen2ForCausalLM");
    let config = fs::read(variant.path("model/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    config["rope_scaling"] = serde_json::json!({ "rope_type": "linear", "factor": 1.0 });
    config["sliding_window"] = 4096.into();
    config["max_window_layers"] = 3.into();
    config["use_sliding_window"] = false.into();
    fs::write(variant.path("model/config.json"), config.to_string()).unwrap();
    variant.tensors("model/model.safetensors", |tensors| {
        for layer in 0..3 {
            for (which, width) in [("q", 32), ("k", 16), ("v", 16)] {
                let name = format!("model.layers.{layer}.self_attn.{which}_proj.bias");
                tensors.insert(name, noise(&[width], 0.5));
            }
        }
    });
    variant
}

#[test]
fn biases_on_queries_keys_and_values() {
    qwen2_case().check("Qwen2", PROMPT);
}

/// What candle-transformers makes of the weights of a directory.
fn theirs<C: serde::de::DeserializeOwned>(
    directory: &Path,
    defaults: serde_json::Value,
    run: impl FnOnce(&C, VarBuilder<'_>) -> candle_core::Result<Tensor>,
) -> Vec<f32> {
    let text = fs::read(directory.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for (key, value) in defaults.as_object().unwrap() {
        config[key] = value.clone();
    }
    let file = fs::read(directory.join("model.safetensors")).unwrap();
    let weights = VarBuilder::from_buffered_safetensors(file, DType::F32, &Device::Cpu).unwrap();
    run(&serde_json::from_value(config).unwrap(), weights).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn ids(case: &Case, prompt: &str) -> (Vec<u32>, Tensor) {
    let ids: Vec<u32> = case.tokenizer.read(prompt).unwrap().iter().map(|token| token.id).collect();
    let input = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    (ids, input)
}

#[test]
fn logits_of_other_families_are_those_of_independent_models() {
    let none = || serde_json::json!({});
    let tied = || serde_json::json!({ "tie_word_embeddings": true });
    let compare = |what: &str, variant: &Variant, theirs: &dyn Fn(&Path, &Tensor) -> Vec<f32>| {
        let (ids, input) = ids(&variant.case(), PROMPT);
        let directory = variant.path("model");
        assert_close(what, &wide(&ours(&directory, &ids)), &wide(&theirs(&directory, &input)), 1e-4);
    };
    compare("Qwen2", &qwen2_case(), &|directory, input| {
        let plain = serde_json::json!({ "rope_scaling": null, "tie_word_embeddings": true });
        theirs(directory, plain, |config, weights| qwen2::ModelForCausalLM::new(config, weights)?.forward(input, 0))
    });
    compare("Qwen3", &Variant::of("qwen3_plt_relu"), &|directory, input| {
        theirs(directory, tied(), |config, weights| qwen3::ModelForCausalLM::new(config, weights)?.forward(input, 0))
    });
    let mistral_case = Variant::of("llama_plt_relu_skip");
    mistral_case.edit("model/config.json", "LlamaForCausalLM", "MistralForCausalLM");
    mistral_case.edit("model/config.json", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    let config = fs::read(mistral_case.path("model/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    config["rope_scaling"] = serde_json::Value::Null;
    config["sliding_window"] = 64.into();
    fs::write(mistral_case.path("model/config.json"), config.to_string()).unwrap();
    mistral_case.tensors("model/model.safetensors", |tensors| {
        tensors.insert("lm_head.weight".to_owned(), noise(&[384, 32], 0.5));
    });
    compare("Mistral", &mistral_case, &|directory, input| {
        theirs(directory, none(), |config, weights| mistral::Model::new(config, weights)?.forward(input, 0))
    });
    // Windows as long as the prompt: candle's masks let one key more through, and slide in every layer.
    let wide_window = |case: &str| {
        let variant = Variant::of(case);
        variant.edit("model/config.json", "\"sliding_window\": 4", "\"sliding_window\": 64");
        variant
    };
    // And it always scales scores by the head's width.
    let gemma2_case = wide_window("gemma2_plt_jumprelu");
    gemma2_case.edit("model/config.json", "\"query_pre_attn_scalar\": 12", "\"query_pre_attn_scalar\": 16");
    compare("Gemma-2", &gemma2_case, &|directory, input| {
        theirs(directory, none(), |config, weights| gemma2::Model::new(false, config, weights)?.forward(input, 0))
    });
    let gemma3_case = wide_window("gemma3_plt_jumprelu_skip");
    compare("Gemma-3", &gemma3_case, &|directory, input| {
        // It knows the pattern of windows by its period alone.
        let period = serde_json::json!({ "sliding_window_pattern": 3 });
        theirs(directory, period, |config, weights| gemma3::Model::new(false, config, weights)?.forward(input, 0))
    });
}

/// Norms behind attention and MLP and over all queries and all keys, as OLMo-2 has them.
pub fn olmo2_case() -> Variant {
    let variant = Variant::of("llama_plt_relu_skip");
    reconfigure(&variant, |config| {
        config.insert("architectures".to_owned(), serde_json::json!(["Olmo2ForCausalLM"]));
        config.remove("rope_scaling");
    });
    variant.tensors("model/model.safetensors", |tensors| {
        for layer in 0..3 {
            let name = |name: &str| format!("model.layers.{layer}.{name}.weight");
            tensors.remove(&name("input_layernorm")).unwrap();
            let ones = |n: usize| (Tensor::ones(n, DType::F32, &Device::Cpu).unwrap() + noise(&[n], 0.3)).unwrap();
            for (norm, width) in
                [("self_attn.q_norm", 32), ("self_attn.k_norm", 16), ("post_feedforward_layernorm", 32)]
            {
                tensors.insert(name(norm), ones(width));
            }
        }
    });
    variant
}

/// Queries, keys and values in one tensor, and the MLP's gate and first projection in another, as Phi-3 has them; a part of
/// each head rotated.
pub fn phi3_case() -> Variant {
    let variant = Variant::of("llama_plt_relu_skip");
    reconfigure(&variant, |config| {
        config.insert("architectures".to_owned(), serde_json::json!(["Phi3ForCausalLM"]));
        config.insert("partial_rotary_factor".to_owned(), 0.5.into());
        config.remove("rope_scaling");
    });
    variant.tensors("model/model.safetensors", |tensors| {
        for layer in 0..3 {
            let name = |name: &str| format!("model.layers.{layer}.{name}.weight");
            let mut join = |whole: &str, parts: &[&str]| {
                let parts: Vec<Tensor> = parts.iter().map(|part| tensors.remove(&name(part)).unwrap()).collect();
                tensors.insert(name(whole), Tensor::cat(&parts, 0).unwrap());
            };
            join("self_attn.qkv_proj", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
            join("mlp.gate_up_proj", &["mlp.gate_proj", "mlp.up_proj"]);
        }
    });
    variant
}

#[test]
fn norms_behind_and_projections_in_one_tensor() {
    for (what, variant) in [("OLMo-2", olmo2_case()), ("Phi-3", phi3_case())] {
        let (ids, input) = ids(&variant.case(), PROMPT);
        let directory = variant.path("model");
        let plain = serde_json::json!({ "rope_scaling": null, "tie_word_embeddings": true });
        let theirs = match what {
            "OLMo-2" => {
                theirs(&directory, plain, |config, weights| olmo2::Model::new(config, weights)?.forward(&input, 0))
            }
            _ => theirs(&directory, plain, |config, weights| phi3::Model::new(config, weights)?.forward(&input, 0)),
        };
        assert_close(what, &wide(&ours(&directory, &ids)), &wide(&theirs), 1e-4);
        for hook in ["mlp.hook_out", "hook_mlp_out"] {
            variant.edit("transcoder/config.yaml", "mlp.hook_out", hook);
            variant.check(&format!("{what}, {hook}"), PROMPT);
        }
    }
    // What is written where a window ends is not seen.
    let windowed = phi3_case();
    reconfigure(&windowed, |config| drop(config.insert("sliding_window".to_owned(), 3.into())));
    let (ids, _) = ids(&windowed.case(), PROMPT);
    assert_ne!(ours(&windowed.path("model"), &ids), ours(&phi3_case().path("model"), &ids));
    windowed.check("Phi-3 with a window", PROMPT);
    // There is no norm in front of whose weight features could read.
    let normless = olmo2_case();
    normless.edit("transcoder/config.yaml", "mlp.hook_in", "ln2.hook_normalized");
    let place = |which: &str| FileSource::directory(&normless.path(which)).unwrap();
    let refusal = Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap_err().to_string();
    assert!(refusal.contains("ln2.hook_normalized"), "{refusal}");
}

/// A model's configuration, changed as JSON.
pub fn reconfigure(variant: &Variant, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) {
    let path = variant.path("model/config.json");
    let mut config: serde_json::Map<_, _> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    fs::write(path, serde_json::to_vec(&config).unwrap()).unwrap();
}

#[test]
fn other_forms_of_the_same_model_give_the_same_logits() {
    let same = |what: &str, case: &str, change: &dyn Fn(&Variant)| {
        let (original, variant) = (Variant::of(case), Variant::of(case));
        change(&variant);
        let (ids, _) = ids(&original.case(), PROMPT);
        assert_eq!(ours(&original.path("model"), &ids), ours(&variant.path("model"), &ids), "{what}");
    };
    same("rope_parameters", "llama_plt_relu", &|variant| {
        reconfigure(variant, |config| {
            let mut rope = config.remove("rope_scaling").unwrap();
            rope["rope_theta"] = config.remove("rope_theta").unwrap();
            config.insert("rope_parameters".to_owned(), rope);
        });
    });
    same("rope_parameters by kind of layer", "gemma3_plt_jumprelu_skip", &|variant| {
        reconfigure(variant, |config| {
            let of = |theta| serde_json::json!({ "rope_type": "default", "rope_theta": theta });
            let full = of(config.remove("rope_theta").unwrap());
            let sliding = of(config.remove("rope_local_base_freq").unwrap());
            let both = serde_json::json!({ "full_attention": full, "sliding_attention": sliding });
            config.insert("rope_parameters".to_owned(), both);
        });
    });
    same("text_config of a multimodal model", "gemma3_plt_jumprelu_skip", &|variant| {
        reconfigure(variant, |config| {
            let inner = std::mem::take(config);
            config.insert("architectures".to_owned(), serde_json::json!(["Gemma3ForConditionalGeneration"]));
            config.insert("text_config".to_owned(), serde_json::Value::Object(inner));
        });
        variant.tensors("model/model.safetensors", |tensors| {
            let renamed = tensors.drain().map(|(name, tensor)| (format!("language_model.{name}"), tensor));
            *tensors = renamed.collect();
        });
    });
    same("the transformer. prefix", "gpt2_plt_relu", &|variant| {
        variant.tensors("model/model.safetensors", |tensors| {
            let renamed = tensors.drain().map(|(name, tensor)| (format!("transformer.{name}"), tensor));
            *tensors = renamed.collect();
        });
    });
    same("shards", "qwen3_plt_relu", &|variant| {
        let path = variant.path("model/model.safetensors");
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        fs::remove_file(path).unwrap();
        let mut weight_map = serde_json::Map::new();
        let mut shards = [HashMap::new(), HashMap::new()];
        for (nth, (name, tensor)) in tensors.into_iter().enumerate() {
            let file = format!("model-{:05}-of-00002.safetensors", nth % 2 + 1);
            weight_map.insert(name.clone(), file.into());
            shards[nth % 2].insert(name, tensor);
        }
        for (nth, shard) in shards.iter().enumerate() {
            let file = format!("model/model-{:05}-of-00002.safetensors", nth + 1);
            candle_core::safetensors::save(shard, variant.path(&file)).unwrap();
        }
        let index = serde_json::json!({ "metadata": {}, "weight_map": weight_map });
        fs::write(variant.path("model/model.safetensors.index.json"), index.to_string()).unwrap();
    });
}
