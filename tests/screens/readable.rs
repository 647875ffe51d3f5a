//! Graphs of many layers: opened at thresholds at which they can be read, and lists in which errors take one row.

use crate::desk::Desk;
use crate::fake::made_up;
use circuitscope::graph::{Thresholds, Token};
use circuitscope::tui::start_open;
use circuitscope::tui::workspace::circuit::Circuit;
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

/// A graph of thirty layers: many features, or few of them, so that errors explain most.
fn of_thirty_layers(density: f64) -> Desk {
    let tokens = (0..9).map(|id| Token { id, text: format!("word{id}") }).collect();
    let mut desk = Desk::bare((160, 48), None);
    start_open(&mut desk.state, Arc::new(made_up("thirty layers", tokens, 30, density, 3)));
    desk.settle();
    desk
}

#[test]
fn a_large_graph_opens_with_as_many_nodes_as_can_be_read_and_a_key_leads_to_the_usual_ones() {
    let mut desk = of_thirty_layers(25.0);
    let graph = Arc::clone(&circuit(&desk).traced.document.graph);
    let counted = |desk: &Desk| {
        let kept = circuit(desk).kept();
        kept.node_ids().filter(|id| !graph.node(*id).is_token() && !graph.node(*id).is_logit()).count()
    };
    let thresholds = |desk: &Desk| circuit(desk).edits.now().thresholds;
    let (opened, at) = (counted(&desk), thresholds(&desk));
    assert!((100..=240).contains(&opened) && at.node < 0.8, "{opened} nodes at {at:?}");
    desk.expect("as many as can be read");
    desk.press("0");
    assert_eq!(thresholds(&desk), Thresholds::default());
    assert!(counted(&desk) > 2 * opened && !desk.screen().contains("as many as can be read"));
    desk.press("0");
    assert_eq!((thresholds(&desk), counted(&desk)), (at, opened));
    desk.press("u u").expect("as many as can be read");
}

#[test]
fn errors_that_take_most_of_a_list_are_one_row_that_opens() {
    let mut desk = of_thirty_layers(0.6);
    let listed = |desk: &Desk| {
        let links = &circuit(desk).connections.inputs;
        (links.kept.len(), links.summed.iter().map(|summed| (summed.kind.name(), summed.n_edges)).collect::<Vec<_>>())
    };
    desk.press("0");
    let (before, summed) = listed(&desk);
    let errors = summed.iter().find(|(kind, _)| *kind == "errors").expect("errors take most of the list").1;
    let graph = Arc::clone(&circuit(&desk).traced.document.graph);
    let is_error =
        |desk: &Desk| circuit(desk).connections.inputs.kept.iter().any(|link| graph.node(link.other).is_error());
    assert!(!is_error(&desk));
    let shares = |desk: &Desk| {
        let links = &circuit(desk).connections.inputs;
        links.kept.iter().map(|link| link.share).chain(links.summed.iter().map(|summed| summed.share)).sum::<f64>()
    };
    let all = shares(&desk);
    desk.expect(&format!("errors at {errors} places"));
    desk.press("E").expect("Errors are listed one by one");
    assert!(is_error(&desk) && listed(&desk).0 == before + errors);
    assert!((shares(&desk) - all).abs() < 1e-9);
    desk.press("E").expect("Errors are left out");
    desk.press("E").expect(&format!("errors at {errors} places"));
}
