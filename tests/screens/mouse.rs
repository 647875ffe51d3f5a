//! The mouse does what keys do.

use crate::desk::Desk;
use circuitscope::tui::app::Pane;
use circuitscope::tui::circuit::Circuit;
use circuitscope::tui::message::Msg;
use circuitscope::tui::mouse::{Gesture, Mouse};
use circuitscope::tui::update::update;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

fn mouse(desk: &mut Desk, gesture: Gesture, (x, y): (u16, u16)) {
    update(&mut desk.state, Msg::Mouse(Mouse { gesture, x, y }));
    desk.settle();
}

/// Presses and lets go where `text` stands.
fn click(desk: &mut Desk, text: &str) {
    let at = desk.place(text);
    mouse(desk, Gesture::Press, at);
    mouse(desk, Gesture::Release, at);
}

#[test]
fn a_click_selects_a_node_in_the_graph() {
    let mut desk = Desk::traced((160, 48));
    click(&mut desk, "◆ Dallas");
    assert_eq!(desk.selected(), "logit Dallas");
    click(&mut desk, "containing    ");
    assert_eq!(desk.selected(), "token containing");
    desk.press("[ [");
    let feature = circuit(&desk).inputs.kept[0].other;
    let inner = desk.state.panes().unwrap().graph_room().unwrap();
    let place = circuit(&desk).layout.place(feature).unwrap();
    mouse(&mut desk, Gesture::Press, (inner.x + place.x, inner.y + place.y));
    assert_eq!(circuit(&desk).selected(), feature);
}

#[test]
fn a_click_chooses_a_row_and_another_follows_it() {
    let mut desk = Desk::traced((160, 48));
    let third = circuit(&desk).inputs.kept[2];
    let row = circuitscope::text::weight(third.edge.weight);
    click(&mut desk, &row);
    assert_eq!((desk.state.focus, circuit(&desk).row), (Pane::Connections, 2));
    click(&mut desk, &row);
    assert_eq!(circuit(&desk).selected(), third.other);
}

#[test]
fn a_click_chooses_a_branch_and_another_opens_it() {
    let mut desk = Desk::traced((160, 48));
    click(&mut desk, "▸ #");
    assert_eq!((desk.state.focus, circuit(&desk).tree.at()), (Pane::Tree, 1));
    let before = circuit(&desk).tree.rows().len();
    click(&mut desk, "▸ #");
    assert!(circuit(&desk).tree.rows().len() > before);
}

#[test]
fn a_click_on_a_title_brings_its_pane_to_the_front() {
    let mut desk = Desk::traced((80, 24));
    click(&mut desk, "subgraph");
    assert_eq!(desk.state.focus, Pane::Subgraph);
    desk.expect("nothing is pinned");
    click(&mut desk, "detail");
    assert_eq!(desk.state.focus, Pane::Detail);
}

#[test]
fn the_wheel_moves_through_what_is_under_the_pointer() {
    let mut desk = Desk::traced((160, 48));
    let list = desk.place("inputs  ");
    mouse(&mut desk, Gesture::WheelDown, list);
    assert_eq!((desk.state.focus, circuit(&desk).row), (Pane::Graph, 3), "the focus stays");
    mouse(&mut desk, Gesture::WheelUp, list);
    assert_eq!(circuit(&desk).row, 0);
}

#[test]
fn borders_are_dragged() {
    let mut desk = Desk::traced((160, 48));
    let width = |desk: &Desk| desk.state.panes().unwrap().of(Pane::Connections).unwrap().width;
    let before = width(&desk);
    let border = desk.state.panes().unwrap().of(Pane::Connections).unwrap().x - 1;
    mouse(&mut desk, Gesture::Press, (border, 20));
    mouse(&mut desk, Gesture::Drag, (border - 20, 25));
    assert_eq!(width(&desk), before + 20);
    mouse(&mut desk, Gesture::Release, (border - 20, 25));
    mouse(&mut desk, Gesture::Drag, (border - 40, 25));
    assert_eq!(width(&desk), before + 20, "a border that was let go stays");
    mouse(&mut desk, Gesture::Press, (border - 20, 25));
    mouse(&mut desk, Gesture::Drag, (0, 25));
    assert!(desk.state.panes().unwrap().of(Pane::Graph).unwrap().width >= 24);
}

#[test]
fn the_mouse_is_the_terminals_until_it_is_asked_for() {
    let mut desk = Desk::traced((160, 48));
    assert!(!desk.state.mouse);
    desk.press("Ctrl-o").expect("The mouse works here");
    assert!(desk.state.mouse);
    desk.press("Ctrl-o").expect("The mouse is the terminal's");
}
