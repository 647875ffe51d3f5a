//! Attention scores split among sources: that the parts are the whole, on every head and pair that is seen of every case;
//! by hand; against sums over sources in f64; and against what the model does.

use crate::fixture::{CASES, assert_close, device, folder};
use crate::gguf::Both;
use crate::variants::{Variant, olmo2_case, phi3_case};
use candle_core::quantized::GgmlDType;
use candle_core::{Device, Tensor};
use circuitscope::attribution::{
    Against, Asked, Capture, Engine, HeadFlow, Look, Probe, QkAttribution, QkPair, QkQuestion, QkSide, QkSource,
    Source, TargetChoice, TraceError, TraceOptions,
};
use circuitscope::demo;
use circuitscope::graph::{AttributionGraph, FeatureAt, Head, Settings, Site, Thresholds, flows, prune};
use circuitscope::hub::FileSource;
use circuitscope::ids::{FeatureId, Layer, Position};
use circuitscope::job::Monitor;
use circuitscope::model::{Norm, Precision, QueryKeyNorms};
use circuitscope::transcoder::FeatureOutput;
use circuitscope::verify::{Correlation, head_ablations};
use std::collections::HashMap;
use std::path::Path;

/// Of a score's parts against the whole, as a share of their absolute sum.
const IDENTITY: f64 = 1e-5;

fn open(model: &Path, transcoder: &Path) -> Engine {
    let place = |path: &Path| FileSource::directory(path).unwrap();
    Engine::open(&place(model), &place(transcoder), &device()).unwrap()
}

fn case(name: &str) -> Engine {
    open(&folder(name).join("model"), &folder(name).join("transcoder"))
}

fn prompt(name: &str) -> String {
    let description = std::fs::read(folder(name).join("case.json"));
    let Ok(description) = description else { return "a small dog lived in".to_owned() };
    let description: serde_json::Value = serde_json::from_slice(&description).unwrap();
    description["prompts"][0]["text"].as_str().unwrap().to_owned()
}

/// Every head's look at every key that each query sees.
fn every_look(engine: &Engine, probe: &Probe<'_>, positions: usize, mut each: impl FnMut(Head, Position, Look)) {
    let spec = &engine.model.spec;
    let heads = (0..spec.n_layers).flat_map(|layer| (0..spec.n_heads).map(move |head| (layer, head)));
    for (layer, head) in heads {
        let head = Head { layer: Layer::from(layer), head: head as u32 };
        for query in (0..positions).map(Position::from) {
            let looks = probe.looks(head, query, &Monitor::default()).unwrap();
            let window = spec.layers[layer].window.unwrap_or(usize::MAX);
            assert_eq!(looks.len(), window.min(query.index() + 1), "{head} from {query}");
            assert!((looks.iter().map(|look| look.pattern).sum::<f32>() - 1.0).abs() < 1e-5);
            looks.into_iter().for_each(|look| each(head, query, look));
        }
    }
}

/// Holds a split's parts to the whole, which is itself `rounded`, its marginals to the sums of pairs, those of `sums`, which was
/// made without pairs, to them, and its strongest pairs to all of them. Gives how far the parts are from the whole.
fn hold_together(what: &str, [split, sums]: [&QkAttribution; 2], bound: f64, rounded: f64) -> f64 {
    let n = split.sources().len();
    let (mut queries, mut keys, mut pairs) = (vec![0.0; n], vec![0.0; n], Vec::with_capacity(n * n));
    for (query, of_query) in queries.iter_mut().enumerate() {
        for (key, of_key) in keys.iter_mut().enumerate() {
            let contribution = split.contribution(query, key);
            *of_query += contribution;
            *of_key += contribution;
            pairs.push(QkPair { query, key, contribution });
        }
    }
    let total: f64 = pairs.iter().map(|pair| pair.contribution.abs()).sum();
    let sum: f64 = pairs.iter().map(|pair| pair.contribution).sum();
    let off = (sum - split.value).abs();
    assert!(off <= bound * total + rounded, "{what}: the pairs add up to {sum}, not {}", split.value);
    for (side, of_pairs) in [(QkSide::Query, queries), (QkSide::Key, keys)] {
        assert_close(what, split.marginals(side), &of_pairs, 1e-12 * total);
        assert_close(what, sums.marginals(side), &of_pairs, bound * total + rounded);
    }
    assert!(split.has_pairs() && !sums.has_pairs() && sums.strongest_pairs(7).is_empty(), "{what}");
    pairs.sort_by(|a, b| {
        b.contribution.abs().total_cmp(&a.contribution.abs()).then((a.query, a.key).cmp(&(b.query, b.key)))
    });
    pairs.retain(|pair| pair.contribution != 0.0);
    pairs.truncate(7);
    assert_eq!(split.strongest_pairs(7), pairs, "{what}");
    if total > 0.0 { (off - rounded).max(0.0) / total } else { 0.0 }
}

