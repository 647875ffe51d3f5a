//! Connections that break, and bytes that are not the right ones.

use crate::server::{Asked, COMMIT, Fault, Server, oid, sha256};
use crate::{Machine, fixture, says};
use circuitscope::hub::{DOWNLOADING, Hub, Patience, Reference, Request, SetOptions};
use circuitscope::job::{Job, Monitor};
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

const MODEL: &str = "tiny/model";

fn served(fault: Fault) -> (Server, Machine) {
    let server = Server::start();
    server.offer(MODEL, &fixture("llama_plt_relu/model"), "");
    server.set(fault);
    let machine = Machine::new(&server);
    (server, machine)
}

fn weights() -> Vec<u8> {
    fs::read(fixture("llama_plt_relu/model/model.safetensors")).unwrap()
}

/// What was asked of the storage.
fn of_storage(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| asked.storage).collect()
}

fn pulled(machine: &Machine) -> Option<Vec<u8>> {
    fs::read(machine.repo(MODEL).join("blobs").join(sha256(&weights()))).ok()
}

#[test]
fn what_broke_off_goes_on_where_it_was() {
    const CUT: usize = 50_000;
    for (fault, ranges) in [
        (Fault::EndsAfter(CUT), vec![None, Some(CUT)]),
        (Fault::EndsAfterAndStartsOver(CUT), vec![None, Some(CUT)]),
        (Fault::EndsAfterAndRangeIsRefused(CUT), vec![None, Some(CUT), None]),
    ] {
        let (server, machine) = served(fault);
        machine.succeeds(&["pull", MODEL]);
        assert_eq!(pulled(&machine), Some(weights()), "{fault:?}");
        let asked: Vec<_> = of_storage(&server).into_iter().map(|asked| asked.range).collect();
        let ranges: Vec<_> = ranges.into_iter().map(|from| from.map(|from| format!("bytes={from}-"))).collect();
        assert_eq!(asked, ranges, "{fault:?}");
    }
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_broke_off() {
    let (server, machine) = served(Fault::EndsAtOnce);
    let complaint = machine.fails(&["pull", MODEL]);
    says(&complaint, &["model.safetensors", "cannot be reached", "what was fetched is kept"]);
    assert!(!machine.repo(MODEL).join("refs").exists(), "half a snapshot has no name");
    server.set(Fault::None);
    let blobs = machine.repo(MODEL).join("blobs");
    fs::write(blobs.join(format!("{}.incomplete", sha256(&weights()))), &weights()[..1234]).unwrap();
    let said = machine.succeeds(&["pull", MODEL]);
    says(&said, &["of it here"]);
    assert_eq!(of_storage(&server).last().unwrap().range.as_deref(), Some("bytes=1234-"));
    assert_eq!(pulled(&machine), Some(weights()));
}

#[test]
fn a_wrong_hash_is_said_and_leaves_nothing() {
    let (server, machine) = served(Fault::OtherBytes);
    says(&machine.fails(&["pull", MODEL]), &["model.safetensors", "SHA-256", "removed"]);
    assert_eq!(pulled(&machine), None);
    assert!(!machine.repo(MODEL).join("blobs").join(format!("{}.incomplete", sha256(&weights()))).exists());
    server.set(Fault::None);
    machine.succeeds(&["pull", MODEL]);

    // Also where what had come before was wrong.
    let (server, machine) = served(Fault::EndsAtOnce);
    machine.fails(&["pull", MODEL]);
    server.set(Fault::None);
    let incomplete = machine.repo(MODEL).join("blobs").join(format!("{}.incomplete", sha256(&weights())));
    fs::write(&incomplete, vec![7; 1234]).unwrap();
    says(&machine.fails(&["pull", MODEL]), &["SHA-256"]);
    assert!(!incomplete.exists());
    machine.succeeds(&["pull", MODEL]);
}

/// The hub as the library sees it, for a machine.
fn hub(machine: &Machine) -> Hub {
    let (home, endpoint) = (machine.path(""), machine.endpoint.clone());
    let env = move |name: &str| -> Option<OsString> {
        match name {
            "HF_HOME" | "HOME" => Some(home.clone().into()),
            "HF_ENDPOINT" => Some(endpoint.clone().into()),
            _ => None,
        }
    };
    Hub::from_env(&env, false)
}

/// Pulls with little patience; gives what is wrong.
fn pull(machine: &Machine, patience: Patience) -> Result<(), String> {
    let mut hub = hub(machine);
    hub.access.patience = patience;
    let (request, monitor) =
        (Request::Each(vec![Reference::parse(MODEL).unwrap()], SetOptions::default()), Monitor::default());
    let offer = hub.offer(&request, true, &monitor);
    offer.and_then(|offer| hub.fetch(&offer, &monitor)).map_err(|error| error.to_string())
}

#[test]
fn small_files_are_what_the_listing_promised() {
    let (server, machine) = served(Fault::OtherSmallBytes);
    says(&machine.fails(&["pull", MODEL]), &["tiny/model/", "blob id", "removed"]);
    assert!(!machine.repo(MODEL).join("refs").exists());
    server.set(Fault::None);
    machine.succeeds(&["pull", MODEL]);
    // They bear the names that Git has for them.
    let tokenizer = fs::read(fixture("llama_plt_relu/model/tokenizer.json")).unwrap();
    assert_eq!(fs::read(machine.repo(MODEL).join("blobs").join(oid(&tokenizer))).unwrap(), tokenizer);

    // A configuration that is looked at to plan the download is not believed either.
    let server = Server::start();
    server.offer("tiny/set", &fixture("llama_plt_relu/transcoder"), "");
    server.set(Fault::OtherSmallBytes);
    says(&Machine::new(&server).fails(&["pull", "tiny/set"]), &["config.yaml", "blob id"]);
}

#[test]
fn files_of_one_etag_stay_apart() {
    let (_server, machine) = served(Fault::OneEtag);
    machine.succeeds(&["pull", MODEL]);
    let snapshot = machine.repo(MODEL).join("snapshots").join(COMMIT);
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let expected = fs::read(fixture("llama_plt_relu/model").join(file)).unwrap();
        assert_eq!(fs::read(snapshot.join(file)).unwrap(), expected, "{file}");
    }
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_asks() {
    let quick = Patience { pause: Duration::from_millis(1), ..Patience::default() };
    for status in [429, 503] {
        let (_server, machine) = served(Fault::Busy(3, status, None));
        pull(&machine, quick).unwrap();
        let (_server, machine) = served(Fault::Busy(2, status, Some(0)));
        pull(&machine, Patience::default()).unwrap();
        // For longer than anybody waits.
        let (server, machine) = served(Fault::Busy(1, status, Some(86_400)));
        says(&pull(&machine, quick).unwrap_err(), &["busy", &status.to_string(), "86400 s", "run it again"]);
        assert_eq!(server.asked().len(), 1);
        let (_server, machine) = served(Fault::Busy(usize::MAX, status, None));
        says(&pull(&machine, quick).unwrap_err(), &["busy", "a while"]);
    }
    // What it asks for is waited for.
    let (server, machine) = served(Fault::Busy(1, 429, Some(1)));
    let begun = Instant::now();
    pull(&machine, quick).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1) && server.asked().len() > 1);
}

