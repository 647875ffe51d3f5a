//! The rules by which jobs are answered.

use super::*;
use std::sync::mpsc::{Sender, channel};

/// Parts and results that were applied, in order.
type Log = Vec<String>;

const NEWEST: JobKey = JobKey::new("newest").of_graph();
const ALL: JobKey = JobKey::new("all").answering_all();

fn jobs() -> Jobs<Log> {
    Jobs::new(Services::default(), Arc::new(|| {}))
}

/// Submits work that ends when a message is sent or, where `hears`, when the job is stopped.
fn submit(jobs: &mut Jobs<Log>, key: JobKey, name: &'static str, hears: bool) -> (RequestId, Sender<()>) {
    let (end, ends) = channel();
    let id = jobs.next_request();
    let work = move |_: &Services, monitor: &Monitor, teller: &Teller<&'static str>| {
        teller.tell("begun");
        while ends.try_recv().is_err() {
            if hears {
                monitor.report(name, 1, 2).map_err(|stop| stop.to_string())?;
            }
            thread::yield_now();
        }
        Ok(name)
    };
    let told = move |log: &mut Log, part| log.push(format!("{name} {part}"));
    let apply = move |log: &mut Log, result: Result<&str, String>| match result {
        Ok(done) => log.push(done.to_owned()),
        Err(why) => log.push(format!("{name}: {why}")),
    };
    jobs.submit_telling(id, key, work, told, apply);
    (id, end)
}

/// Runs jobs until `is_so` holds, at most until no job is left.
fn run_until(jobs: &mut Jobs<Log>, is_so: impl Fn(&Jobs<Log>, &Log) -> bool) -> Log {
    let mut log = Log::new();
    while !is_so(jobs, &log) && !jobs.is_idle() {
        jobs.start();
        for lane in 0..jobs.n_lanes() {
            let updates = [jobs.told(lane), jobs.result(lane)];
            updates.into_iter().flatten().for_each(|update| update(&mut log));
        }
        thread::yield_now();
    }
    log
}

fn run(jobs: &mut Jobs<Log>) -> Log {
    run_until(jobs, |_, _| false)
}

/// Lets a job begin.
fn begin(jobs: &mut Jobs<Log>) -> Log {
    run_until(jobs, |_, log| !log.is_empty())
}

#[test]
fn of_a_kind_the_newest_is_answered_alone() {
    // The first one hears too late that it was stopped, and has its result all the same.
    let mut jobs = jobs();
    let (_, end) = submit(&mut jobs, NEWEST, "first", false);
    assert_eq!(begin(&mut jobs), ["first begun"]);
    let (_, _passed_over) = submit(&mut jobs, NEWEST, "second", false);
    let (_, last) = submit(&mut jobs, NEWEST, "third", false);
    assert!(jobs.is_waiting(NEWEST));
    end.send(()).unwrap();
    last.send(()).unwrap();
    let log = run(&mut jobs);
    assert_eq!(log.last().map(String::as_str), Some("third"));
    assert!(log.iter().all(|line| line.starts_with("third")), "{log:?}");
    assert!(!jobs.is_waiting(NEWEST));
}

#[test]
fn every_request_is_answered_once_where_all_count() {
    let mut jobs = jobs();
    let _kept = submit(&mut jobs, ALL, "first", true);
    begin(&mut jobs);
    let _passed_over = submit(&mut jobs, ALL, "second", true);
    let (_, end) = submit(&mut jobs, ALL, "third", true);
    end.send(()).unwrap();
    let log = run(&mut jobs);
    let answers: Vec<_> = log.iter().filter(|line| !line.ends_with("begun")).collect();
    assert_eq!(answers, ["second: it was stopped before it began", "first: cancelled", "third"]);
}

#[test]
fn what_is_stopped_is_answered_and_what_is_forgotten_is_not() {
    let mut jobs = jobs();
    for stops in [true, false] {
        let (id, _end) = submit(&mut jobs, NEWEST, "work", true);
        begin(&mut jobs);
        if stops {
            jobs.stop_request(id);
        } else {
            jobs.forget_graph();
            assert!(!jobs.is_waiting(NEWEST) && !jobs.is_idle(), "its thread has not ended yet");
        }
        assert_eq!(run(&mut jobs), if stops { vec!["work: cancelled"] } else { Vec::new() });
    }
    let (id, _end) = submit(&mut jobs, ALL, "waits", true);
    jobs.stop_request(id);
    assert_eq!(run(&mut jobs), ["waits: it was stopped before it began"]);
}

#[test]
fn progress_is_that_of_the_job_that_is_waited_for() {
    let mut jobs = jobs();
    let (id, _end) = submit(&mut jobs, NEWEST, "first", true);
    assert_eq!(jobs.progress(NEWEST), None);
    begin(&mut jobs);
    while jobs.progress(NEWEST).is_none_or(|progress| progress.total == 0) {
        jobs.look_at_progress();
    }
    assert_eq!(jobs.progress_of(id).map(|progress| progress.phase), Some("first"));
    let _newer = submit(&mut jobs, NEWEST, "second", true);
    assert_eq!(jobs.progress(NEWEST), None);
    jobs.forget(NEWEST);
    run(&mut jobs);
}

#[test]
fn a_fault_in_the_work_is_an_answer() {
    let mut jobs = jobs();
    let work = |_: &Services, _: &Monitor| -> Result<(), String> { panic!("on purpose") };
    jobs.submit(NEWEST, work, |log: &mut Log, result| log.extend(result.err()));
    assert_eq!(run(&mut jobs), ["this is a fault of the program: on purpose"]);
}
