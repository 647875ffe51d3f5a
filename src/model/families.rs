//! What each architecture's `config.json` says, and what it leaves to its defaults.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::spec::{
    ActivationKind, Biases, LayerSpec, Layout, ModelSpec, NormKind, PositionKind, RopeScaling, RopeSpec,
};
use crate::untrusted::excerpt;
use serde_json::{Value, json};

const KNOWN: &str = "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, Gemma2ForCausalLM, \
                     Gemma3ForCausalLM, Gemma3ForConditionalGeneration, GPT2LMHeadModel";

/// The class that each name of a family leads to.
const MODEL_TYPES: [(&str, &str); 8] = [
    ("llama", "LlamaForCausalLM"),
    ("mistral", "MistralForCausalLM"),
    ("qwen2", "Qwen2ForCausalLM"),
    ("qwen3", "Qwen3ForCausalLM"),
    ("gemma2", "Gemma2ForCausalLM"),
    ("gemma3_text", "Gemma3ForCausalLM"),
    ("gemma3", "Gemma3ForConditionalGeneration"),
    ("gpt2", "GPT2LMHeadModel"),
];

/// Which of the families that share Llama's layout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Gemma2,
    Gemma3,
}

/// What a model is called.
struct Names {
    name: String,
    directory: Option<String>,
}

/// Reads the options of a model, whatever its family; `directory` names it where it has no name of its own.
pub(super) fn read(config: &mut Config, directory: String) -> Result<ModelSpec, ModelError> {
    let architecture = config.architecture();
    let own_name = config.text("_name_or_path").filter(|name| !name.is_empty());
    let names = match own_name {
        Some(name) => Names { name, directory: Some(directory) },
        None => Names { name: directory, directory: None },
    };
    // The reference goes by the family's name; architectures are told beside it, by most.
    let named = architecture.or_else(|| {
        let model_type = config.model_type()?;
        let class = MODEL_TYPES.iter().find(|(name, _)| *name == model_type).map(|(_, class)| (*class).to_owned());
        class.or(Some(model_type))
    });
    let family = match named.as_deref() {
        Some("LlamaForCausalLM") => Family::Llama,
        Some("MistralForCausalLM") => Family::Mistral,
        Some("Qwen2ForCausalLM") => Family::Qwen2,
        Some("Qwen3ForCausalLM") => Family::Qwen3,
        Some("Gemma2ForCausalLM") => Family::Gemma2,
        Some("Gemma3ForCausalLM" | "Gemma3ForConditionalGeneration") => {
            config.enter_text_config()?;
            Family::Gemma3
        }
        Some("GPT2LMHeadModel") => return gpt2(config, names),
        other => {
            let found = other.map_or("no architecture".to_owned(), |name| format!("architecture {:?}", excerpt(name)));
            return Err(config.wrong(format!("names {found}; known: {KNOWN}")));
        }
    };
    let spec = llama_like(config, names, family)?;
    finish(config, spec)
}

fn finish(config: &mut Config, mut spec: ModelSpec) -> Result<ModelSpec, ModelError> {
    config.finish()?;
    spec.unknown_options = config.take_unknown();
    if !spec.n_heads.is_multiple_of(spec.n_kv_heads) {
        return Err(config.wrong(format!(
            "num_attention_heads {} is not a multiple of num_key_value_heads {}",
            spec.n_heads, spec.n_kv_heads
        )));
    }
    if spec.head_dim == 0 || (spec.positions == PositionKind::Rotary && !spec.head_dim.is_multiple_of(2)) {
        return Err(config.wrong(format!("head_dim {} is odd or zero; rotary positions need pairs", spec.head_dim)));
    }
    Ok(spec)
}

/// What transformers takes for options that are not there at all, where it is not what their null means: published
/// configurations leave out what is usual in their family.
fn usual(family: Family) -> Value {
    match family {
        Family::Llama => json!({}),
        Family::Mistral => json!({
            "max_position_embeddings": 131_072, "num_key_value_heads": 8, "sliding_window": 4096,
        }),
        Family::Qwen2 | Family::Qwen3 => json!({
            "max_position_embeddings": 32_768, "max_window_layers": 28, "num_key_value_heads": 32,
            "sliding_window": 4096,
        }),
        Family::Gemma2 => json!({
            "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "intermediate_size": 9216,
            "max_position_embeddings": 8192, "num_attention_heads": 8, "num_hidden_layers": 26,
            "num_key_value_heads": 4, "sliding_window": 4096, "vocab_size": 256_000,
        }),
        Family::Gemma3 => json!({
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "intermediate_size": 9216,
            "max_position_embeddings": 131_072, "num_attention_heads": 8, "num_hidden_layers": 26,
            "num_key_value_heads": 4, "sliding_window": 4096, "vocab_size": 262_208,
        }),
    }
}

