//! OLMo-2: norms behind attention and the MLP and none in front of them, queries and keys normalized over all heads at
//! once.

use crate::model::ModelError;
use crate::model::config::Config;
use crate::model::families::llama::LAYOUT as LLAMA;
use crate::model::families::{Names, like_llama};
use crate::model::layout::Layout;
use crate::model::spec::{Biases, ModelSpec, QueryKeyNorms};
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
    let has_biases = config.flag("attention_bias", false)?;
    Ok(ModelSpec {
        post_norms: true,
        query_key_norms: QueryKeyNorms::Whole,
        biases: Biases { attention_in: has_biases, attention_out: has_biases, mlp: false },
        ..like_llama(config, names, &LAYOUT)?
    })
}