/// Holds all splits of a prompt together; gives the largest share by which parts miss the whole.
fn hold_all_together(what: &str, engine: &Engine, prompt: &str, bound: f64) -> f64 {
    let tokens = engine.read(prompt).unwrap();
    let probe = Probe::new(engine, &tokens, &Monitor::default()).unwrap();
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let capture = Capture::with_streams(&engine.model, &engine.transcoder, &ids, &Monitor::default()).unwrap();
    let plain = Plain { engine, capture };
    let length = |head: Head, side: QkSide, position: Position| {
        let stream = &rows(&plain.capture.streams[head.layer.index()])[position.index()];
        let turned = plain.turned(head, side, stream, position.index(), true);
        dot(&turned, &turned).sqrt()
    };
    let mut worst = 0.0f64;
    every_look(engine, &probe, tokens.len(), |head, query, look| {
        let mut hold = |against| {
            let question = QkQuestion { head, query, key: look.key, against };
            let split = probe.qk(&question, &Monitor::default()).unwrap();
            let sums = probe.qk_sums(&question, &Monitor::default()).unwrap();
            assert_eq!((sums.value, sums.score, sums.sources()), (split.value, split.score, split.sources()));
            let what = format!("{what}: head {head} from {query} to {} against {against:?}", look.key);
            assert_eq!((split.score, split.pattern), (look.score, look.pattern), "{what}");
            // A score is a product of two rounded vectors, off as their lengths are, however small it is itself.
            let longest = (0..=query.index()).map(|key| length(head, QkSide::Key, Position::from(key)));
            let longest = longest.fold(0.0, f64::max);
            let epsilon = match engine.model.precision() {
                Precision::F32 => f64::from(f32::EPSILON),
                Precision::Bf16 => 2f64.powi(-7),
            };
            let rounded = epsilon * split.scale * length(head, QkSide::Query, query) * longest;
            worst = worst.max(hold_together(&what, [&split, &sums], bound, rounded));
            split
        };
        assert!((hold(Against::Nothing).value - f64::from(look.score)).abs() < 1e-12);
        // The other ways to ask, of one key of each query.
        if look.key.index() == query.index() / 2 {
            hold(Against::Softmax);
            hold(Against::Position(query));
        }
    });
    worst
}

#[test]
fn the_parts_of_every_score_are_the_whole() {
    for name in CASES.into_iter().chain(["neox_plt_relu_skip"]) {
        let worst = hold_all_together(name, &case(name), &prompt(name), IDENTITY);
        println!("{name}: {worst:.1e}");
    }
    for (name, variant) in [("OLMo-2", olmo2_case()), ("Phi-3", phi3_case())] {
        let engine = open(&variant.path("model"), &variant.path("transcoder"));
        println!("{name}: {:.1e}", hold_all_together(name, &engine, "a small dog lived in", IDENTITY));
    }
}

#[test]
fn so_they_are_of_gguf_files_and_of_half_precision_within_its_own_bound() {
    for (name, architecture, pre) in [("llama_plt_relu", "llama", "llama-bpe"), ("qwen3_plt_relu", "qwen3", "qwen2")] {
        let both = Both::new(name, architecture, pre);
        for dtype in [GgmlDType::F32, GgmlDType::Q8_0] {
            let engine = open(&both.write(dtype), &folder(name).join("transcoder"));
            hold_all_together(&format!("{name} as {dtype:?}"), &engine, &prompt(name), IDENTITY);
        }
        let engine = case(name).in_precision(Precision::Bf16);
        let worst = hold_all_together(&format!("{name} in bf16"), &engine, &prompt(name), IDENTITY);
        println!("{name} in bf16: {worst:.1e}");
    }
}

