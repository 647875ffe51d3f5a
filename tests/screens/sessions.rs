//! What a person did is there again.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake};
use circuitscope::tui::circuit::Circuit;
use circuitscope::tui::{SESSION, start_trace};
use std::path::Path;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

/// A screen whose sessions are kept in a folder, before its trace has begun.
fn remembering(data: &Path) -> Desk {
    let mut desk = Desk::bare((160, 48), Some(Fake::quick()));
    desk.state.remembers = true;
    desk.state.jobs.services.data = Some(data.to_owned());
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk
}

fn reopened(data: &Path) -> Desk {
    let mut desk = remembering(data);
    desk.settle();
    desk
}

#[test]
fn a_session_is_taken_up_where_it_was_left() {
    let data = tempfile::tempdir().unwrap();
    let mut desk = reopened(data.path());
    desk.press("2 m a p 1 e l").type_text("Texas").press("Enter - v");
    desk.press("f").type_text("layer:..2").press("Ctrl-t Ctrl-s").type_text("low").press("Enter Enter Tab");
    // A key that does nothing takes the notice away.
    desk.press("Ctrl-x");
    let (screen, edited, marks) =
        (desk.screen(), circuit(&desk).edits.now().clone(), circuit(&desk).marks.letters.clone());
    drop(desk);
    let mut desk = reopened(data.path());
    desk.press("Ctrl-x");
    assert_eq!(desk.screen(), screen);
    assert_eq!(circuit(&desk).edits.now(), &edited);
    assert_eq!(circuit(&desk).marks.letters, marks);
    assert_eq!(circuit(&desk).marks.filters["low"], "layer:..2");
    desk.press("[ [");
    assert_eq!(desk.selected(), "logit Austin", "the walk goes back to where it began");
}

#[test]
fn keys_wait_until_the_session_is_read() {
    let data = tempfile::tempdir().unwrap();
    let mut desk = reopened(data.path());
    desk.press("p 1 p");
    let pins = circuit(&desk).edits.now().pins.clone();
    assert_eq!(pins.len(), 2);
    drop(desk);
    let mut desk = remembering(data.path());
    desk.wait_for("the session to be read", |desk| desk.state.jobs.is_waiting(SESSION));
    desk.press_only("u");
    desk.press_only("1");
    desk.press_only("p");
    desk.settle();
    let after = &circuit(&desk).edits.now().pins;
    assert!(after.len() == 3 && after.starts_with(&pins), "{after:?}: what was saved is neither lost nor overwritten");
}

#[test]
fn a_graph_that_was_only_looked_at_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    drop(reopened(data.path()));
    assert!(std::fs::read_dir(data.path()).unwrap().next().is_none());
}

#[test]
fn what_cannot_be_saved_is_said_until_it_is_and_asked_about_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    // Below a file there is no folder, until there is.
    let data = folder.path().join("data");
    std::fs::write(&data, "").unwrap();
    let mut desk = reopened(&data);
    assert!(!desk.shows("not saved"));
    desk.press("p q");
    assert!(!desk.quit);
    desk.expect("lost if you leave now").expect("cannot write").expect("not saved ");
    desk.press("n");
    assert!(!desk.quit && !desk.shows("lost if you leave now"));
    desk.expect("not saved ");
    std::fs::remove_file(&data).unwrap();
    desk.wait_for("another attempt", |desk| !desk.shows("not saved "));
    desk.press("q");
    assert!(desk.quit, "there is nothing left to ask about");
    drop(desk);
    assert_eq!(circuit(&reopened(&data)).edits.now().pins.len(), 1);
}

#[test]
fn who_wants_to_leaves_with_what_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(&data, "").unwrap();
    let mut desk = reopened(&data);
    desk.press("p q y");
    assert!(desk.quit);
    assert_eq!(desk.state.sessions.close().unsaved.len(), 1);
}

#[test]
fn two_screens_on_one_graph_lose_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (reopened(data.path()), reopened(data.path()));
    one.press("p q");
    other.press("2 p q");
    assert!(one.quit && other.quit);
    drop((one, other));
    assert_eq!(circuit(&reopened(data.path())).edits.now().pins.len(), 2);
}
