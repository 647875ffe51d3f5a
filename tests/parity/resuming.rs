//! A trace that was stopped and resumed, or extended, is the uninterrupted one, byte for byte of its file.

use crate::fixture::{CASES, folder};
use candle_core::Device;
use circuitscope::attribution::{Engine, TargetChoice, TraceError, TraceOptions, Tracing};
use circuitscope::demo;
use circuitscope::format::raw;
use circuitscope::graph::{Cut, RawTrace, RowTarget, Settings};
use circuitscope::hub::FileSource;
use circuitscope::job::Monitor;
use serde_json::Value;
use std::path::Path;

/// Blocks of 3 rows, in rounds of 8: a round ends with a smaller block.
const DENSE: Cut = Cut { block_rows: 3, dropped_share: None };
const SPARSE: Cut = Cut { block_rows: 3, dropped_share: Some(0.05) };

/// An engine, a prompt for it, and how its traces are cut.
struct Subject {
    engine: Engine,
    prompt: String,
    cut: Cut,
}

impl Subject {
    fn case(name: &str, cut: Cut) -> Self {
        let place = |which: &str| FileSource::directory(&folder(name).join(which)).unwrap();
        let description = std::fs::read(folder(name).join("case.json")).unwrap();
        let description: Value = serde_json::from_slice(&description).unwrap();
        Self {
            engine: Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap(),
            prompt: description["prompts"][0]["text"].as_str().unwrap().to_owned(),
            cut,
        }
    }

    fn demo() -> Self {
        let (model, transcoder) = demo::places();
        let engine = Engine::open(&model, &transcoder, &Device::Cpu).unwrap();
        Self { engine, prompt: demo::PROMPT.to_owned(), cut: DENSE }
    }

    fn begin(&self, max_feature_nodes: Option<usize>) -> Tracing<'_> {
        let settings = Settings {
            prompt: self.prompt.clone(),
            max_feature_nodes,
            batch_size: 4,
            update_interval: 2,
            ..Settings::default()
        };
        let targets = TargetChoice::likeliest(&settings);
        let options = TraceOptions { settings, targets, cut: Some(self.cut.clone()) };
        self.engine.begin(self.engine.read(&self.prompt).unwrap(), &options, |_| {}, &Monitor::default()).unwrap()
    }

    fn resume(&self, from: RawTrace, max_feature_nodes: Option<usize>) -> Result<Tracing<'_>, TraceError> {
        self.engine.resume(from, max_feature_nodes, |_| {}, &Monitor::default())
    }

    /// The uninterrupted trace.
    fn whole(&self, max_feature_nodes: Option<usize>) -> RawTrace {
        to_the_end(self.begin(max_feature_nodes))
    }
}

fn to_the_end(mut tracing: Tracing<'_>) -> RawTrace {
    tracing.run(|_| {}, &Monitor::default()).unwrap();
    tracing.into_trace()
}

/// A trace as its file gives it back, and the file.
fn through_a_file(trace: &RawTrace) -> (RawTrace, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.safetensors");
    raw::write(&path, trace).unwrap();
    (raw::read(&path).unwrap(), std::fs::read(&path).unwrap())
}

#[track_caller]
fn same_file(what: &str, found: &RawTrace, wanted: &RawTrace) {
    assert!(through_a_file(found).1 == through_a_file(wanted).1, "{what}: the files differ");
}

#[test]
fn stopped_after_any_block_and_resumed_it_is_the_uninterrupted_trace() {
    let subjects = [
        Subject::case("llama_plt_relu", DENSE),
        Subject::case("gemma2_clt_jumprelu", DENSE),
        Subject::case("llama_plt_relu", SPARSE),
        Subject::demo(),
    ];
    for subject in subjects {
        for nodes in [Some(20), None] {
            let whole = subject.whole(nodes);
            let mut stopped_at = 0;
            loop {
                let mut tracing = subject.begin(nodes);
                let goes_on = (0..stopped_at).all(|_| tracing.advance(&Monitor::default()).unwrap());
                if !goes_on {
                    break;
                }
                let (stopped, _) = through_a_file(tracing.trace());
                let there = stopped.row_targets.len();
                let resumed = subject.resume(stopped, nodes).unwrap();
                assert_eq!(resumed.trace().row_targets.len(), there, "every block that was there is kept");
                same_file(&format!("{} from {there} rows", subject.prompt), &to_the_end(resumed), &whole);
                // A trace of every feature has many blocks, all of one round.
                stopped_at += if nodes.is_none() { 9 } else { 1 };
            }
            assert!(stopped_at > 8, "the trace was stopped at several places");
        }
    }
}

