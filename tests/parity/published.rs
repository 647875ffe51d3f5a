//! Configurations as they are published for each family: read, and every number of them honoured.

use circuitscope::hub::FileSource;
use circuitscope::model::{ActivationKind, ModelSpec, NormKind, PositionKind, QueryKeyNorms, RopeScaling};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn published(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/configs");
    serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

fn read(config: &Value) -> Result<ModelSpec, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    ModelSpec::read(&FileSource::directory(folder.path()).unwrap()).map_err(|error| error.to_string())
}

fn spec(name: &str) -> ModelSpec {
    read(&published(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Sizes in the order d, layers, heads, key and value heads, head width, MLP width, vocabulary, context.
fn sizes(spec: &ModelSpec) -> [usize; 8] {
    [
        spec.d_model,
        spec.n_layers,
        spec.n_heads,
        spec.n_kv_heads,
        spec.head_dim,
        spec.d_mlp,
        spec.vocab_size,
        spec.max_positions,
    ]
}

fn windows(spec: &ModelSpec) -> Vec<Option<usize>> {
    spec.layers.iter().map(|layer| layer.window).collect()
}

#[test]
fn llama() {
    let llama = spec("llama-3.2-1b");
    assert_eq!(sizes(&llama), [2048, 16, 32, 8, 64, 8192, 128_256, 131_072]);
    assert!(llama.tied_embeddings && llama.biases == Default::default() && llama.norm_eps == 1e-5);
    for layer in &llama.layers {
        let rope = layer.rope.clone().unwrap();
        let (factor, low_freq_factor, high_freq_factor, original_max_positions) = (32.0, 1.0, 4.0, 8192.0);
        let scaling = RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions };
        assert_eq!((layer.window, rope.theta, rope.scaling), (None, 500_000.0, scaling));
    }
    let llama = spec("llama-2-7b");
    assert_eq!(sizes(&llama), [4096, 32, 32, 32, 128, 11_008, 32_000, 4096]);
    let rope = llama.layers[0].rope.clone().unwrap();
    assert_eq!((llama.tied_embeddings, rope.theta, rope.scaling), (false, 10_000.0, RopeScaling::None));
    assert!(llama.may_be("meta-llama/llama-2-7B-HF") && !llama.may_be("meta-llama/Llama-2-13b-hf"));
}

#[test]
fn olmo_and_phi() {
    let olmo = spec("olmo-2-1b");
    assert_eq!((olmo.query_key_norms, olmo.post_norms, olmo.norm_eps), (QueryKeyNorms::Whole, true, 1e-6));
    assert_eq!((olmo.layout.attention_norm, olmo.layout.mlp_norm), (None, None));
    let phi = spec("phi-3-mini-4k-instruct");
    assert_eq!((windows(&phi), phi.rotary_dim), (vec![Some(2047); 32], 96));
    // One that is not supported says so, and not what is known instead.
    let gpt_oss = json!({ "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss" });
    assert!(read(&gpt_oss).unwrap_err().contains("GPT-OSS"));
}

#[test]
fn qwen() {
    let qwen = spec("qwen2.5-7b");
    assert_eq!(sizes(&qwen), [3584, 28, 28, 4, 128, 18_944, 152_064, 131_072]);
    assert!(qwen.biases.attention_in && !qwen.biases.attention_out && qwen.query_key_norms == QueryKeyNorms::None);
    assert_eq!(windows(&qwen), [None; 28]);
    let qwen = spec("qwen3-4b");
    assert_eq!(sizes(&qwen), [2560, 36, 32, 8, 128, 9728, 151_936, 40_960]);
    assert!(!qwen.biases.attention_in && qwen.query_key_norms == QueryKeyNorms::ByHead && qwen.tied_embeddings);
    assert_eq!((windows(&qwen), qwen.layers[0].rope.as_ref().unwrap().theta), (vec![None; 36], 1e6));
    let mut sliding = published("qwen2.5-7b");
    sliding["use_sliding_window"] = true.into();
    sliding["max_window_layers"] = 20.into();
    let windows = windows(&read(&sliding).unwrap());
    assert_eq!((windows[19], windows[20]), (None, Some(131_072)));
}

#[test]
fn mistral() {
    let first = spec("mistral-7b-v0.1");
    assert_eq!(sizes(&first), [4096, 32, 32, 8, 128, 14_336, 32_000, 32_768]);
    assert_eq!(windows(&first), [Some(4096); 32]);
    let third = spec("mistral-7b-v0.3");
    assert_eq!((windows(&third), third.head_dim), (vec![None; 32], 128));
    // What is left out is not what is null.
    let mut bare = published("mistral-7b-v0.1");
    bare.as_object_mut().unwrap().retain(|key, _| key != "sliding_window" && key != "num_key_value_heads");
    let bare = read(&bare).unwrap();
    assert_eq!((windows(&bare), bare.n_kv_heads), (vec![Some(4096); 32], 8));
}

#[test]
fn gemma() {
    let gemma = spec("gemma-2-2b");
    assert_eq!(sizes(&gemma), [2304, 26, 8, 4, 256, 9216, 256_000, 8192]);
    assert_eq!((gemma.attention_softcap, gemma.final_softcap), (Some(50.0), Some(30.0)));
    assert_eq!(
        (gemma.activation, gemma.norm, gemma.attention_scale),
        (ActivationKind::GeluTanh, NormKind::RmsPlusOne, 0.0625)
    );
    assert_eq!(windows(&gemma)[..3], [Some(4096), None, Some(4096)]);
    assert!(gemma.tied_embeddings && gemma.post_norms && gemma.embedding_scale == Some(2304f64.sqrt()));
    let mut bare = published("gemma-2-2b");
    bare.as_object_mut().unwrap().retain(|key, _| !key.ends_with("softcapping") && key != "hidden_activation");
    bare["hidden_act"] = "gelu".into();
    let bare = read(&bare).unwrap();
    assert_eq!(
        (bare.attention_softcap, bare.final_softcap, bare.activation),
        (Some(50.0), Some(30.0), ActivationKind::GeluTanh)
    );

    let gemma = spec("gemma-3-1b-it");
    assert_eq!(sizes(&gemma), [1152, 26, 4, 1, 256, 6912, 262_144, 32_768]);
    assert_eq!(
        (gemma.attention_softcap, gemma.final_softcap, gemma.query_key_norms),
        (None, None, QueryKeyNorms::ByHead)
    );
    let full: Vec<usize> = (0..26).filter(|layer| gemma.layers[*layer].window.is_none()).collect();
    assert_eq!(full, [5, 11, 17, 23]);
    assert!(gemma.layers.iter().all(|layer| {
        let theta = layer.rope.as_ref().unwrap().theta;
        if layer.window.is_some() { layer.window == Some(512) && theta == 1e4 } else { theta == 1e6 }
    }));

    // Of a multimodal model only what is unusual is written down.
    let gemma = spec("gemma-3-4b-pt");
    assert_eq!(sizes(&gemma), [2560, 34, 8, 4, 256, 10_240, 262_208, 131_072]);
    let (sliding, full) = (&gemma.layers[0], &gemma.layers[5]);
    assert_eq!((sliding.window, &sliding.rope.as_ref().unwrap().scaling), (Some(1024), &RopeScaling::None));
    assert_eq!((full.window, &full.rope.as_ref().unwrap().scaling), (None, &RopeScaling::Linear { factor: 8.0 }));
    let newer = spec("gemma-3-12b-it-newer");
    assert_eq!(sizes(&newer), [3840, 48, 16, 8, 256, 15_360, 262_208, 131_072]);
    assert_eq!((&newer.layers[0], &newer.layers[5]), (sliding, full));
}

#[test]
fn gpt2() {
    let gpt2 = spec("gpt2");
    assert_eq!(sizes(&gpt2), [768, 12, 12, 12, 64, 3072, 50_257, 1024]);
    assert!(gpt2.tied_embeddings && gpt2.norm == NormKind::Layer && gpt2.activation == ActivationKind::GeluTanh);
    let mut older = published("gpt2");
    for (key, value) in [("n_special", json!(0)), ("predict_special_tokens", json!(true)), ("output_past", json!(true))]
    {
        older[key] = value;
    }
    older["pruned_heads"] = json!({});
    read(&older).unwrap();
}

#[test]
fn neox() {
    let pythia = spec("pythia-70m");
    assert_eq!(sizes(&pythia), [512, 6, 8, 8, 64, 2048, 50_304, 2048]);
    assert!(pythia.parallel_residual && !pythia.tied_embeddings && pythia.norm == NormKind::Layer);
    assert_eq!((pythia.rotary_dim, pythia.activation), (16, ActivationKind::Gelu));
    // What newer versions write for the same.
    let mut newer = published("pythia-70m");
    let options = newer.as_object_mut().unwrap();
    options.remove("rotary_pct");
    options.remove("rotary_emb_base");
    newer["rope_parameters"] = json!({ "rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5 });
    newer["use_parallel_residual"] = false.into();
    let newer = read(&newer).unwrap();
    assert_eq!((newer.rotary_dim, newer.layers[5].rope.as_ref().unwrap().theta), (32, 500.0));
    assert!(!newer.parallel_residual);
}

#[test]
fn what_would_change_the_numbers_is_refused_by_name() {
    let refused = |name: &str, key: &str, value: Value, part: &str| {
        let mut config = published(name);
        config[key] = value;
        let error = read(&config).expect_err(key);
        assert!(error.contains(part) && error.contains("config.json"), "{key}: {error}");
    };
    refused("gpt2", "scale_attn_by_inverse_layer_idx", json!(true), "scale_attn_by_inverse_layer_idx");
    refused("gpt2", "scale_attn_weights", json!(false), "scale_attn_weights");
    refused(
        "phi-3-mini-4k-instruct",
        "rope_scaling",
        json!({ "type": "longrope", "short_factor": [1.0] }),
        "long_factor",
    );
    let short = json!({ "type": "longrope", "short_factor": [1.0], "long_factor": [2.0] });
    refused("phi-3-mini-4k-instruct", "rope_scaling", short, "1 factors for 48");
    refused("gpt2", "pruned_heads", json!({ "3": [1] }), "pruned_heads");
    refused("llama-3.2-1b", "rope_scaling", json!({ "rope_type": "yarn", "factor": 4.0 }), "yarn");
    refused("llama-3.2-1b", "rope_scaling", json!({ "type": "dynamic", "factor": 4.0 }), "dynamic");
    refused("llama-3.2-1b", "partial_rotary_factor", json!(0.5), "partial_rotary_factor");
    refused("llama-3.2-1b", "hidden_act", json!("relu2"), "relu2");
    refused("llama-3.2-1b", "mlp_bias", json!(true), "mlp_bias");
    refused("pythia-70m", "rotary_pct", json!(1.5), "rotary_pct");
    refused("pythia-70m", "hidden_act", json!("relu"), "relu");
    refused("gemma-3-4b-pt", "num_experts", json!(8), "num_experts");
    refused("smollm2-135m", "rope_interleaved", json!(true), "rope_interleaved");
    refused("yi-6b", "embedding_multiplier", json!(12.0), "embedding_multiplier");
    refused("gemma-3-12b-it-newer", "logit_scale", json!(2.0), "logit_scale");
    refused("gemma-3-1b-it", "layer_types", json!(["sliding_attention"]), "layer_types");
}

/// What nobody knows of is passed over and told, inside a multimodal model too; what is off or changes nothing is not.
#[test]
fn what_is_not_known_is_told() {
    let mut config = published("gemma-3-4b-pt");
    config["quantization_config"] = json!({ "bits": 4 });
    config["text_config"]["shiny"] = json!("new");
    for (key, value) in [("logit_scale", json!(1.0)), ("partial_rotary_factor", json!(1.0)), ("dull", json!(false))] {
        config["text_config"][key] = value;
    }
    config["_made_by"] = json!("somebody");
    let spec = read(&config).unwrap();
    assert_eq!(spec.unknown_options, ["quantization_config = {\"bits\":4}", "shiny = \"new\""]);
    let doubt = spec.doubt().unwrap();
    assert!(doubt.contains("quantization_config") && doubt.contains("shiny"));
    let plain = self::spec("gemma-3-4b-pt");
    assert_eq!(plain.doubt(), None);
    assert_eq!(ModelSpec { unknown_options: Vec::new(), name: plain.name.clone(), ..spec }, plain);
}

/// The reference goes by the family's name; some files have no architectures.
#[test]
fn a_family_is_known_without_its_class() {
    for name in
        ["gpt2-xl", "pythia-70m", "yi-6b", "zephyr-7b-beta", "qwen2-0.5b", "qwen3-0.6b", "gemma-2-9b", "gemma-3-270m"]
    {
        let mut config = published(name);
        config.as_object_mut().unwrap().remove("architectures");
        let whole = spec(name);
        let found =
            ModelSpec { name: whole.name.clone(), directory: whole.directory.clone(), ..read(&config).unwrap() };
        assert_eq!(found, whole, "{name}");
    }
}

/// Every one loads without a word, and is the model that its family publishes.
#[test]
fn each_published_configuration_is_known_whole() {
    // Layers, width, query heads, key and value heads, width of a head, and parameters in millions, as they are published.
    let known = [
        ("cerebras-gpt-111m", [10, 768, 12, 12, 64, 111]),
        ("codellama-7b", [32, 4096, 32, 32, 128, 6739]),
        ("deepseek-coder-1.3b", [24, 2048, 16, 16, 128, 1346]),
        ("deepseek-r1-distill-llama-8b", [32, 4096, 32, 8, 128, 8030]),
        ("deepseek-r1-distill-qwen-1.5b", [28, 1536, 12, 2, 128, 1777]),
        ("dialogpt-medium", [24, 1024, 16, 16, 64, 355]),
        ("distilgpt2", [6, 768, 12, 12, 64, 82]),
        ("gemma-2-27b", [46, 4608, 32, 16, 128, 27227]),
        ("gemma-2-2b", [26, 2304, 8, 4, 256, 2614]),
        ("gemma-2-2b-it", [26, 2304, 8, 4, 256, 2614]),
        ("gemma-2-9b", [42, 3584, 16, 8, 256, 9242]),
        ("gemma-3-12b-it-newer", [48, 3840, 16, 8, 256, 11766]),
        ("gemma-3-1b-it", [26, 1152, 4, 1, 256, 1000]),
        ("gemma-3-270m", [18, 640, 4, 1, 256, 268]),
        ("gemma-3-4b-pt", [34, 2560, 8, 4, 256, 3880]),
        ("gpt2", [12, 768, 12, 12, 64, 124]),
        ("gpt2-large", [36, 1280, 20, 20, 64, 774]),
        ("gpt2-medium", [24, 1024, 16, 16, 64, 355]),
        ("gpt2-xl", [48, 1600, 25, 25, 64, 1558]),
        ("hermes-3-llama-3.1-8b", [32, 4096, 32, 8, 128, 8030]),
        ("llama-2-7b", [32, 4096, 32, 32, 128, 6738]),
        ("llama-3-8b", [32, 4096, 32, 8, 128, 8030]),
        ("llama-3.1-8b-instruct", [32, 4096, 32, 8, 128, 8030]),
        ("llama-3.2-1b", [16, 2048, 32, 8, 64, 1236]),
        ("llama-3.2-3b-instruct", [28, 3072, 24, 8, 128, 3213]),
        ("mistral-7b-v0.1", [32, 4096, 32, 8, 128, 7242]),
        ("mistral-7b-v0.3", [32, 4096, 32, 8, 128, 7248]),
        ("mistral-nemo-12b", [40, 5120, 32, 8, 128, 12248]),
        ("olmo-2-1b", [16, 2048, 16, 16, 128, 1485]),
        ("open-llama-3b", [26, 3200, 32, 32, 100, 3426]),
        ("phi-3-mini-4k-instruct", [32, 3072, 32, 32, 96, 3821]),
        ("pythia-70m", [6, 512, 8, 8, 64, 70]),
        ("qwen2-0.5b", [24, 896, 14, 2, 64, 494]),
        ("qwen2.5-0.5b-instruct", [24, 896, 14, 2, 64, 494]),
        ("qwen2.5-7b", [28, 3584, 28, 4, 128, 7616]),
        ("qwen2.5-coder-1.5b", [28, 1536, 12, 2, 128, 1544]),
        ("qwen3-0.6b", [28, 1024, 16, 8, 128, 596]),
        ("qwen3-1.7b", [28, 2048, 16, 8, 128, 1721]),
        ("qwen3-4b", [36, 2560, 32, 8, 128, 4022]),
        ("qwen3-4b-instruct-2507", [36, 2560, 32, 8, 128, 4022]),
        ("smollm2-135m", [30, 576, 9, 3, 64, 135]),
        ("smollm2-360m-instruct", [32, 960, 15, 5, 64, 362]),
        ("tinyllama-1.1b-chat", [22, 2048, 32, 4, 64, 1100]),
        ("unsloth-llama-3.2-1b-instruct", [16, 2048, 32, 8, 64, 1236]),
        ("vicuna-7b-v1.5", [32, 4096, 32, 32, 128, 6738]),
        ("yi-6b", [32, 4096, 32, 4, 128, 6061]),
        ("zephyr-7b-beta", [32, 4096, 32, 8, 128, 7242]),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/configs");
    assert_eq!(fs::read_dir(folder).unwrap().count(), known.len());
    for (name, [layers, width, heads, kv_heads, head, millions]) in known {
        let spec = spec(name);
        assert_eq!(spec.unknown_options, Vec::<String>::new(), "{name}");
        let found = [spec.n_layers, spec.d_model, spec.n_heads, spec.n_kv_heads, spec.head_dim];
        assert_eq!(found, [layers, width, heads, kv_heads, head], "{name}");
        let within = (parameters(&spec) as f64 / 1e6 - millions as f64).abs();
        assert!(within <= 0.5, "{name}: {} parameters, {millions} million published", parameters(&spec));
    }
}

/// Weights, biases and norms; what is tied once.
fn parameters(spec: &ModelSpec) -> usize {
    let (d, m, a, kv) = (spec.d_model, spec.d_mlp, spec.d_attn(), spec.d_kv());
    let (gated, learned) = (spec.norm != NormKind::Layer, spec.positions == PositionKind::Learned);
    let biases = spec.biases;
    let on = |on: bool, n: usize| if on { n } else { 0 };
    let norm = if gated { d } else { 2 * d };
    let attention = 2 * d * (a + kv) + on(biases.attention_in, a + 2 * kv) + on(biases.attention_out, d);
    let mlp = on(gated, d * m) + 2 * d * m + on(biases.mlp, m + d);
    let of_heads = match spec.query_key_norms {
        QueryKeyNorms::None => 0,
        QueryKeyNorms::ByHead => 2 * spec.head_dim,
        QueryKeyNorms::Whole => a + kv,
    };
    let norms = on(spec.post_norms, 2 * d) + on(spec.layout.mlp_norm.is_some(), 2 * norm) + of_heads;
    let vocabulary = spec.vocab_size * d * if spec.tied_embeddings { 1 } else { 2 };
    vocabulary + on(learned, spec.max_positions * d) + spec.n_layers * (attention + mlp + norms) + norm
}