fn llama_like(config: &mut Config, names: Names, family: Family) -> Result<ModelSpec, ModelError> {
    config.fill(usual(family));
    let gemma = matches!(family, Family::Gemma2 | Family::Gemma3);
    let d_model = config.size("hidden_size")?;
    let n_layers = config.layers("num_hidden_layers")?;
    let n_heads = config.size("num_attention_heads")?;
    // Gemma's and Qwen3's own defaults; the others divide the width among the heads.
    let usual_head = match family {
        Family::Gemma2 | Family::Gemma3 => 256,
        Family::Qwen3 => 128,
        _ => d_model / n_heads,
    };
    let head_dim = config.optional_size("head_dim")?.unwrap_or(usual_head);
    let attention_bias = config.flag("attention_bias", false)?;
    if config.flag("mlp_bias", false)? {
        return Err(config.wrong("mlp_bias true is not understood"));
    }
    if config.flag("use_bidirectional_attention", false)? {
        return Err(config.wrong("use_bidirectional_attention true is not understood; only causal models are traced"));
    }
    let scale = if gemma { config.optional_number("query_pre_attn_scalar")?.unwrap_or(256.0) } else { head_dim as f64 };
    let (vocab_size, d_mlp) = (config.size("vocab_size")?, config.size("intermediate_size")?);
    Ok(ModelSpec {
        name: names.name,
        directory: names.directory,
        vocab_size,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: config.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
        head_dim,
        d_mlp,
        max_positions: config.optional_size("max_position_embeddings")?.unwrap_or(2048),
        norm: if gemma { NormKind::RmsPlusOne } else { NormKind::Rms },
        norm_eps: config.optional_number("rms_norm_eps")?.unwrap_or(1e-6),
        post_norms: gemma,
        query_key_norms: matches!(family, Family::Qwen3 | Family::Gemma3),
        attention_scale: scale.powf(-0.5),
        attention_softcap: config.optional_number("attn_logit_softcapping")?,
        final_softcap: config.optional_number("final_logit_softcapping")?,
        parallel_residual: false,
        layers: layers(config, family, n_layers)?,
        positions: PositionKind::Rotary,
        embedding_scale: gemma.then(|| (d_model as f64).sqrt()),
        tied_embeddings: config.flag("tie_word_embeddings", gemma)?,
        biases: Biases {
            attention_in: attention_bias || family == Family::Qwen2,
            attention_out: attention_bias,
            mlp: false,
        },
        activation: activation(config, if gemma { "gelu_pytorch_tanh" } else { "silu" })?,
        layout: Layout::Llama,
        unknown_options: Vec::new(),
    })
}

fn activation(config: &mut Config, usual: &str) -> Result<ActivationKind, ModelError> {
    // Gemma-2's `hidden_act` is a remnant that the reference ignores where `hidden_activation` stands beside it.
    let (newer, older) = (config.text("hidden_activation"), config.text("hidden_act"));
    match newer.or(older).as_deref().unwrap_or(usual) {
        "silu" | "swish" => Ok(ActivationKind::Silu),
        "gelu" => Ok(ActivationKind::Gelu),
        "gelu_pytorch_tanh" | "gelu_new" => Ok(ActivationKind::GeluTanh),
        other => {
            let other = excerpt(other);
            Err(config.wrong(format!("activation {other:?} is not understood; known: silu, gelu, gelu_new")))
        }
    }
}

/// Windows and rotary frequencies of each layer.
fn layers(config: &mut Config, family: Family, n_layers: usize) -> Result<Vec<LayerSpec>, ModelError> {
    let theta = config.optional_number("rope_theta")?;
    let local = config.optional_number("rope_local_base_freq")?;
    let usual = if family == Family::Gemma3 { 1_000_000.0 } else { 10_000.0 };
    let (global, local) = match config.take("rope_parameters") {
        // The newer form: one object, or one for each kind of layer.
        Some(Value::Object(mut kinds)) if kinds.contains_key("full_attention") => {
            let mut of = |kind: &str| kinds.remove(kind).map(|value| config.rope_of("rope_parameters", value, None));
            let (full, sliding) = (of("full_attention").transpose()?, of("sliding_attention").transpose()?);
            let full = full.ok_or_else(|| config.wrong("rope_parameters has no full_attention"))?;
            let sliding = sliding.unwrap_or_else(|| full.clone());
            (full, sliding)
        }
        Some(value) => {
            let global = config.rope_of("rope_parameters", value, theta.or(Some(usual)))?;
            let sliding = match family {
                Family::Gemma3 => RopeSpec { theta: local.unwrap_or(10_000.0), scaling: RopeScaling::None },
                _ => global.clone(),
            };
            (global, sliding)
        }
        None => {
            let global = config.rope(theta.unwrap_or(usual))?;
            let sliding = match family {
                Family::Gemma3 => RopeSpec { theta: local.unwrap_or(10_000.0), scaling: RopeScaling::None },
                _ => global.clone(),
            };
            (global, sliding)
        }
    };
    let sliding = sliding_layers(config, family, n_layers)?;
    let window = config.optional_size("sliding_window")?;
    if sliding.iter().any(|slides| *slides) && window.is_none() {
        return Err(config.wrong("layers slide and sliding_window is missing"));
    }
    let layer = |slides: bool| LayerSpec {
        window: window.filter(|_| slides),
        rope: Some(if slides { local.clone() } else { global.clone() }),
    };
    Ok(sliding.into_iter().map(layer).collect())
}

