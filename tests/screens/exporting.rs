//! The export dialog.

use crate::desk::Desk;
use circuitscope::graph::{Origin, Page};
use circuitscope::hub::{GraphLink, SITE};
use std::fs;
use std::sync::Arc;

#[test]
fn an_export_is_chosen_written_and_not_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("circuit.dot");
    let mut desk = Desk::traced((160, 48));
    desk.press("x").expect("circuit.json");
    desk.press("Down Down").expect("circuit.dot");
    desk.press("Tab Ctrl-u").type_text(path.to_str().unwrap());
    desk.press("Enter").expect("nothing is pinned");
    desk.press("Tab Enter").expect("Exported to");
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("digraph"), "{written}");
    fs::write(&path, "mine").unwrap();
    desk.press("x Down Down Tab Ctrl-u").type_text(path.to_str().unwrap());
    desk.press("Tab Enter").expect("This file is there already");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    desk.press("Enter").expect("Exported to");
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
}

#[test]
fn every_format_but_a_link_writes_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::traced((160, 48));
    desk.press("p 1 p");
    for (down, ending) in
        ["json", "txt", "dot", "svg", "mmd", "md", "csv", "csv", "safetensors"].into_iter().enumerate()
    {
        let path = folder.path().join(format!("{down}.{ending}"));
        desk.press("x");
        for _ in 0..down {
            desk.press("Down");
        }
        desk.expect(&format!("circuit.{ending}"));
        desk.press("Ctrl-u").type_text(path.to_str().unwrap());
        desk.press("Ctrl-t Enter").expect("Exported to");
        assert!(fs::metadata(&path).unwrap().len() > 0, "{ending}");
    }
}

#[test]
fn interventions_are_written_as_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.json");
    let mut desk = Desk::traced((160, 48));
    let last = ["Down"; 9].join(" ");
    desk.press(&format!("x {last} Ctrl-u")).type_text(path.to_str().unwrap());
    desk.press("Enter").expect("there are no interventions on this graph");
    desk.press("Esc");
    desk.go_to_feature().press(&format!("I + Tab Esc x {last} Ctrl-u")).type_text(path.to_str().unwrap());
    desk.press("Enter").expect("Exported to");
    let written = serde_json::from_slice::<circuitscope::graph::Interventions>(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(written, desk.state.circuit.as_ref().unwrap().edits.now().interventions);
    assert_eq!(written.list.len(), 1);
}

#[test]
fn a_link_is_copied_with_what_is_pinned() {
    let mut desk = Desk::traced((160, 48));
    // Without a name it would lead nowhere.
    desk.press("p x Down Ctrl-y").expect("has no name");
    assert_eq!(desk.copied, None);
    desk.press("Esc");
    let page = Page { model: "a-model".to_owned(), slug: "a graph".to_owned() };
    let document = &mut desk.state.circuit.as_mut().unwrap().traced.document;
    document.origin = Arc::new(Origin { slug: "another".to_owned(), page: Some(page), ..(*document.origin).clone() });
    // What came from there is handed on by its link first.
    desk.press("x Ctrl-y").expect("Copied 1 line");
    let copied = desk.copied.clone().unwrap();
    assert!(desk.state.dialogs.is_empty());
    let link = GraphLink::parse(&copied, SITE).unwrap();
    assert_eq!((link.model.as_str(), link.slug.as_str()), ("a-model", "a graph"));
    let circuit = desk.state.circuit.as_ref().unwrap();
    let pinned = circuit.traced.document.graph.node_name(circuit.selected());
    assert!(link.state.contains(&("pinnedIds".to_owned(), pinned)), "{copied}");
    desk.press("x Up").expect("another.json");
    desk.press(&format!("{} Ctrl-y", ["Down"; 8].join(" "))).expect("written to a file");
}

#[test]
fn what_cannot_be_written_is_said() {
    let mut desk = Desk::traced((160, 48));
    desk.press("x Ctrl-u Enter").expect("Write where to export it to");
    desk.type_text("/no/such/folder/x.json").press("Enter").expect("/no/such/folder/x.json");
    assert!(!desk.state.dialogs.is_empty());
}
