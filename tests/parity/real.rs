//! A real model against what the reference library computed, where one is at hand: `CIRCUITSCOPE_REAL_MODEL` names its
//! folder or its GGUF file, `CIRCUITSCOPE_TEST_DEVICE` where to compute.

use crate::fixture::device;
use circuitscope::hub::FileSource;
use circuitscope::job::Cancel;
use circuitscope::model::Transformer;
use circuitscope::tokens::Tokenizer;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// Ids, logits and their mean, and greedy continuations of each prompt; ids of a message in the chat template.
#[test]
fn a_real_model_computes_what_the_reference_library_does() {
    let Some(model) = std::env::var_os("CIRCUITSCOPE_REAL_MODEL") else {
        eprintln!("skipped: no real model is named by CIRCUITSCOPE_REAL_MODEL; tests/real.sh brings one");
        return;
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/expected.json");
    let expected: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let place = FileSource::directory(model.as_ref()).unwrap();
    let model = Transformer::open(&place, &device()).unwrap();
    assert_eq!(model.spec.doubt(), None);
    let tokenizer = Tokenizer::open(&place).unwrap();
    let message = tokenizer.in_chat(expected["chat"]["user"].as_str().unwrap()).unwrap();
    assert_eq!(tokenizer.encode(&message).unwrap(), numbers(&expected["chat"]["tokens"]));
    let mut largest = 0.0f64;
    for prompt in expected["prompts"].as_array().unwrap() {
        let text = prompt["prompt"].as_str().unwrap();
        let mut ids: Vec<u32> = tokenizer.read(text).unwrap().iter().map(|token| token.id).collect();
        assert_eq!(ids, numbers(&prompt["tokens"]), "{text}");
        let greedy = numbers(&prompt["greedy"]);
        let all: Vec<u32> = ids.iter().chain(&greedy).copied().collect();
        let logits = model.run(&all, &Cancel::default()).unwrap();
        let last = &logits[ids.len() - 1];
        let mean = last.iter().map(|x| f64::from(*x)).sum::<f64>() / last.len() as f64;
        largest = largest.max((mean - prompt["logits_mean"].as_f64().unwrap()).abs());
        for top in prompt["top"].as_array().unwrap() {
            let found = f64::from(last[top["id"].as_u64().unwrap() as usize]);
            largest = largest.max((found - top["logit"].as_f64().unwrap()).abs());
        }
        assert!(largest < 1e-3, "{text}: {largest}");
        for next in greedy {
            let best = logits[ids.len() - 1].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
            assert_eq!(best as u32, next, "{text}, after {} tokens", ids.len());
            ids.push(next);
        }
    }
    println!("largest difference of a logit: {largest:e}");
}
