//! Several graphs open at once.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake, made_up};
use circuitscope::format::raw;
use circuitscope::graph::Token;
use circuitscope::tui::{open_files, start_trace};
use std::path::{Path, PathBuf};

fn graph(folder: &Path, prompt: &str, seed: u64) -> PathBuf {
    let tokens = ["<bos>", "a", "b", "c"].iter().zip(0..).map(|(text, id)| Token { id, text: (*text).to_owned() });
    let path = folder.join(format!("{prompt}.safetensors"));
    raw::write(&path, &made_up(prompt, tokens.collect(), 3, 3.0, seed)).unwrap();
    path
}

fn opened(folder: &Path, prompts: &[&str]) -> Desk {
    let files = prompts.iter().zip(3..).map(|(prompt, seed)| graph(folder, prompt, seed)).collect();
    let mut desk = Desk::bare((160, 48), None);
    open_files(&mut desk.state, files);
    desk.settle();
    desk
}

#[test]
fn every_graph_keeps_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = opened(folder.path(), &["first", "second", "third"]);
    desk.expect("1/3 first");
    desk.press("1 p - f").type_text("type:feature").press("Enter");
    // A key that does nothing takes the notice away.
    desk.press("Ctrl-x");
    let first = desk.screen();
    desk.press("}").expect("2/3 second");
    assert!(!desk.shows("pins 1"));
    desk.press("} }");
    assert_eq!(desk.screen(), first);
    desk.press("{").expect("3/3 third");
    desk.press("{ {");
    assert_eq!(desk.screen(), first);
}

#[test]
fn a_closed_graph_gives_way_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = opened(folder.path(), &["first", "second", "third"]);
    desk.press("{ Ctrl-w").expect("1/2 first");
    desk.press("Ctrl-w").expect("second");
    assert!(!desk.shows("1/1"));
    desk.press("Ctrl-w").expect("This is the only graph; q leaves");
    desk.press("}").expect("No other graph is open");
}

#[test]
fn a_file_that_cannot_be_opened_stands_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let good = graph(folder.path(), "good", 3);
    let bad = folder.path().join("bad.json");
    std::fs::write(&bad, "no graph").unwrap();
    let mut desk = Desk::bare((160, 48), None);
    open_files(&mut desk.state, vec![bad, good]);
    desk.settle();
    desk.expect("bad.json");
    desk.press("}").expect("2/2 good");
    desk.press("}").expect("bad.json");
    desk.press("}").expect("2/2 good");
}

#[test]
fn any_open_graph_is_gone_to_by_its_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = opened(folder.path(), &["first", "second", "third"]);
    desk.press("Ctrl-p").type_text("thi").expect("graph      third");
    desk.press("Enter").expect("3/3 third");
    desk.press("Ctrl-p").type_text("first").expect("open, 1");
    desk.press("Enter").expect("1/3 first");
}

#[test]
fn other_graphs_are_turned_to_while_a_trace_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["first", "second"].map(|prompt| graph(folder.path(), prompt, 3)).to_vec();
    let (tracer, go_on) = Fake::stepwise(None);
    let mut desk = Desk::bare((160, 48), Some(tracer));
    open_files(&mut desk.state, files);
    desk.wait_for("the first graph", |desk| desk.state.circuit.is_some());
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.start();
    desk.expect("1/2 first");
    desk.press_only("}");
    desk.wait_for("the second graph", |desk| desk.shows("second →"));
    // The trace takes the place of the graph over which it was asked for, and grows there.
    go_on.send(()).unwrap();
    desk.press_only("Ctrl-c");
    desk.expect("What is under way is of another graph");
    desk.press_only("{");
    desk.wait_for("the graph of the trace", |desk| desk.shows("Dallas is → Austin") && desk.shows("Ctrl-c stops"));
    ["1", "p", "}"].into_iter().for_each(|key| desk.press_only(key));
    desk.expect("second →");
    (0..2).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    desk.expect("The trace of graph 1 has ended: fact").expect("second →");
    desk.press("{").expect("Dallas is → Austin").expect("pins 1");
    assert!(!desk.shows("partial") && !desk.shows("stops"), "{}", desk.screen());
    desk.press("u");
    assert!(!desk.shows("pins 1"), "what was done while it grew is undone");
}

#[test]
fn a_graph_that_is_closed_takes_its_trace_along() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["first", "second"].map(|prompt| graph(folder.path(), prompt, 3)).to_vec();
    let (tracer, _go_on) = Fake::stepwise(None);
    let mut desk = Desk::bare((160, 48), Some(tracer));
    open_files(&mut desk.state, files);
    desk.wait_for("the first graph", |desk| desk.state.circuit.is_some());
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.start();
    desk.press_only("Ctrl-w");
    desk.settle();
    desk.expect("second →");
    assert!(desk.state.busy.is_none() && desk.state.tabs.place().is_none());
}
