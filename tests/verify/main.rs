//! Whether what is said of a graph's truth is true: on the reference cases, and on the demo.

#[path = "../../examples/train_demo/corpus/mod.rs"]
#[allow(dead_code, reason = "training uses more of it")]
mod corpus;
mod faithful;

use candle_core::Device;
use circuitscope::attribution::{Engine, TargetChoice, TraceOptions};
use circuitscope::graph::{AttributionGraph, RawTrace, Settings};
use circuitscope::job::Monitor;

/// A whole trace of a prompt.
fn traced(engine: &Engine, prompt: &str) -> RawTrace {
    let settings = Settings {
        prompt: prompt.to_owned(),
        max_feature_nodes: None,
        batch_size: 256,
        update_interval: 4,
        max_logits: 10,
        logit_probability: 0.95,
    };
    let targets = TargetChoice::Likeliest { most: 10, probability: 0.95 };
    engine.trace(&TraceOptions { settings, targets, cut: None }, |_| {}, &Monitor::default()).unwrap()
}

fn graph(engine: &Engine, prompt: &str) -> AttributionGraph {
    AttributionGraph::from_trace(&traced(engine, prompt)).unwrap()
}

fn demo() -> Engine {
    let (model, transcoder) = circuitscope::demo::places();
    Engine::open(&model, &transcoder, &Device::Cpu).unwrap()
}
