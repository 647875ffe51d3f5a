//! Dashboards that lie on the hub: a feature at a time, only after a yes, and each but once.

use crate::server::{Asked, COMMIT, Fault, Server};
use crate::{Machine, says};
use circuitscope::features::remote::{ASKING, Consents};
use circuitscope::features::store::{Manifest, Store, Writer};
use circuitscope::features::{Dashboard, Library, Search};
use circuitscope::hub::{FileSource, Hub, Reference};
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::job::Job;
use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

const SET: &str = "tiny/set/sub";

/// A hub that has dashboards of features 0 and 2 of a layer, and where their records lie.
fn served() -> (Server, Machine, [Range<u64>; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = Manifest { version: Manifest::VERSION, n_layers: 1, n_features: vec![3], ..Manifest::default() };
    let mut writer = Writer::new(folder.path(), manifest).unwrap();
    for feature in [0, 2] {
        let promoted = (0..50).map(|nth| format!("token {feature} {nth}")).collect();
        writer.push(0, feature, &Dashboard { promoted, ..Dashboard::default() }).unwrap();
    }
    writer.finish().unwrap();
    let store = Store::open(&FileSource::directory(folder.path()).unwrap(), "", None).unwrap().unwrap();
    let range = |feature| store.index().record(Layer(0), FeatureId(feature)).unwrap().1;
    let ranges = [range(0), range(2)];
    let server = Server::start();
    server.offer("tiny/set", folder.path(), "sub/features/");
    let machine = Machine::new(&server);
    (server, machine, ranges)
}

fn show(feature: &str, more: &[&str]) -> Vec<String> {
    let all = ["features", "show", feature, "--transcoder", SET, "--json"];
    all.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn shown(machine: &Machine, feature: &str, more: &[&str]) -> serde_json::Value {
    let args = show(feature, more);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = machine.run(&args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(machine: &Machine, feature: &str, more: &[&str]) -> String {
    let args = show(feature, more);
    machine.fails(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn paths(asked: &[Asked]) -> Vec<&str> {
    asked.iter().filter(|asked| !asked.storage).map(|asked| asked.path.as_str()).collect()
}

#[test]
fn nothing_is_asked_before_the_person_says_yes() {
    let (server, machine, _) = served();
    says(
        &refused(&machine, "0:2", &[]),
        &["nothing is known of feature 0:2", "--download asks the hub", SET, "learns"],
    );
    let offline = refused(&machine, "0:2", &["--download", "--offline"]);
    says(&offline, &["nothing is known of feature 0:2"]);
    assert!(!offline.contains("--download asks"), "{offline}");
    assert_eq!(server.asked().len(), 0, "{:?}", server.asked());
}

#[test]
fn a_record_comes_by_its_range_of_bytes_and_but_once() {
    let (server, machine, [first, second]) = served();
    let json = shown(&machine, "0:2", &["--download"]);
    assert_eq!(json["dashboard"]["top_logits"][7], "token 2 7");
    assert_eq!((&json["origin"]["kind"], &json["origin"]["path"]), (&"from the hub".into(), &SET.into()));
    let asked = server.asked();
    let resolve = |file: &str| format!("/tiny/set/resolve/{COMMIT}/sub/features/{file}");
    let expected =
        ["/api/models/tiny/set/revision/main?blobs=true", &resolve("index.json.gz"), &resolve("layer_0.bin")];
    assert_eq!(paths(&asked), expected);
    let stored: Vec<_> = asked.iter().filter(|asked| asked.storage).filter_map(|asked| asked.range.clone()).collect();
    assert_eq!(stored, [format!("bytes={}-{}", second.start, second.end - 1)]);

    // What came is kept; what the index says is not there is not asked for.
    assert_eq!(shown(&machine, "0:2", &["--download"]), json);
    says(&refused(&machine, "0:1", &["--download"]), &["nothing is known of feature 0:1"]);
    assert_eq!(server.asked().len(), asked.len());

    // A yes that was kept, and no network: what is here is shown, and the rest is not asked for.
    let config = machine.path(".config/circuitscope");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("features.json"), format!(r#"{{"features_from_hub": ["{SET}"]}}"#)).unwrap();
    assert_eq!(shown(&machine, "0:2", &["--offline"]), json);
    let args = show("0:0", &["--offline"]);
    let output = machine.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    says(&stderr, &["layer_0.bin", "--offline forbids", "nothing is known of feature 0:0"]);
    assert_eq!(server.asked().len(), asked.len());
    assert_eq!(shown(&machine, "0:0", &[])["dashboard"]["top_logits"][7], "token 0 7");
    let range = server.asked().last().unwrap().range.clone();
    assert_eq!(range, Some(format!("bytes={}-{}", first.start, first.end - 1)));
}

#[test]
fn a_server_that_sends_something_else() {
    // One that knows no ranges, after a first answer that ends early, and one that does not stop where it should.
    for fault in [Fault::EndsAfterAndStartsOver(3), Fault::NeverEnds] {
        let (server, machine, _) = served();
        server.set(fault);
        assert_eq!(shown(&machine, "0:2", &["--download"])["dashboard"]["top_logits"][7], "token 2 7", "{fault:?}");
    }
    let said = |fault| {
        let (server, machine, _) = served();
        server.set(fault);
        let args = show("0:2", &["--download"]);
        let output = machine.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    says(&said(Fault::OtherBytes), &["feature 0:2 of hf://tiny/set@main/sub/features/layer_0.bin"]);
    says(&said(Fault::EndsAtOnce), &["layer_0.bin cannot be reached"]);
    says(&said(Fault::Gated), &["tiny/set is gated"]);
    says(&said(Fault::CommitIsAPath), &["it calls its commit"]);

    let (server, machine, _) = served();
    server.offer("tiny/none", &crate::fixture("llama_plt_relu/model"), "");
    let refusal = machine.fails(&["features", "show", "0:2", "--transcoder", "tiny/none", "--download"]);
    says(&refusal, &["nothing is known of feature 0:2"]);
}

#[test]
fn a_stop_is_heard_while_the_server_is_silent() {
    let (server, machine, _) = served();
    server.set(Fault::FallsSilent);
    let (home, endpoint) = (machine.path(""), machine.endpoint.clone());
    let env = move |name: &str| -> Option<OsString> {
        match name {
            "HF_HOME" | "HOME" => Some(home.clone().into()),
            "HF_ENDPOINT" => Some(endpoint.clone().into()),
            _ => None,
        }
    };
    let set = Reference::parse(SET).unwrap();
    let mut consents = Consents::open(Some(machine.path("consents.json")));
    consents.give(&set).unwrap();
    let hub = Hub::from_env(&env, false);
    let data = machine.path("data");
    let job = Job::spawn(
        "features",
        move |monitor| {
            let search = Search { data: Some(&data), ..Search::default() };
            let library = Library::open(&search, monitor).unwrap().with_hub(&hub, &set, &search, consents);
            library.read(Layer(0), FeatureId(2), monitor).map(|found| found.notices)
        },
        || {},
    )
    .unwrap();
    let begun = Instant::now();
    while !server.asked().iter().any(|asked| asked.storage) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", server.asked());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(job.progress().phase, ASKING);
    let asked = Instant::now();
    job.cancel();
    let outcome = job.wait(Duration::from_secs(10)).unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_millis(100), "{:?}", asked.elapsed());
    assert!(outcome.is_err(), "{outcome:?}");
}
