//! Labels and contexts of a graph's features, many at once: after a yes, a few requests at a time, each thing but once.

use crate::server::{Fault, Server};
use crate::{Machine, says};
use circuitscope::features::store::{Manifest, Writer};
use circuitscope::features::{Dashboard, Example, Library, Quantile, Search};
use circuitscope::graph::SourceSet;
use circuitscope::hub::{Hub, Reference};
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::job::Job;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::sync::mpsc;
use std::time::Duration;

const LAYERS: u32 = 10;
const FEATURES: u32 = 30;

/// A graph of 300 features, each on the way to one output, as Neuronpedia writes them.
fn graph(transcoder: &str, source_set: Option<&str>) -> String {
    let id = |layer: u32, feature: u32| format!("{layer}_{feature}_1");
    let all = || (0..LAYERS).flat_map(|layer| (0..FEATURES).map(move |feature| (layer, feature * 7)));
    let node = |id: &str, feature: u64, layer: &str, kind: &str| {
        json!({ "node_id": id, "feature": feature, "layer": layer, "ctx_idx": 1, "feature_type": kind, "jsNodeId": id,
                "token_prob": if kind == "logit" { 0.9 } else { 0.0 }, "is_target_logit": kind == "logit", "run_idx": 0,
                "reverse_ctx_idx": 0, "clerp": "", "influence": 0.5, "activation": 1.0 })
    };
    let mut nodes: Vec<Value> = all()
        .map(|(layer, feature)| {
            let sum = u64::from(layer) + u64::from(feature);
            let pairing = sum * (sum + 1) / 2 + u64::from(feature);
            node(&id(layer, feature), pairing, &layer.to_string(), "cross layer transcoder")
        })
        .collect();
    nodes.push(node("E_5_1", 1, "E", "embedding"));
    nodes.push(node("11_7_1", 7, "11", "logit"));
    let link = |from: &str, to: &str| json!({ "source": from, "target": to, "weight": 0.5 });
    let links: Vec<Value> = all().flat_map(|(l, f)| [link("E_5_1", &id(l, f)), link(&id(l, f), "11_7_1")]).collect();
    json!({
        "metadata": { "slug": "many", "scan": "tiny", "prompt_tokens": ["<bos>", "x"], "prompt": "x", "schema_version": 1,
                      "info": { "transcoder_set": transcoder, "neuronpedia_source_set": source_set } },
        "qParams": { "pinnedIds": [], "supernodes": [], "linkType": "both", "clickedId": "", "sg_pos": "" },
        "nodes": nodes, "links": links,
    })
    .to_string()
}

fn all() -> BTreeSet<(u32, u32)> {
    (0..LAYERS).flat_map(|layer| (0..FEATURES).map(move |feature| (layer, feature * 7))).collect()
}

/// What Neuronpedia knows of a feature.
fn feature(layer: u32, index: u32) -> Value {
    json!({
        "modelId": "tiny", "layer": format!("{layer}-set"), "index": index.to_string(), "pos_str": [" Austin"],
        "pos_values": [2.5], "frac_nonzero": 0.01, "maxActApprox": 4.0,
        "activations": [{ "tokens": ["in", " Dallas"], "values": [0.0, 4.0], "maxValueTokenIndex": 1 }],
        "explanations": [{ "description": format!("feature {index} of layer {layer}") }],
    })
}

/// A site that knows all features but these, and a machine with the graph.
fn site(unknown: &[(u32, u32)]) -> (Server, Machine, String) {
    let server = Server::start();
    for (layer, index) in all().into_iter().filter(|id| !unknown.contains(id)) {
        server.offer_feature(feature(layer, index));
    }
    let machine = Machine::new(&server);
    let file = machine.path("graph.json");
    fs::write(&file, graph("tiny/none-of-the-hub's", Some("set"))).unwrap();
    (server, machine, file.display().to_string())
}

fn told(machine: &Machine, args: &[&str]) -> Value {
    let all = [&["features", "fetch", "--json"], args].concat();
    let output = machine.run(&all).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["graphs"][0].clone()
}

