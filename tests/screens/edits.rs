//! Thresholds and pins, and back again.

use crate::desk::Desk;
use circuitscope::graph::prune;

fn counts(desk: &Desk) -> (usize, usize) {
    let kept = desk.state.circuit.as_ref().unwrap().kept();
    (kept.n_nodes(), kept.n_edges())
}

#[test]
fn thresholds_prune_the_whole_graph_anew() {
    let mut desk = Desk::traced((160, 48));
    let before = counts(&desk);
    desk.press("- - <").expect("threshold 0.70").expect("threshold 0.97");
    let circuit = desk.state.circuit.as_ref().unwrap();
    let thresholds = circuit.edits.now().thresholds;
    let anew = prune(&circuit.traced.document.graph, thresholds);
    assert_eq!(counts(&desk), (anew.n_nodes(), anew.n_edges()));
    assert!(counts(&desk).0 < before.0);
    desk.press("+ + >");
    assert_eq!(counts(&desk), before, "there and back is where it began");
}

#[test]
fn edits_are_undone_and_done_again() {
    let mut desk = Desk::traced((160, 48));
    let before = counts(&desk);
    desk.press("- -");
    let after = counts(&desk);
    desk.press("u u").expect("threshold 0.80");
    assert_eq!(counts(&desk), before);
    desk.press("u").expect("There is no edit to go to");
    desk.press("Ctrl-r Ctrl-r").expect("threshold 0.70");
    assert_eq!(counts(&desk), after);
}

#[test]
fn thresholds_end_at_everything_and_nothing() {
    let mut desk = Desk::traced((160, 48));
    for _ in 0..30 {
        desk.press("+ >");
    }
    desk.expect("threshold 1.00");
    for _ in 0..30 {
        desk.press("-");
    }
    desk.expect("threshold 0.00");
    let all_edits = desk.state.circuit.as_ref().unwrap().edits.clone();
    desk.press("-");
    assert_eq!(
        desk.state.circuit.as_ref().unwrap().edits.now(),
        all_edits.now(),
        "nothing changed, so no step to undo"
    );
}

#[test]
fn a_selected_node_that_falls_gives_way_to_one_that_stands() {
    let mut desk = Desk::traced((160, 48));
    desk.press("1 2");
    for _ in 0..16 {
        desk.press("-");
        let circuit = desk.state.circuit.as_ref().unwrap();
        assert!(circuit.kept().has_node(circuit.selected()));
    }
    desk.press("[");
}

#[test]
fn only_the_newest_pruning_is_shown() {
    let mut desk = Desk::traced((160, 48));
    for _ in 0..6 {
        desk.press_only("-");
    }
    assert!(desk.state.pruning.is_some());
    desk.settle();
    assert!(desk.state.pruning.is_none());
    let circuit = desk.state.circuit.as_ref().unwrap();
    let anew = prune(&circuit.traced.document.graph, circuit.edits.now().thresholds);
    assert_eq!(counts(&desk), (anew.n_nodes(), anew.n_edges()));
}

#[test]
fn a_pin_is_marked_and_its_edges_stay() {
    let mut desk = Desk::traced((160, 48));
    desk.to_feature();
    desk.press("p").expect("◉").expect("pins 1");
    desk.press("g").expect("◉");
    desk.press("u");
    assert!(!desk.shows("◉"));
    desk.press("Ctrl-r").expect("◉");
}
