//! Phi-3: Llama with queries, keys and values in one tensor, and the MLP's gate and first projection in another.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::families::llama::LAYOUT as LLAMA;
use crate::model::families::{Names, activation, head_width};
use crate::model::layout::{HeadTensors, Layout};
use crate::model::spec::{Biases, LayerSpec, ModelSpec, NormKind, PositionKind, QueryKeyNorms};
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
    let (d_model, n_heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
    let n_layers = config.layers("num_hidden_layers")?;
    let head_dim = match config.optional_size("head_dim")? {
        Some(width) => width,
        None => head_width(config, d_model, n_heads)?,
    };
    let theta = config.optional_number("rope_theta")?.unwrap_or(10_000.0);
    let rotated = config.optional_number("partial_rotary_factor")?.unwrap_or(1.0);
    if rotated > 1.0 {
        return Err(config.wrong(format!("partial_rotary_factor is {rotated}, expected a share of each head")));
    }
    let rope = config.newest_rope(theta)?;
    // Told beside every kind of scaling, and used by those that are refused.
    config.take("original_max_position_embeddings");
    // The reference knows no biases, whatever this says.
    config.take("attention_bias");
    let window = config.optional_size("sliding_window")?;
    let hidden_act = config.text("hidden_act").unwrap_or_default();
    Ok(ModelSpec {
        name: names.name,
        directory: names.directory,
        vocab_size: config.size("vocab_size")?,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: config.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
        head_dim,
        rotary_dim: (head_dim as f64 * rotated) as usize,
        d_mlp: config.size("intermediate_size")?,
        max_positions: config.size("max_position_embeddings")?,
        norm: NormKind::Rms,
        norm_eps: config.optional_number("rms_norm_eps")?.unwrap_or(1e-5),
        post_norms: false,
        query_key_norms: QueryKeyNorms::None,
        attention_scale: (head_dim as f64).powf(-0.5),
        attention_softcap: None,
        final_softcap: None,
        parallel_residual: false,
        layers: vec![LayerSpec { window, rope: Some(rope) }; n_layers],
        positions: PositionKind::Rotary,
        embedding_scale: None,
        tied_embeddings: config.flag("tie_word_embeddings", false)?,
        biases: Biases::default(),
        activation: activation(config, &hidden_act)?,
        layout: &LAYOUT,
        unknown_options: Vec::new(),
    })
}
