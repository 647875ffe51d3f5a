//! The interventions' panel, from keys to screen.

use crate::desk::Desk;
use circuitscope::graph::{Action, Freeze, Interventions};
use circuitscope::text::glyph::Charset;
use circuitscope::tui::circuit::Circuit;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

fn set(desk: &Desk) -> &Interventions {
    &circuit(desk).edits.now().interventions
}

#[test]
fn the_dose_moves_by_keys_and_the_effects_follow() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("I").expect(": ablate").expect("mode: free");
    desk.expect("1.000›0.000 -1.00 Austin").expect("0.000›1.000 +1.00 Sacramento");
    desk.press("Right Right").expect("scale by 0.2").expect("1.000›0.200 -0.80 Austin");
    desk.press("+ Left").expect("scale by 0.6").expect("1.000›0.600");
    desk.press("Enter Ctrl-u").type_text("x").press("Enter").expect("is no number");
    desk.press("Ctrl-u").type_text("nan").press("Enter").expect("finite");
    desk.press("Ctrl-u").type_text("+1.5").press("Enter").expect("add 1.5");
    desk.press("p Ctrl-u").type_text("4..").press("Enter").expect(":4..:");
    desk.press("p Esc").expect("interventions");
    desk.press("Tab").expect("mode: direct");
    desk.press("Space").expect("add 1.5, muted").expect("all of them are muted");
    assert!(circuit(&desk).panel.measured.is_none());
    desk.press("u").expect("1.000›1.000");
    assert_eq!((set(&desk).freeze, &set(&desk).list[0].action), (Freeze::Direct, &Action::Add { amount: 1.5 }));
    desk.press("x").expect("There is none yet");
    desk.press("u Esc u u u").expect("Undone: the change of interventions");
    assert_eq!(set(&desk).list[0].action, Action::Scale { by: 0.6 });
}

#[test]
fn a_supernode_is_one_intervention_and_stands_beside_the_connections() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("v j");
    desk.go_to_feature().press("v e g Ctrl-u").type_text("Texas").press("Enter I");
    desk.expect("Texas (2 features): ablate");
    assert_eq!(set(&desk).list.len(), 1);
    desk.press("Esc I");
    assert_eq!(set(&desk).list.len(), 1, "opening it again makes no second one");
    desk.press("Esc g");
    desk.expect("1.00›1.00");
}

#[test]
fn answers_to_what_is_no_longer_asked_are_dropped() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("I");
    desk.press_only("+");
    desk.press_only("x");
    desk.settle();
    desk.expect("There is none yet");
}

#[test]
fn another_prompt_is_asked_for_and_its_features_are_put_in() {
    let mut desk = Desk::traced((160, 48));
    desk.press("G I").expect("There is none yet");
    desk.press("s").expect("another prompt").expect("containing Dallas is");
    desk.press("Ctrl-u").type_text("fact").press("Enter").expect("is not there");
    desk.press("s Ctrl-u").type_text("fact : the capital of the state containing Oakland is").press("Enter");
    desk.expect("swap for 1 features, times 1").expect("Oakland");
    desk.press("+").expect("times 1.5");
    desk.press("u u");
    assert!(set(&desk).list.is_empty());
}

#[test]
fn doses_are_drawn_and_continuations_stand_side_by_side() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("I d").expect("probability").expect("dose").expect("Sacramento");
    desk.press("+").expect("probability");
    desk.press("g").expect("without").expect("Austin lies in Texas").expect("Sacramento lies in California");
    desk.press("g").expect("rising");
    let mut plain = Desk::traced_in((120, 36), Charset::Ascii);
    plain.go_to_feature().press("I d").expect("probability").expect("a Austin").expect("b Sacramento");
    let screen = plain.screen();
    // Both are equally probable at every dose, so that one lies over the other.
    assert!(screen.is_ascii() && screen.contains("bbb"), "{screen}");
    for size in [(120, 30), (80, 24), (60, 20)] {
        let mut small = Desk::traced(size);
        small.go_to_feature().press("I d g g Esc");
    }
}

#[test]
fn another_supernode_s_features_are_put_in() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("v e g Ctrl-u").type_text("Texas").press("Enter I S");
    desk.expect("There is no other supernode");
    desk.press("Esc j v e g Ctrl-u").type_text("capitals").press("Enter");
    desk.press("g").go_to_feature().press("I S").expect("one of: capitals");
    desk.press("Ctrl-u").type_text("Ohio").press("Enter").expect("There is no supernode Ohio");
    desk.press("Ctrl-u").type_text("capitals").press("Enter").expect("swap for 1 features, times 1");
    let Action::Swap { features, .. } = &set(&desk).list[0].action else { panic!("{:?}", set(&desk)) };
    let graph = &circuit(&desk).traced.document.graph;
    let capitals = circuit(&desk).edits.now().groups.iter().find(|group| group.name == "capitals").unwrap();
    assert_eq!(Some(features[0].activation), graph.node(capitals.members[0]).activation);
    desk.press("u").expect("Texas (").expect("): ablate");
}

#[test]
fn names_keep_their_room_beside_activations() {
    let mut desk = Desk::traced((80, 24));
    desk.go_to_feature().press("I Esc").expect(" 1.00›1.00 ");
    let mut wide = Desk::traced((160, 48));
    wide.go_to_feature().press("I Esc").expect(" 1.00›1.00 ");
}

#[test]
fn layers_go_with_the_direct_mode() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("I L").expect("Layers go with the direct mode");
    desk.press("Tab L Ctrl-u").type_text("1..1").press("Enter").expect("it has to be A..B");
    desk.press("Ctrl-u").type_text("0..99").press("Enter").expect("so that B is at most");
    desk.press("Ctrl-u").type_text("0..1").press("Enter").expect("mode: direct, layers 0..1");
    assert_eq!(set(&desk).layers, Some(0..1));
    desk.press("Tab").expect("mode: frozen attention");
    assert!(!desk.shows("layers 0..1"));
    desk.press("u u").expect("mode: direct");
    assert!(!desk.shows("layers 0..1"));
}

#[test]
fn continuations_are_drawn_as_it_was_typed() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("I g").expect("continued by the likeliest token each time");
    desk.press("t Ctrl-u").type_text("hot").press("Enter").expect("Write a temperature");
    desk.press("Ctrl-u").type_text("0.8 7 40").press("Enter").expect("drawn at temperature 0.8 with seed 7");
    desk.expect("Austin lies in Texas, 0.8 7 40");
    desk.press("g t").expect("0.8 7 40");
}
