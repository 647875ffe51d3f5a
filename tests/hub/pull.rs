//! What is pulled is what Python's tools would have put there, and traces as the directories do.

use crate::server::{COMMIT, Server, sha256};
use crate::{Machine, fixture, says};
use std::fs;
use std::path::Path;

const MODEL: &str = "meta-llama/Llama-3.2-1B";
const SET: &str = "tiny/transcoder";

fn served() -> Server {
    let server = Server::start();
    server.offer(MODEL, &fixture("llama_plt_relu/model"), "");
    server.offer(SET, &fixture("llama_plt_relu/transcoder"), "");
    server
}

#[test]
fn a_pair_is_pulled_once_and_traced_without_a_network() {
    let server = served();
    let machine = Machine::new(&server);
    let said = machine.succeeds(&["pull", MODEL, SET]);
    says(&said, &[MODEL, SET, "files", "to download"]);
    let model = machine.repo(MODEL);
    assert_eq!(fs::read_to_string(model.join("refs/main")).unwrap(), COMMIT);
    let snapshot = model.join("snapshots").join(COMMIT);
    let weights = fs::read(fixture("llama_plt_relu/model/model.safetensors")).unwrap();
    let link = fs::read_link(snapshot.join("model.safetensors")).unwrap();
    assert_eq!(link, Path::new("../../blobs").join(sha256(&weights)));
    assert_eq!(fs::read(snapshot.join("model.safetensors")).unwrap(), weights);
    for unneeded in ["pytorch_model.bin", "README.md"] {
        assert!(!snapshot.join(unneeded).exists(), "{unneeded} was fetched");
    }
    let blobs = fs::read_dir(model.join("blobs")).unwrap().map(|entry| entry.unwrap().file_name());
    let left_over: Vec<_> = blobs.filter(|name| name.to_str().unwrap().ends_with(".incomplete")).collect();
    assert!(left_over.is_empty(), "{left_over:?}");

    let asked = server.asked().len();
    let [model, set] = ["model", "transcoder"].map(|which| fixture("llama_plt_relu").join(which).display().to_string());
    let expected = machine.trace(&["--model", &model, "--transcoder", &set]);
    assert!(!expected.is_empty());
    assert_eq!(machine.trace(&["--offline", "--model", MODEL, "--transcoder", SET]), expected);
    // The transcoder names its model; and --download has nothing to do.
    assert_eq!(machine.trace(&["--transcoder", SET]), expected);
    assert_eq!(machine.trace(&["--download", "--transcoder", SET]), expected);
    assert_eq!(server.asked().len(), asked, "what is here is not asked for");

    // A second pull asks what the branch stands for now, and fetches nothing.
    let said = machine.succeeds(&["pull", MODEL]);
    says(&said, &["all here", "0 bytes to download"]);
    let again: Vec<_> = server.asked().split_off(asked);
    assert!(again.iter().all(|asked| !asked.path.contains("model.safetensors")), "{again:?}");
}

#[test]
fn download_fetches_what_a_trace_needs() {
    let server = served();
    let machine = Machine::new(&server);
    let [model, set] = ["model", "transcoder"].map(|which| fixture("llama_plt_relu").join(which).display().to_string());
    let expected = machine.trace(&["--model", &model, "--transcoder", &set]);
    assert!(server.asked().is_empty());
    assert_eq!(machine.trace(&["--download", "--transcoder", SET]), expected);
    assert!(!server.asked().is_empty());
}

