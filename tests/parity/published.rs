//! Configurations as they are published for each family: read, and every number of them honoured.

use circuitscope::hub::Place;
use circuitscope::model::{ActivationKind, ModelSpec, NormKind, RopeScaling};
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
    ModelSpec::read(&Place::directory(folder.path()).unwrap()).map_err(|error| error.to_string())
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
fn qwen() {
    let qwen = spec("qwen2.5-7b");
    assert_eq!(sizes(&qwen), [3584, 28, 28, 4, 128, 18_944, 152_064, 131_072]);
    assert!(qwen.biases.attention_in && !qwen.biases.attention_out && !qwen.query_key_norms);
    assert_eq!(windows(&qwen), [None; 28]);
    let qwen = spec("qwen3-4b");
    assert_eq!(sizes(&qwen), [2560, 36, 32, 8, 128, 9728, 151_936, 40_960]);
    assert!(!qwen.biases.attention_in && qwen.query_key_norms && qwen.tied_embeddings);
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
    assert_eq!((gemma.attention_softcap, gemma.final_softcap, gemma.query_key_norms), (None, None, true));
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
fn what_would_change_the_numbers_is_refused_by_name() {
    let refused = |name: &str, key: &str, value: Value, part: &str| {
        let mut config = published(name);
        config[key] = value;
        let error = read(&config).expect_err(key);
        assert!(error.contains(part) && error.contains("config.json"), "{key}: {error}");
    };
    refused("gpt2", "scale_attn_by_inverse_layer_idx", json!(true), "scale_attn_by_inverse_layer_idx");
    refused("gpt2", "scale_attn_weights", json!(false), "scale_attn_weights");
    refused("gpt2", "pruned_heads", json!({ "3": [1] }), "pruned_heads");
    refused("llama-3.2-1b", "rope_scaling", json!({ "rope_type": "yarn", "factor": 4.0 }), "yarn");
    refused("llama-3.2-1b", "rope_scaling", json!({ "type": "dynamic", "factor": 4.0 }), "dynamic");
    refused("llama-3.2-1b", "partial_rotary_factor", json!(0.5), "partial_rotary_factor");
    refused("llama-3.2-1b", "hidden_act", json!("relu2"), "relu2");
    refused("llama-3.2-1b", "mlp_bias", json!(true), "mlp_bias");
    refused("qwen2.5-7b", "quantization_config", json!({ "bits": 4 }), "quantization_config");
    refused("gemma-3-4b-pt", "quantization_config", json!({ "bits": 4 }), "quantization_config");
    refused("gemma-3-12b-it-newer", "logit_scale", json!(2.0), "logit_scale");
    refused("gemma-3-1b-it", "layer_types", json!(["sliding_attention"]), "layer_types");
}