#[test]
fn extended_it_is_the_trace_that_went_as_far_at_once() {
    for case in CASES {
        for cut in [DENSE, SPARSE] {
            let subject = Subject::case(case, cut);
            let mut trace = subject.whole(Some(13));
            // 13 ends within a round, 16 and 32 with one; all is not ranked.
            for nodes in [Some(16), Some(32), Some(33), None] {
                let resumed = subject.resume(through_a_file(&trace).0, nodes).unwrap();
                trace = to_the_end(resumed);
                same_file(&format!("{case} to {nodes:?}"), &trace, &subject.whole(nodes));
            }
        }
    }
}

#[test]
fn extending_keeps_whole_rounds_and_no_more() {
    let subject = Subject::case("llama_plt_relu", DENSE);
    let kept = |nodes: usize, more: Option<usize>| {
        let resumed = subject.resume(subject.whole(Some(nodes)), more).unwrap();
        resumed.trace().row_targets.iter().filter(|row| matches!(row, RowTarget::Feature(_))).count()
    };
    assert_eq!(kept(16, Some(32)), 16);
    assert_eq!(kept(16, None), 0);
    assert!((8..13).contains(&kept(13, Some(32))));
}

/// What a resumption is refused with.
fn refused(subject: &Subject, from: RawTrace, nodes: Option<usize>) -> String {
    subject.resume(from, nodes).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_gone_on_from_is_refused() {
    let subject = Subject::case("llama_plt_relu", DENSE);
    let trace = subject.whole(Some(13));
    let other = Subject::case("llama_plt_topk", DENSE);
    assert!(refused(&other, trace.clone(), None).contains("made from other files: "));
    assert!(refused(&subject, trace.clone(), Some(12)).contains("rows of 13 features, and 12 are fewer"));
    let uncut = RawTrace { cut: None, ..trace.clone() };
    assert!(refused(&subject, uncut, None).contains("in which blocks"));
    let mut renamed = trace.clone();
    renamed.tokens[2].text = "another".to_owned();
    assert!(refused(&subject, renamed, None).contains("other texts"));
    let mut without_outputs = trace;
    without_outputs.row_targets.rotate_left(1);
    assert!(refused(&subject, without_outputs, None).contains("rows of its outputs"));
}

#[test]
fn other_weights_behind_the_same_headers_are_noticed() {
    let subject = Subject::case("llama_plt_relu", DENSE);
    let trace = subject.whole(Some(13));
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder("llama_plt_relu").join("model")).unwrap() {
        let from = file.unwrap().path();
        std::fs::copy(&from, copy.path().join(from.file_name().unwrap())).unwrap();
    }
    nudge(&copy.path().join("model.safetensors"), "model.norm.weight");
    let transcoder = FileSource::directory(&folder("llama_plt_relu").join("transcoder")).unwrap();
    let engine = Engine::open(&FileSource::directory(copy.path()).unwrap(), &transcoder, &Device::Cpu).unwrap();
    let other = Subject { engine, ..subject };
    assert!(refused(&other, trace, None).contains("other logits or errors"));
}

/// Changes one number of a bfloat16 tensor in place, by half or more.
fn nudge(path: &Path, tensor: &str) {
    let mut file = std::fs::read(path).unwrap();
    let at = {
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        tensors.tensor(tensor).unwrap().data().as_ptr() as usize - file.as_ptr() as usize
    };
    let number = u16::from_le_bytes([file[at], file[at + 1]]);
    file[at..at + 2].copy_from_slice(&(number ^ 0x40).to_le_bytes());
    std::fs::write(path, file).unwrap();
}