#[test]
fn a_list_leads_to_files_of_other_repositories() {
    let folder = tempfile::tempdir().unwrap();
    let npz = fixture("gemma2_plt_jumprelu/transcoder_npz");
    fs::copy(npz.join("config.yaml"), folder.path().join("config.yaml")).unwrap();
    let server = Server::start();
    server.offer("tiny/sets", folder.path(), "wide/");
    server.offer("google/gemma-scope-2b-pt-transcoders", &npz, "");
    let machine = Machine::new(&server);
    let model = fixture("gemma2_plt_jumprelu/model").display().to_string();
    let expected = machine.trace(&["--model", &model, "--transcoder", &npz.display().to_string()]);

    let set = "tiny/sets/wide";
    says(&machine.fails(&["pull", "tiny/sets"]), &["tiny/sets", "config.yaml", "name the folder"]);
    machine.succeeds(&["pull", set]);
    assert_eq!(machine.trace(&["--model", &model, "--transcoder", set]), expected);
    assert_eq!(machine.trace(&["--model", &model, "--transcoder", &format!("hf://{set}?revision=main")]), expected);
    // The same from a directory that holds the list alone.
    let list = folder.path().display().to_string();
    assert_eq!(machine.trace(&["--model", &model, "--transcoder", &list]), expected);

    // Without one of the files, a sentence that says which and what to do.
    let scope = machine.repo("google/gemma-scope-2b-pt-transcoders").join("snapshots").join(COMMIT);
    fs::remove_dir_all(scope.join("layer_1")).unwrap();
    let out = machine.path("none").display().to_string();
    let trace = ["trace", "--prompt", "x", "--out", &out, "--model", &model, "--transcoder"];
    let complaint = machine.fails(&[&trace[..], &[set]].concat());
    says(&complaint, &[set, "only in part", "layer_1", "circuitscope pull tiny/sets/wide"]);
    let complaint = machine.fails(&[&trace[..], &[&list]].concat());
    says(&complaint, &[&list, "google/gemma-scope-2b-pt-transcoders/layer_1", "--download"]);
    assert_eq!(machine.trace(&["--download", "--model", &model, "--transcoder", &list]), expected);
}

/// Gemma Scope 2 as it is published, without a `config.yaml` and with several sets in one repository.
#[test]
fn one_set_of_several_is_chosen_and_pulled() {
    let gs2 = fixture("gemma3_plt_jumprelu_skip/transcoder_gs2/transcoder_all");
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&gs2).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        for (name, content) in [
            (name.clone(), fs::read(entry.path().join("params.safetensors")).unwrap()),
            (name.replace("16k_l0_small", "262k_l0_big"), vec![0; 8]),
        ] {
            let to = folder.path().join("transcoder_all").join(name);
            fs::create_dir_all(&to).unwrap();
            fs::write(to.join("params.safetensors"), content).unwrap();
            fs::write(to.join("config.json"), "{}").unwrap();
        }
    }
    let server = Server::start();
    let set = "google/gemma-scope-2-1b-pt";
    server.offer(set, folder.path(), "");
    let machine = Machine::new(&server);
    let model = fixture("gemma3_plt_jumprelu_skip/model").display().to_string();
    let choice = ["--width", "16k", "--l0", "small"];
    let local = folder.path().display().to_string();
    let expected = machine.trace(&[&["--model", &model, "--transcoder", &local][..], &choice].concat());

    says(&machine.fails(&["pull", set, "--width", "16k", "--l0", "medium"]), &[set, "no such", "262k"]);
    machine.succeeds(&[&["pull", set][..], &choice].concat());
    let here = machine.repo(set).join("snapshots").join(COMMIT).join("transcoder_all");
    let folders: Vec<String> =
        fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(folders.len() == 4 && folders.iter().all(|name| name.contains("16k_l0_small_affine")), "{folders:?}");
    let from_hub = ["--model", &model, "--transcoder", set];
    assert_eq!(machine.trace(&[&from_hub[..], &choice].concat()), expected);
    // What is not here of another one is fetched when it is allowed, and judged then.
    let out = machine.path("none").display().to_string();
    let other = ["trace", "--prompt", "x", "--out", &out, "--width", "262k", "--download"];
    says(&machine.fails(&[&other[..], &from_hub].concat()), &["262k_l0_big", "params.safetensors"]);
}

