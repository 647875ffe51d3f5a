//! The mouse does what keys do.

use crate::desk::Desk;
use circuitscope::tui::panes::{connections, detail, graph, subgraph, tree};
use circuitscope::tui::runtime::message::Msg;
use circuitscope::tui::runtime::update::update;
use circuitscope::tui::screen::layout::inner;
use circuitscope::tui::screen::mouse::{Gesture, Mouse};
use circuitscope::tui::workspace::circuit::Circuit;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
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
    let feature = circuit(&desk).connections.inputs.kept[0].other;
    let inner = desk.state.screen.layout().unwrap().of(graph::PANE).map(inner).unwrap();
    let place = circuit(&desk).panes.layout.place(feature).unwrap();
    mouse(&mut desk, Gesture::Press, (inner.x + place.x, inner.y + place.y));
    assert_eq!(circuit(&desk).selected(), feature);
}

#[test]
fn a_click_chooses_a_row_and_another_follows_it() {
    let mut desk = Desk::traced((160, 48));
    let third = circuit(&desk).connections.inputs.kept[2];
    let row = circuitscope::text::weight(third.edge.weight);
    click(&mut desk, &row);
    assert_eq!((desk.state.screen.focus, circuit(&desk).connections.row), (connections::PANE, 2));
    click(&mut desk, &row);
    assert_eq!(circuit(&desk).selected(), third.other);
}

#[test]
fn a_click_chooses_a_branch_and_another_opens_it() {
    let mut desk = Desk::traced((160, 48));
    click(&mut desk, "▸ #");
    assert_eq!((desk.state.screen.focus, circuit(&desk).panes.tree.at()), (tree::PANE, 1));
    let before = circuit(&desk).panes.tree.rows().len();
    click(&mut desk, "▸ #");
    assert!(circuit(&desk).panes.tree.rows().len() > before);
}

#[test]
fn a_click_on_a_title_brings_its_pane_to_the_front() {
    let mut desk = Desk::traced((80, 24));
    click(&mut desk, "subgraph");
    assert_eq!(desk.state.screen.focus, subgraph::PANE);
    desk.expect("worth pinning");
    click(&mut desk, "detail");
    assert_eq!(desk.state.screen.focus, detail::PANE);
}

#[test]
fn the_wheel_moves_through_what_is_under_the_pointer() {
    let mut desk = Desk::traced((160, 48));
    let list = desk.place("inputs  ");
    mouse(&mut desk, Gesture::WheelDown, list);
    assert_eq!((desk.state.screen.focus, circuit(&desk).connections.row), (graph::PANE, 3), "the focus stays");
    mouse(&mut desk, Gesture::WheelUp, list);
    assert_eq!(circuit(&desk).connections.row, 0);
}

#[test]
fn borders_are_dragged() {
    let mut desk = Desk::traced((160, 48));
    let width = |desk: &Desk| desk.state.screen.layout().unwrap().of(connections::PANE).unwrap().width;
    let before = width(&desk);
    let border = desk.state.screen.layout().unwrap().of(connections::PANE).unwrap().x - 1;
    mouse(&mut desk, Gesture::Press, (border, 20));
    mouse(&mut desk, Gesture::Drag, (border - 20, 25));
    assert_eq!(width(&desk), before + 20);
    mouse(&mut desk, Gesture::Release, (border - 20, 25));
    mouse(&mut desk, Gesture::Drag, (border - 40, 25));
    assert_eq!(width(&desk), before + 20, "a border that was let go stays");
    mouse(&mut desk, Gesture::Press, (border - 20, 25));
    mouse(&mut desk, Gesture::Drag, (0, 25));
    assert!(desk.state.screen.layout().unwrap().of(graph::PANE).unwrap().width >= 24);
}

#[test]
fn the_mouse_is_the_terminals_until_it_is_asked_for() {
    let mut desk = Desk::traced((160, 48));
    assert!(!desk.state.screen.mouse);
    desk.press("Ctrl-o").expect("The mouse works here");
    assert!(desk.state.screen.mouse);
    desk.press("Ctrl-o").expect("The mouse is the terminal's");
}