#[test]
fn a_server_that_drips_is_given_up() {
    let second = Duration::from_secs(1);
    let slow = Patience { stretch: Duration::from_millis(200), ..Patience::default() };
    for fault in [Fault::DripsListing, Fault::DripsStored] {
        let (_server, machine) = served(fault);
        says(&pull(&machine, slow).unwrap_err(), &["cannot be reached", "less than 8192 bytes a second"]);
    }
    // Fast enough to go on for ever, but not for a listing.
    let (_server, machine) = served(Fault::DripsListing);
    let patience = Patience { least_rate: 0, small: second / 5, ..Patience::default() };
    says(&pull(&machine, patience).unwrap_err(), &["cannot be reached", "takes more than"]);
}

#[test]
fn a_stop_is_heard_while_the_server_is_silent() {
    let (_server, machine) = served(Fault::FallsSilent);
    let hub = hub(&machine);
    let request = Request::Each(vec![Reference::parse(MODEL).unwrap()], SetOptions::default());
    let job = Job::spawn(
        "pull",
        move |monitor| hub.offer(&request, true, monitor).and_then(|offer| hub.fetch(&offer, monitor)),
        || {},
    )
    .unwrap();
    let half = weights().len() as u64 / 2;
    let begun = Instant::now();
    while job.progress().phase != DOWNLOADING || job.progress().done < half {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", job.progress());
        std::thread::sleep(Duration::from_millis(5));
    }
    let asked = Instant::now();
    job.cancel();
    let result = job.wait(Duration::from_secs(10)).unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_millis(100), "{:?}", asked.elapsed());
    assert_eq!(result.unwrap_err().to_string(), "cancelled");
}