/// What comes from the hub names no files of this machine.
#[test]
fn a_list_of_the_hub_leads_nowhere_else_on_this_machine() {
    let npz = fixture("gemma2_plt_jumprelu/transcoder_npz");
    let folder = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(npz.join("config.yaml")).unwrap();
    let rooted = config.replace("hf://google/gemma-scope-2b-pt-transcoders", &npz.display().to_string());
    fs::write(folder.path().join("config.yaml"), rooted).unwrap();
    let server = Server::start();
    server.offer("tiny/rooted", folder.path(), "");
    let machine = Machine::new(&server);
    let model = fixture("gemma2_plt_jumprelu/model").display().to_string();
    says(&machine.fails(&["pull", "tiny/rooted"]), &["tiny/rooted", "names no file"]);
    // A folder of one's own may.
    machine.trace(&["--model", &model, "--transcoder", &folder.path().display().to_string()]);
}

#[test]
fn models_says_what_can_be_traced() {
    let server = served();
    let machine = Machine::new(&server);
    let list = |machine: &Machine| -> serde_json::Value {
        let assert = machine.run(&["models", "--json"]).assert().success();
        serde_json::from_slice(&assert.get_output().stdout).unwrap()
    };
    let pair = |list: &serde_json::Value, transcoder: &str| -> Option<serde_json::Value> {
        let pairs = list["pairs"].as_array().unwrap();
        pairs.iter().find(|pair| pair["transcoder"]["reference"] == transcoder).cloned()
    };
    let before = list(&machine);
    assert_eq!(pair(&before, SET), None);
    assert_eq!(pair(&before, "mwhanna/qwen3-4b-transcoders").unwrap()["ready"], false);

    machine.succeeds(&["pull", SET]);
    let half = pair(&list(&machine), SET).unwrap();
    assert_eq!((&half["ready"], &half["model"]["missing"]), (&false.into(), &serde_json::Value::Null));
    let asked = server.asked().len();
    machine.succeeds(&["pull", MODEL]);
    assert!(server.asked().len() > asked);
    let whole = pair(&list(&machine), SET).unwrap();
    assert_eq!((&whole["ready"], &whole["model"]["reference"]), (&true.into(), &MODEL.into()));
    let size = |file: &str| fs::metadata(fixture("llama_plt_relu").join(file)).unwrap().len();
    let files = ["config.yaml", "layer_0.safetensors", "layer_1.safetensors", "layer_2.safetensors"];
    let bytes: u64 = files.iter().map(|file| size(&format!("transcoder/{file}"))).sum();
    assert_eq!(whole["transcoder"]["bytes"], bytes);

    let model = machine.repo(MODEL).join("snapshots").join(COMMIT);
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    let damaged = pair(&list(&machine), SET).unwrap();
    assert_eq!((&damaged["ready"], &damaged["model"]["missing"][0]), (&false.into(), &"tokenizer.json".into()));
}

#[test]
fn pulls_at_the_same_time_fetch_once() {
    let server = served();
    let machine = Machine::new(&server);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| machine.succeeds(&["pull", MODEL]));
        }
    });
    let weights = sha256(&fs::read(fixture("llama_plt_relu/model/model.safetensors")).unwrap());
    let of_weights = server.asked().into_iter().filter(|asked| asked.storage && asked.path.contains(&weights)).count();
    assert_eq!(of_weights, 1);
    assert!(machine.repo(MODEL).join("snapshots").join(COMMIT).join("model.safetensors").exists());
}

#[test]
fn a_dry_run_says_how_large_and_fetches_nothing() {
    let server = served();
    let machine = Machine::new(&server);
    let assert = machine.run(&["pull", "--dry-run", "--json", MODEL]).assert().success();
    let said: serde_json::Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    let files = said["repositories"][0]["files"].as_array().unwrap();
    let weights = files.iter().find(|file| file["name"] == "model.safetensors").unwrap();
    let size = fs::metadata(fixture("llama_plt_relu/model/model.safetensors")).unwrap().len();
    assert_eq!((&weights["bytes"], &weights["here_before"]), (&size.into(), &0.into()));
    assert!(!machine.path("hub").exists());
}
