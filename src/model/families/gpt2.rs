//! GPT-2: learned positions, queries, keys and values in one tensor, projections stored as `[in, out]`.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::families::{Names, activation, head_width};
use crate::model::layout::{HeadTensors, Layout};
use crate::model::spec::{Biases, LayerSpec, ModelSpec, NormKind, PositionKind, QueryKeyNorms};

const LAYOUT: Layout = Layout {
    prefixes: &["", "transformer."],
    embedding: "wte",
    positions: "wpe",
    unembedding: &["lm_head"],
    final_norm: "ln_f",
    layers: "h",
    attention_norm: Some("ln_1"),
    after_attention_norm: None,
    mlp_norm: Some("ln_2"),
    after_mlp_norm: None,
    heads: HeadTensors::Joined("attn.c_attn"),
    head_norms: ["", ""],
    attention_out: "attn.c_proj",
    gate: None,
    up: "mlp.c_fc",
    gate_and_up: None,
    down: "mlp.c_proj",
    by_input: true,
};

/// Layout of GPT-2 in GGUF files.
pub const BY_OUTPUT: Layout = Layout {
    heads: HeadTensors::Apart(["attn.c_attn.q", "attn.c_attn.k", "attn.c_attn.v"]),
    by_input: false,
    ..LAYOUT
};

pub(super) fn read(config: &mut Config, names: Names) -> Result<ModelSpec, ModelError> {
    let (d_model, n_heads, n_layers) = (config.size("n_embd")?, config.size("n_head")?, config.layers("n_layer")?);
    if !config.flag("scale_attn_weights", true)? || config.flag("scale_attn_by_inverse_layer_idx", false)? {
        return Err(config.wrong("scale_attn_weights false and scale_attn_by_inverse_layer_idx are not understood"));
    }
    if config.flag("add_cross_attention", false)? {
        return Err(config.wrong("add_cross_attention true is not understood"));
    }
    let head_dim = head_width(config, d_model, n_heads)?;
    let act = config.text("activation_function").unwrap_or_else(|| "gelu_new".to_owned());
    Ok(ModelSpec {
        name: names.name,
        directory: names.directory,
        vocab_size: config.size("vocab_size")?,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        head_dim,
        rotary_dim: head_dim,
        d_mlp: config.optional_size("n_inner")?.unwrap_or(4 * d_model),
        max_positions: config.optional_size("n_positions")?.unwrap_or(1024),
        norm: NormKind::Layer,
        norm_eps: config.optional_number("layer_norm_epsilon")?.unwrap_or(1e-5),
        post_norms: false,
        query_key_norms: QueryKeyNorms::None,
        attention_scale: (head_dim as f64).powf(-0.5),
        attention_softcap: None,
        final_softcap: None,
        parallel_residual: false,
        layers: vec![LayerSpec { window: None, rope: None }; n_layers],
        positions: PositionKind::Learned,
        embedding_scale: None,
        tied_embeddings: config.flag("tie_word_embeddings", true)?,
        biases: Biases { attention_in: true, attention_out: true, mlp: true },
        activation: activation(config, &act)?,
        layout: &LAYOUT,
        unknown_options: Vec::new(),
    })
}
