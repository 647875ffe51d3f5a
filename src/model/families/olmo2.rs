//! OLMo-2: norms behind attention and the MLP and none in front of them, queries and keys normalized over all heads at
//! once.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::families::llama::LAYOUT as LLAMA;
use crate::model::families::{Names, activation, head_width};
use crate::model::layout::Layout;
use crate::model::spec::{Biases, LayerSpec, ModelSpec, NormKind, PositionKind, QueryKeyNorms};
use serde_json::json;

const LAYOUT: Layout = Layout {
    prefixes: &["model.", ""],
    attention_norm: None,
    after_attention_norm: Some("post_attention_layernorm"),
    mlp_norm: None,
    after_mlp_norm: Some("post_feedforward_layernorm"),
    ..LLAMA
};

pub(super) fn read(config: &mut Config, names: Names) -> Result<ModelSpec, ModelError> {
    config.fill(json!({
        "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 11_008, "max_position_embeddings": 2048,
        "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 50_304,
    }));
    let (d_model, n_heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
    let n_layers = config.layers("num_hidden_layers")?;
    let head_dim = match config.optional_size("head_dim")? {
        Some(width) => width,
        None => head_width(config, d_model, n_heads)?,
    };
    let theta = config.optional_number("rope_theta")?.unwrap_or(10_000.0);
    let rope = config.newest_rope(theta)?;
    let hidden_act = config.text("hidden_act").unwrap_or_default();
    let has_biases = config.flag("attention_bias", false)?;
    Ok(ModelSpec {
        name: names.name,
        directory: names.directory,
        vocab_size: config.size("vocab_size")?,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: config.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
        head_dim,
        rotary_dim: head_dim,
        d_mlp: config.size("intermediate_size")?,
        max_positions: config.size("max_position_embeddings")?,
        norm: NormKind::Rms,
        norm_eps: config.optional_number("rms_norm_eps")?.unwrap_or(1e-5),
        post_norms: true,
        query_key_norms: QueryKeyNorms::Whole,
        attention_scale: (head_dim as f64).powf(-0.5),
        attention_softcap: None,
        final_softcap: None,
        parallel_residual: false,
        layers: vec![LayerSpec { window: None, rope: Some(rope) }; n_layers],
        positions: PositionKind::Rotary,
        embedding_scale: None,
        tied_embeddings: config.flag("tie_word_embeddings", false)?,
        biases: Biases { attention_in: has_biases, attention_out: has_biases, mlp: false },
        activation: activation(config, &hidden_act)?,
        layout: &LAYOUT,
        unknown_options: Vec::new(),
    })
}
