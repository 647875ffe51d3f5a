//! Families of models: the options of each `config.json`, their defaults, and the names of the tensors.

mod gpt2;
mod llama;
mod neox;
mod olmo2;
mod phi3;

pub(super) use gpt2::BY_OUTPUT as GPT2_BY_OUTPUT;

use crate::model::config::Config;
use crate::model::spec::{ModelSpec, PositionKind};
use crate::model::{ActivationKind, ModelError};
use crate::untrusted::excerpt;
use llama::Family;

/// Function that reads the options of a model.
type Read = fn(&mut Config, Names) -> Result<ModelSpec, ModelError>;

/// Classes of models, with their `model_type` and the function that reads their options.
static FAMILIES: [(&str, &str, Read); 11] = [
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
        let known = FAMILIES.map(|(class, ..)| class).join(", ");
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
