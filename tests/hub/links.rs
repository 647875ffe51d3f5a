//! Graphs behind links: after a yes, kept, with the state that stands in the link.

use crate::server::{Fault, Server};
use crate::{Machine, says};
use circuitscope::hub::{GraphLink, SITE};
use serde_json::{Value, json};
use std::fs;

/// A graph of one feature between a token and an output.
fn graph() -> String {
    let node = |id: &str, layer: &str, kind: &str, feature: u64| {
        json!({ "node_id": id, "feature": feature, "layer": layer, "ctx_idx": 1, "feature_type": kind, "jsNodeId": id,
                "token_prob": 0.5, "is_target_logit": kind == "logit", "run_idx": 0, "reverse_ctx_idx": 0, "clerp": "",
                "influence": 0.1, "activation": 1.0 })
    };
    let link = |from: &str, to: &str| json!({ "source": from, "target": to, "weight": 0.5 });
    json!({
        "metadata": { "slug": "a-graph", "scan": "tiny", "prompt_tokens": ["<bos>", "x"], "prompt": "x", "schema_version": 1,
                      "info": { "source_urls": ["https://neuronpedia.org/tiny/set"] }, "unknown": 7 },
        "qParams": { "pinnedIds": ["E_5_1"], "supernodes": [], "linkType": "both", "clickedId": "", "sg_pos": "" },
        "nodes": [node("0_2_1", "0", "cross layer transcoder", 5), node("E_5_1", "E", "embedding", 1),
                  node("2_7_1", "2", "logit", 7)],
        "links": [link("E_5_1", "0_2_1"), link("0_2_1", "2_7_1")],
    })
    .to_string()
}

fn served() -> (Server, Machine, String) {
    let server = Server::start();
    let endpoint = server.endpoint();
    server.offer_page("/api/graph/tiny/a-graph", json!({ "url": format!("{endpoint}/files/1.json") }).to_string());
    server.offer_page("/files/1.json", graph());
    let machine = Machine::new(&server);
    let link = format!(
        "{endpoint}/tiny/graph?slug=a-graph&pinnedIds=0_2_1%2C2_7_1&supernodes=%5B%5B%22say+x%22%2C%220_2_1%22%5D%5D\
         &clerps=%5B%5B%220_2_1%22%2C%22x's%22%5D%5D&pruningThreshold=0.6"
    );
    (server, machine, link)
}

fn fetched(machine: &Machine, args: &[&str]) -> Value {
    let output = machine.run(&[&["fetch", "--json"], args].concat()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["graphs"][0].clone()
}

#[test]
fn a_link_is_fetched_after_a_yes_and_opens_with_its_state() {
    let (server, machine, link) = served();
    says(&machine.fails(&["fetch", &link]), &["a-graph", "tiny", &server.endpoint(), "--yes"]);
    says(&machine.fails(&["fetch", "--yes", "--offline", &link]), &["a-graph", "--offline forbids the network"]);
    assert_eq!(server.asked().len(), 0);
    let first = fetched(&machine, &["--yes", &link]);
    assert_eq!(
        (&first["model"], &first["slug"], &first["was_here"]),
        (&"tiny".into(), &"a-graph".into(), &false.into())
    );
    assert_eq!(server.asked().len(), 2);
    let file = first["file"].as_str().unwrap();
    let show = machine.run(&["show", file, "--json"]).output().unwrap();
    let shown: Value = serde_json::from_slice(&show.stdout).unwrap();
    assert_eq!(shown["pins"], json!(["0_2_1", "2_7_1"]), "{shown}");
    let groups = machine.run(&["groups", file, "--json"]).output().unwrap();
    let groups: Value = serde_json::from_slice(&groups.stdout).unwrap();
    assert_eq!(groups["supernodes"][0]["name"], "say x", "{groups}");

    let back = machine.run(&["export", file, "--format", "url", "--out", "-"]).output().unwrap();
    let back = GraphLink::parse(str::from_utf8(&back.stdout).unwrap().trim(), SITE).unwrap();
    assert_eq!((back.model.as_str(), back.slug.as_str()), ("tiny", "a-graph"));
    for said in [("pinnedIds", "0_2_1,2_7_1"), ("pruningThreshold", "0.6")] {
        assert!(back.state.contains(&(said.0.to_owned(), said.1.to_owned())), "{said:?}: {back}");
    }

    // It is here now, and so is the same graph with another state, or with its own.
    assert_eq!(fetched(&machine, &["--offline", &link])["file"], first["file"]);
    let plain = format!("{}/tiny/graph?slug=a-graph", server.endpoint());
    let other = fetched(&machine, &["--offline", &plain]);
    assert_ne!(other["file"], first["file"]);
    assert_eq!(fs::read_to_string(other["file"].as_str().unwrap()).unwrap(), graph(), "as it came");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_graph_is_handed_on_by_the_name_that_it_was_fetched_by() {
    let (server, machine, _) = served();
    let url = json!({ "url": format!("{}/files/1.json", server.endpoint()) });
    server.offer_page("/api/graph/tiny/its%20name%20there", url.to_string());
    let link = format!("{}/tiny/graph?slug=its+name+there", server.endpoint());
    let file = fetched(&machine, &["--yes", &link])["file"].as_str().unwrap().to_owned();
    let written = machine.run(&["export", &file, "--format", "url", "--out", "-"]).output().unwrap();
    let back = GraphLink::parse(str::from_utf8(&written.stdout).unwrap().trim(), SITE).unwrap();
    assert_eq!((back.model.as_str(), back.slug.as_str()), ("tiny", "its name there"));
    // A name for it elsewhere goes before.
    let written = machine.run(&["export", &file, "--format", "url", "--slug", "mine", "--out", "-"]).output().unwrap();
    assert!(str::from_utf8(&written.stdout).unwrap().contains("slug=mine"), "{written:?}");
}

#[test]
fn a_link_to_nothing_is_said_to_be_one() {
    let (server, machine, link) = served();
    let unknown = format!("{}/tiny/graph?slug=none", server.endpoint());
    says(&machine.fails(&["fetch", "--yes", &unknown]), &["graph none of tiny"]);
    for other in ["https://example.org/a.json", "https://www.neuronpedia.org/gemma-2-2b/3-set/7"] {
        says(&machine.fails(&["open", other]), &[other, "leads to no graph", "/MODEL/graph?slug="]);
        says(&machine.fails(&[other]), &[other, "leads to no graph"]);
    }
    server.offer_page("/files/1.json", "{}");
    says(&machine.fails(&["fetch", "--yes", &link]), &["holds no nodes"]);
    server.offer_page("/files/1.json", "<html>");
    says(&machine.fails(&["fetch", "--yes", &link]), &["graph's file"]);
    server.offer_page("/api/graph/tiny/a-graph", "{}");
    says(&machine.fails(&["fetch", "--yes", &link]), &["where the graph's file is"]);
    server.offer_page("/files/1.json", graph());
    server.offer_page("/api/graph/tiny/a-graph", json!({ "url": "/files/1.json" }).to_string());
    server.set(Fault::Busy(4, 503, Some(0)));
    assert_eq!(fetched(&machine, &["--yes", &link])["was_here"], false);
}
