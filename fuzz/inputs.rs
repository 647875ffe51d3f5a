//! What is done with an input of each fuzz target. Shared with `tests/fuzz`, which replays the seeds on the stable
//! toolchain.

use circuitscope::features::store::{Index, unpack};
use circuitscope::features::{labels, record};
use circuitscope::format::{self, json, torch};
use circuitscope::graph::Document;
use circuitscope::graph::query::{Query, complete};
use circuitscope::hub::FileSource;
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::job::Monitor;
use circuitscope::model::{ModelSpec, Weights};
use circuitscope::session::{self, SessionPlace};
use circuitscope::tokens::Tokenizer;
use circuitscope::transcoder::TranscoderConfig;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Records that are looked at of one input.
const MOST_RECORDS: usize = 64;

/// A binary store: the length of the index, u32 little-endian, the index, packed or not, and the file that all layers
/// lie in.
pub fn store(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let length = (u32::from_le_bytes(*length) as usize).min(rest.len());
    let (index, layers) = rest.split_at(length);
    let Ok(index) = Index::read(index, Some(&vec![64; 64]), "index") else { return };
    let mut looked_at = 0;
    for (layer, size) in index.sizes().into_iter().enumerate() {
        for feature in 0..size.min(MOST_RECORDS) {
            let Some((_, range)) = index.record(Layer::from(layer), FeatureId::from(feature)) else { continue };
            let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(layers.len());
            let read = unpack(&layers[within(range.start)..within(range.end)]);
            read.iter().flat_map(|dashboard| dashboard.examples()).for_each(|example| drop(example.pieces()));
            looked_at += 1;
            if looked_at == MOST_RECORDS {
                return;
            }
        }
    }
}

/// The JSON of a feature, circuit-tracer's or Neuronpedia's.
pub fn dashboard(data: &[u8]) {
    let Ok(record) = record::parse(data) else { return };
    for example in record.dashboard.examples() {
        let pieces = example.pieces();
        assert_eq!(pieces.iter().map(|piece| piece.tokens.len()).sum::<usize>(), example.tokens.len());
        assert!(example.strongest().is_none_or(|at| at < example.tokens.len()));
    }
    let _ = circuitscope::features::Label::automatic(&record.dashboard);
    // What was read can be written, and reads the same.
    let text = serde_json::to_vec(&record.dashboard).expect("a dashboard is written");
    assert_eq!(record::parse(&text).expect("what was written is read").dashboard, record.dashboard);
}

/// A graph JSON of any dialect.
pub fn graph(data: &[u8]) {
    let _ = json::read(Path::new("graph"), data);
}

/// circuit-tracer's `.pt`.
pub fn torch(data: &[u8]) {
    let _ = torch::read(Path::new("graph"), data);
}

/// A filter, read, written and read again, and what is offered while it is typed.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    drop(complete(text, text.len() / 2, &|_| vec!["a label".to_owned()]));
    drop(complete(text, text.len(), &|_| Vec::new()));
    if let Ok(query) = Query::parse(text) {
        let again = Query::parse(&query.to_string()).expect("what was written is read");
        assert_eq!(again.expr(), query.expr());
    }
}