fn asked_of_site(server: &Server) -> Vec<(u32, u32)> {
    let bodies = server.asked().into_iter().filter(|asked| asked.path == "/api/features");
    let features = bodies.flat_map(|asked| serde_json::from_str::<Vec<Value>>(&asked.body).unwrap());
    features
        .map(|feature| {
            assert_eq!(
                (feature["modelId"].as_str(), feature["layer"].as_str().unwrap().split_once('-').unwrap().1),
                (Some("tiny"), "set")
            );
            let layer = feature["layer"].as_str().unwrap().split_once('-').unwrap().0.parse().unwrap();
            (layer, feature["index"].as_u64().unwrap() as u32)
        })
        .collect()
}

#[test]
fn nothing_is_asked_before_a_yes_that_says_who_learns_what() {
    let (server, machine, file) = site(&[]);
    let host = server.endpoint().replace("http://", "");
    let refusal = machine.fails(&["features", "fetch", &file]);
    says(&refusal, &[&host, "model tiny", "source set set", "300 features", "10 requests", "sent nowhere", "--yes"]);
    assert_eq!(server.asked().len(), 0);
    assert_eq!(told(&machine, &["--offline", &file])["named"], 0);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn three_hundred_features_are_named_in_ten_requests_a_few_at_once_and_but_once() {
    let (server, machine, file) = site(&[(3, 14), (9, 203)]);
    server.delay(Duration::from_millis(50));
    let found = told(&machine, &["--yes", &file]);
    assert_eq!((&found["features"], &found["named"], &found["known"]), (&300.into(), &298.into(), &298.into()));
    let asked = asked_of_site(&server);
    assert_eq!((server.asked().len(), asked.len()), (10, 300));
    assert_eq!(asked.into_iter().collect::<BTreeSet<_>>(), all());
    assert!((2..=4).contains(&server.most_at_once()), "{}", server.most_at_once());

    // What came is here for good; so is that two are not known.
    assert_eq!(told(&machine, &["--offline", &file])["named"], 298);
    assert_eq!(told(&machine, &["--yes", &file])["fetched"]["asked"], 0);
    assert_eq!(server.asked().len(), 10);
}

#[test]
fn a_busy_site_is_left_alone_and_asked_again() {
    for fault in [Fault::Busy(3, 429, Some(0)), Fault::Busy(2, 503, Some(1))] {
        let (server, machine, file) = site(&[]);
        server.set(fault);
        assert_eq!(told(&machine, &["--yes", &file])["named"], 300, "{fault:?}");
    }
    // One that wants to be left alone for a day is left alone.
    let (server, machine, file) = site(&[]);
    server.set(Fault::Busy(1000, 429, Some(86_400)));
    says(&machine.fails(&["features", "fetch", "--yes", &file]), &["not all of it came", "busy", "86400 s"]);
    assert!(server.asked().len() <= 4, "{}", server.asked().len());
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again_by_the_next_run() {
    let (server, machine, file) = site(&[]);
    server.set(Fault::EndsAtOnce);
    says(
        &machine.fails(&["features", "fetch", "--yes", &file]),
        &["not all of it came", "api/features", "cannot be reached"],
    );
    server.set(Fault::None);
    assert_eq!(told(&machine, &["--yes", &file])["named"], 300);
}

/// A library of the site and of a store on the hub, as the screen has it.
fn library(machine: &Machine) -> Library {
    let (home, endpoint) = (machine.path(""), machine.endpoint.clone());
    let env = move |name: &str| -> Option<OsString> {
        match name {
            "HF_HOME" | "HOME" => Some(home.clone().into()),
            "HF_ENDPOINT" | "NEURONPEDIA_ENDPOINT" => Some(endpoint.clone().into()),
            _ => None,
        }
    };
    let hub = Hub::from_env(&env, false);
    let data = machine.path("data");
    let search = Search { data: Some(&data), ..Search::default() };
    let library = Library::open(&search, &circuitscope::job::Monitor::default()).unwrap();
    let set = SourceSet { model: "tiny".to_owned(), name: "set".to_owned() };
    let consents = circuitscope::features::remote::Consents::open(None);
    let reference = Reference::parse("tiny/store").unwrap();
    library.with_hub(&hub, &reference, &search, consents).with_site(&hub, &set, Some(&data))
}

#[test]
fn what_was_stopped_goes_on_where_it_was() {
    let (server, machine, _) = site(&[]);
    let wanted: Vec<_> = all().into_iter().map(|(layer, index)| (Layer(layer), FeatureId(index))).collect();
    server.delay(Duration::from_millis(20));
    let (came, comes) = mpsc::channel();
    let (inside, features) = (library(&machine), wanted.clone());
    let job = Job::spawn(
        "fetch",
        move |monitor| {
            let came = std::sync::Mutex::new(came);
            let told = |features: &[(Layer, FeatureId)]| came.lock().unwrap().send(features.len()).unwrap_or_default();
            inside.fetch(&features, &told, monitor).map_err(|error| error.to_string())
        },
        || {},
    )
    .unwrap();
    let first = comes.recv_timeout(Duration::from_secs(30)).unwrap();
    job.cancel();
    assert_eq!(job.wait(Duration::from_secs(30)).unwrap().unwrap(), Err("cancelled".to_owned()));
    // What was on its way then is answered first.
    while server.answering() > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let library = library(&machine);
    let known = || wanted.iter().filter(|(layer, feature)| library.label(*layer, *feature).is_some()).count();
    assert!((first..300).contains(&known()), "{} are named", known());
    let before: BTreeSet<_> = asked_of_site(&server).into_iter().collect();
    let (named, asked) = (known(), server.asked().len());
    let fetched = library.fetch(&wanted, &|_| {}, &circuitscope::job::Monitor::default()).unwrap();
    assert_eq!((fetched.asked, known()), (300 - named, 300));
    let later = server.asked().split_off(asked);
    let again = later.iter().map(|asked| serde_json::from_str::<Vec<Value>>(&asked.body).unwrap().len());
    assert_eq!(again.filter(|n| *n > 0).sum::<usize>(), 300 - named);
    assert!(!before.is_empty());
}

#[test]
fn the_hub_knows_what_the_site_does_not_and_neighbours_come_together() {
    let unknown: Vec<(u32, u32)> = all().into_iter().filter(|(layer, _)| *layer < 2).collect();
    let (server, machine, _) = site(&unknown);
    let folder = tempfile::tempdir().unwrap();
    let n_features = vec![220; LAYERS as usize];
    let manifest =
        Manifest { version: Manifest::VERSION, n_layers: n_features.len(), n_features, ..Manifest::default() };
    let mut writer = Writer::new(folder.path(), manifest).unwrap();
    for (layer, feature) in (0..LAYERS).flat_map(|layer| (0..220).map(move |feature| (layer, feature))) {
        let context = |first: &str| Example {
            tokens: vec![first.to_owned(), format!("t{layer}x{feature}")],
            activations: vec![0.0, 1.0],
            ..Example::default()
        };
        let quantiles = vec![Quantile { name: "top".to_owned(), examples: vec![context("a"), context("b")] }];
        writer
            .push(layer as usize, feature as usize, &Dashboard { quantiles, max: 1.0, ..Dashboard::default() })
            .unwrap();
    }
    writer.finish().unwrap();
    server.offer("tiny/store", folder.path(), "features/");

    let library = library(&machine);
    let wanted: Vec<_> = all().into_iter().map(|(layer, index)| (Layer(layer), FeatureId(index))).collect();
    let asking = library.asking(&wanted);
    assert_eq!((asking.missing.len(), asking.told.len()), (300, 2));
    says(&asking.told[1], &["tiny/store", "300 features"]);
    let fetched = library.fetch(&wanted, &|_| {}, &circuitscope::job::Monitor::default()).unwrap();
    assert_eq!((fetched.asked, fetched.known, fetched.named), (300, 300, 300), "{:?}", fetched.problems);
    // The records of a layer lie side by side.
    let ranges = server.asked().into_iter().filter(|asked| asked.storage).count();
    assert_eq!(ranges, 2);
    let label = |layer, feature| {
        library.label(Layer(layer), FeatureId(feature)).or(library.read_here(Layer(layer), FeatureId(feature)).label)
    };
    assert_eq!(label(1, 14).unwrap().text, "t1x14");
    assert_eq!(label(2, 14).unwrap().text, "feature 14 of layer 2");
    let asked = server.asked().len();
    assert_eq!(library.asking(&wanted).missing, []);
    assert_eq!(server.asked().len(), asked);
}
