//! Files of the model and the transcoder, in the layouts that others read: bf16 on disk, f32 in
//! memory.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor, Var};
use serde_json::json;

use crate::model::{HEAD_WIDTH, HEADS, LAYERS, Llama, MAX_POSITIONS, NORM_EPS, ROPE_THETA, WIDTH, layer_name};
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
        "intermediate_size": weights[&layer_name(0, "mlp.up_proj")].dim(0)?,
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

fn load(path: &Path, device: &Device) -> Result<HashMap<String, Tensor>> {
    candle_core::safetensors::load(path, device).with_context(|| format!("could not read {}", path.display()))
}

fn take(tensors: &HashMap<String, Tensor>, name: &str) -> Result<Tensor> {
    let tensor = tensors.get(name).with_context(|| format!("there is no tensor `{name}`"))?;
    Ok(tensor.to_dtype(DType::F32)?)
}

pub fn load_model(dir: &Path, device: &Device) -> Result<Llama> {
    let tensors = load(&dir.join("model.safetensors"), device)?;
    Llama::new(|name| take(&tensors, name))
}

/// Writes a transcoder in circuit-tracer's layout: that of cross-layer transcoders, or that of per-layer ones where
/// features write into their own layer alone.
pub fn save_transcoder(dir: &Path, transcoder: &Transcoder) -> Result<()> {
    fs::create_dir_all(dir)?;
    let crosses = transcoder.crosses_layers()?;
    let kind = if crosses { "cross_layer_transcoder" } else { "transcoder_set" };
    let config = format!(
        "model_name: circuitscope/demo\n\
         model_kind: {kind}\n\
         feature_input_hook: mlp.hook_in\n\
         feature_output_hook: hook_mlp_out\n\
         scan: circuitscope/demo\n"
    );
    fs::write(dir.join("config.yaml"), config)?;
    for (l, layer) in transcoder.layers.iter().enumerate() {
        let features = layer.encoder.dim(0)?;
        let name = |part: &str| if crosses { format!("{part}_{l}") } else { part.to_owned() };
        let threshold = if crosses { name("threshold") } else { "activation_function.threshold".to_owned() };
        let encoder = [
            (name("W_enc"), layer.encoder.clone()),
            (name("b_enc"), layer.encoder_bias.clone()),
            (name("b_dec"), layer.decoder_bias.clone()),
            (threshold, layer.threshold.clone()),
        ];
        let mut encoder = encoder
            .into_iter()
            .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::BF16)?)))
            .collect::<Result<HashMap<String, Tensor>>>()?;
        let decoder = layer.decoder.to_dtype(DType::BF16)?;
        if crosses {
            let decoder = HashMap::from([(name("W_dec"), decoder.reshape((features, LAYERS - l, WIDTH))?)]);
            candle_core::safetensors::save(&encoder, dir.join(format!("W_enc_{l}.safetensors")))?;
            candle_core::safetensors::save(&decoder, dir.join(format!("W_dec_{l}.safetensors")))?;
        } else {
            encoder.insert(name("W_dec"), decoder);
            candle_core::safetensors::save(&encoder, dir.join(format!("layer_{l}.safetensors")))?;
        }
    }
    Ok(())
}

pub fn load_transcoder(dir: &Path, device: &Device) -> Result<Transcoder> {
    let crosses = !dir.join("layer_0.safetensors").exists();
    let layers = (0..LAYERS).map(|l| {
        let name = |part: &str| if crosses { format!("{part}_{l}") } else { part.to_owned() };
        let (encoder, decoder, threshold) = if crosses {
            let encoder = load(&dir.join(format!("W_enc_{l}.safetensors")), device)?;
            let decoder = load(&dir.join(format!("W_dec_{l}.safetensors")), device)?;
            (encoder, take(&decoder, &name("W_dec"))?.flatten_from(1)?, name("threshold"))
        } else {
            let layer = load(&dir.join(format!("layer_{l}.safetensors")), device)?;
            let decoder = take(&layer, "W_dec")?;
            (layer, decoder, "activation_function.threshold".to_owned())
        };
        Ok(crate::transcoder::Layer {
            encoder: take(&encoder, &name("W_enc"))?,
            encoder_bias: take(&encoder, &name("b_enc"))?,
            decoder_bias: take(&encoder, &name("b_dec"))?,
            threshold: take(&encoder, &threshold)?,
            decoder,
        })
    });
    Ok(Transcoder { layers: layers.collect::<Result<_>>()? })
}
