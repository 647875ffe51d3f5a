//! GPT-NeoX, which the reference cases lack: the logits of an independent pass (see `make.py` beside the fixture), and
//! graphs whose rows add up and whose columns are what direct interventions do, with a parallel residual and without.

use crate::engine::Case;
use crate::fixture::{Tensors, assert_close, folder, wide};
use crate::independent::logits;
use crate::variants::Variant;
use candle_core::Device;
use circuitscope::hub::FileSource;
use circuitscope::model::Transformer;
use circuitscope::transcoder::Transcoder;

const CASE: &str = "neox_plt_relu_skip";

/// The case as it is, and as the model whose MLPs read behind attention.
fn both() -> [(&'static str, Variant); 2] {
    let sequential = Variant::of(CASE);
    for (from, to) in [
        ("\"use_parallel_residual\": true", "\"use_parallel_residual\": false"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"gelu_new\""),
        ("\"rotary_pct\": 0.25", "\"rotary_pct\": 0.5"),
    ] {
        sequential.edit("model/config.json", from, to);
    }
    [("parallel", Variant::of(CASE)), ("sequential", sequential)]
}

#[test]
fn logits_are_those_of_an_independent_pass() {
    let expected = Tensors::open(&folder(CASE).join("logits.safetensors"));
    let ids: Vec<u32> = expected.i64("ids").into_iter().map(|id| id as u32).collect();
    let vocabulary = expected.shape("parallel")[1];
    for (name, variant) in both() {
        let all = expected.f32(name);
        // Each position's are those at the end of a prompt that ends there.
        for (back, wanted) in all.chunks(vocabulary).rev().enumerate() {
            let found = logits(&variant.path("model"), &ids[..ids.len() - back]);
            assert_close(&format!("{name}, {back} back"), &wide(&found), &wide(wanted), 2e-5);
        }
    }
}

#[test]
fn rows_add_up_and_columns_are_what_happens() {
    for hook in ["mlp.hook_in", "ln2.hook_normalized"] {
        for has_skip in [true, false] {
            for (name, variant) in both() {
                variant.edit("transcoder/config.yaml", "mlp.hook_in", hook);
                for layer in (0..3).filter(|_| !has_skip) {
                    variant.tensors(&format!("transcoder/layer_{layer}.safetensors"), |tensors| {
                        tensors.remove("W_skip");
                    });
                }
                variant.check(&format!("{name}, {hook}, skip {has_skip}"), "a small dog lived in");
            }
        }
    }
}

#[test]
fn a_stream_that_is_not_there_is_refused() {
    for (name, variant) in both() {
        variant.edit("transcoder/config.yaml", "mlp.hook_in", "hook_resid_mid");
        if name == "sequential" {
            variant.check(name, "a small dog lived in");
            continue;
        }
        let model = Case::open(CASE).model;
        let place = FileSource::directory(&variant.path("transcoder")).unwrap();
        let error = Transcoder::open(&place, &model.spec).unwrap_err().to_string();
        assert!(error.contains("hook_resid_mid"), "{error}");
    }
}

/// The base model alone, saved without the prefix, and one without its queries, keys and values.
#[test]
fn other_files_of_the_same_model() {
    let variant = Variant::of(CASE);
    let (path, ids) = (variant.path("model"), [300, 17, 5]);
    let wanted = logits(&path, &ids);
    variant.tensors("model/model.safetensors", |tensors| {
        let renamed = tensors.drain().map(|(name, tensor)| (name.trim_start_matches("gpt_neox.").to_owned(), tensor));
        *tensors = renamed.collect();
    });
    assert_eq!(logits(&path, &ids), wanted);
    let fused = "layers.1.attention.query_key_value.weight";
    variant.tensors("model/model.safetensors", |tensors| drop(tensors.remove(fused).unwrap()));
    let error = Transformer::open(&FileSource::directory(&path).unwrap(), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains(fused), "{error}");
}
