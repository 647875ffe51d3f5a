//! What a trace says that it is of is what was traced.

use crate::fixture::folder;
use candle_core::Device;
use circuitscope::attribution::{Engine, TargetChoice, TraceOptions};
use circuitscope::graph::{Settings, Token};
use circuitscope::hub::FileSource;
use circuitscope::job::Monitor;

const PROMPT: &str = "the capital of France is";

/// The prompt and the tokens that a trace of `tokens` records, which is asked for under `prompt`.
fn recorded(engine: &Engine, tokens: &[Token], prompt: &str) -> (String, Vec<Token>) {
    let settings = Settings {
        prompt: prompt.to_owned(),
        max_feature_nodes: Some(1),
        batch_size: 1,
        update_interval: 1,
        max_logits: 1,
        logit_probability: 0.5,
    };
    let options = TraceOptions { settings, targets: TargetChoice::Likeliest { most: 1, probability: 0.5 }, cut: None };
    let tracing = engine.begin(tokens.to_vec(), &options, |_| {}, &Monitor::default()).unwrap();
    (tracing.trace().settings.prompt.clone(), tracing.trace().tokens.clone())
}

#[test]
fn no_prompt_is_recorded_that_the_tokens_contradict() {
    let place = |which: &str| FileSource::directory(&folder("llama_plt_relu").join(which)).unwrap();
    let engine = Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap();
    let tokens = engine.read(PROMPT).unwrap();
    assert_eq!(recorded(&engine, &tokens, PROMPT), (PROMPT.to_owned(), tokens.clone()));

    let texts = |tokens: &[Token]| -> String { tokens.iter().map(|token| token.text.as_str()).collect() };
    let cut = &tokens[..tokens.len() - 1];
    for wrong in [PROMPT, "another prompt", ""] {
        assert_eq!(recorded(&engine, cut, wrong), (texts(cut), cut.to_vec()));
    }
    let renamed: Vec<Token> = tokens.iter().map(|token| Token { id: token.id, text: "Berlin".to_owned() }).collect();
    assert_eq!(recorded(&engine, &renamed, &texts(&renamed)), (texts(&tokens), tokens));
}