/// A folder with files, for readers that are given one. It goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn with(files: &[(&str, &[u8])]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let name = format!("circuitscope-fuzz-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(root.join(name));
        fs::create_dir(&folder.0).expect("a folder is made");
        files.iter().for_each(|(name, content)| fs::write(folder.0.join(name), content).expect("a file is written"));
        folder
    }

    fn place(&self) -> FileSource {
        FileSource::directory(&self.0).expect("the folder is there")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A model's `config.json`.
pub fn config(data: &[u8]) {
    if let Ok(spec) = ModelSpec::read(&Folder::with(&[("config.json", data)]).place()) {
        check_spec(&spec);
    }
}

fn check_spec(spec: &ModelSpec) {
    assert!(spec.n_layers == spec.layers.len() && spec.n_layers <= 1 << 12);
    assert!(spec.head_dim > 0 && spec.n_heads.is_multiple_of(spec.n_kv_heads));
}

/// A transcoder's `config.yaml`.
pub fn set(data: &[u8]) {
    let folder = Folder::with(&[("config.yaml", data)]);
    if let Ok(config) = TranscoderConfig::read(&folder.place()) {
        let place = folder.place();
        config.transcoders.iter().flatten().for_each(|entry| drop(place.listed(entry)));
    }
}

/// A tokenizer, and how it reads a prompt.
pub fn tokenizer(data: &[u8]) {
    if let Ok(tokenizer) = Tokenizer::open(&Folder::with(&[("tokenizer.json", data)]).place()) {
        check_tokenizer(&tokenizer);
    }
}

fn check_tokenizer(tokenizer: &Tokenizer) {
    if let Ok(ids) = tokenizer.encode("the capital of France is, 2 é\u{200d}") {
        drop(tokenizer.joined(&ids));
        ids.iter().for_each(|id| assert!(tokenizer.text(*id).len() <= 1 << 18));
    }
    drop(tokenizer.unknown_words("the Capital"));
    drop(tokenizer.target("the", 1 << 20));
}

/// A chat template, put around a message.
pub fn template(data: &[u8]) {
    const WORDS: &[u8] = br#"{"model": {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}}"#;
    const NAMES: &[u8] = br#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}}"#;
    let files = [("tokenizer.json", WORDS), ("tokenizer_config.json", NAMES), ("chat_template.jinja", data)];
    let Ok(tokenizer) = Tokenizer::open(&Folder::with(&files).place()) else { return };
    if let Ok(text) = tokenizer.in_chat("hello") {
        assert!(text.len() <= 64 << 20, "a template makes {} bytes", text.len());
    }
}

/// A NumPy archive of weights.
pub fn npz(data: &[u8]) {
    let folder = Folder::with(&[("weights.npz", data)]);
    if let Ok(weights) = Weights::open(&folder.place(), &["weights.npz".to_owned()]) {
        read_weights(&weights, &["W_enc", "b_enc", "W_dec", "threshold", "a"]);
    }
}

/// Reads those of some weights that are small.
fn read_weights(weights: &Weights, names: &[&str]) {
    for name in names {
        let Some(shape) = weights.get(name).map(|entry| entry.shape().to_vec()) else { continue };
        let numbers = shape.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        if numbers.is_some_and(|numbers| numbers <= 1 << 20) && !shape.is_empty() {
            drop(weights.read(name, &shape));
        }
    }
}

/// A GGUF file: the model's description, its weights, and the tokenizer that its metadata describes.
pub fn gguf(data: &[u8]) {
    const NAMES: [&str; 4] =
        ["lm_head.weight", "model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "wte.weight"];
    let folder = Folder::with(&[("model.gguf", data)]);
    let place = folder.place();
    if let Ok(spec) = ModelSpec::read(&place) {
        check_spec(&spec);
    }
    if let Ok(weights) = Weights::open_model(&place) {
        read_weights(&weights, &NAMES);
    }
    if let Ok(tokenizer) = Tokenizer::open(&place) {
        check_tokenizer(&tokenizer);
    }
}

/// A session beside a graph.
pub fn session(data: &[u8]) {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    let graph: &[u8] = include_bytes!("corpus/session-graph.json");
    let document = DOCUMENT.get_or_init(|| json::read(Path::new("graph"), graph).expect("the graph is read"));
    let folder = Folder::with(&[("graph.json.session.json", data)]);
    let opened = session::open(SessionPlace::beside(&folder.0.join("graph.json"), None), document);
    let n_nodes = document.graph.n_nodes();
    assert!(opened.session.edited.pins.iter().all(|id| id.index() < n_nodes));
}

/// A graph's file of whatever kind.
pub fn file(data: &[u8]) {
    let folder = Folder::with(&[("graph", data)]);
    let path = folder.0.join("graph");
    drop(format::model_of(&path));
    drop(format::open(&path));
}

/// Files of labels: a table, and JSON lines.
pub fn label(data: &[u8]) {
    let folder = Folder::with(&[("labels.csv", data), ("labels.jsonl", data)]);
    let monitor = Monitor::default();
    for name in ["labels.csv", "labels.jsonl"] {
        drop(labels::read(&folder.0.join(name), &monitor));
    }
}
