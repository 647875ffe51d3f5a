//! From node to node.

use crate::desk::Desk;
use circuitscope::ids::NodeId;
use circuitscope::tui::panes::graph::layout::Step;
use circuitscope::tui::panes::{attention, connections, detail, feature, graph, subgraph, tree};
use circuitscope::tui::workspace::circuit::Circuit;
use circuitscope::tui::workspace::links::Side;
use std::collections::BTreeSet;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

fn kept(desk: &Desk) -> BTreeSet<NodeId> {
    circuit(desk).kept().node_ids().collect()
}

#[test]
fn a_trace_opens_with_its_answer_selected() {
    let desk = Desk::traced((160, 48));
    assert_eq!(desk.selected(), "logit Austin");
    assert_eq!(desk.state.screen.focus, graph::PANE);
    desk.expect("fact : the capital of the state containing Dallas is → Austin 0.995");
    desk.expect("replacement 0.").expect("completeness 0.").expect("at threshold 0.80").expect("at threshold 0.98");
}

#[test]
fn every_kept_node_can_be_reached_with_the_arrows() {
    for size in [(160, 48), (80, 24), (40, 10)] {
        let desk = Desk::traced(size);
        let circuit = circuit(&desk);
        let mut reached = BTreeSet::from([circuit.selected()]);
        let mut frontier = vec![circuit.selected()];
        while let Some(node) = frontier.pop() {
            let x = circuit.panes.layout.place(node).unwrap().x;
            for step in [Step::Left, Step::Right, Step::Up, Step::Down] {
                if let Some(next) = circuit.panes.layout.step(node, step, x)
                    && reached.insert(next)
                {
                    frontier.push(next);
                }
            }
        }
        assert_eq!(reached, kept(&desk), "{size:?}");
    }
}

#[test]
fn up_undoes_down() {
    let mut desk = Desk::traced((160, 48));
    desk.press("j j j");
    let there = desk.selected();
    desk.press("j k");
    assert_eq!(desk.selected(), there, "vertical moves keep to the column they started from");
}

#[test]
fn arrows_and_letters_do_the_same() {
    let (mut arrows, mut letters) = (Desk::traced((160, 48)), Desk::traced((160, 48)));
    arrows.press("Down Down Left Up Right");
    letters.press("j j h k l");
    assert_eq!(arrows.selected(), letters.selected());
}

#[test]
fn enter_follows_the_strongest_input() {
    let mut desk = Desk::traced((160, 48));
    let strongest = circuit(&desk).connections.inputs.kept[0];
    desk.press("Enter");
    assert_eq!(circuit(&desk).selected(), strongest.other);
    let weights: Vec<f64> = circuit(&desk).connections.inputs.kept.iter().map(|link| link.share).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
}

#[test]
fn a_digit_jumps_along_the_edge_that_carries_it() {
    let mut desk = Desk::traced((160, 48));
    let third = circuit(&desk).connections.inputs.kept[2].other;
    let name = circuit(&desk).name(third, &desk.state.screen.look.glyphs);
    desk.press("3");
    assert_eq!(circuit(&desk).selected(), third);
    desk.expect(&format!("logit Austin ‹ {name}"));
}

#[test]
fn outputs_are_followed_after_turning_around() {
    let mut desk = Desk::traced((160, 48));
    desk.press("1");
    let there = desk.selected();
    let outputs = circuit(&desk).connections.outputs.kept.clone();
    desk.press("o");
    assert_eq!(circuit(&desk).connections.side, Side::Outputs);
    desk.press("1");
    assert_eq!(circuit(&desk).selected(), outputs[0].other);
    desk.expect(&format!("{there} ›"));
}

#[test]
fn a_token_turns_around_by_itself_and_the_way_back_turns_again() {
    let mut desk = Desk::traced((160, 48));
    desk.press("1 G");
    assert!(desk.selected().starts_with("token"));
    assert_eq!(circuit(&desk).connections.side, Side::Outputs);
    desk.press("[");
    assert_eq!(circuit(&desk).connections.side, Side::Inputs);
}