/// Two tokens, (1, 1) and (1, -1), one head that reads the stream as it is, and behind the first layer a feature that fires
/// with 1 at the second token and writes (1/2, 0); the layer's MLP writes nothing, and the decoder's bias is (0, 1/4), so that
/// the error is (-1/2, -1/4).
#[test]
fn a_model_of_two_tokens_and_one_head_worked_out_by_hand() {
    let variant = Variant::of("llama_plt_relu");
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2, "head_dim": 2,
        "num_attention_heads": 1, "num_key_value_heads": 1, "num_hidden_layers": 2, "intermediate_size": 2,
        "hidden_act": "silu", "rms_norm_eps": 1e-12, "rope_theta": 10000.0, "vocab_size": 384,
        "max_position_embeddings": 16, "tie_word_embeddings": true, "bos_token_id": 381, "eos_token_id": 382,
    });
    std::fs::write(variant.path("model/config.json"), config.to_string()).unwrap();
    let matrix = |rows: &[[f32; 2]]| Tensor::from_slice(rows.as_flattened(), (rows.len(), 2), &Device::Cpu).unwrap();
    let (one, none) = (matrix(&[[1.0, 0.0], [0.0, 1.0]]), matrix(&[[0.0, 0.0], [0.0, 0.0]]));
    variant.tensors("model/model.safetensors", |tensors| {
        tensors.clear();
        let mut embedding = [[1.0f32, -1.0]; 384];
        embedding[381] = [1.0, 1.0];
        tensors.insert("model.embed_tokens.weight".to_owned(), matrix(&embedding));
        let ones = || Tensor::new(&[1.0f32, 1.0], &Device::Cpu).unwrap();
        tensors.insert("model.norm.weight".to_owned(), ones());
        for layer in 0..2 {
            let mut put = |name: &str, tensor: &Tensor| {
                tensors.insert(format!("model.layers.{layer}.{name}.weight"), tensor.clone());
            };
            ["input_layernorm", "post_attention_layernorm"].iter().for_each(|name| put(name, &ones()));
            ["q_proj", "k_proj", "v_proj"].iter().for_each(|name| put(&format!("self_attn.{name}"), &one));
            put("self_attn.o_proj", &none);
            ["gate_proj", "up_proj", "down_proj"].iter().for_each(|name| put(&format!("mlp.{name}"), &none));
        }
    });
    for layer in 0..3 {
        variant.tensors(&format!("transcoder/layer_{layer}.safetensors"), |tensors| {
            let vector = |numbers: &[f32]| Tensor::new(numbers, &Device::Cpu).unwrap();
            tensors.clear();
            tensors.insert("W_enc".to_owned(), matrix(&[[1.0, 0.0]]));
            tensors.insert("W_dec".to_owned(), matrix(&[[0.5, 0.0]]));
            tensors.insert("b_enc".to_owned(), vector(&[0.0]));
            tensors.insert("b_dec".to_owned(), vector(&[0.0, 0.25]));
        });
    }
    std::fs::remove_file(variant.path("transcoder/layer_2.safetensors")).unwrap();
    let engine = open(&variant.path("model"), &variant.path("transcoder"));
    let tokens = engine.tokens(&[381, 345]).unwrap();
    let probe = Probe::new(&engine, &tokens, &Monitor::default()).unwrap();
    let head: Head = "1.0".parse().unwrap();
    let split = |key: usize, against: Against| {
        let question = QkQuestion { head, query: Position(1), key: Position::from(key), against };
        probe.qk(&question, &Monitor::default()).unwrap()
    };
    let (sin, cos, root) = (1f64.sin(), 1f64.cos(), 2f64.sqrt());
    // What each wrote at the second token, the constants last.
    let feature = FeatureAt::mlp(Layer(0), Position(1), FeatureId(0));
    let second = [
        (QkSource::Source(Source::Token(Position(1))), [1.0, -1.0]),
        (QkSource::Source(Source::Feature(feature)), [0.5, 0.0]),
        (QkSource::Source(Source::Error(Site::mlp(Layer(0)), Position(1))), [-0.5, -0.25]),
        (QkSource::Bias, [0.0, 0.25]),
    ];
    let of = |split: &QkAttribution, query: QkSource, key: QkSource| {
        let at = |source| split.sources().iter().position(|other| *other == source).unwrap();
        split.contribution(at(query), at(key))
    };
    // Query and key at one position turn alike, so that the product stays.
    let own = split(1, Against::Nothing);
    assert!((f64::from(own.score) - root).abs() < 1e-6 && (own.scale - 1.0 / root).abs() < 1e-12);
    for (query, u) in second {
        for (key, w) in second {
            let wanted = (u[0] * w[0] + u[1] * w[1]) / root;
            assert!((of(&own, query, key) - wanted).abs() < 1e-6, "{query:?} with {key:?}");
        }
    }
    // At the first token nothing but the token stands, and the query is turned by 1.
    let first = split(0, Against::Nothing);
    assert!((f64::from(first.score) - root * sin).abs() < 1e-6);
    for (query, [a, b]) in second {
        let wanted = (a * cos - b * sin + a * sin + b * cos) / root;
        assert!((of(&first, query, QkSource::Source(Source::Token(Position(0)))) - wanted).abs() < 1e-6, "{query:?}");
        assert!(of(&first, query, QkSource::Bias).abs() < 1e-6);
    }
    // Against the softmax over both: the share of the other key, times the difference of the scores.
    let share = 1.0 / (1.0 + (root * sin - root).exp());
    let against = split(1, Against::Softmax);
    assert!((f64::from(against.pattern) - share).abs() < 1e-6);
    assert!((against.value - (1.0 - share) * (root - root * sin)).abs() < 1e-6);
    assert!((split(1, Against::Position(Position(0))).value - (root - root * sin)).abs() < 1e-6);
}

