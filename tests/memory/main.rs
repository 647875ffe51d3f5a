//! The rule of [`circuitscope::untrusted`] on memory, on files that were made to break it: what is allocated while one is
//! read is counted.

use circuitscope::cli::Cli;
use circuitscope::features::import::import;
use circuitscope::features::labels;
use circuitscope::features::store::{Index, unpack};
use circuitscope::format;
use circuitscope::hub::FileSource;
use circuitscope::job::Monitor;
use circuitscope::model::{ModelSpec, Weights};
use circuitscope::tokens::Tokenizer;
use circuitscope::transcoder::TranscoderConfig;
use circuitscope::untrusted::{MEMORY_BESIDE, MEMORY_FACTOR};
use clap::Parser;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with a count of what is held and of the most that was.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps to what the system allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to what the system allocator asks for.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps to what the system allocator asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        took(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to what the system allocator asks for.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A folder with files in it, and how many bytes they have.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, content)| fs::write(folder.path().join(name), content).unwrap());
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn place(&self) -> FileSource {
        FileSource::directory(self.0.path()).unwrap()
    }

    fn bytes(&self) -> usize {
        let size = |entry: Result<fs::DirEntry, _>| entry.unwrap().metadata().unwrap().len() as usize;
        fs::read_dir(self.0.path()).unwrap().map(size).sum()
    }
}

/// Reads files of `bytes` bytes, and says how much memory that took.
fn reading<T>(what: &str, bytes: usize, read: impl FnOnce() -> T) {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    drop(read());
    let most = MOST.load(Ordering::Relaxed) - before;
    println!("{what}: {bytes} bytes, {most} held");
    assert!(
        most <= MEMORY_FACTOR * bytes + MEMORY_BESIDE,
        "{what}: {bytes} bytes take {most}, which is {} times as much",
        most / bytes.max(1)
    );
}

fn gzip(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    parts.for_each(|part| out.write_all(&part).unwrap());
    out.finish().unwrap()
}

/// As many bytes as a gigabyte, a part at a time.
fn gigabyte(byte: u8) -> impl Iterator<Item = Vec<u8>> {
    (0..1024).map(move |_| vec![byte; 1 << 20])
}

const WORDS: &str = r#"{"model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1}, "unk_token": "<unk>"}}"#;

fn options(change: serde_json::Value) -> Vec<u8> {
    let mut options = json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 64, "vocab_size": 99,
    });
    let serde_json::Value::Object(change) = change else { panic!("options are an object") };
    change.into_iter().for_each(|(name, value)| options[name] = value);
    options.to_string().into_bytes()
}

fn configurations() {
    for (what, content) in [
        ("a model of 2^24 layers", options(json!({ "num_hidden_layers": 1 << 24 }))),
        ("a model of 2^12 layers", options(json!({ "num_hidden_layers": 1 << 12 }))),
        ("a model of wide layers", options(json!({ "vocab_size": 1 << 24, "hidden_size": 1 << 24 }))),
        ("options of small objects", format!("{{\"a\": [{}0]}}", "{\"\":0},".repeat(140_000)).into_bytes()),
        ("options of empty lists", format!("{{\"a\": [{}0]}}", "[],".repeat(340_000)).into_bytes()),
        ("a configuration that is too long", vec![b' '; 100 << 20]),
    ] {
        let files = Files::new(&[("config.json", &content)]);
        reading(what, files.bytes(), || ModelSpec::read(&files.place()));
    }
    let names = (1..30).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9)));
    let laughs = format!("a0: &a0 lol\n{}model_name: *a29\n", names.collect::<String>());
    for (what, content) in [
        ("aliases of aliases", laughs.into_bytes()),
        ("a list of files", format!("transcoders: [{}]\n", "a/b, ".repeat(200_000)).into_bytes()),
    ] {
        let files = Files::new(&[("config.yaml", &content)]);
        reading(what, files.bytes(), || TranscoderConfig::read(&files.place()).map(|_| ()));
    }
}

