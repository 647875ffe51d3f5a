//! Families of models: the options of each `config.json`, their defaults, and the names of the tensors.

mod gpt2;
mod llama;
mod neox;
mod olmo2;
mod phi3;

pub(super) use gpt2::BY_OUTPUT as GPT2_BY_OUTPUT;

use crate::model::config::Config;
use crate::model::layout::Layout;
use crate::model::spec::{Biases, LayerSpec, ModelSpec, NormKind, PositionKind, QueryKeyNorms, RopeScaling};
use crate::model::{ActivationKind, ModelError};
use crate::untrusted::excerpt;
use llama::Family;

/// Function that reads the options of a model.
type Read = fn(&mut Config, Names) -> Result<ModelSpec, ModelError>;

/// Classes of models, with their `model_type` and the function that reads their options.
static FAMILIES: &[(&str, &str, Read)] = &[
    ("LlamaForCausalLM", "llama", |config, names| llama::read(config, names, Family::Llama)),
    ("MistralForCausalLM", "mistral", |config, names| llama::read(config, names, Family::Mistral)),
    ("Qwen2ForCausalLM", "qwen2", |config, names| llama::read(config, names, Family::Qwen2)),
    ("Qwen3ForCausalLM", "qwen3", |config, names| llama::read(config, names, Family::Qwen3)),
    ("Gemma2ForCausalLM", "gemma2", |config, names| llama::read(config, names, Family::Gemma2)),
    ("Gemma3ForCausalLM", "gemma3_text", |config, names| llama::read(config, names, Family::Gemma3)),
    ("Gemma3ForConditionalGeneration", "gemma3", |config, names| llama::read(config, names, Family::Gemma3)),
    ("GPT2LMHeadModel", "gpt2", gpt2::read),
    ("GPTNeoXForCausalLM", "gpt_neox", neox::read),
    ("Olmo2ForCausalLM", "olmo2", olmo2::read),
    ("Phi3ForCausalLM", "phi3", phi3::read),
];

/// Names of GPT-OSS, as a class and as a `model_type`.
const GPT_OSS: [&str; 2] = ["GptOssForCausalLM", "gpt_oss"];

/// Names of a model.
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
    let model_type = || config.model_type();
    let family = match &architecture {
        Some(class) => FAMILIES.iter().find(|(known, ..)| known == class),
        None => model_type().and_then(|name| FAMILIES.iter().find(|(_, known, _)| *known == name)),
    };
    let Some((_, _, read)) = family else {
        let found = architecture.or_else(model_type);
        if found.as_deref().is_some_and(|name| GPT_OSS.contains(&name)) {
            return Err(config.wrong(
                "it is GPT-OSS, whose experts and attention sinks are not supported, so that it cannot be traced; give a \
                 model of another family",
            ));
        }
        let found = found.map_or("no architecture".to_owned(), |name| format!("architecture {:?}", excerpt(&name)));
        let known: Vec<&str> = FAMILIES.iter().map(|(class, ..)| *class).collect();
        let known = known.join(", ");
        return Err(config.wrong(format!("names {found}; known: {known}")));
    };
    let mut spec = read(config, names)?;
    config.finish()?;
    spec.unknown_options = config.take_unknown();
    if !spec.n_heads.is_multiple_of(spec.n_kv_heads) {
        return Err(config.wrong(format!(
            "num_attention_heads {} is not a multiple of num_key_value_heads {}",
            spec.n_heads, spec.n_kv_heads
        )));
    }
    let rotated = spec.rotary_dim;
    if spec.head_dim == 0 || (spec.positions == PositionKind::Rotary && (rotated == 0 || !rotated.is_multiple_of(2))) {
        return Err(config.wrong(format!(
            "head_dim {}, of which {rotated} are rotated, is odd or zero; rotary positions need pairs",
            spec.head_dim
        )));
    }
    for rope in spec.layers.iter().filter_map(|layer| layer.rope.as_ref()) {
        let RopeScaling::LongRope { short, long, .. } = &rope.scaling else { continue };
        if let Some(other) = [short, long].into_iter().find(|factors| factors.len() != rotated / 2) {
            let (found, pairs) = (other.len(), rotated / 2);
            return Err(config.wrong(format!("its longrope has {found} factors for {pairs} rotated pairs of a head")));
        }
    }
    Ok(spec)
}

/// Returns the activation function of this name.
fn activation(config: &Config, name: &str) -> Result<ActivationKind, ModelError> {
    match name {
        "silu" | "swish" => Ok(ActivationKind::Silu),
        "gelu" => Ok(ActivationKind::Gelu),
        "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" => Ok(ActivationKind::GeluTanh),
        other => {
            let other = excerpt(other);
            Err(config.wrong(format!("activation {other:?} is not understood; known: silu, gelu, gelu_new, gelu_fast")))
        }
    }
}

/// Returns the width of each head, where the model's width is divided among them.
fn head_width(config: &Config, d_model: usize, n_heads: usize) -> Result<usize, ModelError> {
    if d_model.is_multiple_of(n_heads) {
        return Ok(d_model / n_heads);
    }
    Err(config.wrong(format!("its width {d_model} is not a multiple of its {n_heads} heads")))
}

/// Reads the options that the families after Llama share with it, as their configurations tell them. Each family's file
/// says what differs.
fn like_llama(config: &mut Config, names: Names, layout: &'static Layout) -> Result<ModelSpec, ModelError> {
    let (d_model, n_heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
    let n_layers = config.layers("num_hidden_layers")?;
    let head_dim = match config.optional_size("head_dim")? {
        Some(width) => width,
        None => head_width(config, d_model, n_heads)?,
    };
    let theta = config.optional_number("rope_theta")?.unwrap_or(10_000.0);
    let rope = config.newest_rope(theta)?;
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
        rotary_dim: head_dim,
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
        layers: vec![LayerSpec { window: None, rope: Some(rope) }; n_layers],
        positions: PositionKind::Rotary,
        embedding_scale: None,
        tied_embeddings: config.flag("tie_word_embeddings", false)?,
        biases: Biases::default(),
        activation: activation(config, &hidden_act)?,
        layout,
        unknown_options: Vec::new(),
    })
}