/// Numbers of a matrix, in f64.
fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    let rows: Vec<Vec<f32>> = tensor.to_vec2().unwrap();
    rows.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn times(matrix: &[Vec<f64>], x: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, x)).collect()
}

fn add(into: &mut [f64], x: &[f64]) {
    into.iter_mut().zip(x).for_each(|(a, b)| *a += b);
}

/// A norm without its bias, by a divisor that is given.
fn normed(norm: &Norm, x: &[f64], divisor: f64) -> Vec<f64> {
    let mean = if norm.centres { x.iter().sum::<f64>() / x.len() as f64 } else { 0.0 };
    x.iter().zip(numbers(&norm.weight)).map(|(x, w)| (x - mean) / divisor * w).collect()
}

/// A model's run, to be summed over by plain loops in f64.
struct Plain<'a> {
    engine: &'a Engine,
    capture: Capture,
}

impl Plain<'_> {
    /// What a source writes at a layer's feature output, through a norm that may follow.
    fn written(&self, source: Source, layer: usize) -> Option<(usize, Vec<f64>)> {
        let (transcoder, d) = (&self.engine.transcoder, self.engine.model.spec.d_model);
        let decoder = |at: FeatureAt, activation: f32| -> Option<Vec<f64>> {
            let mut row = vec![0.0; d];
            transcoder.writes_to(at.layer().index()).contains(&layer).then_some(())?;
            transcoder.decoder_row(at.layer().index(), at.feature.index(), layer, &mut row).unwrap();
            Some(row.into_iter().map(|w| f64::from(w) * f64::from(activation)).collect())
        };
        let active = || {
            let layers = self.capture.layers.iter().enumerate();
            layers.flat_map(|(layer, captured)| {
                captured.active.iter().map(move |active| {
                    let (layer, position) = (Layer::from(layer), Position(active.position));
                    (FeatureAt::mlp(layer, position, FeatureId(active.feature)), active.activation)
                })
            })
        };
        let (position, row) = match source {
            Source::Feature(at) => (at.position, decoder(at, active().find(|(other, _)| *other == at)?.1)?),
            Source::Error(own, position) if own.layer.index() == layer && position.index() >= self.capture.zeroed => {
                let output = &rows(&self.capture.layers[layer].feature_output)[position.index()];
                let bias = transcoder.decoder_bias(layer).unwrap();
                let mut row: Vec<f64> = output.iter().zip(bias).map(|(x, b)| x - f64::from(b)).collect();
                for (at, activation) in active().filter(|(at, _)| at.position == position) {
                    decoder(at, activation)
                        .into_iter()
                        .for_each(|own| add(&mut row, &own.iter().map(|x| -x).collect::<Vec<_>>()));
                }
                (position, row)
            }
            _ => return None,
        };
        let behind =
            self.engine.model.after_mlp_norm(layer).unwrap().filter(|_| transcoder.output() == FeatureOutput::MlpOut);
        let row = match (behind, &self.capture.layers[layer].norm_scales.after_mlp) {
            (Some(norm), Some(divisor)) => normed(&norm, &row, numbers(divisor)[position.index()]),
            _ => row,
        };
        Some((position.index(), row))
    }

    /// The residual stream in front of a layer that comes from a source, by position.
    fn carried(&self, source: Source, end: usize) -> Vec<Vec<f64>> {
        let (model, spec, n) = (&self.engine.model, &self.engine.model.spec, self.capture.n_positions());
        let mut stream = vec![vec![0.0; spec.d_model]; n];
        if let Source::Token(position) = source {
            stream[position.index()] = rows(&model.embed(&self.capture.ids).unwrap())[position.index()].clone();
        }
        for layer in 0..end {
            let captured = &self.capture.layers[layer];
            let (norm, weights) = (model.attention_norm(layer).unwrap(), model.attention(layer).unwrap());
            let value = rows(&weights.value.weight().unwrap());
            let output = rows(&weights.output.weight().unwrap());
            let divisors = numbers(&captured.norm_scales.attention);
            let values: Vec<Vec<f64>> =
                stream.iter().zip(divisors).map(|(x, divisor)| times(&value, &normed(&norm, x, divisor))).collect();
            let pattern = numbers(&captured.pattern);
            let width = spec.head_dim;
            for query in 0..n {
                let mut read = vec![0.0; spec.n_heads * width];
                for head in 0..spec.n_heads {
                    let from = head / (spec.n_heads / spec.n_kv_heads) * width;
                    for (key, values) in values.iter().enumerate() {
                        let weight = pattern[(head * n + query) * n + key];
                        let values: Vec<f64> = values[from..from + width].iter().map(|v| v * weight).collect();
                        add(&mut read[head * width..(head + 1) * width], &values);
                    }
                }
                let mut written = times(&output, &read);
                if let (Some(norm), Some(divisor)) =
                    (model.after_attention_norm(layer).unwrap(), &captured.norm_scales.after_attention)
                {
                    written = normed(&norm, &written, numbers(divisor)[query]);
                }
                add(&mut stream[query], &written);
            }
            if let Some((position, row)) = self.written(source, layer) {
                add(&mut stream[position], &row);
            }
        }
        stream
    }

    /// A head's query or key of a residual stream at a position; of the model's own with `biases`. What a norm over the head
    /// divides by is that of the model's own.
    fn turned(&self, head: Head, side: QkSide, x: &[f64], position: usize, biases: bool) -> Vec<f64> {
        let (model, spec, layer) = (&self.engine.model, &self.engine.model.spec, head.layer.index());
        let (norm, weights) = (model.attention_norm(layer).unwrap(), model.attention(layer).unwrap());
        let (linear, head_norm, at) = match side {
            QkSide::Query => (&weights.query, weights.head_norms.as_ref().map(|it| &it.0), head.head as usize),
            QkSide::Key => {
                let group = spec.n_heads / spec.n_kv_heads;
                (&weights.key, weights.head_norms.as_ref().map(|it| &it.1), head.head as usize / group)
            }
        };
        let (width, divisor) = (spec.head_dim, numbers(&self.capture.layers[layer].norm_scales.attention)[position]);
        let own = at * width..(at + 1) * width;
        let matrix = rows(&linear.weight().unwrap());
        let is_whole = spec.query_key_norms == QueryKeyNorms::Whole;
        let read = if is_whole { 0..matrix.len() } else { own.clone() };
        let plain = |x: &[f64], biases: bool| {
            let mut input = normed(&norm, x, divisor);
            norm.bias.iter().filter(|_| biases).for_each(|bias| add(&mut input, &numbers(bias)));
            let mut out = times(&matrix[read.clone()], &input);
            linear.bias.iter().filter(|_| biases).for_each(|bias| add(&mut out, &numbers(bias)[read.clone()]));
            out
        };
        let mut out = plain(x, biases);
        if let Some(head_norm) = head_norm {
            let present = plain(&rows(&self.capture.streams[layer])[position], true);
            let divisor = (dot(&present, &present) / present.len() as f64 + head_norm.eps).sqrt();
            out = normed(head_norm, &out, divisor);
        }
        if is_whole {
            out = out[own].to_vec();
        }
        let Some(rope) = &spec.layers[layer].rope else { return out };
        let half = width / 2;
        let turned = |i: usize| {
            let angle = position as f64 * rope.theta.powf(-2.0 * (i % half) as f64 / width as f64);
            let other = if i < half { -out[i + half] } else { out[i - half] };
            out[i] * angle.cos() + other * angle.sin()
        };
        (0..width).map(turned).collect()
    }
}

