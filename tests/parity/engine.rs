//! Whole traces against circuit-tracer's, from the prompt's text to the adjacency matrix.

use crate::fixture::{CASES, Tensors, assert_close, device, folder, wide};
use circuitscope::attribution::{Request, Spelling, TargetChoice, TraceError, TraceOptions, trace};
use circuitscope::graph::{AttributionGraph, RawTrace, RowTarget, Rows, Settings, Thresholds, prune, scores};
use circuitscope::hub::FileSource;
use circuitscope::ids::NodeId;
use circuitscope::job::Monitor;
use circuitscope::model::Transformer;
use circuitscope::tokens::Tokenizer;
use circuitscope::transcoder::Transcoder;
use serde_json::Value;
use std::path::Path;

/// A case's model, transcoder and tokenizer.
pub struct Case {
    pub model: Transformer,
    pub transcoder: Transcoder,
    pub tokenizer: Tokenizer,
    pub description: Value,
}

impl Case {
    pub fn open(name: &str) -> Self {
        Self::with_transcoder(name, "transcoder")
    }

    /// A case with its transcoder in another layout.
    fn with_transcoder(name: &str, transcoder: &str) -> Self {
        Self::of(name, &FileSource::directory(&folder(name).join(transcoder)).unwrap())
    }

    /// A case with its transcoder in another place.
    pub fn of(name: &str, transcoder: &FileSource) -> Self {
        let description = std::fs::read(folder(name).join("case.json")).unwrap();
        Self {
            description: serde_json::from_slice(&description).unwrap(),
            ..Self::in_places(&folder(name).join("model"), transcoder)
        }
    }

    /// A model and its transcoder in a folder of their own.
    pub fn at(folder: &Path) -> Self {
        Self::in_folder(folder, "transcoder")
    }

    fn in_folder(folder: &Path, transcoder: &str) -> Self {
        Self::in_places(&folder.join("model"), &FileSource::directory(&folder.join(transcoder)).unwrap())
    }

    fn in_places(model: &Path, transcoder: &FileSource) -> Self {
        let place = FileSource::directory(model).unwrap();
        let model = Transformer::open(&place, &device()).unwrap();
        let transcoder = Transcoder::open(transcoder, &model.spec).unwrap();
        Self { transcoder, tokenizer: Tokenizer::open(&place).unwrap(), description: Value::Null, model }
    }

    pub fn prompt(&self, index: usize) -> &str {
        self.description["prompts"][index]["text"].as_str().unwrap()
    }

    /// A trace of every active feature with the usual settings.
    pub fn trace_all(&self, prompt: &str) -> RawTrace {
        self.try_trace_all(prompt).unwrap()
    }

    /// The same of a case that may be unsound.
    pub fn try_trace_all(&self, prompt: &str) -> Result<RawTrace, TraceError> {
        let settings = Settings { prompt: prompt.to_owned(), max_feature_nodes: None, ..Settings::default() };
        let targets = TargetChoice::likeliest(&settings);
        self.run(&TraceOptions { settings, targets, cut: None })
    }

    fn run(&self, options: &TraceOptions) -> Result<RawTrace, TraceError> {
        let tokens = self.tokenizer.read(&options.settings.prompt).unwrap();
        let text = |id| self.tokenizer.text(id);
        trace(&self.model, &self.transcoder, tokens, options, text, |_| {}, &Monitor::default())
    }

