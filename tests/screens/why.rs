//! What restrains a node, and why features fire or do not.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake};
use circuitscope::graph::NodeKind;
use circuitscope::session::SessionPlace;
use circuitscope::text::glyph::Charset;
use circuitscope::tui::circuit::{Circuit, Side};
use circuitscope::tui::start_trace;
use std::path::Path;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

#[test]
fn inhibitors_are_listed_kept_or_not_and_followed_where_they_are_kept() {
    let mut desk = Desk::traced((160, 48));
    desk.press("R").expect("inhibitors  ").expect("dropped #");
    let (graph, node) = (&circuit(&desk).traced.document.graph, circuit(&desk).selected());
    let negative: Vec<f32> = graph.incoming(node).map(|edge| edge.weight).filter(|weight| *weight < 0.0).collect();
    let kept = circuit(&desk).kept().incoming(graph, node).filter(|edge| edge.weight < 0.0).count();
    let share = negative.iter().map(|weight| f64::from(-weight)).sum::<f64>() / graph.input_total(node);
    desk.expect(&format!("inhibitors  {kept} of {} kept", negative.len()));
    desk.expect(&format!("{:.1}% of all input", 100.0 * share));
    let listed = &circuit(&desk).inhibitors.kept;
    assert_eq!(listed.len(), negative.len());
    assert!(listed.is_sorted_by(|a, b| a.edge.weight <= b.edge.weight));
    let of_node =
        |stands: bool| listed.iter().position(|it| circuit(&desk).kept().has_node(it.other) == stands).unwrap();
    let (stands, dropped) = (of_node(true), of_node(false));
    // The one that pruning dropped is not gone to, and it is said why.
    for _ in 0..dropped {
        desk.press("j");
    }
    desk.press("Enter").expect("Pruning dropped");
    assert_eq!(circuit(&desk).selected(), node);
    desk.press("g");
    for _ in 0..stands {
        desk.press("j");
    }
    let there = circuit(&desk).inhibitors.kept[stands].other;
    desk.press("Enter");
    assert_eq!(circuit(&desk).selected(), there);
}

#[test]
fn the_three_lists_are_turned_through() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("Tab");
    let side = |desk: &Desk| circuit(desk).side;
    assert_eq!(side(&desk), Side::Inputs);
    desk.press("Right");
    assert_eq!(side(&desk), Side::Outputs);
    desk.press("Right Right").expect("inhibitors ");
    assert_eq!(side(&desk), Side::Inhibitors);
    desk.press("Left");
    assert_eq!(side(&desk), Side::Outputs);
    desk.press("R o");
    assert_eq!(side(&desk), Side::Inputs);
    desk.press("R z").expect("inputs ").expect("outputs ").expect("inhibitors ");
    desk.press("z Esc G R").expect("nothing restrains it");
    desk.press("1").expect("Nothing restrains this node");
}

#[test]
fn what_nearly_fires_is_listed_and_told_of() {
    let mut desk = Desk::traced((160, 48));
    desk.press("W").expect("closest to firing at is, and do not").expect("#10 L0 @is does not fire");
    desk.expect("pre-activation +1.0000, 0.2500 below its threshold of 1.2500");
    desk.expect("= +1.2500 up -0.5000 down +0.2500 constants");
    desk.expect("pushes it up")
        .expect("+1.2500")
        .expect("token is")
        .expect("holds it down")
        .expect("error L0 @is")
        .expect("-0.5000");
    desk.press("j").expect("#10 L1 @is does not fire");
    desk.press("Tab").expect("closest to firing at any position").expect("#1 L0 @fact does not fire");
    desk.press("p").type_text("fact : Oakland").press("Enter");
    desk.expect("do not fire at any position, and do on: fact : Oakland").expect("#2 L0 @fact does not fire");
    desk.press("c").expect("closest to firing at any position");
    desk.press("f Ctrl-u").type_text("1:2").press("Enter").expect("LAYER:POSITION:FEATURE");
    desk.press("Ctrl-u").type_text("3:10:44").press("Enter").expect("#44 L3 @is does not fire");
    desk.press("f Ctrl-u").type_text("3:99:44").press("Enter").expect("there is no position 99");
    desk.press("f Esc").expect("closest to firing");
    desk.press("Esc");
    assert!(desk.state.dialogs.is_empty());
}

#[test]
fn a_selected_feature_is_told_of_and_its_margin_is_walked_beside_the_graph() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature();
    let name = desk.selected();
    let NodeKind::Feature { layer, position, feature } = circuit(&desk).node(circuit(&desk).selected()).kind else {
        panic!("{name} is no feature");
    };
    desk.press("W").expect(&format!("{name} does not fire"));
    desk.press("Enter").expect("2/2").expect(&format!("→ {layer}:{position}:{feature}"));
    let document = circuit(&desk).traced.document.clone();
    assert!(document.trace.is_some());
    desk.press("1 {").expect("1/2");
    assert_eq!(desk.selected(), name);
    // What is done to it is kept apart from what is done to the graph of another feature of the prompt.
    desk.press("W j Enter").expect("2/3");
    let place = |document| SessionPlace::of_trace(document, Some(Path::new("data")));
    assert_ne!(place(&document), place(&circuit(&desk).traced.document));
}

#[test]
fn a_list_that_is_waited_for_is_asked_for_again() {
    let mut desk = Desk::traced((160, 48));
    desk.press("W j").expect("#10 L1 @is does not fire");
    // A list that is still waited for is asked for again with the next question.
    desk.press_only("Tab");
    desk.press_only("j");
    desk.settle();
    desk.expect("#1 L0 @fact");
    desk.press_only("Tab");
    desk.press_only("Ctrl-c");
    desk.settle();
    assert!(desk.state.dialogs.is_empty());
}

#[test]
fn a_trace_that_ends_meanwhile_does_not_wait_for_it() {
    let (tracer, go_on) = Fake::stepwise(None);
    let mut desk = Desk::bare((160, 48), Some(tracer));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.wait_for("a graph", |desk| desk.state.circuit.is_some());
    desk.press_only("W");
    desk.wait_for("an answer", |desk| desk.shows("does not fire"));
    desk.press_only("Enter");
    desk.expect("A trace is under way");
    (0..3).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    desk.expect("does not fire");
    desk.press_only("Enter");
    (0..3).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    desk.expect("2/2").expect("→ 0:10:10");
}

#[test]
fn without_a_model_it_is_said_so() {
    let mut desk = Desk::bare((100, 30), Some(Fake::quick()));
    desk.press("W R | Esc &");
    let mut desk = Desk::traced((100, 30));
    desk.state.jobs.services.tracer = None;
    desk.press("W").expect("needs the model");
}

#[test]
fn small_and_plain_screens_show_it_too() {
    let mut desk = Desk::traced_in((80, 24), Charset::Ascii);
    desk.press("W").expect("#10 L0 @is does not fire").expect("token is").expect("-0.5000");
    desk.press("Esc R").expect("inhibitors").expect("feat -21.2%");
    assert!(desk.screen().is_ascii(), "{}", desk.screen());
    for size in [(60, 20), (40, 12), (30, 8)] {
        Desk::traced(size).press("W j Tab p Esc Esc R");
    }
}
