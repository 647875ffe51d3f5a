//! Into the clipboard.

use crate::desk::Desk;
use circuitscope::graph::Edit;
use serde_json::Value;

#[test]
fn ids_labels_and_rows_are_copied() {
    let mut desk = Desk::traced((160, 48));
    desk.press("/").type_text("#472 L2 @Dallas").press("Enter y").expect("Copy this node's label");
    desk.press("y").expect("Copied 2_472_9");
    assert_eq!(desk.copied.as_deref(), Some("2_472_9"));
    desk.press("y l").expect("This node has no label");
    desk.press("e l").type_text("Texas | state").press("Enter y l");
    assert_eq!(desk.copied.as_deref(), Some("Texas | state"));
    desk.press("y j");
    let row: Value = serde_json::from_str(desk.copied.as_deref().unwrap()).unwrap();
    let circuit = desk.state.workspace.circuit.as_ref().unwrap();
    assert_eq!((&row["node"], &row["label"]), (&"2_472_9".into(), &"Texas | state".into()));
    let inputs = row["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), circuit.connections.inputs.kept.len());
    assert_eq!(inputs[0]["weight"].as_f64().unwrap() as f32, circuit.connections.inputs.kept[0].edge.weight);
}

#[test]
fn chosen_nodes_are_copied_as_a_table_with_the_edges_between_them() {
    let mut desk = Desk::traced((160, 48));
    desk.press("/").type_text("#472 L2 @Dallas").press("Enter e l").type_text("a|b").press("Enter v");
    desk.press("/").type_text("token Dallas").press("Enter v y m");
    let copied = desk.copied.clone().unwrap();
    assert!(copied.contains("| a\\|b | Dallas | `2_472_9` |"), "{copied}");
    assert!(copied.contains("- `E_8_9` → `2_472_9`: +2.0244"), "{copied}");
}

#[test]
fn nothing_that_is_copied_is_obeyed_where_it_is_pasted() {
    let mut desk = Desk::traced((160, 48));
    // It would end a bracketed paste, and what follows would run.
    let label = "ok\u{1b}[201~\nrm -rf ~\r\u{9b}2J\u{202e}";
    let circuit = desk.state.workspace.circuit.as_mut().unwrap();
    circuit.edits.apply(Edit::Label(circuit.labelled(circuit.selected()), label.to_owned()));
    for part in ["y", "l", "j", "m"] {
        desk.press(&format!("y {part}"));
        let copied = desk.copied.take().unwrap();
        let obeyed = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!copied.contains(obeyed), "{part}: {copied:?}");
        assert!(!copied.lines().any(|line| line.starts_with("rm")), "{part}: {copied:?}");
        if part == "j" {
            let row: Value = serde_json::from_str(&copied).unwrap();
            assert_eq!(row["label"], label, "JSON says the same in other words");
        }
    }
}