#[test]
fn contributions_are_those_of_plain_sums_in_f64() {
    for name in ["qwen3_plt_relu", "gemma2_clt_jumprelu", "gpt2_plt_relu"] {
        let engine = case(name);
        let tokens = engine.read(&prompt(name)).unwrap();
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let probe = Probe::new(&engine, &tokens, &Monitor::default()).unwrap();
        let capture = Capture::with_streams(&engine.model, &engine.transcoder, &ids, &Monitor::default()).unwrap();
        let plain = Plain { engine: &engine, capture };
        let layer = engine.model.spec.n_layers - 1;
        let (query, key) = (tokens.len() - 1, tokens.len() - 2);
        let sources: Vec<Source> = probe.sources().iter().collect();
        let carried: Vec<Vec<Vec<f64>>> = sources.iter().map(|source| plain.carried(*source, layer)).collect();
        for head in (0..engine.model.spec.n_heads).map(|head| Head { layer: Layer::from(layer), head: head as u32 }) {
            // By source, and last what is left of the model's own for the constants.
            let side = |side: QkSide, position: usize| {
                let mut all: Vec<Vec<f64>> =
                    carried.iter().map(|stream| plain.turned(head, side, &stream[position], position, false)).collect();
                let own = rows(&plain.capture.streams[layer])[position].clone();
                let mut rest = plain.turned(head, side, &own, position, true);
                for row in &all {
                    add(&mut rest, &row.iter().map(|x| -x).collect::<Vec<_>>());
                }
                all.push(rest);
                all
            };
            let (queries, keys) = (side(QkSide::Query, query), side(QkSide::Key, key));
            let (query, key) = (Position::from(query), Position::from(key));
            let question = QkQuestion { head, query, key, against: Against::Nothing };
            let split = probe.qk(&question, &Monitor::default()).unwrap();
            let pairs = || (0..queries.len()).flat_map(|query| (0..keys.len()).map(move |key| (query, key)));
            let wanted: Vec<f64> = pairs().map(|(i, j)| split.scale * dot(&queries[i], &keys[j])).collect();
            let found: Vec<f64> = pairs().map(|(i, j)| split.contribution(i, j)).collect();
            let largest = wanted.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            assert!(largest > 0.0);
            assert_close(&format!("{name}: head {head}"), &found, &wanted, 2e-5 * largest);
            let total: f64 = wanted.iter().map(|x| x.abs()).sum();
            assert!((wanted.iter().sum::<f64>() - split.value).abs() <= IDENTITY * total, "{name}: head {head}");
        }
    }
}

