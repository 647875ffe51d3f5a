//! A graph that is walked while it is traced, and one that is gone on with.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake};
use circuitscope::graph::{RawTrace, influence_kept, prune};
use circuitscope::tui::circuit::Circuit;
use circuitscope::tui::subgraph::{Pinned, Subgraph};
use circuitscope::tui::tree::Fold;
use circuitscope::tui::{PRUNE, start_trace};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// A trace that has shown its outputs' rows and waits.
fn begun(wanted: Option<usize>) -> (Desk, Sender<()>) {
    let (tracer, go_on) = Fake::stepwise(wanted);
    let mut desk = Desk::bare((160, 48), Some(tracer));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.wait_for("the first graph", |desk| desk.state.circuit.is_some());
    (desk, go_on)
}

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

fn n_features(desk: &Desk) -> usize {
    circuit(desk).traced.document.graph.nodes().iter().filter(|node| node.activation.is_some()).count()
}

/// Lets the trace go on by a stage.
fn stage(desk: &mut Desk, go_on: &Sender<()>) {
    let before = n_features(desk);
    go_on.send(()).unwrap();
    desk.wait_for("a larger graph", |desk| n_features(desk) > before);
}

fn trace(desk: &Desk) -> Arc<RawTrace> {
    circuit(desk).traced.document.trace.clone().expect("a trace that has ended is kept")
}

/// Pressed keys, without waiting for the trace.
fn press(desk: &mut Desk, keys: &str) {
    keys.split(' ').for_each(|key| desk.press_only(key));
}

#[test]
fn the_graph_grows_while_it_is_walked() {
    let (mut desk, go_on) = begun(None);
    assert_eq!((desk.selected(), n_features(&desk)), ("logit Austin".to_owned(), 0));
    desk.expect("partial");
    stage(&mut desk, &go_on);
    press(&mut desk, "1 p 1");
    desk.wait_for("the weighing", |desk| !circuit(desk).subgraph.graph.nodes.is_empty());
    let walk = |desk: &Desk| -> Vec<String> {
        let circuit = circuit(desk);
        circuit.history.walked().iter().map(|stop| circuit.name(stop.node, &desk.state.look.glyphs)).collect()
    };
    let pins = |desk: &Desk| -> Vec<String> {
        let circuit = circuit(desk);
        circuit.edits.now().pins.iter().map(|pin| circuit.name(*pin, &desk.state.look.glyphs)).collect()
    };
    let (walked, pinned) = (walk(&desk), pins(&desk));
    assert_eq!((walked.len(), pinned.len()), (3, 1));
    stage(&mut desk, &go_on);
    assert_eq!(pins(&desk), pinned);
    assert_eq!(walk(&desk)[..3], walked);
    let weighed = |desk: &Desk| {
        let circuit = circuit(desk);
        let pinned = Pinned::of(circuit.edits.now());
        circuit.subgraph.scores == Subgraph::new(&circuit.traced.document.graph, &pinned).scores
    };
    desk.wait_for("what is pinned to be weighed in the larger graph", weighed);
    assert_eq!(circuit(&desk).influence_kept, influence_kept(circuit(&desk).kept()));
    press(&mut desk, "u");
    assert!(pins(&desk).is_empty(), "what was done before the graph grew is undone");
    press(&mut desk, "[ [");
    assert_eq!(desk.selected(), "logit Austin");
    go_on.send(()).unwrap();
    desk.settle();
    assert!(desk.state.busy.is_none());
    assert!(!desk.screen().contains("partial"));
    assert_eq!(n_features(&desk), trace(&desk).active.len());
}

#[test]
fn the_tree_stays_open_while_the_graph_grows() {
    let (mut desk, go_on) = begun(None);
    stage(&mut desk, &go_on);
    press(&mut desk, "Tab Tab Tab");
    let branch = |desk: &Desk| circuit(desk).tree.branch().unwrap().clone();
    // Down the first branches that can be opened, until the cursor is two below the root.
    let mut pressed = 0;
    while branch(&desk).depth() < 2 {
        let is_leaf = branch(&desk).fold == Fold::Leaf;
        press(&mut desk, if is_leaf { "j" } else { "l" });
        pressed += 1;
        assert!(pressed < 40, "no branch can be opened twice:\n{}", desk.screen());
    }
    let under_cursor = |desk: &Desk| -> Vec<String> {
        let path = branch(desk).path.into_iter();
        path.map(|node| circuit(desk).name(node, &desk.state.look.glyphs)).collect()
    };
    let before = under_cursor(&desk);
    stage(&mut desk, &go_on);
    assert_eq!(under_cursor(&desk), before);
    desk.press_only("Ctrl-c");
    desk.settle();
}

#[test]
fn a_popup_about_the_graph_is_not_pulled_from_under() {
    let (mut desk, go_on) = begun(None);
    stage(&mut desk, &go_on);
    press(&mut desk, "1 m a");
    let here = desk.selected();
    let before = n_features(&desk);
    desk.press_only("/");
    go_on.send(()).unwrap();
    desk.wait_for("a larger graph that waits", |desk| desk.state.held_back.is_some());
    assert_eq!(n_features(&desk), before);
    desk.press_only("Esc");
    assert!(n_features(&desk) > before && desk.state.held_back.is_none());
    press(&mut desk, "g ' a");
    assert_eq!(desk.selected(), here, "a mark leads to the same node");
    desk.press_only("Ctrl-c");
    desk.settle();
}

#[test]
fn what_grows_is_pruned_as_the_person_prunes() {
    let (mut desk, go_on) = begun(None);
    press(&mut desk, "- - -");
    stage(&mut desk, &go_on);
    desk.wait_for("the pruning", |desk| !desk.state.jobs.is_waiting(PRUNE));
    let circuit = circuit(&desk);
    let thresholds = circuit.edits.now().thresholds;
    assert!(thresholds.node < 0.7);
    assert_eq!(*circuit.traced.kept, prune(&circuit.traced.document.graph, thresholds));
    desk.press_only("Ctrl-c");
    desk.settle();
}

#[test]
fn a_stopped_trace_is_gone_on_with() {
    let (mut desk, go_on) = begun(None);
    stage(&mut desk, &go_on);
    press(&mut desk, "1");
    let here = desk.selected();
    desk.press_only("Ctrl-c");
    desk.settle();
    desk.expect("partial").expect("; C goes on");
    assert!(trace(&desk).is_partial());
    let there = n_features(&desk);
    desk.press_only("C");
    assert_eq!(n_features(&desk), there, "the graph stays while the model is run again");
    (0..2).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    assert!(!trace(&desk).is_partial());
    assert_eq!(desk.selected(), here);
    press(&mut desk, "C");
    desk.expect("Every active feature has its row");
}

#[test]
fn a_finished_trace_is_extended_to_more_features() {
    let (mut desk, go_on) = begun(Some(12));
    (0..3).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    assert_eq!(trace(&desk).wanted_features, 12);
    desk.press_only("C");
    (0..3).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    assert_eq!((trace(&desk).wanted_features, n_features(&desk)), (24, 24));
}

#[test]
fn without_the_model_there_is_no_going_on() {
    let mut desk = Desk::bare((160, 48), None);
    desk.press("C").expect("There is no trace to go on with");
}