/// Which layers slide.
fn sliding_layers(config: &mut Config, family: Family, n_layers: usize) -> Result<Vec<bool>, ModelError> {
    let uses = config.flag("use_sliding_window", false)?;
    let pattern = config.optional_size("sliding_window_pattern")?.unwrap_or(6);
    if let Some(types) = config.take("layer_types") {
        let named: Option<Vec<bool>> = types.as_array().and_then(|types| {
            let slides = |kind: &Value| match kind.as_str() {
                Some("sliding_attention") => Some(true),
                Some("full_attention") => Some(false),
                _ => None,
            };
            types.iter().map(slides).collect()
        });
        return match named {
            Some(named) if named.len() == n_layers => Ok(named),
            _ => Err(config.wrong(format!(
                "layer_types has to name sliding_attention or full_attention for each of {n_layers} layers"
            ))),
        };
    }
    let has_window = config.has("sliding_window");
    Ok((0..n_layers)
        .map(|layer| match family {
            Family::Gemma2 => layer % 2 == 0,
            Family::Gemma3 => (layer + 1) % pattern != 0,
            Family::Mistral => has_window,
            // Qwen's windows begin at `max_window_layers`, which only matters once they are switched on.
            Family::Qwen2 | Family::Qwen3 => uses && has_window && config.peek_size("max_window_layers") <= Some(layer),
            Family::Llama => false,
        })
        .collect())
}

fn gpt2(config: &mut Config, names: Names) -> Result<ModelSpec, ModelError> {
    let (d_model, n_heads, n_layers) = (config.size("n_embd")?, config.size("n_head")?, config.layers("n_layer")?);
    if !d_model.is_multiple_of(n_heads) {
        return Err(config.wrong(format!("n_embd {d_model} is not a multiple of n_head {n_heads}")));
    }
    if !config.flag("scale_attn_weights", true)? || config.flag("scale_attn_by_inverse_layer_idx", false)? {
        return Err(config.wrong("scale_attn_weights false and scale_attn_by_inverse_layer_idx are not understood"));
    }
    if config.flag("add_cross_attention", false)? {
        return Err(config.wrong("add_cross_attention true is not understood"));
    }
    let act = match config.text("activation_function").as_deref().unwrap_or("gelu_new") {
        "gelu_new" | "gelu_pytorch_tanh" => ActivationKind::GeluTanh,
        "gelu" => ActivationKind::Gelu,
        other => {
            return Err(config.wrong(format!("activation_function {:?} is not understood", excerpt(other))));
        }
    };
    let head_dim = d_model / n_heads;
    let spec = ModelSpec {
        name: names.name,
        directory: names.directory,
        vocab_size: config.size("vocab_size")?,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        head_dim,
        d_mlp: config.optional_size("n_inner")?.unwrap_or(4 * d_model),
        max_positions: config.optional_size("n_positions")?.unwrap_or(1024),
        norm: NormKind::Layer,
        norm_eps: config.optional_number("layer_norm_epsilon")?.unwrap_or(1e-5),
        post_norms: false,
        query_key_norms: false,
        attention_scale: (head_dim as f64).powf(-0.5),
        attention_softcap: None,
        final_softcap: None,
        parallel_residual: false,
        layers: vec![LayerSpec { window: None, rope: None }; n_layers],
        positions: PositionKind::Learned,
        embedding_scale: None,
        tied_embeddings: config.flag("tie_word_embeddings", true)?,
        biases: Biases { attention_in: true, attention_out: true, mlp: true },
        activation: act,
        layout: Layout::Gpt2,
        unknown_options: Vec::new(),
    };
    finish(config, spec)
}
