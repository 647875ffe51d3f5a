//! Logits of the whole model against candle-transformers' own Llama on the same weights: grouped heads, llama3 rope
//! scaling, tied and untied embeddings.

use crate::engine::Case;
use crate::fixture::{assert_close, folder, wide};
use candle_core::{DType, Device, Tensor};
use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};
use circuitscope::hub::FileSource;
use circuitscope::job::Cancel;
use circuitscope::model::Transformer;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::fs;
use std::path::Path;

/// Logits at the last position by candle-transformers.
fn theirs(directory: &Path, ids: &[u32]) -> Vec<f32> {
    let config: LlamaConfig = serde_json::from_slice(&fs::read(directory.join("config.json")).unwrap()).unwrap();
    let config = config.into_config(false);
    let file = fs::read(directory.join("model.safetensors")).unwrap();
    let weights = candle_nn::VarBuilder::from_buffered_safetensors(file, DType::F32, &Device::Cpu).unwrap();
    let model = Llama::load(weights, &config).unwrap();
    let mut cache = Cache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
    let input = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    model.forward(&input, 0, &mut cache).unwrap().squeeze(0).unwrap().to_vec1().unwrap()
}

/// Logits at the last position by this program's forward pass.
pub fn logits(directory: &Path, ids: &[u32]) -> Vec<f32> {
    let model = Transformer::open(&FileSource::directory(directory).unwrap(), &Device::Cpu).unwrap();
    model.run(ids, &Cancel::default()).unwrap().pop().unwrap()
}

#[test]
fn logits_are_those_of_an_independent_llama() {
    let directory = folder("llama_plt_relu_skip").join("model");
    let case = Case::open("llama_plt_relu_skip");
    let ids: Vec<u32> = case.tokenizer.read(case.prompt(1)).unwrap().iter().map(|token| token.id).collect();
    assert_close("tied", &wide(&logits(&directory, &ids)), &wide(&theirs(&directory, &ids)), 1e-4);

    // The same model with an unembedding of its own: the embedding's rows in another order.
    let untied = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(directory.join("config.json")).unwrap();
    let config = config.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    fs::write(untied.path().join("config.json"), config).unwrap();
    let file = fs::read(directory.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let embedding = tensors.tensor("model.embed_tokens.weight").unwrap();
    let row = embedding.data().len() / embedding.shape()[0];
    let reversed: Vec<u8> = embedding.data().chunks(row).rev().flatten().copied().collect();
    let head = TensorView::new(embedding.dtype(), embedding.shape().to_vec(), &reversed).unwrap();
    let all = tensors.tensors().into_iter().chain([("lm_head.weight".to_owned(), head)]);
    safetensors::serialize_to_file(all, None, &untied.path().join("model.safetensors")).unwrap();
    let (ours, theirs) = (logits(untied.path(), &ids), theirs(untied.path(), &ids));
    assert_close("untied", &wide(&ours), &wide(&theirs), 1e-4);
}