/// What is left of a prompt's graph at the usual thresholds.
fn graph(engine: &Engine, prompt: &str) -> AttributionGraph {
    let settings = Settings { prompt: prompt.to_owned(), ..Settings::default() };
    let targets = TargetChoice::likeliest(&settings);
    let trace = engine.trace(&TraceOptions { settings, targets, cut: None }, |_| {}, &Monitor::default()).unwrap();
    AttributionGraph::from_trace(&trace).unwrap()
}

#[test]
fn the_influence_between_positions_flows_through_heads_alone() {
    for name in CASES.into_iter().chain(["neox_plt_relu_skip"]) {
        let engine = case(name);
        let prompt = prompt(name);
        let graph = graph(&engine, &prompt);
        let kept = prune(&graph, Thresholds::default());
        let probe = Probe::new(&engine, &engine.read(&prompt).unwrap(), &Monitor::default()).unwrap();
        let found = probe.head_flows(&graph, &kept, &Monitor::default()).unwrap();
        assert!(found.edges > 0 && found.influence > 0.0 && found.left_out == 0, "{name}");
        for column in [|head: &HeadFlow| head.first, |head: &HeadFlow| head.last] {
            let sum: f64 = found.heads.iter().map(column).sum();
            let total: f64 = found.heads.iter().map(|head| column(head).abs()).sum();
            assert!((sum - found.influence).abs() <= 1e-5 * total, "{name}: {sum} of {}", found.influence);
        }
        // An edge's own split, where there is one target: that of the edges one by one.
        let mut one_by_one: HashMap<Head, f64> = HashMap::new();
        for (edge, flow) in flows(&graph, &kept) {
            if graph.node(edge.source).position() == graph.node(edge.target).position() {
                continue;
            }
            let asked = Asked::of_node(&graph, edge.target).unwrap();
            let source = Source::of_node(&graph, edge.source).unwrap();
            for part in probe.heads(asked, source, &Monitor::default()).unwrap().heads {
                let share = flow * f64::from(part.last) / f64::from(edge.weight);
                *one_by_one.entry(part.head).or_default() += share;
            }
        }
        for flow in &found.heads {
            let wanted = one_by_one.get(&flow.head).copied().unwrap_or(0.0);
            assert!((flow.last - wanted).abs() <= 1e-4 * found.influence, "{name}: head {}", flow.head);
        }
    }
}

