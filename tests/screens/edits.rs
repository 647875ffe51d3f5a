//! Thresholds and pins, and back again.

use crate::desk::Desk;
use circuitscope::graph::{NodeKind, prune};
use std::sync::Arc;

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
    desk.settle();
    let circuit = desk.state.circuit.as_ref().unwrap();
    let anew = prune(&circuit.traced.document.graph, circuit.edits.now().thresholds);
    assert_eq!(counts(&desk), (anew.n_nodes(), anew.n_edges()));
}

#[test]
fn a_pin_is_marked_and_its_edges_stay() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature();
    desk.press("p").expect("◉").expect("pins 1");
    desk.press("g").expect("◉");
    desk.press("u");
    assert!(!desk.shows("◉"));
    desk.press("Ctrl-r").expect("◉");
}

/// Every second feature fires on one token in a hundred, the others on half of them.
fn with_densities() -> Desk {
    let mut desk = Desk::traced((160, 48));
    let circuit = desk.state.circuit.as_mut().unwrap();
    let features = circuit.traced.document.graph.nodes().iter().filter_map(|node| match node.kind {
        NodeKind::Feature { layer, feature, .. } => Some((layer, feature)),
        _ => None,
    });
    let densities = features.zip([0.01, 0.5].into_iter().cycle()).collect();
    circuit.traced.document.densities = Arc::new(densities);
    desk
}

#[test]
fn features_that_fire_often_are_left_out() {
    let mut desk = with_densities();
    let densities: Vec<f32> = kept_densities(&desk);
    assert!(densities.contains(&0.5) && densities.contains(&0.01));
    desk.press("d").expect("density at most 0.5");
    assert_eq!(kept_densities(&desk), densities);
    desk.press("d d").expect("density at most 0.1");
    let rare = kept_densities(&desk);
    assert!(!rare.is_empty() && rare.iter().all(|density| *density == 0.01));
    desk.press("u u u");
    assert_eq!(kept_densities(&desk), densities);
    desk.press("t Ctrl-u").type_text("0.8 0.98 0.2").press("Enter").expect("density at most 0.2");
    assert_eq!(kept_densities(&desk), rare);
    desk.press("D D D");
    assert!(!desk.shows("density"));
    desk.press("f").type_text("density<0.1").press("Enter");
    assert!(kept_densities(&desk).iter().all(|density| *density == 0.01));
}

#[test]
fn without_a_store_no_density_is_known() {
    let mut desk = Desk::traced((160, 48));
    let before = counts(&desk);
    desk.press("d").expect("How often features fire is not known here");
    desk.press("t Ctrl-u").type_text("0.8 0.98 0.001").press("Enter").expect("density at most 0.001 unknown");
    assert_eq!(counts(&desk), before);
    desk.press("f").type_text("density<0.1").press("Enter").expect("need how often features fire");
}

/// How often the kept features fire.
fn kept_densities(desk: &Desk) -> Vec<f32> {
    let circuit = desk.state.circuit.as_ref().unwrap();
    let features = circuit.kept().node_ids().filter_map(|node| circuit.feature(node));
    features.filter_map(|(layer, feature)| circuit.traced.document.densities.of(layer, feature)).collect()
}
