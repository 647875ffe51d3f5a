//! Supernodes, labels, notes and typed thresholds, each of them undone again.

use crate::desk::Desk;
use circuitscope::graph::{Edited, Group, Thresholds, UNNAMED, prune};
use circuitscope::ids::NodeId;
use circuitscope::tui::runtime::message::Msg;
use circuitscope::tui::runtime::update::update;
use circuitscope::tui::workspace::circuit::Circuit;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

fn edited(desk: &Desk) -> &Edited {
    circuit(desk).edits.now()
}

/// Selects the features that are kept, one after the other, and chooses the first `n`.
fn choose_features(desk: &mut Desk, n: usize) -> Vec<NodeId> {
    let features: Vec<NodeId> = {
        let graph = &circuit(desk).traced.document.graph;
        let kept = graph.feature_nodes().filter(|node| circuit(desk).kept().has_node(*node));
        kept.take(n).collect()
    };
    for node in &features {
        let name = circuit(desk).name(*node, &desk.state.screen.look.glyphs);
        desk.press("/").type_text(&name).press("Enter");
        assert_eq!(circuit(desk).selected(), *node, "{name}");
        desk.press("v");
    }
    features
}

#[test]
fn chosen_nodes_become_a_supernode_with_a_name() {
    let mut desk = Desk::traced((160, 48));
    let before = edited(&desk).clone();
    let members = choose_features(&mut desk, 3);
    desk.expect("chosen 3");
    desk.press("e").expect("Make a supernode of the chosen nodes");
    desk.press("g").expect("name of the supernode");
    desk.press("Ctrl-u Enter").expect("It needs a name");
    desk.type_text("say Austin").press("Enter").expect("Made the supernode say Austin").expect("pins 3");
    assert_eq!(edited(&desk).groups, [Group { name: "say Austin".to_owned(), members }]);
    assert!(!desk.shows("chosen"), "what was chosen is let go");
    desk.press("u").expect("Undone: the supernode say Austin");
    assert_eq!(edited(&desk), &before);
    desk.press("Ctrl-r").expect("pins 3");
}

#[test]
fn one_key_proposes_the_circuit_and_another_takes_it_back() {
    let mut desk = Desk::traced((160, 48));
    desk.press("p");
    let before = edited(&desk).clone();
    desk.press("X").expect("supernode").expect("u takes it back");
    assert_eq!(desk.state.screen.focus.title(), "subgraph");
    let (graph, now) = (&circuit(&desk).traced.document.graph, edited(&desk));
    assert!(!now.groups.is_empty() && now.groups.len() <= 8);
    let mut named = now.groups.iter().map(|group| (&group.name, &group.members));
    assert!(named.all(|(name, members)| {
        (name.starts_with('~') || name.starts_with(UNNAMED)) && members.iter().all(|id| graph.node(*id).is_feature())
    }));
    assert!(now.pins.iter().any(|id| graph.node(*id).is_logit()), "the output is in its diagram");
    desk.press("u").expect("Undone: the proposed circuit");
    assert_eq!(edited(&desk), &before);
}

#[test]
fn members_join_and_leave_and_the_rest_is_renamed_and_dissolved() {
    let mut desk = Desk::traced((160, 48));
    desk.press("e a").expect("There is no supernode to add to yet");
    let members = choose_features(&mut desk, 3);
    desk.press("v e g Ctrl-u").type_text("two").press("Enter");
    assert_eq!(edited(&desk).groups[0].members, members[..2]);
    desk.press("e a").expect("add to").expect("2 nodes");
    desk.press("Enter").expect("Added 1 node to two");
    assert_eq!(edited(&desk).groups[0].members, members);
    desk.press("e n").expect("3 members");
    desk.press("End").type_text(" and one").press("Enter");
    assert_eq!(edited(&desk).groups[0].name, "two and one");
    desk.press("e r").expect("Took 1 node out");
    assert_eq!(edited(&desk).groups[0].members, members[..2]);
    desk.press("e d").expect("The selected node is in no supernode");
    desk.press("Ctrl-p").type_text("two and one").press("Enter");
    assert_eq!(circuit(&desk).selected(), members[0], "a supernode can be gone to");
    desk.press("e d").expect("Dissolved two and one");
    assert!(edited(&desk).groups.is_empty());
    assert_eq!(edited(&desk).pins, members, "dissolved is not unpinned");
}

