//! What is not given, and what is not taken.

use crate::server::{Fault, Server};
use crate::{Machine, complaint, fixture, says};
use std::fs;

const MODEL: &str = "tiny/model";

fn served(fault: Fault) -> (Server, Machine) {
    let server = Server::start();
    server.offer(MODEL, &fixture("llama_plt_relu/model"), "");
    server.set(fault);
    let machine = Machine::new(&server);
    (server, machine)
}

#[test]
fn nothing_is_asked_unless_it_was_asked_for() {
    let (server, machine) = served(Fault::None);
    let out = machine.path("out").display().to_string();
    let trace = ["trace", "--prompt", "x", "--out", &out, "--model", MODEL, "--transcoder", "tiny/set"];
    let refusal = machine.fails(&trace);
    says(
        &refusal,
        &["tiny/set", "no such directory", "not in the hub cache", "circuitscope pull tiny/set", "--download"],
    );
    says(&machine.fails(&[&trace[..], &["--download", "--offline"]].concat()), &["--offline forbids"]);
    for set in ["1", "true", "ON"] {
        let mut pull = machine.run(&["pull", MODEL]);
        says(&complaint(&pull.env("HF_HUB_OFFLINE", set).assert().code(1)), &[MODEL, "HF_HUB_OFFLINE forbids"]);
    }
    machine.succeeds(&["models"]);
    says(&machine.fails(&["pull", "no reference"]), &["no reference", "no such directory", "ORG/REPO"]);
    assert_eq!(server.asked().len(), 0, "{:?}", server.asked());
    assert!(!machine.path("hub").exists());
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let (server, machine) = served(Fault::None);
    fs::write(machine.path("token"), "hf_saved\n").unwrap();
    machine.succeeds(&["pull", MODEL]);
    let (storage, hub): (Vec<_>, Vec<_>) = server.asked().into_iter().partition(|asked| asked.storage);
    assert!(!storage.is_empty() && storage.iter().all(|asked| asked.token.is_none()), "{storage:?}");
    assert!(!hub.is_empty() && hub.iter().all(|asked| asked.token.as_deref() == Some("Bearer hf_saved")), "{hub:?}");

    // What the environment says goes before what a login saved.
    let before = server.asked().len();
    machine.run(&["pull", "--dry-run", MODEL]).env("HF_TOKEN", "hf_said").assert().success();
    assert_eq!(server.asked()[before].token.as_deref(), Some("Bearer hf_said"));
}

#[test]
fn a_gated_repository_says_what_to_do() {
    let (_server, machine) = served(Fault::Gated);
    let refusal = machine.fails(&["pull", MODEL]);
    says(&refusal, &[MODEL, "gated", "accept its terms", &format!("{}/{MODEL}", machine.endpoint), "HF_TOKEN"]);
}

#[test]
fn what_is_not_there() {
    let (_server, machine) = served(Fault::None);
    says(&machine.fails(&["pull", "tiny/nothing"]), &["tiny/nothing", "has no", "spelling"]);
    let folder = machine.fails(&["pull", "tiny/model/folder"]);
    says(&folder, &["tiny/model/folder", "neither a config.json", "config.yaml"]);
    // A port that nobody listens on.
    let mut pull = machine.run(&["pull", MODEL]);
    let refusal = complaint(&pull.env("HF_ENDPOINT", "http://127.0.0.1:9").assert().code(1));
    says(&refusal, &["127.0.0.1:9", "cannot be reached", "check the network"]);
}

#[test]
fn a_hostile_server_is_refused() {
    for (fault, parts) in [
        (Fault::ListsOutside, &["refused", "../../../../evil.json", "out of the cache"][..]),
        (Fault::ListsHuge, &["more bytes are needed", "free", "HF_HUB_CACHE"]),
        (Fault::CommitIsAPath, &["refused", "../../../evil"]),
        (Fault::ListsNoIds, &["refused", "does not say what", "hashes to"]),
        (Fault::NeverEnds, &["refused", "more comes than"]),
        (Fault::RedirectsRoundAndRound, &["refused", "without end"]),
    ] {
        let (_server, machine) = served(fault);
        says(&machine.fails(&["pull", MODEL]), parts);
        assert!(!machine.repo(MODEL).join("refs").exists(), "{fault:?}");
        assert!(!machine.path("evil.json").exists() && !machine.path("hub/evil.json").exists());
    }
}

#[test]
fn what_is_wrong_with_the_environment_matters_where_the_network_is_used() {
    let (server, machine) = served(Fault::None);
    machine.succeeds(&["pull", MODEL]);
    let asked = server.asked().len();
    let [model, set] = ["model", "transcoder"].map(|which| fixture("llama_plt_relu").join(which).display().to_string());
    for (name, value) in [("HF_ENDPOINT", "nowhere:secret@hub"), ("HF_TOKEN", "hf_\u{e9} secret")] {
        let mut local = machine.run(&["tokens", "--prompt", "the", "--model", &model, "--transcoder", &set]);
        local.env(name, value).assert().success();
        let mut offline =
            machine.run(&["tokens", "--prompt", "the", "--offline", "--model", MODEL, "--transcoder", &set]);
        offline.env(name, value).assert().success();
        machine.run(&["models"]).env(name, value).assert().success();
        let refusal = complaint(&machine.run(&["pull", MODEL]).env(name, value).assert().code(1));
        says(&refusal, &[name]);
        assert!(!refusal.contains("secret"), "{refusal}");
    }
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn a_password_in_the_address_is_never_said() {
    let (_server, machine) = served(Fault::None);
    let with_password = machine.endpoint.replace("://", "://me:secret@");
    for (endpoint, args) in [
        (with_password.as_str(), &["pull", "tiny/nothing"][..]),
        ("http://me:secret@127.0.0.1:9", &["pull", MODEL]),
        ("http://me:secret@", &["pull", MODEL]),
        ("http://me:secret@[bad", &["pull", MODEL]),
        ("http://me:secret@127.0.0.1:9/a b", &["pull", MODEL]),
    ] {
        let said = machine.run(args).env("HF_ENDPOINT", endpoint).assert().code(1);
        let output = said.get_output();
        let all = [output.stdout.clone(), output.stderr.clone()].concat();
        assert!(!String::from_utf8(all).unwrap().contains("secret"), "{said}");
    }
}
