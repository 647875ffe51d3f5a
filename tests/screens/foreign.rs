//! Graphs of other programs on the screen.

use crate::desk::Desk;
use circuitscope::tui::circuit::Circuit;
use circuitscope::tui::open_files;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/data").join(name)
}

/// A screen on which a copy of a file was opened, with a session of its own.
fn opened(file: &Path, folder: &Path) -> Desk {
    let copy = folder.join("graph.json");
    std::fs::copy(file, &copy).unwrap();
    let mut desk = Desk::bare((160, 48), None);
    desk.state.remembers = true;
    desk.state.jobs.services.data = Some(folder.to_owned());
    open_files(&mut desk.state, vec![copy]);
    desk.settle();
    desk
}

#[test]
fn a_cycle_is_told_and_holds_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let looped = folder.path().join("self-loop.json");
    let text = std::fs::read_to_string(data("cycle-through-output.json")).unwrap();
    let ends = r#""source": "1_7_1", "target": "0_3_1""#;
    assert!(text.contains(ends));
    std::fs::write(&looped, text.replace(ends, r#""source": "0_3_1", "target": "0_3_1""#)).unwrap();
    for file in [data("cycle.json"), data("cycle-through-output.json"), looped] {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = opened(&file, folder.path());
        desk.expect("form a cycle");
        assert!(circuit(&desk).traced.document.graph.is_cyclic());
        // Along inputs and outputs, the tree with its branches, paths, what is pinned, all panes.
        for key in "1 2 1 o 1 1 o p 1 p a e Esc t l l l j l Tab l j Enter Tab Tab w Esc - + u U 1 1 1 [ [ ]".split(' ')
        {
            desk.press(key);
            if !desk.state.dialogs.is_empty() {
                desk.press("Esc");
            }
        }
        desk.expect("cyclic");
        assert!(!desk.screen().contains("NaN"), "{}", desk.screen());
        desk.press("q");
        if !desk.quit {
            desk.press("y");
        }
        assert!(desk.quit);
    }
}

#[test]
fn what_a_file_says_of_queries_and_keys_stands_at_its_node() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = opened(&data("attention-features.json"), folder.path());
    let graph = Arc::clone(&circuit(&desk).traced.document.graph);
    desk.press_until("1", |state| {
        let node = state.circuit.as_ref().unwrap().selected();
        !graph.node(node).is_logit()
    });
    desk.press("f").type_text("type:lorsa").press("Enter");
    desk.press("/").type_text("moves the city").press("Enter");
    assert_eq!(graph.node_name(circuit(&desk).selected()), "1_lor_77_9", "{}", desk.screen());
    desk.expect("lorsa #77").expect("queries").expect("keys").expect("+0.4000").expect("+0.3000").expect("+0.7000");
}
