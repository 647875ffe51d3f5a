//! Phi-3: Llama with queries, keys and values in one tensor, and the MLP's gate and first projection in another.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::families::llama::LAYOUT as LLAMA;
use crate::model::families::{Names, like_llama};
use crate::model::layout::{HeadTensors, Layout};
use crate::model::spec::{LayerSpec, ModelSpec};
use serde_json::json;

const LAYOUT: Layout = Layout {
    prefixes: &["model.", ""],
    heads: HeadTensors::Stacked("self_attn.qkv_proj"),
    gate: Some("mlp.gate_up_proj.gate"),
    up: "mlp.gate_up_proj.up",
    gate_and_up: Some("mlp.gate_up_proj"),
    ..LLAMA
};

pub(super) fn read(config: &mut Config, names: Names) -> Result<ModelSpec, ModelError> {
    config.fill(json!({
        "hidden_act": "silu", "hidden_size": 3072, "intermediate_size": 8192, "max_position_embeddings": 4096,
        "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 32_064,
    }));
    let rotated = config.optional_number("partial_rotary_factor")?.unwrap_or(1.0);
    if rotated > 1.0 {
        return Err(config.wrong(format!("partial_rotary_factor is {rotated}, expected a share of each head")));
    }
    // The reference knows no biases, whatever this says.
    config.take("attention_bias");
    let window = config.optional_size("sliding_window")?;
    let spec = like_llama(config, names, &LAYOUT)?;
    // Told beside every kind of scaling, and used by LongRoPE.
    config.take("original_max_position_embeddings");
    Ok(ModelSpec {
        rotary_dim: (spec.head_dim as f64 * rotated) as usize,
        layers: spec.layers.into_iter().map(|layer| LayerSpec { window, ..layer }).collect(),
        ..spec
    })
}
