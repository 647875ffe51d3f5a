//! That order, shards and interruptions change no byte.

use crate::{demo_engine, files, gathered, written};
use circuitscope::array::Shard;
use circuitscope::attribution::Engine;
use circuitscope::features::build::{self, BuildError, Options, Part, part_path};
use circuitscope::job::{Cancel, Monitor};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Documents of many lengths, some of them twice.
fn documents() -> Vec<String> {
    let sentences: Vec<String> = crate::corpus::sentences().into_iter().map(|sentence| sentence.text).collect();
    let mut documents: Vec<String> = sentences.iter().step_by(9).cloned().collect();
    documents.extend(sentences.chunks(40).step_by(11).map(|some| some.join(" ")));
    documents.extend(sentences.iter().step_by(900).cloned());
    documents
}

fn options() -> Options {
    Options { examples: 5, seed: 3, ..Options::default() }
}

fn finished(engine: &Engine, part: &Part) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    build::finish(engine, part, folder.path(), &Monitor::default()).unwrap();
    files(folder.path())
}

/// In the order in which the documents stand.
fn whole(engine: &Engine, documents: &[String]) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let part = gathered(engine, &written(folder.path(), documents), &options(), folder.path()).unwrap();
    finished(engine, &part)
}

#[test]
fn the_order_of_documents_changes_no_byte() {
    let (engine, mut documents) = (demo_engine(), documents());
    let forward = whole(&engine, &documents);
    documents.reverse();
    let middle = documents.len() / 3;
    documents.rotate_left(middle);
    assert!(whole(&engine, &documents) == forward);
    // Other documents do.
    documents.pop();
    assert!(whole(&engine, &documents) != forward);
}

#[test]
fn shards_merge_into_what_one_run_writes() {
    let (engine, documents) = (demo_engine(), documents());
    let folder = tempfile::tempdir().unwrap();
    let corpus = written(folder.path(), &documents);
    let shards = [3, 1, 2].map(|nth| Shard { nth, of: 3 });
    let paths = shards.map(|shard| {
        gathered(&engine, &corpus, &Options { shard, ..options() }, folder.path()).unwrap();
        part_path(folder.path(), shard)
    });
    let merged = build::merge(&paths, &Monitor::default()).unwrap();
    assert!(finished(&engine, &merged) == whole(&engine, &documents));

    let refused = |paths: &[std::path::PathBuf], what: &str| {
        let said = build::merge(paths, &Monitor::default()).unwrap_err().to_string();
        assert!(said.contains(what), "{said}");
    };
    refused(&paths[..2], "shard 2 of 3 is not among the parts");
    refused(&[paths[0].clone(), paths[0].clone()], "the same shard");
    let other = tempfile::tempdir().unwrap();
    let shard = shards[2];
    gathered(&engine, &corpus, &Options { seed: 4, shard, ..options() }, other.path()).unwrap();
    let foreign = part_path(other.path(), shard);
    let with_other = |what: &str| {
        refused(&[paths[0].clone(), foreign.clone()], &format!("{}: it was made with {what}", foreign.display()));
    };
    with_other("other options");
    let own = Part::read(&paths[2]).unwrap();
    let changed = |change: fn(&mut Part)| {
        let mut part = own.clone();
        change(&mut part);
        part.write(&foreign).unwrap();
    };
    changed(|part| part.task.files.clear());
    with_other("another model or transcoder");
    changed(|part| part.task.program = "0.0.9".to_owned());
    with_other("version 0.0.9 of this program");
    changed(|part| part.task.dtype = "bf16".to_owned());
    with_other("--dtype bf16");
    changed(|part| part.course.read += 1);
    with_other("another corpus");
    changed(|part| part.course.done = false);
    refused(&[paths[0].clone(), foreign.clone()], "this shard is not finished");
    let bytes = fs::read(&paths[2]).unwrap();
    for end in [bytes.len() / 2, bytes.len() - 1, 100, 9] {
        fs::write(&foreign, &bytes[..end]).unwrap();
        refused(&[paths[0].clone(), paths[1].clone(), foreign.clone()], "it is damaged");
    }
}

