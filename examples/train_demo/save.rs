//! Files of the model and the transcoder, in the layouts that others read: bf16 on disk, f32 in
//! memory.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor, Var};
use serde_json::json;

use crate::model::{HEAD_WIDTH, HEADS, LAYERS, Llama, MAX_POSITIONS, MLP_WIDTH, NORM_EPS, ROPE_THETA, WIDTH};
use crate::tokenizer::{BOS, EOS, Vocabulary};
use crate::transcoder::Transcoder;

fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    fs::write(path, serde_json::to_string_pretty(value)? + "\n")
        .with_context(|| format!("could not write {}", path.display()))
}

pub fn save_model(dir: &Path, weights: &HashMap<String, Var>, vocabulary: &Vocabulary) -> Result<()> {
    fs::create_dir_all(dir)?;
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "head_dim": HEAD_WIDTH,
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": MLP_WIDTH,
        "max_position_embeddings": MAX_POSITIONS,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": HEADS,
        "rms_norm_eps": NORM_EPS,
        "rope_theta": ROPE_THETA,
        "tie_word_embeddings": true,
        "torch_dtype": "bfloat16",
        "vocab_size": vocabulary.len(),
    });
    write_json(&dir.join("config.json"), &config)?;
    write_json(&dir.join("tokenizer.json"), &vocabulary.tokenizer_json())?;
    write_json(&dir.join("tokenizer_config.json"), &vocabulary.tokenizer_config_json())?;
    let rounded: HashMap<String, Tensor> =
        weights.iter().map(|(name, var)| Ok((name.clone(), var.to_dtype(DType::BF16)?))).collect::<Result<_>>()?;
    Ok(candle_core::safetensors::save(&rounded, dir.join("model.safetensors"))?)
}

fn load(path: &Path) -> Result<HashMap<String, Tensor>> {
    candle_core::safetensors::load(path, &Device::Cpu).with_context(|| format!("could not read {}", path.display()))
}

fn take(tensors: &HashMap<String, Tensor>, name: &str) -> Result<Tensor> {
    let tensor = tensors.get(name).with_context(|| format!("there is no tensor `{name}`"))?;
    Ok(tensor.to_dtype(DType::F32)?)
}

pub fn load_model(dir: &Path) -> Result<Llama> {
    let tensors = load(&dir.join("model.safetensors"))?;
    Llama::new(|name| take(&tensors, name))
}

pub fn save_transcoder(dir: &Path, transcoder: &Transcoder) -> Result<()> {
    fs::create_dir_all(dir)?;
    let config = "model_name: circuitscope/demo\n\
        model_kind: cross_layer_transcoder\n\
        feature_input_hook: mlp.hook_in\n\
        feature_output_hook: hook_mlp_out\n\
        scan: circuitscope/demo\n";
    fs::write(dir.join("config.yaml"), config)?;
    for (l, layer) in transcoder.layers.iter().enumerate() {
        let features = layer.encoder.dim(0)?;
        let tensors = [
            (format!("W_enc_{l}"), layer.encoder.clone()),
            (format!("b_enc_{l}"), layer.encoder_bias.clone()),
            (format!("b_dec_{l}"), layer.decoder_bias.clone()),
            (format!("threshold_{l}"), layer.threshold.clone()),
        ];
        let rounded: HashMap<String, Tensor> = tensors
            .into_iter()
            .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::BF16)?)))
            .collect::<Result<_>>()?;
        candle_core::safetensors::save(&rounded, dir.join(format!("W_enc_{l}.safetensors")))?;
        let decoder = layer.decoder.reshape((features, LAYERS - l, WIDTH))?.to_dtype(DType::BF16)?;
        let decoder = HashMap::from([(format!("W_dec_{l}"), decoder)]);
        candle_core::safetensors::save(&decoder, dir.join(format!("W_dec_{l}.safetensors")))?;
    }
    Ok(())
}

pub fn load_transcoder(dir: &Path) -> Result<Transcoder> {
    let layers = (0..LAYERS).map(|l| {
        let encoder = load(&dir.join(format!("W_enc_{l}.safetensors")))?;
        let decoder = load(&dir.join(format!("W_dec_{l}.safetensors")))?;
        Ok(crate::transcoder::Layer {
            encoder: take(&encoder, &format!("W_enc_{l}"))?,
            encoder_bias: take(&encoder, &format!("b_enc_{l}"))?,
            decoder_bias: take(&encoder, &format!("b_dec_{l}"))?,
            threshold: take(&encoder, &format!("threshold_{l}"))?,
            decoder: take(&decoder, &format!("W_dec_{l}"))?.flatten_from(1)?,
        })
    });
    Ok(Transcoder { layers: layers.collect::<Result<_>>()? })
}