#[test]
fn a_number_without_an_edge_says_so() {
    let mut desk = Desk::traced((160, 48));
    desk.press("G");
    let kept = circuit(&desk).connections.links().kept.len();
    assert!(kept < 9);
    desk.press("9").expect(&format!("There is no output 9: {kept} kept"));
    desk.press("j");
    assert!(!desk.shows("There is no output 9"), "a notice stays until the next key");
}

#[test]
fn back_and_forward_walk_the_history() {
    let mut desk = Desk::traced((160, 48));
    let mut stations = vec![desk.selected()];
    for key in ["1", "2", "1"] {
        desk.press(key);
        stations.push(desk.selected());
    }
    desk.press("[ [");
    assert_eq!(desk.selected(), stations[1]);
    desk.press("]");
    assert_eq!(desk.selected(), stations[2]);
    desk.press("Backspace Backspace");
    assert_eq!(desk.selected(), stations[0]);
    desk.press("[").expect("This is where the walk began");
    desk.press("] ] ]");
    assert_eq!(desk.selected(), stations[3]);
    desk.press("]").expect("This is where the walk ended");
}

#[test]
fn the_list_of_connections_is_walked_row_by_row() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab j j j");
    assert_eq!(desk.state.screen.focus, connections::PANE);
    let fourth = circuit(&desk).connections.inputs.kept[3].other;
    desk.press("Enter");
    assert_eq!(circuit(&desk).selected(), fourth);
    desk.press("[ G");
    let last = circuit(&desk).connections.inputs.kept.len() - 1;
    assert_eq!(circuit(&desk).connections.row, last);
    desk.press("j g");
    assert_eq!(circuit(&desk).connections.row, 0);
    desk.press("Enter l");
    assert_eq!(circuit(&desk).connections.side, Side::Outputs);
    desk.press("h");
    assert_eq!(circuit(&desk).connections.side, Side::Inputs);
}

#[test]
fn tab_visits_every_pane_and_escape_returns_to_the_graph() {
    let mut desk = Desk::traced((160, 48));
    let order =
        [connections::PANE, detail::PANE, tree::PANE, subgraph::PANE, feature::PANE, attention::PANE, graph::PANE];
    for pane in order {
        desk.press("Tab");
        assert_eq!(desk.state.screen.focus, pane);
    }
    desk.press("Shift-Tab");
    assert_eq!(desk.state.screen.focus, attention::PANE);
    desk.press("Esc");
    assert_eq!(desk.state.screen.focus, graph::PANE);
}

#[test]
fn a_small_screen_shows_the_pane_that_has_the_focus() {
    let mut desk = Desk::traced((40, 10));
    desk.expect("graph");
    desk.press("Tab").expect("connections");
    desk.press("Tab").expect("detail");
}

#[test]
fn the_detail_says_what_a_feature_is_and_writes() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature();
    desk.expect("feature #").expect("activation").expect("influence").expect("promotes").expect("suppresses");
    desk.expect("errors").expect("rank ");
}

#[test]
fn the_detail_scrolls_no_further_than_its_end() {
    let mut desk = Desk::traced((80, 24));
    desk.go_to_feature();
    desk.press("Tab Tab");
    for _ in 0..50 {
        desk.press("j");
    }
    let end = desk.screen();
    desk.press("k");
    assert_ne!(desk.screen(), end, "the way back starts at once");
}

#[test]
fn help_lists_every_key_and_can_be_filtered() {
    let mut desk = Desk::traced((160, 48));
    desk.press("?").expect("Walk the circuit").expect("Find and mark");
    desk.press("PageDown PageDown").expect("Prune and pin");
    desk.type_text("undo").expect("Undo the last edit");
    assert!(!desk.shows("Walk the circuit"));
    desk.press("Esc").expect("Walk the circuit");
    desk.press("Esc");
    assert!(!desk.shows("Walk the circuit"));
}

#[test]
fn q_leaves_and_typed_text_does_not() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i q");
    assert!(!desk.quit);
    desk.press("Esc q");
    assert!(desk.quit);
}
