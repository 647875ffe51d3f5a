//! Commands by name, nodes by text, marks: how to get anywhere without knowing the way.

use crate::desk::Desk;
use circuitscope::tui::app::Pane;
use circuitscope::tui::circuit::Circuit;
use circuitscope::tui::command::all_commands;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

#[test]
fn a_command_is_run_by_its_name() {
    let mut desk = Desk::traced((160, 48));
    desk.press(":").expect("move-left").expect("To the node on the left");
    desk.type_text("fewer no").expect("nodes-fewer").expect("Keep fewer nodes");
    desk.press("Ctrl-u").type_text("nodes-few").press("Enter").expect("threshold 0.75");
    assert!(desk.state.dialogs.is_empty());
    desk.press(":").type_text("undo").press("Enter").expect("threshold 0.80");
}

#[test]
fn every_command_of_the_panes_stands_in_the_palette_with_its_key() {
    let mut desk = Desk::traced((160, 48));
    for command in all_commands().filter(|command| command.context.is_about_panes()) {
        desk.press(":").type_text(command.name).expect(command.name);
        let charset = desk.state.look.glyphs.charset;
        desk.expect(&command.key_labels(charset).join(" "));
        desk.press("Esc");
    }
}

#[test]
fn a_name_is_completed_and_takes_its_key_behind_it() {
    let mut desk = Desk::traced((160, 48));
    let third = circuit(&desk).inputs.kept[2].other;
    desk.press(":").type_text("jum").press("Tab").press("Enter").expect("jump takes one of 1-9");
    desk.press("3 Enter");
    assert_eq!(circuit(&desk).selected(), third);
}

#[test]
fn what_is_typed_faster_than_it_is_found_is_taken_once_it_is() {
    let mut desk = Desk::traced((160, 48));
    desk.press_only(":");
    for key in ["n", "e", "x", "t", "-", "p", "a", "n", "e", "Enter"] {
        desk.press_only(key);
    }
    desk.settle();
    assert!(desk.state.dialogs.is_empty());
    assert_eq!(desk.state.focus, Pane::Connections);
}

#[test]
fn a_search_goes_to_the_best_and_on_to_the_others() {
    let mut desk = Desk::traced((160, 48));
    desk.press("/").type_text("Dallas");
    let found = circuit(&desk).kept().node_ids().count();
    assert!(found > 3);
    desk.press("Enter");
    let nodes = circuit(&desk).marks.search.nodes.clone();
    assert!(nodes.len() > 2, "{nodes:?}");
    assert_eq!(circuit(&desk).selected(), nodes[0]);
    desk.press("n").expect(&format!("2 of {} for Dallas", nodes.len()));
    assert_eq!(circuit(&desk).selected(), nodes[1]);
    desk.press("N N");
    assert_eq!(circuit(&desk).selected(), *nodes.last().unwrap(), "the list is a ring");
    desk.press("[ [ [ [");
    assert_eq!(desk.selected(), "logit Austin", "going back leads to where the search began");
}

#[test]
fn a_search_says_while_it_is_typed_how_much_it_finds() {
    let mut desk = Desk::traced((160, 48));
    let all = circuit(&desk).traced.document.graph.n_nodes();
    desk.press("/").expect(&format!("{all} of {all}"));
    desk.type_text("xyzzy").expect(&format!("0 of {all}")).expect("nothing fits");
    desk.press("Enter");
    assert!(!desk.state.dialogs.is_empty(), "there is nothing to go to");
    desk.press("Esc n").expect("Nothing was searched for yet");
}

#[test]
fn promoted_tokens_are_searched_once_they_are_known() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature();
    let there = circuit(&desk).selected();
    let (layer, feature) = circuit(&desk).selected_feature().unwrap();
    let circuitscope::tui::circuit::PromotedTokens::Known(promoted) = &circuit(&desk).promoted[&(layer, feature)]
    else {
        panic!("its tokens were waited for")
    };
    let tokens: Vec<String> = promoted.top.iter().take(3).map(|(token, _)| token.clone()).collect();
    desk.press("g /").type_text(&tokens.join(" ")).press("Enter");
    assert_eq!(circuit(&desk).selected(), there, "{tokens:?}");
}

#[test]
fn a_node_that_is_not_kept_is_found_and_said_to_be_gone() {
    let mut desk = Desk::traced((160, 48));
    let gone = circuit(&desk).traced.document.graph.node_ids().find(|node| !circuit(&desk).kept().has_node(*node));
    let name = circuit(&desk).name(gone.unwrap(), &desk.state.look.glyphs);
    let before = desk.selected();
    desk.press("/").type_text(&name).expect("not kept");
    desk.press("Enter").expect("This node is not kept at these thresholds");
    desk.press("Esc");
    assert_eq!(desk.selected(), before);
}

#[test]
fn anything_can_be_gone_to() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Ctrl-p").type_text("detail").press("Enter");
    assert_eq!(desk.state.focus, Pane::Detail);
    desk.press("Ctrl-p").type_text("token Dallas").press("Enter");
    assert_eq!(desk.selected(), "token Dallas");
    desk.press("Ctrl-p").type_text("nodes-fewer").press("Enter").expect("threshold 0.75");
}

#[test]
fn marks_lead_back() {
    let mut desk = Desk::traced((160, 48));
    desk.press("' a").expect("No node is marked a");
    desk.press("m").expect("a-z");
    desk.press("a").expect("logit Austin is marked a");
    desk.press("1 2 1");
    desk.press("'").expect("a  logit Austin");
    desk.press("a");
    assert_eq!(desk.selected(), "logit Austin");
    desk.press("[");
    assert_ne!(desk.selected(), "logit Austin", "a mark is a station of the walk");
}

#[test]
fn a_key_that_waits_for_another_is_given_up_by_any_other() {
    let mut desk = Desk::traced((160, 48));
    let before = desk.screen();
    desk.press("m Esc");
    assert_eq!(desk.screen(), before);
    desk.press("m 1");
    assert_eq!(desk.selected(), "logit Austin", "the key does nothing else");
}

#[test]
fn help_begins_with_the_pane_that_has_the_focus() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab ?");
    let screen = desk.screen();
    let at = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text} is not there:\n{screen}"));
    assert!(at("To the next connection") < at("Walk the circuit"));
}