#[test]
fn a_label_holds_wherever_the_feature_is_active() {
    let mut desk = Desk::traced((160, 48));
    choose_features(&mut desk, 1);
    desk.press("e l").expect("the label holds at every position");
    desk.type_text("Texas\u{1b}").press("Enter");
    let node = circuit(&desk).selected();
    assert_eq!(circuit(&desk).label(node), Some(("Texas\u{1b}", true)));
    let what = circuit(&desk).labelled(node);
    assert!(edited(&desk).labels.contains_key(&what));
    desk.press("g /").type_text("Texas").expect("Texas␛");
    desk.press("Enter");
    desk.press("e l Ctrl-u Enter").expect("The label is gone");
    assert!(edited(&desk).labels.is_empty());
    desk.press("u").expect("Undone: the label");
    assert_eq!(edited(&desk).labels[&what], "Texas\u{1b}");
}

#[test]
fn pins_are_of_all_that_is_chosen() {
    let mut desk = Desk::traced((160, 48));
    let chosen = choose_features(&mut desk, 2);
    desk.press("p");
    assert_eq!(edited(&desk).pins, chosen);
    desk.press("u");
    assert!(edited(&desk).pins.is_empty());
    choose_features(&mut desk, 2);
    desk.press("e v");
    assert!(circuit(&desk).marks.chosen.is_empty());
}

#[test]
fn notes_are_kept_line_by_line() {
    let mut desk = Desk::traced((160, 48));
    desk.press("e t").type_text("first").press("Enter").type_text("third").press("Up End Enter").type_text("second");
    update(&mut desk.state, Msg::Paste("\r\npasted".to_owned()));
    desk.expect("pasted");
    desk.press("Esc").expect("The notes are kept");
    assert_eq!(edited(&desk).notes, "first\nsecond\npasted\nthird");
    desk.press("e t").expect("second");
    desk.press("Esc").expect("This changes nothing");
    desk.press("u");
    assert_eq!(edited(&desk).notes, "");
}

#[test]
fn thresholds_are_typed() {
    let mut desk = Desk::traced((160, 48));
    desk.press("t").expect("0.8 0.98");
    desk.press("Ctrl-u").type_text("1.5").press("Enter");
    desk.expect("1.5 is no share");
    desk.press("Ctrl-u").type_text("0.6 0.9").press("Enter").expect("threshold 0.60");
    let thresholds = Thresholds { node: 0.6, edge: 0.9, ..Thresholds::default() };
    assert_eq!(edited(&desk).thresholds, thresholds);
    let anew = prune(&circuit(&desk).traced.document.graph, thresholds);
    assert_eq!(circuit(&desk).kept().n_nodes(), anew.n_nodes());
    desk.press("u").expect("threshold 0.80");
}

#[test]
fn proposals_are_accepted_and_refused_one_by_one() {
    use circuitscope::graph::{SimilarityBounds, proposals};
    use circuitscope::job::Cancel;
    let mut desk = Desk::traced((160, 48));
    desk.press("t Ctrl-u").type_text("1 1").press("Enter");
    let found = {
        let circuit = circuit(&desk);
        let graph = &circuit.traced.document.graph;
        proposals(graph, circuit.kept(), edited(&desk), &[], SimilarityBounds::default(), &Cancel::default()).unwrap()
    };
    desk.press("e p");
    if found.is_empty() {
        desk.expect("no features are alike enough");
        return;
    }
    desk.expect("proposed supernodes");
    desk.press("x");
    assert_eq!(circuit(&desk).marks.refused, [found[0].members.clone()]);
    if let Some(second) = found.get(1) {
        desk.press("Enter");
        assert_eq!(edited(&desk).groups[0].members, second.members);
    }
    desk.press("Esc e p");
    let names: Vec<String> =
        found[0].members.iter().map(|node| circuit(&desk).name(*node, &desk.state.screen.look.glyphs)).collect();
    assert!(!desk.shows(&names.join("  ")), "what was refused is not proposed again");
}

#[test]
fn chosen_nodes_stand_out() {
    let mut desk = Desk::traced((160, 48));
    choose_features(&mut desk, 1);
    desk.press("g");
    let idle = desk.state.screen.look.theme.selection_idle.bg.unwrap();
    assert!(desk.buffer().content.iter().any(|cell| cell.symbol() == "●" && cell.bg == idle));
}