fn tokenizers() {
    let model =
        |vocab: String| format!(r#"{{"model": {{"type": "WordLevel", "vocab": {{{vocab}}}, "unk_token": "a"}}}}"#);
    let many = (0..300_000).map(|n| format!("\"{n}\":{n},")).collect::<String>() + "\"a\":300000";
    let ten = r#"{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"}"#;
    let nine = format!(
        r#"{{"normalizer": {{"type": "Sequence", "normalizers": [{}]}}, "added_tokens": [{{"id": 7, "content": "aaaaaaaa",
            "normalized": true, "special": false, "lstrip": false, "rstrip": false, "single_word": false}}], {}"#,
        [ten; 9].join(","),
        &WORDS[1..]
    );
    let numbers = format!(r#"{{"model": {{"type": "BPE", "vocab": [{}0], "merges": []}}}}"#, "0,".repeat(1 << 20));
    for (what, content) in [
        ("an id of 2^32", model("\"a\": 4294967294, \"b\": 1".to_owned())),
        ("a vocabulary", model(many)),
        ("rules nine deep", nine),
        ("a list in place of a vocabulary", numbers),
    ] {
        let files = Files::new(&[("tokenizer.json", content.as_bytes())]);
        reading(what, files.bytes(), || Tokenizer::open(&files.place()).map(|it| it.encode(&"a".repeat(1000))));
    }
    let small = format!("{{\"added_tokens_decoder\": [{}0], \"bos_token\": \"a\"}}", "{\"\":0},".repeat(500_000));
    let files = Files::new(&[("tokenizer.json", WORDS.as_bytes()), ("tokenizer_config.json", small.as_bytes())]);
    reading("a tokenizer's configuration", files.bytes(), || Tokenizer::open(&files.place()).map(|_| ()));
    let tokenizer = Tokenizer::open(&Files::new(&[("tokenizer.json", WORDS.as_bytes())]).place()).unwrap();
    for bytes in [1 << 20, 100 << 20] {
        let text = "a b ".repeat(bytes / 4);
        reading("a prompt", bytes, || tokenizer.encode(&text));
    }
    for template in [
        "{{ 'x' * 99999999 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% set l = 'x' * 90000 %}{{ l.replace('', l) }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
        "{% set s = 'x' * 900000 %}{% set l = [s] * 900 %}{{ [l, l] | tojson }}",
    ] {
        let files = Files::new(&[("tokenizer.json", WORDS.as_bytes()), ("chat_template.jinja", template.as_bytes())]);
        reading("a template", files.bytes(), || Tokenizer::open(&files.place()).unwrap().in_chat("hello"));
    }
}

fn weights() {
    // A gigabyte of zeros as an array of numbers that nobody asks for.
    let header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (268435456,), }";
    let padded = [&header[..], &vec![b' '; 117 - header.len()], b"\n"].concat();
    let start = [b"\x93NUMPY\x01\x00", &(padded.len() as u16).to_le_bytes()[..], &padded].concat();
    let mut archive = zip(&start, gigabyte(0));
    let files = Files::new(&[("w.npz", &archive)]);
    let open = || Weights::open(&files.place(), &["w.npz".to_owned()]);
    reading("an archive of zeros", files.bytes(), || open().map(|weights| weights.expect("a", &[3, 4]).is_ok()));
    archive.truncate(archive.len() / 2);
    let files = Files::new(&[("w.npz", &archive)]);
    reading("half an archive", files.bytes(), || Weights::open(&files.place(), &["w.npz".to_owned()]).map(|_| ()));
    let tensors = (0..50_000).map(|n| format!(r#""{n}":{{"dtype":"U8","shape":[],"data_offsets":[{n},{}]}}"#, n + 1));
    let header = format!("{{{}}}", tensors.collect::<Vec<_>>().join(","));
    let content = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; 50_000]].concat();
    let files = Files::new(&[("model.safetensors", &content)]);
    reading("a header of many tensors", files.bytes(), || Weights::open_model(&files.place()).map(|_| ()));
    reading("the same as a graph", files.bytes(), || format::open(&files.path("model.safetensors")).map(|_| ()));
}