/// Stopped again and again, at moments that fall within reading, batches and layers.
#[test]
fn interruptions_change_no_byte() {
    let (engine, documents) = (demo_engine(), documents());
    let folder = tempfile::tempdir().unwrap();
    let corpus = written(folder.path(), &documents);
    let (mut stops, mut within_a_batch, mut last) = (0, 0, 0);
    let part = loop {
        let cancel = Cancel::default();
        let monitor = Monitor::with_cancel(cancel.clone());
        let pause = Duration::from_millis(20 + 50 * stops);
        let outcome = std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(pause);
                cancel.cancel();
            });
            build::gather(&engine, &corpus, &options(), folder.path(), |_| {}, &monitor)
        });
        match outcome {
            Ok(gathered) => break gathered.part,
            Err(BuildError::Stopped { tokens, .. }) => {
                stops += 1;
                assert!(tokens >= last, "a run goes on where the one before it was stopped");
                last = tokens;
                let kept = Part::read(&part_path(folder.path(), Shard::WHOLE)).unwrap();
                within_a_batch += u32::from(kept.course.layers > 0);
                // Written and read it is the same.
                let copy = folder.path().join("copy.part");
                kept.write(&copy).unwrap();
                assert!(fs::read(&copy).unwrap() == fs::read(part_path(folder.path(), Shard::WHOLE)).unwrap());
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(stops > 3 && within_a_batch > 0, "{stops} stops, {within_a_batch} of them within a batch");
    assert!(finished(&engine, &part) == whole(&engine, &documents));
}

#[test]
fn what_was_kept_is_gone_on_with_for_the_same_task_and_corpus_alone() {
    let engine = demo_engine();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let documents = documents();
    let refused = |corpus: &build::Corpus, options: &Options, what: &str| {
        let said = gathered(&engine, corpus, options, out).unwrap_err().to_string();
        assert!(said.contains(what), "{said}");
    };
    let corpus = written(out, &documents);
    stopped_after_a_batch(&engine, &corpus, out);
    refused(&corpus, &Options { examples: 6, ..options() }, "a run with other options left it");
    // Of the same length, so that only its content tells.
    let mut changed = documents.clone();
    changed[0] = changed[0].chars().rev().collect();
    let kept = part_path(out, Shard::WHOLE);
    let mut part = Part::read(&kept).unwrap();
    assert_eq!(part.course.read, 0, "a round is longer than a batch");
    part.course.read = 1;
    part.write(&kept).unwrap();
    refused(&written(out, &changed), &options(), "the corpus is no longer the one");
    refused(&written(out, &documents[1..]), &options(), "another corpus");
    let mut bytes = fs::read(&kept).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&kept, &bytes).unwrap();
    refused(&written(out, &documents), &options(), "it is damaged");
    fs::write(&kept, &bytes[..middle]).unwrap();
    refused(&written(out, &documents), &options(), "it is damaged");
    fs::write(&kept, b"{}").unwrap();
    refused(&written(out, &documents), &options(), "it is no part of a feature store");
}

fn stopped_after_a_batch(engine: &Engine, corpus: &build::Corpus, out: &Path) {
    let cancel = Cancel::default();
    let monitor = Monitor::with_cancel(cancel.clone());
    let often = Options { every: Duration::ZERO, ..options() };
    let outcome = build::gather(engine, corpus, &often, out, |_| cancel.cancel(), &monitor);
    assert!(outcome.is_err_and(|error| error.is_cancelled()));
}

#[test]
fn what_does_not_fit_or_is_not_there_is_said() {
    let engine = demo_engine();
    let folder = tempfile::tempdir().unwrap();
    let corpus = written(folder.path(), &documents());
    let said = |options: &Options| gathered(&engine, &corpus, options, folder.path()).unwrap_err().to_string();
    assert!(said(&Options { memory: Some(1 << 20), ..options() }).contains("1.00 MiB may be held"));
    assert!(said(&Options { memory: Some(8 << 20), ..options() }).contains("the next run goes on there"));
    let beyond = Options { selection: "9".parse().unwrap(), ..options() };
    assert_eq!(said(&beyond), "there is no layer 9; the transcoder has 4");
    let empty = tempfile::tempdir().unwrap();
    let error = gathered(&engine, &written(empty.path(), &[]), &options(), empty.path()).unwrap_err();
    assert_eq!(error.to_string(), "the corpus holds no document");
}
