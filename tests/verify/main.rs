//! Whether what is said of a graph's truth is true: on the reference cases, and on the demo.

#[path = "../../examples/train_demo/corpus/mod.rs"]
#[allow(dead_code, reason = "training uses more of it")]
mod corpus;
mod faithful;
mod fixtures;

use candle_core::Device;
use circuitscope::attribution::{Engine, TargetChoice, TraceOptions};
use circuitscope::graph::{AttributionGraph, RawTrace, Settings};
use circuitscope::hub::FileSource;
use circuitscope::job::Monitor;
use std::fs;
use std::path::Path;

/// Every reference case, and a model with a parallel residual.
const CASES: [&str; 10] = [
    "gemma2_clt_jumprelu",
    "gemma2_plt_jumprelu",
    "gemma3_plt_jumprelu_skip",
    "gpt2_plt_relu",
    "llama_clt_relu",
    "llama_plt_relu",
    "llama_plt_relu_skip",
    "llama_plt_topk",
    "neox_plt_relu_skip",
    "qwen3_plt_relu",
];

/// A whole trace of a prompt.
fn traced(engine: &Engine, prompt: &str) -> RawTrace {
    let settings = Settings { prompt: prompt.to_owned(), max_feature_nodes: None, ..Settings::default() };
    let targets = TargetChoice::likeliest(&settings);
    engine.trace(&TraceOptions { settings, targets, cut: None }, |_| {}, &Monitor::default()).unwrap()
}

fn graph(engine: &Engine, prompt: &str) -> AttributionGraph {
    AttributionGraph::from_trace(&traced(engine, prompt)).unwrap()
}

/// A reference case.
fn case(name: &str) -> (Engine, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let place = |which: &str| FileSource::directory(&folder.join(which)).unwrap();
    let engine = Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap();
    let about: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
    (engine, about["prompts"][0]["text"].as_str().unwrap().to_owned())
}

fn demo() -> Engine {
    let (model, transcoder) = circuitscope::demo::places();
    Engine::open(&model, &transcoder, &Device::Cpu).unwrap()
}