/// An archive of one array, `a`, packed.
fn zip(start: &[u8], parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
    let mut crc = flate2::Crc::new();
    for part in std::iter::once(start.to_vec()).chain(parts) {
        crc.update(&part);
        deflate.write_all(&part).unwrap();
    }
    let packed = deflate.finish().unwrap();
    let sizes = [crc.sum(), packed.len() as u32, start.len() as u32 + (1 << 30)].map(u32::to_le_bytes).concat();
    let local = [b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0", &sizes[..], b"\x05\0\0\0a.npy"].concat();
    let central =
        [b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0", &sizes[..], b"\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a.npy"]
            .concat();
    let at = (local.len() + packed.len()) as u32;
    let end =
        [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &(central.len() as u32).to_le_bytes(), &at.to_le_bytes(), b"\0\0"]
            .concat();
    [local, packed, central, end].concat()
}

fn graphs() {
    let files =
        Files::new(&[("graph.json.gz", &gzip(std::iter::once(b"{\"nodes\": [".to_vec()).chain(gigabyte(b' '))))]);
    reading("a graph of blanks", files.bytes(), || format::open(&files.path("graph.json.gz")).map(|_| ()));
    let link = r#"{"source":"a","target":"a","weight":1},"#.repeat(100_000);
    let links = format!(r#"{{"metadata": {{"slug": "a"}}, "nodes": [], "links": [{link}{{}}]}}"#);
    let tokens =
        format!(r#"{{"metadata": {{"prompt_tokens": [{}""]}}, "nodes": [], "links": []}}"#, r#""","#.repeat(500_000));
    let ignored = format!(r#"{{"more": [{}0], "nodes": [], "links": []}}"#, "{\"\":0},".repeat(500_000));
    for (what, content) in
        [("a graph of links", links), ("a graph of tokens", tokens), ("a graph of other things", ignored)]
    {
        let files = Files::new(&[("graph.json", content.as_bytes())]);
        reading(what, files.bytes(), || format::open(&files.path("graph.json")).map(|_| ()));
    }
}

fn dashboards() {
    let index = gzip(
        std::iter::once(b"[{\"filename\": \"a\", \"offsets\": [0".to_vec())
            .chain((0..512).map(|_| b",0".repeat(1 << 19))),
    );
    reading("an index of zeros", index.len(), || Index::read(&index, None, "index").map(|_| ()));
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(b"{\"modelId\": \"m\", \"layer\": 1, \"index\": 2, \"activations\": [{}").unwrap();
    (0..300).for_each(|_| zlib.write_all(&b",{}".repeat(1 << 20)).unwrap());
    let packed = zlib.finish().unwrap();
    let record = [&(packed.len() as u32).to_le_bytes()[..], &packed].concat();
    reading("a record of contexts", record.len(), || unpack(&record).map(|_| ()));
    let open = format!("0,1,\"a\n{}", "b\n".repeat(5 << 20));
    let line = "x".repeat(100 << 20);
    for (what, content) in [("a label without an end", open), ("a line without an end", line)] {
        let files = Files::new(&[("labels.csv", content.as_bytes())]);
        reading(what, files.bytes(), || labels::read(&files.path("labels.csv"), &Monitor::default()).map(|_| ()));
    }
    let far = r#"{"modelId": "m", "layer": "9-set", "index": "134217727", "description": "far"}"#;
    let files = Files::new(&[("rows.jsonl", far.as_bytes())]);
    let out = files.path("store");
    let brought = || import(&[files.path("rows.jsonl")], &out, None, &Monitor::default());
    reading("a feature far beyond the others", far.len(), || brought().map(|_| ()));
}

/// Files that hold nothing and are as long as may be, and what is no file at all.
#[cfg(unix)]
fn no_files() {
    let files = Files::new(&[]);
    for name in ["graph", "config.json", "config.yaml", "tokenizer.json", "labels.csv", "interventions"] {
        File::create(files.path(name)).unwrap().set_len(1 << 40).unwrap();
    }
    let zero = Path::new("/dev/zero");
    reading("a sparse model", 0, || ModelSpec::read(&files.place()));
    reading("a sparse set", 0, || TranscoderConfig::read(&files.place()).map(|_| ()));
    reading("a sparse tokenizer", 0, || Tokenizer::open(&files.place()).map(|_| ()));
    for graph in [files.path("graph").as_path(), zero] {
        reading("a graph that is none", 0, || format::open(graph).map(|_| ()));
        reading("its model", 0, || format::model_of(graph));
    }
    for labelled in [files.path("labels.csv").as_path(), zero] {
        reading("labels that are none", 0, || labels::read(labelled, &Monitor::default()).map(|_| ()));
    }
    let run = |args: &[&str]| circuitscope::cli::run(&Cli::try_parse_from(args).unwrap()).unwrap_err();
    let out = files.path("out").display().to_string();
    reading("prompts that are none", 0, || run(&["circuitscope", "trace", "--prompts", "/dev/zero", "--out", &out]));
    for path in [files.path("interventions").display().to_string(), "/dev/zero".to_owned()] {
        let args = ["circuitscope", "intervene", "--prompt", "the", "--interventions", &path];
        reading("interventions that are none", 0, || run(&args));
    }
    let pipe = files.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(format::open(&pipe).unwrap_err().to_string().contains("named pipe"));
    assert!(labels::read(&pipe, &Monitor::default()).unwrap_err().to_string().contains("named pipe"));
}

/// One test, so that nothing else is counted.
#[test]
fn no_file_takes_memory_out_of_all_proportion() {
    configurations();
    tokenizers();
    weights();
    graphs();
    dashboards();
    #[cfg(unix)]
    no_files();
}
