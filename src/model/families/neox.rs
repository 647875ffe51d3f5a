//! GPT-NeoX and Pythia: attention and MLP side by side, part of each head rotated.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::families::{Names, activation, head_width};
use crate::model::layout::{HeadTensors, Layout};
use crate::model::spec::{Biases, LayerSpec, ModelSpec, NormKind, PositionKind, QueryKeyNorms};
use serde_json::json;

const LAYOUT: Layout = Layout {
    prefixes: &["gpt_neox.", ""],
    embedding: "embed_in",
    positions: "",
    unembedding: &["embed_out"],
    final_norm: "final_layer_norm",
    layers: "layers",
    attention_norm: Some("input_layernorm"),
    after_attention_norm: None,
    mlp_norm: Some("post_attention_layernorm"),
    after_mlp_norm: None,
    heads: HeadTensors::ByHead("attention.query_key_value"),
    head_norms: ["", ""],
    attention_out: "attention.dense",
    gate: None,
    up: "mlp.dense_h_to_4h",
    gate_and_up: None,
    down: "mlp.dense_4h_to_h",
    by_input: false,
};

pub(super) fn read(config: &mut Config, names: Names) -> Result<ModelSpec, ModelError> {
    config.fill(json!({
        "hidden_act": "gelu", "hidden_size": 6144, "intermediate_size": 24_576, "num_attention_heads": 64,
        "num_hidden_layers": 44, "vocab_size": 50_432,
    }));
    let (d_model, n_heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
    let (n_layers, head_dim) = (config.layers("num_hidden_layers")?, head_width(config, d_model, n_heads)?);
    let theta = config.optional_number("rotary_emb_base")?.unwrap_or(10_000.0);
    let mut rotated = config.optional_number("rotary_pct")?.unwrap_or(0.25);
    let rope = match config.take("rope_parameters") {
        Some(mut newer) => {
            if let Some(part) = newer.as_object_mut().and_then(|newer| newer.remove("partial_rotary_factor")) {
                rotated = part.as_f64().ok_or_else(|| config.wrong("partial_rotary_factor is no number"))?;
            }
            config.rope_of("rope_parameters", newer, Some(theta))?
        }
        None => config.rope(theta)?,
    };
    if !(rotated > 0.0 && rotated <= 1.0) {
        return Err(config.wrong(format!("rotary_pct is {rotated}, expected a share of each head above 0, at most 1")));
    }
    let hidden_act = config.text("hidden_act").unwrap_or_default();
    let has_biases = config.flag("attention_bias", true)?;
    Ok(ModelSpec {
        name: names.name,
        directory: names.directory,
        vocab_size: config.size("vocab_size")?,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        head_dim,
        rotary_dim: (head_dim as f64 * rotated) as usize,
        d_mlp: config.size("intermediate_size")?,
        max_positions: config.optional_size("max_position_embeddings")?.unwrap_or(2048),
        norm: NormKind::Layer,
        norm_eps: config.optional_number("layer_norm_eps")?.unwrap_or(1e-5),
        post_norms: false,
        query_key_norms: QueryKeyNorms::None,
        attention_scale: (head_dim as f64).powf(-0.5),
        attention_softcap: None,
        final_softcap: None,
        parallel_residual: config.flag("use_parallel_residual", true)?,
        layers: vec![LayerSpec { window: None, rope: Some(rope) }; n_layers],
        positions: PositionKind::Rotary,
        embedding_scale: None,
        tied_embeddings: config.flag("tie_word_embeddings", false)?,
        biases: Biases { attention_in: has_biases, attention_out: has_biases, mlp: true },
        activation: activation(config, &hidden_act)?,
        layout: &LAYOUT,
        unknown_options: Vec::new(),
    })
}
