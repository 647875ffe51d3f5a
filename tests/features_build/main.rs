//! Stores made from a corpus: that they hold what the model does, and that nothing but the set of documents decides
//! about their bytes.

mod browsing;
#[path = "../../examples/train_demo/corpus/mod.rs"]
#[allow(dead_code, reason = "training uses more of it")]
mod corpus;
#[path = "../parity/fixture.rs"]
#[allow(dead_code, reason = "parity uses more of it")]
mod fixture;
mod program;
mod same;
mod truth;

use candle_core::Device;
use circuitscope::attribution::Engine;
use circuitscope::demo;
use circuitscope::features::Dashboard;
use circuitscope::features::build::{self, BuildError, Built, Corpus, Options, Part};
use circuitscope::hub::FileSource;
use circuitscope::job::Monitor;
use std::fs;
use std::path::{Path, PathBuf};

/// The engine of a reference case.
fn engine(case: &str) -> Engine {
    let place = |which: &str| FileSource::directory(&fixture::folder(case).join(which)).unwrap();
    Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap()
}

fn demo_engine() -> Engine {
    let (model, transcoder) = demo::places();
    Engine::open(&model, &transcoder, &Device::Cpu).unwrap()
}

/// A corpus of a document a line.
fn written(folder: &Path, lines: &[String]) -> Corpus {
    let path = folder.join("corpus.txt");
    fs::write(&path, lines.join("\n")).unwrap();
    Corpus::new(vec![path], None)
}

/// Gathers in one go.
fn gathered(engine: &Engine, corpus: &Corpus, options: &Options, out: &Path) -> Result<Part, BuildError> {
    build::gather(engine, corpus, options, out, |_| {}, &Monitor::default()).map(|gathered| gathered.part)
}

/// Builds in one go, and the dashboards as the format prescribes them.
fn built(engine: &Engine, lines: &[String], options: &Options) -> (Built, Vec<Vec<Dashboard>>) {
    let folder = tempfile::tempdir().unwrap();
    let part = gathered(engine, &written(folder.path(), lines), options, folder.path()).unwrap();
    let built = build::finish(engine, &part, folder.path(), &Monitor::default()).unwrap();
    (built, dashboards(folder.path()))
}

/// Every record of a store, by layer, read with nothing of this program's but the record's form; a feature without one
/// has the default.
fn dashboards(store: &Path) -> Vec<Vec<Dashboard>> {
    let index = fs::File::open(store.join("index.json.gz")).unwrap();
    let index: serde_json::Value = serde_json::from_reader(flate2::read::GzDecoder::new(index)).unwrap();
    let layer = |layer: &serde_json::Value| {
        let bytes = fs::read(store.join(layer["filename"].as_str().unwrap())).unwrap();
        let offsets: Vec<usize> =
            layer["offsets"].as_array().unwrap().iter().map(|offset| offset.as_u64().unwrap() as usize).collect();
        let record = |ends: &[usize]| match &bytes[ends[0]..ends[1]] {
            [] => Dashboard::default(),
            record => serde_json::from_reader(flate2::read::ZlibDecoder::new(&record[4..])).unwrap(),
        };
        offsets.windows(2).map(record).collect()
    };
    index.as_array().unwrap().iter().map(layer).collect()
}

/// The names and bytes of a folder's files that make up a store.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_of_store = |path: &PathBuf| path.extension().is_none_or(|ending| ending != "part" && ending != "txt");
    let mut files: Vec<_> = entries
        .filter(is_of_store)
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}