    /// Traces as a run of the case did, whose file is `expected`.
    pub fn trace(&self, run: &Value, expected: &Tensors) -> RawTrace {
        let prompt = self.prompt(size(&run["prompt"]));
        let settings = Settings {
            prompt: prompt.to_owned(),
            max_feature_nodes: run["max_feature_nodes"].as_u64().map(|n| n as usize),
            batch_size: size(&run["batch_size"]),
            update_interval: size(&run["update_interval"]),
            max_logits: size(&run["max_n_logits"]),
            logit_probability: run["desired_logit_prob"].as_f64().unwrap() as f32,
        };
        let targets = if expected.has("custom_vec") {
            let vector = expected.f32("custom_vec");
            TargetChoice::Given(vec![Request::Vector { name: "custom".to_owned(), vector, weight: 1.0 }])
        } else if run["file"].as_str().unwrap().contains("targets_str") {
            let texts: Vec<String> = serde_json::from_str(run["targets"].as_str().unwrap()).unwrap();
            let token = |text: &String| {
                let as_given = self.tokenizer.target(text, self.model.spec.vocab_size).unwrap();
                Request::Token(Spelling { as_given, spaced: None, takes_likelier: false })
            };
            TargetChoice::Given(texts.iter().map(token).collect())
        } else {
            TargetChoice::likeliest(&settings)
        };
        self.run(&TraceOptions { settings, targets, cut: None }).unwrap()
    }
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// The graph as a matrix, row = target.
fn matrix(graph: &AttributionGraph) -> Vec<f64> {
    let n = graph.n_nodes();
    let mut matrix = vec![0.0; n * n];
    for target in (0..n).map(NodeId::from) {
        for edge in graph.incoming(target) {
            matrix[edge.target.index() * n + edge.source.index()] = f64::from(edge.weight);
        }
    }
    matrix
}

#[test]
fn every_trace_is_circuit_tracers() {
    let layouts = [("gemma2_plt_jumprelu", "transcoder_npz"), ("gemma3_plt_jumprelu_skip", "transcoder_gs2")];
    for (name, transcoder) in CASES.map(|name| (name, "transcoder")).into_iter().chain(layouts) {
        is_the_reference(name, transcoder, &Case::with_transcoder(name, transcoder));
    }
}

/// Holds every run of a reference case to circuit-tracer's.
pub fn is_the_reference(name: &str, transcoder: &str, case: &Case) {
    for run in case.description["runs"].as_array().unwrap() {
        let file = run["file"].as_str().unwrap();
        let expected = Tensors::open(&folder(name).join(file));
        let found = case.trace(run, &expected);
        let what = format!("{name}/{transcoder}/{file}");
        compare_trace(&what, run, &found, &expected);
        compare_graph(&what, &found, &expected, file.contains("targets_str"));
        rows_sum_up(&what, &found);
    }
}

fn compare_trace(what: &str, run: &Value, found: &RawTrace, expected: &Tensors) {
    let ids: Vec<i64> = found.tokens.iter().map(|token| i64::from(token.id)).collect();
    assert_eq!(ids, expected.i64("input_tokens"), "{what}: input_tokens");
    let active: Vec<i64> =
        found.sources.features.iter().flat_map(|f| [f.layer().0, f.position.0, f.feature.0].map(i64::from)).collect();
    assert_eq!(active, expected.i64("active_features"), "{what}: active_features");
    assert_close(what, &wide(&found.activations), &wide(&expected.f32("activation_values")), 1e-4);
    assert_close(what, &wide(&found.error_norms), &wide(&expected.f32("error_norms")), 1e-4);
    assert_close(what, &wide(&found.final_logits), &wide(&expected.f32("final_logits")), 1e-4);
    let targets: Vec<i64> = found.targets.iter().map(|target| i64::from(target.id)).collect();
    assert_eq!(targets, expected.i64("logit_target_ids"), "{what}: logit_target_ids");
    let probabilities: Vec<f64> = found.targets.iter().map(|target| f64::from(target.probability)).collect();
    assert_close(what, &probabilities, &wide(&expected.f32("logit_probabilities")), 1e-5);
    assert_close(what, &wide(&found.target_vectors), &wide(&expected.f32("logit_vectors")), 1e-5);
    let visited: Vec<i64> = found.visit_order().map(i64::from).collect();
    if expected.has("visit_order") {
        // Within a round the order is free: its features are computed together.
        let round = size(&run["batch_size"]) * size(&run["update_interval"]);
        let sorted = |order: &[i64]| -> Vec<Vec<i64>> {
            let mut rounds: Vec<Vec<i64>> = order.chunks(round).map(<[i64]>::to_vec).collect();
            rounds.iter_mut().for_each(|round| round.sort_unstable());
            rounds
        };
        assert_eq!(sorted(&visited), sorted(&expected.i64("visit_order")), "{what}: visit_order");
    }
    let mut selected = visited;
    selected.sort_unstable();
    assert_eq!(selected, expected.i64("selected_features"), "{what}: selected_features");
}

fn compare_graph(what: &str, found: &RawTrace, expected: &Tensors, relative: bool) {
    let graph = AttributionGraph::from_trace(found).unwrap();
    let wanted = wide(&expected.f32("adjacency_matrix"));
    let largest = wanted.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for (at, (a, b)) in matrix(&graph).iter().zip(&wanted).enumerate() {
        let n = graph.n_nodes();
        assert!((a - b).abs() <= 1e-5 * largest + 1e-4 * b.abs(), "{what}: [{}, {}] is {a}, not {b}", at / n, at % n);
    }
    let kept = prune(&graph, Thresholds { node: 0.8, edge: 0.98, ..Thresholds::default() });
    let influence = wide(&expected.f32("node_influence"));
    let scale = if relative { influence.iter().fold(0.0f64, |most, x| most.max(*x)) } else { 1.0 };
    assert_close(&format!("{what}: influence"), &kept.influence, &influence, 1e-5 * scale);
    let scores = scores(&graph, &kept.influence);
    assert_close(
        &format!("{what}: scores"),
        &[scores.replacement, scores.completeness],
        &expected.f64("graph_scores"),
        1e-5,
    );
    for (name, thresholds) in [("80_98", (0.8, 0.98)), ("50_90", (0.5, 0.9)), ("95_60", (0.95, 0.6))] {
        let kept = prune(&graph, Thresholds { node: thresholds.0, edge: thresholds.1, ..Thresholds::default() });
        let nodes: Vec<bool> = (0..graph.n_nodes()).map(|id| kept.has_node(NodeId::from(id))).collect();
        assert_eq!(nodes, expected.mask(&format!("prune_{name}.node_mask")), "{what}: {name} nodes");
        let n = graph.n_nodes();
        let mut edges = vec![false; n * n];
        for edge in (0..n).flat_map(|target| graph.incoming(NodeId::from(target))).filter(|e| kept.has_edge(e.id)) {
            edges[edge.target.index() * n + edge.source.index()] = true;
        }
        assert_eq!(edges, expected.mask(&format!("prune_{name}.edge_mask")), "{what}: {name} edges");
        let cumulative = expected.f32(&format!("prune_{name}.cumulative_scores"));
        assert_close(&format!("{what}: {name} cumulative"), &wide(&kept.cumulative), &wide(&cumulative), 1e-5);
    }
}

/// Pre-activation (or demeaned logit) = incoming edges + constants, on every row.
pub fn rows_sum_up(what: &str, trace: &RawTrace) {
    let Rows::Dense { values } = &trace.rows else { panic!("{what}: rows are sparse") };
    for (index, row) in values.chunks(trace.n_columns()).enumerate() {
        let constant = f64::from(trace.row_constants[index]);
        let sum: f64 = row.iter().map(|x| f64::from(*x)).sum::<f64>() + constant;
        let scale = row.iter().map(|x| f64::from(x.abs())).sum::<f64>() + constant.abs();
        let value = f64::from(trace.row_values[index]);
        let target = trace.row_targets[index];
        assert!((sum - value).abs() <= 1e-5 * scale, "{what}: row of {target:?} sums to {sum}, its value is {value}");
        assert!((trace.row_abs_sums[index] - (scale - constant.abs())).abs() <= 1e-9 * scale);
        if let RowTarget::Feature(_) = target {
            assert!(value != 0.0);
        }
    }
}