#[test]
fn what_does_not_fit_into_memory_is_told_as_what_was_asked() {
    let (model, transcoder) = demo::sources();
    let mut engine = Engine::open(&model, &transcoder, &device()).unwrap();
    engine.limits.memory = Some(1);
    let probe = Probe::new(&engine, &engine.read(demo::PROMPT).unwrap(), &Monitor::default()).unwrap();
    let question =
        QkQuestion { head: "1.0".parse().unwrap(), query: Position(3), key: Position(1), against: Against::Softmax };
    let error = probe.qk(&question, &Monitor::default()).unwrap_err();
    assert!(matches!(error, TraceError::ScoreMemory { limit: 1, .. }));
    let says = error.to_string();
    assert!(says.contains("attention score") && !says.contains("trace"), "{says}");
}

/// Of the demo's answer: the head that carries its strongest edge from another position, and the features at the key.
#[test]
fn ablations_change_a_score_as_its_split_predicts() {
    let (model, transcoder) = demo::sources();
    let engine = Engine::open(&model, &transcoder, &device()).unwrap();
    let graph = graph(&engine, demo::PROMPT);
    let answer = graph.logit_nodes().next().unwrap();
    let position = |id| graph.node(id).position();
    let strongest = graph
        .incoming(answer)
        .filter(|edge| position(edge.source) != position(answer))
        .max_by(|a, b| a.weight.abs().total_cmp(&b.weight.abs()))
        .unwrap();
    let probe = Probe::new(&engine, &engine.read(demo::PROMPT).unwrap(), &Monitor::default()).unwrap();
    let asked = Asked::of_node(&graph, answer).unwrap();
    let source = Source::of_node(&graph, strongest.source).unwrap();
    let heads = probe.heads(asked, source, &Monitor::default()).unwrap();
    let carries = heads.heads.iter().max_by(|a, b| a.last.abs().total_cmp(&b.last.abs())).unwrap();
    let head = carries.head;
    let question =
        QkQuestion { head, query: position(answer), key: position(strongest.source), against: Against::Softmax };
    let split = probe.qk(&question, &Monitor::default()).unwrap();
    let strongest = split.strongest(QkSide::Key, split.sources().len());
    let features = strongest.iter().filter_map(|(at, _)| match split.sources()[*at] {
        QkSource::Source(Source::Feature(at)) => Some(at),
        _ => None,
    });
    let features: Vec<FeatureAt> = features.take(10).collect();
    assert_eq!(features.len(), 10);
    let (before, ablations) = head_ablations(&engine, &probe, &split, &features, &Monitor::default()).unwrap();
    let scale = ablations.iter().map(|it| (it.predicted.score - before.score).abs()).fold(0.0, f64::max);
    assert!(scale > 1e-3, "the features matter to the score: {scale}");
    for ablation in &ablations {
        let (predicted, direct) = (ablation.predicted, ablation.direct);
        for (a, b) in
            [(predicted.score, direct.score), (predicted.value, direct.value), (predicted.pattern, direct.pattern)]
        {
            assert!((a - b).abs() <= 1e-4 * scale.max(1.0), "{:?}: {a} predicted, {b} direct", ablation.feature);
        }
        // On the side of the key alone it is what the split says of it, where the feature does not stand at the query too.
        if ablation.feature.position < question.key {
            continue;
        }
        let at =
            split.sources().iter().position(|it| *it == QkSource::Source(Source::Feature(ablation.feature))).unwrap();
        if split.marginals(QkSide::Query)[at] == 0.0 {
            let taken = predicted.value - before.value + split.marginals(QkSide::Key)[at];
            assert!(taken.abs() <= 1e-4 * scale.max(1.0), "{:?}: {taken}", ablation.feature);
        }
    }
    let free =
        Correlation::of(ablations.iter().map(|it| (it.predicted.score - before.score, it.free.score - before.score)));
    println!("head {head} from {} to {}: predicted against free: {free}", question.query, question.key);
}
