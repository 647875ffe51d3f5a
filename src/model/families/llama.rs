//! Llama and the families that share its layout: Mistral, Qwen, Gemma.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::families::{Names, activation};
use crate::model::layout::{HeadTensors, Layout};
use crate::model::spec::{Biases, LayerSpec, ModelSpec, NormKind, PositionKind, QueryKeyNorms, RopeScaling, RopeSpec};
use serde_json::{Value, json};

pub(super) const LAYOUT: Layout = Layout {
    // Plain, the base model alone, and inside multimodal models.
    prefixes: &["model.", "", "language_model.model.", "model.language_model."],
    embedding: "embed_tokens",
    positions: "",
    // Multimodal models keep it beside their language model.
    unembedding: &["language_model.lm_head", "lm_head"],
    final_norm: "norm",
    layers: "layers",
    attention_norm: Some("input_layernorm"),
    after_attention_norm: None,
    mlp_norm: Some("post_attention_layernorm"),
    after_mlp_norm: None,
    heads: HeadTensors::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    head_norms: ["self_attn.q_norm", "self_attn.k_norm"],
    attention_out: "self_attn.o_proj",
    gate: Some("mlp.gate_proj"),
    up: "mlp.up_proj",
    gate_and_up: None,
    down: "mlp.down_proj",
    by_input: false,
};

/// Layout of Gemma, whose name for the norm behind its attention is Llama's for the one in front of its MLP.
const GEMMA: Layout = Layout {
    after_attention_norm: Some("post_attention_layernorm"),
    mlp_norm: Some("pre_feedforward_layernorm"),
    after_mlp_norm: Some("post_feedforward_layernorm"),
    ..LAYOUT
};

/// Family that shares Llama's layout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Gemma2,
    Gemma3,
}

/// Returns transformers' defaults for absent options, where they differ from those for null: published configurations
/// leave out what is usual in their family.
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

pub(super) fn read(config: &mut Config, names: Names, family: Family) -> Result<ModelSpec, ModelError> {
    if family == Family::Gemma3 {
        config.enter_text_config()?;
    }
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
    // Gemma-2's `hidden_act` is a remnant that the reference ignores where `hidden_activation` stands beside it.
    let (newer, older) = (config.text("hidden_activation"), config.text("hidden_act"));
    let act = newer.or(older).unwrap_or_else(|| if gemma { "gelu_pytorch_tanh" } else { "silu" }.to_owned());
    Ok(ModelSpec {
        name: names.name,
        directory: names.directory,
        vocab_size,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: config.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
        head_dim,
        rotary_dim: head_dim,
        d_mlp,
        max_positions: config.optional_size("max_position_embeddings")?.unwrap_or(2048),
        norm: if gemma { NormKind::RmsPlusOne } else { NormKind::Rms },
        norm_eps: config.optional_number("rms_norm_eps")?.unwrap_or(1e-6),
        post_norms: gemma,
        query_key_norms: match family {
            Family::Qwen3 | Family::Gemma3 => QueryKeyNorms::ByHead,
            _ => QueryKeyNorms::None,
        },
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
        activation: activation(config, &act)?,
        layout: if gemma { &GEMMA } else { &LAYOUT },
        unknown_options: Vec::new(),
    })
}

/// Takes windows and rotary frequencies of each layer.
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

/// Takes the flags of layers with a sliding window.
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
